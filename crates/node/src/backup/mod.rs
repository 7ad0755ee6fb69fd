//! A copy of what a platform keeps, made while its daemon works, and a new data directory from it.
//!
//! | module | one sentence |
//! |---|---|
//! | [`archive`] | the file: a signed manifest, then what it names; checked before anything is believed |
//! | [`make`] | one moment of store, audit log and files |
//! | [`restore()`] | an empty data directory becomes what the backup holds |
//! | [`restored`] | what a restored platform may not do before its people have reconciled it |
//!
//! What a restore must never do is set back what can only go forward. So:
//!
//! | what | in a backup | after a restore |
//! |---|---|---|
//! | stocks of masked columns, keys of jobs, what jobs go on from | no | open jobs have ended: no column is used again |
//! | TLS and signing keys, configuration, policy | no: they do not lie in the data directory | as the operators keep them |
//! | audit log | yes | stays beside a new one, which the other platform must accept |
//! | ledger, budgets | yes, as they were | raised to the audit log; no job begins before what was shown since is counted too |
//! | data sets, models, the rest of the store | yes | as they were |
//!
//! The copy of the store is older than that of the log, which has every number before it leaves:
//! what the log says is counted again when the daemon starts.

pub mod archive;
pub mod make;
pub mod restore;
pub mod restored;
#[cfg(test)]
mod tests;

pub use make::{Backup, Held};
pub use restore::{Given, RestoreError, restore};
