//! All that people are served from after an opening, learnt at once.

use super::{Estimates, FriendsBase, FriendsModel, FriendsRatings, PredictedBase};
use crate::evaluate::Relevance;
use crate::{ModelError, SolverSettings};
use s3rec_algebra::RealMatrix;
use s3rec_sparse::RatingMatrix;

/// What was learnt. P0's secret.
pub struct Together {
    /// Lists.
    pub lists: FriendsModel,
    /// What the opening says of every opened user.
    pub estimates: Estimates,
    /// Expected ratings.
    pub ratings: FriendsRatings,
    /// The explicit model without the calibration users' ratings.
    pub explicit: PredictedBase,
}

impl Together {
    /// As [`FriendsModel::learn`] and [`FriendsRatings::learn`], neither of which needs anything of the
    /// other: while one computes on a single core the other has the rest.
    ///
    /// # Errors
    /// Settings out of range, and no ratings.
    pub fn learn(
        base: &FriendsBase,
        (ratings, scale): (&RatingMatrix, (f64, f64)),
        is_common: &[bool],
        noisy: (&RealMatrix, f64),
        judging: (usize, Relevance),
        settings: &SolverSettings,
    ) -> Result<Self, ModelError> {
        let of_ratings = || {
            let others = PredictedBase::learn(base.ratings(), scale, settings)?;
            let sides = base.sides();
            let all = FriendsRatings::learn(ratings, scale, sides, noisy, settings, &others)?;
            Ok::<_, ModelError>((all, others))
        };
        let tell = |model: &_, estimate: &_| Estimates::of(model, estimate, noisy);
        let of_lists = || FriendsModel::learn(base, ratings, is_common, noisy, judging, tell);
        let ((lists, estimates), both) = rayon::join(of_lists, of_ratings);
        let (ratings, explicit) = both?;
        Ok(Self {
            lists,
            estimates,
            ratings,
            explicit,
        })
    }
}
