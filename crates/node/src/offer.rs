//! Which proposals this version takes. Both platforms ask here, so that what one of them
//! proposes the other does not refuse.

use s3rec_job::Proposal;
use s3rec_spmm::{OperatorKind, PatternPolicy, Protocol, ReleasePolicy};
use s3rec_wire::status::{Fault, Reason};

/// Protocols of this version.
pub const PROTOCOLS: [Protocol; 5] = [
    Protocol::Preprocessed,
    Protocol::He,
    Protocol::PreprocessedPir,
    Protocol::HePir,
    Protocol::NoiseFirst,
];

/// The δ of (ε, δ) statements. With a larger one a mechanism that shows everything of one user
/// in a thousand would keep the statement; a smaller one is beyond what ε is computed to.
pub const DELTAS: std::ops::RangeInclusive<f64> = 1e-12..=1e-3;

/// Refuses what this version does not do, before anybody is asked.
///
/// # Errors
/// [`Reason::Unsupported`] with the field, and what goes instead.
pub fn check(proposal: &Proposal) -> Result<(), Fault> {
    let refuse = |field: &str, message: String, remedy: &str| {
        let fault = Fault::new(Reason::Unsupported, message).at("field", field);
        Err(fault.remedied_by(remedy))
    };
    let protocol = proposal.protocol;
    if !PROTOCOLS.contains(&protocol) {
        let message = format!("the protocol {} is not offered", protocol.name());
        return refuse("protocol", message, "Choose preprocessed or he.");
    }
    let of_friends = [
        ("protocol", protocol == Protocol::NoiseFirst),
        ("operator", proposal.operator == OperatorKind::Friends),
        (
            "release_policy",
            matches!(proposal.release, ReleasePolicy::Friends(_)),
        ),
    ];
    if of_friends.iter().any(|(_, is_of_friends)| *is_of_friends) {
        return friends(proposal, of_friends);
    }
    if proposal.terms.factors_commitment.is_some() {
        let message = "factors brought along take the place of the model of friends' sums alone";
        let remedy = "Choose the operator friends, or leave the factors out.";
        return refuse("factors", message.into(), remedy);
    }
    if protocol.fetches_privately() && proposal.operator.is_symmetric() {
        let message = format!(
            "the protocol {} does not go with the operator {}, whose rows tell its columns",
            protocol.name(),
            proposal.operator.name()
        );
        let remedy = "Choose the operator out-average; or preprocessed or he with the pattern \
                      policy active-rows, which trims the upload to users with a link.";
        return refuse("protocol", message, remedy);
    }
    if protocol.fetches_privately() && proposal.pattern == PatternPolicy::ActiveRowsAndColumns {
        let message = format!(
            "the protocol {} hides what the pattern policy active-rows-and-columns shows",
            protocol.name()
        );
        let remedy = "Choose the pattern policy active-rows; or preprocessed or he, which send \
                      the rows of linked-to users only.";
        return refuse("pattern_policy", message, remedy);
    }
    if let ReleasePolicy::Noised { .. } = proposal.release
        && proposal.pattern != PatternPolicy::Nothing
    {
        let message = "the release policy noised does not go with a pattern policy that shows who has \
                       a link: no noise covers that";
        let remedy = "Choose the pattern policy nothing.";
        return refuse("pattern_policy", message.into(), remedy);
    }
    match proposal.release {
        // Checked above.
        ReleasePolicy::Exact | ReleasePolicy::Friends(_) => Ok(()),
        ReleasePolicy::Coarse { .. } if !protocol.is_preprocessed() => {
            let message = format!(
                "the release policy coarse does not go with the protocol {}, whose answers are ciphertexts",
                protocol.name()
            );
            let remedy = "Choose the protocol preprocessed, or release exactly.";
            refuse("release_policy", message, remedy)
        }
        ReleasePolicy::Coarse { .. } => Ok(()),
        // The wish of who proposes, for statements only: limits are kept at a δ of P1's own.
        ReleasePolicy::Noised { delta, .. } if !DELTAS.contains(&delta) => {
            let message = format!(
                "δ is {delta}; a statement needs one from {:e} to {:e}",
                DELTAS.start(),
                DELTAS.end()
            );
            let remedy = "Choose a small δ, for example 1e-6.";
            refuse("release_policy.delta", message, remedy)
        }
        ReleasePolicy::Noised { .. } => Ok(()),
    }
}

/// An opening of friends' sums is protocol, operator and release together, once, beside nothing
/// that shows links without noise.
fn friends(proposal: &Proposal, parts: [(&str, bool); 3]) -> Result<(), Fault> {
    let refuse = |field: &str, message: &str, remedy: &str| {
        let fault = Fault::new(Reason::Unsupported, message).at("field", field);
        Err(fault.remedied_by(remedy))
    };
    if let Some((field, _)) = parts.iter().find(|(_, is_of_friends)| !is_of_friends) {
        let message = "the protocol noise-first, the operator friends and the release friends go \
                       with each other alone";
        let remedy = "Choose all three of them, or none.";
        return refuse(field, message, remedy);
    }
    if proposal.pattern != PatternPolicy::Nothing {
        let message = "an opening of friends' sums does not go with a pattern policy that shows who \
                       has a link: no noise covers that";
        return refuse(
            "pattern_policy",
            message,
            "Choose the pattern policy nothing.",
        );
    }
    let weights = [
        ("model.social_weight", proposal.social_weight.unwrap_or(0.0)),
        ("model.social_bias_weight", proposal.social_bias_weight),
    ];
    if let Some((field, _)) = weights.iter().find(|(_, weight)| *weight != 0.0) {
        let message = "no training has a term for friends' sums";
        return refuse(
            field,
            message,
            "Leave it out: the estimate follows the opening.",
        );
    }
    if proposal.rounds != 1 {
        let message = "a job makes one opening of friends' sums";
        return refuse(
            "model.rounds",
            message,
            "Ask for one round, or leave it open.",
        );
    }
    if proposal.rank > MOST_FRIENDS_COLUMNS {
        let message = "an opening of friends' sums has so many columns at most: 384";
        return refuse(
            "model.rank",
            message,
            "Ask for fewer; 8 carry most there is.",
        );
    }
    let release = proposal.release.validate(0);
    if let Err(error) = release {
        return refuse(
            "release_policy.friends",
            &error.to_string(),
            "Ask for a release within the bound that is named.",
        );
    }
    let users = proposal.terms.most_common_users;
    match proposal.release {
        ReleasePolicy::Friends(release) if release.most_opened > users => refuse(
            "release_policy.friends.most_opened",
            "more users would be opened than the rating platform has",
            "Ask for at most all of them.",
        ),
        _ => Ok(()),
    }
}

/// C, at most.
const MOST_FRIENDS_COLUMNS: u32 = 384;

#[cfg(test)]
mod tests {
    use super::*;
    use s3rec_job::{JobId, Terms};
    use s3rec_model::SolverKind;

    fn proposal(protocol: Protocol, operator: OperatorKind, release: ReleasePolicy) -> Proposal {
        Proposal {
            job: JobId::random(),
            purpose: String::new(),
            rank: 10,
            solver: SolverKind::Als,
            operator,
            rounds: 5,
            social_weight: None,
            regularization: None,
            learning_rate: None,
            social_bias_weight: 0.0,
            protocol,
            pattern: PatternPolicy::Nothing,
            release,
            saturation_bound: 8.0,
            guard_bits: 2,
            id_rule: "nfc-trim".into(),
            terms: Terms::default(),
        }
    }

    #[test]
    fn combinations_that_mean_nothing_are_refused_with_what_goes_instead() {
        use OperatorKind::{Laplacian, NormalizedLaplacian, OutAverage};
        use Protocol::{He, HePir, Preprocessed, PreprocessedPir};
        let coarse = ReleasePolicy::Coarse { released_bits: 16 };
        let noised = ReleasePolicy::Noised {
            sigma: 4.0,
            row_norm_beta: 1.0,
            delta: 1e-6,
        };
        let at = |delta| ReleasePolicy::Noised {
            sigma: 4.0,
            row_norm_beta: 1.0,
            delta,
        };
        for (protocol, operator, release) in [
            (Preprocessed, NormalizedLaplacian, coarse),
            (Preprocessed, Laplacian, noised),
            (Preprocessed, NormalizedLaplacian, noised),
            (He, OutAverage, noised),
            (He, NormalizedLaplacian, ReleasePolicy::Exact),
            (HePir, OutAverage, ReleasePolicy::Exact),
            (PreprocessedPir, OutAverage, coarse),
        ] {
            check(&proposal(protocol, operator, release)).unwrap();
        }
        for (protocol, operator, release, named) in [
            (HePir, Laplacian, ReleasePolicy::Exact, "he-pir"),
            (
                PreprocessedPir,
                NormalizedLaplacian,
                noised,
                "tell its columns",
            ),
            (HePir, OutAverage, coarse, "coarse"),
            (He, Laplacian, coarse, "coarse"),
            (Preprocessed, Laplacian, at(1.0), "δ is 1;"),
            (Preprocessed, Laplacian, at(0.999_999), "δ is 0.999999"),
            (Preprocessed, Laplacian, at(1.1e-3), "δ is 0.0011"),
            (Preprocessed, Laplacian, at(0.9e-12), "from 1e-12 to 1e-3"),
        ] {
            let fault = check(&proposal(protocol, operator, release)).unwrap_err();
            assert_eq!(fault.reason, Reason::Unsupported);
            assert!(fault.message.contains(named), "{fault:?}");
            assert!(fault.advice().contains("Choose"), "{fault:?}");
        }
        for pattern in [
            PatternPolicy::ActiveRows,
            PatternPolicy::ActiveRowsAndColumns,
        ] {
            let exact_list = Proposal {
                pattern,
                ..proposal(Preprocessed, Laplacian, noised)
            };
            let fault = check(&exact_list).unwrap_err();
            assert_eq!(fault.metadata["field"], "pattern_policy", "{fault:?}");
            assert!(fault.message.contains("no noise covers"), "{fault:?}");
        }
        let trimmed = Proposal {
            pattern: PatternPolicy::ActiveRowsAndColumns,
            ..proposal(PreprocessedPir, OutAverage, ReleasePolicy::Exact)
        };
        let fault = check(&trimmed).unwrap_err();
        assert!(fault.advice().contains("active-rows;"), "{fault:?}");
    }
}
