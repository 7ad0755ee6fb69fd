//! `s3rec bench rounds` and `s3rec bench release`: what openings and noise on them are worth.

use s3rec_bench::Document;
use s3rec_bench::learning::LearningFold;
use s3rec_bench::release::{self, ReleaseOptions, ReleaseReport};
use s3rec_bench::rounds::{self, RoundsOptions, RoundsReport};
use s3rec_model::Preset;
use s3rec_spmm::ReleasePolicy;

use super::records::{conclude, write};
use super::sets;
use crate::arguments::{BothFiles, PresetChoice, RecordArgs, ReleaseBenchArgs, RoundsArgs};
use crate::failure::Failure;
use crate::output::{Output, Table, note};

/// Openings shown in the text; the JSON has them all.
const SHOWN: [u32; 10] = [0, 1, 2, 3, 5, 10, 20, 50, 100, 300];

/// The preset and the fold that a command works on.
fn fold(
    files: &BothFiles,
    preset: PresetChoice,
    seed: u64,
) -> Result<(Preset, LearningFold), Failure> {
    let preset = preset.load();
    let sets = sets::read(files)?;
    let fold = LearningFold::new(&sets.ratings, &sets.links, preset.operator, seed)?;
    Ok((preset, fold))
}

/// At most `enough` when quick.
fn quick(record: &RecordArgs, wanted: u32, enough: u32) -> u32 {
    if record.quick {
        wanted.min(enough)
    } else {
        wanted
    }
}

/// Curves against openings.
pub(super) fn rounds(arguments: &RoundsArgs, output: Output) -> Result<(), Failure> {
    let (preset, fold) = fold(&arguments.files, arguments.preset, arguments.seed)?;
    let record = &arguments.record;
    let options = RoundsOptions {
        gradient_openings: quick(record, arguments.openings, 60),
        als_openings: quick(record, arguments.als_openings, 12),
    };
    let report = rounds::measure(&fold, &preset, options, |solver| {
        note(&format!("running {solver}"));
    })?;
    // The same every time: nothing to repeat.
    let document = conclude("rounds", record, 1, report, output, rounds_text)?;
    draw(record, &document, &document.body.svg()?)
}

/// Quality against noise.
pub(super) fn release(arguments: &ReleaseBenchArgs, output: Output) -> Result<(), Failure> {
    let (preset, fold) = fold(&arguments.files, arguments.preset, arguments.seed)?;
    let record = &arguments.record;
    let repeats = record.repeats(3);
    let mut sigmas = arguments.sigmas.clone();
    if record.quick {
        sigmas.truncate(2);
    }
    let options = ReleaseOptions {
        openings: Some(arguments.openings),
        sigmas,
        repeats,
        delta: arguments.delta,
    };
    let report = release::measure(&fold, &preset, &options, |policy| {
        note(&match policy {
            ReleasePolicy::Noised { sigma, .. } => format!("training with noise σ = {sigma}"),
            _ => "training without noise".to_owned(),
        });
    })?;
    let document = conclude("release", record, repeats, report, output, release_text)?;
    draw(record, &document, &document.body.svg()?)
}

/// The drawing beside its record.
fn draw<T: serde::Serialize>(
    record: &RecordArgs,
    document: &Document<T>,
    drawing: &str,
) -> Result<(), Failure> {
    match &record.out {
        Some(directory) => write(&directory.join(format!("{}.svg", document.stem())), drawing),
        None => Ok(()),
    }
}

fn rounds_text(report: &RoundsReport) -> String {
    let titles: Vec<&str> = std::iter::once("objective / RMSE after openings")
        .chain(report.curves.iter().map(|curve| curve.solver.name()))
        .collect();
    let mut table = Table::new(&titles.join(" | "));
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
    let mut table = Table::new("release | σ | RMSE ± std | gain kept | ε | δ | ‖u‖ ≤ β");
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
        "{} users, {} openings of {} columns; RMSE without the social term {:.4}, a gain of {:.4} \
         to keep; β {:.3}, sensitivity to one link {:.3}\n{table}",
        report.users,
        report.settings.openings,
        report.settings.opened_columns(),
        report.no_social_rmse,
        report.no_social_rmse - report.releases.first().map_or(0.0, |exact| exact.rmse.mean),
        report.row_norm_beta,
        report.sensitivity,
    )
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;
    use std::path::Path;

    use crate::arguments::BothReadingArgs;
    use s3rec_data::SyntheticSettings;
    use s3rec_model::SolverKind;

    use super::*;

    fn files(directory: &Path) -> BothFiles {
        let settings = SyntheticSettings {
            users: 120,
            items: 60,
            ..SyntheticSettings::default()
        };
        let set = settings.generate().unwrap();
        let (mut ratings, mut links) = (String::new(), String::new());
        for rating in &set.ratings.ratings {
            let (user, item, value) = (rating.user, rating.item, rating.value);
            writeln!(ratings, "{user}\t{item}\t{value}").unwrap();
        }
        for (truster, trustee) in &set.links.links {
            writeln!(links, "{truster}\t{trustee}").unwrap();
        }
        let files = BothFiles {
            ratings: directory.join("ratings.tsv"),
            links: directory.join("links.tsv"),
            reading: BothReadingArgs::default(),
        };
        std::fs::write(&files.ratings, ratings).unwrap();
        std::fs::write(&files.links, links).unwrap();
        files
    }

    #[test]
    fn curves_are_kept_and_told() {
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("new/out");
        let arguments = RoundsArgs {
            files: files(directory.path()),
            preset: PresetChoice::Published,
            seed: 0,
            openings: 6,
            als_openings: 4,
            record: RecordArgs {
                out: Some(out.clone()),
                ..RecordArgs::default()
            },
        };
        rounds(&arguments, Output::new(true)).unwrap();
        let text = std::fs::read_to_string(out.join("rounds.json")).unwrap();
        let mut report: RoundsReport = serde_json::from_str(&text).unwrap();
        assert_eq!(report.curves[2].solver, SolverKind::Als);
        assert_eq!(report.curves[2].points.len(), 5);
        let drawing = std::fs::read_to_string(out.join("rounds.svg")).unwrap();
        assert!(drawing.starts_with("<svg"), "{drawing}");
        report.bounds[0].met = false;
        let told = rounds_text(&report);
        assert!(
            told.contains("MISSED: objective of als after at most 10"),
            "{told}"
        );
    }

    #[test]
    fn noise_is_told_with_its_price() {
        let directory = tempfile::tempdir().unwrap();
        let arguments = ReleaseBenchArgs {
            files: files(directory.path()),
            preset: PresetChoice::Published,
            seed: 0,
            openings: 1,
            sigmas: vec![0.5],
            delta: 1e-6,
            record: RecordArgs {
                repeats: Some(1),
                out: Some(directory.path().to_owned()),
                ..RecordArgs::default()
            },
        };
        release(&arguments, Output::new(true)).unwrap();
        let text = std::fs::read_to_string(directory.path().join("release.json")).unwrap();
        let report: ReleaseReport = serde_json::from_str(&text).unwrap();
        assert_eq!(report.releases.len(), 2);
        let told = release_text(&report);
        assert!(told.contains("noised") && told.contains("1e-6"), "{told}");
    }
}
