use std::sync::Mutex;
use std::time::{Duration, Instant};

use s3rec_algebra::PublicSeed;
use s3rec_spmm::noise_first::{self, OpeningRecord, RatingKeys};
use s3rec_spmm::preprocessed::StockStorage;
use s3rec_spmm::{Admission, Asked, FriendsRelease, SpmmError, WorkingSpace};

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

/// What is on disk, where others may write too.
#[derive(Default)]
struct Kept(Mutex<Option<SocialFriendsCheckpoint>>);

impl FriendsStorage for Kept {
    fn load(&self) -> io::Result<Option<SocialFriendsCheckpoint>> {
        Ok(self.0.lock().unwrap().as_ref().map(copy))
    }

    fn save(&self, checkpoint: &SocialFriendsCheckpoint) -> io::Result<()> {
        *self.0.lock().unwrap() = Some(copy(checkpoint));
        Ok(())
    }
}

fn copy(of: &SocialFriendsCheckpoint) -> SocialFriendsCheckpoint {
    SocialFriendsCheckpoint {
        peer: of.peer.clone(),
        parameters: of.parameters,
        rows: of.rows.clone(),
        parameters_digest: of.parameters_digest,
        sides: of.sides,
        opened: of.opened.clone(),
        users_digest: of.users_digest,
        seeds: of.seeds,
        keys: of.keys.clone(),
        key: Secret(of.key.0),
        links: of.links,
        opening: of.opening,
        upload: of.upload,
        answer: of.answer.clone(),
    }
}

/// Digests of what was counted.
#[derive(Clone, Default)]
struct Counted(Arc<Mutex<Vec<[u8; 32]>>>);

impl Admission for Counted {
    fn named(&mut self, _: u32) -> Result<(), SpmmError> {
        Ok(())
    }

    fn permit(&mut self, _: &Asked) -> Result<(), SpmmError> {
        Ok(())
    }

    fn count(&mut self, asked: &Asked) -> Result<(), SpmmError> {
        self.0.lock().unwrap().push(asked.digest);
        Ok(())
    }
}

/// A call of a connection that was given up writes its own upload over that of the call under way, at
/// whichever place: what is counted and kept is the upload that was permitted, or nothing is.
#[test]
fn an_upload_that_was_written_over_is_neither_counted_nor_kept() {
    const OURS: [u8; 32] = [1; 32];
    const STALE: [u8; 32] = [2; 32];
    let release = FriendsRelease {
        mu: 1.0,
        sides: Sides::One,
        few_below: 5,
        calibration_share: 0.2,
        most_opened: OPENED,
        row_norm_bound: 1.0,
    };
    let terms = release.terms((OPENED, USERS - OPENED), 4, 100).unwrap();
    let seed = PublicSeed::from_bytes([1; 32]);
    let named = SocialFriendsCheckpoint {
        peer: "rating".into(),
        parameters: noise_first::choose(terms).unwrap(),
        rows: Vec::new(),
        parameters_digest: [0; 32],
        sides: Sides::One,
        opened: Vec::new(),
        users_digest: [0; 32],
        seeds: SessionSeeds {
            rating: seed,
            social: seed,
        },
        keys: Vec::new(),
        key: Secret([0; 32]),
        links: [0; 32],
        opening: Some(Opening {
            number: 1,
            mask_seed: seed,
        }),
        upload: None,
        answer: None,
    };
    let noised = Noised::from_bytes(vec![7]);
    for written_over in [0, 1, 2] {
        let (storage, counted) = (Arc::new(Kept::default()), Counted::default());
        storage.save(&named).unwrap();
        let stale = || {
            let mut stale = copy(&named);
            stale.upload = Some(STALE);
            storage.save(&stale).unwrap();
        };
        let at: Arc<dyn FriendsStorage> = Arc::clone(&storage) as _;
        let mut record = Answering::new(at, Box::new(counted.clone()), vec![8]);
        // Out of turn there is nothing to count or keep.
        assert!(record.count(1).is_err() && record.keep(1, &noised).is_err());
        record.permit(1, &OURS).unwrap();
        if written_over == 1 {
            stale();
        }
        assert_eq!(record.count(1).is_ok(), written_over != 1);
        if written_over == 2 {
            stale();
        }
        assert_eq!(record.keep(1, &noised).is_ok(), written_over == 0);
        let counted = counted.0.lock().unwrap().clone();
        assert!(counted.iter().all(|digest| *digest == OURS));
        assert_eq!(counted.len(), usize::from(written_over != 1));
        let kept = storage.load().unwrap().unwrap();
        assert_eq!(kept.answer.is_some(), written_over == 0);
    }
}
