//! What P0 makes of the opened sums: what they say of their users, and everybody's lists.

use rayon::prelude::*;
use s3rec_algebra::RealMatrix;
use s3rec_data::IdTable;
use s3rec_model::evaluate::Relevance;
use s3rec_model::friends::{FriendsBase, FriendsModel, OpenedSides};
use s3rec_model::{ListsModel, ListsSettings};
use s3rec_sparse::RatingMatrix;

use super::connection::Meter;
use super::{OpeningWorkload, Served};
use crate::BenchError;

/// Users of whose ratings the items' factors are learnt: training is measured by `bench lists`.
const LEARNT_FROM: u32 = 100_000;
/// Users with fewer ratings have few, and the share of the others that the map is learnt of: as the
/// platform has them where nobody says.
const FEW_BELOW: usize = 5;
const CALIBRATION_SHARE: f64 = 0.2;
/// Users whose lists are made at a time, and items of a list.
const AT_ONCE: usize = 1 << 13;
const COUNT: usize = 10;

/// The sums in the order of the users, whose places in the opening are given.
pub(super) fn by_user(sums: &RealMatrix, places: &[u32]) -> Result<RealMatrix, BenchError> {
    let mut values = vec![0.0; sums.values().len()];
    values
        .par_chunks_mut(sums.columns())
        .zip(places)
        .with_min_len(1 << 10)
        .for_each(|(row, &place)| row.copy_from_slice(sums.row(place as usize)));
    Ok(RealMatrix::from_vec(sums.rows(), sums.columns(), values)?)
}

/// Two phases: `estimates` and `lists`; before them a model of items is learnt, of a sample.
pub(super) fn serve(
    meter: &mut Meter<'_>,
    workload: &OpeningWorkload,
    ids: &IdTable,
    (sums, sigma): (&RealMatrix, f64),
) -> Result<Served, BenchError> {
    let ratings = workload.ratings(workload.users)?;
    let sample = workload.ratings(workload.users.min(LEARNT_FROM))?;
    let everybody: Vec<u32> = (0..workload.users).collect();
    let is_common = vec![true; everybody.len()];
    let (model, quality) = meter.phase("estimates", |_| {
        let sides = OpenedSides {
            calibration: calibration(&everybody, &ratings),
            opened: everybody.clone(),
            uploaded: everybody,
        };
        let base = FriendsBase::learn(&ratings, sides, |_| {
            ListsModel::learn(&sample, &ListsSettings::default())
        })?;
        let judging = (FEW_BELOW, Relevance::EveryHeldOut);
        let noisy = (sums, sigma);
        let learnt = FriendsModel::learn(&base, &ratings, &is_common, noisy, judging, |_, _| ());
        let (model, ()) = learnt;
        let quality = model.quality;
        Ok((model, quality))
    })?;
    let mut listed = (0_u64, 0_u64);
    meter.phase("lists", |_| {
        let lists = model.lists(&ratings);
        for first in (0..ratings.users()).step_by(AT_ONCE) {
            let made = lists.of(first..first + AT_ONCE, COUNT, false);
            // As they leave: by name.
            for (user, list) in (0_u32..).skip(first).zip(&made) {
                listed.0 += u64::from(!list.is_empty());
                listed.1 += ids.name(user).map_or(0, str::len) as u64;
            }
        }
        Ok(())
    })?;
    Ok(Served {
        ratings: ratings.len() as u64,
        calibration: quality.calibration as u64,
        cold_is_open: quality.cold.is_open,
        few_is_open: quality.few.is_open,
        lists: listed.0,
    })
}

/// A share of those who have ratings enough, spread over them.
fn calibration(everybody: &[u32], ratings: &RatingMatrix) -> Vec<u32> {
    let is_drawn = |user: u32| {
        f64::from(user.wrapping_mul(0x9e37_79b9) >> 8) < CALIBRATION_SHARE * f64::from(1 << 24)
    };
    let users = everybody.iter().copied();
    let drawn = users.filter(|&user| is_drawn(user));
    drawn
        .filter(|&user| ratings.by_user(user as usize).0.len() >= FEW_BELOW)
        .collect()
}
