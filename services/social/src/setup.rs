//! P1's side of agreeing on parameters: it announces the public bounds of Y, and checks for itself
//! whatever P0 derives from them.

use std::sync::Arc;
use std::time::Duration;

use s3rec_algebra::Seed;
use s3rec_job::social::{SocialAgreed, SocialBounded, SocialJob};
use s3rec_job::{AgreedParameters, JobEvent, JobId, JobState, Phase, Proposal};
use s3rec_link::pacing::AnswerTimes;
use s3rec_node::alignment::Common;
use s3rec_sparse::{
    OperatorBounds, PatternPolicy, SecretPattern, SocialOperator, SparseError, declassify,
};
use s3rec_spmm::noise_first::Sides;
use s3rec_spmm::{ProductParameters, ReleasePolicy, SocialOperand, SpmmError};
use s3rec_wire::convert::{bitmap, digest_of, half_of, parameters_digest, parameters_from_wire};
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1;
use s3rec_wire::v1::SetupResponse;

use crate::bounds;
use crate::common_links::common_operator;
use crate::disclosing::{self, Leaving};
use crate::friends_setup::{self, BecomesOpened};
use crate::held::{PublicTime, reading_time};
use crate::imports::blocking;
use crate::platform::Platform;
use crate::slot::Taken;
use crate::tables::CONSENTS;

/// An answer of Setup, and what the job becomes with it.
pub(crate) struct Prepared {
    pub(crate) stage: SocialJob,
    pub(crate) response: SetupResponse,
    pub(crate) leaving: Leaving,
    pub(crate) becomes: Becomes,
}

pub(crate) enum Becomes {
    /// The second call is due.
    Waiting,
    /// P0 is about to have the bounds; of the operator whether there is a link in it.
    Bounded {
        users: u32,
        is_linked: bool,
    },
    Agreed(Box<BecomesAgreed>),
}

pub(crate) struct BecomesAgreed {
    pub(crate) text: String,
    pub(crate) times: AnswerTimes,
    pub(crate) parameters: AgreedParameters,
    /// Of friends' sums: who will have been opened.
    pub(crate) opened: Option<BecomesOpened>,
}

/// The first call gets the bounds, the second the agreement; neither before a public time, in
/// which P1 reads its links and makes Y of them. Until then nothing is counted or logged of it
/// either, and the job's place stays taken.
pub(crate) async fn answer(
    platform: &Arc<Platform>,
    job: JobId,
    request: v1::SetupRequest,
    taken: Taken,
) -> Result<SetupResponse, Fault> {
    // The first call about friends' sums looks at no link.
    let looks =
        !matches!(taken.proposal.release, ReleasePolicy::Friends(_)) || request.friends.is_some();
    let time = match looks {
        true => platform.slot.with(job, |running| reading_time(running))?,
        false => Duration::ZERO,
    };
    let due = PublicTime::of("Setup", job, time);
    let epoch = taken.epoch;
    let held = due.hold(prepare(platform, job, request, taken)).await?;
    let (prepared, _) = disclosing::clear(platform, job, epoch, held, |made| made.leaving)?;
    if let Becomes::Agreed(agreed) = &prepared.becomes {
        if let Some(opened) = &agreed.opened {
            opened.keep(platform)?;
        }
        let id = job.to_string();
        platform.advance(&id, JobState::Running, Phase::Setup, &agreed.text)?;
        platform.slot.with(job, |running| {
            running.answer_times = agreed.times;
            running.parameters = Some(agreed.parameters.clone());
        })?;
    }
    platform.slot.leave(job, epoch, prepared.stage)?;
    if let Becomes::Bounded { users, is_linked } = prepared.becomes {
        // Behind the answer, and as much to store whichever it is.
        let platform = Arc::clone(platform);
        tokio::task::spawn_blocking(move || log_who_is_linked(&platform, job, users, is_linked));
    }
    Ok(prepared.response)
}

async fn prepare(
    platform: &Arc<Platform>,
    job: JobId,
    request: v1::SetupRequest,
    taken: Taken,
) -> Result<Prepared, Fault> {
    let rating_half = half_of("seed_half", &request.seed_half)?;
    let friends = request.friends.as_ref();
    match (taken.stage, request.parameters.as_ref()) {
        (SocialJob::Aligned(common), None) if friends.is_none() => {
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
            let halves = (rating_half, stock_id);
            match taken.proposal.release {
                ReleasePolicy::Friends(_) => {
                    friends_setup::bound(platform, &taken.proposal, &request, halves, common)
                }
                _ if !request.opened.is_empty() => {
                    let message = "users are named to be opened where none are";
                    Err(Fault::new(Reason::Contradiction, message).at("field", "opened"))
                }
                _ => bound(platform, &taken.proposal, halves, common).await,
            }
        }
        (SocialJob::FriendsBounded(bounded), None) => {
            let message = friends
                .ok_or_else(|| Fault::new(Reason::OutOfOrder, "this call of Setup is not due"))?;
            let users_digest = digest_of("users_digest", &request.users_digest)?;
            let stock_id = stock_id_of(&request.stock_id)?;
            let users = u32::try_from(bounded.rows.len()).unwrap_or(u32::MAX);
            let opened = match taken.proposal.release {
                ReleasePolicy::Friends(release) if release.sides == Sides::One => {
                    bitmap(users, bounded.split.opened())
                }
                _ => Vec::new(),
            };
            let said = (rating_half, stock_id, users_digest);
            if said != (bounded.rating_half, bounded.stock_id, bounded.users_digest)
                || opened != request.opened
            {
                let message = "the second call of Setup says something else than the first one";
                return Err(Fault::new(Reason::Contradiction, message));
            }
            friends_setup::agree(platform, &taken.proposal, *bounded, message).await
        }
        (SocialJob::Bounded(bounded), Some(message)) if friends.is_none() => {
            let users_digest = digest_of("users_digest", &request.users_digest)?;
            let stock_id = stock_id_of(&request.stock_id)?;
            let said = (rating_half, stock_id, users_digest);
            if said != (bounded.rating_half, bounded.stock_id, bounded.users_digest) {
                let message = "the second call of Setup says something else than the first one";
                return Err(Fault::new(Reason::Contradiction, message));
            }
            agree(&taken.proposal, *bounded, message).await
        }
        _ => Err(Fault::new(
            Reason::OutOfOrder,
            "this call of Setup is not due",
        )),
    }
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
) -> Result<Prepared, Fault> {
    let Common { rows, digest, .. } = common;
    let users = u32::try_from(rows.len()).unwrap_or(u32::MAX);
    bounds::within_product_values(&platform.limits, proposal, users)?;
    // The whole rule, with the users and what the job comes to, before anything of Y is read.
    disclosing::may_go_on(platform, proposal.job)?;
    let stated = platform
        .slot
        .with(proposal.job, |running| running.opened.bounds)?;
    let links = platform.datasets.load(&proposal.job.to_string()).await?;
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
    let bounds = bounds::of_operator(&stated, &operator);
    keeps_stated(&bounds, &operator)?;
    let fetched_rows_bound = match proposal.protocol.fetches_privately() {
        true => bounds.linked_to,
        false => 0,
    };
    let is_linked = operator.nonzeros() > 0;
    let leaving = Leaving::Bounds {
        row_norm: bounds.row_norm,
        pattern_rows: match disclosure {
            PatternPolicy::Nothing => 0,
            PatternPolicy::ActiveRows => pattern.returned_rows.len() as u64,
            PatternPolicy::ActiveRowsAndColumns => {
                (pattern.returned_rows.len() + pattern.uploaded_rows.len()) as u64
            }
        },
    };
    let announced = Announced {
        users,
        social_half,
        bounds,
        fetched_rows_bound,
    };
    let response = SetupResponse {
        active_rows: match disclosure {
            PatternPolicy::Nothing => Vec::new(),
            _ => bitmap(users, &pattern.returned_rows),
        },
        active_columns: match disclosure {
            PatternPolicy::ActiveRowsAndColumns => bitmap(users, &pattern.uploaded_rows),
            _ => Vec::new(),
        },
        ..announced.respond(proposal.job)
    };
    let bounded = SocialBounded {
        operator: Arc::new(operator),
        pattern,
        bounds,
        fetched_rows_bound,
        users_digest: digest,
        rating_half,
        social_half,
        stock_id,
        rows,
    };
    Ok(Prepared {
        stage: SocialJob::Bounded(Box::new(bounded)),
        response,
        leaving,
        becomes: Becomes::Bounded { users, is_linked },
    })
}

/// What both answers say alike.
struct Announced {
    users: u32,
    social_half: [u8; 32],
    bounds: OperatorBounds,
    fetched_rows_bound: u32,
}

impl Announced {
    fn respond(&self, job: JobId) -> SetupResponse {
        SetupResponse {
            job_id: job.to_string(),
            seed_half: self.social_half.to_vec(),
            common_users: self.users,
            row_norm_bound: self.bounds.row_norm,
            nonzeros_bound: self.bounds.nonzeros,
            fetched_rows_bound: self.fetched_rows_bound,
            ..SetupResponse::default()
        }
    }
}

/// All of the data keeps what was stated when it was approved, so any part of it does. That it
/// does not is an error of this platform alone, which the other one must not tell from any other.
fn keeps_stated(bounds: &OperatorBounds, operator: &SocialOperator) -> Result<(), Fault> {
    let linked_to = operator.active_columns().len();
    let kept = operator.row_norm() <= bounds.row_norm
        && operator.nonzeros() as u64 <= bounds.nonzeros
        && (operator.kind().is_symmetric() || linked_to <= bounds.linked_to as usize);
    if kept {
        return Ok(());
    }
    let message = format!(
        "the links exceed what was stated of them: row norm {} of {}, {} of {} non-zeros, {linked_to} \
         users linked to of {}",
        operator.row_norm(),
        bounds.row_norm,
        operator.nonzeros(),
        bounds.nonzeros,
        bounds.linked_to
    );
    Err(Fault::new(Reason::Bug, message))
}

/// Every opening of a job over users without links is zeros. The people here are told before the
/// first one; for the other platform nothing changes, neither words nor times: where there are
/// links, as much is stored.
fn log_who_is_linked(platform: &Platform, job: JobId, users: u32, is_linked: bool) {
    let name = job.to_string();
    let message = match is_linked {
        true => format!("Of the {users} common users some have links to others of them."),
        false => format!(
            "None of the {users} common users has a link to another of them: every opening of this \
             job will be zeros (and noise, where there is any). It goes on, so that the rating \
             platform does not learn this from its end; revoke the approval to spare the openings."
        ),
    };
    let last = platform.journal.last(&name).unwrap_or_default();
    if last.state.is_terminal() {
        return;
    }
    let recorded = platform.journal.record(JobEvent {
        message: message.clone(),
        ..last
    });
    let noted = platform.consent(&name).and_then(|mut consent| {
        if !is_linked && !consent.warnings.contains(&message) {
            consent.warnings.push(message.clone());
        }
        Ok(platform.store.put(CONSENTS, &name, &consent)?)
    });
    if !is_linked {
        tracing::warn!(%job, "{message}");
    }
    if let Err(fault) = recorded.map_err(Fault::from).and(noted) {
        tracing::error!(%job, "whether anybody is linked is not stored: {fault}");
    }
}

async fn agree(
    proposal: &Proposal,
    bounded: SocialBounded,
    message: &v1::ProductParameters,
) -> Result<Prepared, Fault> {
    let parameters = parameters_from_wire(message)?;
    check(proposal, &bounded, &parameters)?;
    keeps(proposal, &parameters)?;
    let users = parameters.users;
    let digest = parameters_digest(message);
    let operator = Arc::clone(&bounded.operator);
    let pattern = bounded.pattern.clone();
    let made_for = parameters.clone();
    let operand = blocking(move || {
        made_for.validate()?;
        // Fresh for every job: the digest of Y never leaves, and never names Y twice alike.
        let salt = Seed::generate()?;
        let operand = SocialOperand::new(&made_for, &pattern, &operator, &salt)?;
        Ok((operand, salt))
    });
    let (operand, salt) = operand.await?.map_err(|error: SpmmError| {
        let message = format!("the social platform refuses the parameters: {error}");
        let reason = match error {
            // Of the links themselves: ours alone.
            SpmmError::AboveBound { .. } => Reason::Bug,
            _ => Reason::ParametersRefused,
        };
        Fault::new(reason, message)
    })?;
    let leaving = Leaving::Commitment {
        row_norm: bounded.bounds.row_norm,
    };
    let text = format!(
        "Agreed: {users} common users, {} columns an opening, {} openings.",
        parameters.columns, parameters.rounds
    );
    let announced = Announced {
        users,
        social_half: bounded.social_half,
        bounds: bounded.bounds,
        fetched_rows_bound: parameters.fetched_rows_bound,
    };
    let response = SetupResponse {
        parameters_digest: digest.to_vec(),
        operator_commitment: operand.commitment().to_vec(),
        ..announced.respond(proposal.job)
    };
    let times = AnswerTimes::of(&parameters)
        .map_err(|error| Fault::new(Reason::ParametersRefused, error.to_string()))?;
    let agreed_on = AgreedParameters::from(parameters.clone());
    let agreed = SocialAgreed {
        parameters,
        pattern: bounded.pattern,
        users_digest: bounded.users_digest,
        parameters_digest: digest,
        operand: Arc::new(operand),
        rating_half: bounded.rating_half,
        social_half: bounded.social_half,
        asked: None,
        stock_id: bounded.stock_id,
        rows: bounded.rows,
        salt,
    };
    Ok(Prepared {
        stage: SocialJob::Agreed(Box::new(agreed)),
        response,
        leaving,
        becomes: Becomes::Agreed(Box::new(BecomesAgreed {
            text,
            times,
            parameters: agreed_on,
            opened: None,
        })),
    })
}

/// Refuses parameters beyond the proposal's bounds.
fn keeps(proposal: &Proposal, parameters: &ProductParameters) -> Result<(), Fault> {
    let refused = |error: SpmmError| Fault::new(Reason::ParametersRefused, error.to_string());
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
    bounded: &SocialBounded,
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
            parameters.row_norm_bound == bounded.bounds.row_norm,
        ),
        (
            "nonzeros_bound",
            parameters.nonzeros_bound == bounded.bounds.nonzeros,
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
