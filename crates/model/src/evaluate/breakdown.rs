use super::RankingMetrics;
use super::ranking::Judged;
use crate::{Accuracy, ModelError, Predictor, accuracy};
use s3rec_sparse::Rating;
use serde::{Deserialize, Serialize};

/// Lower ends of the buckets of friends (users linked in either direction).
pub const FRIEND_BUCKETS: [usize; 5] = [0, 1, 5, 20, 100];

/// Errors for the users of one bucket.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bucket {
    /// Fewest friends in this bucket.
    pub friends_from: usize,
    /// Most friends in this bucket; null for the last.
    pub friends_to: Option<usize>,
    /// Held-out ratings.
    pub ratings: f64,
    /// Their errors.
    pub accuracy: Accuracy,
    /// Their lists; null where rankings were not judged or nobody here has a relevant item.
    #[serde(default)]
    pub ranking: Option<RankingMetrics>,
}

/// Errors and lists by number of friends, one entry a bucket, none where a bucket has no rating.
pub(super) fn by_friends(
    predictor: &dyn Predictor,
    test: &[Rating],
    friends: &[usize],
    judged: Option<&Judged>,
) -> Result<Vec<Option<Bucket>>, ModelError> {
    let mut buckets = Vec::new();
    for (position, &from) in FRIEND_BUCKETS.iter().enumerate() {
        let to = FRIEND_BUCKETS.get(position + 1).map(|next| next - 1);
        let belongs = |user: u32| {
            let count = friends.get(user as usize).copied().unwrap_or(0);
            count >= from && to.is_none_or(|to| count <= to)
        };
        let inside = test.iter().copied().filter(|rating| belongs(rating.user));
        let inside: Vec<Rating> = inside.collect();
        buckets.push(if inside.is_empty() {
            None
        } else {
            Some(Bucket {
                friends_from: from,
                friends_to: to,
                ratings: inside.len() as f64,
                accuracy: accuracy(predictor, &inside)?,
                ranking: judged.and_then(|judged| judged.over(belongs)),
            })
        });
    }
    Ok(buckets)
}
