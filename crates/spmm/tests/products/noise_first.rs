//! The noised opening through its endpoints: sums, bytes, faults, and what P1 has on record before
//! anything leaves.

use std::sync::{Arc, Mutex};

use s3rec_algebra::{PublicSeed, RealMatrix, Seed, Stream};
use s3rec_spmm::noise_first::guarantee::Mu;
use s3rec_spmm::noise_first::{
    self, Friends, Noised, Opening, OpeningRecord, Parameters, Prepared, RatingAnswer,
    RatingKeySetup, RatingKeys, RatingPrepare, Rows, SessionSeeds, Sides, SocialAnswer,
    SocialKeySetup, SocialPrepare, SocialSession, Terms, Upload,
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

    fn count(&mut self, _: u64, _: &Noised) -> Result<(), SpmmError> {
        self.note("count")
    }
}

/// A-parts as they crossed.
type Masks = Vec<u8>;

struct World {
    parameters: Parameters,
    friends: Friends,
    session: SocialSession,
    keys: Arc<RatingKeys>,
    opening: Opening,
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
        let first = match sides {
            Sides::One => opened,
            Sides::Two => 0,
        };
        let (opened, uploaded): (Vec<u32>, Vec<u32>) =
            ((0..opened).collect(), (first..first + uploaded).collect());
        let users = opened.len().max(first as usize + uploaded.len());
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
            seeds,
            users_digest: [5; 32],
            opened,
            uploaded,
            key: seed(6),
        };
        let opening = Opening {
            number: 7,
            mask_seed: PublicSeed::from_bytes([8; 32]),
        };
        let values = (0..session.uploaded.len() * 12).map(|at| (at % 7) as f64 / 30.0 - 0.1);
        let rows = RealMatrix::from_vec(session.uploaded.len(), 12, values.collect()).unwrap();
        let rows = Rows::encode(&parameters, &rows).unwrap();
        let upload = Upload::encrypt(&keys, &seeds, &opening, &rows, &seed(9)).unwrap();
        let world = World {
            parameters,
            friends,
            session,
            keys,
            opening,
            rows,
            upload,
        };
        Ok((world, transcript))
    }

    fn small() -> World {
        World::new(Sides::One, (60, 80), &mut Honest).unwrap().0
    }

    fn preparing(&self, record: &Record) -> SocialPrepare {
        let (opened, uploaded) = (&self.session.opened, &self.session.uploaded);
        let block = self.friends.block(opened, uploaded).unwrap();
        SocialPrepare::new(self.session.clone(), block, record.clone()).unwrap()
    }

    fn prepare(
        &self,
        interceptor: &mut dyn Interceptor,
    ) -> Result<(Masks, (u64, Prepared), Transcript), PairError> {
        let mut naming = RatingPrepare::new(&self.parameters, &self.opening).unwrap();
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
        let mut answering =
            SocialAnswer::new(&self.parameters, prepared, Record::default()).unwrap();
        let transcript = pair::run(&mut sending, &mut answering, interceptor)?;
        Ok((sending.into_sums().unwrap(), [before, transcript]))
    }

    fn clear_sums(&self) -> Vec<f64> {
        let encoded = self.rows.as_encoded(&self.parameters);
        let (opened, uploaded) = (&self.session.opened, &self.session.uploaded);
        let block = self.friends.block(opened, uploaded).unwrap();
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
            (prepare, 8 + 32, sizes.masks),
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
        let mut naming = RatingPrepare::new(&world.parameters, &world.opening).unwrap();
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

    for (refused, expected) in [("permit", &["permit"][..]), ("count", &["permit", "count"])] {
        let (masks, prepared, _) = world.prepare(&mut Honest).unwrap();
        let record = Record::refusing(refused);
        let mut sending = RatingAnswer::new(&world.keys, &world.upload, masks).unwrap();
        let mut answering = SocialAnswer::new(&world.parameters, prepared, record.clone()).unwrap();
        while let Some(frame) = sending.poll_send().unwrap() {
            answering.receive(frame).unwrap();
        }
        let error = answering.poll_send().unwrap_err();
        assert!(matches!(error, SpmmError::Refused(_)), "{error}");
        assert!(answering.poll_send().is_err(), "sent after a refusal");
        assert_eq!(record.calls(), expected);
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
        let mut answering = SocialAnswer::again(&world.parameters, digest, noised).unwrap();
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
