//! `report.json` and the table for people.

use std::fmt;

use s3rec_bench::report::{Round, Training};
use s3rec_job::report::{
    Cost, CryptoParameters, DataUse, DatasetSize, PeakMemory, PhaseCost, Quality, RunReport,
};
use s3rec_model::Accuracy;
use s3rec_wire::convert::{cost_from_wire, metrics_from_wire};
use s3rec_wire::v1;
use serde_json::{Value, json};

use super::DemoArgs;
use super::conversation::TrainedResults;
use crate::output::{Table, bytes, count, name};

/// A finished demonstration.
pub(super) struct Summary {
    report: RunReport,
    settings: v1::ModelSettings,
    rounds: Vec<Round>,
    learnt_by_social: Vec<String>,
    learnt_by_rating: Vec<String>,
}

impl Summary {
    /// Puts together what both platforms and the oracle found.
    pub(super) fn new(arguments: &DemoArgs, results: TrainedResults) -> Self {
        let TrainedResults {
            data,
            links,
            report,
            cost,
            evaluation,
            given_away,
            model,
            oracle,
        } = results;
        let parameters = report.parameters.unwrap_or_default();
        let disclosure = report.disclosure.unwrap_or_default();
        let secure = evaluation.model.map(|metrics| accuracy(Some(metrics)));
        let parity = oracle.parity(&model, secure.unwrap_or_default());
        let settings = report.job.as_ref().and_then(|job| job.model);
        let settings = settings.unwrap_or_default();
        let mut warnings = report.warnings.clone();
        for warning in &evaluation.warnings {
            if !warnings.contains(warning) {
                warnings.push(warning.clone());
            }
        }
        warnings.extend(worse_than_placebo(oracle.accuracy, oracle.placebo));
        let lattice = |value: u32| (value > 0).then_some(value);
        Self {
            report: RunReport {
                dataset: DatasetSize {
                    users: report.users,
                    items: report.items,
                    ratings: report.ratings,
                    links: Some(links.links),
                    common_users: disclosure.common_users.into(),
                },
                data: Some(data),
                warnings,
                protocol: name(
                    arguments
                        .protocol
                        .map_or(v1::Protocol::Preprocessed, v1::Protocol::from)
                        .as_str_name(),
                    "PROTOCOL",
                ),
                solver: name(settings.solver().as_str_name(), "SOLVER"),
                rounds: settings.rounds.into(),
                parameters: CryptoParameters {
                    ring_bits: parameters.ring_bits,
                    glwe_dimension: lattice(parameters.glwe_dimension),
                    polynomial_size: lattice(parameters.polynomial_size),
                    noise_bits: lattice(parameters.noise_bits),
                    security_bits: lattice(parameters.security_bits),
                    statistical_bits: lattice(parameters.statistical_bits),
                },
                quality: Quality {
                    global_mean: accuracy(evaluation.global_mean),
                    biases: accuracy(evaluation.biases),
                    no_social: accuracy(evaluation.no_social),
                    placebo: Some(oracle.placebo),
                    plaintext: Some(oracle.accuracy),
                    secure,
                },
                max_abs_factor_diff: Some(parity.max_abs_factor_diff),
                parity: Some(parity),
                product_error_bound: Some(report.product_error_bound),
                cost: Cost {
                    offline: phase(report.offline),
                    online: phase(report.online),
                },
                openings: disclosure.openings.into(),
                opened_values: disclosure.opened_values,
                saturations: report.saturations,
                peak_rss_bytes: PeakMemory {
                    rating: Some(report.peak_rss_bytes),
                    social: Some(cost.peak_rss_bytes),
                },
            },
            settings,
            rounds: report
                .rounds
                .iter()
                .map(|round| Round {
                    loss: round.loss,
                    held_out_rmse: round.held_out_rmse,
                })
                .collect(),
            learnt_by_social: disclosure.statements,
            learnt_by_rating: given_away.statements,
        }
    }

    /// What the page of the training is made of.
    pub(super) fn training(&self) -> Training {
        let settings = &self.settings;
        Training {
            report: self.report.clone(),
            settings: format!(
                "{}, {}, rank {}",
                self.report.solver,
                name(settings.operator().as_str_name(), "OPERATOR"),
                settings.rank
            ),
            rounds: self.rounds.clone(),
            learnt_by_rating: self.learnt_by_rating.clone(),
            learnt_by_social: self.learnt_by_social.clone(),
        }
    }

    /// What `report.json` holds.
    pub(super) fn to_json(&self) -> Value {
        json!(self.report)
    }

    fn quality(&self) -> Table {
        let quality = &self.report.quality;
        let rows = [
            ("global mean", Some(quality.global_mean)),
            ("biases", Some(quality.biases)),
            ("no social term", Some(quality.no_social)),
            ("placebo (links rewired, oracle)", quality.placebo),
            ("plaintext social (oracle)", quality.plaintext),
            ("secure social", quality.secure),
        ];
        rows.into_iter().fold(
            Table::new("on the held-out fifth | RMSE | MAE"),
            |table, row| {
                let (predictor, metrics) = row;
                let shown =
                    |value: Option<f64>| value.map_or("–".into(), |value| format!("{value:.4}"));
                table.row(&[
                    predictor.into(),
                    shown(metrics.map(|metrics| metrics.rmse)),
                    shown(metrics.map(|metrics| metrics.mae)),
                ])
            },
        )
    }

    fn cost(&self) -> Table {
        let Cost { offline, online } = &self.report.cost;
        Table::new("cost | time | to social | to rating | messages")
            .row(&offline.row("offline"))
            .row(&online.row("online"))
            .row(&self.per_round(online).row("  a round"))
    }

    fn per_round(&self, online: &PhaseCost) -> PhaseCost {
        let rounds = self.report.openings.max(1);
        #[expect(clippy::cast_precision_loss, reason = "a number of rounds")]
        let seconds = online.seconds / rounds as f64;
        PhaseCost {
            seconds,
            bytes_to_social: online.bytes_to_social / rounds,
            bytes_to_rating: online.bytes_to_rating / rounds,
            messages: online.messages / rounds,
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let report = &self.report;
        let data = &report.dataset;
        let operator = self.settings.operator().as_str_name();
        writeln!(
            f,
            "\n{} ratings of {} items by {} users; {} links; {} common users{}",
            count(data.ratings),
            count(data.items),
            count(data.users),
            data.links.map_or("–".into(), count),
            count(data.common_users),
            dropped(report.data.as_ref())
        )?;
        writeln!(
            f,
            "{}, {}, {}, rank {}, {} rounds\n",
            report.protocol,
            report.solver,
            name(operator, "OPERATOR"),
            self.settings.rank,
            report.rounds
        )?;
        writeln!(f, "{}", self.quality())?;
        if let Some((social, placebo)) = report.quality.plaintext.zip(report.quality.placebo) {
            writeln!(
                f,
                "Social gain, beyond rewired links: {:+.4} in RMSE on this one split; s3rec evaluate \
                 tells how sure it is\n",
                placebo.rmse - social.rmse
            )?;
        }
        writeln!(f, "{}", self.cost())?;
        let memory = |bytes_used: Option<u64>| bytes_used.map_or("–".into(), bytes);
        let small = |value: Option<f64>| value.map_or("–".into(), |value| format!("{value:.1e}"));
        writeln!(
            f,
            "From the oracle: a factor differs by {} at most, RMSE by {}; fixed point moves an \
             opened value by {} at most; {} values clipped",
            small(report.max_abs_factor_diff),
            small(report.parity.map(|parity| parity.rmse_diff)),
            small(report.product_error_bound),
            count(report.saturations)
        )?;
        writeln!(
            f,
            "Peak memory {} (rating), {} (social)",
            memory(report.peak_rss_bytes.rating),
            memory(report.peak_rss_bytes.social)
        )?;
        writeln!(
            f,
            "\nOpened to the rating platform: {} openings, {} values.",
            count(report.openings),
            count(report.opened_values)
        )?;
        for statement in self.learnt_by_rating.iter().chain(&self.learnt_by_social) {
            writeln!(f, "  {statement}")?;
        }
        for warning in &report.warnings {
            writeln!(f, "! {warning}")?;
        }
        Ok(())
    }
}

/// What was left out, if anything.
fn dropped(data: Option<&DataUse>) -> String {
    let data = data.filter(|data| data.dropped > 0);
    data.map_or_else(String::new, |data| {
        format!(
            "; {} of {} rows ({:.2} %) dropped as outside the scale",
            count(data.dropped),
            count(data.rows),
            100.0 * data.dropped_share
        )
    })
}

/// Said where the links are no better than rewired ones.
fn worse_than_placebo(social: Accuracy, placebo: Accuracy) -> Option<String> {
    (placebo.rmse <= social.rmse).then(|| {
        format!(
            "no social gain: links rewired at random do as well on this split, RMSE {:.4} against {:.4}",
            placebo.rmse, social.rmse
        )
    })
}

fn accuracy(metrics: Option<v1::Metrics>) -> Accuracy {
    metrics_from_wire(metrics.unwrap_or_default()).errors
}

pub(super) fn phase(cost: Option<v1::Cost>) -> PhaseCost {
    cost_from_wire(cost.unwrap_or_default())
}
