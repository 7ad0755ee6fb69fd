//! `s3rec bench links`: whole trainings by both daemons over shaped links.

use clap::Parser;
use s3rec_bench::links::{self, LinkRun, LinkShape, LinksReport, Shaping};
use s3rec_bench::shaped::{Buffers, Namespaces, Placement, Relay, Shaper};
use s3rec_bench::spread::Quantiles;

use super::records::conclude;
use crate::arguments::{LinksArgs, ShapingChoice};
use crate::demo::{DemoArgs, MeasuredTraining, train_over};
use crate::failure::Failure;
use crate::interrupt::Interrupts;
use crate::output::{Output, Table, bytes, duration, note};

/// Trains over every link, and shows.
pub(super) async fn over_links(arguments: &LinksArgs, output: Output) -> Result<(), Failure> {
    // Nothing that must be removed exists before signals are watched.
    let mut interrupts = Interrupts::listen()?;
    let measured = tokio::select! {
        measured = measure(arguments) => measured,
        interrupted = interrupts.received() => Err(interrupted),
    };
    let repeats = arguments.record.repeats(3);
    conclude("links", &arguments.record, repeats, measured?, output, text).map(drop)
}

async fn measure(arguments: &LinksArgs) -> Result<LinksReport, Failure> {
    let shaper = match arguments.shaping {
        ShapingChoice::Auto => Shaper::detect(),
        ShapingChoice::TokenBucket => Shaper {
            shaping: Shaping::TokenBucket,
            why_not_namespaces: "asked for on the command line".to_owned(),
        },
    };
    if shaper.shaping == Shaping::TokenBucket {
        note(&format!(
            "shaping with a relay on the loopback, not in namespaces: {}",
            shaper.why_not_namespaces
        ));
    }
    let repeats = arguments.record.repeats(3);
    let (mut users, mut links) = (0, 0);
    let mut runs = Vec::new();
    for link in LinkShape::standard() {
        for protocol in &arguments.protocols {
            let demo = demonstration(arguments, protocol)?;
            let mut trainings = Vec::new();
            let mut carried = Vec::new();
            for repeat in 1..=repeats {
                note(&format!(
                    "{protocol} over {} ({repeat} of {repeats})",
                    link.name
                ));
                let (training, bytes) = train(shaper.shaping, &demo, &link).await?;
                (users, links) = (training.users, training.links);
                trainings.push(training);
                carried.push(bytes);
            }
            runs.extend(run(&link, protocol, &trainings, &carried));
        }
    }
    let (rank, openings) = (
        u64::from(arguments.rank),
        u64::from(arguments.gradient_openings),
    );
    note("one product of ssmm");
    let product_seconds = links::ssmm_product_seconds(
        usize::try_from(users).unwrap_or(usize::MAX),
        arguments.rank as usize,
    )?;
    for link in LinkShape::standard() {
        runs.push(links::ssmm(&link, users, rank, openings, product_seconds));
    }
    Ok(LinksReport {
        shaping: shaper.shaping,
        why_not_namespaces: shaper.why_not_namespaces,
        users,
        links,
        rank,
        openings: arguments.openings.into(),
        gradient_openings: openings,
        runs,
    })
}

/// Trains once over `link`; with the bytes that the link carried.
async fn train(
    shaping: Shaping,
    arguments: &DemoArgs,
    link: &LinkShape,
) -> Result<(MeasuredTraining, u64), Failure> {
    match shaping {
        Shaping::Netem => {
            // Dropped, and so removed, also when the training fails.
            let namespaces = Namespaces::create(link)?;
            let straight = |address: &str| Ok(address.to_owned());
            let measured = train_over(arguments, namespaces.placement(), straight).await?;
            Ok((measured, namespaces.carried_bytes()?))
        }
        Shaping::TokenBucket => {
            let mut relay = None;
            let through = |address: &str| {
                let started = Relay::start(address, link, Buffers::Large)?;
                let address = started.address();
                relay = Some(started);
                Ok(address)
            };
            let measured = train_over(arguments, Placement::default(), through).await?;
            Ok((measured, relay.map_or(0, |relay| relay.carried_bytes())))
        }
    }
}

/// The demonstration of this data and protocol, by its own command line, so that everything
/// that is not said here is as it is there.
fn demonstration(arguments: &LinksArgs, protocol: &str) -> Result<DemoArgs, Failure> {
    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        demo: DemoArgs,
    }
    let (rank, openings) = (arguments.rank.to_string(), arguments.openings.to_string());
    let options = [
        "demo",
        "--protocol",
        protocol,
        "--solver",
        "als",
        "--rank",
        &rank,
        "--rounds",
        &openings,
    ];
    let line = Line::try_parse_from(options).map_err(|error| Failure::Usage(error.to_string()))?;
    Ok(DemoArgs {
        ratings: Some(arguments.files.ratings.clone()),
        links: Some(arguments.files.links.clone()),
        reading: arguments.files.reading.clone(),
        ..line.demo
    })
}

fn run(
    link: &LinkShape,
    protocol: &str,
    trainings: &[MeasuredTraining],
    carried: &[u64],
) -> Option<LinkRun> {
    let first = trainings.first()?;
    Some(LinkRun {
        link: link.clone(),
        protocol: protocol.to_owned(),
        solver: "als".to_owned(),
        openings: first.openings,
        computed: false,
        seconds: Quantiles::of(trainings.iter().map(|training| training.seconds)),
        offline_bytes: first.offline_bytes,
        online_bytes: first.online_bytes,
        carried_bytes: carried.iter().max().copied(),
        rmse: Some(first.rmse),
    })
}

fn text(report: &LinksReport) -> String {
    let mut table =
        Table::new("link | protocol | solver | openings | time | bytes | carried | RMSE");
    for run in &report.runs {
        let computed = if run.computed { " (computed)" } else { "" };
        table = table.row(&[
            run.link.name.clone(),
            run.protocol.clone(),
            run.solver.clone(),
            run.openings.to_string(),
            format!("{}{computed}", duration(run.seconds.median)),
            bytes(run.bytes()),
            run.carried_bytes.map_or_else(|| "–".to_owned(), bytes),
            run.rmse
                .map_or_else(|| "–".to_owned(), |rmse| format!("{rmse:.4}")),
        ]);
    }
    let how = match report.shaping {
        Shaping::Netem => "tc netem between network namespaces".to_owned(),
        Shaping::TokenBucket => {
            format!("a relay on the loopback ({})", report.why_not_namespaces)
        }
    };
    format!(
        "{} common users, rank {}; shaped by {how}\n{table}",
        report.users, report.rank
    )
}
