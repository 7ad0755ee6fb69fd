//! What a job asks of its platform at either side: disks that may die, and P1's ledger.

use std::error::Error;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use s3rec_algebra::RealMatrix;
use s3rec_job::JointTraining;
use s3rec_job::rating::RatingPlatform;
use s3rec_job::social::{FriendsStorage, Permit, SocialPlatform};
use s3rec_model::Model;
use s3rec_spmm::noise_first::Parameters;
use s3rec_spmm::preprocessed::{MemoryStorage, StockStorage};
use s3rec_spmm::{Admission, Asked, ProductParameters, SpmmError, WorkingSpace};

use crate::weather::{Life, MortalDisk};
use crate::world::World;

/// P1's ledger, on a disk that may die.
pub(crate) struct Counting {
    pub(crate) life: Life,
    /// The opening that P1 knows to be due before it reads anything.
    pub(crate) due: u32,
    pub(crate) counted: Arc<AtomicU32>,
}

impl Admission for Counting {
    fn named(&mut self, round: u32) -> Result<(), SpmmError> {
        assert_eq!(round + 1, self.due);
        Ok(())
    }

    fn permit(&mut self, asked: &Asked) -> Result<(), SpmmError> {
        assert_eq!(asked.number, self.due);
        Ok(())
    }

    fn count(&mut self, asked: &Asked) -> Result<(), SpmmError> {
        Ok(self.life.spend(|| {
            self.counted.store(asked.number, Ordering::Relaxed);
            Ok(())
        })?)
    }
}

/// Made where an upload is counted.
pub(crate) struct Counted;

impl Permit for Counted {}

/// Where a platform's stock lies, on disk.
#[derive(Clone, Default)]
pub(crate) struct Place(pub(crate) Arc<Mutex<MemoryStorage>>);

impl Place {
    /// As it is, for a process that lives so long.
    pub(crate) fn open(&self, life: &Life) -> Arc<dyn StockStorage> {
        Arc::new(MortalDisk {
            disk: self.0.lock().unwrap().clone(),
            life: life.clone(),
        })
    }

    pub(crate) fn clear(&self) {
        *self.0.lock().unwrap() = MemoryStorage::default();
    }
}

/// P0 during one attempt.
pub(crate) struct Rating {
    pub(crate) world: Arc<World>,
    pub(crate) place: Place,
    pub(crate) life: Life,
}

impl RatingPlatform for Rating {
    fn training(
        &self,
        _: &ProductParameters,
        common: &[u32],
    ) -> Result<JointTraining, Box<dyn Error + Send + Sync>> {
        assert_eq!(common, self.world.common());
        Ok(self.world.training())
    }

    fn friends_rows(
        &self,
        _: &Parameters,
        _: &[u32],
        _: &[u32],
    ) -> Result<RealMatrix, Box<dyn Error + Send + Sync>> {
        Err("no friends' sums".into())
    }

    fn held_out_rmse(&self, _: &Model) -> f64 {
        0.0
    }

    fn make_stock(&self) -> io::Result<Arc<dyn StockStorage>> {
        Ok(self.place.open(&self.life))
    }

    fn reopen_stock(&self) -> io::Result<Arc<dyn StockStorage>> {
        Ok(self.place.open(&self.life))
    }

    fn memory_bytes(&self) -> u64 {
        64 << 20
    }
}

/// P1 during one attempt.
pub(crate) struct Social {
    pub(crate) place: Place,
    pub(crate) life: Life,
    pub(crate) counted: Arc<AtomicU32>,
}

impl SocialPlatform for Social {
    fn admission(&self, round: u32) -> Box<dyn Admission> {
        Box::new(Counting {
            life: self.life.clone(),
            due: round,
            counted: Arc::clone(&self.counted),
        })
    }

    fn make_stock(&self) -> io::Result<Arc<dyn StockStorage>> {
        Ok(self.place.open(&self.life))
    }

    fn reopen_stock(&self) -> io::Result<Arc<dyn StockStorage>> {
        Ok(self.place.open(&self.life))
    }

    fn friends_storage(&self) -> Arc<dyn FriendsStorage> {
        panic!("no friends' sums")
    }

    fn space(&self) -> WorkingSpace {
        WorkingSpace {
            memory_limit_bytes: 64 << 20,
            directory: std::env::temp_dir(),
        }
    }

    fn peer(&self) -> String {
        "rating".into()
    }

    fn parties(&self) -> [[u8; 32]; 2] {
        [[1; 32], [2; 32]]
    }
}
