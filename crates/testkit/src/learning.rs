//! A rating problem with a social side, by index, ready for a solver.

use crate::datasets::Dataset;
use s3rec_data::{DataError, LinkSet, RatingSet, SyntheticSettings, k_fold};
use s3rec_sparse::{Rating, SocialMatrix};

/// Ratings split into folds, and the links over the same users.
#[derive(Clone)]
pub struct LearningProblem {
    /// P0's users.
    pub users: usize,
    /// P0's items.
    pub items: usize,
    /// Lowest and highest rating.
    pub scale: (f64, f64),
    /// Links over P0's users.
    pub social: SocialMatrix,
    /// Train and test ratings of each fold.
    pub folds: Vec<(Vec<Rating>, Vec<Rating>)>,
}

impl LearningProblem {
    /// A homophilous synthetic set in five folds, everything from the seed.
    ///
    /// # Errors
    /// Whatever the generator refuses.
    pub fn synthetic(seed: u64) -> Result<Self, DataError> {
        let set = SyntheticSettings {
            seed,
            ..SyntheticSettings::default()
        }
        .generate()?;
        Self::new(&set.ratings, &set.links, seed)
    }

    /// A published set in five folds by seed 0, as the project's figures use.
    ///
    /// # Errors
    /// Whatever the readers refuse.
    pub fn published(dataset: Dataset) -> Result<Self, DataError> {
        let (ratings, links) = dataset.read()?;
        Self::new(&ratings, &links, 0)
    }

    fn new(set: &RatingSet, links: &LinkSet, seed: u64) -> Result<Self, DataError> {
        let pick = |positions: &[usize]| positions.iter().map(|&p| set.ratings[p]).collect();
        let folds = k_fold(set.ratings.len(), 5, seed)?
            .iter()
            .map(|fold| (pick(&fold.train), pick(&fold.test)))
            .collect();
        let scale = set.report.scale;
        Ok(Self {
            users: set.users.len(),
            items: set.items.len(),
            scale: (f64::from(scale.min), f64::from(scale.max)),
            // Unwrap safety: an id table holds fewer than 2^32 users.
            social: links
                .social_matrix(&set.users)
                .expect("users fit 32-bit indices"),
            folds,
        })
    }
}
