//! What both platforms have of an opening of friends' sums, and where P1 keeps it.

use std::error::Error;
use std::io;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex};

use s3rec_algebra::{PublicSeed, RealMatrix};
use s3rec_job::rating::RatingPlatform;
use s3rec_job::social::{FriendsStorage, SocialFriendsCheckpoint, SocialPlatform};
use s3rec_job::{JobId, JointTraining, Proposal, Terms};
use s3rec_model::{Model, SolverKind};
use s3rec_sparse::{OperatorKind, PatternPolicy};
use s3rec_spmm::noise_first::{self, Friends, Parameters, SessionSeeds, Sides, Split};
use s3rec_spmm::preprocessed::StockStorage;
use s3rec_spmm::{
    Admission, FriendsRelease, ProductParameters, Protocol, ReleasePolicy, WorkingSpace,
};

use crate::job::{decode, encode};
use crate::parties::Counting;
use crate::weather::Life;

pub(crate) const USERS: u32 = 180;
pub(crate) const OPENED: u32 = 70;
pub(crate) const COLUMNS: u32 = 4;
pub(crate) const USERS_DIGEST: [u8; 32] = [3; 32];

/// What both platforms have.
pub(crate) struct World {
    pub(crate) parameters: Parameters,
    pub(crate) links: Vec<(u32, u32)>,
    pub(crate) rows: RealMatrix,
    pub(crate) proposal: Proposal,
}

impl World {
    pub(crate) fn new() -> Arc<Self> {
        let release = FriendsRelease {
            mu: 1.0,
            sides: Sides::One,
            few_below: 5,
            calibration_share: 0.2,
            most_opened: OPENED,
            row_norm_bound: 1.0,
        };
        let terms = release
            .terms((OPENED, USERS - OPENED), COLUMNS, 64)
            .unwrap();
        let links = (0..USERS)
            .flat_map(|user| [7, 31, 90].map(|step| (user, (user * step + step) % USERS)));
        let rows = (USERS - OPENED) as usize;
        let values = (0..rows * COLUMNS as usize).map(|at| (at % 9) as f64 / 20.0 - 0.2);
        let proposal = Proposal {
            job: JobId::random(),
            purpose: "a schedule of faults".into(),
            rank: COLUMNS,
            solver: SolverKind::Als,
            operator: OperatorKind::Friends,
            rounds: 1,
            social_weight: Some(0.0),
            regularization: Some(0.0),
            learning_rate: None,
            social_bias_weight: 0.0,
            protocol: Protocol::NoiseFirst,
            pattern: PatternPolicy::Nothing,
            release: ReleasePolicy::Friends(release),
            saturation_bound: 8.0,
            guard_bits: 2,
            id_rule: "nfc-trim".into(),
            terms: Terms::default(),
        };
        Arc::new(Self {
            parameters: noise_first::choose(terms).unwrap(),
            links: links.collect(),
            rows: RealMatrix::from_vec(rows, COLUMNS as usize, values.collect()).unwrap(),
            proposal,
        })
    }

    pub(crate) fn split() -> Split {
        Split::one_sided(USERS, (0..OPENED).collect()).unwrap()
    }

    pub(crate) fn friends(&self) -> Friends {
        Friends::from_links(USERS, self.links.iter().copied()).unwrap()
    }

    pub(crate) fn seeds(session: u8) -> SessionSeeds {
        SessionSeeds {
            rating: PublicSeed::from_bytes([session; 32]),
            social: PublicSeed::from_bytes([session ^ 0xff; 32]),
        }
    }

    /// Standard deviation of sums from those without noise, in units of σ.
    pub(crate) fn deviation(&self, sums: &RealMatrix) -> f64 {
        let block = self.friends().block(&Self::split()).unwrap();
        let mut clear = vec![0.0; sums.values().len()];
        for (row, sums) in clear.chunks_mut(COLUMNS as usize).enumerate() {
            for &friend in block.row(row) {
                let x = self.rows.row(friend as usize);
                sums.iter_mut().zip(x).for_each(|(sum, x)| *sum += x);
            }
        }
        noise_first::deviation(&self.parameters, sums.values(), &clear)
    }
}

pub(crate) struct Rating(pub(crate) Arc<World>);

impl RatingPlatform for Rating {
    fn training(
        &self,
        _: &ProductParameters,
        _: &[u32],
    ) -> Result<JointTraining, Box<dyn Error + Send + Sync>> {
        Err("nothing is trained".into())
    }

    fn friends_rows(
        &self,
        _: &Parameters,
        opened: &[u32],
        uploaded: &[u32],
    ) -> Result<RealMatrix, Box<dyn Error + Send + Sync>> {
        assert_eq!((opened.len(), uploaded.len()), (70, 110));
        Ok(self.0.rows.clone())
    }

    fn held_out_rmse(&self, _: &Model) -> f64 {
        0.0
    }

    fn make_stock(&self) -> io::Result<Arc<dyn StockStorage>> {
        Err(io::Error::other("no stock"))
    }

    fn reopen_stock(&self) -> io::Result<Arc<dyn StockStorage>> {
        Err(io::Error::other("no stock"))
    }

    fn memory_bytes(&self) -> u64 {
        64 << 20
    }
}

/// P1's file, on a disk that may die.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) file: Arc<Mutex<Option<Vec<u8>>>>,
    pub(crate) life: Life,
}

impl FriendsStorage for Place {
    fn load(&self) -> io::Result<Option<SocialFriendsCheckpoint>> {
        Ok(decode(self.file.lock().unwrap().as_deref()))
    }

    fn save(&self, checkpoint: &SocialFriendsCheckpoint) -> io::Result<()> {
        let encoded = encode(checkpoint);
        self.life.spend(|| {
            *self.file.lock().unwrap() = Some(encoded);
            Ok(())
        })
    }
}

pub(crate) struct Social {
    pub(crate) place: Place,
    pub(crate) counted: Arc<AtomicU32>,
}

impl SocialPlatform for Social {
    fn admission(&self, round: u32) -> Box<dyn Admission> {
        Box::new(Counting {
            life: self.place.life.clone(),
            due: round,
            counted: Arc::clone(&self.counted),
        })
    }

    fn make_stock(&self) -> io::Result<Arc<dyn StockStorage>> {
        Err(io::Error::other("no stock"))
    }

    fn reopen_stock(&self) -> io::Result<Arc<dyn StockStorage>> {
        Err(io::Error::other("no stock"))
    }

    fn friends_storage(&self) -> Arc<dyn FriendsStorage> {
        Arc::new(self.place.clone())
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
