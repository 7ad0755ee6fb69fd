//! Wall time of whole trainings against the link.

use super::Collection;
use super::collection::title;
use super::section::{Figure, Grid, Section};
use crate::links::{LinkRun, LinksReport, Shaping};
use crate::plot::{Axis, Panel, Scaling, Series};
use crate::spread::Quantiles;
use crate::{BenchError, Document};
use s3rec_job::number_format::{bytes, count, duration, runs};

pub(super) fn section(collection: &Collection) -> Result<Option<Section>, BenchError> {
    let Some(first) = collection.links.first() else {
        return Ok(None);
    };
    let how = match first.body.shaping {
        Shaping::Netem => {
            "The daemons ran in network namespaces, their link shaped by tc netem.".to_owned()
        }
        Shaping::TokenBucket => format!(
            "The link was shaped by a token-bucket relay between the daemons, as this machine does \
             not shape links between namespaces ({}). Rate and delay are kept; TCP's slow start is \
             that of the loopback.",
            first.body.why_not_namespaces
        ),
    };
    let mut section = Section::new("Trainings over real links").lead(format!(
        "Both daemons, mutual TLS, from the start of the job to the stored model. {how}"
    ));
    for document in &collection.links {
        section = section.figure(figure(document)?).grid(grid(document));
    }
    Ok(Some(section))
}

/// Protocols in the order in which they first occur.
fn protocols(report: &LinksReport) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for run in &report.runs {
        if !names.contains(&run.protocol.as_str()) {
            names.push(&run.protocol);
        }
    }
    names
}

fn figure(document: &Document<LinksReport>) -> Result<Figure, BenchError> {
    let report = &document.body;
    let series = protocols(report).into_iter().map(|protocol| {
        let of_it = |run: &&LinkRun| run.protocol == protocol;
        let runs = || report.runs.iter().filter(of_it);
        let points = runs().map(|run| {
            let rate = run.link.bits_per_second as f64 / 1e6;
            (rate, run.seconds.median)
        });
        let computed = runs().any(|run| run.computed);
        let suffix = if computed { ", computed" } else { "" };
        let series = Series::new(&format!("{protocol}{suffix}"), points.collect());
        if computed { series.hollow() } else { series }
    });
    let panel = Panel {
        x: Axis::new("rate of the link (Mbit/s)", Scaling::Logarithmic),
        y: Axis::new("whole training (seconds)", Scaling::Logarithmic),
        series: series.collect(),
        levels: Vec::new(),
    };
    let name = title(&document.label);
    Figure::curves(
        &format!("links-{}", document.label),
        &format!("{name}: time of a training against the link"),
        &format!(
            "{} common users, rank {}, {} openings with als; ssmm with gradient descent, {} openings.",
            count(report.users),
            report.rank,
            report.openings,
            report.gradient_openings
        ),
        &[panel],
    )
}

fn grid(document: &Document<LinksReport>) -> Grid {
    let spread = document.repeats > 1;
    let mut titles = vec!["link", "protocol", "solver", "openings", "time"];
    if spread {
        titles.push("least – most");
    }
    titles.extend(["bytes offline", "bytes online", "carried", "RMSE"]);
    let mut grid = Grid::new(
        &format!(
            "{}, {}; carried is what the link saw, with TLS and framing",
            title(&document.label),
            runs(document.repeats)
        ),
        &titles.join(" | "),
    );
    for run in &document.body.runs {
        let dash = || "–".to_owned();
        let mut row = vec![
            run.link.name.clone(),
            if run.computed {
                format!("{}, computed", run.protocol)
            } else {
                run.protocol.clone()
            },
            run.solver.clone(),
            run.openings.to_string(),
            duration(run.seconds.median),
        ];
        if spread {
            let Quantiles { least, most, .. } = run.seconds;
            row.push(if run.computed {
                dash()
            } else {
                format!("{} – {}", duration(least), duration(most))
            });
        }
        row.extend([
            bytes(run.offline_bytes),
            bytes(run.online_bytes),
            run.carried_bytes.map_or_else(dash, bytes),
            run.rmse.map_or_else(dash, |rmse| format!("{rmse:.4}")),
        ]);
        grid.rows.push(row);
    }
    grid
}
