//! A job at both platforms, each the daemons' own: this drives [`RatingJob`] and [`SocialJob`]
//! over a network and disks that the weather befalls, and counts what either platform counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use s3rec_job::rating::{
    ProductExchange, RatingCheckpoint, RatingDone, RatingEvent, RatingExchange, RatingJob,
    RatingNext, RatingSave, Unfinished,
};
use s3rec_job::social::{Call, SocialCheckpoint, SocialJob, SocialNext, SocialTurn};
use s3rec_job::{JobError, Phase};
use s3rec_spmm::SpmmError;
use s3rec_spmm::preprocessed::StockPlace;
use serde::de::DeserializeOwned;

use crate::network::{Network, Stop, of};
use crate::parties::{Counted, Place, Rating, Social};
use crate::transcript::Transcript;
use crate::weather::{Life, Messages, Misfortune, Side, Weather};
use crate::world::{End, PARAMETERS_DIGEST, ROUNDS, World};

/// Attempts without getting on after which a side gives the other up.
const GIVES_UP_AFTER: u32 = 10;

/// Both platforms' disks, and what left them.
pub(crate) struct Job {
    world: Arc<World>,
    transcript: Transcript,
    rating_place: Place,
    /// P0's files beside the stock: what is agreed on, and the training before the next opening.
    agreed: Option<Vec<u8>>,
    progress: Option<Vec<u8>>,
    social_place: Place,
    /// P1's file beside the stock.
    kept: Option<Vec<u8>>,
    /// P1's ledger, on disk: openings, and uploads.
    counted: Arc<AtomicU32>,
    uploads: u32,
    /// P0's ledger, on disk.
    seen: u32,
    is_finished: bool,
    stocks: u8,
    /// How often an unfinished stock was gone on with.
    went_on: u32,
    /// The first message of a block, among those of its attempt.
    first_block: Option<u32>,
}

/// What befalls one attempt, and whom it kills.
struct Attempt {
    misfortune: Misfortune,
    messages: Messages,
    rating_life: Life,
    social: Arc<Social>,
    /// Exchanges before the rounds since the last key.
    blocks: u32,
    /// Where the block that comes next is gone on with.
    place: Option<StockPlace>,
}

impl Attempt {
    /// One call, or one answer to it, without frames: whether it arrives.
    fn passes(&self) -> Result<(), Stop> {
        let now = self.messages.next();
        let is_lost = match self.misfortune {
            Misfortune::Crash { message, .. } | Misfortune::Drop { message } => message == now,
            Misfortune::Partition { message, attempts } if message == now => {
                return Err(Stop::Partitioned(attempts));
            }
            _ => false,
        };
        match is_lost {
            true => Err(Stop::Broken),
            false => Ok(()),
        }
    }
}

impl Job {
    pub(crate) fn new(world: &Arc<World>) -> Self {
        Self {
            world: Arc::clone(world),
            transcript: Transcript::default(),
            rating_place: Place::default(),
            agreed: None,
            progress: None,
            social_place: Place::default(),
            kept: None,
            counted: Arc::default(),
            uploads: 0,
            seen: 0,
            is_finished: false,
            stocks: 0,
            went_on: 0,
            first_block: None,
        }
    }

    pub(crate) fn stocks(&self) -> u8 {
        self.stocks
    }

    pub(crate) fn went_on(&self) -> u32 {
        self.went_on
    }

    pub(crate) fn first_block(&self) -> Option<u32> {
        self.first_block
    }

    pub(crate) fn run(&mut self, weather: &mut Weather) -> End {
        let mut waited = 0;
        loop {
            let before = (self.seen, self.counted(), self.is_finished);
            match self.attempt(weather.next()) {
                Ok(model) => return End::Finished(model),
                Err(Stop::Refused(side, why)) => {
                    // The other side is told by Abort, or stops waiting.
                    let peer_message = format!("the other platform ended the job: {why}");
                    let (rating, social) = match side {
                        Side::Rating => (why, peer_message),
                        Side::Social => (peer_message, why),
                    };
                    return End::Named { rating, social };
                }
                Err(Stop::Broken) => waited += 1,
                Err(Stop::Partitioned(attempts)) => waited += attempts,
            }
            if before != (self.seen, self.counted(), self.is_finished) {
                waited = waited.min(1);
            }
            if waited > GIVES_UP_AFTER {
                let why = "the other platform stayed away".to_owned();
                return End::Named {
                    rating: why.clone(),
                    social: why,
                };
            }
        }
    }

    /// Each side counts an opening at most once, P0 none that P1 has not counted, and P1 every
    /// one of which anything left, and every upload.
    pub(crate) fn check_ledgers(&self, what: &str) {
        let (seen, counted) = (self.seen, self.counted());
        assert!(seen == counted || seen + 1 == counted, "{what}");
        assert!(self.transcript.answered() <= counted as usize, "{what}");
        assert!(self.uploads <= u32::from(self.stocks), "{what}");
        if self.is_finished {
            assert_eq!((seen, counted), (ROUNDS, ROUNDS), "{what}");
            assert!(self.uploads > 0, "{what}");
        }
    }

    fn counted(&self) -> u32 {
        self.counted.load(Ordering::Relaxed)
    }

    /// One connection's worth of the job, as the daemons drive it.
    fn attempt(&mut self, misfortune: Misfortune) -> Result<Vec<u64>, Stop> {
        let (rating_life, social_life) = (
            Life::of(misfortune, Side::Rating),
            Life::of(misfortune, Side::Social),
        );
        let mut attempt = self.begin(misfortune, rating_life, social_life);
        let rating = Arc::new(Rating {
            world: Arc::clone(&self.world),
            place: self.rating_place.clone(),
            life: attempt.rating_life.clone(),
        });
        let checkpoint = self.checkpoint();
        let taken_up = RatingJob::take_up(
            rating,
            self.world.proposal(),
            checkpoint,
            self.seen,
            self.is_finished,
        );
        let mut rating = taken_up.map_err(of_job(Side::Rating))?;
        let mut social = SocialJob::Away;
        loop {
            rating = match rating.next().map_err(of_job(Side::Rating))? {
                RatingNext::Done(RatingDone::Friends(_)) => panic!("no friends' sums"),
                RatingNext::Done(RatingDone::Trained(training)) => {
                    let model = training.model();
                    let values = model.users.values().iter().chain(model.items.values());
                    return Ok(values.map(|value| value.to_bits()).collect());
                }
                RatingNext::Emit(RatingEvent::StockGoesOn { place, .. }, next) => {
                    self.went_on += 1;
                    (attempt.blocks, attempt.place) = (place.block, Some(place));
                    next
                }
                RatingNext::Emit(_, next) => next,
                RatingNext::Save(what, next) => {
                    self.save(&attempt.rating_life, what)?;
                    next
                }
                RatingNext::Exchange(exchange) => match exchange {
                    RatingExchange::Sign(_, next) => {
                        attempt.passes()?;
                        next
                    }
                    RatingExchange::Align(unaligned) => {
                        attempt.passes()?;
                        let begun = SocialJob::begin_again(self.counted());
                        begun.map_err(of_job(Side::Social))?;
                        let kept = &mut self.kept;
                        spend(&attempt.social.life, || *kept = None)?;
                        self.social_place.clear();
                        unaligned.found(self.world.common())
                    }
                    RatingExchange::SetUp(unagreed) => {
                        attempt.passes()?;
                        self.stocks += 1;
                        let agreed = self.world.social_agreed(self.stocks);
                        social = SocialJob::Agreed(Box::new(agreed));
                        let setup = self.world.rating_setup(self.stocks);
                        unagreed.agreed(setup).map_err(of_job(Side::Rating))?
                    }
                    RatingExchange::Product(exchange) => {
                        let next;
                        (next, social) = self.exchange(&mut attempt, *exchange, social)?;
                        next
                    }
                    RatingExchange::Finish(unfinished) => self.finish(&attempt, unfinished)?,
                },
            };
        }
    }

    fn begin(&self, misfortune: Misfortune, rating_life: Life, life: Life) -> Attempt {
        Attempt {
            misfortune,
            messages: Messages::default(),
            rating_life,
            social: Arc::new(Social {
                place: self.social_place.clone(),
                life,
                counted: Arc::clone(&self.counted),
            }),
            blocks: 0,
            place: None,
        }
    }

    /// One exchange at both platforms.
    fn exchange(
        &mut self,
        attempt: &mut Attempt,
        mut sending: ProductExchange,
        social: SocialJob,
    ) -> Result<(RatingJob, SocialJob), Stop> {
        let call = Call {
            phase: sending.phase(),
            round: sending.round(),
            parameters_digest: PARAMETERS_DIGEST,
            goes_on: sending.goes_on(),
        };
        attempt.blocks = match call.phase {
            Phase::Setup => 0,
            _ => attempt.blocks + 1,
        };
        let about = [&[self.stocks][..], &attempt.blocks.to_le_bytes()].concat();
        let is_block = call.phase == Phase::Offline && !call.goes_on;
        self.transcript.about(about, attempt.place.take());
        if is_block && self.first_block.is_none() {
            self.first_block = Some(attempt.messages.so_far());
        }
        let due = social.is_due(&call, self.counted(), ROUNDS);
        due.map_err(of_job(Side::Social))?;
        let job = self.world.proposal().job;
        let host = Arc::clone(&attempt.social);
        let mut turn = SocialTurn::new(host, job, call, social);
        let social = loop {
            turn = match turn.next().map_err(of_job(Side::Social))? {
                SocialNext::Rest(job) => break job,
                SocialNext::Emit(_, turn) => turn,
                SocialNext::Clear(uncleared) => {
                    let uploads = &mut self.uploads;
                    spend(&attempt.social.life, || *uploads += 1)?;
                    uncleared.cleared(&Counted)
                }
                SocialNext::Save(kept, turn) => {
                    let (file, encoded) = (&mut self.kept, encode(&kept));
                    spend(&attempt.social.life, || *file = Some(encoded))?;
                    turn
                }
                SocialNext::Restore(restoring) => {
                    let kept: Option<SocialCheckpoint> = decode(self.kept.as_deref());
                    let operator = |_: &[u32]| Ok::<_, SpmmError>(self.world.operator());
                    let restored = restoring.from_disk(kept, operator);
                    let (turn, restored) = restored.map_err(of_job(Side::Social))?;
                    let openings = restored.map_or(0, |restored| restored.openings);
                    let ahead = self.counted().max(openings);
                    self.counted.store(ahead, Ordering::Relaxed);
                    turn
                }
                SocialNext::Exchange(answering) => {
                    let mut answering = *answering;
                    let mut network = Network {
                        transcript: &mut self.transcript,
                        misfortune: attempt.misfortune,
                        messages: attempt.messages.clone(),
                    };
                    network.exchange(&mut sending, &mut answering)?;
                    answering.done().map_err(of_job(Side::Social))?
                }
            };
        };
        let next = sending.done().map_err(of_job(Side::Rating))?;
        Ok((next, social))
    }

    /// Finish: a call and its answer, either of which may be lost; asked again it is answered
    /// alike.
    fn finish(&mut self, attempt: &Attempt, unfinished: Unfinished) -> Result<RatingJob, Stop> {
        attempt.passes()?;
        let counted = self.counted();
        assert_eq!(unfinished.openings(), counted, "both count the same");
        let is_finished = &mut self.is_finished;
        spend(&attempt.social.life, || *is_finished = true)?;
        attempt.passes()?;
        unfinished.counted(counted).map_err(of_job(Side::Rating))
    }

    fn checkpoint(&self) -> Option<RatingCheckpoint> {
        let agreed = decode(self.agreed.as_deref())?;
        let progress = decode(self.progress.as_deref());
        Some(RatingCheckpoint { agreed, progress })
    }

    fn save(&mut self, life: &Life, what: RatingSave) -> Result<(), Stop> {
        match what {
            RatingSave::Discard => {
                assert_eq!(self.counted(), 0, "begun again after an opening");
                spend(life, || (self.agreed, self.progress) = (None, None))?;
                self.rating_place.clear();
                Ok(())
            }
            RatingSave::Agreed(agreed) => spend(life, || self.agreed = Some(encode(&agreed))),
            RatingSave::Progress(progress) => {
                spend(life, || self.progress = Some(encode(&progress)))
            }
            RatingSave::Friends(_) => panic!("no friends' sums"),
            RatingSave::Opened(round) => spend(life, || self.seen = round),
        }
    }
}

/// One write, unless the process dies of it.
pub(crate) fn spend(life: &Life, write: impl FnOnce()) -> Result<(), Stop> {
    let spent = life.spend(|| {
        write();
        Ok(())
    });
    spent.map_err(|_| Stop::Broken)
}

pub(crate) fn encode(value: &impl serde::Serialize) -> Vec<u8> {
    postcard::to_stdvec(value).unwrap()
}

pub(crate) fn decode<T: DeserializeOwned>(bytes: Option<&[u8]>) -> Option<T> {
    bytes.map(|bytes| postcard::from_bytes(bytes).unwrap())
}

/// A dead disk is a dead process; everything else ends the job.
pub(crate) fn of_job(side: Side) -> impl Fn(JobError) -> Stop {
    move |error| match error {
        JobError::Ours(error) | JobError::Theirs(error) => of(side)(error),
        error => Stop::Refused(side, error.to_string()),
    }
}
