//! P1's job: which call of P0's is due in which stage, what is on disk before what leaves, and
//! what it goes on from. A call takes the job, and leaves it in its next stage; one out of order
//! finds no stage that it could take.
//!
//! Whatever depends on P1's links needs a [`Permit`] before it is made: the turn asks for one with
//! [`SocialNext::Clear`], and for every opening its endpoint asks the platform's
//! [`SocialPlatform::admission`].

mod checkpoint;
mod exchange;
mod friends;
mod turn;

use std::io;
use std::sync::Arc;

use s3rec_algebra::Seed;
use s3rec_psi::Common;
use s3rec_sparse::{OperatorBounds, SocialOperator};
use s3rec_spmm::fetch::SocialFetch;
use s3rec_spmm::he::SocialKeys;
use s3rec_spmm::noise_first::PackMakers;
use s3rec_spmm::preprocessed::{SocialStock, StockPlace, StockStorage};
use s3rec_spmm::{Admission, ProductParameters, PublicPattern, SocialOperand, WorkingSpace};

use crate::{JobError, Phase};

pub use checkpoint::{Restored, Restoring, SocialCheckpoint};
pub use exchange::SocialExchange;
pub use friends::{
    FriendsAgreed, FriendsBounded, FriendsStorage, SocialFriends, SocialFriendsCheckpoint,
};
pub use turn::{SocialEvent, SocialNext, SocialTurn, Uncleared};

/// Proof that what is about to leave was permitted, counted and logged. A platform makes it in
/// one place.
pub trait Permit {}

/// What the job takes from the platform that it runs at.
pub trait SocialPlatform: Send + Sync {
    /// The word on the input of a round, from 1: the answer to it is an opening.
    fn admission(&self, round: u32) -> Box<dyn Admission>;

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

    /// Where the job's opening of friends' sums is kept.
    fn friends_storage(&self) -> Arc<dyn FriendsStorage>;

    /// Who makes the packs of friends' sums; this process, where nobody is named.
    fn pack_makers(&self) -> Option<Arc<dyn PackMakers>> {
        None
    }

    /// Memory and disk for the products.
    fn space(&self) -> WorkingSpace;

    /// How P0 is named.
    fn peer(&self) -> String;

    /// Pins of both certificates, P0's first.
    fn parties(&self) -> [[u8; 32]; 2];
}

/// A social platform's job between two calls of P0's. P1's secret.
pub enum SocialJob {
    /// P1's operator consented.
    Approved,
    /// The common users, as indices of P1's ids.
    Aligned(Common),
    /// Y over the common users, and the halves of the seed of A_pk.
    Bounded(Box<SocialBounded>),
    /// The parameters that both sides agreed on.
    Agreed(Box<SocialAgreed>),
    /// P0's public key: rounds of `he` can be answered.
    Keyed(Keyed),
    /// `preprocessed`: a stock whose blocks are being made.
    Stocking(Box<Stocked>),
    /// All blocks are made; the platforms have not met over the stock yet.
    Sealed(Box<Stocked>),
    /// Rounds use the stock's columns.
    Stocked(Box<Stocked>),
    /// Who is opened, and what was stated of the links.
    FriendsBounded(Box<FriendsBounded>),
    /// One opening of friends' sums.
    Friends(Box<SocialFriends>),
    /// The stock is at rest: only the count of openings is due.
    Closed,
    /// P0 is away: it meets us over the stock on disk, finished or not, or begins again while nothing
    /// is opened.
    Away,
}

/// Y and what was announced of it.
pub struct SocialBounded {
    /// Over the common users.
    pub operator: Arc<SocialOperator>,
    /// The rows that are exchanged.
    pub pattern: PublicPattern,
    /// As announced.
    pub bounds: OperatorBounds,
    /// d_max as announced; 0 unless rows are fetched privately.
    pub fetched_rows_bound: u32,
    /// Digest of the common users in their order.
    pub users_digest: [u8; 32],
    /// P0's half of the seed of A_pk.
    pub rating_half: [u8; 32],
    /// Ours.
    pub social_half: [u8; 32],
    /// Made by P0, never used twice.
    pub stock_id: [u8; 16],
    /// The common users, as indices of P1's ids.
    pub rows: Arc<Vec<u32>>,
}

/// What both platforms agreed on.
pub struct SocialAgreed {
    /// The product's.
    pub parameters: ProductParameters,
    /// By which both sides name them.
    pub parameters_digest: [u8; 32],
    /// Y as the product takes it.
    pub operand: Arc<SocialOperand>,
    /// The rows that are exchanged.
    pub pattern: PublicPattern,
    /// Digest of the common users in their order.
    pub users_digest: [u8; 32],
    /// P0's half of the seed of A_pk.
    pub rating_half: [u8; 32],
    /// Ours.
    pub social_half: [u8; 32],
    /// Made by P0, never used twice.
    pub stock_id: [u8; 16],
    /// The common users, as indices of P1's ids.
    pub rows: Arc<Vec<u32>>,
    /// Of the digest of Y.
    pub salt: Seed,
    /// What P0 was asked for, once it was, under the protocols that fetch privately.
    pub asked: Option<AskedFor>,
}

impl SocialAgreed {
    /// P1 fetches its rows privately and has not sent its queries.
    fn is_to_ask(&self) -> bool {
        self.parameters.protocol.fetches_privately() && self.asked.is_none()
    }
}

/// Queries that were sent.
pub struct AskedFor {
    fetch: Arc<SocialFetch>,
}

/// P0's public key and what is answered under it.
#[derive(Clone)]
pub struct Keyed {
    parameters_digest: [u8; 32],
    keys: Arc<SocialKeys>,
    operand: Arc<SocialOperand>,
    fetch: Option<Arc<SocialFetch>>,
}

/// P1's half of a stock, and how far it is.
pub struct Stocked {
    parameters_digest: [u8; 32],
    stock: SocialStock,
    blocks_made: u32,
    /// Of the block that was under way when the connection broke.
    place: Option<StockPlace>,
    fetch: Option<Arc<SocialFetch>>,
    /// The round before the resume handshake may be asked for again: its answer may have been
    /// lost.
    may_repeat: bool,
}

/// What the header of an exchange says.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// SETUP, OFFLINE or ONLINE.
    pub phase: Phase,
    /// From 1 in the rounds, 0 before and after.
    pub round: u32,
    /// Of the parameters that P0 holds.
    pub parameters_digest: [u8; 32],
    /// P0 was away while the stock was made, and asks for its place.
    pub goes_on: bool,
}

/// Which computation an exchange waits for, whose time must not show the links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// None: what is answered does not depend on the links.
    Free,
    /// Queries are made; P1 speaks first.
    Queries,
    /// A block of masks is multiplied.
    Block,
    /// A round is answered.
    Round,
}

impl SocialJob {
    /// Whether the exchange is the next one of the job, of which `openings` are counted and
    /// `rounds` consented to.
    ///
    /// # Errors
    /// [`JobError::NotDue`], [`JobError::OtherParameters`], [`JobError::BeyondConsent`],
    /// [`JobError::OtherRound`].
    pub fn is_due(&self, call: &Call, openings: u32, rounds: u32) -> Result<(), JobError> {
        let digest = match (call.phase, self) {
            // Compared with what is on disk, when that is read.
            (Phase::Offline, Self::Away) => return Ok(()),
            _ if call.goes_on => return Err(JobError::NotDue),
            (Phase::Setup, Self::Agreed(agreed)) => agreed.parameters_digest,
            (Phase::Online, Self::Keyed(keyed)) => keyed.parameters_digest,
            (Phase::Offline, Self::Stocking(stocked) | Self::Sealed(stocked))
            | (Phase::Offline | Phase::Online, Self::Stocked(stocked)) => stocked.parameters_digest,
            (phase, Self::Friends(friends))
                if match phase {
                    Phase::Setup => friends.is_unkeyed(),
                    Phase::Offline => friends.is_unprepared(),
                    Phase::Online => friends.is_prepared() || friends.is_answered(),
                    _ => false,
                } =>
            {
                friends.parameters_digest()
            }
            _ => return Err(JobError::NotDue),
        };
        if digest != call.parameters_digest {
            return Err(JobError::OtherParameters);
        }
        if call.phase != Phase::Online {
            return Ok(());
        }
        let round = call.round;
        if round > rounds {
            return Err(JobError::BeyondConsent { round, rounds });
        }
        // After a resume handshake the last round may be asked for again: the stock answers the
        // identical message alike, and no other.
        let may_repeat = match self {
            Self::Stocked(stocked) => stocked.may_repeat,
            // Its record answers what it is bound to, and no other.
            Self::Friends(_) => true,
            _ => false,
        };
        let again = round == openings && may_repeat;
        let due = openings + 1;
        if round != due && !again {
            return Err(JobError::OtherRound { round, due });
        }
        Ok(())
    }

    /// What the time of the next answer would show.
    #[must_use]
    pub fn pace(&self) -> Pace {
        match self {
            Self::Agreed(agreed) if agreed.is_to_ask() => Pace::Queries,
            Self::Stocking(_) => Pace::Block,
            Self::Keyed(_) | Self::Stocked(_) => Pace::Round,
            Self::Friends(friends) if friends.is_unprepared() => Pace::Block,
            Self::Friends(friends) if friends.is_prepared() || friends.is_answered() => Pace::Round,
            _ => Pace::Free,
        }
    }

    /// P0 begins the job again, after so many openings.
    ///
    /// # Errors
    /// [`JobError::BeganAgain`]: it has lost its half of the stock.
    pub fn begin_again(openings: u32) -> Result<Self, JobError> {
        match openings {
            0 => Ok(Self::Approved),
            openings => Err(JobError::BeganAgain { openings }),
        }
    }

    /// Whether P0 is waited for.
    #[must_use]
    pub fn is_away(&self) -> bool {
        matches!(self, Self::Away)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_begins_again_only_while_nothing_is_opened() {
        assert!(matches!(SocialJob::begin_again(0), Ok(SocialJob::Approved)));
        let refused = SocialJob::begin_again(3);
        assert!(matches!(refused, Err(JobError::BeganAgain { openings: 3 })));
    }

    #[test]
    fn no_exchange_is_due_before_its_stage() {
        let call = |phase| Call {
            phase,
            round: u32::from(phase == Phase::Online),
            parameters_digest: [0; 32],
            goes_on: false,
        };
        let phases = [Phase::Setup, Phase::Offline, Phase::Online];
        for job in [SocialJob::Approved, SocialJob::Closed] {
            for phase in phases {
                let refused = job.is_due(&call(phase), 0, 5);
                assert!(matches!(refused, Err(JobError::NotDue)), "{phase:?}");
            }
        }
        // Of a P0 that was away only the resume handshake is.
        for phase in phases {
            let is_due = SocialJob::Away.is_due(&call(phase), 2, 5).is_ok();
            assert_eq!(is_due, phase == Phase::Offline, "{phase:?}");
        }
    }
}
