//! A solver that was kept and taken up again goes on with the same bits.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use s3rec_model::{
    LaplacianObjective, Model, ModelError, Solver, SolverKind, SolverSettings, SolverState,
    StopRule, Stopping, solver,
};
use s3rec_sparse::{OperatorKind, RatingMatrix, SocialOperator};
use s3rec_testkit::learning::LearningProblem;
use std::sync::Arc;

fn make(problem: &LearningProblem, settings: &SolverSettings, stops: bool) -> Box<dyn Solver> {
    let (train, held_out) = &problem.folds[0];
    let train = RatingMatrix::from_ratings(problem.users, problem.items, train).unwrap();
    let social = Some(Arc::new(LaplacianObjective::normalized()) as Arc<_>);
    let solver = solver(Arc::new(train), problem.scale, settings, social).unwrap();
    match stops {
        true => Box::new(Stopping::new(solver, StopRule::default(), held_out.clone())),
        false => solver,
    }
}

fn settings(kind: SolverKind, implicit_ridge: Option<f64>) -> SolverSettings {
    SolverSettings {
        solver: kind,
        rank: 4,
        openings: 6,
        warm_sweeps: 3,
        implicit_ridge,
        ..SolverSettings::default()
    }
}

fn step(solver: &mut dyn Solver, operator: &SocialOperator) {
    let product = solver
        .wants_opening()
        .then(|| operator.multiply_real(solver.user_factors()).unwrap());
    solver.step(product.as_ref()).unwrap();
}

fn bits(model: &Model) -> Vec<u64> {
    let values = model.users.values().iter().chain(model.items.values());
    values.map(|value| value.to_bits()).collect()
}

#[test]
fn a_solver_taken_up_after_any_step_ends_with_the_same_bits() {
    let problem = LearningProblem::synthetic(5).unwrap();
    let operator = SocialOperator::build(OperatorKind::NormalizedLaplacian, &problem.social);
    for (kind, ridge) in [
        (SolverKind::Gd, None),
        (SolverKind::Adam, None),
        (SolverKind::Als, None),
        (SolverKind::Als, Some(10.0)),
    ] {
        for stops in [false, true] {
            let settings = settings(kind, ridge);
            let mut whole = make(&problem, &settings, stops);
            let mut again = make(&problem, &settings, stops);
            while !whole.is_finished() {
                // As from disk: encoded, decoded, into a fresh solver.
                let kept = postcard::to_stdvec(&again.state()).unwrap();
                let kept: SolverState = postcard::from_bytes(&kept).unwrap();
                again = make(&problem, &settings, stops);
                again.resume(&kept).unwrap();
                assert_eq!(whole.wants_opening(), again.wants_opening());
                step(&mut *whole, &operator);
                step(&mut *again, &operator);
                assert!(bits(whole.model()) == bits(again.model()), "{kind} {stops}");
            }
            assert!(again.is_finished());
        }
    }
}

#[test]
fn the_state_of_another_solver_is_refused() {
    let problem = LearningProblem::synthetic(5).unwrap();
    let state = |kind, ridge| make(&problem, &settings(kind, ridge), false).state();
    for (kind, state) in [
        (SolverKind::Gd, state(SolverKind::Adam, None)),
        (SolverKind::Adam, state(SolverKind::Gd, None)),
        (SolverKind::Als, state(SolverKind::Als, Some(10.0))),
    ] {
        let mut other = make(&problem, &settings(kind, None), false);
        assert_eq!(other.resume(&state), Err(ModelError::OtherState));
    }
    let small = SolverSettings {
        rank: 3,
        ..settings(SolverKind::Als, None)
    };
    let mut other = make(&problem, &small, false);
    let state = state(SolverKind::Als, None);
    assert_eq!(other.resume(&state), Err(ModelError::OtherState));
    let mut stopping = make(&problem, &settings(SolverKind::Als, None), true);
    assert_eq!(stopping.resume(&state), Err(ModelError::OtherState));
}
