//! One size of a job: its cost by the model, and measured where it fits.

use s3rec_data::power_law_links;
use s3rec_sparse::{OperatorKind, SocialMatrix, SocialOperator};
use s3rec_spmm::{ProductParameters, Protocol, cost};
use serde::{Deserialize, Serialize};

use super::ScaleOptions;
use crate::products::parameters;
use crate::record::PhaseRecord;
use crate::spread::Quantiles;
use crate::stock_pair::StockPair;
use crate::workload::Workload;
use crate::{BenchError, memory};

/// One size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScalePoint {
    /// m.
    pub users: u64,
    /// Links among them.
    pub links: u64,
    /// Of Y.
    pub nonzeros: u64,
    /// k.
    pub rank: u64,
    /// Openings.
    pub rounds: u64,
    /// κ, N and ℓ.
    pub lattice: (u32, u32, u32),
    /// By the model: bytes exactly, seconds calibrated by the largest point measured before.
    pub offline: PhaseRecord,
    /// One opening by the model.
    pub round: PhaseRecord,
    /// What was measured; null where the point is predicted.
    pub measured: Option<MeasuredPoint>,
    /// Why it was not measured.
    pub why_predicted: Option<String>,
}

/// A point that was run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeasuredPoint {
    /// Key setup, all blocks, the first session; median seconds.
    pub offline: PhaseRecord,
    /// Its seconds over the repeats.
    pub offline_spread: Quantiles,
    /// One opening, the median of those run.
    pub round: PhaseRecord,
    /// Largest difference from the clear product, in units of the last place.
    pub error_ulp: u64,
    /// Largest resident set, both parties together.
    pub peak_rss_bytes: u64,
}

impl ScalePoint {
    /// Measured where it was, else predicted.
    #[must_use]
    pub fn offline_seconds(&self) -> f64 {
        self.measured
            .as_ref()
            .map_or(self.offline.seconds, |run| run.offline.seconds)
    }

    /// Processor seconds, measured where they were, else predicted.
    #[must_use]
    pub fn offline_core_seconds(&self) -> f64 {
        self.measured
            .as_ref()
            .map_or(self.offline.core_seconds, |run| run.offline.core_seconds)
    }

    /// Measured where it was, else predicted.
    #[must_use]
    pub fn round_seconds(&self) -> f64 {
        self.measured
            .as_ref()
            .map_or(self.round.seconds, |run| run.round.seconds)
    }
}

/// Points in order, each measured one sharpening what is expected of the next.
pub(super) struct Measuring<'a> {
    options: &'a ScaleOptions,
    calibration: f64,
    core_calibration: f64,
    largest: u64,
}

impl<'a> Measuring<'a> {
    pub(super) fn new(options: &'a ScaleOptions) -> Self {
        Self {
            options,
            calibration: 1.0,
            core_calibration: 1.0,
            largest: 0,
        }
    }

    /// Measured over modelled seconds at the most users that were measured.
    pub(super) fn calibration(&self) -> f64 {
        self.calibration
    }

    /// The same of processor seconds, which other work on the machine changes little.
    pub(super) fn core_calibration(&self) -> f64 {
        self.core_calibration
    }

    pub(super) fn point(
        &mut self,
        users: u32,
        rank: u32,
        progress: &mut impl FnMut(&str),
    ) -> Result<ScalePoint, BenchError> {
        let options = self.options;
        let links = users as usize * options.links_per_user as usize;
        let pairs = power_law_links(users as usize, links, 11)?;
        let social = SocialMatrix::from_links(users as usize, pairs)?;
        let workload = Workload::new(social, rank as usize, options.rounds);
        let operator = workload.operator(OperatorKind::NormalizedLaplacian);
        let parameters = parameters(&workload, &operator, Protocol::Preprocessed)?;
        let estimate = cost::predict(&parameters)?;
        let mut point = ScalePoint {
            users: u64::from(users),
            links: links as u64,
            nonzeros: operator.nonzeros() as u64,
            rank: u64::from(rank),
            rounds: u64::from(options.rounds),
            lattice: (
                parameters.glwe_dimension,
                parameters.polynomial_size,
                parameters.ring_bits,
            ),
            offline: self.calibrated(&estimate.offline),
            round: self.calibrated(&estimate.round),
            measured: None,
            why_predicted: self.obstacle(&parameters, &estimate.offline)?,
        };
        if let Some(why) = &point.why_predicted {
            progress(&format!("{users} users, rank {rank}: predicted ({why})"));
            return Ok(point);
        }
        progress(&format!("{users} users, rank {rank}: measuring"));
        let measured = self.run(&workload, &operator, &parameters)?;
        if point.users >= self.largest {
            self.largest = point.users;
            let modelled = one_after_the_other(&estimate.offline);
            self.calibration = measured.offline.seconds / modelled.max(f64::MIN_POSITIVE);
            let cores = estimate.offline.rating_seconds + estimate.offline.social_seconds;
            self.core_calibration = measured.offline.core_seconds / cores.max(f64::MIN_POSITIVE);
        }
        point.measured = Some(measured);
        Ok(point)
    }

    /// Why a point does not fit, if it does not.
    fn obstacle(
        &self,
        parameters: &ProductParameters,
        offline: &cost::PhaseCost,
    ) -> Result<Option<String>, BenchError> {
        let options = self.options;
        let seconds = self.calibrated(offline).seconds;
        if seconds > options.seconds_limit {
            let limit = options.seconds_limit;
            return Ok(Some(format!(
                "about {seconds:.0} s expected, the limit is {limit:.0}"
            )));
        }
        let room = cost::footprint(parameters, options.memory_limit_bytes as u64)?;
        let disk = room.rating_disk_bytes + room.social_disk_bytes;
        Ok((disk > options.disk_limit_bytes).then(|| {
            format!(
                "{:.1} GB of disk needed, the limit is {:.1}",
                disk as f64 / 1e9,
                options.disk_limit_bytes as f64 / 1e9
            )
        }))
    }

    /// The model's cost as this machine would take it.
    fn calibrated(&self, phase: &cost::PhaseCost) -> PhaseRecord {
        let threads = rayon::current_num_threads() as f64;
        let scale = self.calibration / threads;
        PhaseRecord {
            seconds: self.calibration * one_after_the_other(phase),
            bytes_to_social: phase.bytes_to_social,
            bytes_to_rating: phase.bytes_to_rating,
            messages: phase.messages,
            rating_seconds: scale * phase.rating_seconds,
            social_seconds: scale * phase.social_seconds,
            core_seconds: self.core_calibration * (phase.rating_seconds + phase.social_seconds),
        }
    }

    fn run(
        &self,
        workload: &Workload,
        operator: &SocialOperator,
        parameters: &ProductParameters,
    ) -> Result<MeasuredPoint, BenchError> {
        let (mut offline, mut rounds) = (Vec::new(), Vec::new());
        let (mut error_ulp, mut peak_rss_bytes) = (0, 0);
        for _ in 0..self.options.repeats.max(1) {
            memory::reset_peak();
            let directory = tempfile::Builder::new()
                .prefix("s3rec-bench-")
                .tempdir_in(&self.options.scratch)?;
            let before = memory::core_seconds();
            let (mut pair, mut cost) = StockPair::set_up(
                parameters,
                operator,
                directory.path(),
                self.options.memory_limit_bytes,
            )?;
            cost.core_seconds = memory::core_seconds() - before;
            offline.push(cost);
            let (factors, _) = parameters.fixed_point()?.encode(&workload.factors(0));
            let (product, round) = pair.round(&factors)?;
            rounds.push(round);
            let clear = s3rec_spmm::ideal::product(operator, &factors)?;
            error_ulp = error_ulp.max(crate::products::largest_error(&product, &clear));
            peak_rss_bytes = peak_rss_bytes.max(memory::peak_bytes());
        }
        Ok(MeasuredPoint {
            offline_spread: Quantiles::of(offline.iter().map(|run| run.seconds)),
            offline: PhaseRecord::median(offline.iter().copied()).unwrap_or_default(),
            round: PhaseRecord::median(rounds.iter().copied()).unwrap_or_default(),
            error_ulp,
            peak_rss_bytes,
        })
    }
}

/// The model's seconds when both parties compute one after the other on all threads.
fn one_after_the_other(phase: &cost::PhaseCost) -> f64 {
    (phase.rating_seconds + phase.social_seconds) / rayon::current_num_threads() as f64
}
