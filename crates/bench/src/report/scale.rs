//! Cost against users, non-zeros and rank.

use super::Collection;
use super::section::{Figure, Grid, Section};
use crate::BenchError;
use crate::plot::{Axis, Panel, Scaling, Series};
use crate::scale::{Fit, Outlook, ScalePoint, ScaleReport};
use s3rec_job::number_format::{bytes, count, duration, runs};

pub(super) fn section(collection: &Collection) -> Result<Option<Section>, BenchError> {
    let Some(document) = collection.scale.first() else {
        return Ok(None);
    };
    let report = &document.body;
    let options = &report.options;
    let section = Section::new("Growth").lead(format!(
        "preprocessed, {} openings, links with power-law degrees, {} a user, both parties in one \
         process. Solid: measured, {}. Hollow: predicted by the cost model, whose \
         seconds are multiplied by {:.2}, the ratio found at the largest size that was measured; \
         its bytes are exact.",
        options.rounds,
        options.links_per_user,
        runs(document.repeats),
        report.calibration,
    ));
    let mut section = section
        .figure(Figure::curves(
            "scale-users",
            "Cost against users at a fixed degree",
            &format!("Rank {}; computing of both parties together.", options.rank),
            &[
                seconds(&report.users, Axis::counts("users (count)"), |point| {
                    point.users
                }),
                bytes_panel(&report.users, Axis::counts("users (count)"), |point| {
                    point.users
                }),
            ],
        )?)
        .figure(Figure::curves(
            "scale-rank",
            "Cost against the rank",
            &format!(
                "{} users; computing of both parties together.",
                count(u64::from(options.rank_users))
            ),
            &[
                seconds(&report.ranks, plain("rank k (columns)"), |point| point.rank),
                bytes_panel(&report.ranks, plain("rank k (columns)"), |point| point.rank),
            ],
        )?);
    if !report.nonzeros.is_empty() {
        section = section.figure(accumulation(report)?);
    }
    Ok(Some(
        section
            .grid(fits(&report.fits))
            .grid(points(report))
            .text(outlook(&report.outlook)),
    ))
}

fn plain(label: &str) -> Axis {
    Axis::new(label, Scaling::Logarithmic)
}

/// A measured curve and a predicted one.
fn both(
    name: &str,
    points: &[ScalePoint],
    x: impl Fn(&ScalePoint) -> u64,
    y: impl Fn(&ScalePoint) -> f64,
) -> Vec<Series> {
    let part = |measured: bool| -> Vec<(f64, f64)> {
        points
            .iter()
            .filter(|point| point.measured.is_some() == measured)
            .map(|point| (x(point) as f64, y(point)))
            .collect()
    };
    let mut series = vec![Series::new(name, part(true))];
    let predicted = part(false);
    if !predicted.is_empty() {
        series.push(Series::new(&format!("{name}, predicted"), predicted).hollow());
    }
    series
}

fn seconds(points: &[ScalePoint], x: Axis, of: fn(&ScalePoint) -> u64) -> Panel {
    let mut series = both("offline", points, of, ScalePoint::offline_seconds);
    series.extend(both("an opening", points, of, ScalePoint::round_seconds));
    Panel {
        x,
        y: Axis::new("computing (seconds)", Scaling::Logarithmic),
        series,
        levels: Vec::new(),
    }
}

fn bytes_panel(points: &[ScalePoint], x: Axis, of: fn(&ScalePoint) -> u64) -> Panel {
    let offline = |point: &ScalePoint| point.offline.bytes() as f64;
    let round = |point: &ScalePoint| point.round.bytes() as f64;
    let mut series = both("offline", points, of, offline);
    series.extend(both("an opening", points, of, round));
    Panel {
        x,
        y: Axis::bytes("bytes, both ways"),
        series,
        levels: Vec::new(),
    }
}

fn accumulation(report: &ScaleReport) -> Result<Figure, BenchError> {
    let points = report.nonzeros.iter();
    let points = points.map(|point| (point.nonzeros as f64, point.seconds.median));
    let users = u64::from(report.options.nonzeros_users);
    let most = report.nonzeros.iter().map(|p| p.bytes_per_second);
    Figure::curves(
        "scale-nonzeros",
        "Accumulation against non-zeros",
        &format!(
            "One polynomial of N = 512 of κ + 1, {} users; up to {:.1} GB of ciphertexts added a second.",
            count(users),
            most.fold(0.0, f64::max) / 1e9
        ),
        &[Panel {
            x: Axis::counts("non-zeros of Y (count)"),
            y: Axis::new("accumulation (seconds)", Scaling::Logarithmic),
            series: vec![Series::new("accumulation", points.collect())],
            levels: Vec::new(),
        }],
    )
}

fn fits(fits: &[Fit]) -> Grid {
    let mut grid = Grid::new(
        "Power laws through the measured points",
        "what | against | exponent | R² | points | claimed",
    );
    for fit in fits {
        let claimed = fit.claimed.map_or_else(
            || "–".to_owned(),
            |(expected, tolerance)| {
                let met = if fit.met == Some(true) {
                    "kept"
                } else {
                    "MISSED"
                };
                format!("{expected:.1} ± {tolerance:.1}: {met}")
            },
        );
        grid.rows.push(vec![
            fit.what.clone(),
            fit.against.clone(),
            format!("{:.3}", fit.exponent),
            format!("{:.4}", fit.r_squared),
            fit.points.to_string(),
            claimed,
        ]);
    }
    grid
}

fn points(report: &ScaleReport) -> Grid {
    let mut grid = Grid::new(
        "Every size",
        "users | rank | non-zeros | κ × N | offline bytes | offline time | bytes a round | \
         time a round | memory | source",
    );
    for point in report.users.iter().chain(&report.ranks) {
        let memory = point.measured.as_ref().map(|run| bytes(run.peak_rss_bytes));
        grid.rows.push(vec![
            count(point.users),
            point.rank.to_string(),
            count(point.nonzeros),
            format!("{} × {}", point.lattice.0, point.lattice.1),
            bytes(point.offline.bytes()),
            duration(point.offline_seconds()),
            bytes(point.round.bytes()),
            duration(point.round_seconds()),
            memory.unwrap_or_else(|| "–".to_owned()),
            if point.measured.is_some() {
                "measured".to_owned()
            } else {
                "predicted".to_owned()
            },
        ]);
    }
    grid
}

/// The statement about 10⁸ users.
fn outlook(outlook: &Outlook) -> String {
    let (machines, cores) = outlook.machines;
    format!(
        "{} users and {} links, rank {}, {} openings, by the model: {} offline and {} for each \
         opening, {} in all, {} on a link of 10 Gbit/s. Computing takes the rating platform \
         {} of one core and the social platform {}, most of it adding ciphertexts; on {} \
         machines of {} cores at each platform {}. The rows of Y are cut into {} shards, \
         one a machine ({} of Y and {} of stock in all); an \
         upload crosses the link once and is passed on to every shard, which expands its masks anew, and blocks of columns are \
         independent, so nothing else is exchanged between machines; an opening costs {} of one \
         core over all shards. κ = {}, N = {}, ℓ = {}; the simulation holds within 2^-{} for one \
         shard's rows and 2^-{} for all. A job is bounded to 2^24 users today, which this would \
         raise.",
        count(outlook.users),
        count(outlook.links),
        outlook.rank,
        outlook.rounds,
        bytes(outlook.offline_bytes),
        bytes(outlook.round_bytes),
        bytes(outlook.total_bytes),
        duration(3600.0 * outlook.link_hours),
        duration(outlook.rating_core_seconds),
        duration(outlook.social_core_seconds),
        machines,
        cores,
        duration(3600.0 * outlook.computing_hours),
        outlook.shards,
        bytes(outlook.operator_bytes),
        bytes(outlook.social_disk_bytes),
        duration(outlook.round_core_seconds),
        outlook.lattice.0,
        outlook.lattice.1,
        outlook.lattice.2,
        outlook.statistical_bits.0,
        outlook.statistical_bits.1,
    )
}
