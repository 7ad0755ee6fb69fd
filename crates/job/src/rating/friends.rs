//! P0's part of one opening of friends' sums (protocol `noise-first`).
//!
//! | order | exchange | phase | on disk before it |
//! |---|---|---|---|
//! | 1 | the session's keys | Setup | |
//! | 2 | the opening's name; a-parts | Offline | |
//! | 3 | the rows; noised sums | Online, round 1 | everything: [`PreparedUpload`] |
//!
//! The rows are made while 1 and 2 go on: P1's a-parts need none of them.
//!
//! Before 3 the job begins again with fresh seeds: nothing that was sent is ever used again. From
//! 3 on it goes on with the very bytes that are on disk, and P1 answers them once.

use std::error::Error;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use s3rec_algebra::{PublicSeed, RealMatrix, Seed};
use s3rec_spmm::noise_first::{
    GroupMakers, Opening, Parameters, RatingAnswer, RatingKeySetup, RatingKeys, RatingPrepare,
    Rows, SessionSeeds, Sides, Split, Upload,
};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::exchange::{Endpoint, Learnt, Left};
use super::{
    About, Due, RatingDone, RatingEvent, RatingExchange, RatingJob, RatingNext, RatingPlatform,
    RatingSave, RatingStage, Unfinished,
};
use crate::{JobError, Phase, Proposal};

/// The only opening of a session has this number: each session has fresh seeds of both sides.
const NUMBER: u64 = 1;

/// What both platforms agreed on for an opening of friends' sums.
pub struct FriendsSetup {
    /// The opening's.
    pub parameters: Parameters,
    /// By which both sides name them.
    pub parameters_digest: [u8; 32],
    /// Who is opened, by the common order.
    pub split: Split,
    /// Both sides' halves, fresh for this setup.
    pub seeds: SessionSeeds,
    /// Digest of the common users in their order.
    pub users_digest: [u8; 32],
}

/// Everything that a P0 goes on from once its rows may have left. P0's secret.
#[derive(Serialize, Deserialize)]
pub struct PreparedUpload {
    /// The opening's.
    pub parameters: Parameters,
    /// By which both sides name them.
    pub parameters_digest: [u8; 32],
    /// The common users, as indices of P0's.
    pub common: Vec<u32>,
    sides: Sides,
    /// O, as indices of the common users.
    opened: Vec<u32>,
    users_digest: [u8; 32],
    seeds: SessionSeeds,
    secret: Secret,
    opening: Opening,
    masks: Vec<u8>,
    upload: Vec<u8>,
}

/// What is on disk of an opening of friends' sums.
#[derive(Clone)]
pub struct FriendsCheckpoint {
    /// Written before the rows leave.
    pub prepared: Arc<PreparedUpload>,
    /// The noised sums, once they are here: |O| × C, row by row.
    pub sums: Option<Arc<Vec<f64>>>,
    /// P1 has confirmed the count of openings.
    pub is_agreed: bool,
}

impl FriendsCheckpoint {
    /// Openings that have come.
    #[must_use]
    pub fn openings(&self) -> u32 {
        u32::from(self.sums.is_some())
    }
}

impl PreparedUpload {
    fn split(&self) -> Result<Split, JobError> {
        let users = u32::try_from(self.common.len()).unwrap_or(u32::MAX);
        match self.sides {
            Sides::One => Split::one_sided(users, self.opened.clone())
                .map_err(|error| JobError::Ours(error.into())),
            Sides::Two => Ok(Split::two_sided(users)),
        }
    }
}

/// The seed that the session's keys are made of.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
struct Secret([u8; 32]);

impl Secret {
    fn seed(&self) -> Seed {
        Seed::from_bytes(self.0)
    }
}

/// What a P0 has in the end.
pub struct FriendsOpened {
    /// The opening's.
    pub parameters: Parameters,
    /// The common users, as indices of P0's.
    pub common: Vec<u32>,
    /// O: whose sums these are, as indices of P0's, in the order of the rows.
    pub opened: Vec<u32>,
    /// W, likewise.
    pub uploaded: Vec<u32>,
    /// |O| × C, with noise of standard deviation σ.
    pub sums: RealMatrix,
}

/// How far the opening is.
pub(super) enum FriendsStage {
    /// The keys are to be announced.
    Unkeyed(FriendsSession),
    /// The opening is to be named.
    Keyed(FriendsSession),
    /// The a-parts are here; the rows are to be encoded and put on disk.
    Masked(FriendsSession, Vec<u8>),
    /// The rows are on disk, and the job goes on from there: the opening is to be named again.
    Prepared(Arc<PreparedUpload>, Arc<RatingKeys>),
    /// The rows are on disk and may have left.
    Encoded(Arc<PreparedUpload>, Arc<RatingKeys>),
    /// The sums are here.
    Opened(FriendsCheckpoint),
}

/// What the job has beside an endpoint of the opening.
pub(super) enum FriendsLeft {
    Key(FriendsSession),
    Prepare(FriendsSession),
    Resume(Arc<PreparedUpload>, Arc<RatingKeys>),
    Answer(Arc<PreparedUpload>),
}

/// A session before its rows exist.
pub(super) struct FriendsSession {
    setup: FriendsSetup,
    common: Vec<u32>,
    secret: Secret,
    keys: Arc<RatingKeys>,
    opening: Opening,
    rows: Ahead,
}

/// X while it is made: P1 prepares its a-parts meanwhile, which need none of it.
struct Ahead(JoinHandle<Result<RealMatrix, Box<dyn Error + Send + Sync>>>);

impl Ahead {
    /// Begins, on a thread of its own.
    fn start(platform: &Arc<dyn RatingPlatform>, setup: &FriendsSetup, common: &[u32]) -> Self {
        let platform = Arc::clone(platform);
        let parameters = setup.parameters;
        let opened = of_common(common, setup.split.opened());
        let uploaded = of_common(common, setup.split.uploaded());
        Self(thread::spawn(move || {
            platform.friends_rows(&parameters, &opened, &uploaded)
        }))
    }

    /// Waits for it.
    fn finish(self) -> Result<RealMatrix, JobError> {
        match self.0.join() {
            Ok(made) => made.map_err(JobError::Platform),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

impl FriendsSession {
    fn new(
        platform: &Arc<dyn RatingPlatform>,
        setup: FriendsSetup,
        common: Vec<u32>,
    ) -> Result<Self, JobError> {
        let random = || Seed::generate().map_err(|error| JobError::Ours(error.into()));
        let secret = Secret(*random()?.expose_bytes());
        let keys = RatingKeys::generate(&setup.parameters, &setup.seeds, &secret.seed());
        let opening = Opening {
            number: NUMBER,
            mask_seed: PublicSeed::from_bytes(*random()?.expose_bytes()),
        };
        Ok(Self {
            keys: Arc::new(keys.map_err(|error| JobError::Ours(error.into()))?),
            rows: Ahead::start(platform, &setup, &common),
            setup,
            common,
            secret,
            opening,
        })
    }

    /// The rows as they will leave, from P0's own model.
    fn encode(
        self,
        masks: Vec<u8>,
        makers: Option<Arc<dyn GroupMakers>>,
    ) -> Result<(PreparedUpload, Arc<RatingKeys>), JobError> {
        let ours = |error: s3rec_spmm::noise_first::NoiseFirstError| JobError::Ours(error.into());
        let setup = self.setup;
        let rows = self.rows.finish()?;
        let rows = Rows::encode(&setup.parameters, &rows).map_err(ours)?;
        let job = self
            .keys
            .job(&setup.users_digest, &setup.split, &self.opening)
            .map_err(ours)?;
        // Fresh, and used for these rows alone: they are never encoded again.
        let errors = Seed::generate().map_err(|error| JobError::Ours(error.into()))?;
        let upload = match makers {
            Some(makers) => Upload::encrypt_by(makers.as_ref(), &self.keys, &job, &rows, &errors)
                .map_err(JobError::Ours)?,
            None => Upload::encrypt(&self.keys, &job, &rows, &errors).map_err(ours)?,
        };
        let prepared = PreparedUpload {
            parameters: setup.parameters,
            parameters_digest: setup.parameters_digest,
            common: self.common,
            sides: setup.parameters.terms().sides,
            opened: setup.split.opened().to_vec(),
            users_digest: setup.users_digest,
            seeds: setup.seeds,
            secret: self.secret,
            opening: self.opening,
            masks,
            upload: upload.bytes().to_vec(),
        };
        Ok((prepared, self.keys))
    }
}

fn of_common(common: &[u32], places: &[u32]) -> Vec<u32> {
    let users = places.iter().map(|&place| common.get(place as usize));
    users.flatten().copied().collect()
}

impl RatingJob {
    /// An opening of friends' sums whose rows may have left: from what is on disk of it.
    /// `is_finished`: P1 says that it needs nothing more.
    ///
    /// # Errors
    /// What is on disk does not fit.
    pub fn take_up_friends(
        platform: Arc<dyn RatingPlatform>,
        proposal: &Proposal,
        checkpoint: FriendsCheckpoint,
        is_finished: bool,
    ) -> Result<Self, JobError> {
        let mut about = About::new(platform, proposal.job);
        about.openings = checkpoint.openings();
        about.stocks = 1;
        about.is_agreed = checkpoint.sums.is_some() && (checkpoint.is_agreed || is_finished);
        if checkpoint.sums.is_some() {
            let due = [Due::Emit(RatingEvent::Begins(Phase::Evaluation))];
            return Ok(Self::at(
                about,
                due,
                FriendsStage::Opened(checkpoint).into(),
            ));
        }
        let prepared = checkpoint.prepared;
        let keys = RatingKeys::generate(
            &prepared.parameters,
            &prepared.seeds,
            &prepared.secret.seed(),
        );
        let keys = Arc::new(keys.map_err(|error| JobError::Ours(error.into()))?);
        Ok(Self::at(
            about,
            [],
            FriendsStage::Prepared(prepared, keys).into(),
        ))
    }
}

impl From<FriendsStage> for RatingStage {
    fn from(stage: FriendsStage) -> Self {
        Self::Friends(Box::new(stage))
    }
}

impl About {
    pub(super) fn begin_friends(
        self,
        setup: FriendsSetup,
        common: Vec<u32>,
    ) -> Result<RatingJob, JobError> {
        let stage = FriendsStage::Unkeyed(FriendsSession::new(&self.platform, setup, common)?);
        let due = [Due::Sign(Phase::Setup)];
        Ok(RatingJob::at(self, due, stage.into()))
    }

    /// The sums have come: first that they have, then what they are.
    fn friends_opened(mut self, prepared: Arc<PreparedUpload>, sums: RealMatrix) -> RatingJob {
        self.openings += 1;
        let terms = prepared.parameters.terms();
        let opened = RatingEvent::FriendsOpened {
            users: terms.opened,
            columns: terms.columns,
            sigma: prepared.parameters.sigma(),
        };
        let checkpoint = FriendsCheckpoint {
            prepared,
            sums: Some(Arc::new(sums.values().to_vec())),
            is_agreed: false,
        };
        let due = [
            Due::Save(RatingSave::Opened(self.openings)),
            Due::Save(RatingSave::Friends(checkpoint.clone())),
            Due::Emit(opened),
            Due::Sign(Phase::Online),
            Due::Emit(RatingEvent::Begins(Phase::Evaluation)),
        ];
        RatingJob::at(self, due, FriendsStage::Opened(checkpoint).into())
    }

    /// Where an exchange of the opening leads.
    pub(super) fn friends_done(
        self,
        endpoint: Endpoint,
        left: FriendsLeft,
    ) -> Result<RatingJob, JobError> {
        let theirs = JobError::Theirs;
        match (endpoint, left) {
            (Endpoint::FriendsKey(_), FriendsLeft::Key(session)) => {
                Ok(RatingJob::at(self, [], FriendsStage::Keyed(session).into()))
            }
            (Endpoint::FriendsPrepare(prepare), FriendsLeft::Prepare(session)) => {
                let masks = prepare.into_masks().map_err(theirs)?;
                let stage = FriendsStage::Masked(session, masks);
                Ok(RatingJob::at(self, [], stage.into()))
            }
            (Endpoint::FriendsPrepare(prepare), FriendsLeft::Resume(prepared, keys)) => {
                // Of other a-parts P1's answer would open to nothing.
                if prepare.into_masks().map_err(theirs)? != prepared.masks {
                    let step = s3rec_spmm::Step::Masks;
                    return Err(theirs(s3rec_spmm::SpmmError::Malformed { step }));
                }
                let due = [Due::Emit(RatingEvent::Asks { round: 1 })];
                let stage = FriendsStage::Encoded(prepared, keys);
                Ok(RatingJob::at(self, due, stage.into()))
            }
            (Endpoint::FriendsAnswer(answer), FriendsLeft::Answer(prepared)) => {
                let sums = answer.into_sums().map_err(theirs)?;
                Ok(self.friends_opened(prepared, sums))
            }
            _ => Err(JobError::OutOfPlace),
        }
    }

    pub(super) fn friends(mut self, stage: FriendsStage) -> Result<RatingNext, JobError> {
        let ours = JobError::Ours;
        let (phase, round, endpoint, left) = match stage {
            FriendsStage::Unkeyed(session) => {
                let endpoint = RatingKeySetup::new(&session.keys).map_err(ours)?;
                let endpoint = Endpoint::FriendsKey(endpoint);
                (Phase::Setup, 0, endpoint, FriendsLeft::Key(session))
            }
            FriendsStage::Keyed(session) => {
                let setup = &session.setup;
                let job = session
                    .keys
                    .job(&setup.users_digest, &setup.split, &session.opening)
                    .map_err(|error| ours(error.into()))?;
                let endpoint = RatingPrepare::new(&setup.parameters, &job).map_err(ours)?;
                let endpoint = Endpoint::FriendsPrepare(endpoint);
                (Phase::Offline, 0, endpoint, FriendsLeft::Prepare(session))
            }
            FriendsStage::Masked(session, masks) => {
                let (prepared, keys) = session.encode(masks, self.platform.group_makers())?;
                let prepared = Arc::new(prepared);
                self.stocks += 1;
                let checkpoint = FriendsCheckpoint {
                    prepared: Arc::clone(&prepared),
                    sums: None,
                    is_agreed: false,
                };
                let due = [
                    Due::Save(RatingSave::Friends(checkpoint)),
                    Due::Emit(RatingEvent::Prepared),
                    Due::Emit(RatingEvent::RoundsBegin),
                    Due::Sign(Phase::Offline),
                    Due::Emit(RatingEvent::Asks { round: 1 }),
                ];
                let stage = FriendsStage::Encoded(prepared, keys);
                return RatingJob::at(self, due, stage.into()).next();
            }
            FriendsStage::Prepared(prepared, keys) => {
                let split = prepared.split()?;
                let job = keys.job(&prepared.users_digest, &split, &prepared.opening);
                let job = job.map_err(|error| ours(error.into()))?;
                let endpoint = RatingPrepare::new(&prepared.parameters, &job).map_err(ours)?;
                let endpoint = Endpoint::FriendsPrepare(endpoint);
                (
                    Phase::Offline,
                    0,
                    endpoint,
                    FriendsLeft::Resume(prepared, keys),
                )
            }
            FriendsStage::Encoded(prepared, keys) => {
                let upload = Upload::from_bytes(prepared.upload.clone());
                let endpoint = RatingAnswer::new(&keys, &upload, prepared.masks.clone());
                let endpoint = Endpoint::FriendsAnswer(endpoint.map_err(ours)?);
                (Phase::Online, 1, endpoint, FriendsLeft::Answer(prepared))
            }
            FriendsStage::Opened(checkpoint) if self.is_agreed => {
                let FriendsCheckpoint { prepared, sums, .. } = checkpoint;
                let split = prepared.split()?;
                let sums = sums.ok_or(JobError::OutOfPlace)?;
                let (rows, columns) = (prepared.parameters.opened(), prepared.parameters.columns());
                let sums = RealMatrix::from_vec(rows, columns, sums.to_vec());
                return Ok(RatingNext::Done(RatingDone::Friends(Box::new(
                    FriendsOpened {
                        parameters: prepared.parameters,
                        opened: of_common(&prepared.common, split.opened()),
                        uploaded: of_common(&prepared.common, split.uploaded()),
                        common: prepared.common.clone(),
                        sums: sums.map_err(|error| ours(error.into()))?,
                    },
                ))));
            }
            FriendsStage::Opened(checkpoint) => {
                let unfinished = Unfinished(self, Learnt::Friends(checkpoint));
                return Ok(RatingNext::Exchange(RatingExchange::Finish(unfinished)));
            }
        };
        let left = Left::Friends(Box::new(left));
        let exchange = RatingExchange::product(self, phase, round, endpoint, left);
        Ok(RatingNext::Exchange(exchange))
    }
}
