//! Both parties of a stock, killed, restored and let run as events say, and the transcript of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::stocks;
use crate::world::{Shape, World};
use s3rec_algebra::RingMatrix;
use s3rec_spmm::preprocessed::{
    MemoryStorage, RatingClose, RatingOpening, RatingSession, RatingStock, SocialClose,
    SocialOpening, SocialSession, SocialStock, VoidReason,
};
use s3rec_spmm::{Endpoint, Protocol, ReleasePolicy, SpmmError, Step, Uncounted};

pub(crate) const ROUNDS: u32 = 12;
pub(crate) const USERS: u32 = 6;

/// What was seen of the columns of one round.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) masked: BTreeMap<u32, Vec<u8>>,
    /// By round: for which M, which T.
    pub(crate) answered: BTreeMap<u32, (Vec<u8>, Vec<u8>)>,
}

pub(crate) struct Simulation {
    pub(crate) world: World,
    /// With another Y.
    other: World,
    pub(crate) rating_disk: MemoryStorage,
    pub(crate) social_disk: MemoryStorage,
    pub(crate) rating_backup: Option<MemoryStorage>,
    pub(crate) social_backup: Option<MemoryStorage>,
    pub(crate) rating: Option<RatingStock>,
    pub(crate) social: Option<SocialStock>,
    pub(crate) in_session: bool,
    pub(crate) seen: Seen,
    pub(crate) opened: u32,
    pub(crate) void: bool,
}

/// One thing that happens.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event {
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
pub(crate) enum Kills {
    Rating,
    Social,
    Both,
}

impl Simulation {
    pub(crate) fn new(release: ReleasePolicy) -> Simulation {
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
        let world = World::with_bounds(&shape, (16, 32), 1);
        let other = World::with_bounds(&other, (16, 32), 1);
        let (rating_disk, social_disk) = (MemoryStorage::default(), MemoryStorage::default());
        let (rating, social) = stocks::offline(
            &world,
            Arc::new(rating_disk.clone()),
            Arc::new(social_disk.clone()),
        );
        Simulation {
            world,
            other,
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

    pub(crate) fn kill(&mut self, kills: Kills) {
        if kills != Kills::Social {
            self.rating = None;
        }
        if kills != Kills::Rating {
            self.social = None;
        }
        self.in_session = false;
    }

    pub(crate) fn run(&mut self, event: Event) {
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

    pub(crate) fn start_both(&mut self) -> Result<(), SpmmError> {
        let world = &self.world;
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
    pub(crate) fn refused(&mut self, error: SpmmError) {
        match error {
            SpmmError::Void { .. } | SpmmError::OtherStock => self.void = true,
            SpmmError::Exhausted { .. } => {}
            other => panic!("{other}"),
        }
        self.kill(Kills::Both);
    }

    pub(crate) fn meet(&mut self, frames: usize) {
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

    pub(crate) fn open(&mut self, input: usize, frames: usize, kills: Kills) {
        self.meet(usize::MAX);
        if !self.in_session {
            return;
        }
        let (rating, social) = (self.rating.take().unwrap(), self.social.take().unwrap());
        let factors = self.world.factors[input].clone();
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
    pub(crate) fn note(&mut self, round: u32, masked: Option<Vec<u8>>, answer: Option<Vec<u8>>) {
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
            let now = (masked, answer);
            let first = self
                .seen
                .answered
                .entry(round)
                .or_insert_with(|| now.clone());
            assert!(
                *first == now,
                "the columns of round {round} are opened for two M or with two noises"
            );
        }
    }

    pub(crate) fn check(&self, product: &RingMatrix, input: usize) {
        if self.world.parameters.release == ReleasePolicy::Exact {
            assert_eq!(*product, self.world.expected(input));
        }
    }

    pub(crate) fn close(&mut self) {
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

    /// P1's data changes: the stock is void for it.
    pub(crate) fn change_operator(&mut self) {
        self.kill(Kills::Both);
        let other = &self.other;
        let disk = Arc::new(self.social_disk.clone());
        let refusal = SocialStock::open(disk, &other.pattern, Arc::clone(&other.operand));
        assert!(matches!(
            refusal,
            Err(SpmmError::Void {
                reason: VoidReason::OperatorChanged | VoidReason::Restored
            })
        ));
        self.void = true;
    }
}

/// Moves at most `frames` frames, showing each to `see` when it is handed out.
pub(crate) fn exchange(
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
