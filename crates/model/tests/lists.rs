//! Implicit ALS against what it is defined to minimise, and the friends' estimate on users whose
//! friends do, and do not, say what they like.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use s3rec_model::evaluate::{
    ColdSettings, ListsEvaluation, Relevance, evaluate_cold, evaluate_lists,
};
use s3rec_model::friends::rows_to_open;
use s3rec_model::{EvaluationData, ListsModel, ListsSettings, ModelError, Predictor, Split};
use s3rec_sparse::{Rating, RatingMatrix, SocialMatrix};

const USERS: usize = 31;
const ITEMS: usize = 23;

/// Some users with more ratings than factors, some with fewer, one without, one item without.
fn ratings() -> Vec<Rating> {
    let mut ratings = Vec::new();
    for user in (0u32..).take(USERS - 1) {
        for item in (0u32..).take(ITEMS - 1) {
            if (user * user + 3 * item * item + user * item) % 31 < 1 + user % 17 {
                let value = 1 + (user * 5 + item * 3) % 5;
                ratings.push(Rating {
                    user,
                    item,
                    value: value as f32,
                });
            }
        }
    }
    ratings
}

fn settings() -> ListsSettings {
    ListsSettings {
        rank: 5,
        sweeps: 6,
        gradient_steps: 0,
        unobserved_weight: 0.07,
        decay: 0.05,
        decay_exponent: 0.7,
        confidence_slope: 0.4,
        ..ListsSettings::default()
    }
}

/// Dense Gauss elimination, written for this test alone.
fn solve(mut a: Vec<Vec<f64>>, mut b: Vec<f64>) -> Vec<f64> {
    let n = b.len();
    for column in 0..n {
        let pivot = (column..n).max_by(|&i, &j| a[i][column].abs().total_cmp(&a[j][column].abs()));
        let pivot = pivot.unwrap_or(column);
        a.swap(column, pivot);
        b.swap(column, pivot);
        for row in 0..n {
            if row != column {
                let factor = a[row][column] / a[column][column];
                let above = a[column].clone();
                a[row]
                    .iter_mut()
                    .zip(above)
                    .for_each(|(x, y)| *x -= factor * y);
                b[row] -= factor * b[column];
            }
        }
    }
    (0..n).map(|i| b[i] / a[i][i]).collect()
}

/// Every user's row is the minimiser of the objective given the items, summed over every pair.
#[test]
fn users_are_those_of_a_dense_reference() {
    let matrix = RatingMatrix::from_ratings(USERS, ITEMS, &ratings()).unwrap();
    let settings = settings();
    let model = ListsModel::learn(&matrix, &settings).unwrap();
    let (mean, spread) = {
        let values: Vec<f64> = ratings().iter().map(|r| f64::from(r.value)).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
        (mean, (squares / values.len() as f64).sqrt())
    };
    let mut widths = [0, 0];
    for user in 0..USERS {
        let (items, values) = matrix.by_user(user);
        widths[usize::from(items.len() >= settings.rank)] += 1;
        let weight = items.len() as f64 + settings.unobserved_weight * ITEMS as f64;
        let decay = settings.decay * weight.powf(settings.decay_exponent);
        let rank = settings.rank;
        let (mut a, mut b) = (vec![vec![0.0; rank]; rank], vec![0.0; rank]);
        for item in 0..ITEMS {
            let v = model.items().row(item);
            let place = items.iter().position(|&i| i as usize == item);
            let confidence = place.map_or(0.0, |place| {
                let z = (f64::from(values[place]) - mean) / spread;
                (1.0 + settings.confidence_slope * z).max(0.05)
            });
            for i in 0..rank {
                b[i] += confidence * v[i];
                for j in 0..rank {
                    a[i][j] += (confidence + settings.unobserved_weight) * v[i] * v[j];
                }
            }
        }
        (0..rank).for_each(|i| a[i][i] += decay);
        let expected = solve(a, b);
        for (found, expected) in model.users().row(user).iter().zip(&expected) {
            assert!(
                (found - expected).abs() < 1e-6,
                "user {user}: {found}, {expected}"
            );
        }
        let folded = model.fold_in(items, values, None);
        for (found, expected) in folded.iter().zip(&expected) {
            assert!(items.is_empty() || (found - expected).abs() < 1e-6);
        }
    }
    assert!(
        widths[0] > 5 && widths[1] > 5,
        "both ways of solving: {widths:?}"
    );
    assert!(model.users().row(USERS - 1).iter().all(|u| *u == 0.0));
    assert!(model.items().row(ITEMS - 1).iter().all(|v| *v == 0.0));
}

/// Conjugate gradients minimise the same objective, of rows that are solved by them and of those that
/// have few ratings and are solved exactly; users are what a fold-in gives.
#[test]
fn gradients_lead_where_exact_sweeps_do() {
    let (users, items) = (120, 60);
    let given: Vec<Rating> = (0u32..users)
        .flat_map(|user| {
            let wanted = move |item: &u32| {
                let alike = (user % 3) * 10 <= *item && *item < (user % 3) * 10 + 40;
                (user * 7 + item * 13 + user * item) % 29 < 2 + user % 17 && alike
            };
            let rated = (0..items - 1).filter(wanted);
            rated.map(move |item| Rating {
                user,
                item,
                value: (1 + (user + item) % 5) as f32,
            })
        })
        .collect();
    let matrix = RatingMatrix::from_ratings(users as usize, items as usize, &given).unwrap();
    let lengths = (0..users as usize).map(|user| matrix.by_user(user).0.len());
    let many = lengths.filter(|&length| length > 16).count();
    assert!((10..100).contains(&many), "both ways of solving: {many}");
    for rank in [3, 20, 40] {
        let exact = ListsSettings {
            rank,
            sweeps: 40,
            ..settings()
        };
        let by_gradients = ListsSettings {
            gradient_steps: 3,
            ..exact.clone()
        };
        let exact = ListsModel::learn(&matrix, &exact).unwrap();
        let found = ListsModel::learn(&matrix, &by_gradients).unwrap();
        let (mut off, mut all) = (0.0, 0.0);
        for user in 0..users {
            for item in 0..items {
                let expected = exact.score(user, item);
                off += (found.score(user, item) - expected).powi(2);
                all += expected.powi(2);
            }
            let (rated, values) = matrix.by_user(user as usize);
            if rated.is_empty() {
                continue;
            }
            let folded = found.fold_in(rated, values, None);
            for (learnt, folded) in found.users().row(user as usize).iter().zip(&folded) {
                assert!((learnt - folded).abs() < 1e-4, "{learnt}, {folded}");
            }
        }
        let off: f64 = off / all;
        assert!(off < 1e-3, "rank {rank}: {off}");
        assert!(
            found
                .items()
                .row(items as usize - 1)
                .iter()
                .all(|v| *v == 0.0)
        );
        let one_step = ListsSettings {
            gradient_steps: 1,
            ..by_gradients
        };
        let another = ListsModel::learn(&matrix, &one_step).unwrap();
        assert!(another.items().values() != found.items().values());
    }
}

/// A prior is what remains without ratings, and what ratings move away from.
#[test]
fn a_fold_in_starts_at_its_prior() {
    let matrix = RatingMatrix::from_ratings(USERS, ITEMS, &ratings()).unwrap();
    let model = ListsModel::learn(&matrix, &settings()).unwrap();
    let prior = model.users().row(20).to_vec();
    assert_eq!(model.fold_in(&[], &[], Some(&prior)), prior);
    let score = |row: &[f64], item: usize| -> f64 {
        let pairs = row.iter().zip(model.items().row(item));
        pairs.map(|(u, v)| u * v).sum()
    };
    let after = model.fold_in(&[3], &[5.0], Some(&prior));
    assert!(score(&after, 3) > score(&prior, 3) && score(&after, 3) < 1.0);
    // Linear in the prior.
    let own = model.fold_in(&[3], &[5.0], None);
    let twice: Vec<f64> = prior.iter().map(|u| 2.0 * u).collect();
    let twice = model.fold_in(&[3], &[5.0], Some(&twice));
    for place in 0..5 {
        let expected = own[place] + 2.0 * (after[place] - own[place]);
        assert!((twice[place] - expected).abs() < 1e-9);
    }
}

#[test]
fn the_seed_decides_and_the_unit_and_order_do_not() {
    let learn = |ratings: &[Rating], settings: &ListsSettings| {
        let matrix = RatingMatrix::from_ratings(USERS, ITEMS, ratings).unwrap();
        ListsModel::learn(&matrix, settings).unwrap()
    };
    let all = |model: &ListsModel| -> Vec<f64> {
        let users = 0..u32::try_from(USERS).unwrap();
        let pairs =
            users.flat_map(|user| (0..u32::try_from(ITEMS).unwrap()).map(move |i| (user, i)));
        pairs.map(|(user, item)| model.score(user, item)).collect()
    };
    let once = all(&learn(&ratings(), &settings()));
    let mut other_order = ratings();
    other_order.reverse();
    assert_eq!(all(&learn(&other_order, &settings())), once);
    let threads = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .unwrap();
    let alone = threads.install(|| all(&learn(&ratings(), &settings())));
    assert_eq!(alone, once);
    let seeded = ListsSettings {
        seed: 1,
        ..settings()
    };
    assert_ne!(all(&learn(&ratings(), &seeded)), once);
    // Another scale of ratings is the same confidences.
    let stretched: Vec<Rating> = ratings()
        .into_iter()
        .map(|r| Rating {
            value: 20.0 * r.value + 8.0,
            ..r
        })
        .collect();
    for (a, b) in all(&learn(&stretched, &settings())).iter().zip(&once) {
        assert!((a - b).abs() < 1e-5, "{a}, {b}");
    }
    // Two users who chose the same items are the same, how many others there may be.
    let mut twins = ratings();
    twins.retain(|r| r.user != 30 && r.user != 17);
    let of_17 = ratings().into_iter().filter(|r| r.user == 17);
    twins.extend(of_17.flat_map(|r| [17, 30].map(|user| Rating { user, ..r })));
    let model = learn(&twins, &settings());
    for (a, b) in model.users().row(17).iter().zip(model.users().row(30)) {
        assert!((a - b).abs() < 1e-12);
    }
}

#[test]
fn settings_out_of_range_are_named() {
    let refused = [
        (
            ListsSettings {
                rank: 0,
                ..settings()
            },
            "lists.rank",
        ),
        (
            ListsSettings {
                rank: 129,
                ..settings()
            },
            "lists.rank",
        ),
        (
            ListsSettings {
                sweeps: 0,
                ..settings()
            },
            "lists.sweeps",
        ),
        (
            ListsSettings {
                decay: f64::NAN,
                ..settings()
            },
            "lists.decay",
        ),
        (
            ListsSettings {
                unobserved_weight: 0.0,
                ..settings()
            },
            "lists.unobserved_weight",
        ),
    ];
    let matrix = RatingMatrix::from_ratings(USERS, ITEMS, &ratings()).unwrap();
    for (settings, expected) in refused {
        match ListsModel::learn(&matrix, &settings) {
            Err(ModelError::Setting { field, .. }) => assert_eq!(field, expected),
            _ => panic!("{expected} was taken"),
        }
    }
    let empty = RatingMatrix::from_ratings(2, 2, &[]).unwrap();
    let nothing = ListsModel::learn(&empty, &settings_of_the_crowd());
    assert!(matches!(nothing, Err(ModelError::NoRatings(_))));
}

#[test]
fn opened_rows_have_norm_one() {
    let matrix = RatingMatrix::from_ratings(USERS, ITEMS, &ratings()).unwrap();
    let model = ListsModel::learn(&matrix, &settings()).unwrap();
    let uploaded: Vec<u32> = (0..20).collect();
    for columns in [3, 8] {
        let rows = rows_to_open(&model, &uploaded, columns);
        assert_eq!((rows.rows(), rows.columns()), (20, columns.min(5)));
        for row in 0..20 {
            let norm = rows.row(row).iter().map(|x| x * x).sum::<f64>().sqrt();
            assert!((norm - 1.0).abs() < 1e-9, "{norm}");
        }
    }
}

/// A crowd in six circles, each with a taste of its own over 60 of 360 items; friends are of one's
/// own circle, or of any.
struct Crowd {
    ratings: Vec<Rating>,
    social: SocialMatrix,
}

const CIRCLES: u32 = 6;
const CROWD: u32 = 900;
const TASTE: u32 = 60;

fn settings_of_the_crowd() -> ListsSettings {
    ListsSettings {
        rank: 8,
        unobserved_weight: 0.05,
        decay: 0.02,
        confidence_slope: 0.0,
        ..ListsSettings::default()
    }
}

fn crowd(do_friends_share_tastes: bool) -> Crowd {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let mut below = |bound: u32| rng.next_u32() % bound;
    let (mut ratings, mut links) = (Vec::new(), Vec::new());
    for user in 0..CROWD {
        let circle = user % CIRCLES;
        let mut items: Vec<u32> = (0..12).map(|_| circle * TASTE + below(TASTE)).collect();
        items.sort_unstable();
        items.dedup();
        ratings.extend(items.into_iter().map(|item| Rating {
            user,
            item,
            value: 4.0 + (item % 2) as f32,
        }));
        for _ in 0..5 {
            let other = below(CROWD / CIRCLES) * CIRCLES;
            let circle = if do_friends_share_tastes {
                circle
            } else {
                below(CIRCLES)
            };
            links.push((user, other + circle));
        }
    }
    Crowd {
        ratings,
        social: SocialMatrix::from_links(CROWD as usize, links).expect("links among the crowd"),
    }
}

fn evaluation(mu: Option<f64>) -> (ListsEvaluation, ColdSettings) {
    let mut settings = ListsEvaluation {
        lists: settings_of_the_crowd(),
        ..ListsEvaluation::default()
    };
    settings.ranking.relevance = Relevance::EveryHeldOut;
    let cold = ColdSettings {
        mu,
        ..ColdSettings::default()
    };
    (settings, cold)
}

fn sigma(mu: Option<f64>) -> f64 {
    mu.map_or(0.0, |mu| 1.0 / mu)
}

#[test]
fn the_gate_opens_for_friends_who_share_a_taste_and_not_for_noise() {
    let mu = Some(1.0);
    for (shared, crowd) in [(true, crowd(true)), (false, crowd(false))] {
        let split = Split {
            train: Vec::new(),
            test: crowd.ratings,
        };
        let data = EvaluationData {
            users: CROWD as usize,
            items: (CIRCLES * TASTE) as usize,
            scale: (4.0, 5.0),
            social: &crowd.social,
            splits: std::slice::from_ref(&split),
        };
        let (settings, cold) = evaluation(mu);
        // Users without ratings have no friends in W here: as good as nothing is known of them.
        let unrated = [vec![0], vec![1, 2]];
        let found = evaluate_cold(
            &data,
            &unrated,
            (&settings, &cold),
            3,
            &|size| {
                assert!(size.columns == 8 && size.opened + size.uploaded == CROWD as usize);
                Ok(sigma(mu))
            },
            &mut |_, _| {},
        )
        .unwrap();
        let group = found.cold.unwrap();
        assert_eq!(group.draws, 3);
        let gain = group.friends.ndcg_10.mean - group.popularity.ndcg_10.mean;
        let placebo = group.placebo.ndcg_10.mean - group.popularity.ndcg_10.mean;
        assert!(placebo.abs() < 0.01, "{placebo}");
        assert!(group.gates_open.placebo < 0.5);
        assert_eq!(group.own, group.popularity);
        assert!(group.friends.ndcg_10_reweighted.is_some());
        assert_eq!(
            found.few.keys().collect::<Vec<_>>(),
            ["k1", "k2", "k3", "k4"]
        );
        if shared {
            assert_eq!(group.gates_open.friends, 1.0);
            assert!(gain > 0.05, "{gain}");
            assert!(group.friends_exact.ndcg_10.mean >= group.friends.ndcg_10.mean - 0.01);
            // One rating tells the circle here, so friends have nothing to add, nor to spoil.
            let few = &found.few["k1"];
            assert!(
                few.own.ndcg_10.mean > 3.0 * few.popularity.ndcg_10.mean,
                "{few:?}"
            );
            let spoilt = few.own.ndcg_10.mean - few.friends.ndcg_10.mean;
            assert!(spoilt < 0.01, "{few:?}");
        } else {
            assert!(
                gain.abs() < 0.01 && group.gates_open.friends < 0.5,
                "{gain}"
            );
        }
        // The same seed, the same figures.
        let again = evaluate_cold(
            &data,
            &unrated,
            (&settings, &cold),
            3,
            &|_| Ok(sigma(mu)),
            &mut |_, _| {},
        );
        assert_eq!(again.unwrap().cold.unwrap(), group);
    }
}

#[test]
fn the_report_has_the_keys_that_others_read() {
    let crowd = crowd(true);
    let part = |fold: usize, held_out: bool| -> Vec<Rating> {
        let all = crowd.ratings.iter().enumerate();
        all.filter(|(place, _)| (place % 2 == fold) == held_out)
            .map(|(_, &rating)| rating)
            .collect()
    };
    let splits = [0, 1].map(|fold| Split {
        train: part(fold, false),
        test: part(fold, true),
    });
    let data = EvaluationData {
        users: CROWD as usize,
        items: (CIRCLES * TASTE) as usize,
        scale: (4.0, 5.0),
        social: &crowd.social,
        splits: &splits,
    };
    let (mut settings, cold) = evaluation(None);
    settings.cold = Some(cold);
    let report = evaluate_lists(&data, &[], &settings, &|_| Ok(0.0), &mut |_, _| {}).unwrap();
    let report = serde_json::to_value(&report).unwrap();
    for model in ["popularity", "no_social"] {
        for metric in ["ndcg", "recall", "hit_rate", "mrr", "coverage"] {
            assert!(report["quality"][model]["ranking"][metric]["mean"].is_f64());
        }
    }
    let ndcg = |model: &str| {
        let mean = &report["quality"][model]["ranking"]["ndcg"]["mean"];
        mean.as_f64().unwrap()
    };
    let (popularity, own) = (ndcg("popularity"), ndcg("no_social"));
    assert!(own > 1.5 * popularity, "{own}, {popularity}");
    let groups = ["k1", "k2", "k3", "k4"].map(|kept| &report["few"][kept]);
    for group in groups.into_iter().chain([&report["cold"]]) {
        for model in ["popularity", "own", "friends", "friends_exact", "placebo"] {
            assert!(group[model]["ndcg_10"]["mean"].is_f64(), "{group}");
            assert!(group[model]["ndcg_10"]["std"].is_f64());
        }
        // An exact release is the exact one.
        assert_eq!(group["friends"], group["friends_exact"]);
    }
}

#[test]
fn a_release_that_is_refused_is_said() {
    let crowd = crowd(true);
    let split = Split {
        train: Vec::new(),
        test: crowd.ratings,
    };
    let data = EvaluationData {
        users: CROWD as usize,
        items: (CIRCLES * TASTE) as usize,
        scale: (4.0, 5.0),
        social: &crowd.social,
        splits: std::slice::from_ref(&split),
    };
    let (settings, cold) = evaluation(Some(1.0));
    let refuse = |_: &_| Err(ModelError::Release("too many friends".to_owned()));
    let found = evaluate_cold(&data, &[], (&settings, &cold), 1, &refuse, &mut |_, _| {});
    assert!(matches!(found, Err(ModelError::Release(_))));
    let few = ColdSettings {
        calibration_share: 0.001,
        ..cold
    };
    let found = evaluate_cold(&data, &[], (&settings, &few), 1, &refuse, &mut |_, _| {}).unwrap();
    assert!(found.cold.is_none() && found.few.is_empty() && found.warnings.len() == 1);
}
