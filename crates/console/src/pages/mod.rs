//! What is shown, as functions of answers. Nothing here asks, waits or decides.

mod charts;
mod frame;
mod live;
pub mod rating;
mod shared;
mod social;
mod words;

pub use charts::Curves;
pub use frame::{Frame, failed, invited, not_in};
pub use shared::{audit, budgets, disclosures, health};
pub use social::{overview, policy, proposal};
pub use words::{Live, live};
