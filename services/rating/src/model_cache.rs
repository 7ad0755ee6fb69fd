//! The models that answer people, held in memory.

use std::sync::{Arc, Mutex, PoisonError};

use s3rec_data::{IdRule, IdTable};
use s3rec_model::Recommender;
use s3rec_model::friends::{FriendsModel, FriendsRatings};
use tokio::sync::Semaphore;

use crate::plan::Plan;

/// A model in memory, ready to answer.
pub(crate) struct Served {
    pub(crate) model_id: String,
    pub(crate) users: IdTable,
    pub(crate) items: IdTable,
    /// How its user ids were normalised; what people ask for is too.
    pub(crate) ids: IdRule,
    pub(crate) kind: ServedKind,
    pub(crate) plan: Plan,
}

/// By what it was made.
pub(crate) enum ServedKind {
    /// Y·U, round by round.
    Trained(Box<Recommender>),
    /// One opening of friends' sums.
    Friends(Box<ServedFriends>),
}

/// What an opening of friends' sums serves.
pub(crate) struct ServedFriends {
    pub(crate) lists: FriendsModel,
    /// None of a version before.
    pub(crate) ratings: Option<FriendsRatings>,
}

/// Models held ready at a time.
const HELD_MODELS: usize = 4;

/// The models that were asked for last, the newest request last.
pub(crate) struct Cache {
    held: Mutex<Vec<Arc<Served>>>,
    /// Whoever loads a model holds this, so that a burst of requests loads it once.
    pub(crate) loading: tokio::sync::Mutex<()>,
    /// The newest model of the store, once it was looked up.
    newest: Mutex<Option<String>>,
    /// Threads that compute recommendations at a time: one a core. More would only take turns,
    /// and every request in a burst would be as late as the last.
    pub(crate) computing: Semaphore,
}

impl Default for Cache {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            held: Mutex::default(),
            loading: tokio::sync::Mutex::default(),
            newest: Mutex::default(),
            computing: Semaphore::new(cores),
        }
    }
}

impl Cache {
    /// Says which model was stored last.
    pub(crate) fn set_newest(&self, id: &str) {
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = Some(id.into());
    }

    /// Says what the store had as its newest model, which an end of a job may have overtaken.
    pub(crate) fn found_newest(&self, id: &str) {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        newest.get_or_insert_with(|| id.into());
    }

    pub(crate) fn newest(&self) -> Option<Arc<Served>> {
        let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        self.find(newest.as_deref()?)
    }

    pub(crate) fn find(&self, model_id: &str) -> Option<Arc<Served>> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let at = held.iter().position(|model| model.model_id == model_id)?;
        held[at..].rotate_left(1);
        held.last().cloned()
    }

    /// Lets go of a model that is deleted.
    pub(crate) fn drop(&self, id: &str) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.retain(|model| model.model_id != id);
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if newest.as_deref() == Some(id) {
            *newest = None;
        }
    }

    pub(crate) fn keep(&self, served: &Arc<Served>) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.len() >= HELD_MODELS {
            held.remove(0);
        }
        held.push(Arc::clone(served));
    }
}
