//! P0's side of agreeing on an opening of friends' sums: it names who is opened, takes the degree
//! bound that P1's people state, and chooses parameters for it.

use s3rec_algebra::PublicSeed;
use s3rec_data::RatingSet;
use s3rec_job::rating::FriendsSetup;
use s3rec_link::LinkError;
use s3rec_node::alignment::Common;
use s3rec_sparse::BoundsRule;
use s3rec_spmm::FriendsRelease;
use s3rec_spmm::noise_first::guarantee::Unstated;
use s3rec_spmm::noise_first::{self, SessionSeeds, Sides, Split};
use s3rec_wire::WireError;
use s3rec_wire::convert::{bitmap, digest_of, friends_parameters_to_wire, half_of};
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1::SetupRequest;

use crate::connection::PeerConnection;
use crate::friends_sides::Choosing;
use crate::imports::blocking;
use crate::ledger::Ledger;
use crate::platform::Platform;
use crate::setup::{call, within_product_values};

/// Asks for the bounds, chooses, and has the choice checked.
pub(crate) async fn agree(
    platform: &Platform,
    connection: &mut PeerConnection,
    ledger: &Ledger,
    (release, ratings): (&FriendsRelease, &RatingSet),
    common: &Common,
) -> Result<FriendsSetup, Fault> {
    let (proposal, meter) = (&ledger.proposal, &ledger.offline);
    let users = u32::try_from(common.rows.len()).unwrap_or(u32::MAX);
    within_product_values(platform, proposal, users)?;
    let split = match release.sides {
        Sides::Two => Split::two_sided(users),
        Sides::One => {
            let choosing = Choosing::of(platform, &proposal.terms.rating_lineage)?;
            let opened = choosing.choose(platform, ratings, &common.rows, release)?;
            one_sided(users, opened)?
        }
    };
    let mut random = [[0; 32]; 2];
    for bytes in &mut random {
        getrandom::fill(bytes)
            .map_err(|_| Fault::new(Reason::Bug, "the system gives no entropy"))?;
    }
    let [rating_half, name] = random;
    let mut request = SetupRequest {
        job_id: proposal.job.to_string(),
        seed_half: rating_half.to_vec(),
        users_digest: common.digest.to_vec(),
        parameters: None,
        stock_id: name[..16].to_vec(),
        opened: match release.sides {
            Sides::One => bitmap(users, split.opened()),
            Sides::Two => Vec::new(),
        },
        friends: None,
    };
    let bounds = call(platform, connection, request.clone(), meter).await?;
    if bounds.common_users != users {
        return Err(contradicts("common_users"));
    }
    // What is promised stands beside stated bounds alone.
    Unstated::check(proposal.pattern, ledger.bounds.rule)
        .map_err(|unstated| Fault::new(Reason::Contradiction, unstated.to_string()))?;
    debug_assert_eq!(ledger.bounds.rule, BoundsRule::Stated);
    let follows = ledger.bounds.stated.bounds(proposal.operator, users);
    if (bounds.row_norm_bound, bounds.nonzeros_bound) != (follows.row_norm, follows.nonzeros) {
        return Err(contradicts("row_norm_bound"));
    }
    let social_half = half_of("seed_half", &bounds.seed_half).map_err(malformed)?;
    let count = |users: &[u32]| u32::try_from(users.len()).unwrap_or(u32::MAX);
    let sizes = (count(split.opened()), count(split.uploaded()));
    let degree_bound = u32::try_from(follows.row_norm).unwrap_or(u32::MAX);
    let terms = release
        .terms(sizes, proposal.columns(), degree_bound)
        .map_err(|error| refused(&error.to_string()))?;
    let parameters = blocking(move || noise_first::choose(terms)).await?;
    let parameters = parameters.map_err(|error| refused(&error.to_string()))?;

    request.friends = Some(friends_parameters_to_wire(&parameters));
    let agreed = call(platform, connection, request, meter).await?;
    let digest = parameters.digest();
    let theirs = digest_of("parameters_digest", &agreed.parameters_digest).map_err(malformed)?;
    if theirs != digest || agreed.seed_half != bounds.seed_half {
        return Err(contradicts("parameters_digest"));
    }
    Ok(FriendsSetup {
        parameters,
        parameters_digest: digest,
        split,
        seeds: SessionSeeds {
            rating: PublicSeed::from_bytes(rating_half),
            social: PublicSeed::from_bytes(social_half),
        },
        users_digest: common.digest,
    })
}

fn one_sided(users: u32, opened: Vec<u32>) -> Result<Split, Fault> {
    let least = FriendsRelease::LEAST_USERS as usize;
    let (rows, columns) = (opened.len(), (users as usize).saturating_sub(opened.len()));
    if rows.min(columns) < least {
        let message = format!(
            "of {users} common users {rows} would be opened and {columns} summed up; {least} are the \
             least of either"
        );
        return Err(Fault::new(Reason::ParametersRefused, message).remedied_by(
            "Propose the job anew with another threshold (--few-below) or share \
             (--calibration-share), or with more users in common.",
        ));
    }
    Split::one_sided(users, opened).map_err(|error| refused(&error.to_string()))
}

fn refused(message: &str) -> Fault {
    Fault::new(Reason::ParametersRefused, message)
}

fn malformed(error: WireError) -> Fault {
    LinkError::Malformed(error).into()
}

fn contradicts(field: &'static str) -> Fault {
    malformed(WireError::Contradiction { field })
}
