//! The exchanges of `noise-first` as endpoints: keys once a session; then, for each opening, the
//! a-parts and the answer.
//!
//! | exchange | P0 → P1 | P1 → P0 |
//! |---|---|---|
//! | [`RatingKeySetup`], [`SocialKeySetup`] | keys ([`Step::PublicKey`]) | |
//! | [`RatingPrepare`], [`SocialPrepare`] | number, mask seed, job digest ([`Step::Opening`]) | a-parts ([`Step::Masks`]) |
//! | [`RatingAnswer`], [`SocialAnswer`] | job digest, bodies ([`Step::Bodies`]) | noised bodies ([`Step::Responses`]) |
//!
//! P0 has an [`Opening`] and an [`Upload`] on disk before it makes the endpoint that sends them. What
//! P1 must have on disk before anything leaves, it says to an [`OpeningRecord`].

use std::sync::Arc;

use s3rec_algebra::{PublicSeed, RealMatrix, Seed};

use super::prepare::LeftOut;
use super::{
    Block, Friends, Job, NoiseFirstError, Noised, Opening, PackMakers, Parameters, Prepared,
    RatingKeys, SessionSeeds, SocialKeys, Split, Upload, answer, decode,
};
use crate::chunks::Chunks;
use crate::exchange::{Runner, State, endpoints};
use crate::pair::Side;
use crate::schedule::{Part, Schedule};
use crate::{SpmmError, Step};

/// Number, mask seed and job digest.
const OPENING_BYTES: usize = 8 + 32 + 32;

/// What P1 keeps of an opening, durably when each call returns; an error ends the exchange, and
/// nothing leaves.
pub trait OpeningRecord: Send {
    /// Binds the opening's number to its mask seed.
    ///
    /// # Errors
    /// [`SpmmError::Refused`] for a number bound to another seed, and for a seed seen before.
    fn bind(&mut self, opening: &Opening) -> Result<(), SpmmError>;

    /// Binds the opening to the upload of this digest, and says whether it may be answered.
    ///
    /// # Errors
    /// [`SpmmError::Refused`] for another upload under the same number, and beyond consent.
    fn permit(&mut self, number: u64, upload: &[u8; 32]) -> Result<(), SpmmError>;

    /// Counts the answer, before it is computed: how long that takes depends on links and noise,
    /// and when it was counted shows none of it.
    ///
    /// # Errors
    /// [`SpmmError::Refused`] where it cannot be counted.
    fn count(&mut self, number: u64) -> Result<(), SpmmError>;

    /// Keeps the answer's bytes: it is sent again from there, never computed anew.
    ///
    /// # Errors
    /// [`SpmmError::Refused`] where another one is kept, [`SpmmError::Storage`].
    fn keep(&mut self, number: u64, answer: &Noised) -> Result<(), SpmmError>;
}

/// Keys.
fn keys_schedule(parameters: &Parameters) -> Result<Schedule, SpmmError> {
    let keys = Chunks::new(Step::PublicKey, 1, parameters.sizes().keys)?;
    Ok(Schedule::of(Part::new(Side::Rating, keys)))
}

/// Number, mask seed and job digest, then the a-parts.
fn prepare_schedule(parameters: &Parameters) -> Result<Schedule, SpmmError> {
    let opening = Chunks::message::<OPENING_BYTES>(Step::Opening);
    let masks = Chunks::new(Step::Masks, 1, parameters.sizes().masks)?;
    Ok(Schedule::of(Part::new(Side::Rating, opening)).then(Part::new(Side::Social, masks)))
}

/// Job digest and bodies, then noised bodies.
fn answer_schedule(parameters: &Parameters) -> Result<Schedule, SpmmError> {
    let bodies = Chunks::new(Step::Bodies, 1, parameters.sizes().upload)?;
    let noised = Chunks::new(Step::Responses, 1, parameters.sizes().bodies)?;
    Ok(Schedule::of(Part::new(Side::Rating, bodies)).then(Part::new(Side::Social, noised)))
}

/// P0 sends the session's keys.
pub struct RatingKeySetup(Runner<(), ()>);

impl RatingKeySetup {
    /// Announces `keys`.
    ///
    /// # Errors
    /// Sizes that no frame carries.
    pub fn new(keys: &RatingKeys) -> Result<Self, SpmmError> {
        let schedule = keys_schedule(keys.parameters())?;
        let sending = State::bytes(keys.message().to_vec(), State::Finished(()));
        Ok(Self(Runner::rating(schedule, (), sending)))
    }
}

/// P1 receives the session's keys.
pub struct SocialKeySetup(Runner<(Parameters, SessionSeeds), Vec<u8>>);

impl SocialKeySetup {
    /// Waits for P0's keys under both sides' `seeds`.
    ///
    /// # Errors
    /// Parameters that do not keep the conditions.
    pub fn new(parameters: &Parameters, seeds: &SessionSeeds) -> Result<Self, SpmmError> {
        parameters.validate()?;
        let schedule = keys_schedule(parameters)?;
        let receiving = State::collect(|_, keys| Ok(State::Finished(keys)));
        let agreed = (*parameters, *seeds);
        Ok(Self(Runner::social(schedule, agreed, receiving)))
    }

    /// The keys as they were sent, once all frames are here: for [`SocialKeys::accept`].
    ///
    /// # Errors
    /// [`SpmmError::Unfinished`].
    pub fn into_message(self) -> Result<Vec<u8>, SpmmError> {
        Ok(self.0.finish()?.1)
    }

    /// The keys, once all frames are here.
    ///
    /// # Errors
    /// [`SpmmError::Unfinished`]; what decoding the peer's bytes reports.
    pub fn into_keys(self) -> Result<SocialKeys, SpmmError> {
        let ((parameters, seeds), keys) = self.0.finish()?;
        Ok(SocialKeys::accept(&parameters, &seeds, &keys)?)
    }
}

/// P0 names an opening and receives its a-parts.
pub struct RatingPrepare(Runner<(), Vec<u8>>);

impl RatingPrepare {
    /// Names `job`, whose opening is on disk and was never used.
    ///
    /// # Errors
    /// Sizes that no frame carries.
    pub fn new(parameters: &Parameters, job: &Job) -> Result<Self, SpmmError> {
        let opening = job.opening();
        let number = opening.number.to_le_bytes();
        let seed = opening.mask_seed.as_bytes();
        let named = [number.as_slice(), seed, job.digest()].concat();
        let receiving = State::collect(|(), masks| Ok(State::Finished(masks)));
        Ok(Self(Runner::rating(
            prepare_schedule(parameters)?,
            (),
            State::bytes(named, receiving),
        )))
    }

    /// The a-parts, for [`RatingAnswer`].
    ///
    /// # Errors
    /// [`SpmmError::Unfinished`] before the last frame.
    pub fn into_masks(self) -> Result<Vec<u8>, SpmmError> {
        let ((), masks) = self.0.finish()?;
        Ok(masks)
    }
}

/// What P1's openings of one session are made under.
#[derive(Clone)]
pub struct SocialSession {
    /// P0's keys.
    pub keys: Arc<SocialKeys>,
    /// Digest of the common users in their order.
    pub users_digest: [u8; 32],
    /// Who is opened and whose rows are uploaded.
    pub split: Split,
    /// P1's secret, of which all its randomness is derived.
    pub key: Seed,
    /// Who makes the packs; this process, where nobody is named.
    pub makers: Option<Arc<dyn PackMakers>>,
}

/// P1 prepares an opening before any row of P0 exists.
pub struct SocialPrepare(Runner<Preparing, Prepared>);

struct Preparing {
    session: SocialSession,
    record: Box<dyn OpeningRecord>,
}

impl SocialPrepare {
    /// Waits for an opening's name, and will make its a-parts of the links in `friends`
    /// as they are now.
    ///
    /// # Errors
    /// A split that is not the terms' or of other users. Sizes that no frame carries.
    pub fn new(
        session: SocialSession,
        friends: &Friends,
        record: impl OpeningRecord + 'static,
    ) -> Result<Self, SpmmError> {
        let block = friends.block(&session.split)?;
        Self::of_block(session, block, record)
    }

    /// The same of links that were restricted to the session's split before: nothing of it takes a
    /// time that follows them until the opening is named.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn of_block(
        session: SocialSession,
        block: Block,
        record: impl OpeningRecord + 'static,
    ) -> Result<Self, SpmmError> {
        let schedule = prepare_schedule(session.keys.parameters())?;
        session.split.check(session.keys.parameters().terms())?;
        let (expected, actual) = (session.split.opened().len(), block.rows());
        if expected != actual {
            let what = "the number of opened users";
            return Err(NoiseFirstError::Shape {
                what,
                expected,
                actual,
            }
            .into());
        }
        let preparing = Preparing {
            session,
            record: Box::new(record),
        };
        let waiting = State::take(|preparing: &mut Preparing, named| {
            let job = preparing.bind(named)?;
            Ok(State::compute(move |preparing: &mut Preparing| {
                let prepared = preparing.session.prepare(job, block)?;
                let masks = prepared.masks().to_vec();
                Ok(State::bytes(masks, State::Finished(prepared)))
            }))
        });
        Ok(Self(Runner::social(schedule, preparing, waiting)))
    }

    /// What the opening's one answer is made of.
    ///
    /// # Errors
    /// [`SpmmError::Unfinished`] before the last frame.
    pub fn into_prepared(self) -> Result<Prepared, SpmmError> {
        let (_, prepared) = self.0.finish()?;
        Ok(prepared)
    }
}

/// P1 names the a-parts of an answered opening once more, as they are kept: nothing is made anew.
pub struct SocialPrepareAgain(Runner<Preparing, ()>);

impl SocialPrepareAgain {
    /// Waits for the name of the opening that `masks` belong to.
    ///
    /// # Errors
    /// A split that is not the terms'. Sizes that no frame carries.
    pub fn new(
        session: SocialSession,
        masks: Vec<u8>,
        record: impl OpeningRecord + 'static,
    ) -> Result<Self, SpmmError> {
        let schedule = prepare_schedule(session.keys.parameters())?;
        session.split.check(session.keys.parameters().terms())?;
        let preparing = Preparing {
            session,
            record: Box::new(record),
        };
        let waiting = State::take(|preparing: &mut Preparing, named| {
            preparing.bind(named)?;
            Ok(State::bytes(masks, State::Finished(())))
        });
        Ok(Self(Runner::social(schedule, preparing, waiting)))
    }
}

impl Preparing {
    /// Takes the opening's name: it is of this very job, and its record allows it.
    fn bind(&mut self, named: &[u8]) -> Result<Job, SpmmError> {
        let (opening, digest) = read(named)?;
        let job = self.session.job(&opening)?;
        if *job.digest() != digest {
            let message = "the opening";
            return Err(NoiseFirstError::OtherJob { message }.into());
        }
        self.record.bind(&opening)?;
        Ok(job)
    }
}

impl SocialSession {
    fn job(&self, opening: &Opening) -> Result<Job, SpmmError> {
        Ok(self.keys.job(&self.users_digest, &self.split, opening)?)
    }

    fn prepare(&self, job: Job, block: Block) -> Result<Prepared, SpmmError> {
        let (keys, key) = (&self.keys, &self.key);
        match &self.makers {
            Some(makers) => Prepared::by(makers.as_ref(), keys, job, block, key),
            None => Ok(Prepared::of(keys, job, block, key, LeftOut::default())),
        }
    }
}

/// An opening and P0's digest of its job.
fn read(named: &[u8]) -> Result<(Opening, [u8; 32]), SpmmError> {
    let malformed = || SpmmError::Malformed {
        step: Step::Opening,
    };
    let (number, rest) = named.split_first_chunk().ok_or_else(malformed)?;
    let (seed, digest) = rest.split_first_chunk().ok_or_else(malformed)?;
    let opening = Opening {
        number: u64::from_le_bytes(*number),
        mask_seed: PublicSeed::from_bytes(*seed),
    };
    Ok((opening, digest.try_into().map_err(|_| malformed())?))
}

/// P0 uploads its rows and receives the noised sums.
pub struct RatingAnswer(Runner<Opened, Vec<u8>>);

struct Opened {
    keys: Arc<RatingKeys>,
    masks: Vec<u8>,
}

impl RatingAnswer {
    /// Sends `upload`, which is on disk, to have it added up under the a-parts `masks`.
    ///
    /// # Errors
    /// Sizes that no frame carries.
    pub fn new(keys: &Arc<RatingKeys>, upload: &Upload, masks: Vec<u8>) -> Result<Self, SpmmError> {
        let schedule = answer_schedule(keys.parameters())?;
        let receiving = State::collect(|_, noised| Ok(State::Finished(noised)));
        let sending = State::bytes(upload.bytes().to_vec(), receiving);
        let opened = Opened {
            keys: Arc::clone(keys),
            masks,
        };
        Ok(Self(Runner::rating(schedule, opened, sending)))
    }

    /// |O| × C noised sums, in units of x.
    ///
    /// # Errors
    /// [`SpmmError::Unfinished`] before the last frame; what decoding the peer's bytes reports.
    pub fn into_sums(self) -> Result<RealMatrix, SpmmError> {
        let (Opened { keys, masks }, noised) = self.0.finish()?;
        Ok(decode(&keys, &masks, &noised)?)
    }
}

/// P1 adds up an upload's rows, with noise.
pub struct SocialAnswer(Runner<(), ()>);

impl SocialAnswer {
    /// Waits for the upload of the opening that `prepared` is of.
    ///
    /// # Errors
    /// Sizes that no frame carries.
    pub fn new(
        prepared: Prepared,
        mut record: impl OpeningRecord + 'static,
    ) -> Result<Self, SpmmError> {
        let schedule = answer_schedule(&prepared.parameters)?;
        let number = prepared.job().opening().number;
        let receiving = State::collect(move |(), upload| {
            Ok(State::compute(move |()| {
                let upload = Upload::from_bytes(upload);
                // The number is not spent on what belongs to another.
                prepared.expect(&upload)?;
                record.permit(number, blake3::hash(upload.bytes()).as_bytes())?;
                record.count(number)?;
                let noised = answer(prepared, &upload)?;
                record.keep(number, &noised)?;
                Ok(State::bytes(noised.bytes().to_vec(), State::Finished(())))
            }))
        });
        Ok(Self(Runner::social(schedule, (), receiving)))
    }

    /// Sends an answer that was kept once more, to the very upload that it answers. The record is
    /// asked and told as the first time: what was kept and not counted is counted now.
    ///
    /// # Errors
    /// Sizes that no frame carries.
    pub fn again(
        parameters: &Parameters,
        number: u64,
        upload_digest: [u8; 32],
        noised: Noised,
        mut record: impl OpeningRecord + 'static,
    ) -> Result<Self, SpmmError> {
        let receiving = State::collect(move |(), upload| {
            let digest = *blake3::hash(&upload).as_bytes();
            if digest != upload_digest {
                return Err(SpmmError::Malformed { step: Step::Bodies });
            }
            Ok(State::compute(move |()| {
                record.permit(number, &digest)?;
                record.count(number)?;
                Ok(State::bytes(noised.bytes().to_vec(), State::Finished(())))
            }))
        });
        let schedule = answer_schedule(parameters)?;
        Ok(Self(Runner::social(schedule, (), receiving)))
    }
}

endpoints!(
    RatingKeySetup,
    SocialKeySetup,
    RatingPrepare,
    SocialPrepare,
    SocialPrepareAgain,
    RatingAnswer,
    SocialAnswer
);
