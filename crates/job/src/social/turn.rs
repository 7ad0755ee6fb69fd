use std::collections::VecDeque;
use std::sync::Arc;

use s3rec_spmm::fetch::SocialQueries;
use s3rec_spmm::he::{SocialKeySetup, SocialRound, public_key_seed};
use s3rec_spmm::preprocessed::{
    SocialBlock, SocialClose, SocialContinuation, SocialOpening, SocialSession, SocialStock,
    StockTerms,
};
use s3rec_spmm::{Admission, ProductParameters};

use super::exchange::{Endpoint, Left};
use super::friends::{Keyed as FriendsKeyed, ResumeHandshake};
use super::{
    Call, Keyed, Pace, Permit, Restoring, SocialAgreed, SocialCheckpoint, SocialExchange,
    SocialJob, SocialPlatform, Stocked,
};
use crate::{JobError, JobId, Phase};

/// One exchange of P0's, from its header until the job is left in its next stage.
pub struct SocialTurn {
    pub(super) about: About,
    /// To be done before the state is looked at.
    pub(super) due: VecDeque<Due>,
    pub(super) state: State,
}

pub(super) struct About {
    pub(super) platform: Arc<dyn SocialPlatform>,
    pub(super) job: JobId,
    pub(super) call: Call,
}

pub(super) enum Due {
    Save(Box<SocialCheckpoint>),
    Emit(SocialEvent),
}

pub(super) enum State {
    /// As the call found the job.
    Called(SocialJob),
    /// What answers an upload may leave.
    Cleared(Box<SocialAgreed>),
    /// A stock is to be made for what was agreed on.
    Creating(Box<SocialAgreed>),
    /// P0's key for an empty stock is due.
    Created(Box<SocialAgreed>, Box<SocialStock>),
    /// Both sides are to meet over the stock.
    Resuming(Box<Stocked>),
    /// Both sides are to find the place of an unfinished stock, where there is one.
    GoingOn(Option<Box<Stocked>>),
    /// A-parts of friends' sums may leave.
    FriendsCleared(Box<FriendsKeyed>),
    /// Both sides are to meet over an opening of friends' sums.
    FriendsHandshake(Box<ResumeHandshake>),
    /// The call is answered.
    Answered(SocialJob),
}

/// What is to be done next in a turn.
pub enum SocialNext {
    /// Answers to an upload are about to leave, or queries for its rows: to be permitted and
    /// counted.
    Clear(Uncleared),
    /// What is on disk is to be read.
    Restore(Restoring),
    /// To be on disk before the turn goes on.
    Save(Box<SocialCheckpoint>, SocialTurn),
    /// To be told.
    Emit(SocialEvent, SocialTurn),
    /// To be carried out with P0.
    Exchange(Box<SocialExchange>),
    /// The call is answered; the job waits for the next.
    Rest(SocialJob),
}

/// What is told of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocialEvent {
    /// A stock is begun.
    StockBegins,
    /// A stock that was being made when P0 went away is gone on with.
    StockGoesOn {
        /// Bytes before the rounds that need not cross again.
        held_bytes: u64,
    },
    /// There is none that could be gone on with: P0 begins again.
    StockLost,
    /// So many of the stock's columns are made.
    StockGrows {
        /// Of all.
        columns: u64,
        /// Those that the job needs.
        of: u64,
        /// Once it is sealed.
        identity: Option<[u8; 32]>,
    },
    /// Both sides have the same stock.
    StockStands {
        /// Columns that the job needs.
        columns: u64,
        /// The stock's name.
        identity: Option<[u8; 32]>,
    },
}

/// A turn that goes on once what is about to leave is permitted and counted.
pub struct Uncleared(About, Waiting);

/// What waits for the permission.
enum Waiting {
    Product(Box<SocialAgreed>),
    Friends(Box<FriendsKeyed>),
}

impl Uncleared {
    /// Whether its rows were asked for already, under the protocols that fetch privately: that was
    /// permitted and counted as the same upload.
    #[must_use]
    pub fn is_asked_for(&self) -> bool {
        matches!(&self.1, Waiting::Product(agreed) if agreed.asked.is_some())
    }

    /// Goes on with the proof.
    #[must_use]
    pub fn cleared(self, _: &impl Permit) -> SocialTurn {
        let state = match self.1 {
            Waiting::Product(agreed) => State::Cleared(agreed),
            Waiting::Friends(keyed) => State::FriendsCleared(keyed),
        };
        SocialTurn::at(self.0, [], state)
    }
}

impl SocialTurn {
    /// A call that is due, and takes the job.
    #[must_use]
    pub fn new(
        platform: Arc<dyn SocialPlatform>,
        job: JobId,
        call: Call,
        stage: SocialJob,
    ) -> Self {
        let about = About {
            platform,
            job,
            call,
        };
        Self::at(about, [], State::Called(stage))
    }

    pub(super) fn at(about: About, due: impl IntoIterator<Item = Due>, state: State) -> Self {
        Self {
            about,
            due: due.into_iter().collect(),
            state,
        }
    }

    /// What the time of its next answer would show.
    #[must_use]
    pub fn pace(&self) -> Pace {
        match &self.state {
            State::Called(job) => job.pace(),
            State::FriendsCleared(_) | State::FriendsHandshake(_) => Pace::Block,
            _ => Pace::Free,
        }
    }

    /// What is to be done next. It computes: not for the executor's threads.
    ///
    /// # Errors
    /// [`JobError`]: the job, or P0's connection, is over.
    pub fn next(mut self) -> Result<SocialNext, JobError> {
        match self.due.pop_front() {
            Some(Due::Save(checkpoint)) => return Ok(SocialNext::Save(checkpoint, self)),
            Some(Due::Emit(event)) => return Ok(SocialNext::Emit(event, self)),
            None => {}
        }
        let Self { about, state, .. } = self;
        let is_round = about.call.phase == Phase::Online;
        let (endpoint, left) = match state {
            State::Answered(job) => return Ok(SocialNext::Rest(job)),
            State::Called(SocialJob::Agreed(agreed)) => {
                let waiting = Waiting::Product(agreed);
                return Ok(SocialNext::Clear(Uncleared(about, waiting)));
            }
            State::Called(SocialJob::Friends(friends)) => match about.friends(*friends)? {
                Ok(exchanged) => exchanged,
                Err(keyed) => {
                    let waiting = Waiting::Friends(keyed);
                    return Ok(SocialNext::Clear(Uncleared(about, waiting)));
                }
            },
            State::FriendsCleared(keyed) => about.prepare_friends(*keyed)?,
            State::FriendsHandshake(handshake) => handshake.apart(),
            State::Called(SocialJob::Away) => {
                return Ok(SocialNext::Restore(Restoring(about)));
            }
            State::Cleared(agreed) if agreed.is_to_ask() => {
                let queries = SocialQueries::new(&agreed.parameters, &agreed.operand);
                let queries = queries.map_err(JobError::Ours)?;
                (Endpoint::Queries(queries), Left::Queries(agreed))
            }
            State::Cleared(agreed) if agreed.parameters.protocol.is_preprocessed() => {
                let checkpoint = SocialCheckpoint::of(&agreed, about.platform.peer());
                let due = [
                    Due::Emit(SocialEvent::StockBegins),
                    Due::Save(Box::new(checkpoint)),
                ];
                return Self::at(about, due, State::Creating(agreed)).next();
            }
            State::Cleared(agreed) => {
                let seed = about.key_seed(&agreed);
                let setup = SocialKeySetup::new(&agreed.parameters, &seed);
                (
                    Endpoint::Key(setup.map_err(JobError::Ours)?),
                    Left::Key(agreed),
                )
            }
            State::Creating(agreed) => {
                let stock = about.create(&agreed)?;
                let grows = grows(&agreed.parameters, 0, &stock)?;
                let state = State::Created(agreed, Box::new(stock));
                return Self::at(about, [Due::Emit(grows)], state).next();
            }
            State::Created(agreed, stock) => {
                let setup = stock.key_setup().map_err(JobError::Ours)?;
                (Endpoint::Key(setup), Left::StockKey(agreed, stock))
            }
            State::Called(SocialJob::Stocking(stocked)) => {
                let space = about.platform.space();
                let (stock, rest) = stocked.apart();
                let memory = space.memory_limit_bytes;
                let block = match &rest.place {
                    None => SocialBlock::new(stock, memory),
                    Some(place) => SocialBlock::going_on(stock, place, memory),
                };
                let mut block = block.map_err(JobError::Ours)?;
                if let Some(fetch) = &rest.fetch {
                    block = block.with_fetch(fetch);
                }
                (Endpoint::Block(block), Left::Block(rest))
            }
            State::Called(SocialJob::Sealed(stocked)) | State::Resuming(stocked) => {
                let (stock, rest) = stocked.apart();
                let session = SocialSession::new(stock).map_err(JobError::Ours)?;
                (Endpoint::Session(session), Left::Session(rest))
            }
            State::GoingOn(stocked) => {
                let (stock, rest) = stocked.map(|stocked| stocked.apart()).unzip();
                let continuation = SocialContinuation::new(stock);
                (
                    Endpoint::Continuation(continuation),
                    Left::Continuation(rest),
                )
            }
            State::Called(SocialJob::Stocked(stocked)) if is_round => {
                let (stock, rest) = stocked.apart();
                let opening = SocialOpening::new(stock, about.admission());
                let opening = opening.map_err(JobError::Ours)?;
                (Endpoint::Opening(opening), Left::Opening(rest))
            }
            State::Called(SocialJob::Stocked(stocked)) => {
                let (stock, _) = stocked.apart();
                (Endpoint::Close(SocialClose::new(stock)), Left::Close)
            }
            State::Called(SocialJob::Keyed(keyed)) => {
                (Endpoint::Round(about.round(&keyed)?), Left::Round(keyed))
            }
            State::Called(_) => return Err(JobError::NotDue),
        };
        Ok(SocialNext::Exchange(Box::new(SocialExchange {
            about,
            endpoint,
            left,
        })))
    }
}

impl About {
    fn key_seed(&self, agreed: &SocialAgreed) -> s3rec_algebra::PublicSeed {
        let name = self.job.to_string();
        public_key_seed(&agreed.rating_half, &agreed.social_half, name.as_bytes())
    }

    /// The platform's word on one round.
    fn admission(&self) -> Box<dyn Admission> {
        self.platform.admission(self.call.round)
    }

    fn create(&self, agreed: &SocialAgreed) -> Result<SocialStock, JobError> {
        let [rating_party, social_party] = self.platform.parties();
        let terms = StockTerms {
            stock_id: agreed.stock_id,
            rating_party,
            social_party,
            users_digest: agreed.users_digest,
            operator_commitment: agreed.operand.commitment(),
            key_seed: self.key_seed(agreed),
            parameters: agreed.parameters.clone(),
        };
        let storage = self.platform.make_stock().map_err(JobError::disk)?;
        let operand = Arc::clone(&agreed.operand);
        SocialStock::create(storage, terms, &agreed.pattern, operand).map_err(JobError::Ours)
    }

    fn round(&self, keyed: &Keyed) -> Result<SocialRound, JobError> {
        let (number, space) = (self.call.round - 1, self.platform.space());
        let round = SocialRound::new(
            &keyed.keys,
            &keyed.operand,
            number,
            self.admission(),
            &space,
        );
        let mut round = round.map_err(JobError::Ours)?;
        if let Some(fetch) = &keyed.fetch {
            round = round.with_fetch(fetch);
        }
        Ok(round)
    }
}

pub(super) fn grows(
    parameters: &ProductParameters,
    blocks_made: u32,
    stock: &SocialStock,
) -> Result<SocialEvent, JobError> {
    let layout = parameters.layout().map_err(JobError::Ours)?;
    let made = u64::from(layout.block_columns) * u64::from(blocks_made);
    let of = parameters.all_columns();
    Ok(SocialEvent::StockGrows {
        columns: made.min(of),
        of,
        identity: stock.identity(),
    })
}
