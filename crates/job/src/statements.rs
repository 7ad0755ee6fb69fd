//! What each platform could have learnt from a job, in words (protocol page, section 4). Both
//! platforms show both, in the same words.

use s3rec_sparse::{BoundsRule, OperatorKind, PatternPolicy};
use s3rec_spmm::{Protocol, ReleasePolicy, release};

use crate::Proposal;
use crate::counting::{Account, mu_of};
use crate::number_format::of;

mod consent;
pub mod friends;

pub use consent::of_consent;

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
                 {columns} of them ({} of FilmTrust's links from one such opening).",
                measured_share(proposal.operator, columns)
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

/// What matching and peeling found of FilmTrust's links, none of them wrongly, in one exact
/// opening of that operator with about so many columns (page [`leakage`](crate::manual::leakage)).
#[must_use]
pub fn measured_share(operator: OperatorKind, columns: u32) -> &'static str {
    // What one column more or less changes is within a unit; measured at 4, 10 and 20.
    match (operator, columns) {
        (OperatorKind::Laplacian, _) => "61 %",
        (OperatorKind::NormalizedLaplacian, ..7) => "50 %",
        (OperatorKind::NormalizedLaplacian, ..15) => "53 %",
        (OperatorKind::NormalizedLaplacian, _) => "56 %",
        (OperatorKind::OutAverage, ..7) => "43 %",
        (OperatorKind::OutAverage, _) => "44 %",
        // Two-sided; with 8 columns.
        (OperatorKind::Friends, _) => "77 %",
    }
}

/// What one exact opening gives away, before anybody consents to it.
#[must_use]
pub fn of_exact(operator: OperatorKind, columns: u32) -> String {
    format!(
        "An exact opening shows the rating platform the links of every user who has up to about \
         {columns} of them, and of others where it searches longer. Measured on FilmTrust, {operator} with \
         about {columns} columns: one exact opening is enough to find {} of all links without an \
         error, within seconds; 94 % when the rating platform chooses its factors for the purpose, \
         which this platform cannot see. What holds for your own links: s3rec social leakage --links \
         FILE --rank {columns} --mu exact.",
        measured_share(operator, columns)
    )
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
            "{} in {}: {}, {}.",
            of(openings, "opening"),
            of(counters.jobs.into(), "job"),
            of(counters.opened_columns, "column"),
            of(counters.opened_values, "value"),
        ),
    }];
    if let Some(shown) = account.shown.filter(|shown| shown.intersections > 0) {
        statements.push(format!(
            "{}, to which the rating platform brought {} in all, each time \
             learning which of them this platform has.",
            of(shown.intersections.into(), "set intersection"),
            of(shown.ids_asked, "id"),
        ));
        if shown.bounds > 0 {
            statements.push(format!(
                "Bounds of the operator in {}; {} shown by pattern policies.",
                of(shown.bounds.into(), "answer"),
                of(shown.pattern_rows, "user"),
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
        match mu_of(counters.nano_rho) {
            // It would be false, or is not known to be true.
            Some(mu) if !account.is_promised => statements.push(format!(
                "All noised openings together: √Σμ² = {:.3}. Of this data as a whole nothing is \
                 promised: not all that left of it is friends' sums under stated bounds.",
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
            "{} answered: beyond the opened values, what the rating platform saw is within \
             {} · 2^-40 of what it could have made up itself; of friends' sums as far as the lattice \
             problems hold that they rest on.",
            of(counters.stocks.into(), "upload"),
            counters.stocks
        ));
    }
    statements
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counting::tests::{NOISED, proposal};
    use crate::{Counters, Shown};

    /// Each thing that is shown has its sentence, and nothing else has.
    #[test]
    fn what_the_rating_platform_could_learn_is_said_thing_by_thing() {
        let exact = proposal(ReleasePolicy::Exact);
        let said = |proposal: &Proposal, openings, rule| {
            by_rating(proposal, openings, 123, Some(24), rule).join("\n")
        };
        let before = said(&exact, 0, None);
        assert!(before.contains("Which 123 users"), "{before}");
        for absent in ["product", "Bounds", "Pattern", "fetched", "ε"] {
            assert!(!before.contains(absent), "{absent}: {before}");
        }
        let opened = said(&exact, 3, None);
        assert!(opened.contains("exact product") && opened.contains("3 × 11 columns"));
        let coarse = proposal(ReleasePolicy::Coarse { released_bits: 8 });
        assert!(said(&coarse, 3, None).contains("rounding protects nothing"));
        let noised = said(&proposal(NOISED), 4, None);
        assert!(
            noised.contains("The noised product with 4 × 11 columns."),
            "{noised}"
        );
        // ρ of one opening is (2√2)² / (2 · 4²) = 1/4.
        assert!(
            noised.contains("4 openings together") && noised.contains("ρ = 1.0000"),
            "{noised}"
        );
        assert!(!said(&proposal(NOISED), 0, None).contains("noised product"));

        assert!(
            said(&exact, 0, Some(BoundsRule::Stated)).contains("nothing of the links themselves")
        );
        assert!(said(&exact, 0, Some(BoundsRule::Ladder)).contains("whether they are linked"));
        for (pattern, words) in [
            (PatternPolicy::ActiveRows, "policy active-rows:"),
            (
                PatternPolicy::ActiveRowsAndColumns,
                "policy active-rows-and-columns:",
            ),
        ] {
            let shown = Proposal {
                pattern,
                ..exact.clone()
            };
            assert!(said(&shown, 0, None).contains(words), "{words}");
        }
        for (protocol, is_said) in [
            (Protocol::HePir, true),
            (Protocol::PreprocessedPir, true),
            (Protocol::He, false),
            (Protocol::Preprocessed, false),
        ] {
            let fetching = Proposal {
                protocol,
                ..exact.clone()
            };
            assert_eq!(
                said(&fetching, 0, None).contains("fetched privately"),
                is_said
            );
        }
    }

    #[test]
    fn what_the_social_platform_could_learn_is_said() {
        let said = by_social(&proposal(ReleasePolicy::Exact), 7, 123);
        assert_eq!(said.len(), 1);
        for words in [
            "Which 123 users",
            "rank 10",
            "7 rounds",
            "Nothing of the ratings",
        ] {
            assert!(said[0].contains(words), "{words}: {}", said[0]);
        }
    }

    /// Without a bound that is agreed on, an operator that needs one is told of for two.
    #[test]
    fn noise_is_told_of_under_the_bound_that_it_depends_on() {
        let normalized = Proposal {
            operator: OperatorKind::NormalizedLaplacian,
            ..proposal(NOISED)
        };
        let open = of_noise(&normalized, 4, None).unwrap();
        assert!(
            open.contains("is 6144") && open.contains("where it is 32768"),
            "{open}"
        );
        let agreed = of_noise(&normalized, 4, Some(6144)).unwrap();
        assert!(!agreed.contains("32768"), "{agreed}");
        assert_eq!(open.matches("ε = ").count(), 2);
        assert_eq!(agreed.matches("ε = ").count(), 1);
        assert_eq!(of_noise(&proposal(ReleasePolicy::Exact), 4, None), None);
    }

    #[test]
    fn an_account_is_told_number_by_number() {
        let nothing = in_all(&Account::default());
        assert_eq!(nothing, ["Nothing of this data was opened so far."]);
        let mut account = Account {
            counters: Counters {
                jobs: 2,
                openings: 6,
                opened_columns: 66,
                opened_values: 3300,
                ..Counters::default()
            },
            shown: Some(Shown::default()),
            ..Account::default()
        };
        let opened = in_all(&account);
        assert_eq!(opened, ["6 openings in 2 jobs: 66 columns, 3,300 values."]);
        account.shown = Some(Shown {
            intersections: 3,
            ids_asked: 120,
            ..Shown::default()
        });
        assert_eq!(in_all(&account).len(), 2);
        assert!(
            in_all(&account)[1].starts_with("3 set intersections")
                && in_all(&account)[1].contains("120 ids")
        );
        account.shown = Some(Shown {
            intersections: 3,
            ids_asked: 120,
            bounds: 4,
            pattern_rows: 50,
            commitments: 4,
        });
        assert!(in_all(&account)[2].contains("4 answers; 50 users"));
        account.counters.exact_values = 1100;
        account.counters.nano_rho = 1_500_000_000;
        account.counters.stocks = 2;
        account.epsilon = 9.25;
        account.delta = 1e-6;
        let all = in_all(&account);
        assert_eq!(all.len(), 7, "{all:#?}");
        assert!(all[3].starts_with("1100 of the values without noise"));
        assert!(all[4].contains("ρ = 1.5000, ε = 9.25"));
        assert!(all[5].contains("√Σμ² = 1.732. Of this data as a whole nothing is promised"));
        assert!(all[6].starts_with("2 uploads answered"));
    }
    /// The promise is said of a whole account of friends' sums under stated bounds alone.
    #[test]
    fn the_promise_of_all_together_is_said_where_it_holds() {
        use crate::JobDisclosure;
        use crate::counting::account;
        use s3rec_sparse::{PublicBounds, StatedBounds};
        use s3rec_spmm::FriendsRelease;
        use s3rec_spmm::noise_first::Sides;

        let friends = ReleasePolicy::Friends(FriendsRelease {
            mu: 1.0,
            sides: Sides::One,
            few_below: 5,
            calibration_share: 0.2,
            most_opened: 100,
            row_norm_bound: 1.0,
        });
        let stated = StatedBounds {
            degree: 8,
            links: 40,
        };
        let job = |release, rule, pattern, openings: u32| JobDisclosure {
            openings,
            release: Some(release),
            pattern: Some(pattern),
            common_users: 40,
            bounds: Some(PublicBounds { stated, rule }),
            counters: Counters {
                jobs: 1,
                openings: openings.into(),
                nano_rho: 500_000_000 * u64::from(openings),
                ..Counters::default()
            },
            delta: 1e-6,
            ..JobDisclosure::default()
        };
        let (nothing, rule) = (PatternPolicy::Nothing, BoundsRule::Stated);
        let good = job(friends, rule, nothing, 1);
        let says = |jobs: &[JobDisclosure], missing: Counters| {
            let said = account(&[1; 16], jobs, missing).statements.join("\n");
            assert_ne!(
                said.contains("Φ(Φ⁻¹(c)"),
                said.contains("as a whole nothing is promised"),
                "{said}"
            );
            said.contains("Φ(Φ⁻¹(c)")
        };
        let none = Counters::default();
        assert!(says(&[good.clone(), good.clone()], none));
        // P0 keeps no count of what was shown; it says nothing else.
        let before = JobDisclosure {
            shown: Some(Shown::default()),
            bounds: None,
            ..job(NOISED, rule, nothing, 0)
        };
        assert!(says(&[good.clone(), before], none));
        for bad in [
            job(NOISED, rule, nothing, 1),
            job(friends, BoundsRule::Ladder, nothing, 1),
            // Before any opening.
            job(NOISED, BoundsRule::Ladder, nothing, 0),
            job(NOISED, rule, PatternPolicy::ActiveRows, 0),
            JobDisclosure {
                bounds: None,
                ..good.clone()
            },
        ] {
            assert!(!says(&[good.clone(), bad.clone()], none), "{bad:?}");
        }
        let missing = Counters {
            nano_rho: 1,
            ..none
        };
        assert!(!says(&[good], missing));
    }
}
