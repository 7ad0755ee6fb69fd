//! What 10⁸ users and 10¹⁰ links would cost by the cost model, and how it would be split.
//!
//! A job is bounded to 2²⁴ users, which such a job would first have to raise. The rows of Y are
//! cut into shards of 10⁷ users, one for each machine of the social platform; a shard's rows
//! may be linked to anybody, so each upload crosses the link once and is passed on to all shards.
//! Blocks of columns are independent and split further. The model is linear in users and
//! non-zeros, so a shard is predicted and multiplied.

use s3rec_spmm::{
    OperatorKind, ProductParameters, ProductRequest, Protocol, STATISTICAL_BITS, choose_parameters,
    cost,
};
use serde::{Deserialize, Serialize};

use crate::BenchError;

const USERS: u64 = 100_000_000;
const LINKS: u64 = 10_000_000_000;
const SHARD_USERS: u32 = 10_000_000;
const RANK: u32 = 10;
const ROUNDS: u32 = 10;
/// The most links that a user has, both directions together.
const MOST_LINKS: u32 = 5_000;
/// Machines at each platform that the wall times are given for, and their cores.
const MACHINES: u64 = 10;
const CORES: u64 = 64;
/// Between the platforms.
const LINK_BYTES_PER_SECOND: f64 = 1.25e9;

/// The cost of a very large job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outlook {
    /// m.
    pub users: u64,
    /// Directed links.
    pub links: u64,
    /// k.
    pub rank: u64,
    /// Openings.
    pub rounds: u64,
    /// Parts that the rows of Y are cut into.
    pub shards: u64,
    /// κ, N and ℓ.
    pub lattice: (u32, u32, u32),
    /// Offline, both ways.
    pub offline_bytes: u64,
    /// One opening, both ways.
    pub round_bytes: u64,
    /// Everything.
    pub total_bytes: u64,
    /// P0's core-seconds, offline and online.
    pub rating_core_seconds: f64,
    /// P1's.
    pub social_core_seconds: f64,
    /// P1's core-seconds of one opening.
    pub round_core_seconds: f64,
    /// On disk at P1 over all its machines.
    pub social_disk_bytes: u64,
    /// Y over all of P1's machines.
    pub operator_bytes: u64,
    /// Machines at each platform, and cores of each.
    pub machines: (u64, u64),
    /// Hours of computing on those machines, the slower platform.
    pub computing_hours: f64,
    /// Hours on a link of 10 Gbit/s.
    pub link_hours: f64,
    /// −log₂ of the distance from the simulation: for one shard's rows, and for all together.
    pub statistical_bits: (u32, u32),
}

/// Predicts, seconds multiplied by `calibration`.
///
/// # Errors
/// None for the sizes above; those of the chooser otherwise.
pub fn outlook(calibration: f64) -> Result<Outlook, BenchError> {
    let shards = USERS / u64::from(SHARD_USERS);
    let norm = 1024.0 * (1.0 + f64::from(MOST_LINKS).sqrt()) + f64::from(MOST_LINKS) / 2.0;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a few million"
    )]
    let row_norm_bound = s3rec_sparse::ladder(norm as u64);
    // Two entries for a link, one for a user; the model is linear in both.
    let nonzeros = (2 * LINKS + USERS) / shards;
    let request = ProductRequest {
        row_norm_bound,
        nonzeros_bound: nonzeros,
        ..ProductRequest::new(
            Protocol::Preprocessed,
            OperatorKind::NormalizedLaplacian,
            SHARD_USERS,
            RANK,
            ROUNDS,
        )
    };
    let parameters = for_all_shards(choose_parameters(&request)?, shards)?;
    let estimate = cost::predict(&parameters)?;
    let room = cost::footprint(&parameters, 1 << 30)?;
    let total = estimate.total();
    let seconds = |of_a_shard: f64| calibration * of_a_shard * shards as f64;
    // Every shard expands the masks of all uploads, the model counts those of its own users.
    let masks = cost::predict(&ProductParameters {
        returned_rows: 1,
        nonzeros_bound: 0,
        ..parameters.clone()
    })?;
    let again = (shards - 1) as f64 * masks.offline.social_seconds;
    let social_seconds = total.social_seconds + again;
    let slower = total.rating_seconds.max(social_seconds);
    let statistical = parameters.statistical_bits()?;
    Ok(Outlook {
        users: USERS,
        links: LINKS,
        rank: u64::from(RANK),
        rounds: u64::from(ROUNDS),
        shards,
        lattice: (
            parameters.glwe_dimension,
            parameters.polynomial_size,
            parameters.ring_bits,
        ),
        offline_bytes: shards * estimate.offline.bytes(),
        round_bytes: shards * estimate.round.bytes(),
        total_bytes: shards * total.bytes(),
        rating_core_seconds: seconds(total.rating_seconds),
        social_core_seconds: seconds(social_seconds),
        round_core_seconds: seconds(estimate.round.social_seconds),
        social_disk_bytes: shards * room.social_disk_bytes,
        operator_bytes: shards * nonzeros * 12,
        machines: (MACHINES, CORES),
        computing_hours: seconds(slower) / (MACHINES * CORES) as f64 / 3600.0,
        link_hours: (shards * total.bytes()) as f64 / LINK_BYTES_PER_SECOND / 3600.0,
        statistical_bits: (statistical, statistical.saturating_sub(bits(shards))),
    })
}

/// Bits that adding up over `shards` costs.
fn bits(shards: u64) -> u32 {
    shards.next_power_of_two().ilog2()
}

/// Keeps more bits of the bodies until all shards together are as private as one job, as far as
/// that goes.
fn for_all_shards(
    mut parameters: ProductParameters,
    shards: u64,
) -> Result<ProductParameters, BenchError> {
    while parameters.statistical_bits()? < STATISTICAL_BITS + bits(shards)
        && parameters.dropped_body_bits > 0
    {
        parameters.dropped_body_bits -= 1;
    }
    Ok(parameters)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_million_users_are_priced() {
        let outlook = outlook(1.0).unwrap();
        assert_eq!(outlook.shards, 10);
        assert!(outlook.statistical_bits.1 >= 36, "{outlook:?}");
        // No fewer than 24 bytes a value, as one ciphertext each way takes.
        let values = outlook.users * outlook.rank * outlook.rounds;
        assert!(outlook.offline_bytes > 24 * values, "{outlook:?}");
        assert!(outlook.social_core_seconds > outlook.rating_core_seconds);
    }
}
