//! What workers can be given to do.

use s3rec_spmm::noise_first::{GroupWorker, NoiseFirstError, PackWorker};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// What a task is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// Packs of friends' sums ([`PackWorker`]), the social platform's.
    Packs,
    /// Groups of an upload ([`GroupWorker`]), the rating platform's.
    Groups,
}

/// What a worker is at.
pub(crate) enum Doing {
    Packs(Box<PackWorker>),
    Groups(GroupWorker),
}

impl Doing {
    pub(crate) fn begin(kind: Kind, opening: &[u8]) -> Result<Self, NoiseFirstError> {
        Ok(match kind {
            Kind::Packs => Self::Packs(Box::new(PackWorker::new(opening)?)),
            Kind::Groups => Self::Groups(GroupWorker::new(opening)?),
        })
    }

    pub(crate) fn task(&self, bytes: &[u8]) -> Result<Zeroizing<Vec<u8>>, NoiseFirstError> {
        match self {
            Self::Packs(worker) => worker.make(bytes),
            Self::Groups(worker) => worker.make(bytes).map(Zeroizing::new),
        }
    }
}

/// Work for the workers: `count` tasks, each a function of its bytes and the opening alone. Whoever
/// does it, and however often, makes the same.
pub struct Tasks<'a> {
    /// What they are of.
    pub kind: Kind,
    /// What all of them have in common.
    pub opening: &'a [u8],
    /// How many there are.
    pub count: usize,
    /// The bytes of a task, made when it is given out.
    pub task: &'a dyn Fn(usize) -> Zeroizing<Vec<u8>>,
}
