//! What consenting gives away, in words.

use s3rec_spmm::ReleasePolicy;

use super::{friends, of_exact, of_fetch, of_noise, of_pattern};
use crate::Proposal;
use crate::number_format::of;

/// What consenting to a proposal gives away, with the figures measured on the protocol page: what
/// P1's people read before they decide, and P0's before they ask.
#[must_use]
pub fn of_consent(proposal: &Proposal) -> Vec<String> {
    let columns = proposal.columns();
    let mut warnings = Vec::new();
    match proposal.release {
        ReleasePolicy::Exact => warnings.push(of_exact(proposal.operator, columns)),
        ReleasePolicy::Coarse { released_bits } => warnings.push(format!(
            "Releasing {released_bits} bits of each value saves traffic and protects nothing: \
             repeated openings undo the rounding. Treat it as an exact opening: {}",
            of_exact(proposal.operator, columns)
        )),
        ReleasePolicy::Friends(release) => {
            warnings.extend(friends::of_proposal(&release, columns));
        }
        ReleasePolicy::Noised { .. } => warnings.extend(of_noise(proposal, proposal.rounds, None)),
    }
    warnings.push(format!(
        "{} of {}: up to {} for each user both platforms have. Only noise, fewer users, fewer columns \
         or fewer openings lower what is shown.",
        of(proposal.rounds.into(), "opening"),
        of(columns.into(), "column"),
        of(u64::from(proposal.rounds) * u64::from(columns), "value"),
    ));
    warnings.push(
        "The common users are found by private set intersection: each platform learns which of its \
         own users the other has too, and how many users the other has in all; nothing about the \
         others, not even to whoever guesses their ids. A platform that brings ids it guessed as \
         if they were its users' learns whether the other has them; it cannot hide how many it \
         brings, which both sides are shown."
            .into(),
    );
    warnings.push(
        "The rating platform also learns bounds of the operator: on its largest row sum and its \
         number of non-zeros. Unless you choose otherwise they follow from what you state of all of \
         your links, --degree-bound and --links-bound or the policy's, and say nothing of the links: \
         state round numbers with room, not what the links come to. With --bounds ladder, or the \
         policy's bounds = \"ladder\", they follow from the links among the common users and say \
         something of those: of two users, whether they are linked."
            .into(),
    );
    warnings.extend(of_fetch(proposal.protocol).map(String::from));
    if let Some(pattern) = of_pattern(proposal.pattern) {
        warnings.push(pattern.into());
    }
    warnings
}
