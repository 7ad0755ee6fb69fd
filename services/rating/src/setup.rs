//! P0's side of agreeing on parameters: derived from P1's public bounds, refused before any
//! data moves where none fit.

use std::sync::Arc;

use s3rec_job::Proposal;
use s3rec_job::rating::RatingSetup;
use s3rec_link::{LinkError, Meter};
use s3rec_node::alignment::Common;
use s3rec_sparse::{BoundsRule, PatternPolicy, PublicBounds, ladder};
use s3rec_spmm::{ProductRequest, PublicPattern, choose_parameters};
use s3rec_wire::WireError;
use s3rec_wire::convert::{
    digest_of, half_of, parameters_digest, parameters_to_wire, rows_of_bitmap,
};
use s3rec_wire::record::Record;
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1::{SetupRequest, SetupResponse};
use tokio::time::timeout;

use crate::connection::{PeerConnection, read};
use crate::imports::blocking;
use crate::ledger::Ledger;
use crate::platform::Platform;

/// Asks for the bounds, chooses, and has the choice checked.
pub(crate) async fn agree(
    platform: &Platform,
    connection: &mut PeerConnection,
    ledger: &Ledger,
    common: &Common,
) -> Result<RatingSetup, Fault> {
    let (proposal, stated, meter) = (&ledger.proposal, &ledger.bounds, &ledger.offline);
    let mut rating_half = [0; 32];
    getrandom::fill(&mut rating_half)
        .map_err(|_| Fault::new(Reason::Bug, "the system gives no entropy"))?;
    let mut stock_id = [0; 16];
    getrandom::fill(&mut stock_id)
        .map_err(|_| Fault::new(Reason::Bug, "the system gives no entropy"))?;
    let mut request = SetupRequest {
        job_id: proposal.job.to_string(),
        seed_half: rating_half.to_vec(),
        users_digest: common.digest.to_vec(),
        parameters: None,
        stock_id: stock_id.to_vec(),
        opened: Vec::new(),
        friends: None,
    };
    let bounds = call(platform, connection, request.clone(), meter).await?;
    if bounds.common_users as usize != common.rows.len() {
        return Err(malformed(WireError::Contradiction {
            field: "common_users",
        }));
    }
    within_product_values(platform, proposal, bounds.common_users)?;
    let social_half = half_of("seed_half", &bounds.seed_half).map_err(malformed)?;
    let pattern = pattern(proposal, &bounds).map_err(malformed)?;
    check_bounds(proposal, stated, &bounds).map_err(malformed)?;
    let wanted = product_request(proposal, &bounds, &pattern);
    let parameters = blocking(move || choose_parameters(&wanted)).await?;
    let parameters = parameters.map_err(refused)?;
    let message = parameters_to_wire(&parameters).map_err(refused)?;
    let digest = parameters_digest(&message);

    request.parameters = Some(message);
    let agreed = call(platform, connection, request, meter).await?;
    let theirs = digest_of("parameters_digest", &agreed.parameters_digest).map_err(malformed)?;
    if theirs != digest || agreed.seed_half != bounds.seed_half {
        return Err(malformed(WireError::Contradiction {
            field: "parameters_digest",
        }));
    }
    let commitment = digest_of("operator_commitment", &agreed.operator_commitment);
    let (rating_party, social_party) = platform.pins();
    Ok(RatingSetup {
        parameters,
        parameters_digest: digest,
        pattern: Arc::new(pattern),
        stock_id,
        rating_half,
        social_half,
        users_digest: common.digest,
        operator_commitment: commitment.map_err(malformed)?,
        parties: [rating_party, social_party],
    })
}

pub(crate) async fn call(
    platform: &Platform,
    connection: &mut PeerConnection,
    request: SetupRequest,
    meter: &Meter,
) -> Result<SetupResponse, Fault> {
    let limit = platform.idle_limit();
    meter.sent(request.wire_bytes());
    let answered = timeout(limit, connection.client.setup(request)).await;
    let response = answered
        .map_err(|_| Fault::from(LinkError::Idle { limit }))?
        .map_err(|status| read(&status))?
        .into_inner();
    meter.received(response.wire_bytes());
    Ok(response)
}

/// Refuses a product that is larger than the configuration allows.
pub(crate) fn within_product_values(
    platform: &Platform,
    proposal: &Proposal,
    users: u32,
) -> Result<(), Fault> {
    let values = u64::from(users) * u64::from(proposal.columns());
    let most = platform.limits.product_values;
    if values <= most {
        return Ok(());
    }
    let message = format!("the product has {values} values; limits.product_values is {most}");
    Err(Fault::new(Reason::LimitExceeded, message))
}

/// The rows that are exchanged under the pattern policy consented to.
fn pattern(proposal: &Proposal, bounds: &SetupResponse) -> Result<PublicPattern, WireError> {
    let users = bounds.common_users;
    let all = || (0..users).collect::<Vec<_>>();
    let rows = |field, bytes: &[u8]| rows_of_bitmap(field, users, bytes);
    let (returned_rows, uploaded_rows) = match proposal.pattern {
        PatternPolicy::Nothing => (all(), all()),
        PatternPolicy::ActiveRows => {
            let active = rows("active_rows", &bounds.active_rows)?;
            let uploaded = match proposal.operator.is_symmetric() {
                true => active.clone(),
                false => all(),
            };
            (active, uploaded)
        }
        PatternPolicy::ActiveRowsAndColumns => (
            rows("active_rows", &bounds.active_rows)?,
            rows("active_columns", &bounds.active_columns)?,
        ),
    };
    Ok(PublicPattern {
        users: users as usize,
        returned_rows,
        uploaded_rows,
    })
}

/// The bounds are those that follow from what P1 has signed that it states of its links, or
/// values of the ladder where it has signed that; d_max is announced where rows are fetched
/// privately, and nowhere else.
fn check_bounds(
    proposal: &Proposal,
    stated: &PublicBounds,
    bounds: &SetupResponse,
) -> Result<(), WireError> {
    let users = bounds.common_users;
    let fetches = proposal.protocol.fetches_privately();
    let expected = "what follows from the bounds of the approval, and 0 where nothing is fetched";
    let fields = match stated.rule {
        BoundsRule::Stated => {
            let follows = stated.stated.bounds(proposal.operator, users);
            let linked_to = if fetches { follows.linked_to } else { 0 };
            [
                ("row_norm_bound", bounds.row_norm_bound == follows.row_norm),
                ("nonzeros_bound", bounds.nonzeros_bound == follows.nonzeros),
                ("fetched_rows_bound", bounds.fetched_rows_bound == linked_to),
            ]
        }
        BoundsRule::Ladder => {
            let is_rung = |bound: u64| ladder(bound) == bound;
            let d_max = bounds.fetched_rows_bound;
            let is_due = match fetches {
                true => {
                    let fits = d_max == users || is_rung(d_max.into());
                    fits && (1..=users).contains(&d_max)
                }
                false => d_max == 0,
            };
            [
                ("row_norm_bound", is_rung(bounds.row_norm_bound)),
                ("nonzeros_bound", is_rung(bounds.nonzeros_bound)),
                ("fetched_rows_bound", is_due),
            ]
        }
    };
    match fields.into_iter().find(|(_, follows)| !follows) {
        None => Ok(()),
        Some((field, _)) => Err(WireError::Form { field, expected }),
    }
}

fn product_request(
    proposal: &Proposal,
    bounds: &SetupResponse,
    pattern: &PublicPattern,
) -> ProductRequest {
    let count = |rows: &[u32]| u32::try_from(rows.len()).unwrap_or(u32::MAX);
    let mut request = ProductRequest::new(
        proposal.protocol,
        proposal.operator,
        bounds.common_users,
        proposal.columns(),
        proposal.rounds,
    );
    request.pattern = proposal.pattern;
    request.release = proposal.release;
    request.uploaded_rows = count(&pattern.uploaded_rows);
    request.returned_rows = count(&pattern.returned_rows);
    request.saturation_bound = proposal.saturation_bound;
    request.guard_bits = proposal.guard_bits;
    request.row_norm_bound = bounds.row_norm_bound;
    request.nonzeros_bound = bounds.nonzeros_bound;
    request.fetched_rows_bound = bounds.fetched_rows_bound;
    request
}

fn refused(error: s3rec_spmm::SpmmError) -> Fault {
    Fault::new(Reason::ParametersRefused, error.to_string())
}

fn malformed(error: WireError) -> Fault {
    LinkError::Malformed(error).into()
}
