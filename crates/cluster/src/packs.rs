//! The packs of friends' sums as tasks.

use std::ops::Range;

use s3rec_spmm::SpmmError;
use s3rec_spmm::noise_first::{PackMakers, PackWork, Packs};

use crate::{Cluster, ClusterError, Kind, Tasks};

/// Tasks that a worker gets one after the other, at least: what it does ahead hides the way there.
const TASKS_OF_A_WORKER: usize = 8;
/// Packs of a task, at most: a pack comes back in about 100 kB.
const MOST_PACKS: usize = 64;

impl PackMakers for Cluster {
    fn make(&self, work: &PackWork<'_>, made: &mut Packs) -> Result<(), SpmmError> {
        let opening = work.opening()?;
        let each = of_a_task(work.packs(), self.members().workers(), MOST_PACKS);
        let packs = |task| part(task, each, work.packs());
        let tasks = Tasks {
            kind: Kind::Packs,
            opening: &opening,
            count: work.packs().div_ceil(each),
            task: &|task| work.task(packs(task)),
        };
        let mut put = |task: usize, bytes: &[u8]| {
            let put = made.put(packs(task), bytes);
            put.map_err(|error| error.to_string())
        };
        self.done(&tasks, &mut put).map_err(refused)
    }
}

pub(crate) fn refused(error: ClusterError) -> SpmmError {
    SpmmError::Refused(Box::new(error.into_fault()))
}

/// Which of `all` a task has, of which each has so many.
pub(crate) fn part(task: usize, each: usize, all: usize) -> Range<usize> {
    task * each..((task + 1) * each).min(all)
}

/// How many of `all` a task has. Follows public numbers alone, whatever the rows are.
pub(crate) fn of_a_task(all: usize, workers: usize, most: usize) -> usize {
    (all / (workers * TASKS_OF_A_WORKER)).clamp(1, most)
}
