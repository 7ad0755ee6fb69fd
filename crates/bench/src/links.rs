//! Whole trainings over shaped links: the form of their records, and `ssmm` computed beside them.
//!
//! The trainings are run by the command, with the real daemons; what stands here needs neither.
//! `ssmm` has no service, so its time is computed: the bytes of its message shapes at the rate of
//! the link, one round trip for each of its products, and the seconds of its products measured on
//! this machine, or multiplied up from a smaller size where m² values do not fit.

use s3rec_sparse::SocialMatrix;
use serde::{Deserialize, Serialize};

use crate::record::PhaseRecord;
use crate::spread::Quantiles;
use crate::ssmm::{PRODUCTS_PER_ROUND, SsmmBytes};
use crate::workload::Workload;
use crate::{BenchError, ssmm_workload};

/// A link to be shaped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LinkShape {
    /// As people call it.
    pub name: String,
    /// Rate in each direction.
    pub bits_per_second: u64,
    /// Round-trip time; half of it is added in each direction.
    pub round_trip_ms: f64,
}

impl LinkShape {
    /// 10 Gbit/s and 0.1 ms, 1 Gbit/s and 1 ms, 100 Mbit/s and 40 ms.
    #[must_use]
    pub fn standard() -> Vec<Self> {
        [
            ("10 Gbit/s, 0.1 ms", 10_000_000_000, 0.1),
            ("1 Gbit/s, 1 ms", 1_000_000_000, 1.0),
            ("100 Mbit/s, 40 ms", 100_000_000, 40.0),
        ]
        .map(|(name, bits_per_second, round_trip_ms)| Self {
            name: name.to_owned(),
            bits_per_second,
            round_trip_ms,
        })
        .into()
    }

    /// Seconds that `to_social` and `to_rating` bytes take one after the other, with
    /// `round_trips` waits.
    #[must_use]
    pub fn seconds(&self, bytes: u64, round_trips: u64) -> f64 {
        8.0 * bytes as f64 / self.bits_per_second as f64
            + round_trips as f64 * self.round_trip_ms / 1000.0
    }
}

/// How a link was shaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shaping {
    /// `tc netem` on a veth pair between two network namespaces.
    Netem,
    /// A relay of our own between the daemons, which keeps to rate and delay; TCP's own slow
    /// start is that of the loopback.
    TokenBucket,
}

/// All trainings on one data set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LinksReport {
    /// How links were shaped.
    pub shaping: Shaping,
    /// Why not in namespaces; empty where they were used.
    pub why_not_namespaces: String,
    /// m: users both platforms have.
    pub users: u64,
    /// Links among them, as the social platform counts its file.
    pub links: u64,
    /// k.
    pub rank: u64,
    /// Openings of every training that was run.
    pub openings: u64,
    /// Openings that `ssmm` is computed for: those of gradient descent.
    pub gradient_openings: u64,
    /// One for each link and protocol.
    pub runs: Vec<LinkRun>,
}

/// One protocol over one link.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LinkRun {
    /// The link.
    pub link: LinkShape,
    /// `preprocessed`, `he` or `ssmm`.
    pub protocol: String,
    /// `als`, or `gd` for `ssmm`.
    pub solver: String,
    /// Openings of this training.
    pub openings: u64,
    /// True where the time was computed rather than run.
    pub computed: bool,
    /// Seconds of a whole training: from the start of the job to the stored model.
    pub seconds: Quantiles,
    /// Set-up and offline phase, both ways; payload.
    pub offline_bytes: u64,
    /// All rounds, both ways; payload.
    pub online_bytes: u64,
    /// Bytes that the link itself carried, framing and TLS included; null where computed.
    pub carried_bytes: Option<u64>,
    /// Held-out RMSE of the model; null where computed.
    pub rmse: Option<f64>,
}

impl LinkRun {
    /// Payload both ways.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.offline_bytes + self.online_bytes
    }
}

/// Users up to which one product of `ssmm` is run to know its seconds; beyond, they are those of
/// this size multiplied by the square of the ratio.
const LARGEST_RUN_USERS: usize = 6_000;

/// Seconds of one product of `ssmm` with m users, both parties one after the other.
///
/// # Errors
/// None for a ring of users.
pub fn ssmm_product_seconds(users: usize, rank: usize) -> Result<f64, BenchError> {
    let run_users = users.clamp(2, LARGEST_RUN_USERS);
    #[expect(clippy::cast_possible_truncation, reason = "at most a few thousand")]
    let ring = (0..run_users as u32).map(|user| (user, (user + 1) % run_users as u32));
    // The cost does not depend on the links: the messages are dense.
    let workload = Workload::new(SocialMatrix::from_links(run_users, ring)?, rank, 1);
    let cost: PhaseRecord = ssmm_workload::product(&workload);
    let ratio = users as f64 / run_users as f64;
    Ok(cost.seconds * ratio * ratio)
}

/// `ssmm` with gradient descent over one link.
#[must_use]
pub fn ssmm(
    link: &LinkShape,
    users: u64,
    rank: u64,
    gradient_openings: u64,
    product_seconds: f64,
) -> LinkRun {
    let products = gradient_openings * PRODUCTS_PER_ROUND;
    let bytes = products * SsmmBytes::of_product(users, rank).total();
    // A sends, B answers: one round trip; the products of a round do not wait for each other.
    let seconds = products as f64 * product_seconds + link.seconds(bytes, gradient_openings);
    LinkRun {
        link: link.clone(),
        protocol: "ssmm".to_owned(),
        solver: "gd".to_owned(),
        openings: gradient_openings,
        computed: true,
        seconds: Quantiles::of([seconds]),
        offline_bytes: 0,
        online_bytes: bytes,
        carried_bytes: None,
        rmse: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ssmm_takes_its_bytes_through_the_link() {
        let link = &LinkShape::standard()[2];
        let run = ssmm(link, 1000, 10, 300, 0.001);
        // 900 products of at least 12·m² bytes at 12.5 MB/s.
        assert!(run.online_bytes > 900 * 12_000_000);
        let transfer = run.online_bytes as f64 / 12.5e6;
        assert!((run.seconds.median - transfer - 0.9 - 12.0).abs() < 1e-6);
        assert!(run.computed);
    }

    #[test]
    fn seconds_grow_with_the_square_of_the_users() {
        let small = ssmm_product_seconds(50, 2).unwrap();
        assert!(small > 0.0);
        let twice = ssmm_product_seconds(2 * LARGEST_RUN_USERS, 1).unwrap();
        let once = ssmm_product_seconds(LARGEST_RUN_USERS, 1).unwrap();
        assert!(twice > 2.0 * once, "{twice} for {once}");
    }
}
