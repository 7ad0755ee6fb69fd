//! What P0's job says: to be carried out, to be saved, to be told.

use s3rec_spmm::preprocessed::StockPlace;

use super::{
    FriendsCheckpoint, FriendsOpened, RatingAgreed, RatingExchange, RatingJob, RatingProgress,
    RoundReport,
};
use crate::{JointTraining, Phase};

/// What is to be done next.
pub enum RatingNext {
    /// To be carried out with P1.
    Exchange(RatingExchange),
    /// To be on disk before the job goes on.
    Save(RatingSave, RatingJob),
    /// To be told.
    Emit(RatingEvent, RatingJob),
    /// The job is over, and P1 needs nothing more.
    Done(RatingDone),
}

/// What a job comes to.
pub enum RatingDone {
    /// A training over several openings.
    Trained(Box<JointTraining>),
    /// One opening of friends' sums.
    Friends(Box<FriendsOpened>),
}

/// What is to be on disk before the job goes on.
pub enum RatingSave {
    /// Nothing of an earlier beginning but its common users.
    Discard,
    /// What both sides agreed on: from here on the stock is gone on with.
    Agreed(Box<RatingAgreed>),
    /// How far the rounds are; the driver adds what they have cost.
    Progress(Box<RatingProgress>),
    /// That this round was opened to us.
    Opened(u32),
    /// An opening of friends' sums; the driver adds what it has cost.
    Friends(FriendsCheckpoint),
}

/// What is told of a job.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RatingEvent {
    /// The phase begins.
    Begins(Phase),
    /// A stock of `columns` columns is made in `blocks` blocks.
    StockBegins {
        /// Columns of one opening × rounds.
        columns: u64,
        /// Exchanges of masks.
        blocks: u32,
    },
    /// A stock that was being made when the connection broke is gone on with.
    StockGoesOn {
        /// Where.
        place: StockPlace,
        /// Bytes before the rounds that need not cross again.
        held_bytes: u64,
    },
    /// So many of the stock's columns are made.
    StockGrows {
        /// Of all.
        columns: u64,
        /// Those that the job needs.
        of: u64,
        /// Once it is sealed.
        identity: Option<[u8; 32]>,
    },
    /// What the rounds use up is made: P1 has answered an upload.
    Prepared,
    /// Both sides have the same stock.
    StockStands {
        /// Columns that the job needs.
        columns: u64,
        /// The stock's name.
        identity: Option<[u8; 32]>,
    },
    /// Everything before the rounds is done.
    RoundsBegin,
    /// P1's product is waited for.
    Asks {
        /// From 1.
        round: u32,
    },
    /// Friends' sums are here.
    FriendsOpened {
        /// |O|.
        users: u32,
        /// C.
        columns: u32,
        /// Standard deviation of the noise, in units of x.
        sigma: f64,
    },
    /// A round is done.
    RoundDone {
        /// From 1.
        round: u32,
        /// How it went.
        report: RoundReport,
    },
}
