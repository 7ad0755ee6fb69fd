//! What both daemons share.
//!
//! | module | one sentence |
//! |---|---|
//! | [`pki`] | roles in certificates; issues a demo authority and the identities under it |
//! | [`config`] | file, environment and flags become one checked configuration |
//! | [`tls`] | keys and authorities; who may call whom |
//! | [`client`] | connects to a daemon and checks who answers |
//! | [`examine`] | files, keys and certificates, and how to mend them |
//! | [`health`] | asks the daemon on this machine whether it serves |
//! | [`server`] | listens with mutual TLS, answers health and reflection, drains |
//! | [`store`] | records on disk, with a schema version |
//! | [`datasets`] | imported data sets, and the copies of them that jobs keep |
//! | [`spool`] | imported files, bounded, on their way to disk |
//! | [`journal`] | events of a job: stored, and watched as they come |
//! | [`audit`] | the audit log: its file, operators' calls, meetings with the peer's |
//! | [`backup`] | a copy of what a platform keeps while its daemon works, and a new data directory from it |
//! | [`allowance`] | how often something may be done |
//! | [`alignment`] | what both daemons share of finding the common users |
//! | [`versions`] | versions of imported data, their lineage and salted commitment |
//! | [`checkpoint`] | what a running job goes on from after a restart |
//! | [`offer`] | which proposals this version takes, the same at both platforms |
//! | `records` | what is stored of data, of the other platform's audit log and of stocks |
//! | [`rows`] | what the store's tables hold, and as which bytes |
//! | [`retention`] | what ended jobs leave, and for how long |
//! | [`stocks`] | where stocks of masked columns lie, and their erasing |
//! | [`observe`] | metrics, liveness and readiness over plain HTTP |
//! | [`daemon`] | a daemon from its arguments to its end |
//! | [`platform`] | what both daemons hold |
//! | [`verbs`] | the verbs of their people that both answer alike |
//! | [`process`] | tracing, signals, memory, disk |

pub mod alignment;
mod alive;
pub mod allowance;
pub mod audit;
pub mod backup;
pub mod checkpoint;
pub mod client;
pub mod config;
pub mod daemon;
pub mod datasets;
mod dialled;
pub mod examine;
pub mod health;
#[cfg(test)]
mod home;
pub mod journal;

mod migrations;
pub mod observe;
pub mod offer;
pub mod opened;
pub mod pki;
pub mod platform;
pub mod process;
mod records;
pub mod retention;
pub mod rows;
pub mod server;
pub mod spool;
pub mod stock_progress;
pub mod stocks;
pub mod store;
pub mod tls;
pub mod traces;
#[cfg(test)]
mod vectors_tests;
pub mod verbs;
pub mod versions;

pub use config::Overrides;
