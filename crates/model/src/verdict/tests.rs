use super::nested::{GROUPS, Nested, Served, WARM};
use super::planted::*;
use super::*;
use crate::evaluate::rewired_block;
use crate::friends::{COLUMNS, PredictedBase};
use s3rec_sparse::Rating;
use std::collections::BTreeMap;

#[test]
fn friends_who_share_a_taste_are_worth_it() {
    let planted = planted(900);
    let sums = planted.sums(&planted.block, 1.0, 1);
    let opened = planted.opened(&sums, 1.0);
    let mut said = Vec::new();
    let found = judge(&opened, &settings(), &mut |what| said.push(what.to_owned())).unwrap();
    assert!(found.worth_it, "{}", found.sentence);
    let (low, high) = (found.low.unwrap(), found.high.unwrap());
    let gain = found.with.unwrap() - found.without.unwrap();
    assert!(
        0.0 < low && low < gain && gain < high,
        "{low} {gain} {high}"
    );
    assert!(
        found
            .sentence
            .starts_with("worth it for users with fewer than 5 ratings: NDCG@10 0.")
    );
    assert!(said.iter().any(|what| what.contains("lists, part 5 of 5")));
    assert!(
        said.iter()
            .any(|what| what.contains("ratings, part 1 of 5"))
    );

    let details = &found.details;
    let truly_few = (0..900).filter(|user| planted.ratings.by_user(*user).0.len() < 5);
    assert_eq!(details.few, truly_few.count());
    assert_eq!(details.calibration, planted.sides.calibration.len());
    for task in [&details.lists, &details.ratings] {
        let task = task.as_ref().unwrap();
        let names: Vec<&str> = task.groups.iter().map(|g| g.group.as_str()).collect();
        assert_eq!(names, ["cold", "k1", "k2", "k3", "k4", "warm"]);
        assert!(task.few.unwrap().worth_it, "{task:?}");
        let cold = &task.groups[0];
        assert!(cold.plain.worth_it && cold.used == 1.0);
        // Who has twelve ratings needs no friends; who has one gains less than who has none.
        let gain = |g: &GroupVerdict| (g.plain.with - g.plain.without).abs();
        assert!(gain(&task.groups[WARM]) < gain(cold) / 4.0, "{task:?}");
        let shares: f64 = cold.strata.iter().map(|s| s.share).sum();
        assert!((shares - 1.0).abs() < 1e-9, "{:?}", cold.strata);
    }
    // Whoever has no friends, as far as P0 can tell, gains little.
    let strata = &details.lists.as_ref().unwrap().groups[0].strata;
    let gains: Vec<f64> = strata
        .iter()
        .map(|s| s.figures.with - s.figures.without)
        .collect();
    assert!(
        strata.len() > 2 && gains[0] < gains[gains.len() - 1] / 2.0,
        "{gains:?}"
    );

    // The same again, and learnt here instead of taken over: the same verdict.
    let again = Opened {
        model: None,
        ..opened
    };
    assert_eq!(judge(&again, &settings(), &mut |_| ()).unwrap(), found);
    let json = serde_json::to_value(&found).unwrap();
    for key in [
        "task", "group", "without", "with", "low", "high", "worth_it",
    ] {
        assert!(!json[key].is_null(), "{key}: {json}");
    }
    assert_eq!(json["task"], "lists");
    assert_eq!(serde_json::from_value::<Verdict>(json).unwrap(), found);

    // Asked about ratings, the headline is about those.
    let asked = VerdictSettings {
        task: VerdictTask::Ratings,
        ..settings()
    };
    let ratings = judge(&opened, &asked, &mut |_| ()).unwrap();
    assert!(ratings.worth_it && ratings.sentence.contains("RMSE"));
    assert!(ratings.with < ratings.without && ratings.low > Some(0.0));
}

#[test]
fn rewired_links_are_worth_nothing() {
    let planted = planted(900);
    let (mut said_lists, mut said_ratings) = (0, 0);
    let seeds = 40;
    for seed in 0..seeds {
        let block = rewired_block(&planted.block, seed);
        let sums = planted.sums(&block, 1.0, seed);
        let settings = VerdictSettings { seed, ..settings() };
        let found = judge(&planted.opened(&sums, 1.0), &settings, &mut |_| ()).unwrap();
        said_lists += u32::from(found.worth_it);
        assert_eq!(found.sentence.starts_with("worth it"), found.worth_it);
        let ratings = found.details.ratings.unwrap().few.unwrap();
        said_ratings += u32::from(ratings.worth_it);
    }
    let most = u32::try_from(seeds).unwrap() / 20;
    assert!(said_lists <= most, "{said_lists} of {seeds}");
    assert!(said_ratings <= most, "{said_ratings} of {seeds}");
}

/// Lists or predictions of users in a group, by user.
fn shown<T: Clone>(served: &[Served<T>], group: usize) -> BTreeMap<u32, (Vec<T>, Vec<T>)> {
    let inside = served.iter().filter(|s| s.group == group);
    inside
        .map(|s| (s.user, (s.without.clone(), s.with.clone())))
        .collect()
}

#[test]
fn nobody_is_judged_by_what_was_learnt_from_them() {
    let planted = planted(600);
    let sums = planted.sums(&planted.block, 0.5, 1);
    let settings = settings();
    let served = |ratings: &RatingMatrix, part: usize| {
        let opened = Opened {
            ratings,
            ..planted.opened(&sums, 0.5)
        };
        let base = opened.base();
        let degrees = vec![0.0; planted.sides.opened.len()];
        let nested = Nested {
            opened: &opened,
            settings: &settings,
            base: &base,
            relevant_from: settings.relevance.from(&Unit::of(&base)),
            parts: parts(&opened, settings.seed),
            degrees: &degrees,
        };
        let solver = settings.ratings.as_ref().unwrap();
        let explicit = PredictedBase::learn(&base, (1.0, 5.0), solver).unwrap();
        let model = ListsModel::learn(&base, &settings.lists).unwrap();
        let lists = nested.lists_of(&model, part).unwrap();
        (lists, nested.ratings_of(&explicit, part), nested.parts)
    };
    let part = 2;
    let (lists, ratings, parts) = served(&planted.ratings, part);
    let is_in = |user: u32| parts.binary_search(&(user, part)).is_ok();

    // Everything that the part's users rated is something else now, but how much they rated.
    let turned: Vec<Rating> = planted
        .ratings
        .iter()
        .map(|rating| match is_in(rating.user) {
            true => Rating {
                item: (rating.item + 40) % 120,
                value: 6.0 - rating.value,
                ..rating
            },
            false => rating,
        })
        .collect();
    let turned = RatingMatrix::from_ratings(600, ITEMS, &turned).unwrap();
    let (other_lists, other_ratings, _) = served(&turned, part);
    let both = (shown(&lists, 0), shown(&other_lists, 0));
    let mut seen = 0;
    for (user, list) in &both.0 {
        if let Some(other) = both.1.get(user) {
            assert_eq!(list, other, "user {user}");
            seen += 1;
        }
    }
    assert!(seen >= 10, "{seen}");
    // What is predicted without ratings of one's own depends on the items alone.
    let rows = |served: &[Served<f64>]| -> BTreeMap<(u32, u32), (u64, u64)> {
        let cold = served.iter().filter(|s| s.group == 0);
        cold.flat_map(|s| {
            let both = s.without.iter().zip(&s.with);
            let items = s.hidden.iter().zip(both);
            items.map(move |((item, _), (a, b))| ((s.user, *item), (a.to_bits(), b.to_bits())))
        })
        .collect()
    };
    let (before, after) = (rows(&ratings), rows(&other_ratings));
    let same = before
        .iter()
        .filter_map(|(key, a)| Some((a, after.get(key)?)));
    assert!(same.clone().count() > 0 && same.clone().all(|(a, b)| a == b));

    // With other values of what is hidden, lists and predictions from what is kept stay.
    for group in 1..GROUPS {
        let kept: BTreeMap<u32, Vec<u32>> = ratings
            .iter()
            .filter(|s| s.group == group)
            .map(|s| (s.user, s.hidden.iter().map(|(item, _)| *item).collect()))
            .collect();
        let hides = |r: &Rating| kept.get(&r.user).is_some_and(|of| of.contains(&r.item));
        let turned: Vec<Rating> = planted
            .ratings
            .iter()
            .map(|r| match hides(&r) {
                true => Rating {
                    value: 6.0 - r.value,
                    ..r
                },
                false => r,
            })
            .collect();
        let turned = RatingMatrix::from_ratings(600, ITEMS, &turned).unwrap();
        let (other_lists, other_ratings, _) = served(&turned, part);
        assert_eq!(
            shown(&ratings, group),
            shown(&other_ratings, group),
            "{group}"
        );
        let (before, after) = (shown(&lists, group), shown(&other_lists, group));
        let same = before
            .iter()
            .filter_map(|(user, a)| Some((a, after.get(user)?)));
        assert!(
            same.clone().count() > 0 && same.clone().all(|(a, b)| a == b),
            "{group}"
        );
    }

    // And others are served by what these taught.
    let (_, before, _) = served(&planted.ratings, 0);
    let (_, after, _) = served(&turned, 0);
    assert_ne!(shown(&before, 0), shown(&after, 0));
}

#[test]
fn what_friends_say_is_estimated_for_everybody_who_is_opened() {
    let planted = planted(600);
    let sums = planted.sums(&planted.block, 0.5, 1);
    let found = estimate(&planted.opened(&sums, 0.5), &settings()).unwrap();
    assert!(found.gate.is_open, "{:?}", found.gate);
    let (rows, opened) = (found.factors.rows(), &planted.sides.opened);
    assert_eq!((rows, found.degrees.len()), (opened.len(), opened.len()));
    // Whoever has friends is estimated to like their own taste's items best.
    let (mut right, mut all) = (0, 0);
    for (row, user) in opened.iter().enumerate() {
        if found.degrees[row] < 3.0 {
            continue;
        }
        let liking = |taste: usize| -> f64 {
            let items = taste * 20..taste * 20 + 20;
            let scores = items.map(|item| {
                let pairs = found
                    .factors
                    .row(row)
                    .iter()
                    .zip(planted.model.items().row(item));
                pairs.map(|(u, v)| u * v).sum::<f64>()
            });
            scores.sum()
        };
        let own = liking(*user as usize % TASTES);
        right += u32::from((0..TASTES).all(|taste| liking(taste) <= own));
        all += 1;
    }
    assert!(all > 50 && right * 4 > all * 3, "{right} of {all}");
}

/// The weights bring the figures of users who were sampled to those of users who truly have no
/// ratings and fewer friends, whose likings this test alone knows.
#[test]
fn weighted_figures_are_near_those_of_the_truly_cold() {
    let planted = planted_with(3000, (4, 12));
    let sums = planted.sums(&planted.block, 1.0, 1);
    let opened = planted.opened(&sums, 1.0);
    let settings = VerdictSettings {
        ratings: None,
        ..settings()
    };
    let found = judge(&opened, &settings, &mut |_| ()).unwrap();
    let cold = &found.details.lists.as_ref().unwrap().groups[0];
    let reweighted = cold.reweighted.unwrap();

    let base = opened.base();
    let judging = Judging {
        cutoff: 10,
        relevance: Relevance::AtLeast(4.0),
        users: 1000,
    };
    let (ratings, sides) = (opened.ratings, opened.sides);
    let common = opened.is_common();
    let calibration = Calibration::new(&planted.model, &base, ratings, sides, &common, judging);
    let estimate = FriendsEstimate::fit(&calibration, &sums, 1.0);
    let (mut gain, mut all) = (0.0, 0.0);
    for (row, user) in sides.opened.iter().enumerate() {
        let user = *user as usize;
        if ratings.by_user(user).0.is_empty() && !planted.liked[user].is_empty() {
            let judge = |list: &[u32]| crate::evaluate::ndcg(list, &planted.liked[user]);
            gain +=
                judge(&estimate.list(&calibration, row, &[])) - judge(&calibration.popular(&[]));
            all += 1.0;
        }
    }
    let truly = gain / all;
    let gains = |figures: &Weighted| figures.with - figures.without;
    let (plain, weighted) = (gains(&cold.plain), gains(&reweighted));
    assert!(all > 200.0 && truly > 0.0, "{truly} of {all}");
    assert!(
        (weighted - truly).abs() < 0.5 * (plain - truly).abs(),
        "truly {truly:.4}, weighted {weighted:.4}, as sampled {plain:.4}"
    );
}

#[test]
fn with_too_few_nothing_is_told() {
    let planted = planted(900);
    let few = OpenedSides {
        calibration: planted.sides.calibration[..FEWEST - 1].to_vec(),
        ..planted.sides.clone()
    };
    let sums = planted.sums(&planted.block, 1.0, 1);
    let opened = Opened {
        sides: &few,
        ..planted.opened(&sums, 1.0)
    };
    let found = judge(&opened, &settings(), &mut |_| ()).unwrap();
    assert!(!found.worth_it && found.with.is_none() && found.low.is_none());
    assert!(
        found.sentence.contains("39 calibration users"),
        "{}",
        found.sentence
    );
    let reversed = OpenedSides {
        opened: planted.sides.opened.iter().rev().copied().collect(),
        ..planted.sides.clone()
    };
    let opened = Opened {
        sides: &reversed,
        ..planted.opened(&sums, 1.0)
    };
    let refused = judge(&opened, &settings(), &mut |_| ());
    assert!(matches!(refused, Err(ModelError::Release(_))));
    // Where hardly anybody has few ratings, it is about users as if they had none.
    let many = OpenedSides {
        opened: planted.sides.calibration.clone(),
        ..planted.sides.clone()
    };
    let places = planted.sides.calibration_places();
    let mut theirs = RealMatrix::zeros(places.len(), COLUMNS);
    for (row, place) in places.into_iter().enumerate() {
        theirs.row_mut(row).copy_from_slice(sums.row(place));
    }
    let opened = Opened {
        sides: &many,
        ..planted.opened(&theirs, 1.0)
    };
    let found = judge(&opened, &settings(), &mut |_| ()).unwrap();
    assert_eq!(
        (found.group.as_str(), found.details.few),
        ("users without ratings", 0)
    );
    assert!(found.worth_it && found.details.warnings[0].starts_with("only 0 opened users"));
    let short = RealMatrix::zeros(3, COLUMNS);
    let refused = judge(&planted.opened(&short, 1.0), &settings(), &mut |_| ());
    assert!(matches!(
        refused,
        Err(ModelError::ProductShape { actual_rows: 3, .. })
    ));
}
