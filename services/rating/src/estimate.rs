//! What a proposal would cost, spend and give away, before it is sent.

use s3rec_data::RatingSet;
use s3rec_job::counting::mu_of;
use s3rec_job::estimate::{Planned, of_friends, protocols};
use s3rec_job::{JobId, JobRequest, Proposal, statements};
use s3rec_node::offer;
use s3rec_node::versions::binding;
use s3rec_sparse::{PublicBounds, StatedBounds};
use s3rec_spmm::noise_first::guarantee::{Guarantee, Mu};
use s3rec_spmm::noise_first::{Sides, Terms};
use s3rec_spmm::{FriendsRelease, LinkProfile, Protocol, ReleasePolicy, release};
use s3rec_wire::convert::{
    fill_defaults, guarantee_to_wire, proposal_from_wire, proposal_to_wire, protocol_to_wire,
    release_to_wire, request_from_wire,
};
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1;

use crate::factors;
use crate::friends_sides::Choosing;
use crate::imports::blocking;
use crate::ledger;
use crate::offered::Offered;
use crate::plan::plan;
use crate::platform::Platform;

/// What is assumed where the request leaves it open.
const MEGABITS: f64 = 100.0;
const CORES: u32 = 2;

/// Checks the request as a proposal is checked before it is sent, and predicts.
pub(crate) async fn estimate(
    platform: &Platform,
    asked: v1::EstimateJobRequest,
) -> Result<v1::EstimateJobResponse, Fault> {
    let mut request = asked.proposal.clone().ok_or_else(|| {
        Fault::new(Reason::InvalidRequest, "proposal is missing").at("field", "proposal")
    })?;
    fill_defaults(&mut request);
    let dataset = platform.datasets.choose(&request.dataset)?;
    request.dataset = dataset.to_string();
    let version = platform.datasets.version(&dataset)?;
    let id_rule = platform.datasets.id_rule(dataset.as_str())?;
    let datasets = platform.datasets.clone();
    let ratings = blocking(move || datasets.newest(&dataset)).await??;
    let users = u32::try_from(ratings.users.len()).unwrap_or(u32::MAX);
    let choosing = Choosing::of(platform, &version.lineage)?;
    let native = request_from_wire(request.clone()).map_err(Fault::from)?;
    let (mut release, mut opened) = (native.release, 0);
    if let ReleasePolicy::Friends(friends) = &mut release {
        opened = choosing.count(&ratings, friends);
        friends.most_opened = opened;
    }
    let with = (&ratings, id_rule);
    let own = factors::checked(&platform.factors, &native.factors, with).await?;
    let factors = own.as_ref().map(binding).transpose()?;
    let offered = Offered {
        job: JobId::random(),
        request: &native,
        release,
        id_rule: id_rule.name(),
        version: &version,
        users: users.into(),
        factors_commitment: factors.map(|(commitment, _)| commitment),
    };
    let proposal = offered.proposal()?;
    request.expires_unix_ms = proposal.terms.expires_unix_ms;
    request.release_policy = Some(release_to_wire(&release));
    // As P1 will read it.
    let proposal = proposal_from_wire(&proposal_to_wire(&proposal))?;
    offer::check(&proposal)?;
    let assumed = assumed(&asked, users)?;
    let answered = predicted(platform, &proposal, &assumed, (opened, users))?;
    planned(ratings, native).await?;
    Ok(v1::EstimateJobResponse {
        proposal: Some(request),
        assumed: Some(assumed),
        gives_away: statements::of_consent(&proposal),
        ..answered
    })
}

/// Whether the settings make sense of the ratings.
async fn planned(ratings: RatingSet, request: JobRequest) -> Result<(), Fault> {
    blocking(move || plan(&ratings, &request).map(drop)).await?
}

/// Fills in what is left open, and refuses what cannot be.
fn assumed(asked: &v1::EstimateJobRequest, users: u32) -> Result<v1::EstimateJobRequest, Fault> {
    let refuse = |field: &str, message: String| {
        Err(Fault::new(Reason::InvalidRequest, message).at("field", field))
    };
    let common_users = match asked.common_users {
        0 => users,
        given if given <= users => given,
        given => {
            let message = format!("common_users is {given}; the data set has {users} users");
            return refuse("common_users", message);
        }
    };
    let rate = asked.megabits_per_second;
    if !(0.0..=1e6).contains(&rate) {
        return refuse(
            "megabits_per_second",
            format!("megabits_per_second is {rate}; it is at most 1,000,000"),
        );
    }
    let trip = asked.round_trip_ms;
    if !(0.0..=60_000.0).contains(&trip) {
        return refuse(
            "round_trip_ms",
            format!("round_trip_ms is {trip}; it is at most 60,000"),
        );
    }
    // As the social platform's configuration has it unless told otherwise.
    let usual = s3rec_node::config::Limits::default();
    Ok(v1::EstimateJobRequest {
        proposal: None,
        common_users,
        degree_bound: match asked.degree_bound {
            0 => usual.degree_bound,
            given => given,
        },
        links_bound: match asked.links_bound {
            0 => u64::from(common_users) * u64::from(usual.links_per_user),
            given => given,
        },
        megabits_per_second: if rate > 0.0 { rate } else { MEGABITS },
        round_trip_ms: trip,
        cores: match asked.cores {
            0 => CORES,
            given => given.min(4096),
        },
    })
}

/// Cost and μ; `opened` of `users` are opened where all of them are common.
fn predicted(
    platform: &Platform,
    proposal: &Proposal,
    assumed: &v1::EstimateJobRequest,
    (opened, users): (u32, u32),
) -> Result<v1::EstimateJobResponse, Fault> {
    let mut answer = v1::EstimateJobResponse::default();
    let spent = ledger::accounts(platform)?;
    let spent = spent
        .iter()
        .fold(0_u64, |sum, one| sum.saturating_add(one.counters.nano_rho));
    let before = mu_of(spent);
    let mu = match proposal.release {
        ReleasePolicy::Friends(friends) => {
            // As many of the common users as of all.
            let share = u64::from(opened) * u64::from(assumed.common_users);
            let opened = u32::try_from(share.div_ceil(u64::from(users.max(1)))).unwrap_or(opened);
            let (estimate, guarantee) = opening(proposal, &friends, assumed, opened)?;
            answer.estimates.push(estimate);
            answer.guarantee = Some(guarantee_to_wire(&guarantee));
            answer.opened_users = match friends.sides {
                Sides::One => opened,
                Sides::Two => assumed.common_users,
            };
            Mu::new(guarantee.mu)
        }
        _ => {
            answer.estimates = trainings(platform, proposal, assumed);
            noised(proposal, assumed)
        }
    };
    answer.mu = mu.map_or(0.0, Mu::value);
    answer.mu_before = before.map_or(0.0, Mu::value);
    let after = match (before, mu) {
        (Some(before), Some(mu)) => Some(before.and(mu)),
        (before, mu) => before.or(mu),
    };
    answer.mu_after = after.map_or(0.0, Mu::value);
    Ok(answer)
}

fn opening(
    proposal: &Proposal,
    friends: &FriendsRelease,
    assumed: &v1::EstimateJobRequest,
    opened: u32,
) -> Result<(v1::ProtocolEstimate, Guarantee), Fault> {
    let users = assumed.common_users;
    let (opened, uploaded) = match friends.sides {
        Sides::Two => (users, users),
        Sides::One => (opened, users.saturating_sub(opened)),
    };
    let mu = friends.mu().ok_or_else(|| {
        Fault::new(Reason::InvalidRequest, "mu is a number above 0").at("field", "mu")
    })?;
    let terms = Terms {
        sides: friends.sides,
        opened,
        uploaded,
        columns: proposal.rank,
        row_norm_bound: friends.row_norm_bound,
        degree_bound: assumed.degree_bound.min(users.saturating_sub(1).max(1)),
        mu,
    };
    let rate = assumed.megabits_per_second * 1e6 / 8.0;
    let trip = assumed.round_trip_ms / 1000.0;
    let predicted = of_friends(terms, users, assumed.links_bound, rate, trip)
        .map_err(|error| Fault::new(Reason::InvalidRequest, error.to_string()))?;
    let sizes = &predicted.sizes;
    let estimate = v1::ProtocolEstimate {
        protocol: protocol_to_wire(Protocol::NoiseFirst).into(),
        bytes_to_social: (sizes.keys + sizes.upload) as u64,
        bytes_to_rating: (sizes.masks + sizes.bodies) as u64,
        seconds: predicted.seconds,
        ..v1::ProtocolEstimate::default()
    };
    Ok((estimate, predicted.guarantee))
}

/// The protocol that is proposed, and the others that go with the operator.
fn trainings(
    platform: &Platform,
    proposal: &Proposal,
    assumed: &v1::EstimateJobRequest,
) -> Vec<v1::ProtocolEstimate> {
    let bounds = bounds(assumed).stated;
    let bounds = bounds.bounds(proposal.operator, assumed.common_users);
    let planned = Planned {
        users: assumed.common_users,
        columns: proposal.columns(),
        rounds: proposal.rounds,
        operator: proposal.operator,
        pattern: proposal.pattern,
        row_norm_bound: bounds.row_norm,
        nonzeros_bound: bounds.nonzeros,
        active_users: None,
        linked_to_users: Some(bounds.linked_to),
        memory_bytes: platform.limits.memory_bytes,
        link: LinkProfile {
            bytes_per_second: assumed.megabits_per_second * 1e6 / 8.0,
            cores: assumed.cores,
        },
        round_trip_seconds: assumed.round_trip_ms / 1000.0,
    };
    let others = protocols(proposal.operator).iter().copied();
    let others = others.filter(|other| *other != proposal.protocol);
    let all = std::iter::once(proposal.protocol).chain(others);
    all.map(|protocol| {
        let mut estimate = v1::ProtocolEstimate {
            protocol: protocol_to_wire(protocol).into(),
            ..v1::ProtocolEstimate::default()
        };
        match planned.under(protocol) {
            Ok(predicted) => {
                let total = predicted.estimate.total();
                estimate.bytes_to_social = total.bytes_to_social;
                estimate.bytes_to_rating = total.bytes_to_rating;
                estimate.seconds = predicted.seconds;
                estimate.rating_memory_bytes = predicted.footprint.rating_memory_bytes;
                estimate.social_memory_bytes = predicted.footprint.social_memory_bytes;
                estimate.rating_disk_bytes = predicted.footprint.rating_disk_bytes;
                estimate.social_disk_bytes = predicted.footprint.social_disk_bytes;
            }
            Err(error) => estimate.refused = error.to_string(),
        }
        estimate
    })
    .collect()
}

fn bounds(assumed: &v1::EstimateJobRequest) -> PublicBounds {
    PublicBounds {
        stated: StatedBounds {
            degree: assumed.degree_bound,
            links: assumed.links_bound,
        },
        rule: s3rec_sparse::BoundsRule::Stated,
    }
}

/// μ of all noised openings of a training together; none of an exact one.
fn noised(proposal: &Proposal, assumed: &v1::EstimateJobRequest) -> Option<Mu> {
    let ReleasePolicy::Noised {
        sigma,
        row_norm_beta,
        ..
    } = proposal.release
    else {
        return None;
    };
    let bounds = bounds(assumed).stated;
    let row_norm = bounds
        .bounds(proposal.operator, assumed.common_users)
        .row_norm;
    let sensitivity = release::sensitivity(proposal.operator, row_norm, row_norm_beta);
    let rho = release::zcdp(proposal.rounds, sensitivity, sigma);
    Mu::new((2.0 * rho).sqrt())
}
