//! `report.json` and the table for people.

use std::fmt;

use s3rec_model::Accuracy;
use s3rec_train::report::{
    Cost, CryptoParameters, DatasetSize, PeakMemory, PhaseCost, Quality, RunReport,
};
use s3rec_wire::v1;
use serde_json::{Value, json};

use super::DemoArgs;
use super::conversation::Results;
use crate::arguments::OperatorChoice;
use crate::output::{Table, bytes, count, duration, name};

/// A finished demonstration.
pub(super) struct Summary {
    report: RunReport,
    operator: OperatorChoice,
    rank: u32,
    learnt_by_social: Vec<String>,
    learnt_by_rating: Vec<String>,
}

impl Summary {
    /// Puts together what both platforms and the oracle found.
    pub(super) fn new(arguments: &DemoArgs, results: Results) -> Self {
        let Results {
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
        let max_abs_factor_diff = oracle.max_abs_factor_difference(&model);
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
                protocol: name(
                    v1::Protocol::from(arguments.protocol).as_str_name(),
                    "PROTOCOL",
                ),
                solver: name(v1::Solver::from(arguments.solver).as_str_name(), "SOLVER"),
                rounds: arguments.rounds().into(),
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
                    plaintext: Some(oracle.accuracy),
                    secure: evaluation.model.map(|metrics| accuracy(Some(metrics))),
                },
                max_abs_factor_diff: Some(max_abs_factor_diff),
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
            operator: arguments.operator,
            rank: arguments.rank,
            learnt_by_social: disclosure.statements,
            learnt_by_rating: given_away.statements,
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
            ("plaintext social (oracle)", quality.plaintext),
            ("secure social", quality.secure),
        ];
        rows.into_iter().fold(
            Table::new(&["on the held-out fifth", "RMSE", "MAE"]),
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
        let row = |label: &str, cost: &PhaseCost| {
            [
                label.to_owned(),
                duration(cost.seconds),
                bytes(cost.bytes_to_social),
                bytes(cost.bytes_to_rating),
                count(cost.messages),
            ]
        };
        let each = self.per_round(online);
        Table::new(&["cost", "time", "to social", "to rating", "messages"])
            .row(&row("offline", offline))
            .row(&row("online", online))
            .row(&row("  a round", &each))
    }

    fn per_round(&self, online: &PhaseCost) -> PhaseCost {
        let rounds = self.report.rounds.max(1);
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
        let operator = v1::Operator::from(self.operator).as_str_name();
        writeln!(
            f,
            "\n{} ratings of {} items by {} users; {} links; {} common users",
            count(data.ratings),
            count(data.items),
            count(data.users),
            data.links.map_or("–".into(), count),
            count(data.common_users)
        )?;
        writeln!(
            f,
            "{}, {}, {}, rank {}, {} rounds\n",
            report.protocol,
            report.solver,
            name(operator, "OPERATOR"),
            self.rank,
            report.rounds
        )?;
        writeln!(f, "{}", self.quality())?;
        writeln!(f, "{}", self.cost())?;
        let memory = |bytes_used: Option<u64>| bytes_used.map_or("–".into(), bytes);
        writeln!(
            f,
            "Largest difference of a factor from the oracle {}; peak memory {} (rating), {} (social)",
            report
                .max_abs_factor_diff
                .map_or("–".into(), |difference| format!("{difference:.1e}")),
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
        Ok(())
    }
}

fn accuracy(metrics: Option<v1::Metrics>) -> Accuracy {
    let metrics = metrics.unwrap_or_default();
    Accuracy {
        rmse: metrics.rmse,
        mae: metrics.mae,
    }
}

fn phase(cost: Option<v1::Cost>) -> PhaseCost {
    let cost = cost.unwrap_or_default();
    PhaseCost {
        seconds: cost.seconds,
        bytes_to_social: cost.bytes_to_social,
        bytes_to_rating: cost.bytes_to_rating,
        messages: cost.messages,
    }
}
