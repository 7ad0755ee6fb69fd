//! One fold of a data set, for what is measured of learning: whoever runs it holds both files.

use std::sync::Arc;

use s3rec_data::{LinkSet, RatingSet, k_fold, ratio};
use s3rec_model::evaluate::rewired;
use s3rec_model::{Model, Predictor, Solver, SolverSettings, accuracy, solver};
use s3rec_sparse::{OperatorKind, Rating, RatingMatrix, SocialMatrix, SocialOperator};

use crate::BenchError;

/// Folds that a data set is cut into; the first is held out.
const FOLDS: usize = 5;

/// Ratings to learn from, ratings held out, and the links over the same users.
pub struct LearningFold {
    pub(crate) items: usize,
    pub(crate) scale: (f64, f64),
    pub(crate) operator: SocialOperator,
    /// The same of links rewired at random.
    pub(crate) placebo: SocialOperator,
    pub(crate) train: Vec<Rating>,
    pub(crate) matrix: Arc<RatingMatrix>,
    pub(crate) test: Vec<Rating>,
}

impl LearningFold {
    /// The first of five folds by `seed`.
    ///
    /// # Errors
    /// Too few ratings for five folds.
    pub fn new(
        ratings: &RatingSet,
        links: &LinkSet,
        operator: OperatorKind,
        seed: u64,
    ) -> Result<Self, BenchError> {
        let folds = k_fold(ratings.ratings.len(), FOLDS, seed)?;
        let pick = |positions: &[usize]| -> Vec<Rating> {
            positions.iter().map(|&p| ratings.ratings[p]).collect()
        };
        let social: SocialMatrix = links.social_matrix(&ratings.users)?;
        let (users, items) = (ratings.users.len(), ratings.items.len());
        let train = pick(&folds[0].train);
        let scale = ratings.report.scale;
        Ok(Self {
            items,
            scale: (f64::from(scale.min), f64::from(scale.max)),
            placebo: SocialOperator::build(operator, &rewired(&social, seed)?),
            operator: SocialOperator::build(operator, &social),
            matrix: Arc::new(RatingMatrix::from_ratings(users, items, &train)?),
            train,
            test: pick(&folds[0].test),
        })
    }

    /// m: all of the rating platform's users.
    #[must_use]
    pub fn users(&self) -> usize {
        self.operator.users()
    }

    /// A fifth of the ratings to learn from held out once more, to choose settings by; the
    /// ratings held out here stay unseen.
    ///
    /// # Errors
    /// Too few ratings for both parts.
    pub fn validation(&self, seed: u64) -> Result<(Arc<RatingMatrix>, Vec<Rating>), BenchError> {
        let fold = ratio(self.train.len(), 1.0 / FOLDS as f64, seed)?;
        let pick = |positions: &[usize]| -> Vec<Rating> {
            positions.iter().map(|&p| self.train[p]).collect()
        };
        let matrix = RatingMatrix::from_ratings(self.users(), self.items, &pick(&fold.train))?;
        Ok((Arc::new(matrix), pick(&fold.test)))
    }

    /// A solver over `matrix` with the objective of this fold's operator.
    pub(crate) fn social_solver(
        &self,
        matrix: &Arc<RatingMatrix>,
        settings: &SolverSettings,
    ) -> Result<Box<dyn Solver>, BenchError> {
        let objective = s3rec_model::social_objective(&self.operator)?;
        Ok(solver(
            Arc::clone(matrix),
            self.scale,
            settings,
            Some(objective),
        )?)
    }

    /// The model without the social term, as well converged.
    pub(crate) fn without_social(
        &self,
        matrix: &Arc<RatingMatrix>,
        settings: &SolverSettings,
    ) -> Result<Model, BenchError> {
        let mut solver = solver(Arc::clone(matrix), self.scale, settings, None)?;
        while !solver.is_finished() {
            solver.step(None)?;
        }
        Ok(solver.model().clone())
    }

    /// The model over the clear product.
    pub(crate) fn over_clear_product(
        &self,
        matrix: &Arc<RatingMatrix>,
        settings: &SolverSettings,
    ) -> Result<Model, BenchError> {
        self.over(&self.operator, matrix, settings)
    }

    /// The model over the clear product of rewired links: what of a gain is not social.
    pub(crate) fn over_rewired_links(
        &self,
        matrix: &Arc<RatingMatrix>,
        settings: &SolverSettings,
    ) -> Result<Model, BenchError> {
        self.over(&self.placebo, matrix, settings)
    }

    fn over(
        &self,
        operator: &SocialOperator,
        matrix: &Arc<RatingMatrix>,
        settings: &SolverSettings,
    ) -> Result<Model, BenchError> {
        let mut solver = self.social_solver(matrix, settings)?;
        let common = s3rec_job::CommonUsers::all(self.users())?;
        s3rec_job::run_oracle(&mut *solver, &common, operator)?;
        Ok(solver.model().clone())
    }

    /// RMSE on the ratings held out.
    pub(crate) fn rmse(&self, model: &dyn Predictor) -> Result<f64, BenchError> {
        Ok(accuracy(model, &self.test)?.rmse)
    }

    /// A homophilous set drawn from `seed`.
    #[cfg(test)]
    pub(crate) fn synthetic(seed: u64) -> Self {
        let set = s3rec_data::SyntheticSettings {
            users: 200,
            items: 60,
            seed,
            ..s3rec_data::SyntheticSettings::default()
        }
        .generate()
        .unwrap();
        Self::new(
            &set.ratings,
            &set.links,
            OperatorKind::NormalizedLaplacian,
            seed,
        )
        .unwrap()
    }
}
