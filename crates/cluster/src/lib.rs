//! One platform's work spread over workers of its own: a coordinator, which is the platform's daemon,
//! and workers that compute and decide on nothing. The manual's page `cluster` says what is spread,
//! who must be trusted with what, and what happens when a worker dies.
//!
//! | module | one sentence |
//! |---|---|
//! | [`members`] | the file that says who takes part |
//! | `folders` | keys, and a folder for each member |
//! | `trust` | mutual TLS between certificates that each side has by digest |
//! | `frame`, `hello` | what crosses a connection, and its first words |
//! | `health` | the first failure of a session, which ends all of it |
//! | `pipe`, `link` | a connection as timely dataflow sees it: whole messages, of bounded length |
//! | `flow` | the dataflow: tasks to whose rows they are of, computed, back to the coordinator |
//! | `session` | one run of it, from connections that stand to their end |
//! | `coordinator` | [`Cluster`]: has tasks done, and waits for workers that come back |
//! | `worker` | [`serve`]: does tasks until it is stopped |
//! | `tasks` | what workers can be given to do |
//! | `packs`, `groups` | the packs of friends' sums, and the groups of an upload, as tasks |

mod coordinator;
mod error;
mod flow;
mod folders;
mod frame;
mod groups;
mod health;
mod hello;
mod link;
pub mod members;
mod packs;
mod pipe;
mod session;
mod tasks;
mod trust;
mod worker;

pub use coordinator::Cluster;
pub use error::ClusterError;
pub use folders::{make_folders, make_key};
pub use members::{Member, Members};
pub use tasks::{Kind, Tasks};
pub use worker::{Serving, serve};
