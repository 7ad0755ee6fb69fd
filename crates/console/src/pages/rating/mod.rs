//! Pages of the rating platform.

mod datasets;
mod jobs;
mod models;
mod propose;
mod recommend;

pub use datasets::datasets;
pub use jobs::{job, overview};
pub use models::{model, models};
pub use propose::{Choices, estimated, propose};
pub use recommend::{Tried, recommend};
