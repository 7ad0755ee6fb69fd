//! What an opening of friends' sums shows and promises, in words (page `noised_opening`).

use s3rec_sparse::{BoundsRule, PatternPolicy};
use s3rec_spmm::FriendsRelease;
use s3rec_spmm::noise_first::guarantee::{Guarantee, Mu};
use s3rec_spmm::noise_first::{Parameters, Sides};

/// What the rating platform could have learnt: `openings` of 1, over `common_users`.
#[must_use]
pub fn by_rating(
    release: &FriendsRelease,
    (openings, common_users): (u32, u32),
    agreed: Option<&Parameters>,
    rule: Option<BoundsRule>,
) -> Vec<String> {
    let mut statements = vec![format!(
        "Which {common_users} users both platforms have, and how many the social platform has; nothing \
         about any other user. Where the social platform's users are those with a link, being among \
         them shows having one, which no noise covers."
    )];
    statements.extend(rule.map(|rule| super::of_bounds(rule).to_owned()));
    if openings == 0 {
        return statements;
    }
    if let Some(parameters) = agreed {
        let terms = parameters.terms();
        statements.push(format!(
            "For each of {} opened users the sum of {} numbers over their friends among {}, with \
             noise of standard deviation {:.3}. {}",
            terms.opened,
            terms.columns,
            match release.sides {
                Sides::One => format!("the {} others", terms.uploaded),
                Sides::Two => "all common users".to_owned(),
            },
            parameters.sigma(),
            of_sides(release.sides),
        ));
        statements.extend(rule.map(|rule| of_guarantee(parameters, rule)));
    }
    statements
}

/// What the social platform could have learnt.
#[must_use]
pub fn by_social(
    release: &FriendsRelease,
    common_users: u32,
    agreed: Option<&Parameters>,
) -> Vec<String> {
    let mut statements = vec![format!(
        "Which {common_users} users both platforms have, and how many the rating platform has, \
         nothing about any other user."
    )];
    if let (Some(parameters), Sides::One) = (agreed, release.sides) {
        let terms = parameters.terms();
        statements.push(format!(
            "Which {} users are opened: those with fewer than {} ratings and a share of {} of the \
             others, drawn at random. Whoever is not among them has at least {} ratings. Nothing \
             else of the ratings, and nothing of what is summed up.",
            terms.opened, release.few_below, release.calibration_share, release.few_below,
        ));
    }
    statements
}

/// Whose links a release shows.
#[must_use]
pub fn of_sides(sides: Sides) -> &'static str {
    match sides {
        Sides::One => {
            "Links between two opened users, and between two of the others, are in no release as \
             long as the opened users stay the opened ones; what the released links imply about \
             them is not excluded."
        }
        Sides::Two => {
            "Every link is in it: most of what an attacker finds in such a release are links \
             between users with many ratings, and many friends."
        }
    }
}

/// The promise with the job's numbers, or that there is none.
fn of_guarantee(parameters: &Parameters, rule: BoundsRule) -> String {
    match Guarantee::of(parameters, PatternPolicy::Nothing, rule) {
        Ok(guarantee) => in_words(&guarantee, parameters.terms().mu),
        Err(unstated) => format!("No promise is made: {unstated}."),
    }
}

/// Numbers and sentence of a promise.
#[must_use]
pub fn in_words(guarantee: &Guarantee, mu: Mu) -> String {
    format!(
        "μ = {} (zCDP ρ = {}, ε = {} at δ = {}). {} Not covered either: that data changed, and when.",
        guarantee.mu,
        guarantee.rho,
        guarantee.epsilon,
        guarantee.delta,
        mu.statement()
    )
}

/// What a proposal of friends' sums asks for: for whoever consents.
#[must_use]
pub fn of_proposal(release: &FriendsRelease, columns: u32) -> Vec<String> {
    let mut statements = Vec::new();
    statements.push(match release.sides {
        Sides::One => format!(
            "One opening of friends' sums: for at most {} users of the rating platform (those with \
             fewer than {} ratings, and a share of {} of the others, drawn once for good), {columns} \
             numbers each, summed up over their friends among all other common users, with noise. {}",
            release.most_opened,
            release.few_below,
            release.calibration_share,
            of_sides(release.sides),
        ),
        Sides::Two => format!(
            "One opening of friends' sums of every common user: {columns} numbers each, summed up \
             over all of their friends, with noise. {}",
            of_sides(release.sides),
        ),
    });
    statements.extend(release.mu().map(|mu| {
        format!(
            "It spends μ = {} (zCDP ρ = {}). {} Not covered either: that data changed, and when.",
            mu.value(),
            mu.rho(),
            mu.statement()
        )
    }));
    statements.push(format!(
        "This holds while the rating platform keeps every row within norm {} and sends true keys; this \
         platform can see neither. It cannot tell either whether those opened are those the proposal names: their \
         number, and that none leaves the set, is all it checks.",
        release.row_norm_bound
    ));
    statements.push(
        "Import a roster of all your users, not only of those with a link: else being found among \
         the common users shows having a link, which no noise covers."
            .into(),
    );
    statements
}
