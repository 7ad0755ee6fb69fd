//! What consenting gives away, in words, with the figures measured on the design page.

use s3rec_sparse::{Disclosure, OperatorKind};
use s3rec_spmm::ReleasePolicy;
use s3rec_wire::convert::Proposal;

/// What P1's operator reads before deciding.
pub(crate) fn warnings(proposal: &Proposal) -> Vec<String> {
    let columns = proposal.columns();
    let mut warnings = Vec::new();
    match proposal.release {
        ReleasePolicy::Exact => warnings.push(format!(
            "An exact opening shows the rating platform the links of every user who has up to \
             about {columns} of them. Measured on FilmTrust with 10 columns: one exact opening is \
             enough to find 66 % of all links without an error in 90 seconds on one core (59 % for \
             the normalised operator); 94 % when the rating platform chooses its factors for the \
             purpose, which this platform cannot see. On Ciao, where few users have few links, the \
             same attack finds 3 %."
        )),
        ReleasePolicy::Coarse { released_bits } => warnings.push(format!(
            "Releasing {released_bits} bits of each value saves traffic and protects nothing: \
             repeated openings undo the rounding. Treat it as an exact opening (66 % of FilmTrust's \
             links from one)."
        )),
        ReleasePolicy::Noised { sigma, row_norm_beta, delta } => warnings.push(format!(
            "Noise of standard deviation {sigma} is added to every value. Its (ε, δ = {delta}) \
             statement holds only while the rating platform keeps the rows of its factors within \
             norm {row_norm_beta}; this platform cannot check that, and one that uses the whole \
             ring defeats any noise."
        )),
    }
    warnings.push(format!(
        "{} openings of {columns} columns: up to {} values for each user both platforms have. \
         Only noise, fewer users, fewer columns or fewer openings lower what is shown.",
        proposal.rounds,
        u64::from(proposal.rounds) * u64::from(columns),
    ));
    warnings.push(
        "The common users are found by keyed hashes. This is not yet private: each platform can \
         test whether the other knows an id that it guesses, for all ids."
            .into(),
    );
    warnings.push(format!(
        "The rating platform also learns bounds from a ladder of powers of two and their halves \
         between: the largest row sum of the operator{}, and the number of non-zeros.",
        match proposal.operator {
            OperatorKind::Laplacian => " (twice the largest number of links of a user)",
            OperatorKind::NormalizedLaplacian | OperatorKind::OutAverage => "",
        }
    ));
    if let Some(pattern) = pattern_warning(proposal.pattern) {
        warnings.push(pattern.into());
    }
    warnings
}

fn pattern_warning(pattern: Disclosure) -> Option<&'static str> {
    match pattern {
        Disclosure::Nothing => None,
        Disclosure::ActiveRows => Some(
            "Pattern policy active-rows: the rating platform learns which common users have a \
             link, before any opening (exact openings show the same).",
        ),
        Disclosure::ActiveRowsAndColumns => Some(
            "Pattern policy active-rows-and-columns: the rating platform learns which common users \
             have a link and which are linked to, before any opening.",
        ),
    }
}

/// What the rating platform could have learnt from a job so far (design page, section 4).
pub(crate) fn statements(proposal: &Proposal, openings: u32, common_users: u32) -> Vec<String> {
    let columns = proposal.columns();
    let mut statements = vec![
        format!("Which {common_users} users both platforms have, and any other id it guessed."),
        "Ladder bounds on the largest row sum and the number of non-zeros of the operator.".into(),
    ];
    statements.extend(pattern_warning(proposal.pattern).map(String::from));
    if openings > 0 {
        statements.push(match proposal.release {
            ReleasePolicy::Exact => format!(
                "The exact product of the social operator with {openings} × {columns} columns of \
                 its choice: who has a link, and the links of every user with up to about \
                 {columns} of them (66 % of FilmTrust's links from one such opening)."
            ),
            ReleasePolicy::Coarse { .. } => format!(
                "The rounded product with {openings} × {columns} columns; rounding protects nothing."
            ),
            ReleasePolicy::Noised { .. } => {
                format!("The noised product with {openings} × {columns} columns.")
            }
        });
    }
    statements
}

#[cfg(test)]
mod tests {
    use super::*;
    use s3rec_spmm::Protocol;
    use s3rec_wire::convert::JobId;
    use s3rec_wire::v1::Solver;

    #[test]
    fn an_exact_proposal_names_the_measured_figures() {
        let proposal = Proposal {
            job: JobId::random(),
            purpose: String::new(),
            rank: 10,
            solver: Solver::Gd,
            operator: OperatorKind::Laplacian,
            rounds: 20,
            social_weight: 0.0,
            regularization: 0.0,
            learning_rate: 0.0,
            social_bias_weight: 1.0,
            protocol: Protocol::He,
            pattern: Disclosure::ActiveRows,
            release: ReleasePolicy::Exact,
            saturation_bound: 8.0,
            guard_bits: 2,
        };
        let text = warnings(&proposal).join("\n");
        for expected in [
            "66 %",
            "94 %",
            "20 openings of 11 columns",
            "not yet private",
            "active-rows",
        ] {
            assert!(text.contains(expected), "{expected}: {text}");
        }
        assert!(
            !statements(&proposal, 0, 5)
                .join("")
                .contains("exact product")
        );
        assert!(
            statements(&proposal, 1, 5)
                .join("")
                .contains("exact product")
        );
    }
}
