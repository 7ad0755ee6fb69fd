//! `s3rec estimate --operator friends`: what one opening of friends' sums would cost and promise.

use s3rec_job::estimate::{PredictedOpening, of_friends};
use s3rec_spmm::noise_first::guarantee::Mu;
use s3rec_spmm::noise_first::{Sides, Terms};
use serde_json::json;

use crate::arguments::EstimateArgs;
use crate::failure::Failure;
use crate::output::{Output, Table, bytes, count};

/// Share of the users that is opened where the command leaves it open: a fifth of those with ratings
/// enough, and as many again with few.
const OPENED_SHARE: f64 = 0.4;

/// Predicts.
///
/// # Errors
/// [`Failure::Usage`] for numbers that contradict each other, and where no parameters fit.
pub(super) fn estimate(arguments: &EstimateArgs, output: Output) -> Result<(), Failure> {
    let users = arguments.users;
    let usage = |message: String| Failure::Usage(message);
    let mu = arguments.mu.unwrap_or(1.0);
    let mu = Mu::new(mu).ok_or_else(|| usage(format!("--mu is {mu}; it is a number above 0")))?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a u32"
    )]
    let usual = (OPENED_SHARE * f64::from(users)).ceil() as u32;
    let (sides, opened, uploaded) = match arguments.two_sided {
        true => (Sides::Two, users, users),
        false => {
            let opened = arguments.opened_users.unwrap_or(usual);
            if opened == 0 || opened >= users {
                let message = format!(
                    "--opened-users is {opened}; with --users {users} it is 1 to {}",
                    users.saturating_sub(1)
                );
                return Err(usage(message));
            }
            (Sides::One, opened, users - opened)
        }
    };
    let degree_bound = u32::try_from(arguments.row_norm_bound).unwrap_or(u32::MAX);
    let terms = Terms {
        sides,
        opened,
        uploaded,
        columns: arguments.rank,
        row_norm_bound: 1.0,
        degree_bound: degree_bound.min(users.saturating_sub(1).max(1)),
        mu,
    };
    // A link is two of the operator's non-zeros.
    let links = arguments.nonzeros_bound / 2;
    let link = arguments.megabits_per_second * 1e6 / 8.0;
    let round_trip = arguments.round_trip_ms / 1000.0;
    let predicted = of_friends(terms, users, links, link, round_trip);
    let PredictedOpening {
        parameters,
        guarantee,
        sizes,
        seconds,
    } = predicted.map_err(|error| usage(error.to_string()))?;
    let document = json!({
        "picked": "noise-first",
        "estimates": [{
            "protocol": "noise-first",
            "parameters": parameters.described(),
            "opened": opened,
            "uploaded": uploaded,
            "bytes": {
                "keys": sizes.keys,
                "upload": sizes.upload,
                "masks": sizes.masks,
                "bodies": sizes.bodies,
                "total": sizes.total(),
            },
            "seconds": seconds,
        }],
        "guarantee": guarantee,
    });
    output.value(&document, || {
        let size = |bytes_of: usize| bytes(bytes_of as u64);
        let table = Table::new("noise-first | to social | to rating")
            .row(&["keys", &size(sizes.keys), "–"].map(str::to_owned))
            .row(&["a-parts", "72 B", &size(sizes.masks)].map(str::to_owned))
            .row(&["rows, sums", &size(sizes.upload), &size(sizes.bodies)].map(str::to_owned));
        format!(
            "{table}\n{} of {} users opened over {}, {} columns: {} in all, {seconds:.2} s\nμ = {}, σ = \
             {:.4}, ε = {} at δ = {}\n{}",
            count(opened.into()),
            count(users.into()),
            count(uploaded.into()),
            arguments.rank,
            size(sizes.total()),
            guarantee.mu,
            guarantee.sigma,
            guarantee.epsilon,
            guarantee.delta,
            mu.statement()
        )
    })
}
