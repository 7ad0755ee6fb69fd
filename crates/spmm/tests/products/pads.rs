//! Pad safety (section 3.3, "What must hold, crash or no crash"): a simulation kills either or
//! both parties after any frame, restores stale state and changes Y in between, and holds the
//! whole transcript to the rules. A frame counts as seen once it was handed out, delivered or not.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::stocks;
use crate::world::{Shape, World};
use proptest::prelude::*;
use s3rec_algebra::RingMatrix;
use s3rec_spmm::preprocessed::{
    MemoryStorage, RatingBlock, RatingClose, RatingOpening, RatingSession, RatingStock,
    SocialBlock, SocialClose, SocialOpening, SocialSession, SocialStock, StockStorage,
    StockSummary, VoidReason,
};
use s3rec_spmm::{Endpoint, Protocol, ReleasePolicy, SpmmError, Step, Uncounted};

const ROUNDS: u32 = 12;
const USERS: u32 = 6;

/// What was seen of the columns of one round.
#[derive(Default)]
struct Seen {
    masked: BTreeMap<u32, Vec<u8>>,
    /// By round: for which version of Y, for which M, which T.
    answered: BTreeMap<u32, (usize, Vec<u8>, Vec<u8>)>,
    /// By version of Y: the answer to the block.
    blocks: BTreeMap<usize, Vec<u8>>,
}

struct Simulation {
    worlds: [World; 2],
    version: usize,
    rating_disk: MemoryStorage,
    social_disk: MemoryStorage,
    rating_backup: Option<MemoryStorage>,
    social_backup: Option<MemoryStorage>,
    rating: Option<RatingStock>,
    social: Option<SocialStock>,
    in_session: bool,
    seen: Seen,
    opened: u32,
    void: bool,
}

/// One thing that happens.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// An opening of one of three inputs, cut off after so many frames; who is killed then.
    Open {
        input: usize,
        frames: usize,
        kills: Kills,
    },
    /// A resume handshake cut off after so many frames kills both.
    Meet {
        frames: usize,
    },
    Kill(Kills),
    Backup {
        rating: bool,
    },
    Restore {
        rating: bool,
    },
    Close,
    ChangeOperator,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kills {
    Rating,
    Social,
    Both,
}

impl Simulation {
    fn new(release: ReleasePolicy) -> Simulation {
        let shape = Shape {
            rounds: ROUNDS,
            protocol: Protocol::Preprocessed,
            release,
            ..Shape::new(USERS, 2, vec![(0, 1), (1, 2), (4, 3)])
        };
        let other = Shape {
            links: vec![(0, 1), (1, 2), (4, 3), (5, 0)],
            ..shape.clone()
        };
        let worlds = [
            World::with_bounds(&shape, (16, 32), 1),
            World::with_bounds(&other, (16, 32), 1),
        ];
        let (rating_disk, social_disk) = (MemoryStorage::default(), MemoryStorage::default());
        let (rating, social) = stocks::offline(
            &worlds[0],
            Arc::new(rating_disk.clone()),
            Arc::new(social_disk.clone()),
        );
        Simulation {
            worlds,
            version: 0,
            rating_disk,
            social_disk,
            rating_backup: None,
            social_backup: None,
            rating: Some(rating),
            social: Some(social),
            in_session: false,
            seen: Seen::default(),
            opened: 0,
            void: false,
        }
    }

    fn kill(&mut self, kills: Kills) {
        if kills != Kills::Social {
            self.rating = None;
        }
        if kills != Kills::Rating {
            self.social = None;
        }
        self.in_session = false;
    }

    fn run(&mut self, event: Event) {
        if self.void {
            return;
        }
        match event {
            Event::Open {
                input,
                frames,
                kills,
            } => self.open(input, frames, kills),
            Event::Meet { frames } => {
                self.in_session = false;
                self.meet(frames);
            }
            Event::Kill(kills) => self.kill(kills),
            Event::Backup { rating: true } => {
                self.rating_backup = Some(self.rating_disk.snapshot())
            }
            Event::Backup { rating: false } => {
                self.social_backup = Some(self.social_disk.snapshot())
            }
            Event::Restore { rating: true } => {
                if let Some(backup) = self.rating_backup.take() {
                    self.kill(Kills::Rating);
                    self.rating_disk = backup;
                }
            }
            Event::Restore { rating: false } => {
                if let Some(backup) = self.social_backup.take() {
                    self.kill(Kills::Social);
                    self.social_disk = backup;
                }
            }
            Event::Close => self.close(),
            Event::ChangeOperator => self.change_operator(),
        }
    }

    fn world(&self) -> &World {
        &self.worlds[self.version]
    }

    fn start_both(&mut self) -> Result<(), SpmmError> {
        let world = &self.worlds[self.version];
        if self.rating.is_none() {
            self.rating = Some(RatingStock::open(
                Arc::new(self.rating_disk.clone()),
                Arc::clone(&world.pattern),
            )?);
        }
        if self.social.is_none() {
            let disk = Arc::new(self.social_disk.clone());
            self.social = Some(SocialStock::open(
                disk,
                &world.pattern,
                Arc::clone(&world.operand),
            )?);
        }
        Ok(())
    }

    /// Refusals that the rules ask for; anything else is a failure of the test.
    fn refused(&mut self, error: SpmmError) {
        match error {
            SpmmError::Void { .. } | SpmmError::OtherStock => self.void = true,
            SpmmError::Exhausted { .. } => {}
            other => panic!("{other}"),
        }
        self.kill(Kills::Both);
    }

    fn meet(&mut self, frames: usize) {
        if self.in_session {
            return;
        }
        if let Err(error) = self.start_both() {
            return self.refused(error);
        }
        let (rating, social) = (self.rating.take().unwrap(), self.social.take().unwrap());
        let mut calling = RatingSession::new(rating).unwrap();
        let mut called = SocialSession::new(social).unwrap();
        match exchange(&mut calling, &mut called, frames, |_, _| {}) {
            Err(error) => self.refused(error),
            Ok(()) => {
                if let (Ok(rating), Ok(social)) = (calling.into_stock(), called.into_stock()) {
                    (self.rating, self.social, self.in_session) =
                        (Some(rating), Some(social), true);
                }
            }
        }
    }

    fn open(&mut self, input: usize, frames: usize, kills: Kills) {
        self.meet(usize::MAX);
        if !self.in_session {
            return;
        }
        let (rating, social) = (self.rating.take().unwrap(), self.social.take().unwrap());
        let factors = self.world().factors[input].clone();
        let mut sending = match RatingOpening::new(rating, &factors) {
            Ok(sending) => sending,
            Err(error) => return self.refused(error),
        };
        let mut answering = SocialOpening::new(social, Uncounted).unwrap();
        let round = sending.round();
        let (mut masked, mut answer) = (None, None);
        let result = exchange(
            &mut sending,
            &mut answering,
            frames,
            |step, payload| match step {
                Step::MaskedFactors => masked = Some(payload.to_vec()),
                Step::MaskedProduct => answer = Some(payload.to_vec()),
                _ => {}
            },
        );
        self.note(round, masked, answer);
        if let Err(error) = result {
            return self.refused(error);
        }
        if sending.is_done() && answering.is_done() {
            let (product, rating) = sending.into_product().unwrap();
            self.check(&product, input);
            (self.rating, self.social) = (Some(rating), Some(answering.into_stock()));
            self.opened += 1;
        } else {
            self.in_session = false;
            (self.rating, self.social) = (Some(sending.into_stock()), Some(answering.into_stock()));
            self.kill(kills);
        }
    }

    /// The rules, over everything ever handed out.
    fn note(&mut self, round: u32, masked: Option<Vec<u8>>, answer: Option<Vec<u8>>) {
        let Some(masked) = masked else { return };
        let first = self
            .seen
            .masked
            .entry(round)
            .or_insert_with(|| masked.clone());
        assert_eq!(
            *first, masked,
            "the columns of round {round} mask two inputs"
        );
        if let Some(answer) = answer {
            let now = (self.version, masked, answer);
            let first = self
                .seen
                .answered
                .entry(round)
                .or_insert_with(|| now.clone());
            assert!(
                *first == now,
                "the columns of round {round} are opened for two M, two Y or with two noises"
            );
        }
    }

    fn check(&self, product: &RingMatrix, input: usize) {
        if self.world().parameters.release == ReleasePolicy::Exact {
            assert_eq!(*product, self.world().expected(input));
        }
    }

    fn close(&mut self) {
        if !self.in_session {
            return;
        }
        let (rating, social) = (self.rating.take().unwrap(), self.social.take().unwrap());
        let (mut closing, mut closed) = (RatingClose::new(rating), SocialClose::new(social));
        exchange(&mut closing, &mut closed, usize::MAX, |_, _| {}).unwrap();
        let (rating, openings) = closing.into_stock().unwrap();
        assert!(openings >= u32::try_from(self.seen.answered.len()).unwrap().min(1));
        (self.rating, self.social, self.in_session) =
            (Some(rating), Some(closed.into_stock()), false);
    }

    /// P1's data changes: the stock is void for it; then both answer anew from kept ciphertexts.
    fn change_operator(&mut self) {
        if self.version == 1 {
            return;
        }
        self.kill(Kills::Both);
        let other = &self.worlds[1];
        let disk = || Arc::new(self.social_disk.clone());
        let refusal = SocialStock::open(disk(), &other.pattern, Arc::clone(&other.operand));
        assert!(matches!(
            refusal,
            Err(SpmmError::Void {
                reason: VoidReason::OperatorChanged | VoidReason::Restored
            })
        ));
        self.version = 1;
        let social =
            SocialStock::open_for_new_operator(disk(), &other.pattern, Arc::clone(&other.operand));
        let rating = RatingStock::open_for_new_operator(
            Arc::new(self.rating_disk.clone()),
            Arc::clone(&other.pattern),
            other.operand.commitment(),
        );
        let (Ok(rating), Ok(social)) = (rating, social) else {
            self.void = true;
            return;
        };
        let (Ok(mut taking), Ok(mut answering)) = (
            RatingBlock::again(rating, 0),
            SocialBlock::again(social, 0, 1 << 20),
        ) else {
            // A column of the only block was used: nothing of it may be answered for another Y.
            self.void = true;
            return;
        };
        let mut answer = Vec::new();
        exchange(&mut taking, &mut answering, usize::MAX, |_, payload| {
            answer.extend_from_slice(payload)
        })
        .unwrap();
        assert!(self.seen.blocks.values().all(|earlier| *earlier != answer));
        self.seen.blocks.insert(self.version, answer);
        self.rating = Some(taking.into_stock().unwrap());
        self.social = Some(answering.into_stock().unwrap());
        // Backups of the old data are of another stock from now on; restoring one is a test of its own.
    }
}

/// Moves at most `frames` frames, showing each to `see` when it is handed out.
fn exchange(
    rating: &mut dyn Endpoint,
    social: &mut dyn Endpoint,
    mut frames: usize,
    mut see: impl FnMut(Step, &[u8]),
) -> Result<(), SpmmError> {
    loop {
        let mut moved = false;
        for turn in 0..2 {
            loop {
                let frame = if turn == 0 {
                    rating.poll_send()?
                } else {
                    social.poll_send()?
                };
                let Some(frame) = frame else { break };
                moved = true;
                see(frame.step, &frame.payload);
                if frames == 0 {
                    return Ok(());
                }
                frames -= 1;
                if turn == 0 {
                    social.receive(frame)?
                } else {
                    rating.receive(frame)?
                }
            }
        }
        if !moved {
            return Ok(());
        }
    }
}

fn kills() -> impl Strategy<Value = Kills> {
    prop::sample::select(vec![Kills::Rating, Kills::Social, Kills::Both])
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (0usize..3, 0usize..6, kills()).prop_map(|(input, frames, kills)| Event::Open { input, frames, kills }),
        2 => (0usize..3).prop_map(|input| Event::Open { input, frames: usize::MAX, kills: Kills::Both }),
        1 => (0usize..5).prop_map(|frames| Event::Meet { frames }),
        1 => kills().prop_map(Event::Kill),
        2 => any::<bool>().prop_map(|rating| Event::Backup { rating }),
        1 => any::<bool>().prop_map(|rating| Event::Restore { rating }),
        1 => Just(Event::Close),
        1 => Just(Event::ChangeOperator),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn no_pad_is_ever_used_twice(events in prop::collection::vec(event(), 1..32), noised in any::<bool>()) {
        let release = if noised {
            ReleasePolicy::Noised { sigma: 0.5, row_norm_beta: 1.0, delta: 1e-6 }
        } else {
            ReleasePolicy::Exact
        };
        let mut simulation = Simulation::new(release);
        for event in events {
            simulation.run(event);
        }
    }
}

const WHOLE: usize = usize::MAX;

fn whole(input: usize) -> Event {
    Event::Open {
        input,
        frames: WHOLE,
        kills: Kills::Both,
    }
}

#[test]
fn an_interrupted_message_is_sent_again_byte_for_byte() {
    for frames in 0..4 {
        let mut simulation = Simulation::new(ReleasePolicy::Noised {
            sigma: 0.5,
            row_norm_beta: 1.0,
            delta: 1e-6,
        });
        simulation.run(whole(0));
        simulation.run(Event::Open {
            input: 1,
            frames,
            kills: Kills::Both,
        });
        simulation.run(whole(1));
        assert_eq!(simulation.opened, 2);
        // Both messages used one round's columns each: the second was repeated, not renewed.
        assert_eq!(simulation.seen.masked.len(), 2);
        simulation.run(Event::Close);
        assert_eq!(simulation.social.unwrap().openings(), 2);
    }
}

#[test]
fn another_message_after_an_interruption_takes_other_columns() {
    let mut simulation = Simulation::new(ReleasePolicy::Exact);
    simulation.run(Event::Open {
        input: 1,
        frames: 1,
        kills: Kills::Rating,
    });
    simulation.run(whole(2));
    // Those of round 1 too: its disk may be of before yet another message.
    assert_eq!(
        simulation.seen.masked.keys().copied().collect::<Vec<_>>(),
        [0, 2]
    );
}

#[test]
fn a_closed_session_burns_nothing_an_open_one_burns_one_round() {
    let mut simulation = Simulation::new(ReleasePolicy::Exact);
    simulation.run(whole(0));
    simulation.run(Event::Close);
    let record = |disk: &MemoryStorage| disk.load().unwrap().unwrap();
    let ours = StockSummary::read_rating(&record(&simulation.rating_disk)).unwrap();
    let theirs = StockSummary::read_social(&record(&simulation.social_disk)).unwrap();
    assert_eq!(
        (ours.used_rounds, ours.openings, ours.rounds),
        (1, None, ROUNDS)
    );
    assert_eq!(
        (theirs.used_rounds, theirs.openings, theirs.void),
        (1, Some(1), None)
    );
    assert!(ours.identity.is_some() && ours.identity == theirs.identity);
    simulation.run(Event::Kill(Kills::Both));
    simulation.run(whole(1));
    assert_eq!(
        simulation.seen.masked.keys().copied().collect::<Vec<_>>(),
        [0, 1]
    );
}

/// A session left open burns one round at the next resume handshake; handshakes that break off in between
/// burn nothing more, however many there are.
#[test]
fn broken_resume_handshakes_burn_nothing() {
    let mut simulation = Simulation::new(ReleasePolicy::Exact);
    simulation.run(Event::Meet { frames: WHOLE });
    for frames in [0, 1, 2, 3, 0, 1, 2, 3] {
        simulation.run(Event::Kill(Kills::Both));
        simulation.run(Event::Meet { frames });
    }
    simulation.run(whole(1));
    let rounds: Vec<u32> = simulation.seen.masked.keys().copied().collect();
    assert_eq!(rounds, [1]);
}

/// P0's backup of the same session, restored after a message that P1 never noted: nobody's disk
/// knows of that message, and still its columns are not used again.
#[test]
fn a_backup_within_a_session_burns_what_may_have_been_sent() {
    let mut simulation = Simulation::new(ReleasePolicy::Exact);
    simulation.run(Event::Meet { frames: WHOLE });
    simulation.run(Event::Backup { rating: true });
    simulation.run(Event::Open {
        input: 0,
        frames: 1,
        kills: Kills::Both,
    });
    simulation.run(Event::Restore { rating: true });
    simulation.run(whole(1));
    assert_eq!(simulation.opened, 1);
    assert_eq!(
        simulation.seen.masked.keys().copied().collect::<Vec<_>>(),
        [0, 1]
    );
}

/// The same with a message that P0 still holds, whether or not it is repeated before the next.
#[test]
fn a_held_message_does_not_hide_a_later_one() {
    for (repeated, frames) in [(false, 0), (false, 1), (true, 0), (true, 1)] {
        let mut simulation = Simulation::new(ReleasePolicy::Exact);
        simulation.run(whole(0));
        simulation.run(Event::Backup { rating: true });
        simulation.run(Event::Open {
            input: 1,
            frames,
            kills: Kills::Rating,
        });
        simulation.run(Event::Restore { rating: true });
        if repeated {
            simulation.run(whole(0));
        }
        simulation.run(whole(2));
        // Round 1's columns were handed out once, or not at all, and then burnt.
        assert_eq!(simulation.seen.masked.keys().max(), Some(&2));
        assert_eq!(simulation.opened, 2 + u32::from(repeated));
    }
}

#[test]
fn a_backup_of_an_earlier_session_voids_the_stock() {
    for rating in [true, false] {
        let mut simulation = Simulation::new(ReleasePolicy::Exact);
        simulation.run(whole(0));
        simulation.run(Event::Backup { rating });
        simulation.run(Event::Kill(Kills::Both));
        simulation.run(whole(1));
        simulation.run(Event::Restore { rating });
        simulation.run(whole(2));
        assert!(simulation.void);
        assert_eq!(simulation.opened, 2);
    }
}

/// P1 set back within a session no longer knows what it opened: its count would be too low.
#[test]
fn a_social_backup_within_a_session_voids_the_stock() {
    let mut simulation = Simulation::new(ReleasePolicy::Exact);
    simulation.run(Event::Meet { frames: WHOLE });
    simulation.run(Event::Backup { rating: false });
    simulation.run(whole(0));
    simulation.run(whole(1));
    simulation.run(whole(2));
    simulation.run(Event::Restore { rating: false });
    simulation.run(whole(0));
    assert!(simulation.void);
    assert_eq!(simulation.opened, 3);
}

/// Set back by a single opening, too.
#[test]
fn a_social_backup_of_before_the_last_opening_voids_the_stock() {
    let mut simulation = Simulation::new(ReleasePolicy::Exact);
    simulation.run(whole(0));
    simulation.run(Event::Backup { rating: false });
    simulation.run(whole(1));
    simulation.run(Event::Restore { rating: false });
    simulation.run(whole(2));
    assert!(simulation.void);
    assert_eq!(simulation.opened, 2);
}

#[test]
fn a_changed_operator_is_answered_anew_only_while_no_column_was_used() {
    let mut simulation = Simulation::new(ReleasePolicy::Exact);
    simulation.run(Event::ChangeOperator);
    simulation.run(whole(0));
    assert_eq!(simulation.opened, 1);
    let mut simulation = Simulation::new(ReleasePolicy::Exact);
    simulation.run(whole(0));
    simulation.run(Event::ChangeOperator);
    assert!(simulation.void);
}

#[test]
fn an_exhausted_stock_refuses() {
    let mut simulation = Simulation::new(ReleasePolicy::Exact);
    for round in 0..ROUNDS {
        simulation.run(whole(round as usize % 3));
    }
    assert_eq!(simulation.opened, ROUNDS);
    let rating = simulation.rating.take().unwrap();
    let factors = simulation.world().factors[0].clone();
    assert!(matches!(
        RatingOpening::new(rating, &factors),
        Err(SpmmError::Exhausted { rounds: ROUNDS })
    ));
}

/// The same columns, another message: P1 refuses and counts nothing.
#[test]
fn a_peer_that_masks_twice_is_refused() {
    let mut simulation = Simulation::new(ReleasePolicy::Exact);
    simulation.run(whole(0));
    let social = simulation.social.take().unwrap();
    // A dishonest P0 names columns that are answered already.
    let (rating, factors) = (
        simulation.rating.take().unwrap(),
        simulation.world().factors[1].clone(),
    );
    let mut sending = RatingOpening::new(rating, &factors).unwrap();
    let mut answering = SocialOpening::new(social, Uncounted).unwrap();
    while let Some(mut frame) = sending.poll_send().unwrap() {
        if frame.step == Step::Opening {
            frame.payload.truncate(32);
            frame.payload.extend_from_slice(&0u32.to_le_bytes());
        }
        answering.receive(frame).unwrap();
    }
    assert!(matches!(
        answering.poll_send(),
        Err(SpmmError::ColumnsUsed { round: 0 })
    ));
    assert!(answering.poll_send().is_err());
    assert_eq!(answering.into_stock().openings(), 1);
}
