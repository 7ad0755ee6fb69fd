//! What is shown, as functions of answers. Nothing here asks, waits or decides.

mod frame;
mod social;
mod words;

pub use frame::{Frame, failed, invited, not_in};
pub use social::{audit, disclosures, overview, policy, proposal};
pub use words::{Live, live};
