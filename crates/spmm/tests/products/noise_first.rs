//! The noised opening through its endpoints: sums, bytes, faults, and what P1 has on record before
//! anything leaves.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use s3rec_algebra::{PublicSeed, RealMatrix, Seed, Stream};
use s3rec_spmm::noise_first::guarantee::Mu;
use s3rec_spmm::noise_first::{
    self, Friends, Job, Noised, Opening, OpeningRecord, Parameters, Prepared, RatingAnswer,
    RatingKeySetup, RatingKeys, RatingPrepare, Rows, SessionSeeds, Sides, SocialAnswer,
    SocialKeySetup, SocialPrepare, SocialSession, Split, Terms, Upload,
};
use s3rec_spmm::pair::{self, Honest, Interceptor, PairError, Side, Transcript};
use s3rec_spmm::{Endpoint, SpmmError, Step};

use crate::faults::{At, Fault};

/// What P1's record was called with, in order, and what it refuses.
#[derive(Clone, Default)]
struct Record {
    calls: Arc<Mutex<Vec<&'static str>>>,
    refuses: Option<&'static str>,
}

impl Record {
    fn refusing(what: &'static str) -> Record {
        Record {
            refuses: Some(what),
            ..Record::default()
        }
    }

    fn note(&self, what: &'static str) -> Result<(), SpmmError> {
        self.calls.lock().unwrap().push(what);
        match self.refuses == Some(what) {
            true => Err(SpmmError::Refused(what.into())),
            false => Ok(()),
        }
    }

    fn calls(&self) -> Vec<&'static str> {
        self.calls.lock().unwrap().clone()
    }
}

impl OpeningRecord for Record {
    fn bind(&mut self, _: &Opening) -> Result<(), SpmmError> {
        self.note("bind")
    }

    fn permit(&mut self, _: u64, _: &[u8; 32]) -> Result<(), SpmmError> {
        self.note("permit")
    }

    fn count(&mut self, _: u64) -> Result<(), SpmmError> {
        self.note("count")
    }

    fn keep(&mut self, _: u64, _: &Noised) -> Result<(), SpmmError> {
        self.note("keep")
    }
}

/// A-parts as they crossed.
type Masks = Vec<u8>;

struct World {
    parameters: Parameters,
    friends: Friends,
    session: SocialSession,
    keys: Arc<RatingKeys>,
    job: Job,
    rows: Rows,
    upload: Upload,
}

fn seed(tag: u8) -> Seed {
    Seed::from_bytes([tag; 32])
}

impl World {
    fn new(
        sides: Sides,
        (opened, uploaded): (u32, u32),
        interceptor: &mut dyn Interceptor,
    ) -> Result<(World, Transcript), PairError> {
        let parameters = noise_first::choose(Terms {
            sides,
            opened,
            uploaded,
            columns: 12,
            row_norm_bound: 1.0,
            degree_bound: 128,
            mu: Mu::new(1.0).unwrap(),
        })
        .unwrap();
        let split = match sides {
            Sides::One => Split::one_sided(opened + uploaded, (0..opened).collect()).unwrap(),
            Sides::Two => Split::two_sided(opened),
        };
        let users = split.users() as usize;
        let mut draws = vec![0u64; 8 * users];
        Stream::new(&seed(1)).fill_u64(&mut draws);
        let links = draws.chunks_exact(2).map(|pair| {
            let user = |draw: u64| u32::try_from(draw % users as u64).unwrap();
            (user(pair[0]), user(pair[1]))
        });
        let friends = Friends::from_links(u32::try_from(users).unwrap(), links).unwrap();
        let seeds = SessionSeeds {
            rating: PublicSeed::from_bytes([2; 32]),
            social: PublicSeed::from_bytes([3; 32]),
        };
        let keys = Arc::new(RatingKeys::generate(&parameters, &seeds, &seed(4)).unwrap());
        let mut announcing = RatingKeySetup::new(&keys).unwrap();
        let mut receiving = SocialKeySetup::new(&parameters, &seeds).unwrap();
        let transcript = pair::run(&mut announcing, &mut receiving, interceptor)?;
        let session = SocialSession {
            keys: Arc::new(receiving.into_keys().unwrap()),
            users_digest: [5; 32],
            split,
            key: seed(6),
            makers: None,
        };
        let opening = Opening {
            number: 7,
            mask_seed: PublicSeed::from_bytes([8; 32]),
        };
        let uploaded = session.split.uploaded().len();
        let values = (0..uploaded * 12).map(|at| (at % 7) as f64 / 30.0 - 0.1);
        let rows = RealMatrix::from_vec(uploaded, 12, values.collect()).unwrap();
        let rows = Rows::encode(&parameters, &rows).unwrap();
        let job = keys.job(&[5; 32], &session.split, &opening).unwrap();
        let upload = Upload::encrypt(&keys, &job, &rows, &seed(9)).unwrap();
        let world = World {
            parameters,
            friends,
            session,
            keys,
            job,
            rows,
            upload,
        };
        Ok((world, transcript))
    }

    fn small() -> World {
        World::new(Sides::One, (60, 80), &mut Honest).unwrap().0
    }

    fn preparing(&self, record: &Record) -> SocialPrepare {
        SocialPrepare::new(self.session.clone(), &self.friends, record.clone()).unwrap()
    }

    fn prepare(
        &self,
        interceptor: &mut dyn Interceptor,
    ) -> Result<(Masks, Prepared, Transcript), PairError> {
        let mut naming = RatingPrepare::new(&self.parameters, &self.job).unwrap();
        let mut preparing = self.preparing(&Record::default());
        let transcript = pair::run(&mut naming, &mut preparing, interceptor)?;
        let (masks, prepared) = (naming.into_masks(), preparing.into_prepared());
        Ok((masks.unwrap(), prepared.unwrap(), transcript))
    }

    /// Runs the whole opening; the sums and what crossed in its two exchanges.
    fn open(
        &self,
        interceptor: &mut dyn Interceptor,
    ) -> Result<(RealMatrix, [Transcript; 2]), PairError> {
        let (masks, prepared, before) = self.prepare(interceptor)?;
        let mut sending = RatingAnswer::new(&self.keys, &self.upload, masks).unwrap();
        let mut answering = SocialAnswer::new(prepared, Record::default()).unwrap();
        let transcript = pair::run(&mut sending, &mut answering, interceptor)?;
        Ok((sending.into_sums().unwrap(), [before, transcript]))
    }

    fn clear_sums(&self) -> Vec<f64> {
        let encoded = self.rows.as_encoded(&self.parameters);
        let block = self.friends.block(&self.session.split).unwrap();
        let sum = |row: usize, column: usize| {
            let friends = block.row(row).iter();
            friends
                .map(|&friend| encoded[friend as usize * 12 + column])
                .sum()
        };
        (0..block.rows())
            .flat_map(|row| (0..12).map(move |column| (row, column)))
            .map(|(row, column)| sum(row, column))
            .collect()
    }
}

/// The sums with the noise agreed on, and exactly the bytes that the cost model names.
#[test]
fn sums_cross_with_their_noise_in_the_bytes_foretold() {
    for (sides, shape) in [(Sides::One, (300, 500)), (Sides::Two, (400, 400))] {
        let (world, setup) = World::new(sides, shape, &mut Honest).unwrap();
        let (sums, [prepare, answer]) = world.open(&mut Honest).unwrap();
        let deviation =
            noise_first::deviation(&world.parameters, sums.values(), &world.clear_sums());
        // Five standard errors of a standard deviation, and half a percent of rounding.
        let allowed = 5.0 / (2.0 * sums.values().len() as f64).sqrt() + 0.005;
        assert!((deviation - 1.0).abs() < allowed, "{sides:?}: {deviation}");
        let sizes = world.parameters.sizes();
        let crossed = |transcript: &Transcript| {
            [Side::Rating, Side::Social].map(|side| transcript.bytes_from(side))
        };
        for (transcript, up, down) in [
            (setup, sizes.keys, 0),
            (prepare, 8 + 32 + 32, sizes.masks),
            (answer, sizes.upload, sizes.bodies),
        ] {
            assert_eq!(crossed(&transcript), [up as u64, down as u64]);
        }
    }
}

#[test]
fn every_fault_of_an_opening_is_named_by_the_side_that_sees_it() {
    let world = World::small();
    for (step, receiver) in [
        (Step::PublicKey, Side::Social),
        (Step::Opening, Side::Social),
        (Step::Masks, Side::Rating),
        (Step::Bodies, Side::Social),
        (Step::Responses, Side::Rating),
    ] {
        for fault in [
            Fault::Drop,
            Fault::Repeat,
            Fault::Truncate,
            Fault::Extend,
            Fault::Empty,
            Fault::Renumber,
            Fault::Relabel,
        ] {
            let mut at = At::new(step, fault);
            let result = match step {
                Step::PublicKey => World::new(Sides::One, (60, 80), &mut at).map(|_| ()),
                _ => world.open(&mut at).map(|_| ()),
            };
            match result.unwrap_err() {
                PairError::Stalled { rating, social } => {
                    assert_eq!(fault, Fault::Drop);
                    let waiting = [rating, social][usize::from(receiver == Side::Social)];
                    assert_eq!(waiting, Some(step));
                }
                PairError::Failed { side, error } => {
                    assert_eq!(side, receiver, "{fault:?} at {step:?}: {error}");
                    assert!(error.blames_peer(), "{fault:?} at {step:?}: {error}");
                }
            }
        }
    }
}

/// Whatever the record refuses, nothing leaves; and it is told before anything does.
#[test]
fn nothing_leaves_before_it_is_on_record() {
    let world = World::small();
    let name = || {
        let mut naming = RatingPrepare::new(&world.parameters, &world.job).unwrap();
        naming.poll_send().unwrap().unwrap()
    };
    let record = Record::refusing("bind");
    let mut preparing = world.preparing(&record);
    let refused = preparing.receive(name()).unwrap_err();
    assert!(matches!(refused, SpmmError::Refused(_)));
    assert!(preparing.poll_send().is_err(), "sent after a refusal");

    let record = Record::default();
    let mut preparing = world.preparing(&record);
    preparing.receive(name()).unwrap();
    assert_eq!(record.calls(), ["bind"]);
    assert!(preparing.poll_send().unwrap().is_some());

    for (refused, expected) in [
        ("permit", &["permit"][..]),
        ("count", &["permit", "count"]),
        ("keep", &["permit", "count", "keep"]),
    ] {
        let (masks, prepared, _) = world.prepare(&mut Honest).unwrap();
        let record = Record::refusing(refused);
        let mut sending = RatingAnswer::new(&world.keys, &world.upload, masks).unwrap();
        let mut answering = SocialAnswer::new(prepared, record.clone()).unwrap();
        while let Some(frame) = sending.poll_send().unwrap() {
            answering.receive(frame).unwrap();
        }
        let error = answering.poll_send().unwrap_err();
        assert!(matches!(error, SpmmError::Refused(_)), "{error}");
        assert!(answering.poll_send().is_err(), "sent after a refusal");
        assert_eq!(record.calls(), expected);
    }
}

/// When it was counted.
#[derive(Clone, Default)]
struct Timed(Arc<Mutex<Option<Instant>>>);

impl OpeningRecord for Timed {
    fn bind(&mut self, _: &Opening) -> Result<(), SpmmError> {
        Ok(())
    }

    fn permit(&mut self, _: u64, _: &[u8; 32]) -> Result<(), SpmmError> {
        Ok(())
    }

    fn count(&mut self, _: u64) -> Result<(), SpmmError> {
        *self.0.lock().unwrap() = Some(Instant::now());
        Ok(())
    }

    fn keep(&mut self, _: u64, _: &Noised) -> Result<(), SpmmError> {
        Ok(())
    }
}

/// How long an answer takes depends on links and noise, and P0 sees when it was counted: nearly
/// all of the time comes after that. A busy machine gets several tries.
#[test]
fn an_opening_is_counted_before_it_is_computed() {
    let (world, _) = World::new(Sides::One, (2_000, 500), &mut Honest).unwrap();
    let counted_first = (0..5).any(|_| {
        let (masks, prepared, _) = world.prepare(&mut Honest).unwrap();
        let record = Timed::default();
        let mut sending = RatingAnswer::new(&world.keys, &world.upload, masks).unwrap();
        let mut answering = SocialAnswer::new(prepared, record.clone()).unwrap();
        while let Some(frame) = sending.poll_send().unwrap() {
            answering.receive(frame).unwrap();
        }
        let begun = Instant::now();
        answering.poll_send().unwrap().unwrap();
        let (counted, ended) = (record.0.lock().unwrap().unwrap(), Instant::now());
        4 * (counted - begun) < ended - counted
    });
    assert!(counted_first);
}

/// Views of one opening that differ anywhere end before P1 answers, named as the peer's fault.
#[test]
fn sides_that_mean_different_jobs_stop_before_the_answer() {
    let world = World::small();
    let job = |users: u8, split: &Split, number: u64, mask: u8| {
        let mask_seed = PublicSeed::from_bytes([mask; 32]);
        let opening = Opening { number, mask_seed };
        world.keys.job(&[users; 32], split, &opening).unwrap()
    };
    let split = &world.session.split;
    let other_split = Split::one_sided(140, (80..140).collect()).unwrap();
    let is_other = |error: &SpmmError| {
        let other = matches!(
            error,
            SpmmError::NoiseFirst(noise_first::NoiseFirstError::OtherJob { .. })
        );
        other && error.blames_peer()
    };
    assert_eq!(job(5, split, 7, 8), world.job);
    // P1 learns number and seed from the message; all else it knows better.
    for other in [job(4, split, 7, 8), job(5, &other_split, 7, 8)] {
        let mut naming = RatingPrepare::new(&world.parameters, &other).unwrap();
        let record = Record::default();
        let mut preparing = world.preparing(&record);
        let frame = naming.poll_send().unwrap().unwrap();
        assert!(is_other(&preparing.receive(frame).unwrap_err()));
        assert!(record.calls().is_empty(), "bound another job");
    }
    for other in [
        job(4, split, 7, 8),
        job(5, &other_split, 7, 8),
        job(5, split, 6, 8),
        job(5, split, 7, 9),
    ] {
        let (masks, prepared, _) = world.prepare(&mut Honest).unwrap();
        let upload = Upload::encrypt(&world.keys, &other, &world.rows, &seed(9)).unwrap();
        let mut sending = RatingAnswer::new(&world.keys, &upload, masks).unwrap();
        let record = Record::default();
        let mut answering = SocialAnswer::new(prepared, record.clone()).unwrap();
        while let Some(frame) = sending.poll_send().unwrap() {
            answering.receive(frame).unwrap();
        }
        assert!(is_other(&answering.poll_send().unwrap_err()));
        assert!(record.calls().is_empty(), "permitted another job");
    }
}

/// A kept answer goes out again as it was, to its own upload alone.
#[test]
fn an_answer_is_sent_again_byte_for_byte_to_its_own_upload() {
    let world = World::small();
    let digest = *blake3::hash(world.upload.bytes()).as_bytes();
    let kept = vec![3; world.parameters.sizes().bodies];
    let again = |upload: &Upload| {
        let noised = Noised::from_bytes(kept.clone());
        let mut sending = RatingAnswer::new(&world.keys, upload, Vec::new()).unwrap();
        let mut answering =
            SocialAnswer::again(&world.parameters, 7, digest, noised, Record::default()).unwrap();
        pair::run(&mut sending, &mut answering, &mut Sent)
    };
    assert_eq!(
        again(&world.upload).unwrap().bytes_from(Side::Social),
        kept.len() as u64
    );
    let mut other = world.upload.bytes().to_vec();
    other[0] ^= 1;
    let refused = again(&Upload::from_bytes(other)).unwrap_err();
    assert!(matches!(
        refused,
        PairError::Failed {
            side: Side::Social,
            ..
        }
    ));
}

/// P1's payloads are the kept bytes.
struct Sent;

impl Interceptor for Sent {
    fn intercept(&mut self, from: Side, frame: s3rec_spmm::Frame) -> Vec<s3rec_spmm::Frame> {
        if from == Side::Social {
            assert!(frame.payload.iter().all(|&byte| byte == 3));
        }
        vec![frame]
    }
}
