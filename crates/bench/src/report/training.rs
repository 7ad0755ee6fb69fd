//! One joint training: what it was worth, what it cost, what it gave away.

use s3rec_job::report::RunReport;

use super::section::{Figure, Grid, Section};
use crate::BenchError;
use crate::plot::{Axis, Bar, Panel, Scaling, Series};
use s3rec_job::number_format::{bytes, count};

/// What a page of one training is made of.
#[derive(Clone, Debug)]
pub struct Training {
    /// As `report.json` holds it.
    pub report: RunReport,
    /// In one line: solver, operator, rank.
    pub settings: String,
    /// After each opening, in order.
    pub rounds: Vec<Round>,
    /// What the rating platform learnt, in its own and the ledger's words.
    pub learnt_by_rating: Vec<String>,
    /// What the social platform learnt.
    pub learnt_by_social: Vec<String>,
}

/// P0's view of one opening.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Round {
    /// Objective without the social term, which P0 cannot compute.
    pub loss: f64,
    /// On the held-out ratings.
    pub held_out_rmse: f64,
}

pub(super) fn sections(training: &Training) -> Result<Vec<Section>, BenchError> {
    let report = &training.report;
    let data = &report.dataset;
    let mut quality = Section::new("Quality").lead(format!(
        "{} ratings of {} items by {} users, {} links, {} common users; {}, {} with {} openings.",
        count(data.ratings),
        count(data.items),
        count(data.users),
        data.links.map_or_else(|| "–".to_owned(), count),
        count(data.common_users),
        training.settings,
        report.protocol,
        report.rounds,
    ));
    quality = quality.grid(quality_grid(report));
    if let Some((social, placebo)) = report.quality.plaintext.zip(report.quality.placebo) {
        quality = quality.text(format!(
            "Social gain, what the links give beyond rewired ones: {:+.4} in RMSE on this one split. The \
             rest of what is gained on the model without links is not social.",
            placebo.rmse - social.rmse
        ));
    }
    if let Some(data) = report.data {
        quality = quality.text(format!(
            "Of {} rows {} ratings were used, {} were merged and {} ({:.2} %) dropped.",
            count(data.rows),
            count(data.used),
            count(data.merged),
            count(data.dropped),
            100.0 * data.dropped_share
        ));
    }
    if !report.warnings.is_empty() {
        quality = quality.text("Warnings:").list(report.warnings.clone());
    }
    if training.rounds.len() > 1 {
        quality = quality.figure(curves(training)?);
    }
    Ok(vec![
        quality,
        cost(report)?,
        Section::new("What was given away")
            .lead(format!(
                "{} openings, {} values opened to the rating platform; {} values clipped on encoding.",
                count(report.openings),
                count(report.opened_values),
                count(report.saturations)
            ))
            .text("What the rating platform learnt:")
            .list(training.learnt_by_rating.clone())
            .text("What the social platform learnt:")
            .list(training.learnt_by_social.clone()),
        Section::new("Parameters").grid(parameters(report)),
    ])
}

fn quality_grid(report: &RunReport) -> Grid {
    let quality = &report.quality;
    let mut grid = Grid::new("On the held-out ratings", "predictor | RMSE | MAE");
    let rows = [
        ("global mean", Some(quality.global_mean)),
        ("biases", Some(quality.biases)),
        ("no social term", Some(quality.no_social)),
        ("placebo (links rewired at random, oracle)", quality.placebo),
        ("plaintext social (oracle)", quality.plaintext),
        ("secure social", quality.secure),
    ];
    for (name, accuracy) in rows {
        let shown =
            |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |v| format!("{v:.4}"));
        grid.rows.push(vec![
            name.to_owned(),
            shown(accuracy.map(|accuracy| accuracy.rmse)),
            shown(accuracy.map(|accuracy| accuracy.mae)),
        ]);
    }
    grid
}

fn curves(training: &Training) -> Result<Figure, BenchError> {
    let points = |value: fn(&Round) -> f64| -> Vec<(f64, f64)> {
        let rounds = training.rounds.iter().enumerate();
        rounds
            .map(|(index, round)| ((index + 1) as f64, value(round)))
            .collect()
    };
    let quality = &training.report.quality;
    let panel = |label: &str, name: &str, value, levels| Panel {
        x: Axis::new("openings (count)", Scaling::Linear),
        y: Axis::new(label, Scaling::Linear),
        series: vec![Series::new(name, points(value))],
        levels,
    };
    Figure::curves(
        "training",
        "Loss and held-out RMSE",
        "The loss is without the social term, which the rating platform cannot compute.",
        &[
            panel(
                "loss (squared rating points)",
                "loss",
                |round| round.loss,
                Vec::new(),
            ),
            panel(
                "held-out RMSE (rating points)",
                "secure",
                |round| round.held_out_rmse,
                vec![("no social term".to_owned(), quality.no_social.rmse)],
            ),
        ],
    )
}

fn cost(report: &RunReport) -> Result<Section, BenchError> {
    let phases = [
        ("offline", &report.cost.offline),
        ("online", &report.cost.online),
    ];
    let bars: Vec<Bar> = phases
        .iter()
        .enumerate()
        .flat_map(|(group, (name, cost))| {
            let bar = move |direction: &str, sent: u64| Bar {
                name: format!("{name}, {direction}"),
                value: sent as f64,
                label: bytes(sent),
                group,
                hollow: false,
            };
            [
                bar("to social", cost.bytes_to_social),
                bar("to rating", cost.bytes_to_rating),
            ]
        })
        .filter(|bar| bar.value > 0.0)
        .collect();
    let mut grid = Grid::new(
        "Payload counted at the channel",
        "phase | time | to social | to rating | messages",
    );
    let rows = phases.iter().map(|(name, cost)| cost.row(name).to_vec());
    grid.rows.extend(rows);
    let memory = |used: Option<u64>| used.map_or_else(|| "–".to_owned(), bytes);
    let mut section = Section::new("Cost");
    if !bars.is_empty() {
        section = section.figure(Figure::bars(
            "traffic",
            "Traffic by phase",
            "Offline is alignment, set-up and everything before the first opening.",
            &Axis::bytes("bytes"),
            &bars,
        )?);
    }
    Ok(section.grid(grid).text(format!(
        "Largest resident set: rating platform {}, social platform {}.",
        memory(report.peak_rss_bytes.rating),
        memory(report.peak_rss_bytes.social)
    )))
}

fn parameters(report: &RunReport) -> Grid {
    let p = &report.parameters;
    let mut grid = Grid::new("As the chooser derived them", "parameter | value");
    let shown = |value: Option<u32>| value.map_or_else(|| "–".to_owned(), |v| v.to_string());
    for (name, value) in [
        ("ring bits ℓ", Some(p.ring_bits)),
        ("GLWE dimension κ", p.glwe_dimension),
        ("polynomial size N", p.polynomial_size),
        ("noise bits b", p.noise_bits),
        ("security, log₂ of the lowest known attack", p.security_bits),
        ("statistical distance, −log₂", p.statistical_bits),
    ] {
        grid.rows.push(vec![name.to_owned(), shown(value)]);
    }
    grid.rows.push(vec![
        "largest difference from the oracle".to_owned(),
        report
            .max_abs_factor_diff
            .map_or_else(|| "–".to_owned(), |difference| format!("{difference:.1e}")),
    ]);
    grid
}
