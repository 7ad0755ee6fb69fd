//! The lists of all users, computed chunk by chunk while the ones before leave.

use std::sync::Arc;

use s3rec_data::IdTable;
use s3rec_model::ListedItem;
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use crate::model_cache::{Served, ServedKind};
use crate::platform::Platform;

/// Users whose lists are made at a time: enough for every core.
const USERS_AT_ONCE: usize = 1 << 13;
/// Text of ids in one message, about; tonic takes messages of up to four mebibytes.
const MESSAGE_BYTES: usize = 1 << 19;
/// Messages that wait for whoever reads them.
const WAITING: usize = 4;

/// Lists of every user of the model. Ends early when nobody reads any more.
pub(crate) fn lists(
    platform: &Arc<Platform>,
    served: Arc<Served>,
    count: usize,
    include_rated: bool,
) -> ReceiverStream<Result<v1::ListsChunk, Status>> {
    let (sender, receiver) = mpsc::channel(WAITING);
    let platform = Arc::clone(platform);
    tokio::spawn(async move {
        let Ok(turn) = platform.models.computing.acquire().await else {
            let closed = Fault::new(Reason::Bug, "the computing threads are closed");
            let _ = sender.send(Err(closed.into())).await;
            return;
        };
        let _ = tokio::task::spawn_blocking(move || {
            compute(&served, count, include_rated, |chunk| {
                sender.blocking_send(Ok(chunk)).is_ok()
            });
        })
        .await;
        drop(turn);
    });
    ReceiverStream::new(receiver)
}

/// Gives chunk after chunk to `take` until it wants no more.
fn compute(
    served: &Served,
    count: usize,
    include_rated: bool,
    mut take: impl FnMut(v1::ListsChunk) -> bool,
) {
    let by_friends;
    let lists_of: &dyn Fn(std::ops::Range<usize>) -> Vec<Vec<ListedItem>> = match &served.kind {
        ServedKind::Trained(recommender) => &|users| recommender.lists(users, count, include_rated),
        ServedKind::Friends(friends) => {
            by_friends = friends.lists.lists(&served.plan.train);
            &|users| by_friends.of(users, count, include_rated)
        }
    };
    let (users, items) = (&served.users, &served.items);
    for first in (0..users.len()).step_by(USERS_AT_ONCE) {
        let lists = lists_of(first..first.saturating_add(USERS_AT_ONCE));
        let mut chunk = Chunk::new(served);
        for (user, list) in (first..).zip(lists) {
            chunk.add(users, items, user, &list);
            if chunk.bytes >= MESSAGE_BYTES {
                let full = std::mem::replace(&mut chunk, Chunk::new(served));
                if !take(full.message) {
                    return;
                }
            }
        }
        if !chunk.message.user_ids.is_empty() && !take(chunk.message) {
            return;
        }
    }
}

struct Chunk {
    message: v1::ListsChunk,
    bytes: usize,
}

impl Chunk {
    fn new(served: &Served) -> Self {
        Self {
            message: v1::ListsChunk {
                model_id: served.model_id.clone(),
                ..v1::ListsChunk::default()
            },
            bytes: 0,
        }
    }

    fn add(&mut self, users: &IdTable, items: &IdTable, user: usize, list: &[ListedItem]) {
        let index = u32::try_from(user).unwrap_or(u32::MAX);
        let name = users.name(index).unwrap_or_default();
        self.bytes += name.len() + 8;
        self.message.user_ids.push(name.to_owned());
        let before = self.message.item_ids.len();
        for found in list {
            let Some(name) = items.name(found.item) else {
                continue;
            };
            self.bytes += name.len() + 16;
            self.message.item_ids.push(name.to_owned());
            self.message.scores.push(found.score);
        }
        let length = self.message.item_ids.len() - before;
        self.message
            .lengths
            .push(u32::try_from(length).unwrap_or(u32::MAX));
    }
}
