//! What noise on the openings costs (section 6): the same training with `exact` and with
//! `noised` releases, over the secure product `he`, so that the noise is the social platform's.
//!
//! β, the bound on a row of U that the privacy statement assumes, is the largest row that the
//! exact training opens, rounded up; every noised training is checked against it afterwards.
//! That is for measuring only: a job declares β before it has seen anything.

use s3rec_algebra::{FixedPoint, RingMatrix};
use s3rec_job::{Advance, CommonUsers, JointTraining};
use s3rec_model::evaluate::Spread;
use s3rec_model::{Model, Preset, SolverSettings};
use s3rec_spmm::{ProductRequest, Protocol, ReleasePolicy, choose_parameters, release};
use serde::{Deserialize, Serialize};

use crate::BenchError;
use crate::homomorphic::HomomorphicPair;
use crate::learning::LearningFold;
use crate::plot::{self, Axis, Panel, Scaling, Series};

/// What to try.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReleaseOptions {
    /// Openings of a training; the preset's unless given.
    pub openings: Option<u32>,
    /// Standard deviations of the noise, in units of the real-valued product.
    pub sigmas: Vec<f64>,
    /// Trainings for each, as every one draws its own noise.
    pub repeats: u32,
    /// δ of the statement.
    pub delta: f64,
}

impl Default for ReleaseOptions {
    fn default() -> Self {
        Self {
            openings: Some(3),
            sigmas: vec![0.01, 0.03, 0.1, 0.3, 1.0, 3.0],
            repeats: 3,
            delta: 1e-6,
        }
    }
}

/// Every policy on one fold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReleaseReport {
    /// m.
    pub users: usize,
    /// The settings of every training.
    pub settings: SolverSettings,
    /// Held-out RMSE without the social term: no opening, no link learnt.
    pub no_social_rmse: f64,
    /// β.
    pub row_norm_beta: f64,
    /// Δ₂, the ℓ₂-sensitivity of one opening to one link.
    pub sensitivity: f64,
    /// The exact release first, then noise as it grows.
    pub releases: Vec<ReleaseQuality>,
}

/// One policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReleaseQuality {
    /// `exact` or `noised`.
    pub policy: String,
    /// Standard deviation of the noise; null without.
    pub sigma: Option<f64>,
    /// Held-out RMSE over the repeats.
    pub rmse: Spread,
    /// Share of the RMSE gain of the exact release that the mean keeps; null where the exact
    /// release gains nothing.
    pub gain_kept: Option<f64>,
    /// ρ of zero-concentrated differential privacy for one link, all openings; null without noise.
    pub rho: Option<f64>,
    /// ε at `delta`; null without noise.
    pub epsilon: Option<f64>,
    /// δ; null without noise.
    pub delta: Option<f64>,
    /// The largest ‖u‖₂ opened in any repeat.
    pub largest_row_norm: f64,
    /// Whether that stayed within β, without which there is no statement.
    pub within_beta: bool,
    /// Values clipped when U was encoded, all repeats.
    pub saturations: u64,
}

/// Trains with every policy, telling `progress` before each.
///
/// # Errors
/// Noise that no ring has room for, or settings that make no sense.
pub fn measure(
    fold: &LearningFold,
    preset: &Preset,
    options: &ReleaseOptions,
    mut progress: impl FnMut(ReleasePolicy),
) -> Result<ReleaseReport, BenchError> {
    let settings = SolverSettings {
        openings: options.openings.unwrap_or(preset.settings.openings),
        ..preset.settings.clone()
    };
    let no_social_rmse = fold.rmse(&fold.without_social(&fold.matrix, &settings)?)?;
    progress(ReleasePolicy::Exact);
    let exact = train(fold, &settings, ReleasePolicy::Exact)?;
    let exact_rmse = fold.rmse(&exact.model)?;
    let row_norm_beta = next_quarter_power(exact.largest_row_norm);
    let gain = no_social_rmse - exact_rmse;
    let kept = |rmse: f64| (gain > 0.0).then(|| (no_social_rmse - rmse) / gain);
    let mut releases = vec![ReleaseQuality {
        policy: "exact".to_owned(),
        sigma: None,
        rmse: Spread {
            mean: exact_rmse,
            std: 0.0,
        },
        gain_kept: kept(exact_rmse),
        rho: None,
        epsilon: None,
        delta: None,
        largest_row_norm: exact.largest_row_norm,
        within_beta: true,
        saturations: exact.saturations,
    }];
    for &sigma in &options.sigmas {
        let policy = ReleasePolicy::Noised {
            sigma,
            row_norm_beta,
            delta: options.delta,
        };
        progress(policy);
        let runs = (0..options.repeats.max(1))
            .map(|_| train(fold, &settings, policy))
            .collect::<Result<Vec<Training>, _>>()?;
        let rmses = runs
            .iter()
            .map(|run| fold.rmse(&run.model))
            .collect::<Result<Vec<f64>, _>>()?;
        let rmse = Spread::over(rmses).unwrap_or_default();
        let largest_row_norm = runs.iter().map(|r| r.largest_row_norm).fold(0.0, f64::max);
        // The same parameters in every repeat, so the same account.
        let spent = runs.first().and_then(|run| run.spent);
        releases.push(ReleaseQuality {
            policy: "noised".to_owned(),
            sigma: Some(sigma),
            rmse,
            gain_kept: kept(rmse.mean),
            rho: spent.map(|(rho, _)| rho),
            epsilon: spent.map(|(_, epsilon)| epsilon),
            delta: Some(options.delta),
            largest_row_norm,
            within_beta: largest_row_norm <= row_norm_beta,
            saturations: runs.iter().map(|run| run.saturations).sum(),
        });
    }
    let (kind, bound) = (fold.operator.kind(), fold.operator.row_norm_bound());
    Ok(ReleaseReport {
        users: fold.users(),
        settings,
        no_social_rmse,
        row_norm_beta,
        sensitivity: release::sensitivity(kind, bound, row_norm_beta),
        releases,
    })
}

/// What one training came to.
struct Training {
    model: Model,
    spent: Option<(f64, f64)>,
    largest_row_norm: f64,
    saturations: u64,
}

fn train(
    fold: &LearningFold,
    settings: &SolverSettings,
    policy: ReleasePolicy,
) -> Result<Training, BenchError> {
    let (users, columns) = (fold.users(), settings.opened_columns());
    let narrow = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let operator = &fold.operator;
    let mut request = ProductRequest::new(
        Protocol::He,
        operator.kind(),
        narrow(users),
        narrow(columns),
        settings.openings,
    );
    request.row_norm_bound = operator.row_norm_bound();
    request.nonzeros_bound = operator.nonzeros_bound();
    request.release = policy;
    let parameters = choose_parameters(&request)?;
    let fixed = parameters.fixed_point()?;
    let (pair, _) = HomomorphicPair::set_up(&parameters, operator)?;
    let solver = fold.social_solver(&fold.matrix, settings)?;
    let common = CommonUsers::all(users)?;
    let mut training = JointTraining::new(solver, common, fixed, parameters.weight_bits());
    let (mut round, mut largest_row_norm) = (0, 0.0_f64);
    loop {
        match training.advance()? {
            Advance::Open(factors) => {
                largest_row_norm = largest_row_norm.max(largest_row(&factors, &fixed));
                let (product, _) = pair.round(round, &factors)?;
                training.absorb(&product)?;
                round += 1;
            }
            Advance::Stepped(_) => {}
            Advance::Finished => break,
        }
    }
    Ok(Training {
        model: training.model().clone(),
        spent: release::spent(&parameters),
        largest_row_norm,
        saturations: training.saturations(),
    })
}

/// The largest ‖u‖₂ of a matrix as it is opened, clipping and rounding included.
fn largest_row(factors: &RingMatrix, fixed: &FixedPoint) -> f64 {
    let real = fixed.decode_product(factors, 0);
    (0..real.rows())
        .map(|row| real.row(row).iter().map(|u| u * u).sum::<f64>().sqrt())
        .fold(0.0, f64::max)
}

/// The least power of 2^(1/4) above `norm`, with a quarter's room at least.
fn next_quarter_power(norm: f64) -> f64 {
    ((norm.max(f64::MIN_POSITIVE).log2() * 4.0).floor() / 4.0 + 0.5).exp2()
}

impl ReleaseReport {
    /// RMSE against σ, and the share of the gain kept against ε.
    ///
    /// # Errors
    /// [`BenchError::Plot`].
    pub fn svg(&self) -> Result<String, BenchError> {
        plot::svg("What noise on the openings costs: one fold", &self.panels())
    }

    pub(crate) fn panels(&self) -> Vec<Panel> {
        let noised = || {
            self.releases
                .iter()
                .filter(|release| release.sigma.is_some())
        };
        let axis = Axis::new;
        let mut panels = vec![Panel {
            x: axis("noise σ (units of the product)", Scaling::Logarithmic),
            y: axis("held-out RMSE (rating points)", Scaling::Linear),
            series: vec![Series::new(
                "noised, mean",
                noised()
                    .filter_map(|release| Some((release.sigma?, release.rmse.mean)))
                    .collect(),
            )],
            levels: vec![
                ("exact".to_owned(), self.releases[0].rmse.mean),
                ("no social term".to_owned(), self.no_social_rmse),
            ],
        }];
        let kept: Vec<(f64, f64)> = noised()
            .filter_map(|release| Some((release.epsilon?, release.gain_kept? * 100.0)))
            // What loses more than the gain itself would flatten everything else.
            .filter(|(_, kept)| *kept >= -100.0)
            .collect();
        if !kept.is_empty() {
            panels.push(Panel {
                x: Axis::counts("ε for one link, all openings"),
                y: axis("social gain kept (%, from −100 on)", Scaling::Linear),
                series: vec![Series::new("noised, mean", kept)],
                levels: vec![
                    ("exact".to_owned(), 100.0),
                    ("no social term".to_owned(), 0.0),
                ],
            });
        }
        panels
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_costs_quality_and_buys_privacy() {
        let fold = LearningFold::synthetic(5);
        // Decays at which a set this small learns at all, standardised as it is, and gains by links.
        let mut preset = Preset::named("published").unwrap();
        let settings = &mut preset.settings;
        (settings.user_decay, settings.item_decay) = (5.0, 5.0);
        settings.social_weight = 3.0;
        let options = ReleaseOptions {
            openings: Some(2),
            sigmas: vec![0.01, 10.0],
            repeats: 1,
            ..ReleaseOptions::default()
        };
        let report = measure(&fold, &preset, &options, |_| {}).unwrap();
        let [exact, faint, loud] = &report.releases[..] else {
            panic!("{} releases", report.releases.len());
        };
        // The exact release is the plaintext training but for fixed point.
        let clear = fold
            .over_clear_product(&fold.matrix, &report.settings)
            .unwrap();
        assert!((exact.rmse.mean - fold.rmse(&clear).unwrap()).abs() < 1e-4);
        assert_eq!((exact.epsilon, exact.gain_kept), (None, Some(1.0)));
        assert!(
            (faint.rmse.mean - exact.rmse.mean).abs() < 2e-3,
            "{report:?}"
        );
        assert!(loud.rmse.mean > exact.rmse.mean + 1e-3, "{report:?}");
        // ρ = openings·Δ²/(2σ²), a millionfold more for a thousandth of the noise.
        let rho = report.sensitivity.powi(2) / 100.0;
        assert!((loud.rho.unwrap() / rho - 1.0).abs() < 1e-9, "{report:?}");
        assert!((faint.rho.unwrap() / rho / 1e6 - 1.0).abs() < 1e-9);
        assert!(faint.epsilon > loud.epsilon && loud.epsilon > Some(0.0));
        let drawing = report.svg().unwrap();
        assert!(drawing.contains("social gain kept (%, from −100 on)") && drawing.contains("σ"));
    }

    #[test]
    fn beta_has_room_above_the_norm() {
        for norm in [0.1, 1.0, 1.19, 2.0, 7.3] {
            let beta = next_quarter_power(norm);
            assert!((1.18..1.42).contains(&(beta / norm)), "{norm}: {beta}");
        }
    }
}
