//! P0's job: the order of its exchanges, what is on disk before what leaves, and what it goes on
//! from, each written down here and nowhere else. Whoever drives it (the daemon, the fault
//! schedules) does what [`RatingJob::next`] says and gives the result back.
//!
//! | order | exchange | phase |
//! |---|---|---|
//! | 1 | heads of the audit logs; the common users; heads | Consent, Alignment |
//! | 2 | the parameters; heads | Setup |
//! | 3 | P1's queries, where it fetches privately; P0's key | Setup |
//! | 4 | the masks, block by block; the resume handshake over the finished stock | Offline |
//! | 5 | heads; the rounds; heads; the stock is closed | Online |
//! | 6 | both sides' count of the openings | Evaluation |
//!
//! A job that goes on from disk begins with the place of its unfinished stock, with the resume
//! handshake of 4, or with 6. An opening of friends' sums has the order of `friends` in place of
//! 3 to 5.

mod about;
mod bounded;
mod checkpoint;
mod exchange;
mod friends;
mod next;
mod trainee;

use std::collections::VecDeque;
use std::error::Error;
use std::io;
use std::sync::Arc;

use s3rec_algebra::{RealMatrix, RingMatrix};
use s3rec_model::Model;
use s3rec_spmm::fetch::{RatingFetch, RatingQueries};
use s3rec_spmm::he::RatingKeys;
use s3rec_spmm::noise_first::{self, GroupMakers};
use s3rec_spmm::preprocessed::{
    RatingBlock, RatingClose, RatingContinuation, RatingSession, RatingStock, StockPlace,
    StockStorage,
};
use s3rec_spmm::{ProductParameters, PublicPattern};

use crate::{JobError, JobId, JointTraining, Phase, Proposal};

pub use checkpoint::{RatingAgreed, RatingCheckpoint, RatingProgress, RoundReport, Spent};
pub use exchange::{ProductExchange, RatingExchange, Unagreed, Unaligned, Unfinished};
pub use friends::{FriendsCheckpoint, FriendsOpened, FriendsSetup, PreparedUpload};
pub use next::{RatingDone, RatingEvent, RatingNext, RatingSave};

use exchange::{Endpoint, Learnt, Left};
use friends::FriendsStage;
use trainee::Trainee;

/// What the job takes from the platform that it runs at.
pub trait RatingPlatform: Send + Sync {
    /// A training that has not begun, under the agreed parameters; `common` are P0's indices of
    /// the common users.
    ///
    /// # Errors
    /// Whatever the platform says; the job ends with it.
    fn training(
        &self,
        parameters: &ProductParameters,
        common: &[u32],
    ) -> Result<JointTraining, Box<dyn Error + Send + Sync>>;

    /// X: the rows of `uploaded` that are summed up for their friends in `opened`, both as indices
    /// of P0's users: |W| × C, of norm β at most, made without the links and fixed from here on.
    ///
    /// # Errors
    /// Whatever the platform says; the job ends with it.
    fn friends_rows(
        &self,
        parameters: &noise_first::Parameters,
        opened: &[u32],
        uploaded: &[u32],
    ) -> Result<RealMatrix, Box<dyn Error + Send + Sync>>;

    /// Who encrypts the rows of friends' sums; this process, where nobody is named.
    fn group_makers(&self) -> Option<Arc<dyn GroupMakers>> {
        None
    }

    /// The model's error on what is held out; 0 when nothing is.
    fn held_out_rmse(&self, model: &Model) -> f64;

    /// An empty place for the job's stock.
    ///
    /// # Errors
    /// The storage's.
    fn make_stock(&self) -> io::Result<Arc<dyn StockStorage>>;

    /// The place of the stock as it was left.
    ///
    /// # Errors
    /// The storage's.
    fn reopen_stock(&self) -> io::Result<Arc<dyn StockStorage>>;

    /// Memory for P1's expanded queries.
    fn memory_bytes(&self) -> u64;
}

/// What both platforms agreed on.
pub struct RatingSetup {
    /// The product's.
    pub parameters: ProductParameters,
    /// By which both sides name them.
    pub parameters_digest: [u8; 32],
    /// The rows that are exchanged.
    pub pattern: Arc<PublicPattern>,
    /// Names the stock; never used twice.
    pub stock_id: [u8; 16],
    /// P0's half of the seed of A_pk.
    pub rating_half: [u8; 32],
    /// P1's half.
    pub social_half: [u8; 32],
    /// Digest of the common users in their order.
    pub users_digest: [u8; 32],
    /// P1's salted commitment to Y.
    pub operator_commitment: [u8; 32],
    /// Pins of both certificates, P0's first.
    pub parties: [[u8; 32]; 2],
}

/// A rating platform's job. P0's secret.
pub struct RatingJob {
    about: About,
    /// To be done before the stage is looked at.
    due: VecDeque<Due>,
    stage: RatingStage,
}

struct About {
    platform: Arc<dyn RatingPlatform>,
    job: JobId,
    openings: u32,
    stocks: u32,
    rounds: Vec<RoundReport>,
    /// P1 has confirmed the count of all openings.
    is_agreed: bool,
}

enum Due {
    Save(RatingSave),
    Emit(RatingEvent),
    Sign(Phase),
}

enum RatingStage {
    /// The common users are to be found.
    Unaligned,
    /// The parameters are to be agreed on.
    Unagreed(Vec<u32>),
    /// The key is to be announced, after P1's queries where it has any.
    Unkeyed(Box<AgreedSetup>, Queries),
    /// Both sides are to find the place of an unfinished stock from disk.
    Halted(Box<RatingAgreed>, Box<RatingStock>),
    /// The stock is being made, from that place.
    Stocking(
        Box<RatingAgreed>,
        Option<Arc<RatingFetch>>,
        Box<RatingStock>,
        Made,
    ),
    /// The training is to begin.
    Prepared(Box<RatingAgreed>, Product),
    /// Both sides are to meet over the stock; whether it was made just now.
    Sealed(Box<RatingStock>, Box<Trainee>, bool),
    /// The next opening is known.
    Rounds(Product, Box<Trainee>),
    /// An opening has come, and is to be learnt from.
    Opened(Product, Box<Trainee>, RingMatrix),
    /// All rounds are made.
    Unclosed(Product, Box<Trainee>),
    /// Only the count of openings is to be agreed on; whether the job outlives a restart.
    Trained(Box<Trainee>, bool),
    /// One opening of friends' sums.
    Friends(Box<FriendsStage>),
}

/// How far a stock is.
enum Made {
    /// So many of its blocks.
    Blocks(u32),
    /// A block that was under way when the connection broke.
    Within(StockPlace),
}

impl Made {
    fn blocks(&self) -> u32 {
        match self {
            Self::Blocks(made) => *made,
            Self::Within(place) => place.block,
        }
    }
}

enum Queries {
    Due,
    Taken(Option<Arc<RatingFetch>>),
}

struct AgreedSetup {
    setup: RatingSetup,
    common: Vec<u32>,
}

impl AgreedSetup {
    /// What is needed of it once the keys are there.
    fn keyed(self) -> Box<RatingAgreed> {
        Box::new(RatingAgreed {
            pattern: self.setup.pattern.as_ref().clone(),
            parameters: self.setup.parameters,
            parameters_digest: self.setup.parameters_digest,
            common: self.common,
        })
    }
}

/// What multiplies.
enum Product {
    He {
        keys: Arc<RatingKeys>,
        pattern: Arc<PublicPattern>,
        fetch: Option<Arc<RatingFetch>>,
    },
    Stock(Box<RatingStock>),
}

impl RatingJob {
    /// A job that was approved: from what is on disk of it, or from its beginning. `seen` are
    /// the openings that our ledger has of it; `is_finished`: P1 says that it needs nothing more.
    ///
    /// # Errors
    /// [`JobError::CannotResume`] after an opening without anything to go on from; what is on
    /// disk does not read or fit.
    pub fn take_up(
        platform: Arc<dyn RatingPlatform>,
        proposal: &Proposal,
        checkpoint: Option<RatingCheckpoint>,
        seen: u32,
        is_finished: bool,
    ) -> Result<Self, JobError> {
        let mut about = About::new(platform, proposal.job);
        let refuse_seen = || {
            let protocol = proposal.protocol;
            match seen {
                0 => Ok(()),
                seen => Err(JobError::CannotResume { seen, protocol }),
            }
        };
        let Some(RatingCheckpoint { agreed, progress }) = checkpoint else {
            refuse_seen()?;
            return Ok(about.beginning());
        };
        let Some(progress) = progress else {
            refuse_seen()?;
            return Ok(about.take_up_stock(agreed));
        };
        about.openings = progress.openings;
        about.stocks = progress.stocks;
        about.rounds = progress.rounds;
        about.is_agreed = progress.is_agreed;
        let training = about
            .platform
            .training(&agreed.parameters, &agreed.common)
            .map_err(JobError::Platform)?;
        let trainee = Box::new(Trainee::resume(training, progress.training)?);
        if is_finished || progress.is_agreed {
            let due = [Due::Emit(RatingEvent::Begins(Phase::Evaluation))];
            return Ok(Self::at(about, due, RatingStage::Trained(trainee, true)));
        }
        let storage = about.platform.reopen_stock().map_err(JobError::disk)?;
        let pattern = Arc::new(agreed.pattern);
        let stock = RatingStock::open(storage, pattern).map_err(JobError::Ours)?;
        let stage = RatingStage::Sealed(Box::new(stock), trainee, false);
        Ok(Self::at(about, [], stage))
    }

    /// What is to be done next. It computes: not for the executor's threads.
    ///
    /// # Errors
    /// [`JobError`]: the job, or this attempt of it, is over.
    pub fn next(mut self) -> Result<RatingNext, JobError> {
        match self.due.pop_front() {
            Some(Due::Save(what)) => return Ok(RatingNext::Save(what, self)),
            Some(Due::Emit(event)) => return Ok(RatingNext::Emit(event, self)),
            Some(Due::Sign(phase)) => {
                return Ok(RatingNext::Exchange(RatingExchange::Sign(phase, self)));
            }
            None => {}
        }
        let Self { about, stage, .. } = self;
        let exchange = match stage {
            RatingStage::Friends(stage) => return about.friends(*stage),
            RatingStage::Unaligned => RatingExchange::Align(Unaligned(about)),
            RatingStage::Unagreed(common) => RatingExchange::SetUp(Unagreed(about, common)),
            RatingStage::Unkeyed(agreed, Queries::Due) => {
                let endpoint = RatingQueries::new(&agreed.setup.parameters);
                let endpoint = Endpoint::Queries(endpoint.map_err(JobError::Ours)?);
                let left = Left::Queries(agreed);
                RatingExchange::product(about, Phase::Setup, 0, endpoint, left)
            }
            RatingStage::Unkeyed(agreed, Queries::Taken(fetch)) => about.key(agreed, fetch)?,
            RatingStage::Halted(agreed, stock) => {
                let endpoint = RatingContinuation::new(*stock).map_err(JobError::Ours)?;
                let endpoint = Endpoint::Continuation(endpoint);
                let left = Left::Continuation(agreed);
                RatingExchange::product(about, Phase::Offline, 0, endpoint, left)
            }
            RatingStage::Stocking(agreed, fetch, stock, made) => {
                let endpoint = match &made {
                    Made::Blocks(_) => RatingBlock::new(*stock),
                    Made::Within(place) => RatingBlock::going_on(*stock, place),
                };
                let mut endpoint = endpoint.map_err(JobError::Ours)?;
                if let Some(fetch) = &fetch {
                    endpoint = endpoint.with_fetch(fetch);
                }
                let endpoint = Endpoint::Block(endpoint);
                let left = Left::Block(agreed, fetch, made.blocks());
                RatingExchange::product(about, Phase::Offline, 0, endpoint, left)
            }
            RatingStage::Prepared(agreed, product) => {
                return about.begin_training(*agreed, product);
            }
            RatingStage::Sealed(mut stock, trainee, is_new) => {
                if let Some(opening) = trainee.opening() {
                    let opening = bounded::bound_rows(opening, &stock.terms().parameters);
                    let opening = opening.map_err(JobError::Ours)?;
                    stock.reserve_first(&opening).map_err(JobError::Ours)?;
                }
                let endpoint = RatingSession::with_kept_inputs(*stock).map_err(JobError::Ours)?;
                let endpoint = Endpoint::Session(endpoint);
                let left = Left::Session(trainee, is_new);
                RatingExchange::product(about, Phase::Offline, 0, endpoint, left)
            }
            RatingStage::Rounds(product, trainee) => about.round(product, trainee)?,
            RatingStage::Opened(product, trainee, opened) => {
                return about.learn(product, *trainee, &opened);
            }
            RatingStage::Unclosed(Product::He { .. }, trainee) => {
                return about.trained(trainee, false).next();
            }
            RatingStage::Unclosed(Product::Stock(stock), trainee) => {
                let endpoint = Endpoint::Close(RatingClose::new(*stock));
                let left = Left::Close(trainee);
                RatingExchange::product(about, Phase::Offline, 0, endpoint, left)
            }
            RatingStage::Trained(trainee, _) if about.is_agreed => {
                let training = Box::new(trainee.into_training());
                return Ok(RatingNext::Done(RatingDone::Trained(training)));
            }
            RatingStage::Trained(trainee, outlives) => {
                RatingExchange::Finish(Unfinished(about, Learnt::Trained(trainee, outlives)))
            }
        };
        Ok(RatingNext::Exchange(exchange))
    }

    /// Whether the job is to begin from nothing.
    #[must_use]
    pub fn is_new(&self) -> bool {
        matches!(self.stage, RatingStage::Unaligned)
    }

    fn at(about: About, due: impl IntoIterator<Item = Due>, stage: RatingStage) -> Self {
        Self {
            about,
            due: due.into_iter().collect(),
            stage,
        }
    }
}
