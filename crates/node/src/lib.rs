//! What both daemons share.
//!
//! | module | one sentence |
//! |---|---|
//! | [`pki`] | roles in certificates; issues a demo authority and the identities under it |
//! | [`config`] | file, environment and flags become one checked configuration |

pub mod config;
pub mod pki;

pub use config::Overrides;
