//! What P1 carries out with P0, and where each exchange leads.

use std::sync::Arc;

use s3rec_spmm::fetch::{SocialFetch, SocialQueries};
use s3rec_spmm::he::{SocialKeySetup, SocialRound};
use s3rec_spmm::noise_first::{
    SocialAnswer as FriendsAnswer, SocialKeySetup as FriendsKeySetup,
    SocialPrepare as FriendsPrepare, SocialPrepareAgain as FriendsPrepareAgain,
};
use s3rec_spmm::preprocessed::{
    SocialBlock, SocialClose, SocialContinuation, SocialOpening, SocialSession, SocialStock,
    StockPlace,
};

use super::friends::FriendsLeft;
use super::turn::{About, Due, State, grows};
use super::{AskedFor, Keyed, SocialAgreed, SocialEvent, SocialJob, SocialTurn, Stocked};
use crate::JobError;

/// An exchange of frames: to be driven to its end as an endpoint of `s3rec_spmm`.
pub struct SocialExchange {
    pub(super) about: About,
    pub(super) endpoint: Endpoint,
    pub(super) left: Left,
}

endpoints! {
    SocialExchange {
        Queries(SocialQueries),
        Key(SocialKeySetup),
        Continuation(SocialContinuation),
        Block(SocialBlock),
        Session(SocialSession),
        Round(SocialRound),
        Opening(SocialOpening),
        Close(SocialClose),
        FriendsKey(FriendsKeySetup),
        FriendsPrepare(FriendsPrepare),
        FriendsAgain(FriendsPrepareAgain),
        FriendsAnswer(FriendsAnswer),
    }
}

/// What the job has beside the endpoint.
pub(super) enum Left {
    Queries(Box<SocialAgreed>),
    Key(Box<SocialAgreed>),
    StockKey(Box<SocialAgreed>, Box<SocialStock>),
    Continuation(Option<Beside>),
    Block(Beside),
    Session(Beside),
    Round(Keyed),
    Opening(Beside),
    Close,
    Friends(FriendsLeft),
}

/// What goes with a stock.
pub(super) struct Beside {
    parameters_digest: [u8; 32],
    blocks_made: u32,
    pub(super) place: Option<StockPlace>,
    pub(super) fetch: Option<Arc<SocialFetch>>,
    may_repeat: bool,
}

impl Stocked {
    pub(super) fn apart(self) -> (SocialStock, Beside) {
        let beside = Beside {
            parameters_digest: self.parameters_digest,
            blocks_made: self.blocks_made,
            place: self.place,
            fetch: self.fetch,
            may_repeat: self.may_repeat,
        };
        (self.stock, beside)
    }
}

impl Beside {
    fn with(self, stock: SocialStock) -> Box<Stocked> {
        Box::new(Stocked {
            parameters_digest: self.parameters_digest,
            stock,
            blocks_made: self.blocks_made,
            place: self.place,
            fetch: self.fetch,
            may_repeat: self.may_repeat,
        })
    }
}

impl SocialExchange {
    /// Where the exchange leads, once both sides are done. It computes.
    ///
    /// # Errors
    /// What P0 sent does not read; a failure of ours.
    pub fn done(self) -> Result<SocialTurn, JobError> {
        let Self {
            about,
            endpoint,
            left,
        } = self;
        let ours = JobError::Ours;
        let mut due = None;
        let job = match (endpoint, left) {
            (Endpoint::Queries(queries), Left::Queries(mut agreed)) => {
                let fetch = Arc::new(queries.into_fetch().map_err(ours)?);
                agreed.asked = Some(AskedFor { fetch });
                SocialJob::Agreed(agreed)
            }
            (Endpoint::Key(setup), Left::Key(agreed)) => SocialJob::Keyed(Keyed {
                parameters_digest: agreed.parameters_digest,
                keys: Arc::new(setup.into_keys().map_err(ours)?),
                operand: agreed.operand,
                fetch: agreed.asked.map(|asked| asked.fetch),
            }),
            (Endpoint::Key(setup), Left::StockKey(agreed, mut stock)) => {
                stock.accept_key(setup).map_err(ours)?;
                SocialJob::Stocking(Box::new(Stocked {
                    parameters_digest: agreed.parameters_digest,
                    stock: *stock,
                    blocks_made: 0,
                    place: None,
                    fetch: agreed.asked.map(|asked| asked.fetch),
                    may_repeat: false,
                }))
            }
            (Endpoint::Continuation(met), Left::Continuation(beside)) => {
                match met.into_stock().map_err(ours)?.zip(beside) {
                    None => {
                        due = Some(Due::Emit(SocialEvent::StockLost));
                        SocialJob::Away
                    }
                    Some(((stock, place), mut beside)) => {
                        let parameters = &stock.terms().parameters;
                        let held_bytes = place.held_bytes(parameters).map_err(ours)?;
                        due = Some(Due::Emit(SocialEvent::StockGoesOn { held_bytes }));
                        beside.blocks_made = place.block;
                        beside.place = Some(place);
                        SocialJob::Stocking(beside.with(stock))
                    }
                }
            }
            (Endpoint::Block(block), Left::Block(mut beside)) => {
                let stock = block.into_stock().map_err(ours)?;
                beside.blocks_made += 1;
                beside.place = None;
                let made = beside.blocks_made;
                let parameters = &stock.terms().parameters;
                let blocks = parameters.layout().map_err(ours)?.blocks;
                due = Some(Due::Emit(grows(parameters, made, &stock)?));
                let stocked = beside.with(stock);
                match made < blocks {
                    true => SocialJob::Stocking(stocked),
                    false => SocialJob::Sealed(stocked),
                }
            }
            (Endpoint::Session(session), Left::Session(beside)) => {
                let stock = session.into_stock().map_err(ours)?;
                due = Some(Due::Emit(SocialEvent::StockStands {
                    columns: stock.terms().parameters.all_columns(),
                    identity: stock.identity(),
                }));
                SocialJob::Stocked(beside.with(stock))
            }
            (Endpoint::Opening(opening), Left::Opening(mut beside)) => {
                beside.may_repeat = false;
                SocialJob::Stocked(beside.with(opening.into_stock()))
            }
            (Endpoint::Round(_), Left::Round(keyed)) => SocialJob::Keyed(keyed),
            (Endpoint::Close(_), Left::Close) => SocialJob::Closed,
            (endpoint, Left::Friends(left)) => About::friends_done(endpoint, left)?,
            _ => return Err(JobError::OutOfPlace),
        };
        Ok(SocialTurn::at(about, due, State::Answered(job)))
    }
}
