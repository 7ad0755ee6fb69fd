//! `s3rec evaluate --task lists`: lists over folds, and for users without ratings with what one
//! noised opening of friends' sums tells, simulated in the clear.

use std::collections::BTreeMap;

use s3rec_data::factors::{FriendsRow, FriendsWriter};
use s3rec_data::{FactorOptions, FactorReport, FactorSet, IdTable, LinkSet, RatingSet};
use s3rec_model::evaluate::{
    ColdSettings, ListsEvaluation, NoiseLevel, Population, ReleaseSize, SimulatedOpening,
    evaluate_lists,
};
use s3rec_model::{
    EvaluationData, ListsModel, ModelError, Preset, Verdict, VerdictSettings, verdict,
};
use s3rec_rating::factors::{OwnRows, WARNING};
use s3rec_sparse::{RatingMatrix, ladder};
use s3rec_spmm::noise_first::guarantee::Mu;
use s3rec_spmm::noise_first::{Sides, Terms, choose};

use super::evaluate::{clear, relevance};
use super::evaluate_lists_text::text;
use super::records::json;
use super::sets::Sets;
use super::verdict_text::verdict_text;
use crate::arguments::{EvaluateArgs, MuChoice};
use crate::failure::Failure;
use crate::output::{Output, note};

/// Evaluates the preset's settings for lists.
pub(super) fn lists(
    arguments: &EvaluateArgs,
    preset: &Preset,
    (sets, data): (&Sets, &EvaluationData<'_>),
    output: Output,
) -> Result<(), Failure> {
    let mut settings = ListsEvaluation {
        lists: preset.lists.clone(),
        seed: arguments.seed,
        cold: arguments.mu.map(|mu| ColdSettings {
            mu: spent(mu).map(Mu::value),
            hide_all: arguments.hide_all,
            ..ColdSettings::default()
        }),
        ..ListsEvaluation::default()
    };
    settings.ranking.relevance = relevance(arguments, settings.ranking.relevance);
    let unrated = unrated(&sets.ratings, &sets.links);
    let friends: Vec<Vec<u32>> = unrated.iter().map(|user| user.friends.clone()).collect();
    let mu = arguments.mu.and_then(spent);
    let noise = |size: &ReleaseSize| mu.map_or(Ok(0.0), |mu| sigma(mu, size));
    let report = evaluate_lists(data, &friends, &settings, &noise, &mut |fold, what| {
        note(&format!(
            "fold {} of {}: {what}",
            fold + 1,
            data.splits.len()
        ));
    })
    .map_err(clear)?;
    let mut document = json(&report)?;
    document["task"] = "lists".into();
    document["data"] = json(&sets.data)?;
    let mut text = text(&report);
    if let Some(cold) = &settings.cold {
        let verdict = opened(
            (arguments, preset),
            (sets, data),
            &unrated,
            (&settings, cold),
            &noise,
        )?;
        document["verdict"] = json(&verdict)?;
        text = format!("{text}\n{}", verdict_text(&verdict));
    }
    output.value(&document, || text)
}

/// One opening of all that is known, and what it was worth; writes what was asked for.
fn opened(
    (arguments, preset): (&EvaluateArgs, &Preset),
    (sets, data): (&Sets, &EvaluationData<'_>),
    unrated: &[Unrated],
    (settings, cold): (&ListsEvaluation, &ColdSettings),
    noise: &NoiseLevel<'_>,
) -> Result<Verdict, Failure> {
    // As the intersection of the platforms' users would be. With a list of users, those without a
    // rating are among them; without one, those with a friend who rates are taken as if they were.
    let further: &[Unrated] = match sets.ratings.report.roster {
        Some(_) => &[],
        None => unrated,
    };
    let (users, links) = (&sets.ratings.users, &sets.links.users);
    let population = Population {
        common: users
            .names()
            .map(|name| links.find(name).is_some())
            .collect(),
        unrated: further.iter().map(|user| user.friends.clone()).collect(),
    };
    let factors = match &arguments.factors {
        Some(file) => {
            let options = FactorOptions {
                ids: arguments.files.id_rule(),
                ..FactorOptions::default()
            };
            let factors = FactorSet::read(file, arguments.item_factors.as_deref(), &options)?;
            factors.check_known(file, users, &sets.ratings.items)?;
            note(&own_factors_text(&factors.report));
            Some(OwnRows::of(factors, &sets.ratings))
        }
        None => None,
    };
    let lists = &settings.lists;
    let learn = |base: &RatingMatrix| match &factors {
        Some(factors) => factors.model(base, lists),
        None => ListsModel::learn(base, lists),
    };
    note("one opening for the verdict");
    let asked = (settings.cold_below, cold);
    let opening = SimulatedOpening::draw(data, &population, asked, &learn, noise, settings.seed);
    let opening = opening.map_err(clear)?;
    let name = |user: u32| {
        let further = (user as usize).checked_sub(users.len());
        match further.and_then(|place| further_name(unrated, place, links)) {
            Some(name) => name,
            None => users.name(user).unwrap_or_default(),
        }
    };
    if let Some(path) = &arguments.calibration_out {
        let ids = opening.sides.calibration.iter();
        let text: String = ids.map(|&user| format!("{}\n", name(user))).collect();
        std::fs::write(path, text).map_err(Failure::at(path))?;
    }
    let asked = VerdictSettings {
        lists: settings.lists.clone(),
        ratings: Some(preset.no_social.clone()),
        cutoff: settings.ranking.cutoff,
        relevance: settings.ranking.relevance,
        few_below: settings.cold_below,
        seed: settings.seed,
        ..VerdictSettings::default()
    };
    let released = opening.opened(data.scale);
    if let Some(path) = &arguments.export_friends {
        let estimates = verdict::estimate(&released, &asked).map_err(clear)?;
        let rows = opening.sides.opened.iter().enumerate();
        let rows: Vec<FriendsRow<'_>> = rows
            .map(|(row, &user)| FriendsRow {
                id: name(user),
                sum: opening.sums.row(row),
                noisy_degree: estimates.degrees[row],
                estimate: estimates.factors.row(row),
                is_used: estimates.gate.is_open,
            })
            .collect();
        let mut writer = FriendsWriter::create(path)?;
        writer.write(&rows)?;
        writer.finish()?;
    }
    let mut verdict = verdict::judge(&released, &asked, &mut |what| note(what)).map_err(clear)?;
    if factors.is_some() {
        verdict.details.warnings.push(WARNING.to_owned());
    }
    Ok(verdict)
}

/// What was brought along, in words.
fn own_factors_text(report: &FactorReport) -> String {
    let items = match report.items {
        0 => "of no items: solved for from the ratings".to_owned(),
        items => format!("of {items} items"),
    };
    format!(
        "factors of {} users, {} of them zero, and {items}; {} values each",
        report.users, report.zero_users, report.width
    )
}

/// The id of a user without ratings who follows those of the data.
fn further_name<'l>(unrated: &[Unrated], place: usize, links: &'l IdTable) -> Option<&'l str> {
    links.name(unrated.get(place)?.user)
}

fn spent(mu: MuChoice) -> Option<Mu> {
    match mu {
        MuChoice::Exact => None,
        MuChoice::Noised(mu) => Some(mu),
    }
}

/// σ of the product `noise-first` for a one-sided release of rows of norm 1, the share of its key
/// switching included.
fn sigma(mu: Mu, size: &ReleaseSize) -> Result<f64, ModelError> {
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let most = ladder(size.most_friends as u64);
    let parameters = choose(Terms {
        sides: Sides::One,
        opened: count(size.opened),
        uploaded: count(size.uploaded),
        columns: count(size.columns),
        row_norm_bound: 1.0,
        // As an operator would state it, who looks at their own data.
        degree_bound: u32::try_from(most).unwrap_or(u32::MAX),
        mu,
    });
    match parameters {
        Ok(parameters) => Ok(parameters.sigma()),
        Err(error) => Err(ModelError::Release(error.to_string())),
    }
}

/// Somebody with links and no rating.
struct Unrated {
    /// Among the users of the links.
    user: u32,
    /// Those of their friends who have ratings, among the users of the ratings.
    friends: Vec<u32>,
}

/// Everybody with links and no rating who has a friend with ratings. Where users are listed, of
/// those who are.
fn unrated(ratings: &RatingSet, links: &LinkSet) -> Vec<Unrated> {
    let known = ratings.report.users;
    let is_rated = |user: &u32| (*user as usize) < known;
    let is_listed =
        |name: &str| ratings.report.roster.is_none() || ratings.users.find(name).is_some();
    let rated: Vec<Option<u32>> = links
        .users
        .names()
        .map(|name| ratings.users.find(name).filter(is_rated))
        .collect();
    let listed: Vec<bool> = links.users.names().map(is_listed).collect();
    let mut friends: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    let both = links.links.iter().flat_map(|&(a, b)| [(a, b), (b, a)]);
    for (user, friend) in both {
        let ends = (rated[user as usize], rated[friend as usize]);
        if let ((None, Some(friend)), true) = (ends, listed[user as usize]) {
            friends.entry(user).or_default().push(friend);
        }
    }
    let friends = friends.into_iter();
    friends
        .map(|(user, mut friends)| {
            friends.sort_unstable();
            friends.dedup();
            Unrated { user, friends }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use s3rec_data::{LinkOptions, RatingOptions, Roster, RosterOptions};
    use std::path::Path;

    #[test]
    fn noise_is_what_the_product_adds() {
        let size = ReleaseSize {
            opened: 200,
            uploaded: 500,
            columns: 8,
            most_friends: 60,
        };
        for mu in [0.5, 1.0, 2.0] {
            let found = sigma(Mu::new(mu).unwrap(), &size).unwrap();
            assert!(found > 1.0 / mu && found < 1.03 / mu, "{mu}: {found}");
        }
        let tight = ReleaseSize {
            most_friends: usize::MAX,
            ..size
        };
        let refused = sigma(Mu::ONE, &tight);
        assert!(matches!(refused, Err(ModelError::Release(_))));
    }

    #[test]
    fn users_without_ratings_are_known_by_their_friends() {
        let ratings = "a\ti\t1\nb\ti\t2\nc\tj\t3\n";
        let links = "x\ta\nb\tx\na\tx\nx\ty\nz\tx\na\tb\nz\tc\n";
        let name = Path::new("file.tsv");
        let ratings =
            RatingSet::read_from(name, ratings.as_bytes(), &RatingOptions::default()).unwrap();
        let links = LinkSet::read_from(name, links.as_bytes(), &LinkOptions::default()).unwrap();
        let known = ratings.users.clone();
        let id = |name: &str| known.find(name).unwrap();
        let friends = |ratings: &RatingSet| -> Vec<Vec<u32>> {
            let found = unrated(ratings, &links).into_iter();
            found.map(|user| user.friends).collect()
        };
        assert_eq!(friends(&ratings), [vec![id("a"), id("b")], vec![id("c")]]);
        let roster = Roster::read_from(name, &b"z\nq\n"[..], &RosterOptions::default()).unwrap();
        let ratings = ratings.with_roster(roster);
        assert_eq!(friends(&ratings), [vec![id("c")]]);
    }
}
