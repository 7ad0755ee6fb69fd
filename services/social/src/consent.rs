//! What consenting gives away, in words, with the figures measured on the protocol page.

use s3rec_job::{Proposal, statements};
use s3rec_spmm::ReleasePolicy;

/// What P1's operator reads before deciding.
pub(crate) fn warnings(proposal: &Proposal) -> Vec<String> {
    let columns = proposal.columns();
    let mut warnings = Vec::new();
    match proposal.release {
        ReleasePolicy::Exact => warnings.push(statements::of_exact(proposal.operator, columns)),
        ReleasePolicy::Coarse { released_bits } => warnings.push(format!(
            "Releasing {released_bits} bits of each value saves traffic and protects nothing: \
             repeated openings undo the rounding. Treat it as an exact opening: {}",
            statements::of_exact(proposal.operator, columns)
        )),
        ReleasePolicy::Noised { .. } => {
            warnings.extend(statements::of_noise(proposal, proposal.rounds, None))
        }
    }
    warnings.push(format!(
        "{} openings of {columns} columns: up to {} values for each user both platforms have. \
         Only noise, fewer users, fewer columns or fewer openings lower what is shown.",
        proposal.rounds,
        u64::from(proposal.rounds) * u64::from(columns),
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
    warnings.extend(statements::of_fetch(proposal.protocol).map(String::from));
    if let Some(pattern) = statements::of_pattern(proposal.pattern) {
        warnings.push(pattern.into());
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;
    use s3rec_job::{JobId, Terms};
    use s3rec_model::SolverKind;
    use s3rec_sparse::{BoundsRule, OperatorKind, PatternPolicy};
    use s3rec_spmm::Protocol;

    fn shown_to_rating(
        proposal: &Proposal,
        openings: u32,
        users: u32,
        bound: Option<u64>,
    ) -> Vec<String> {
        statements::by_rating(proposal, openings, users, bound, Some(BoundsRule::Stated))
    }

    #[test]
    fn what_the_bounds_show_is_said_for_either_choice() {
        let text = warnings(&sample(OperatorKind::Laplacian)).join("\n");
        for words in [
            "--degree-bound",
            "say nothing of the links",
            "whether they are linked",
        ] {
            assert!(text.contains(words), "{words}: {text}");
        }
        let shown = |rule| {
            let proposal = sample(OperatorKind::Laplacian);
            statements::by_rating(&proposal, 0, 5, None, rule).join("\n")
        };
        assert!(shown(Some(BoundsRule::Stated)).contains("nothing of the links themselves"));
        assert!(shown(Some(BoundsRule::Ladder)).contains("whether they are linked"));
        assert!(!shown(None).contains("Bounds on"));
    }

    fn sample(operator: OperatorKind) -> Proposal {
        Proposal {
            job: JobId::random(),
            purpose: String::new(),
            rank: 10,
            solver: SolverKind::Gd,
            operator,
            rounds: 20,
            social_weight: 0.0,
            regularization: 0.0,
            learning_rate: 0.0,
            social_bias_weight: 1.0,
            protocol: Protocol::He,
            pattern: PatternPolicy::ActiveRows,
            release: ReleasePolicy::Exact,
            saturation_bound: 8.0,
            guard_bits: 2,
            id_rule: "nfc-trim".into(),
            terms: Terms::default(),
        }
    }

    #[test]
    fn an_exact_proposal_names_the_figures_of_its_operator_and_rank() {
        let of = |operator, rank| {
            let proposal = Proposal {
                rank,
                ..sample(operator)
            };
            warnings(&proposal).join("\n")
        };
        assert!(of(OperatorKind::NormalizedLaplacian, 10).contains("find 53 % of all links"));
        assert!(of(OperatorKind::NormalizedLaplacian, 20).contains("find 56 % of all links"));
        assert!(of(OperatorKind::OutAverage, 10).contains("find 44 % of all links"));
        let proposal = sample(OperatorKind::Laplacian);
        let text = warnings(&proposal).join("\n");
        for expected in [
            "61 %",
            "94 %",
            "laplacian with about 11 columns",
            "s3rec social leakage --links FILE --rank 11",
            "20 openings of 11 columns",
            "private set intersection",
            "active-rows",
        ] {
            assert!(text.contains(expected), "{expected}: {text}");
        }
        assert!(
            !shown_to_rating(&proposal, 0, 5, None)
                .join("")
                .contains("exact product")
        );
        assert!(
            shown_to_rating(&proposal, 1, 5, None)
                .join("")
                .contains("exact product")
        );
    }

    #[test]
    fn a_private_fetch_states_its_bound() {
        let fetching = Proposal {
            protocol: Protocol::PreprocessedPir,
            ..sample(OperatorKind::OutAverage)
        };
        for told in [warnings(&fetching), shown_to_rating(&fetching, 0, 5, None)] {
            assert!(told.join("\n").contains("are linked to, and not which"));
        }
        let sending = sample(OperatorKind::OutAverage);
        assert!(!warnings(&sending).join("\n").contains("fetched privately"));
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
        let shown = shown_to_rating(&proposal(OperatorKind::Laplacian), 1, 5, Some(256)).join("\n");
        assert!(shown.contains("ρ = 0.2500"), "{shown}");
        assert!(
            shown_to_rating(&proposal(OperatorKind::Laplacian), 0, 5, Some(256))
                .iter()
                .all(|statement| !statement.contains("ε"))
        );
    }
}
