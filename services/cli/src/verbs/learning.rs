//! `s3rec bench rounds` and `s3rec bench release`: what openings and noise on them are worth.

use std::path::Path;

use s3rec_bench::learning::LearningFold;
use s3rec_bench::release::{self, ReleaseOptions, ReleaseReport};
use s3rec_bench::rounds::{self, RoundsOptions, RoundsReport};
use s3rec_model::Preset;
use s3rec_spmm::ReleasePolicy;
use serde_json::Value;

use super::bench::{json, write};
use crate::arguments::{BothFiles, PresetChoice, ReleaseBenchArgs, RoundsArgs};
use crate::failure::Failure;
use crate::output::{Output, Table, note};

/// Openings shown in the text; the JSON has them all.
const SHOWN: [u32; 10] = [0, 1, 2, 3, 5, 10, 20, 50, 100, 300];

/// The preset and the fold that a command works on.
pub(super) fn fold(
    files: &BothFiles,
    preset: PresetChoice,
    seed: u64,
) -> Result<(Preset, LearningFold), Failure> {
    let preset = Preset::named(preset.name())
        .ok_or_else(|| Failure::Usage(format!("no preset {}", preset.name())))?;
    let fold = LearningFold::read(&files.ratings, &files.links, &preset, seed)?;
    Ok((preset, fold))
}

/// Curves against openings.
pub(super) fn rounds(arguments: &RoundsArgs, output: Output) -> Result<(), Failure> {
    let (preset, fold) = fold(&arguments.files, arguments.preset, arguments.seed)?;
    let options = RoundsOptions {
        gradient_openings: arguments.openings,
        als_openings: arguments.als_openings,
    };
    let report = rounds::measure(&fold, &preset, options, |solver| {
        note(&format!("running {solver}"));
    })?;
    let document = json(&report)?;
    if let Some(directory) = &arguments.out {
        keep(directory, "rounds", &document, &report.svg()?)?;
    }
    output.value(&document, || rounds_text(&report))
}

/// Quality against noise.
pub(super) fn release(arguments: &ReleaseBenchArgs, output: Output) -> Result<(), Failure> {
    let (preset, fold) = fold(&arguments.files, arguments.preset, arguments.seed)?;
    let options = ReleaseOptions {
        openings: Some(arguments.openings),
        sigmas: arguments.sigmas.clone(),
        repeats: arguments.repeats,
        delta: arguments.delta,
    };
    let report = release::measure(&fold, &preset, &options, |policy| {
        note(&match policy {
            ReleasePolicy::Noised { sigma, .. } => format!("training with noise σ = {sigma}"),
            _ => "training without noise".to_owned(),
        });
    })?;
    let document = json(&report)?;
    if let Some(directory) = &arguments.out {
        keep(directory, "release", &document, &report.svg()?)?;
    }
    output.value(&document, || release_text(&report))
}

fn keep(directory: &Path, name: &str, document: &Value, drawing: &str) -> Result<(), Failure> {
    std::fs::create_dir_all(directory).map_err(|source| Failure::File {
        path: directory.to_owned(),
        source,
    })?;
    write(
        &directory.join(format!("{name}.json")),
        &format!("{document:#}\n"),
    )?;
    write(&directory.join(format!("{name}.svg")), drawing)
}

fn rounds_text(report: &RoundsReport) -> String {
    let titles: Vec<&str> = std::iter::once("objective / RMSE after openings")
        .chain(report.curves.iter().map(|curve| curve.solver.name()))
        .collect();
    let mut table = Table::new(&titles);
    for openings in SHOWN {
        let cells: Vec<String> = report
            .curves
            .iter()
            .map(|curve| {
                let point = curve.points.iter().find(|p| p.openings == openings);
                point.map_or_else(
                    || "–".to_owned(),
                    |p| format!("{:.1} / {:.4}", p.objective, p.rmse),
                )
            })
            .collect();
        table = table.row(&[vec![openings.to_string()], cells].concat());
    }
    let bounds: String = report
        .bounds
        .iter()
        .map(|bound| {
            format!(
                "\n{}: {}: {:.3} %, {} {:.1} %",
                if bound.met { "met" } else { "MISSED" },
                bound.what,
                100.0 * bound.actual,
                if bound.at_most { "at most" } else { "at least" },
                100.0 * bound.limit,
            )
        })
        .collect();
    format!(
        "{} users, rank {}; RMSE of als without the social term {:.4}\n{table}{bounds}",
        report.users, report.settings.rank, report.no_social_rmse
    )
}

fn release_text(report: &ReleaseReport) -> String {
    let mut table = Table::new(&[
        "release",
        "σ",
        "RMSE ± std",
        "gain kept",
        "ε",
        "δ",
        "‖u‖ ≤ β",
    ]);
    let number = |value: Option<f64>, decimals: usize| {
        value.map_or_else(|| "–".to_owned(), |value| format!("{value:.decimals$}"))
    };
    for release in &report.releases {
        table = table.row(&[
            release.policy.clone(),
            release
                .sigma
                .map_or_else(|| "–".to_owned(), |s| s.to_string()),
            format!("{:.4} ± {:.4}", release.rmse.mean, release.rmse.std),
            release
                .gain_kept
                .map_or_else(|| "–".to_owned(), |kept| format!("{:.0} %", 100.0 * kept)),
            number(release.epsilon, 2),
            release
                .delta
                .map_or_else(|| "–".to_owned(), |d| format!("{d:e}")),
            if release.within_beta { "yes" } else { "NO" }.to_owned(),
        ]);
    }
    format!(
        "{} users, {} openings of {} columns; RMSE without the social term {:.4}; β {:.3}, \
         sensitivity to one link {:.3}\n{table}",
        report.users,
        report.settings.openings,
        report.settings.opened_columns(),
        report.no_social_rmse,
        report.row_norm_beta,
        report.sensitivity,
    )
}
