//! P1's side of agreeing on parameters: it announces ladder bounds, and checks for itself
//! whatever P0 derives from them.

use std::sync::Arc;

use s3rec_algebra::Seed;
use s3rec_link::pacing::AnswerTimes;
use s3rec_node::alignment::Common;
use s3rec_sparse::{Disclosure, SecretPattern, SparseError, declassify};
use s3rec_spmm::{ProductParameters, SocialOperand, fetch};
use s3rec_wire::convert::{
    JobId, Proposal, bitmap, digest_of, half_of, parameters_digest, parameters_from_wire,
};
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1;
use s3rec_wire::v1::{JobState, Phase, SetupResponse};

use crate::align::common_operator;
use crate::imports::{self, blocking};
use crate::ledger;
use crate::platform::Platform;
use crate::session::{Agreed, Bounded, Stage, Taken};

/// The first call gets the bounds, the second the agreement.
pub(crate) async fn answer(
    platform: &Arc<Platform>,
    job: JobId,
    request: v1::SetupRequest,
    taken: Taken,
) -> Result<SetupResponse, Fault> {
    let rating_half = half_of("seed_half", &request.seed_half)?;
    let (stage, response) = match (taken.stage, request.parameters) {
        (Stage::Aligned(common), None) => {
            if digest_of("users_digest", &request.users_digest)? != common.digest {
                let message = "the platforms found different common users";
                return Err(Fault::new(Reason::Contradiction, message));
            }
            let name = job.to_string();
            platform.advance(
                &name,
                JobState::Running,
                Phase::Setup,
                "Agreeing on parameters.",
            )?;
            let stock_id = stock_id_of(&request.stock_id)?;
            bound(platform, &taken.proposal, (rating_half, stock_id), common).await?
        }
        (Stage::Bounded(bounded), Some(message)) => {
            if rating_half != bounded.rating_half {
                let message = "the half of the seed has changed since the first call";
                return Err(Fault::new(Reason::Contradiction, message));
            }
            agree(platform, &taken.proposal, *bounded, &message).await?
        }
        _ => {
            return Err(Fault::new(
                Reason::OutOfOrder,
                "this call of Setup is not due",
            ));
        }
    };
    platform.slot.leave(job, taken.epoch, stage)?;
    Ok(response)
}

fn stock_id_of(bytes: &[u8]) -> Result<[u8; 16], Fault> {
    bytes.try_into().map_err(|_| {
        let fault = Fault::new(Reason::InvalidRequest, "stock_id must have 16 bytes");
        fault.at("field", "stock_id")
    })
}

async fn bound(
    platform: &Arc<Platform>,
    proposal: &Proposal,
    (rating_half, stock_id): ([u8; 32], [u8; 16]),
    common: Common,
) -> Result<(Stage, SetupResponse), Fault> {
    let Common { rows, digest, .. } = common;
    let users = u32::try_from(rows.len()).unwrap_or(u32::MAX);
    let values = u64::from(users) * u64::from(proposal.columns());
    if values > platform.limits.product_values {
        let message = format!(
            "the product has {values} values; limits.product_values of the social platform is {}",
            platform.limits.product_values
        );
        return Err(Fault::new(Reason::LimitExceeded, message));
    }
    let links = imports::load_for(platform, &proposal.job.to_string()).await?;
    let (kind, disclosure) = (proposal.operator, proposal.pattern);
    let rows = Arc::new(rows);
    let common_rows = Arc::clone(&rows);
    let built = blocking(move || {
        let operator = common_operator(kind, &links, &common_rows)?;
        let pattern = declassify(&SecretPattern::of(&operator), disclosure);
        Ok::<_, SparseError>((operator, pattern))
    });
    let (operator, pattern) = built
        .await?
        .map_err(|error| Fault::new(Reason::ParametersRefused, error.to_string()))?;
    let mut social_half = [0; 32];
    getrandom::fill(&mut social_half)
        .map_err(|_| Fault::new(Reason::Bug, "the system gives no entropy"))?;
    let fetched_rows_bound = if proposal.protocol.fetches_privately() {
        fetch::rows_bound_of(&operator)
    } else {
        0
    };
    let response = SetupResponse {
        job_id: proposal.job.to_string(),
        seed_half: social_half.to_vec(),
        common_users: users,
        row_norm_bound: operator.row_norm_bound(),
        nonzeros_bound: operator.nonzeros_bound(),
        fetched_rows_bound,
        active_rows: match disclosure {
            Disclosure::Nothing => Vec::new(),
            _ => bitmap(users, &pattern.returned_rows),
        },
        parameters_digest: Vec::new(),
        active_columns: match disclosure {
            Disclosure::ActiveRowsAndColumns => bitmap(users, &pattern.uploaded_rows),
            _ => Vec::new(),
        },
        operator_commitment: Vec::new(),
    };
    let bounded = Bounded {
        operator: Arc::new(operator),
        pattern,
        fetched_rows_bound,
        users_digest: digest,
        rating_half,
        social_half,
        stock_id,
        rows,
    };
    Ok((Stage::Bounded(Box::new(bounded)), response))
}

async fn agree(
    platform: &Arc<Platform>,
    proposal: &Proposal,
    bounded: Bounded,
    message: &v1::ProductParameters,
) -> Result<(Stage, SetupResponse), Fault> {
    let parameters = parameters_from_wire(message)?;
    check(proposal, &bounded, &parameters)?;
    keeps(proposal, &parameters)?;
    ledger::whole_job_fits(platform, proposal.job, &parameters)?;
    let users = parameters.users;
    let digest = parameters_digest(message);
    let operator = Arc::clone(&bounded.operator);
    let pattern = bounded.pattern.clone();
    let (row_norm_bound, nonzeros_bound) = (operator.row_norm_bound(), operator.nonzeros_bound());
    let made_for = parameters.clone();
    let operand = blocking(move || {
        made_for.validate()?;
        // Fresh for every job: the digest of Y never leaves, and never names Y twice alike.
        let salt = Seed::generate()?;
        let operand = SocialOperand::new(&made_for, &pattern, &operator, &salt)?;
        Ok((operand, salt))
    });
    let (operand, salt) = operand.await?.map_err(|error: s3rec_spmm::SpmmError| {
        let message = format!("the social platform refuses the parameters: {error}");
        Fault::new(Reason::ParametersRefused, message)
    })?;
    let text = format!(
        "Agreed: {users} common users, {} columns an opening, {} openings.",
        parameters.columns, parameters.rounds
    );
    platform.advance(
        &proposal.job.to_string(),
        JobState::Running,
        Phase::Setup,
        text,
    )?;
    let response = SetupResponse {
        job_id: proposal.job.to_string(),
        seed_half: bounded.social_half.to_vec(),
        common_users: users,
        row_norm_bound,
        nonzeros_bound,
        fetched_rows_bound: parameters.fetched_rows_bound,
        active_rows: Vec::new(),
        parameters_digest: digest.to_vec(),
        active_columns: Vec::new(),
        operator_commitment: operand.commitment().to_vec(),
    };
    let answer_times = AnswerTimes::of(&parameters)
        .map_err(|error| Fault::new(Reason::ParametersRefused, error.to_string()))?;
    let agreed = Agreed {
        parameters,
        pattern: bounded.pattern,
        users_digest: bounded.users_digest,
        answer_times,
        parameters_digest: digest,
        operand: Arc::new(operand),
        rating_half: bounded.rating_half,
        social_half: bounded.social_half,
        asked: None,
        stock_id: bounded.stock_id,
        rows: bounded.rows,
        salt,
    };
    Ok((Stage::Agreed(Box::new(agreed)), response))
}

/// Refuses parameters beyond the proposal's bounds.
fn keeps(proposal: &Proposal, parameters: &ProductParameters) -> Result<(), Fault> {
    let refused =
        |error: s3rec_spmm::SpmmError| Fault::new(Reason::ParametersRefused, error.to_string());
    let terms = &proposal.terms;
    let statistical = parameters.statistical_bits().map_err(refused)?;
    let kept = [
        (
            "most_common_users",
            parameters.users <= terms.most_common_users,
        ),
        (
            "least_security_bits",
            parameters.security_bits() >= terms.least_security_bits,
        ),
        (
            "least_statistical_bits",
            statistical >= terms.least_statistical_bits,
        ),
    ];
    match kept.into_iter().find(|(_, kept)| !kept) {
        None => Ok(()),
        Some((field, _)) => {
            let message = format!("the parameters do not keep the proposal's bounds.{field}");
            Err(Fault::new(Reason::BeyondConsent, message).at("field", field))
        }
    }
}

/// Refuses parameters that differ from what was consented to or announced.
fn check(
    proposal: &Proposal,
    bounded: &Bounded,
    parameters: &ProductParameters,
) -> Result<(), Fault> {
    let operator = &bounded.operator;
    let same = [
        ("protocol", parameters.protocol == proposal.protocol),
        ("operator", parameters.operator == proposal.operator),
        ("pattern_policy", parameters.pattern == proposal.pattern),
        ("release_policy", parameters.release == proposal.release),
        ("columns", parameters.columns == proposal.columns()),
        ("rounds", parameters.rounds == proposal.rounds),
        ("guard_bits", parameters.guard_bits == proposal.guard_bits),
        (
            "saturation_bound",
            parameters.saturation_bound.to_bits() == proposal.saturation_bound.to_bits(),
        ),
        ("users", parameters.users as usize == operator.users()),
        (
            "row_norm_bound",
            parameters.row_norm_bound == operator.row_norm_bound(),
        ),
        (
            "nonzeros_bound",
            parameters.nonzeros_bound == operator.nonzeros_bound(),
        ),
        (
            "returned_rows",
            parameters.returned_rows as usize == bounded.pattern.returned_rows.len(),
        ),
        (
            "uploaded_rows",
            parameters.uploaded_rows as usize == bounded.pattern.uploaded_rows.len(),
        ),
        (
            "fetched_rows_bound",
            parameters.fetched_rows_bound == bounded.fetched_rows_bound,
        ),
    ];
    match same.into_iter().find(|(_, same)| !same) {
        None => Ok(()),
        Some((field, _)) => {
            let message = format!("the parameters' {field} differs from what was agreed on");
            Err(Fault::new(Reason::Contradiction, message).at("field", field))
        }
    }
}
