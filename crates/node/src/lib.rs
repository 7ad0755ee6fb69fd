//! What both daemons share.
//!
//! | module | one sentence |
//! |---|---|
//! | [`pki`] | roles in certificates; issues a demo authority and the identities under it |
//! | [`config`] | file, environment and flags become one checked configuration |
//! | [`tls`] | keys and authorities; who may call whom |
//! | [`client`] | connects to a daemon and checks who answers |
//! | [`server`] | listens with mutual TLS, answers health and reflection, drains |
//! | [`store`] | records on disk, with a schema version |
//! | [`spool`] | imported files, bounded, on their way to disk |
//! | [`journal`] | events of a job: stored, and watched as they come |
//! | [`alignment`] | finds the common users by keyed hashes |
//! | [`offer`] | which proposals this version takes, the same at both platforms |
//! | [`stocks`] | where stocks of masked columns lie, and their erasing |
//! | [`process`] | tracing, signals, memory |

pub mod alignment;
pub mod client;
pub mod config;
pub mod journal;
pub mod offer;
pub mod pki;
pub mod process;
pub mod server;
pub mod spool;
pub mod stocks;
pub mod store;
pub mod tls;

pub use config::Overrides;
