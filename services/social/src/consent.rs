//! What consenting gives away, in words, with the figures measured on the design page.

use s3rec_sparse::{Disclosure, OperatorKind};
use s3rec_spmm::{ReleasePolicy, release};
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
        ReleasePolicy::Noised { .. } => warnings.extend(noise(proposal, proposal.rounds, None)),
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
pub(crate) fn statements(
    proposal: &Proposal,
    openings: u32,
    common_users: u32,
    row_norm_bound: Option<u64>,
) -> Vec<String> {
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
        statements.extend(noise(proposal, openings, row_norm_bound));
    }
    statements
}

/// What `openings` noised openings spend together (design page, section 6). Before the platforms
/// have agreed on L, the statement of an operator that needs it is given for two bounds.
fn noise(proposal: &Proposal, openings: u32, row_norm_bound: Option<u64>) -> Option<String> {
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
        (None, OperatorKind::Laplacian | OperatorKind::OutAverage) => spent(0),
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

#[cfg(test)]
mod tests {
    use super::*;
    use s3rec_spmm::Protocol;
    use s3rec_wire::convert::JobId;
    use s3rec_wire::v1::Solver;

    fn sample(operator: OperatorKind) -> Proposal {
        Proposal {
            job: JobId::random(),
            purpose: String::new(),
            rank: 10,
            solver: Solver::Gd,
            operator,
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
        }
    }

    #[test]
    fn an_exact_proposal_names_the_measured_figures() {
        let proposal = sample(OperatorKind::Laplacian);
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
            !statements(&proposal, 0, 5, None)
                .join("")
                .contains("exact product")
        );
        assert!(
            statements(&proposal, 1, 5, None)
                .join("")
                .contains("exact product")
        );
    }

    #[test]
    fn noise_is_stated_as_epsilon_and_delta() {
        let proposal = |operator| Proposal {
            release: ReleasePolicy::Noised {
                sigma: 4.0,
                row_norm_beta: 1.0,
                delta: 1e-6,
            },
            ..sample(operator)
        };
        // ρ = 20 · (2√2)² / (2 · 4²) = 5.
        let text = warnings(&proposal(OperatorKind::Laplacian)).join("\n");
        assert!(
            text.contains("ρ = 5.0000") && text.contains("δ = 0.000001"),
            "{text}"
        );
        let wider = warnings(&proposal(OperatorKind::NormalizedLaplacian)).join("\n");
        assert!(wider.contains("6144") && wider.contains("32768"), "{wider}");
        // One opening of twenty spends a twentieth.
        let shown = statements(&proposal(OperatorKind::Laplacian), 1, 5, Some(256)).join("\n");
        assert!(shown.contains("ρ = 0.2500"), "{shown}");
        assert!(
            statements(&proposal(OperatorKind::Laplacian), 0, 5, Some(256))
                .iter()
                .all(|statement| !statement.contains("ε"))
        );
    }
}
