//! The queries by which P1 fetches rows of P0's uploads privately (design page, section 3.2): sent
//! once for a job, whatever the links are, and answered in every upload.

use std::sync::Arc;

use s3rec_link::{Channel, drive};
use s3rec_spmm::fetch::SocialQueries;
use s3rec_wire::status::Fault;

use crate::disclosing::Cleared;
use crate::imports::blocking;
use crate::rounds::fault;
use crate::session::{Agreed, Asked, Stage};

/// Makes the queries and sends them. How long the making takes follows the links, so `channel`
/// holds the first frame back until a public time.
pub(crate) async fn send(
    _: &Cleared,
    agreed: Agreed,
    channel: &mut impl Channel,
) -> Result<Stage, Fault> {
    let (parameters, operand) = (agreed.parameters.clone(), Arc::clone(&agreed.operand));
    let made = blocking(move || SocialQueries::new(&parameters, &operand)).await?;
    let queries = made.map_err(|error| fault(error.into(), None))?;
    let mut bytes = 0;
    let sent = drive(queries, channel, |moved| bytes += moved).await;
    let sent = sent.map_err(|error| fault(error, None))?;
    let fetch = sent
        .into_fetch()
        .map_err(|error| fault(error.into(), None))?;
    let asked = Asked {
        fetch: Arc::new(fetch),
        bytes,
    };
    Ok(Stage::Agreed(Box::new(Agreed {
        asked: Some(asked),
        ..agreed
    })))
}
