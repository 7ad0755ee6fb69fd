//! A joint training over the exact ring product matches the float64 oracle within the fixed
//! point's error, for every solver and operator.

use s3rec_algebra::{FixedPoint, RealMatrix, RingBits, RingMatrix};
use s3rec_job::{
    Advance, CommonUsers, JointTraining, Parity, TrainError, max_abs_factor_difference,
    product_error_bound, run_oracle,
};
use s3rec_model::{
    ModelError, SocialObjective, Solver, SolverKind, SolverSettings, social_objective, solver,
};
use s3rec_sparse::{OperatorKind, Rating, RatingMatrix, SocialMatrix, SocialOperator};
use s3rec_testkit::datasets::Dataset;
use s3rec_testkit::learning::LearningProblem;
use std::sync::Arc;

const U_MAX: f64 = 4.0;

struct Case {
    train: Arc<RatingMatrix>,
    test: Vec<Rating>,
    scale: (f64, f64),
    common: CommonUsers,
    operator: SocialOperator,
    objective: Arc<dyn SocialObjective>,
    settings: SolverSettings,
}

#[expect(clippy::unwrap_used, reason = "a test helper fails as its test does")]
impl Case {
    /// Every third user is P0's alone; the common users stand in another order than P0's.
    fn new(problem: &LearningProblem, operator: OperatorKind, settings: SolverSettings) -> Self {
        let (train, test) = problem.folds[0].clone();
        let train = RatingMatrix::from_ratings(problem.users, problem.items, &train).unwrap();
        let common: Vec<u32> = (0..u32::try_from(problem.users).unwrap())
            .rev()
            .filter(|i| i % 3 != 0)
            .collect();
        let social: SocialMatrix = problem.social.select(&common).unwrap();
        let operator = SocialOperator::build(operator, &social);
        let objective = social_objective(&operator).unwrap();
        Self {
            train: Arc::new(train),
            test,
            scale: problem.scale,
            common: CommonUsers::new(common, problem.users).unwrap(),
            operator,
            objective,
            settings,
        }
    }

    fn solver(&self) -> Box<dyn Solver> {
        let objective = Some(Arc::clone(&self.objective));
        solver(
            Arc::clone(&self.train),
            self.scale,
            &self.settings,
            objective,
        )
        .unwrap()
    }

    fn training(&self, ring_bits: u32, u_max: f64) -> JointTraining {
        let ring = RingBits::new(ring_bits).unwrap();
        let fixed = FixedPoint::fit(ring, self.operator.row_norm_bound(), u_max, 2).unwrap();
        let weight_bits = self.operator.weight_bits();
        JointTraining::new(self.solver(), self.common.clone(), fixed, weight_bits)
    }

    fn run(&self, ring_bits: u32, u_max: f64) -> JointTraining {
        let mut training = self.training(ring_bits, u_max);
        loop {
            match training.advance().unwrap() {
                Advance::Open(rows) => {
                    training
                        .absorb(&self.operator.multiply_ring(&rows).unwrap())
                        .unwrap();
                }
                Advance::Stepped(_) => {}
                Advance::Finished => return training,
            }
        }
    }
}

fn settings(kind: SolverKind) -> SolverSettings {
    SolverSettings {
        solver: kind,
        rank: 5,
        openings: if kind == SolverKind::Als { 5 } else { 20 },
        warm_sweeps: 4,
        user_decay: 4.0,
        item_decay: 4.0,
        social_weight: 3.0,
        social_bias_weight: 3.0,
        ..SolverSettings::default()
    }
}

#[test]
fn every_solver_and_operator_matches_the_oracle() {
    let problem = LearningProblem::synthetic(11).unwrap();
    for kind in [SolverKind::Gd, SolverKind::Adam, SolverKind::Als] {
        for operator in [
            OperatorKind::Laplacian,
            OperatorKind::NormalizedLaplacian,
            OperatorKind::OutAverage,
        ] {
            let case = Case::new(&problem, operator, settings(kind));
            let training = case.run(40, U_MAX);
            let mut oracle = case.solver();
            let reports = run_oracle(&mut *oracle, &case.common, &case.operator).unwrap();
            let apart = max_abs_factor_difference(training.model(), oracle.model());
            assert!(apart <= 1e-3, "{kind} {operator}: {apart}");
            assert!(
                apart > 0.0,
                "fixed point leaves a trace; was the product used?"
            );
            assert_eq!(training.log().len(), reports.len());
            let wanted = u64::from(case.settings.openings);
            assert_eq!(training.openings(), wanted);
            let values = wanted * (case.common.len() * 6) as u64;
            assert_eq!(
                (training.opened_values(), training.saturations()),
                (values, 0)
            );
        }
    }
}

#[test]
fn only_common_users_have_a_social_term() {
    let problem = LearningProblem::synthetic(12).unwrap();
    let case = Case::new(
        &problem,
        OperatorKind::NormalizedLaplacian,
        settings(SolverKind::Als),
    );
    let training = case.run(40, U_MAX);
    let mut alone = solver(Arc::clone(&case.train), case.scale, &case.settings, None).unwrap();
    while !alone.is_finished() {
        alone.step(None).unwrap();
    }
    // A user of P0 alone without ratings stays where they started; a common one moves to
    // their friends.
    let unrated = |i: usize| case.train.by_user(i).0.is_empty();
    for user in (0..problem.users).filter(|&i| unrated(i)) {
        let common = case.common.rows().contains(&u32::try_from(user).unwrap());
        let row = training.model().users.row(user);
        assert!(common || row.iter().all(|&u| u == 0.0), "user {user}");
    }
    assert!(max_abs_factor_difference(training.model(), alone.model()) > 0.1);
}

#[test]
fn saturations_are_counted() {
    let problem = LearningProblem::synthetic(13).unwrap();
    let case = Case::new(
        &problem,
        OperatorKind::NormalizedLaplacian,
        settings(SolverKind::Als),
    );
    let training = case.run(32, 0.05);
    assert!(training.saturations() > 0);
    let logged: u64 = training.log().iter().map(|entry| entry.saturations).sum();
    assert_eq!(logged, training.saturations());
}

#[test]
fn steps_out_of_order_are_refused() {
    let problem = LearningProblem::synthetic(14).unwrap();
    let settings = SolverSettings {
        warm_sweeps: 0,
        ..settings(SolverKind::Als)
    };
    let case = Case::new(&problem, OperatorKind::NormalizedLaplacian, settings);
    let mut training = case.training(32, U_MAX);
    let ring = RingBits::new(32).unwrap();
    let nothing = RingMatrix::zeros(ring, case.common.len(), 6);
    assert_eq!(training.absorb(&nothing), Err(TrainError::NoOpening));
    let Advance::Open(rows) = training.advance().unwrap() else {
        panic!("an opening is due")
    };
    assert_eq!((rows.rows(), rows.columns()), (case.common.len(), 6));
    assert!(matches!(
        training.advance(),
        Err(TrainError::OpeningPending)
    ));
    let narrow = RingMatrix::zeros(ring, case.common.len(), 5);
    let refused = training.absorb(&narrow).unwrap_err();
    assert!(matches!(
        refused,
        TrainError::ProductShape {
            expected_columns: 6,
            ..
        }
    ));
    let wide = RingMatrix::zeros(RingBits::new(40).unwrap(), case.common.len(), 6);
    let refused = training.absorb(&wide).unwrap_err();
    assert_eq!(
        refused,
        TrainError::ProductRing {
            expected: 32,
            actual: 40
        }
    );
    training.absorb(&nothing).unwrap();
    let wrong = RealMatrix::zeros(3, 3);
    let refused = case.solver().step(Some(&wrong)).unwrap_err();
    assert!(matches!(refused, ModelError::ProductShape { .. }));
}

#[test]
fn a_product_is_as_near_as_the_bound_says() {
    let problem = LearningProblem::synthetic(15).unwrap();
    for kind in [
        OperatorKind::Laplacian,
        OperatorKind::NormalizedLaplacian,
        OperatorKind::OutAverage,
    ] {
        let case = Case::new(&problem, kind, settings(SolverKind::Als));
        let bound = case.operator.row_norm_bound();
        let values = (0..case.common.len() * 3).map(|n| ((n * 7919) % 6007) as f64 / 1999.7 - 1.5);
        let rows = RealMatrix::from_vec(case.common.len(), 3, values.collect()).unwrap();
        let fixed = FixedPoint::fit(RingBits::new(32).unwrap(), bound, U_MAX, 2).unwrap();
        let (encoded, saturations) = fixed.encode(&rows);
        assert_eq!(saturations.0, 0);
        let product = case.operator.multiply_ring(&encoded).unwrap();
        let weight_bits = case.operator.weight_bits();
        let decoded = fixed.decode_product(&product, weight_bits);
        let exact = case.operator.multiply_real(&rows).unwrap();
        let pairs = decoded.values().iter().zip(exact.values());
        let worst = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        let allowed = product_error_bound(&fixed, bound, weight_bits);
        assert!(worst <= allowed, "{kind}: {worst} above {allowed}");
        assert!(
            worst > allowed / 100.0,
            "{kind}: the bound is idle, {worst} of {allowed}"
        );
    }
}

#[test]
fn filmtrust_gd_and_als_stay_within_the_promised_distance() {
    if !Dataset::FilmTrust.is_available() {
        eprintln!("skipped: FilmTrust is not at hand");
        return;
    }
    let problem = LearningProblem::published(Dataset::FilmTrust).unwrap();
    for kind in [SolverKind::Gd, SolverKind::Als] {
        let openings = if kind == SolverKind::Gd { 20 } else { 10 };
        let settings = SolverSettings {
            solver: kind,
            openings,
            ..SolverSettings::default()
        };
        let case = Case::new(&problem, OperatorKind::NormalizedLaplacian, settings);
        let training = case.run(32, U_MAX);
        let mut oracle = case.solver();
        run_oracle(&mut *oracle, &case.common, &case.operator).unwrap();
        let apart = max_abs_factor_difference(training.model(), oracle.model());
        assert!(apart <= 1e-3, "{kind}: {apart}");
        let parity = Parity::between(training.model(), oracle.model(), &case.test).unwrap();
        assert!(parity.rmse_diff.abs() <= 5e-4 && parity.mae_diff.abs() <= 5e-4);
        assert_eq!(parity.max_abs_factor_diff, apart);
    }
}
