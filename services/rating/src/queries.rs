//! P1's queries, where it fetches rows of our uploads privately (design page, section 3.2): taken
//! once for a job, expanded once, and answered from in every upload.

use std::sync::Arc;

use s3rec_link::Meter;
use s3rec_spmm::fetch::{RatingFetch, RatingQueries};
use s3rec_wire::status::Fault;
use s3rec_wire::v1::Phase;

use crate::imports::blocking;
use crate::platform::Platform;
use crate::product::{Line, ours, theirs};
use crate::session::Session;
use crate::setup::Setup;

/// The expanded queries; `None` under the protocols that send every row.
///
/// Their length follows from the agreed parameters and nothing longer is taken; what they say is
/// checked as they are expanded. Expanded selectors stay within `limits.memory_bytes`: what does
/// not fit is expanded anew for every upload.
pub(crate) async fn receive(
    platform: &Platform,
    session: &Session,
    line: &Line,
    setup: &Setup,
    meter: &Meter,
    moved: impl FnMut(usize),
) -> Result<Option<Arc<RatingFetch>>, Fault> {
    if !setup.parameters.protocol.fetches_privately() {
        return Ok(None);
    }
    let queries = RatingQueries::new(&setup.parameters).map_err(ours)?;
    let queries = line
        .exchange(platform, session, Phase::Setup, 0, queries, meter, moved)
        .await?;
    let memory_bytes = platform.limits.memory_bytes;
    let fetch = blocking(move || queries.into_fetch(memory_bytes)).await?;
    Ok(Some(Arc::new(fetch.map_err(theirs)?)))
}
