//! What consenting gives away, in words, with the figures measured on the protocol page.

pub(crate) use s3rec_job::statements::of_consent as warnings;

/// Where users are those with a link.
pub(crate) fn not_listed(datasets: &[String]) -> String {
    format!(
        "Without a list of your users in {} (import --users FILE), your users are those with a link: \
         being a common user shows the rating platform that somebody has one, which no noise covers.",
        datasets.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use s3rec_job::{JobId, Proposal, Terms, statements};
    use s3rec_model::SolverKind;
    use s3rec_sparse::{BoundsRule, OperatorKind, PatternPolicy};
    use s3rec_spmm::{Protocol, ReleasePolicy};

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
            social_weight: None,
            regularization: None,
            learning_rate: None,
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
