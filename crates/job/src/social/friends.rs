//! P1's part of one opening of friends' sums (protocol `noise-first`): what is on disk before what
//! leaves.
//!
//! | before | on disk |
//! |---|---|
//! | a-parts leave | [`SocialFriendsCheckpoint`]: keys, users, P1's secret; the opening's number and seed |
//! | the answer is made | the digest of the upload that it answers; then its count |
//! | the answer leaves | its bytes |
//!
//! All of P1's randomness is derived, so what is made again from the same links is the same; for
//! other links, another opening or another upload nothing is made at all.

mod record;

use std::fmt::Display;
use std::io;
use std::sync::Arc;

use s3rec_algebra::Seed;
use s3rec_spmm::noise_first::{
    Block, Friends, Noised, Opening, Parameters, Prepared, SessionSeeds, Sides, SocialAnswer,
    SocialKeySetup, SocialKeys, SocialPrepare, SocialPrepareAgain, SocialSession, Split,
};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

use record::{Answering, Binding};

use super::checkpoint::changed;
use super::exchange::{Endpoint, Left};
use super::turn::{About, State};
use super::{Restored, Restoring, SocialJob, SocialTurn};
use crate::{AgreedParameters, JobError};

/// Who is opened, before the parameters are agreed on and before the links are read.
pub struct FriendsBounded {
    /// Who is opened, by the common order.
    pub split: Split,
    /// Friends of one user, at most, as stated.
    pub degree_bound: u32,
    /// Digest of the common users in their order.
    pub users_digest: [u8; 32],
    /// P0's half of the seeds.
    pub rating_half: [u8; 32],
    /// Ours.
    pub social_half: [u8; 32],
    /// Made by P0, never used twice.
    pub stock_id: [u8; 16],
    /// The common users, as indices of P1's ids.
    pub rows: Arc<Vec<u32>>,
}

/// What both platforms agreed on for an opening of friends' sums. P1's secret.
pub struct FriendsAgreed {
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
    /// The common users, as indices of P1's ids.
    pub rows: Arc<Vec<u32>>,
    /// The part of S that is read, as it is for the whole of the job. It is made, with its digest,
    /// where the time of that is padded: from here to the a-parts nothing looks at a link.
    pub block: Block,
    /// Its digest under the key.
    pub links: [u8; 32],
    /// Of which all of P1's randomness is derived; fresh for this setup.
    pub key: Seed,
}

/// An opening whose a-parts may have left: P1's secret, on disk.
#[derive(Serialize, Deserialize)]
pub struct SocialFriendsCheckpoint {
    /// How P0 is named.
    pub peer: String,
    /// The opening's.
    pub parameters: Parameters,
    rows: Vec<u32>,
    parameters_digest: [u8; 32],
    sides: Sides,
    opened: Vec<u32>,
    users_digest: [u8; 32],
    seeds: SessionSeeds,
    keys: Vec<u8>,
    key: Secret,
    /// Of the part of the links that is read, under the key.
    links: [u8; 32],
    opening: Option<Opening>,
    upload: Option<[u8; 32]>,
    answer: Option<Answer>,
}

#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
struct Secret([u8; 32]);

/// An answer that was made: it is sent from here alone.
#[derive(Clone, Serialize, Deserialize)]
struct Answer {
    masks: Vec<u8>,
    noised: Vec<u8>,
}

/// Where an opening is kept. Each call is durable when it returns.
pub trait FriendsStorage: Send + Sync {
    /// What is there.
    ///
    /// # Errors
    /// The storage's.
    fn load(&self) -> io::Result<Option<SocialFriendsCheckpoint>>;

    /// Replaces it, whole or not at all.
    ///
    /// # Errors
    /// The storage's.
    fn save(&self, checkpoint: &SocialFriendsCheckpoint) -> io::Result<()>;
}

/// How far the opening is.
pub struct SocialFriends(FriendsStage);

enum FriendsStage {
    /// P0's keys are due.
    Agreed(FriendsAgreed),
    /// The opening's name is due.
    Keyed(Keyed),
    /// P0's rows are due.
    Prepared([u8; 32], Box<Prepared>),
    /// It was answered: to the same rows the same answer goes out again.
    Answered([u8; 32], Parameters, Bound, Answer),
    /// Nothing more is due.
    Done([u8; 32]),
}

/// The opening's number, and the digest of its upload.
type Bound = (u64, [u8; 32]);

/// P0's keys and what they are for.
pub(super) struct Keyed {
    agreed: FriendsAgreed,
    keys: Arc<SocialKeys>,
    message: Vec<u8>,
}

/// What the job has beside an endpoint of the opening.
pub(super) enum FriendsLeft {
    Key(Box<FriendsAgreed>),
    Prepare([u8; 32]),
    Again(Box<SocialFriendsCheckpoint>),
    Answer([u8; 32]),
}

impl SocialFriends {
    /// An opening whose parameters were agreed on.
    #[must_use]
    pub fn new(agreed: FriendsAgreed) -> Self {
        Self(FriendsStage::Agreed(agreed))
    }

    /// Of the parameters.
    pub(super) fn parameters_digest(&self) -> [u8; 32] {
        match &self.0 {
            FriendsStage::Agreed(agreed) => agreed.parameters_digest,
            FriendsStage::Keyed(keyed) => keyed.agreed.parameters_digest,
            FriendsStage::Prepared(digest, _)
            | FriendsStage::Answered(digest, ..)
            | FriendsStage::Done(digest) => *digest,
        }
    }

    pub(super) fn is_unkeyed(&self) -> bool {
        matches!(self.0, FriendsStage::Agreed(_))
    }

    pub(super) fn is_unprepared(&self) -> bool {
        matches!(self.0, FriendsStage::Keyed(_))
    }

    pub(super) fn is_prepared(&self) -> bool {
        matches!(self.0, FriendsStage::Prepared(..))
    }

    pub(super) fn is_answered(&self) -> bool {
        matches!(self.0, FriendsStage::Answered(..))
    }
}

impl About {
    /// What a call that is due exchanges; a-parts only once they are cleared.
    pub(super) fn friends(
        &self,
        friends: SocialFriends,
    ) -> Result<Result<(Endpoint, Left), Box<Keyed>>, JobError> {
        let storage = self.platform.friends_storage();
        let (endpoint, left) = match friends.0 {
            FriendsStage::Agreed(agreed) => {
                let setup = SocialKeySetup::new(&agreed.parameters, &agreed.seeds);
                let endpoint = Endpoint::FriendsKey(setup.map_err(JobError::Ours)?);
                (endpoint, FriendsLeft::Key(Box::new(agreed)))
            }
            FriendsStage::Keyed(keyed) => return Ok(Err(Box::new(keyed))),
            FriendsStage::Prepared(digest, prepared) => {
                let admission = self.platform.admission(self.call.round);
                let record = Answering::new(storage, admission, prepared.masks().to_vec());
                let answer = SocialAnswer::new(*prepared, record).map_err(JobError::Ours)?;
                (Endpoint::FriendsAnswer(answer), FriendsLeft::Answer(digest))
            }
            FriendsStage::Answered(digest, parameters, (number, upload), answer) => {
                let admission = self.platform.admission(self.call.round);
                let record = Answering::new(storage, admission, answer.masks);
                let noised = Noised::from_bytes(answer.noised);
                let again = SocialAnswer::again(&parameters, number, upload, noised, record);
                let endpoint = Endpoint::FriendsAnswer(again.map_err(JobError::Ours)?);
                (endpoint, FriendsLeft::Answer(digest))
            }
            FriendsStage::Done(_) => return Err(JobError::NotDue),
        };
        Ok(Ok((endpoint, Left::Friends(left))))
    }

    /// Puts on disk what the opening goes on from, then waits for its name.
    pub(super) fn prepare_friends(&self, keyed: Keyed) -> Result<(Endpoint, Left), JobError> {
        let Keyed {
            agreed,
            keys,
            message,
        } = keyed;
        let storage = self.platform.friends_storage();
        let checkpoint = SocialFriendsCheckpoint {
            peer: self.platform.peer(),
            parameters: agreed.parameters,
            rows: agreed.rows.as_ref().clone(),
            parameters_digest: agreed.parameters_digest,
            sides: agreed.parameters.terms().sides,
            opened: agreed.split.opened().to_vec(),
            users_digest: agreed.users_digest,
            seeds: agreed.seeds,
            keys: message,
            key: Secret(*agreed.key.expose_bytes()),
            links: agreed.links,
            opening: None,
            upload: None,
            answer: None,
        };
        storage.save(&checkpoint).map_err(JobError::disk)?;
        let session = SocialSession {
            keys,
            users_digest: agreed.users_digest,
            split: agreed.split,
            key: agreed.key,
            makers: self.platform.pack_makers(),
        };
        let prepare = SocialPrepare::of_block(session, agreed.block, Binding(storage));
        let endpoint = Endpoint::FriendsPrepare(prepare.map_err(JobError::Ours)?);
        let left = FriendsLeft::Prepare(agreed.parameters_digest);
        Ok((endpoint, Left::Friends(left)))
    }

    /// Where an exchange of the opening leads.
    pub(super) fn friends_done(
        endpoint: Endpoint,
        left: FriendsLeft,
    ) -> Result<SocialJob, JobError> {
        let stage = match (endpoint, left) {
            (Endpoint::FriendsKey(setup), FriendsLeft::Key(agreed)) => {
                let message = setup.into_message().map_err(JobError::Ours)?;
                let keys = SocialKeys::accept(&agreed.parameters, &agreed.seeds, &message);
                FriendsStage::Keyed(Keyed {
                    agreed: *agreed,
                    keys: Arc::new(keys.map_err(|error| JobError::Theirs(error.into()))?),
                    message,
                })
            }
            (Endpoint::FriendsPrepare(prepare), FriendsLeft::Prepare(digest)) => {
                let prepared = prepare.into_prepared().map_err(JobError::Ours)?;
                FriendsStage::Prepared(digest, Box::new(prepared))
            }
            (Endpoint::FriendsAgain(_), FriendsLeft::Again(checkpoint)) => {
                let bound = (
                    checkpoint.opening,
                    checkpoint.upload,
                    checkpoint.answer.clone(),
                );
                let (Some(opening), Some(upload), Some(answer)) = bound else {
                    return Err(JobError::OutOfPlace);
                };
                let bound = (opening.number, upload);
                FriendsStage::Answered(
                    checkpoint.parameters_digest,
                    checkpoint.parameters,
                    bound,
                    answer,
                )
            }
            (Endpoint::FriendsAnswer(_), FriendsLeft::Answer(digest)) => FriendsStage::Done(digest),
            _ => return Err(JobError::OutOfPlace),
        };
        Ok(SocialJob::Friends(Box::new(SocialFriends(stage))))
    }
}

/// An opening as it was kept, to be met over.
pub(super) struct ResumeHandshake {
    endpoint: Endpoint,
    left: FriendsLeft,
}

impl ResumeHandshake {
    pub(super) fn apart(self) -> (Endpoint, Left) {
        (self.endpoint, Left::Friends(self.left))
    }
}

impl Restoring {
    /// The opening as it was kept, ready to name it again. `friends` makes S over the common users,
    /// given as indices of P1's ids; it is not looked at where the answer is on disk.
    ///
    /// # Errors
    /// [`JobError::Lost`], [`JobError::OtherParameters`], [`JobError::LinksChanged`].
    pub fn friends_from_disk<E: Display>(
        self,
        checkpoint: Option<SocialFriendsCheckpoint>,
        friends: impl FnOnce(&[u32]) -> Result<Friends, E>,
    ) -> Result<(SocialTurn, Restored), JobError> {
        let checkpoint = checkpoint.ok_or(JobError::Lost)?;
        let Self(about) = self;
        if checkpoint.parameters_digest != about.call.parameters_digest {
            return Err(JobError::OtherParameters);
        }
        // Without a bound opening no rows of P0 can be on their way.
        if checkpoint.opening.is_none() {
            return Err(JobError::Lost);
        }
        let restored = Restored {
            openings: u32::from(checkpoint.answer.is_some()),
            users: u32::try_from(checkpoint.rows.len()).unwrap_or(u32::MAX),
            parameters: AgreedParameters::Friends(checkpoint.parameters),
        };
        let storage = about.platform.friends_storage();
        let users = u32::try_from(checkpoint.rows.len()).unwrap_or(u32::MAX);
        let split = match checkpoint.sides {
            Sides::One => Split::one_sided(users, checkpoint.opened.clone()).map_err(ours)?,
            Sides::Two => Split::two_sided(users),
        };
        let key = Seed::from_bytes(checkpoint.key.0);
        let keys = SocialKeys::accept(&checkpoint.parameters, &checkpoint.seeds, &checkpoint.keys)
            .map_err(ours)?;
        let session = SocialSession {
            keys: Arc::new(keys),
            users_digest: checkpoint.users_digest,
            split,
            key,
            makers: about.platform.pack_makers(),
        };
        let handshake = if let Some(answer) = &checkpoint.answer {
            let masks = answer.masks.clone();
            let again = SocialPrepareAgain::new(session, masks, Binding(storage));
            ResumeHandshake {
                endpoint: Endpoint::FriendsAgain(again.map_err(JobError::Ours)?),
                left: FriendsLeft::Again(Box::new(checkpoint)),
            }
        } else {
            let friends = friends(&checkpoint.rows).map_err(changed)?;
            let block = friends.block(&session.split).map_err(ours)?;
            if block.digest(&session.key) != checkpoint.links {
                return Err(changed("they give other sums"));
            }
            let prepare = SocialPrepare::of_block(session, block, Binding(storage));
            ResumeHandshake {
                endpoint: Endpoint::FriendsPrepare(prepare.map_err(JobError::Ours)?),
                left: FriendsLeft::Prepare(checkpoint.parameters_digest),
            }
        };
        let turn = SocialTurn::at(about, [], State::FriendsHandshake(Box::new(handshake)));
        Ok((turn, restored))
    }
}

fn ours(error: s3rec_spmm::noise_first::NoiseFirstError) -> JobError {
    JobError::Ours(error.into())
}

#[cfg(test)]
#[path = "friends_tests.rs"]
mod tests;
