use std::time::{Duration, Instant};

use s3rec_algebra::PublicSeed;
use s3rec_spmm::FriendsRelease;
use s3rec_spmm::WorkingSpace;
use s3rec_spmm::noise_first::{self, RatingKeys};
use s3rec_spmm::preprocessed::StockStorage;

use super::*;
use crate::social::{Call, SocialPlatform};
use crate::{JobId, Phase};

const USERS: u32 = 3000;
const OPENED: u32 = 1500;

/// A platform that keeps nothing.
struct Nowhere;

impl FriendsStorage for Nowhere {
    fn load(&self) -> io::Result<Option<SocialFriendsCheckpoint>> {
        Ok(None)
    }

    fn save(&self, _: &SocialFriendsCheckpoint) -> io::Result<()> {
        Ok(())
    }
}

impl SocialPlatform for Nowhere {
    fn admission(&self, _: u32) -> Box<dyn Admission> {
        unreachable!("nothing is answered")
    }

    fn make_stock(&self) -> io::Result<Arc<dyn StockStorage>> {
        Err(io::Error::other("no stock"))
    }

    fn reopen_stock(&self) -> io::Result<Arc<dyn StockStorage>> {
        Err(io::Error::other("no stock"))
    }

    fn friends_storage(&self) -> Arc<dyn FriendsStorage> {
        Arc::new(Self)
    }

    fn space(&self) -> WorkingSpace {
        WorkingSpace {
            memory_limit_bytes: 1 << 20,
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

/// Between P0's keys and its naming of the opening nothing is padded: millions of links take as long
/// there as none.
#[test]
fn what_comes_before_the_a_parts_takes_no_time_that_follows_the_links() {
    let release = FriendsRelease {
        mu: 1.0,
        sides: Sides::One,
        few_below: 5,
        calibration_share: 0.2,
        most_opened: OPENED,
        row_norm_bound: 1.0,
    };
    let terms = release.terms((OPENED, USERS - OPENED), 4, OPENED).unwrap();
    let parameters = noise_first::choose(terms).unwrap();
    let seeds = SessionSeeds {
        rating: PublicSeed::from_bytes([1; 32]),
        social: PublicSeed::from_bytes([2; 32]),
    };
    let rating = RatingKeys::generate(&parameters, &seeds, &Seed::from_bytes([3; 32])).unwrap();
    let message = rating.message().to_vec();
    let keys = Arc::new(SocialKeys::accept(&parameters, &seeds, &message).unwrap());
    let split = Split::one_sided(USERS, (0..OPENED).collect()).unwrap();
    let everybody = (0..OPENED).flat_map(|user| (OPENED..USERS).map(move |friend| (user, friend)));
    let takes = |friends: &Friends| -> Duration {
        let once = || {
            let key = Seed::from_bytes([4; 32]);
            let block = friends.block(&split).unwrap();
            let keyed = Keyed {
                agreed: FriendsAgreed {
                    parameters,
                    parameters_digest: parameters.digest(),
                    split: split.clone(),
                    seeds,
                    users_digest: [5; 32],
                    rows: Arc::new((0..USERS).collect()),
                    links: block.digest(&key),
                    block,
                    key,
                },
                keys: Arc::clone(&keys),
                message: message.clone(),
            };
            let about = About {
                platform: Arc::new(Nowhere),
                job: JobId::random(),
                call: Call {
                    phase: Phase::Offline,
                    round: 0,
                    parameters_digest: parameters.digest(),
                    goes_on: false,
                },
            };
            let began = Instant::now();
            let prepared = about.prepare_friends(keyed);
            let took = began.elapsed();
            assert!(prepared.is_ok());
            took
        };
        (0..5).map(|_| once()).min().unwrap()
    };
    let none = Friends::from_links(USERS, []).unwrap();
    let all = Friends::from_links(USERS, everybody).unwrap();
    let (of_none, of_all) = (takes(&none), takes(&all));
    // To restrict and hash two million links takes several times as long.
    let allowed = of_none + Duration::from_millis(3);
    assert!(
        of_all < allowed,
        "{of_none:?} without links, {of_all:?} with all"
    );
}
