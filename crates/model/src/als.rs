use crate::gradient::local_value;
use crate::implicit::ImplicitPrior;
use crate::least_squares::{FEW, NormalEquations};
use crate::problem::Problem;
use crate::{Model, ModelError, Solver, SolverState, StepReport, Unit};
use rayon::prelude::*;
use s3rec_algebra::RealMatrix;

/// Alternating least squares with the social term linearised at the opened point (protocol
/// page, section 5).
///
/// A step without the social term (the warm start) solves every user's, then every item's
/// least squares. A step with an opening adds to each user's system the social gradient at the
/// opened point and a proximal term (γ·c)/2·‖u − u_opened‖², c at least the term's curvature:
/// together they majorise the social term, so no step raises the objective. The opening is
/// used for several sweeps over users and items.
pub(crate) struct AlternatingLeastSquares {
    problem: Problem,
    model: Model,
    opened: RealMatrix,
    prior: Option<ImplicitPrior>,
    steps: u32,
    openings: u32,
    warm_sweeps: u32,
}

impl AlternatingLeastSquares {
    pub(crate) fn new(problem: Problem, start: Model) -> Self {
        let settings = &problem.settings;
        // Without a social term the sweeps that the openings would have made are still made,
        // so that both models are equally well converged.
        let warm_sweeps = match problem.social {
            Some(_) => settings.warm_sweeps,
            None => settings.warm_sweeps + settings.openings * settings.sweeps_per_opening,
        };
        Self {
            opened: problem.opened(&start.users),
            prior: settings
                .implicit_ridge
                .map(|ridge| ImplicitPrior::new(&start.users, &start.items, ridge)),
            problem,
            model: start,
            steps: 0,
            openings: 0,
            warm_sweeps,
        }
    }

    fn openings_wanted(&self) -> u32 {
        if self.problem.social.is_some() {
            self.problem.settings.openings
        } else {
            0
        }
    }

    /// Solves for every (u_i, b_i), then for every (v_j, c_j).
    fn sweep(&mut self, product: Option<&RealMatrix>) {
        let problem = &self.problem;
        let (settings, ratings, model) = (&problem.settings, &problem.ratings, &mut self.model);
        let user_decay = (settings.user_decay, settings.user_bias_decay);
        let users = Side {
            own: &mut model.users,
            other: &model.items,
            decay: user_decay,
        };
        let (unit, mean) = (model.unit, model.mean);
        users.solve(
            (unit, mean),
            |user| ratings.by_user(user),
            |user, system| {
                system.centre_bias(problem.bias_centres[user], user_decay);
                if let Some(prior) = &self.prior {
                    system.centre(prior.mean(user), user_decay);
                }
                if let Some(product) = product {
                    problem.pull(self.opened.row(user), product.row(user), system);
                }
            },
        );
        let item_decay = (settings.item_decay, settings.item_bias_decay);
        let items = Side {
            own: &mut model.items,
            other: &model.users,
            decay: item_decay,
        };
        items.solve((unit, mean), |item| ratings.by_item(item), |_, _| {});
        if let Some(prior) = &mut self.prior {
            prior.update(&model.users, &problem.bias_centres, ratings);
        }
    }
}

impl Solver for AlternatingLeastSquares {
    fn user_factors(&self) -> &RealMatrix {
        &self.opened
    }

    fn wants_opening(&self) -> bool {
        self.steps >= self.warm_sweeps && self.openings < self.openings_wanted()
    }

    fn step(&mut self, social: Option<&RealMatrix>) -> Result<StepReport, ModelError> {
        let wanted = self.wants_opening();
        let product = self.problem.check(social, wanted)?;
        let local = local_value(&self.problem, &self.model);
        let energy = product.map_or(0.0, |p| self.problem.energy(&self.opened, p));
        let sweeps = if wanted {
            self.problem.settings.sweeps_per_opening
        } else {
            1
        };
        for _ in 0..sweeps {
            self.sweep(product);
        }
        self.steps += 1;
        self.openings += u32::from(wanted);
        let objective = local.value + energy;
        self.problem.check_finite(&self.model, self.steps)?;
        self.opened = self.problem.opened(&self.model.users);
        Ok(StepReport {
            step: self.steps,
            openings: self.openings,
            objective,
            train_rmse: self.problem.train_rmse(&self.model, local.squares),
        })
    }

    fn is_finished(&self) -> bool {
        self.steps >= self.warm_sweeps && self.openings >= self.openings_wanted()
    }

    fn model(&self) -> &Model {
        &self.model
    }

    fn state(&self) -> SolverState {
        let kept = self.prior.as_ref().map_or(Vec::new(), ImplicitPrior::kept);
        SolverState::of(&self.model, self.steps, self.openings, kept)
    }

    fn resume(&mut self, state: &SolverState) -> Result<(), ModelError> {
        match &mut self.prior {
            Some(prior) => prior.restore(state.kept()?)?,
            None => drop(state.kept::<0>()?),
        }
        state.restore_model(&mut self.model)?;
        (self.steps, self.openings) = (state.steps, state.openings);
        self.opened = self.problem.opened(&self.model.users);
        Ok(())
    }
}

impl Problem {
    /// Adds the social term, linearised at the opened row, to a user's system. A user without
    /// a social term opens to zeros.
    fn pull(&self, opened: &[f64], product: &[f64], system: &mut NormalEquations) {
        let Some(social) = &self.social else { return };
        if product.iter().all(|&p| p == 0.0) {
            return;
        }
        for (column, (&u, &p)) in opened.iter().zip(product).enumerate() {
            let strength = self.strength(column);
            let weight = strength * social.curvature();
            system.pull(column, weight, weight * u - social.gradient(u, p, strength));
        }
    }
}

/// Who or what was rated, and how.
type Rated<'r> = (&'r [u32], &'r [f32]);

/// Observations that are added up together.
const AT_ONCE: usize = 128;

/// One side of a sweep: rows to solve for, given the other side's.
struct Side<'a> {
    own: &'a mut RealMatrix,
    other: &'a RealMatrix,
    /// On the factors and on the bias.
    decay: (f64, f64),
}

impl Side<'_> {
    /// Solves every row, in parallel; each row's sums run in a fixed order.
    fn solve<'r>(
        self,
        (unit, mean): (Unit, f64),
        rated: impl Fn(usize) -> (&'r [u32], &'r [f32]) + Sync,
        extra: impl Fn(usize, &mut NormalEquations) + Sync,
    ) {
        let width = self.own.columns();
        let rank = width - 1;
        let other = self.other;
        self.own
            .values_mut()
            .par_chunks_exact_mut(width)
            .enumerate()
            .for_each_init(
                || (NormalEquations::new(width), Vec::new(), Vec::new()),
                |(system, features, targets), (index, row)| {
                    system.reset(self.decay);
                    extra(index, system);
                    let stride = system.stride();
                    let gather =
                        |features: &mut Vec<f64>, targets: &mut Vec<f64>, of: Rated<'_>| {
                            features.clear();
                            features.resize(of.0.len() * stride, 0.0);
                            targets.clear();
                            let rows = features.chunks_exact_mut(stride);
                            for (to, (&theirs, &value)) in rows.zip(of.0.iter().zip(of.1)) {
                                // The features are the other side's factors and a constant 1 for the
                                // row's own bias.
                                let theirs = other.row(theirs as usize);
                                to[..rank].copy_from_slice(&theirs[..rank]);
                                to[rank] = 1.0;
                                targets.push(unit.standardise(value) - mean - theirs[rank]);
                            }
                        };
                    let (indices, values) = rated(index);
                    if indices.len() <= FEW.min(width) {
                        gather(features, targets, (indices, values));
                        system.solve_few(features, targets, row);
                        return;
                    }
                    for (indices, values) in indices.chunks(AT_ONCE).zip(values.chunks(AT_ONCE)) {
                        gather(features, targets, (indices, values));
                        system.observe_targets(features, targets);
                    }
                    system.solve(row);
                },
            );
    }
}
