//! One opening of friends' sums (`noise-first`): what either platform does with the other's bytes, as
//! frames that begin from nothing and as whole messages in which a few bytes are changed.

#![expect(
    clippy::unwrap_used,
    reason = "the world of these tests is honest; only the bytes are hostile"
)]

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};

use s3rec_algebra::{PublicSeed, RealMatrix, Seed};
use s3rec_fuzz::{attack, edited, frames};
use s3rec_spmm::noise_first::guarantee::Mu;
use s3rec_spmm::noise_first::{
    self, Friends, Job, Noised, Opening, OpeningRecord, Parameters, RatingAnswer, RatingKeys,
    RatingPrepare, Rows, SessionSeeds, Sides, SocialAnswer, SocialKeySetup, SocialKeys,
    SocialPrepare, SocialSession, Split, Terms, Upload,
};
use s3rec_spmm::{Endpoint, SpmmError};

const OPENED: u32 = 6;
const UPLOADED: u32 = 10;
const USERS_DIGEST: [u8; 32] = [5; 32];

/// A job whose keys were exchanged, and the messages of its opening.
struct World {
    parameters: Parameters,
    seeds: SessionSeeds,
    keys: Arc<RatingKeys>,
    /// Whoever makes packs might not outlive a panic in good order; here nobody does.
    session: AssertUnwindSafe<SocialSession>,
    friends: Friends,
    job: Job,
    upload: Upload,
    masks: Vec<u8>,
    noised: Vec<u8>,
}

/// Allows everything: what is fuzzed is what comes before and after.
struct Allows;

impl OpeningRecord for Allows {
    fn bind(&mut self, _: &Opening) -> Result<(), SpmmError> {
        Ok(())
    }

    fn permit(&mut self, _: u64, _: &[u8; 32]) -> Result<(), SpmmError> {
        Ok(())
    }

    fn count(&mut self, _: u64) -> Result<(), SpmmError> {
        Ok(())
    }

    fn keep(&mut self, _: u64, _: &Noised) -> Result<(), SpmmError> {
        Ok(())
    }
}

impl World {
    fn new() -> Self {
        let parameters = noise_first::choose(Terms {
            sides: Sides::One,
            opened: OPENED,
            uploaded: UPLOADED,
            columns: 2,
            row_norm_bound: 1.0,
            degree_bound: 16,
            mu: Mu::new(1.0).unwrap(),
        })
        .unwrap();
        let users = OPENED + UPLOADED;
        let split = Split::one_sided(users, (0..OPENED).collect()).unwrap();
        let links = (0..users).map(|user| (user, (user * 7 + 3) % users));
        let friends = Friends::from_links(users, links).unwrap();
        let seeds = SessionSeeds {
            rating: PublicSeed::from_bytes([2; 32]),
            social: PublicSeed::from_bytes([3; 32]),
        };
        let keys = RatingKeys::generate(&parameters, &seeds, &Seed::from_bytes([4; 32])).unwrap();
        let session = SocialSession {
            keys: Arc::new(SocialKeys::accept(&parameters, &seeds, keys.message()).unwrap()),
            users_digest: USERS_DIGEST,
            split,
            key: Seed::from_bytes([6; 32]),
            makers: None,
        };
        let opening = Opening {
            number: 7,
            mask_seed: PublicSeed::from_bytes([8; 32]),
        };
        let job = keys.job(&USERS_DIGEST, &session.split, &opening).unwrap();
        let rows = RealMatrix::zeros(UPLOADED as usize, 2);
        let rows = Rows::encode(&parameters, &rows).unwrap();
        let upload = Upload::encrypt(&keys, &job, &rows, &Seed::from_bytes([9; 32])).unwrap();
        let mut world = Self {
            parameters,
            seeds,
            keys: Arc::new(keys),
            session: AssertUnwindSafe(session),
            friends,
            job,
            upload,
            masks: Vec::new(),
            noised: Vec::new(),
        };
        let prepared = world.prepared();
        world.masks = prepared.masks().to_vec();
        let answer = noise_first::answer(prepared, &world.upload).unwrap();
        world.noised = answer.bytes().to_vec();
        world
    }

    fn preparing(&self) -> SocialPrepare {
        SocialPrepare::new(self.session.clone(), &self.friends, Allows).unwrap()
    }

    fn naming(&self) -> RatingPrepare {
        RatingPrepare::new(&self.parameters, &self.job).unwrap()
    }

    fn prepared(&self) -> noise_first::Prepared {
        let (mut naming, mut preparing) = (self.naming(), self.preparing());
        while let Some(frame) = naming.poll_send().unwrap() {
            preparing.receive(frame).unwrap();
        }
        while preparing.poll_send().unwrap().is_some() {}
        preparing.into_prepared().unwrap()
    }
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(World::new)
}

#[test]
fn frames_at_the_social_platform() {
    let world = world();
    bolero::check!()
        .with_iterations(200)
        .for_each(|input: &[u8]| {
            let keys = SocialKeySetup::new(&world.parameters, &world.seeds).unwrap();
            attack(keys, frames(input, 16));
            attack(world.preparing(), frames(input, 1));
            let answering = SocialAnswer::new(world.prepared(), Allows).unwrap();
            attack(answering, frames(input, 16));
        });
}

#[test]
fn frames_at_the_rating_platform() {
    let world = world();
    bolero::check!()
        .with_iterations(200)
        .for_each(|input: &[u8]| {
            attack(world.naming(), frames(input, 16));
            let masks = world.masks.clone();
            let asking = RatingAnswer::new(&world.keys, &world.upload, masks).unwrap();
            attack(asking, frames(input, 16));
        });
}

/// Keys and an upload of the right length or another, in which some bytes are the peer's choice.
#[test]
fn messages_at_the_social_platform() {
    let world = world();
    bolero::check!()
        .with_type::<(Vec<(u16, u8)>, Vec<u8>)>()
        .with_iterations(200)
        .for_each(|(edits, tail)| {
            let keys = edited(world.keys.message(), edits, tail);
            let accepted = SocialKeys::accept(&world.parameters, &world.seeds, &keys);
            assert!(accepted.is_err() || keys.len() == world.keys.message().len());
            let upload = edited(world.upload.bytes(), edits, tail);
            let length = upload.len();
            let answered = noise_first::answer(world.prepared(), &Upload::from_bytes(upload));
            assert!(answered.is_err() || length == world.upload.bytes().len());
        });
}

/// A-parts and an answer likewise.
#[test]
fn messages_at_the_rating_platform() {
    let world = world();
    bolero::check!()
        .with_type::<(Vec<(u16, u8)>, Vec<u8>)>()
        .with_iterations(200)
        .for_each(|(edits, tail)| {
            let masks = edited(&world.masks, edits, tail);
            let noised = edited(&world.noised, edits, tail);
            let whole = noised.len() == world.noised.len() && masks.len() == world.masks.len();
            let decoded = noise_first::decode(&world.keys, &masks, &noised);
            assert!(decoded.is_err() || whole);
        });
}
