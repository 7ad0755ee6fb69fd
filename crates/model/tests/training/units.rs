//! The model does not depend on the unit of the ratings, and a few mad ratings do not ruin it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use s3rec_model::{
    GlobalMean, LaplacianObjective, Model, Predictor, SolverKind, SolverSettings, accuracy, solver,
};
use s3rec_sparse::{OperatorKind, Rating, RatingMatrix, SocialOperator};
use s3rec_testkit::datasets::Dataset;
use s3rec_testkit::learning::LearningProblem;
use std::sync::Arc;

const KINDS: [SolverKind; 3] = [SolverKind::Gd, SolverKind::Adam, SolverKind::Als];

fn settings(kind: SolverKind) -> SolverSettings {
    SolverSettings {
        solver: kind,
        rank: 4,
        openings: 4,
        warm_sweeps: 6,
        implicit_ridge: (kind == SolverKind::Als).then_some(10.0),
        activity_prior: true,
        social_bias_weight: 3.0,
        ..SolverSettings::default()
    }
}

/// A model of the first fold, links and all, its ratings and scale put through `map`.
fn learn(
    problem: &LearningProblem,
    settings: &SolverSettings,
    map: impl Fn(f32) -> f32,
) -> (Model, Vec<Rating>) {
    let mapped = |ratings: &[Rating]| -> Vec<Rating> {
        let mapped = ratings.iter().map(|&rating| Rating {
            value: map(rating.value),
            ..rating
        });
        mapped.collect()
    };
    let (train, test) = &problem.folds[0];
    let train = RatingMatrix::from_ratings(problem.users, problem.items, &mapped(train)).unwrap();
    let test = mapped(test);
    let both = train.iter().chain(test.iter().copied());
    let scale = both.fold((f64::MAX, f64::MIN), |(low, high), rating| {
        let value = f64::from(rating.value);
        (low.min(value), high.max(value))
    });
    let operator = SocialOperator::build(OperatorKind::NormalizedLaplacian, &problem.social);
    let objective = Arc::new(LaplacianObjective::normalized());
    let mut solver = solver(Arc::new(train), scale, settings, Some(objective)).unwrap();
    while !solver.is_finished() {
        let wants = solver.wants_opening();
        let product = wants.then(|| operator.multiply_real(solver.user_factors()).unwrap());
        solver.step(product.as_ref()).unwrap();
    }
    (solver.model().clone(), test)
}

fn rmse(problem: &LearningProblem, settings: &SolverSettings, map: fn(f32) -> f32) -> f64 {
    let (model, test) = learn(problem, settings, map);
    accuracy(&model, &test).unwrap().rmse
}

#[test]
fn another_unit_gives_the_same_predictions_in_it() {
    let problem = LearningProblem::synthetic(6).unwrap();
    // Ratings whose images single precision holds: halves.
    let halves = |r: f32| (2.0 * r).round() / 2.0;
    for kind in KINDS {
        let settings = settings(kind);
        let (model, test) = learn(&problem, &settings, halves);
        for (a, b) in [
            (25.0f32, 7.0f32),
            (0.25, 0.0),
            (1.0, 1000.0),
            (64.0, -200.0),
        ] {
            let (other, _) = learn(&problem, &settings, |r| a * halves(r) + b);
            for rating in &test {
                let pair = (rating.user, rating.item);
                let own = model.score(pair.0, pair.1);
                let expected = f64::from(a) * own + f64::from(b);
                let found = other.score(pair.0, pair.1);
                // Relative to what the ratings differ by, so that b hides nothing.
                let unit = f64::from(a) * own.abs();
                assert!(
                    (found - expected).abs() <= 1e-6 * unit,
                    "{kind}, {a} r + {b}: {found} for {expected}"
                );
            }
            // What is opened, and so what u_max and noise are measured by, stays too.
            let factors = model.users.values().iter().zip(other.users.values());
            let largest = factors.map(|(u, v)| (u - v).abs()).fold(0.0, f64::max);
            assert!(
                largest < 1e-6,
                "{kind}, {a} r + {b}: factors differ by {largest}"
            );
        }
    }
}

#[test]
fn the_export_in_rating_units_predicts_the_same() {
    let problem = LearningProblem::synthetic(6).unwrap();
    let (model, test) = learn(&problem, &settings(SolverKind::Als), |r| 20.0 * r);
    let exported = model.in_rating_units();
    assert!(model.unit.spread > 2.0);
    for rating in test.iter().take(200) {
        let (u, v) = (rating.user as usize, rating.item as usize);
        let dot = exported.user_factor(u).iter().zip(exported.item_factor(v));
        let by_hand = exported.mean
            + exported.user_bias(u)
            + exported.item_bias(v)
            + dot.map(|(u, v)| u * v).sum::<f64>();
        let expected = model.score(rating.user, rating.item);
        assert!((by_hand - expected).abs() < 1e-9 * expected.abs().max(1.0));
    }
}

#[test]
fn one_rating_of_99_999_does_not_ruin_a_run() {
    let mut problem = LearningProblem::synthetic(6).unwrap();
    let settings = settings(SolverKind::Als);
    let usual = rmse(&problem, &settings, |r| r);
    problem.folds[0].0[100].value = 99_999.0;
    let (model, test) = learn(&problem, &settings, |r| r);
    let found = accuracy(&model, &test).unwrap().rmse;
    assert!(found < 1.01 * usual, "{found} instead of {usual}");
}

#[test]
fn raw_counts_end_no_worse_than_their_mean() {
    // From 1 to about 10^5, most of them small.
    let counts = |r: f32| ((r - 1.0) * 2.9).exp().round();
    let problem = LearningProblem::synthetic(6).unwrap();
    for kind in KINDS {
        let (model, test) = learn(&problem, &settings(kind), counts);
        let (train, _) = &problem.folds[0];
        let train: Vec<Rating> = train
            .iter()
            .map(|&rating| Rating {
                value: counts(rating.value),
                ..rating
            })
            .collect();
        let train = RatingMatrix::from_ratings(problem.users, problem.items, &train).unwrap();
        let mean = accuracy(&GlobalMean::fit(&train), &test).unwrap().rmse;
        let found = accuracy(&model, &test).unwrap().rmse;
        assert!(found < 1.02 * mean, "{kind}: {found} against {mean}");
    }
}

#[test]
fn filmtrust_is_learnt_as_well_in_other_units() {
    if !Dataset::FilmTrust.is_available() {
        eprintln!("skipped: FilmTrust is not at hand");
        return;
    }
    let problem = LearningProblem::published(Dataset::FilmTrust).unwrap();
    let settings = settings(SolverKind::Als);
    let usual = rmse(&problem, &settings, |r| r);
    assert!(usual < 0.83, "{usual}");
    let hundred = rmse(&problem, &settings, |r| 25.0 * r);
    let one = rmse(&problem, &settings, |r| r / 4.0);
    assert!((hundred / 25.0 / usual - 1.0).abs() < 1e-6, "{hundred}");
    assert!((one * 4.0 / usual - 1.0).abs() < 1e-6, "{one}");
}
