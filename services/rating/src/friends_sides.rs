//! Who is opened: P0's users with few ratings, the calibration sample, drawn once a lineage of its
//! data, and everybody who was opened before. All of it is on disk before P1 hears of it.

use s3rec_audit::export::hexadecimal;
use s3rec_data::RatingSet;
use s3rec_job::{CalibrationSample, OpenedUsers};
use s3rec_model::friends::OpenedSides;
use s3rec_node::opened;
use s3rec_spmm::FriendsRelease;
use s3rec_spmm::noise_first::Sides;
use s3rec_wire::convert::{CALIBRATION_SHARE, FEW_BELOW};
use s3rec_wire::status::{Fault, Reason};

use crate::imports::blocking;
use crate::platform::Platform;
use crate::tables::{OPENED_USERS, SAMPLES};

/// What decides about P0's users.
pub(crate) struct Choosing {
    sample: CalibrationSample,
    before: OpenedUsers,
    /// Of P0's data, in hexadecimal.
    lineage: String,
}

impl Choosing {
    /// As it stands for a lineage of P0's data; the sample is drawn when it is asked for first.
    pub(crate) fn of(platform: &Platform, lineage: &[u8]) -> Result<Self, Fault> {
        let lineage = hexadecimal(lineage);
        let sample: Option<CalibrationSample> = platform.store.get(SAMPLES, &lineage)?;
        let sample = match sample {
            Some(sample) => sample,
            None => {
                let mut seed = [0; 32];
                getrandom::fill(&mut seed)
                    .map_err(|_| Fault::new(Reason::Bug, "the system gives no entropy"))?;
                let sample = CalibrationSample::of_seed(seed);
                platform.store.put(SAMPLES, &lineage, &sample)?;
                sample
            }
        };
        let before: Option<OpenedUsers> = platform.store.get(OPENED_USERS, &lineage)?;
        Ok(Self {
            sample,
            before: before.unwrap_or_default(),
            lineage,
        })
    }

    fn opens(&self, id: &str, ratings: usize, release: &FriendsRelease) -> bool {
        release.sides == Sides::Two
            || ratings < release.few_below as usize
            || self.is_drawn(id, release.calibration_share)
    }

    /// Whether somebody is opened however many ratings they have.
    fn is_drawn(&self, id: &str, share: f64) -> bool {
        opened::takes(&self.sample, id, share) || self.before.contains(&opened::key_of(id))
    }

    /// |O| among all users of P0: the most that a job can come to.
    pub(crate) fn count(&self, ratings: &RatingSet, release: &FriendsRelease) -> u32 {
        let counts = counts(ratings);
        let names = ratings.users.names().zip(counts);
        let opened = names.filter(|(id, ratings)| self.opens(id, *ratings, release));
        u32::try_from(opened.count()).unwrap_or(u32::MAX)
    }

    /// O as places in the common order, ascending. Whoever is opened is on record when it returns.
    pub(crate) fn choose(
        mut self,
        platform: &Platform,
        ratings: &RatingSet,
        common: &[u32],
        release: &FriendsRelease,
    ) -> Result<Vec<u32>, Fault> {
        let counts = counts(ratings);
        let mut opened = Vec::new();
        let mut keys = Vec::new();
        for (place, &user) in (0u32..).zip(common) {
            let Some(id) = ratings.users.name(user) else {
                return Err(Fault::new(Reason::Bug, "a common user is none of ours"));
            };
            let ratings = counts.get(user as usize).copied().unwrap_or(0);
            if self.opens(id, ratings, release) {
                opened.push(place);
                keys.push(opened::key_of(id));
            }
        }
        // Two-sided releases open everybody, and keep nobody apart.
        if release.sides == Sides::One && self.before.add(keys) {
            platform
                .store
                .put(OPENED_USERS, &self.lineage, &self.before)?;
        }
        Ok(opened)
    }
}

/// The users of a data set who have ratings enough and are opened all the same, if P1 has them too;
/// a 0 stands for the usual threshold or share.
///
/// # Errors
/// [`Reason::NotFound`], [`Reason::InvalidRequest`], [`Reason::StorageFailed`].
pub(crate) async fn calibration(
    platform: &Platform,
    dataset: &str,
    (few_below, share): (u32, f64),
) -> Result<Vec<String>, Fault> {
    let share = match share {
        0.0 => CALIBRATION_SHARE,
        share if share > 0.0 && share <= 1.0 => share,
        _ => {
            let message = "calibration_share must be from 0 to 1";
            return Err(
                Fault::new(Reason::InvalidRequest, message).at("field", "calibration_share")
            );
        }
    };
    let few_below = match few_below {
        0 => FEW_BELOW,
        few => few,
    };
    let dataset = platform.datasets.choose(dataset)?;
    let lineage = platform.datasets.lineage(&dataset)?;
    let choosing = Choosing::of(platform, &lineage)?;
    let datasets = platform.datasets.clone();
    let ratings = blocking(move || datasets.newest(&dataset)).await??;
    let counts = counts(&ratings);
    let users = ratings.users.names().zip(counts);
    let drawn = users
        .filter(|(id, ratings)| *ratings >= few_below as usize && choosing.is_drawn(id, share));
    Ok(drawn.map(|(id, _)| id.to_owned()).collect())
}

/// Ratings of each user.
pub(crate) fn counts(ratings: &RatingSet) -> Vec<usize> {
    let mut counts = vec![0; ratings.users.len()];
    for rating in &ratings.ratings {
        if let Some(count) = counts.get_mut(rating.user as usize) {
            *count += 1;
        }
    }
    counts
}

/// O, W and the calibration users, as indices of P0's users in ascending order, and where each
/// of `opened` and `uploaded` is among them.
pub(crate) fn model_sides(
    (opened, uploaded): (&[u32], &[u32]),
    counts: &[usize],
    release: &FriendsRelease,
) -> OpenedSides {
    let ascending = |users: &[u32]| {
        let mut users = users.to_vec();
        users.sort_unstable();
        users
    };
    let opened = ascending(opened);
    let is_learnt_from = |user: &&u32| {
        let ratings = counts.get(**user as usize).copied().unwrap_or(0);
        ratings >= few_below(release)
            && match release.sides {
                Sides::One => true,
                // Everybody is opened: of whom the map is learnt is P0's own affair.
                Sides::Two => is_drawn(**user, release.calibration_share),
            }
    };
    OpenedSides {
        calibration: opened.iter().filter(is_learnt_from).copied().collect(),
        uploaded: ascending(uploaded),
        opened,
    }
}

/// From how many ratings on a user has enough of their own.
pub(crate) fn few_below(release: &FriendsRelease) -> usize {
    match release.few_below {
        // Of a two-sided release, which has no threshold.
        0 => FEW_BELOW as usize,
        few => few as usize,
    }
}

/// A share of the users, spread over them.
fn is_drawn(user: u32, share: f64) -> bool {
    f64::from(user.wrapping_mul(0x9e37_79b9) >> 8) < share * f64::from(1 << 24)
}
