//! The groups of an upload as tasks.

use s3rec_spmm::SpmmError;
use s3rec_spmm::noise_first::{GroupMakers, GroupWork, Groups};

use crate::packs::{of_a_task, part, refused};
use crate::{Cluster, Kind, Tasks};

/// Groups of a task, at most: one goes out in about 100 kB.
const MOST_GROUPS: usize = 64;

impl GroupMakers for Cluster {
    fn make(&self, work: &GroupWork<'_>, made: &mut Groups) -> Result<(), SpmmError> {
        let opening = work.opening()?;
        let each = of_a_task(work.groups(), self.members().workers(), MOST_GROUPS);
        let groups = |task| part(task, each, work.groups());
        let tasks = Tasks {
            kind: Kind::Groups,
            opening: &opening,
            count: work.groups().div_ceil(each),
            task: &|task| work.task(groups(task)),
        };
        let mut put = |task: usize, bytes: &[u8]| {
            let put = made.put(groups(task), bytes);
            put.map_err(|error| error.to_string())
        };
        self.done(&tasks, &mut put).map_err(refused)
    }
}
