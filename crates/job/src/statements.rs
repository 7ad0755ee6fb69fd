//! What each platform could have learnt from a job, in words (protocol page, section 4). Both
//! platforms show both, in the same words.

use s3rec_sparse::{BoundsRule, OperatorKind, PatternPolicy};
use s3rec_spmm::{Protocol, ReleasePolicy, release};

use crate::Proposal;
use crate::counting::{Account, mu_of};

pub mod friends;

/// What the rating platform could have learnt from `openings` openings.
#[must_use]
pub fn by_rating(
    proposal: &Proposal,
    openings: u32,
    common_users: u32,
    row_norm_bound: Option<u64>,
    rule: Option<BoundsRule>,
) -> Vec<String> {
    let columns = proposal.columns();
    let mut statements = vec![format!(
        "Which {common_users} users both platforms have, and how many the social platform has; nothing \
             about any other user."
    )];
    statements.extend(rule.map(|rule| of_bounds(rule).into()));
    statements.extend(of_fetch(proposal.protocol).map(String::from));
    statements.extend(of_pattern(proposal.pattern).map(String::from));
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
            // Said by `friends`, with what was agreed on.
            ReleasePolicy::Friends(_) => {
                format!("Friends' sums of {columns} columns, with noise.")
            }
            ReleasePolicy::Noised { .. } => {
                format!("The noised product with {openings} × {columns} columns.")
            }
        });
        statements.extend(of_noise(proposal, openings, row_norm_bound));
    }
    statements
}

/// What the social platform could have learnt from them.
#[must_use]
pub fn by_social(proposal: &Proposal, openings: u32, common_users: u32) -> Vec<String> {
    vec![format!(
        "Which {common_users} users both platforms have, and how many the rating platform has, \
         nothing about any other user; rank {}, \
         {openings} rounds, their times, and when training stopped; about how many ratings there \
         are, from the time between rounds. Nothing of the ratings or factors themselves.",
        proposal.rank
    )]
}

/// What the public bounds of the operator show.
#[must_use]
pub fn of_bounds(rule: BoundsRule) -> &'static str {
    match rule {
        BoundsRule::Stated => {
            "Bounds on the largest row sum and the number of non-zeros of the operator, which \
             follow from what the social platform's operators stated of all of their links and \
             from the number of common users: nothing of the links themselves."
        }
        BoundsRule::Ladder => {
            "Bounds on the largest row sum and the number of non-zeros of the operator, which \
             follow from the links among the common users (the next of the powers of two and \
             their halves between): something of those links. About two users it is whether they \
             are linked."
        }
    }
}

/// What retrieval shows of the rows that are fetched.
#[must_use]
pub fn of_fetch(protocol: Protocol) -> Option<&'static str> {
    protocol.fetches_privately().then_some(
        "Rows are fetched privately: the rating platform learns a bound, by the same rule as the \
         operator's, on how many common users are linked to, and not which.",
    )
}

/// What a pattern policy shows before any opening.
#[must_use]
pub fn of_pattern(pattern: PatternPolicy) -> Option<&'static str> {
    match pattern {
        PatternPolicy::Nothing => None,
        PatternPolicy::ActiveRows => Some(
            "Pattern policy active-rows: the rating platform learns which common users have a \
             link, before any opening (exact openings show the same).",
        ),
        PatternPolicy::ActiveRowsAndColumns => Some(
            "Pattern policy active-rows-and-columns: the rating platform learns which common users \
             have a link and which are linked to, before any opening.",
        ),
    }
}

/// What `openings` noised openings spend together (protocol page, section 6). Before the platforms
/// have agreed on L, the statement of an operator that needs it is given for two bounds.
#[must_use]
pub fn of_noise(proposal: &Proposal, openings: u32, row_norm_bound: Option<u64>) -> Option<String> {
    let ReleasePolicy::Noised {
        sigma,
        row_norm_beta,
        delta,
    } = proposal.release
    else {
        return None;
    };
    let spent = |bound: u64| {
        let sensitivity = release::sensitivity(proposal.operator, bound, row_norm_beta);
        let rho = release::zcdp(openings, sensitivity, sigma);
        let epsilon = release::epsilon(rho, delta);
        format!(
            "ε = {epsilon:.2}, δ = {delta} (zCDP ρ = {rho:.4}, sensitivity {sensitivity:.3} an opening)"
        )
    };
    let statement = match (row_norm_bound, proposal.operator) {
        (Some(bound), _) => spent(bound),
        (None, OperatorKind::NormalizedLaplacian) => format!(
            "{} where the row norm bound of the common users' links is {NARROW_BOUND}, {} where it \
             is {WIDE_BOUND}",
            spent(NARROW_BOUND),
            spent(WIDE_BOUND)
        ),
        (None, OperatorKind::Laplacian | OperatorKind::OutAverage | OperatorKind::Friends) => {
            spent(0)
        }
    };
    Some(format!(
        "Noise of standard deviation {sigma} is added to every value, to rows without links too. \
         Towards one link added or removed, {openings} openings together keep {statement}. This \
         holds while the rating platform keeps the rows of its factors within norm \
         {row_norm_beta}; this platform cannot check that, and one that uses the whole ring \
         defeats any noise. An ε above about 10 promises next to nothing."
    ))
}

/// Row norm bounds of FilmTrust and of something wider than Epinions, normalised.
const NARROW_BOUND: u64 = 6144;
const WIDE_BOUND: u64 = 32_768;

/// What the rating platform could have learnt from all jobs on one lineage together.
pub(crate) fn in_all(account: &Account) -> Vec<String> {
    let counters = account.counters;
    let mut statements = vec![match counters.openings {
        0 => "Nothing of this data was opened so far.".into(),
        openings => format!(
            "{openings} openings in {} jobs: {} columns, {} values.",
            counters.jobs, counters.opened_columns, counters.opened_values
        ),
    }];
    if let Some(shown) = account.shown.filter(|shown| shown.intersections > 0) {
        statements.push(format!(
            "{} set intersections, to which the rating platform brought {} ids in all, each time \
             learning which of them this platform has.",
            shown.intersections, shown.ids_asked
        ));
        if shown.bounds > 0 {
            statements.push(format!(
                "Bounds of the operator in {} answers; {} users shown by pattern policies.",
                shown.bounds, shown.pattern_rows
            ));
        }
    }
    if counters.exact_values > 0 {
        statements.push(format!(
            "{} of the values without noise: no ε bounds them. Treat the links of every user with \
             up to about as many links as columns were opened as known.",
            counters.exact_values
        ));
    }
    if counters.nano_rho > 0 {
        statements.push(format!(
            "The noised openings together: zCDP ρ = {:.4}, ε = {:.2} at δ = {}, towards one link \
             and a rating platform that kept its factors within the agreed norms.",
            counters.nano_rho as f64 / 1e9,
            account.epsilon,
            account.delta
        ));
        let shown = account.shown.is_some_and(|shown| shown.pattern_rows > 0);
        match mu_of(counters.nano_rho) {
            // It would be false: something that depends on the links has left without noise.
            Some(mu) if counters.exact_values > 0 || shown => statements.push(format!(
                "All noised openings together: √Σμ² = {:.3}. Of this data as a whole nothing is \
                 promised: some of what depends on the links has left without noise.",
                mu.value()
            )),
            Some(mu) => statements.push(format!(
                "All noised openings together: √Σμ² = {:.3}. {}",
                mu.value(),
                mu.statement()
            )),
            None => {}
        }
    }
    if counters.stocks > 0 {
        statements.push(format!(
            "{} uploads answered: beyond the opened values, what the rating platform saw is within \
             {} · 2^-40 of what it could have made up itself; of friends' sums as far as the lattice \
             problems hold that they rest on.",
            counters.stocks, counters.stocks
        ));
    }
    statements
}
