//! The same weather over openings of friends' sums: whatever befalls them, P0 gets one answer, whose
//! bytes never differ, P1 counts it before it leaves, and nobody is answered twice.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use s3rec_algebra::{RealMatrix, Seed};
use s3rec_job::rating::{
    FriendsCheckpoint, FriendsSetup, PreparedUpload, RatingDone, RatingExchange, RatingJob,
    RatingNext, RatingSave,
};
use s3rec_job::social::{
    Call, FriendsAgreed, FriendsStorage, SocialFriends, SocialJob, SocialNext, SocialTurn,
};
use s3rec_spmm::SpmmError;

use crate::friends_world::{OPENED, Place, Rating, Social, USERS, USERS_DIGEST, World};
use crate::job::{decode, encode, of_job, spend};
use crate::network::{Network, Stop};
use crate::parties::Counted;
use crate::transcript::Transcript;
use crate::weather::{Life, Messages, Misfortune, Side, Weather};

/// Attempts without getting on after which a side gives the other up.
const GIVES_UP_AFTER: u32 = 10;

/// Both platforms' disks, and what left them.
struct Opening {
    world: Arc<World>,
    transcript: Transcript,
    /// P0's file.
    checkpoint: Option<Vec<u8>>,
    social: Arc<Mutex<Option<Vec<u8>>>>,
    counted: Arc<AtomicU32>,
    seen: u32,
    is_finished: bool,
    sessions: u8,
}

type Stored = (PreparedUpload, Option<Vec<f64>>, bool);

impl Opening {
    fn new(world: &Arc<World>) -> Self {
        Self {
            world: Arc::clone(world),
            transcript: Transcript::default(),
            checkpoint: None,
            social: Arc::default(),
            counted: Arc::default(),
            seen: 0,
            is_finished: false,
            sessions: 0,
        }
    }

    fn run(&mut self, weather: &mut Weather) -> Result<RealMatrix, String> {
        let mut waited = 0;
        loop {
            let before = (self.seen, self.counted(), self.is_finished);
            match self.attempt(weather.next()) {
                Ok(sums) => return Ok(sums),
                Err(Stop::Refused(_, why)) => return Err(why),
                Err(Stop::Broken) => waited += 1,
                Err(Stop::Partitioned(attempts)) => waited += attempts,
            }
            if before != (self.seen, self.counted(), self.is_finished) {
                waited = waited.min(1);
            }
            if waited > GIVES_UP_AFTER {
                return Err("the other platform stayed away".into());
            }
        }
    }

    fn counted(&self) -> u32 {
        self.counted.load(Ordering::Relaxed)
    }

    fn attempt(&mut self, misfortune: Misfortune) -> Result<RealMatrix, Stop> {
        let life = Life::of(misfortune, Side::Rating);
        let social_life = Life::of(misfortune, Side::Social);
        let messages = Messages::default();
        let host = Arc::new(Social {
            place: Place {
                file: Arc::clone(&self.social),
                life: social_life.clone(),
            },
            counted: Arc::clone(&self.counted),
        });
        let platform = Arc::new(Rating(Arc::clone(&self.world)));
        let proposal = self.world.proposal.clone();
        let checkpoint: Option<Stored> = decode(self.checkpoint.as_deref());
        let taken_up = match checkpoint {
            Some((prepared, sums, is_agreed)) => {
                let checkpoint = FriendsCheckpoint {
                    prepared: Arc::new(prepared),
                    sums: sums.map(Arc::new),
                    is_agreed,
                };
                RatingJob::take_up_friends(platform, &proposal, checkpoint, self.is_finished)
            }
            None => RatingJob::take_up(platform, &proposal, None, self.seen, self.is_finished),
        };
        let mut rating = taken_up.map_err(of_job(Side::Rating))?;
        let mut social = SocialJob::Away;
        loop {
            rating = match rating.next().map_err(of_job(Side::Rating))? {
                RatingNext::Done(RatingDone::Friends(opened)) => return Ok(opened.sums),
                RatingNext::Done(RatingDone::Trained(_)) => panic!("nothing is trained"),
                RatingNext::Emit(_, next) => next,
                RatingNext::Save(what, next) => {
                    self.save(&life, what)?;
                    next
                }
                RatingNext::Exchange(RatingExchange::Sign(_, next)) => next,
                RatingNext::Exchange(RatingExchange::Align(unaligned)) => {
                    let begun = SocialJob::begin_again(self.counted());
                    begun.map_err(of_job(Side::Social))?;
                    unaligned.found((0..USERS).collect())
                }
                RatingNext::Exchange(RatingExchange::SetUp(unagreed)) => {
                    self.sessions += 1;
                    social = self.agreed();
                    let setup = FriendsSetup {
                        parameters: self.world.parameters,
                        parameters_digest: self.world.parameters.digest(),
                        split: World::split(),
                        seeds: World::seeds(self.sessions),
                        users_digest: USERS_DIGEST,
                    };
                    unagreed
                        .agreed_on_friends(setup)
                        .map_err(of_job(Side::Rating))?
                }
                RatingNext::Exchange(RatingExchange::Product(sending)) => {
                    let mut network = Network {
                        transcript: &mut self.transcript,
                        misfortune,
                        messages: messages.clone(),
                    };
                    network.transcript.about(vec![self.sessions], None);
                    let mut sending = *sending;
                    let call = Call {
                        phase: sending.phase(),
                        round: sending.round(),
                        parameters_digest: self.world.parameters.digest(),
                        goes_on: sending.goes_on(),
                    };
                    let counted = self.counted.load(Ordering::Relaxed);
                    let due = social.is_due(&call, counted, 1);
                    due.map_err(of_job(Side::Social))?;
                    let job = self.world.proposal.job;
                    let mut turn = SocialTurn::new(Arc::clone(&host) as _, job, call, social);
                    social = loop {
                        turn = match turn.next().map_err(of_job(Side::Social))? {
                            SocialNext::Rest(job) => break job,
                            SocialNext::Emit(_, turn) => turn,
                            SocialNext::Clear(uncleared) => uncleared.cleared(&Counted),
                            SocialNext::Save(..) => panic!("no stock"),
                            SocialNext::Restore(restoring) => {
                                let checkpoint = host.place.load().unwrap();
                                let friends = |_: &[u32]| Ok::<_, SpmmError>(self.world.friends());
                                let restored = restoring.friends_from_disk(checkpoint, friends);
                                restored.map_err(of_job(Side::Social))?.0
                            }
                            SocialNext::Exchange(answering) => {
                                let mut answering = *answering;
                                network.exchange(&mut sending, &mut answering)?;
                                answering.done().map_err(of_job(Side::Social))?
                            }
                        };
                    };
                    sending.done().map_err(of_job(Side::Rating))?
                }
                RatingNext::Exchange(RatingExchange::Finish(unfinished)) => {
                    assert_eq!(unfinished.openings(), self.counted(), "both count the same");
                    let is_finished = &mut self.is_finished;
                    spend(&social_life, || *is_finished = true)?;
                    let counted = self.counted();
                    unfinished.counted(counted).map_err(of_job(Side::Rating))?
                }
            };
        }
    }

    fn agreed(&self) -> SocialJob {
        let key = Seed::from_bytes([self.sessions; 32]);
        let block = self.world.friends().block(&World::split()).unwrap();
        let agreed = FriendsAgreed {
            parameters: self.world.parameters,
            parameters_digest: self.world.parameters.digest(),
            split: World::split(),
            seeds: World::seeds(self.sessions),
            users_digest: USERS_DIGEST,
            rows: Arc::new((0..USERS).collect()),
            links: block.digest(&key),
            block,
            key,
        };
        SocialJob::Friends(Box::new(SocialFriends::new(agreed)))
    }

    fn save(&mut self, life: &Life, what: RatingSave) -> Result<(), Stop> {
        match what {
            RatingSave::Discard => {
                assert_eq!(self.counted(), 0, "begun again after an opening");
                spend(life, || self.checkpoint = None)
            }
            RatingSave::Friends(checkpoint) => {
                let FriendsCheckpoint {
                    prepared,
                    sums,
                    is_agreed,
                } = &checkpoint;
                let encoded = encode(&(prepared.as_ref(), sums.as_deref(), is_agreed));
                spend(life, || self.checkpoint = Some(encoded))
            }
            RatingSave::Opened(round) => spend(life, || self.seen = round),
            RatingSave::Agreed(_) | RatingSave::Progress(_) => panic!("nothing is trained"),
        }
    }
}

#[test]
fn friends_sums_are_answered_once_whatever_befalls() {
    let world = World::new();
    let (mut finished, schedules) = (0, 60);
    for seed in 0..schedules {
        let mut weather = Weather::of(seed);
        let mut opening = Opening::new(&world);
        let end = opening.run(&mut weather);
        let what = format!(
            "seed {seed}: {:?} after {:?}",
            end.is_ok(),
            weather.suffered()
        );
        let (seen, counted) = (opening.seen, opening.counted());
        assert!(counted <= 1 && seen <= counted, "{what}");
        assert!(opening.transcript.answers() <= counted as usize, "{what}");
        match end {
            Ok(sums) => {
                finished += 1;
                assert_eq!((seen, counted), (1, 1), "{what}");
                let deviation = world.deviation(&sums);
                assert!((deviation - 1.0).abs() < 0.2, "{what}: {deviation}");
            }
            Err(why) => assert!(!why.is_empty(), "{what}"),
        }
    }
    assert!(finished * 2 > schedules, "{finished} of {schedules}");
}

/// What P1 writes in a job, in order.
#[derive(Clone, Copy)]
enum Write {
    Upload = 2,
    Count = 3,
    Answer = 4,
}

impl World {
    /// The same job over other links between opened and uploaded users.
    fn with_another_link(&self) -> Arc<Self> {
        let mut links = self.links.clone();
        links.push((0, OPENED));
        Arc::new(Self {
            parameters: self.parameters,
            links,
            rows: self.rows.clone(),
            proposal: self.proposal.clone(),
        })
    }
}

impl Opening {
    /// A job in which P1 died with that write, which was done or not.
    fn died_at(world: &Arc<World>, write: Write, is_done: bool) -> Self {
        let mut opening = Self::new(world);
        let died = opening.attempt(Misfortune::CrashAtDisk {
            who: Side::Social,
            operation: write as i64,
            is_done,
        });
        assert!(matches!(died, Err(Stop::Broken)), "{died:?}");
        assert!(opening.checkpoint.is_some() && opening.seen == 0);
        opening
    }

    /// P0's rows are others now, which no P0 of ours sends: what left before is forgotten.
    fn change_rows(&mut self) {
        self.transcript = Transcript::default();
        let checkpoint = self.checkpoint.as_mut().unwrap();
        // The rows are the last of what is kept, before two bytes for sums and confirmation.
        let place = checkpoint.len() - 4;
        checkpoint[place] ^= 1;
    }
}

/// Whatever P1's randomness is bound to is refused in another form, and what was answered is not
/// made anew from other links.
#[test]
fn what_the_opening_is_bound_to_cannot_change() {
    let world = World::new();
    // Bound to rows and not answered, counted or not: other rows end the job, and other links do.
    for (write, counted) in [(Write::Upload, 0), (Write::Count, 1)] {
        let mut opening = Opening::died_at(&world, write, true);
        opening.change_rows();
        let why = opening.run(&mut Weather::calm()).unwrap_err();
        assert!(why.contains("another upload"), "{why}");
        let opened = (opening.counted(), opening.transcript.answers());
        assert_eq!(opened, (counted, 0));
        let mut opening = Opening::died_at(&world, write, true);
        opening.world = world.with_another_link();
        let why = opening.run(&mut Weather::calm()).unwrap_err();
        assert!(why.contains("links are no longer"), "{why}");
        let opened = (opening.counted(), opening.transcript.answers());
        assert_eq!(opened, (counted, 0));
    }
    // Counted before it was made: the same rows are answered, and not counted again.
    let mut opening = Opening::died_at(&world, Write::Count, true);
    opening.run(&mut Weather::calm()).unwrap();
    assert_eq!((opening.counted(), opening.transcript.answers()), (1, 1));

    // Its answer on disk: it goes out once as it was made, whatever the links are now, and to no
    // other rows.
    let died = || {
        let opening = Opening::died_at(&world, Write::Answer, true);
        assert_eq!((opening.counted(), opening.transcript.answers()), (1, 0));
        opening
    };
    let mut opening = died();
    opening.world = world.with_another_link();
    let sums = opening.run(&mut Weather::calm()).unwrap();
    let deviation = world.deviation(&sums);
    assert!((deviation - 1.0).abs() < 0.2, "{deviation}");
    assert_eq!((opening.counted(), opening.transcript.answers()), (1, 1));
    let mut opening = died();
    opening.change_rows();
    opening.run(&mut Weather::calm()).unwrap_err();
    assert_eq!((opening.counted(), opening.transcript.answers()), (1, 0));
    // Undisturbed again: the rows that were kept are answered.
    let mut opening = Opening::died_at(&world, Write::Upload, false);
    opening.run(&mut Weather::calm()).unwrap();
    assert_eq!((opening.counted(), opening.transcript.answers()), (1, 1));
}
