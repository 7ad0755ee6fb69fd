//! What every solver promises: the same bits for every number of threads, a falling objective,
//! a social term that helps where friends share tastes; and als's few openings.

use s3rec_algebra::RealMatrix;
use s3rec_model::tune::{TuneSettings, tune_without_social};
use s3rec_model::{
    Accuracy, EvaluationData, EvaluationSettings, LaplacianObjective, Model, ModelError, Preset,
    SocialMf, SocialObjective, Solver, SolverKind, SolverSettings, Split, StepReport, StopRule,
    Stopping, accuracy, evaluate, solver,
};
use s3rec_sparse::{OperatorKind, RatingMatrix, SocialOperator};
use s3rec_testkit::datasets::Dataset;
use s3rec_testkit::learning::LearningProblem;
use std::sync::Arc;

const KINDS: [SolverKind; 3] = [SolverKind::Gd, SolverKind::Adam, SolverKind::Als];

fn settings(kind: SolverKind) -> SolverSettings {
    let openings = if kind == SolverKind::Als { 4 } else { 25 };
    SolverSettings {
        solver: kind,
        rank: 6,
        openings,
        warm_sweeps: 5,
        user_decay: 4.0,
        item_decay: 4.0,
        social_weight: 4.0,
        social_bias_weight: 4.0,
        ..SolverSettings::default()
    }
}

#[expect(clippy::unwrap_used, reason = "a test helper fails as its test does")]
fn train(problem: &LearningProblem) -> Arc<RatingMatrix> {
    let (train, _) = &problem.folds[0];
    Arc::new(RatingMatrix::from_ratings(problem.users, problem.items, train).unwrap())
}

fn normalized() -> Arc<dyn SocialObjective> {
    Arc::new(LaplacianObjective::normalized())
}

#[expect(clippy::unwrap_used, reason = "a test helper fails as its test does")]
fn drive(solver: &mut dyn Solver, operator: &SocialOperator) -> Vec<StepReport> {
    let mut reports = Vec::new();
    while !solver.is_finished() {
        let product = solver
            .wants_opening()
            .then(|| operator.multiply_real(solver.user_factors()).unwrap());
        reports.push(solver.step(product.as_ref()).unwrap());
    }
    reports
}

#[expect(clippy::unwrap_used, reason = "a test helper fails as its test does")]
fn quality(
    problem: &LearningProblem,
    settings: &SolverSettings,
    social: Option<Arc<dyn SocialObjective>>,
) -> (Accuracy, Vec<StepReport>) {
    let kind = social
        .as_ref()
        .map_or(OperatorKind::NormalizedLaplacian, |s| s.operator());
    let operator = SocialOperator::build(kind, &problem.social);
    let mut solver = solver(train(problem), problem.scale, settings, social).unwrap();
    let reports = drive(&mut *solver, &operator);
    (
        accuracy(solver.model(), &problem.folds[0].1).unwrap(),
        reports,
    )
}

fn bits(model: &Model) -> Vec<u64> {
    let values = model.users.values().iter().chain(model.items.values());
    values.map(|value| value.to_bits()).collect()
}

#[test]
fn threads_do_not_change_a_bit() {
    let problem = LearningProblem::synthetic(3).unwrap();
    let operator = SocialOperator::build(OperatorKind::NormalizedLaplacian, &problem.social);
    for kind in KINDS {
        let mut settings = settings(kind);
        if kind == SolverKind::Als {
            settings.implicit_ridge = Some(10.0);
        }
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| {
                let mut solver = solver(
                    train(&problem),
                    problem.scale,
                    &settings,
                    Some(normalized()),
                )
                .unwrap();
                let reports = drive(&mut *solver, &operator);
                (bits(solver.model()), reports)
            })
        };
        assert_eq!(run(1), run(3), "{kind}");
    }
}

#[test]
fn the_objective_falls() {
    let problem = LearningProblem::synthetic(4).unwrap();
    for kind in [SolverKind::Gd, SolverKind::Als] {
        let settings = SolverSettings {
            openings: 12,
            ..settings(kind)
        };
        let (_, reports) = quality(&problem, &settings, Some(normalized()));
        let social: Vec<f64> = reports
            .iter()
            .filter(|r| r.openings > 0)
            .map(|r| r.objective)
            .collect();
        assert_eq!(social.len(), 12);
        assert!(
            social.windows(2).all(|pair| pair[1] <= pair[0] + 1e-9),
            "{kind} {social:?}"
        );
    }
}

#[test]
fn friends_who_share_tastes_help() {
    let problem = LearningProblem::synthetic(1).unwrap();
    for kind in KINDS {
        let settings = SolverSettings {
            openings: if kind == SolverKind::Als { 6 } else { 80 },
            ..settings(kind)
        };
        let (without, _) = quality(&problem, &settings, None);
        let (with, _) = quality(&problem, &settings, Some(normalized()));
        assert!(
            with.rmse < 0.98 * without.rmse,
            "{kind}: {with:?} against {without:?}"
        );
    }
}

#[test]
fn social_mf_needs_no_more_than_its_file() {
    let problem = LearningProblem::synthetic(1).unwrap();
    let settings = SolverSettings {
        openings: 6,
        ..settings(SolverKind::Als)
    };
    let (without, _) = quality(&problem, &settings, None);
    let (with, _) = quality(&problem, &settings, Some(Arc::new(SocialMf)));
    assert!(
        with.rmse < 0.98 * without.rmse,
        "{with:?} against {without:?}"
    );
}

#[test]
fn the_gradient_is_the_objectives() {
    // One step of gd moves by −rate × gradient; the objective must fall by rate × ‖gradient‖²
    // to first order. That ties the gradient, social part included, to the value.
    let problem = LearningProblem::synthetic(2).unwrap();
    let operator = SocialOperator::build(OperatorKind::NormalizedLaplacian, &problem.social);
    let rate = 1e-7;
    let settings = SolverSettings {
        openings: 2,
        warm_sweeps: 0,
        learning_rate: Some(rate),
        social_weight: 400.0,
        social_bias_weight: 900.0,
        ..settings(SolverKind::Gd)
    };
    let mut solver = solver(
        train(&problem),
        problem.scale,
        &settings,
        Some(normalized()),
    )
    .unwrap();
    let before = solver.model().clone();
    let reports = drive_some(&mut *solver, &operator, 1);
    let after = solver.model().clone();
    let next = drive_some(&mut *solver, &operator, 1);
    let moved = |a: &RealMatrix, b: &RealMatrix| -> f64 {
        a.values()
            .iter()
            .zip(b.values())
            .map(|(a, b)| (a - b) * (a - b))
            .sum()
    };
    let squares = moved(&before.users, &after.users) + moved(&before.items, &after.items);
    let expected = squares / rate;
    let fell = reports[0].objective - next[0].objective;
    assert!(
        (fell / expected - 1.0).abs() < 1e-3,
        "{fell} against {expected}"
    );
}

#[expect(clippy::unwrap_used, reason = "a test helper fails as its test does")]
fn drive_some(solver: &mut dyn Solver, operator: &SocialOperator, steps: u32) -> Vec<StepReport> {
    (0..steps)
        .map(|_| {
            let product = operator.multiply_real(solver.user_factors()).unwrap();
            solver.step(Some(&product)).unwrap()
        })
        .collect()
}

#[test]
fn a_wrong_product_is_refused() {
    let problem = LearningProblem::synthetic(2).unwrap();
    for kind in KINDS {
        let settings = SolverSettings {
            warm_sweeps: 0,
            ..settings(kind)
        };
        let mut solver = solver(
            train(&problem),
            problem.scale,
            &settings,
            Some(normalized()),
        )
        .unwrap();
        assert_eq!(solver.user_factors().columns(), settings.opened_columns());
        assert_eq!(solver.step(None), Err(ModelError::ProductMissing));
        let wrong = RealMatrix::zeros(problem.users, 6);
        let refused = solver.step(Some(&wrong)).unwrap_err();
        assert!(matches!(
            refused,
            ModelError::ProductShape {
                expected_columns: 7,
                ..
            }
        ));
    }
    let settings = SolverSettings {
        warm_sweeps: 1,
        ..settings(SolverKind::Als)
    };
    let mut als = solver(
        train(&problem),
        problem.scale,
        &settings,
        Some(normalized()),
    )
    .unwrap();
    assert!(!als.wants_opening());
    let early = RealMatrix::zeros(problem.users, 7);
    assert_eq!(als.step(Some(&early)), Err(ModelError::ProductUnexpected));
}

#[test]
fn divergence_is_noticed() {
    let problem = LearningProblem::synthetic(2).unwrap();
    let settings = SolverSettings {
        learning_rate: Some(5.0),
        openings: 500,
        ..settings(SolverKind::Gd)
    };
    let mut solver = solver(train(&problem), problem.scale, &settings, None).unwrap();
    let stopped = loop {
        if let Err(error) = solver.step(None) {
            break error;
        }
        assert!(!solver.is_finished(), "500 absurd steps and still finite");
    };
    assert!(matches!(stopped, ModelError::Diverged { .. }));
}

#[test]
fn stops_by_itself_and_keeps_the_best() {
    let problem = LearningProblem::synthetic(5).unwrap();
    let operator = SocialOperator::build(OperatorKind::NormalizedLaplacian, &problem.social);
    let settings = SolverSettings {
        openings: 200,
        ..settings(SolverKind::Als)
    };
    let make = || {
        solver(
            train(&problem),
            problem.scale,
            &settings,
            Some(normalized()),
        )
        .unwrap()
    };
    let held_out = problem.folds[0].1[..400].to_vec();
    let rule = StopRule {
        patience: 2,
        objective_tolerance: 0.0,
    };
    let mut stopping = Stopping::new(make(), rule, held_out.clone());
    let mut best = f64::INFINITY;
    let mut openings = 0;
    while !stopping.is_finished() {
        let wants = stopping.wants_opening();
        let product = wants.then(|| operator.multiply_real(stopping.user_factors()).unwrap());
        stopping.step(product.as_ref()).unwrap();
        openings += u32::from(wants);
        best = best.min(accuracy(stopping.model(), &held_out).unwrap().rmse);
    }
    assert!(openings < 200, "held-out error never stalled");
    assert_eq!(accuracy(stopping.model(), &held_out).unwrap().rmse, best);
    let rule = StopRule {
        patience: u32::MAX,
        objective_tolerance: 1e-4,
    };
    let reports = drive(&mut Stopping::new(make(), rule, Vec::new()), &operator);
    assert!(
        reports.last().unwrap().openings < 50,
        "the objective never stalled"
    );
}

#[test]
fn evaluation_compares_like_with_like() {
    let problem = LearningProblem::synthetic(1).unwrap();
    let splits: Vec<Split> = problem.folds[..2]
        .iter()
        .map(|(train, test)| Split {
            train: train.clone(),
            test: test.clone(),
        })
        .collect();
    let data = EvaluationData {
        users: problem.users,
        items: problem.items,
        scale: problem.scale,
        social: &problem.social,
        splits: &splits,
    };
    let wanted = EvaluationSettings {
        solver: settings(SolverKind::Als),
        ..Default::default()
    };
    let report = evaluate(&data, &wanted, &mut |_, _| {}).unwrap();
    let quality = &report.quality;
    assert!(quality.biases.rmse.mean < quality.global_mean.rmse.mean);
    assert!(quality.social.rmse.mean < quality.no_social.rmse.mean);
    assert!(quality.global_mean.ranking.is_none());
    let ranked = quality.social.ranking.unwrap();
    assert!(ranked.ndcg.mean > 0.0 && ranked.coverage.mean <= 1.0);
    assert!(quality.social.cold_rmse.unwrap().mean < quality.no_social.cold_rmse.unwrap().mean);
    let counted: f64 = quality
        .social
        .by_friends
        .iter()
        .map(|bucket| bucket.ratings)
        .sum();
    assert!((counted - splits[0].test.len() as f64).abs() <= 1.0);
    assert_eq!(report.rmse_by_fold.len(), 2);
    let (one, _) = quality_of_fold(&problem, &wanted.solver);
    assert_eq!(report.rmse_by_fold[0].social, one);
    let json = serde_json::to_value(&report).unwrap();
    assert!(json["quality"]["social"]["rmse"]["mean"].is_f64());
    assert!(json["quality"]["no_social"]["mae"]["std"].is_f64());
}

fn quality_of_fold(problem: &LearningProblem, settings: &SolverSettings) -> (f64, usize) {
    let (found, reports) = quality(problem, settings, Some(normalized()));
    (found.rmse, reports.len())
}

#[test]
fn search_finds_better_decay_without_an_opening() {
    let problem = LearningProblem::synthetic(1).unwrap();
    let (train, validation) = (train(&problem), &problem.folds[0].1);
    let base = SolverSettings {
        user_decay: 60.0,
        item_decay: 60.0,
        ..settings(SolverKind::Als)
    };
    let search = TuneSettings {
        candidates: 12,
        ..TuneSettings::default()
    };
    let found = tune_without_social(&train, validation, problem.scale, &base, &search).unwrap();
    let reach = |settings: &SolverSettings| {
        let mut solver = solver(Arc::clone(&train), problem.scale, settings, None).unwrap();
        while !solver.is_finished() {
            assert!(!solver.wants_opening());
            solver.step(None).unwrap();
        }
        accuracy(solver.model(), validation).unwrap().rmse
    };
    assert!(found.len() <= 3 && found.windows(2).all(|pair| pair[0].rmse <= pair[1].rmse));
    assert!(reach(&found[0].settings) < 0.995 * reach(&base));
    let again = tune_without_social(&train, validation, problem.scale, &base, &search).unwrap();
    assert_eq!(found, again);
}

#[test]
fn every_preset_is_valid_and_found_by_name() {
    for preset in Preset::all() {
        assert_eq!(Preset::named(&preset.name), Some(preset.clone()));
        preset.validate().unwrap();
        assert!(preset.settings.is_social() && !preset.no_social.is_social());
    }
    assert_eq!(Preset::named("netflix"), None);
}

#[test]
fn als_needs_few_openings_on_filmtrust() {
    if !Dataset::FilmTrust.is_available() {
        eprintln!("skipped: FilmTrust is not at hand");
        return;
    }
    let problem = LearningProblem::published(Dataset::FilmTrust).unwrap();
    let preset = Preset::named("published").unwrap();
    let als = |openings| SolverSettings {
        openings,
        ..preset.settings.clone()
    };
    let adam = SolverSettings {
        solver: SolverKind::Adam,
        openings: 301,
        ..als(0)
    };
    let (_, reports) = quality(&problem, &adam, Some(normalized()));
    let reference = reports.last().unwrap().objective;
    // A step reports the objective it starts from: opening n + 1 sees what n openings reached.
    let (_, reports) = quality(&problem, &als(21), Some(normalized()));
    let reached = |openings: u32| {
        reports
            .iter()
            .find(|r| r.openings == openings + 1)
            .unwrap()
            .objective
            / reference
            - 1.0
    };
    let above = [1, 2, 3, 5, 10, 20].map(|openings| (openings, reached(openings)));
    println!("adam's objective after 300: {reference:.2}; als above it: {above:.5?}");
    assert!(
        reached(10) <= 0.005,
        "{} above adam after 10 openings",
        reached(10)
    );
    assert!(
        reached(20) <= 0.001,
        "{} above adam after 20 openings",
        reached(20)
    );
    let (without, _) = quality(&problem, &als(20), None);
    let (three, _) = quality(&problem, &als(3), Some(normalized()));
    let (many, _) = quality(&problem, &als(20), Some(normalized()));
    let kept = (without.rmse - three.rmse) / (without.rmse - many.rmse);
    println!(
        "no social {:.5}, 3 openings {:.5}, 20 {:.5}",
        without.rmse, three.rmse, many.rmse
    );
    assert!(kept >= 0.6, "three openings keep {kept} of the gain");
}
