//! What P0 carries out with P1, and where each exchange leads.

use std::sync::Arc;

use s3rec_algebra::RingMatrix;
use s3rec_spmm::fetch::{RatingFetch, RatingQueries};
use s3rec_spmm::he::{RatingKeySetup, RatingKeys, RatingRound};
use s3rec_spmm::noise_first::{
    RatingAnswer as FriendsAnswer, RatingKeySetup as FriendsKeySetup,
    RatingPrepare as FriendsPrepare,
};
use s3rec_spmm::preprocessed::{
    RatingBlock, RatingClose, RatingContinuation, RatingOpening, RatingSession, RatingStock,
};

use super::friends::{FriendsLeft, FriendsStage};
use super::{
    About, AgreedSetup, Due, FriendsCheckpoint, FriendsSetup, Made, Product, Queries, RatingAgreed,
    RatingEvent, RatingJob, RatingSave, RatingSetup, RatingStage, Trainee,
};
use crate::{JobError, Phase};

/// An exchange that is due.
pub enum RatingExchange {
    /// Both sign the heads of both audit logs; the job goes on then.
    Sign(Phase, RatingJob),
    /// The common users are found.
    Align(Unaligned),
    /// The parameters are agreed on.
    SetUp(Unagreed),
    /// An exchange of frames.
    Product(Box<ProductExchange>),
    /// Both sides count the same openings.
    Finish(Unfinished),
}

impl RatingExchange {
    pub(super) fn product(
        about: About,
        phase: Phase,
        round: u32,
        endpoint: Endpoint,
        left: Left,
    ) -> Self {
        Self::Product(Box::new(ProductExchange {
            about,
            phase,
            round,
            endpoint,
            left,
        }))
    }
}

/// A job whose common users are to be found.
pub struct Unaligned(pub(super) About);

impl Unaligned {
    /// The common users, as indices of P0's in the order of both.
    #[must_use]
    pub fn found(self, common: Vec<u32>) -> RatingJob {
        let due = [
            Due::Sign(Phase::Alignment),
            Due::Emit(RatingEvent::Begins(Phase::Setup)),
        ];
        RatingJob::at(self.0, due, RatingStage::Unagreed(common))
    }
}

/// A job whose parameters are to be agreed on.
pub struct Unagreed(pub(super) About, pub(super) Vec<u32>);

impl Unagreed {
    /// What was agreed on.
    ///
    /// # Errors
    /// Parameters without a layout.
    pub fn agreed(self, setup: RatingSetup) -> Result<RatingJob, JobError> {
        let Self(about, common) = self;
        let parameters = &setup.parameters;
        let mut due = vec![Due::Sign(Phase::Setup)];
        if parameters.protocol.is_preprocessed() {
            let blocks = parameters.layout().map_err(JobError::Ours)?.blocks;
            let columns = parameters.all_columns();
            due.push(Due::Emit(RatingEvent::StockBegins { columns, blocks }));
        }
        let queries = match parameters.protocol.fetches_privately() {
            true => Queries::Due,
            false => Queries::Taken(None),
        };
        let agreed = Box::new(AgreedSetup { setup, common });
        Ok(RatingJob::at(
            about,
            due,
            RatingStage::Unkeyed(agreed, queries),
        ))
    }

    /// What was agreed on for an opening of friends' sums. It makes the session's keys.
    ///
    /// # Errors
    /// Parameters that do not keep the conditions; no entropy.
    pub fn agreed_on_friends(self, setup: FriendsSetup) -> Result<RatingJob, JobError> {
        self.0.begin_friends(setup, self.1)
    }
}

/// A job whose openings both sides are to count.
pub struct Unfinished(pub(super) About, pub(super) Learnt);

/// What was made of the openings.
pub(super) enum Learnt {
    /// A training; whether the job outlives a restart.
    Trained(Box<Trainee>, bool),
    /// Friends' sums.
    Friends(FriendsCheckpoint),
}

impl Unfinished {
    /// Openings that we count.
    #[must_use]
    pub fn openings(&self) -> u32 {
        self.0.openings
    }

    /// Openings that P1 counts. Once that they are the same is on disk, P0 needs nothing more.
    ///
    /// # Errors
    /// [`JobError::OpeningsDiffer`].
    pub fn counted(self, theirs: u32) -> Result<RatingJob, JobError> {
        let Self(mut about, learnt) = self;
        let ours = about.openings;
        if theirs != ours {
            return Err(JobError::OpeningsDiffer { ours, theirs });
        }
        about.is_agreed = true;
        let (trainee, outlives) = match learnt {
            Learnt::Trained(trainee, outlives) => (trainee, outlives),
            Learnt::Friends(checkpoint) => {
                let checkpoint = FriendsCheckpoint {
                    is_agreed: true,
                    ..checkpoint
                };
                let due = [Due::Save(RatingSave::Friends(checkpoint.clone()))];
                let stage = FriendsStage::Opened(checkpoint);
                return Ok(RatingJob::at(about, due, stage.into()));
            }
        };
        let saved = outlives.then(|| Due::Save(RatingSave::Progress(about.progress(&trainee))));
        Ok(RatingJob::at(
            about,
            saved,
            RatingStage::Trained(trainee, outlives),
        ))
    }
}

/// An exchange of frames: to be driven to its end as an endpoint of `s3rec_spmm`.
pub struct ProductExchange {
    about: About,
    phase: Phase,
    round: u32,
    endpoint: Endpoint,
    left: Left,
}

endpoints! {
    ProductExchange {
        Queries(RatingQueries),
        Key(RatingKeySetup),
        Continuation(RatingContinuation),
        Block(RatingBlock),
        Session(RatingSession),
        Round(RatingRound),
        Opening(RatingOpening),
        Close(RatingClose),
        FriendsKey(FriendsKeySetup),
        FriendsPrepare(FriendsPrepare),
        FriendsAnswer(FriendsAnswer),
    }
}

/// What the job has beside the endpoint.
pub(super) enum Left {
    Queries(Box<AgreedSetup>),
    Key(Box<AgreedSetup>, Option<Arc<RatingFetch>>, Arc<RatingKeys>),
    StockKey(Box<AgreedSetup>, Option<Arc<RatingFetch>>, Box<RatingStock>),
    Continuation(Box<RatingAgreed>),
    Block(Box<RatingAgreed>, Option<Arc<RatingFetch>>, u32),
    Session(Box<Trainee>, bool),
    Round(Product, Box<Trainee>),
    Opening(Box<Trainee>),
    Close(Box<Trainee>),
    Friends(Box<FriendsLeft>),
}

impl ProductExchange {
    /// What the exchange's header states.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether both sides are to find the place of an unfinished stock.
    #[must_use]
    pub fn goes_on(&self) -> bool {
        matches!(self.left, Left::Continuation(_))
    }

    /// From 1 in the rounds, 0 before and after.
    #[must_use]
    pub fn round(&self) -> u32 {
        self.round
    }

    /// Where the exchange leads, once both sides are done. It computes.
    ///
    /// # Errors
    /// What P1 sent does not open; a failure of ours.
    pub fn done(self) -> Result<RatingJob, JobError> {
        let Self {
            about,
            endpoint,
            left,
            ..
        } = self;
        let (ours, theirs) = (JobError::Ours, JobError::Theirs);
        match (endpoint, left) {
            (Endpoint::Queries(queries), Left::Queries(agreed)) => {
                let fetch = queries.into_fetch(about.platform.memory_bytes());
                let fetch = Some(Arc::new(fetch.map_err(theirs)?));
                let stage = RatingStage::Unkeyed(agreed, Queries::Taken(fetch));
                Ok(RatingJob::at(about, [], stage))
            }
            (Endpoint::Key(_), Left::Key(agreed, fetch, keys)) => {
                let product = Product::He {
                    keys,
                    pattern: Arc::clone(&agreed.setup.pattern),
                    fetch,
                };
                Ok(about.prepared(agreed.keyed(), product))
            }
            (Endpoint::Key(_), Left::StockKey(agreed, fetch, stock)) => {
                let agreed = agreed.keyed();
                // P1's queries are in memory alone: with them the stock begins again.
                let saved = fetch
                    .is_none()
                    .then(|| Due::Save(RatingSave::Agreed(agreed.clone())));
                let stage = RatingStage::Stocking(agreed, fetch, stock, Made::Blocks(0));
                Ok(RatingJob::at(about, saved, stage))
            }
            (Endpoint::Continuation(met), Left::Continuation(agreed)) => {
                let (stock, place) = met.into_stock().map_err(ours)?;
                let Some(place) = place else {
                    drop(stock);
                    return Ok(about.beginning());
                };
                let parameters = &stock.terms().parameters;
                let goes_on = Due::Emit(RatingEvent::StockGoesOn {
                    place,
                    held_bytes: place.held_bytes(parameters).map_err(ours)?,
                });
                let made = Made::Within(place);
                let stage = RatingStage::Stocking(agreed, None, Box::new(stock), made);
                Ok(RatingJob::at(about, [goes_on], stage))
            }
            (Endpoint::Block(block), Left::Block(agreed, fetch, made)) => {
                let stock = block.into_stock().map_err(ours)?;
                about.block_made(agreed, fetch, stock, made + 1)
            }
            (Endpoint::Session(session), Left::Session(trainee, is_new)) => {
                let stock = session.into_stock().map_err(ours)?;
                let parameters = &stock.terms().parameters;
                let stands = RatingEvent::StockStands {
                    columns: parameters.all_columns(),
                    identity: stock.identity(),
                };
                let mut next = about.rounds(Product::Stock(Box::new(stock)), trainee, is_new);
                next.due.push_front(Due::Emit(stands));
                Ok(next)
            }
            (Endpoint::Round(round), Left::Round(product, trainee)) => {
                let opened = round.into_product().map_err(theirs)?;
                Ok(about.opened(product, trainee, opened))
            }
            (Endpoint::Opening(opening), Left::Opening(trainee)) => {
                let (opened, stock) = opening.into_product().map_err(theirs)?;
                Ok(about.opened(Product::Stock(Box::new(stock)), trainee, opened))
            }
            (Endpoint::Close(close), Left::Close(trainee)) => {
                let (_, theirs) = close.into_stock().map_err(ours)?;
                let ours = about.openings;
                if theirs != ours {
                    return Err(JobError::StocksDiffer { ours, theirs });
                }
                Ok(about.trained(trainee, true))
            }
            (endpoint, Left::Friends(left)) => about.friends_done(endpoint, *left),
            _ => Err(JobError::OutOfPlace),
        }
    }
}

impl About {
    fn block_made(
        self,
        agreed: Box<RatingAgreed>,
        fetch: Option<Arc<RatingFetch>>,
        stock: RatingStock,
        made: u32,
    ) -> Result<RatingJob, JobError> {
        let layout = agreed.parameters.layout().map_err(JobError::Ours)?;
        let of = agreed.parameters.all_columns();
        let columns = u64::from(layout.block_columns) * u64::from(made);
        let grows = Due::Emit(RatingEvent::StockGrows {
            columns: columns.min(of),
            of,
            identity: stock.identity(),
        });
        let stock = Box::new(stock);
        if made < layout.blocks {
            let stage = RatingStage::Stocking(agreed, fetch, stock, Made::Blocks(made));
            return Ok(RatingJob::at(self, [grows], stage));
        }
        let mut next = self.prepared(agreed, Product::Stock(stock));
        next.due.push_front(grows);
        Ok(next)
    }

    pub(super) fn prepared(mut self, agreed: Box<RatingAgreed>, product: Product) -> RatingJob {
        self.stocks += 1;
        let due = [Due::Emit(RatingEvent::Prepared)];
        RatingJob::at(self, due, RatingStage::Prepared(agreed, product))
    }

    fn opened(mut self, product: Product, trainee: Box<Trainee>, opened: RingMatrix) -> RatingJob {
        self.openings += 1;
        let due = [Due::Save(RatingSave::Opened(self.openings))];
        RatingJob::at(self, due, RatingStage::Opened(product, trainee, opened))
    }
}
