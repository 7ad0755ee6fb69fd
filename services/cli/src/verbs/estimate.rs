//! `s3rec estimate`: what a job would cost under every protocol, before any data moves.

use s3rec_job::estimate::{Planned, Predicted, protocols};
use s3rec_spmm::{LinkProfile, OperatorKind, PatternPolicy, Protocol, SpmmError};
use serde_json::{Value, json};

use super::estimate_friends;
use crate::arguments::{EstimateArgs, OperatorChoice, PatternChoice, ProtocolChoice};
use crate::failure::Failure;
use crate::output::{Output, Table, bytes};

/// Predicts and picks.
///
/// # Errors
/// [`Failure::Usage`] when no protocol fits, with the reason of each.
pub fn estimate(arguments: &EstimateArgs, output: Output) -> Result<(), Failure> {
    if arguments.operator == OperatorChoice::Friends {
        return estimate_friends::estimate(arguments, output);
    }
    possible(arguments)?;
    let rows = rows(arguments);
    let best = rows
        .iter()
        .filter_map(|(protocol, row)| row.as_ref().ok().map(|row| (*protocol, row.seconds)))
        .min_by(|(_, a), (_, b)| a.total_cmp(b))
        .map(|(protocol, _)| protocol);
    let Some(best) = best else {
        let reasons: Vec<String> = rows
            .iter()
            .filter_map(|(protocol, row)| {
                Some(format!("{}: {}", protocol.name(), row.as_ref().err()?))
            })
            .collect();
        return Err(Failure::Usage(reasons.join("\n")));
    };
    let document = json!({
        "picked": best.name(),
        "estimates": rows.iter().map(|(protocol, row)| to_json(*protocol, row)).collect::<Vec<_>>(),
    });
    output.value(&document, || text(&rows, best))
}

/// Numbers that contradict each other are no job.
fn possible(arguments: &EstimateArgs) -> Result<(), Failure> {
    let users = u64::from(arguments.users);
    let counts = [
        (
            "--nonzeros-bound",
            Some(arguments.nonzeros_bound),
            users * users,
        ),
        (
            "--active-users",
            arguments.active_users.map(u64::from),
            users,
        ),
        (
            "--linked-to-users",
            arguments.linked_to_users.map(u64::from),
            users,
        ),
    ];
    for (flag, given, most) in counts {
        if let Some(given) = given.filter(|given| *given > most) {
            let message =
                format!("{flag} is {given}; with --users {users} there are at most {most}");
            return Err(Failure::Usage(message));
        }
    }
    Ok(())
}

/// Every protocol that is asked for, or that goes with the operator.
fn rows(arguments: &EstimateArgs) -> Vec<(Protocol, Result<Predicted, SpmmError>)> {
    let planned = planned(arguments);
    let asked = arguments.protocol.map(|protocol| match protocol {
        ProtocolChoice::He => Protocol::He,
        ProtocolChoice::HePir => Protocol::HePir,
        ProtocolChoice::Preprocessed => Protocol::Preprocessed,
        ProtocolChoice::PreprocessedPir => Protocol::PreprocessedPir,
        // Refused with its reason: it goes with the operator friends.
        ProtocolChoice::NoiseFirst => Protocol::NoiseFirst,
    });
    let candidates = match &asked {
        Some(protocol) => std::slice::from_ref(protocol),
        None => protocols(planned.operator),
    };
    let predicted = candidates
        .iter()
        .map(|&protocol| (protocol, planned.under(protocol)));
    predicted.collect()
}

fn planned(arguments: &EstimateArgs) -> Planned {
    Planned {
        users: arguments.users,
        columns: arguments.rank,
        rounds: arguments.rounds,
        operator: match arguments.operator {
            OperatorChoice::Laplacian => OperatorKind::Laplacian,
            OperatorChoice::NormalizedLaplacian => OperatorKind::NormalizedLaplacian,
            OperatorChoice::OutAverage => OperatorKind::OutAverage,
            OperatorChoice::Friends => OperatorKind::Friends,
        },
        pattern: match arguments.pattern {
            PatternChoice::Nothing => PatternPolicy::Nothing,
            PatternChoice::ActiveRows => PatternPolicy::ActiveRows,
            PatternChoice::ActiveRowsAndColumns => PatternPolicy::ActiveRowsAndColumns,
        },
        row_norm_bound: s3rec_sparse::ladder(arguments.row_norm_bound),
        nonzeros_bound: s3rec_sparse::ladder(arguments.nonzeros_bound),
        active_users: arguments.active_users,
        linked_to_users: arguments.linked_to_users,
        memory_bytes: arguments.memory_limit as u64,
        link: LinkProfile {
            bytes_per_second: arguments.megabits_per_second * 1e6 / 8.0,
            cores: arguments.cores,
        },
        round_trip_seconds: arguments.round_trip_ms / 1000.0,
    }
}

fn to_json(protocol: Protocol, row: &Result<Predicted, SpmmError>) -> Value {
    match row {
        Ok(row) => json!({
            "protocol": protocol.name(),
            "parameters": row.parameters,
            "estimate": row.estimate,
            "footprint": row.footprint,
            "seconds": row.seconds,
        }),
        Err(error) => json!({ "protocol": protocol.name(), "refused": error.to_string() }),
    }
}

fn text(rows: &[(Protocol, Result<Predicted, SpmmError>)], best: Protocol) -> String {
    let mut table = Table::new(
        "protocol | offline | a round | whole job | time | memory P0 | P1 | disk P0 | P1 | \
         ℓ | κ × N | d_max",
    );
    let mut refused = String::new();
    for (protocol, row) in rows {
        match row {
            Ok(row) => {
                let (p, estimate) = (&row.parameters, &row.estimate);
                table = table.row(&[
                    protocol.name().to_owned(),
                    bytes(estimate.offline.bytes()),
                    bytes(estimate.round.bytes()),
                    bytes(estimate.total().bytes()),
                    format!("{:.1} s", row.seconds),
                    bytes(row.footprint.rating_memory_bytes),
                    bytes(row.footprint.social_memory_bytes),
                    bytes(row.footprint.rating_disk_bytes),
                    bytes(row.footprint.social_disk_bytes),
                    p.ring_bits.to_string(),
                    format!("{} × {}", p.glwe_dimension, p.polynomial_size),
                    match p.fetched_rows_bound {
                        0 => "–".to_owned(),
                        bound => bound.to_string(),
                    },
                ]);
            }
            Err(error) => refused.push_str(&format!("\n{}: {error}", protocol.name())),
        }
    }
    format!("{table}\nPicked: {}{refused}", best.name())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        arguments: EstimateArgs,
    }

    fn rows_of(line: &str) -> Vec<(Protocol, Result<Predicted, SpmmError>)> {
        let words = ["estimate"].into_iter().chain(line.split_whitespace());
        rows(&Line::parse_from(words).arguments)
    }

    #[test]
    fn a_fetch_of_few_rows_is_listed_with_its_bound_and_wins() {
        let rows = rows_of(
            "--users 100000 --nonzeros-bound 131072 --operator out-average --row-norm-bound 16384 \
             --pattern active-rows --active-users 20000 --linked-to-users 500 --rounds 4",
        );
        let bounds: Vec<_> = rows
            .iter()
            .map(|(_, row)| row.as_ref().unwrap().parameters.fetched_rows_bound)
            .collect();
        assert_eq!(bounds, [0, 512, 0, 512]);
        let upload = |index: usize| {
            let row = rows[index].1.as_ref().unwrap();
            row.estimate.total().bytes_to_social
        };
        // What `preprocessed` sends in its rounds does not shrink.
        assert!(upload(1) * 5 < upload(0) && upload(3) < upload(2));
        let shown = text(&rows, Protocol::HePir);
        assert!(shown.contains("d_max") && shown.contains("512"), "{shown}");
        for (_, row) in &rows {
            let needed = row.as_ref().unwrap().footprint;
            assert!(needed.rating_memory_bytes > 0 && needed.social_memory_bytes > 0);
        }
        // Expanded selectors are kept within the limit: 3 · 100,000 of 48 KiB do not fit it.
        let memory = |index: usize| {
            rows[index]
                .1
                .as_ref()
                .unwrap()
                .footprint
                .rating_memory_bytes
        };
        assert!(memory(1) > 1 << 30 && memory(1) < 3 << 30, "{}", memory(1));
    }

    #[test]
    fn machines_and_jobs_that_cannot_be_are_refused() {
        let line = |more: &str| {
            let words = format!("estimate --users 100 --nonzeros-bound 1000 {more}");
            Line::try_parse_from(words.split_whitespace().map(str::to_owned))
        };
        assert!(possible(&line("").unwrap().arguments).is_ok());
        for wrong in [
            "--cores 0",
            "--cores 5000",
            "--megabits-per-second 0",
            "--megabits-per-second -1",
            "--megabits-per-second NaN",
            "--megabits-per-second inf",
            "--memory-limit 0",
            "--memory-limit 99999999GiB",
            "--row-norm-bound 0",
        ] {
            assert!(line(wrong).is_err(), "{wrong}");
        }
        for wrong in ["--active-users 101", "--linked-to-users 101"] {
            let refused = possible(&line(wrong).unwrap().arguments).unwrap_err();
            assert!(refused.to_string().contains("at most 100"), "{refused}");
        }
    }

    #[test]
    fn a_symmetric_operator_is_trimmed_and_not_fetched() {
        let line = "--users 740 --nonzeros-bound 4096";
        let protocols: Vec<_> = rows_of(line).into_iter().map(|(p, _)| p).collect();
        assert_eq!(protocols, [Protocol::He, Protocol::Preprocessed]);
        let asked = rows_of(&format!("{line} --protocol he-pir"));
        let refused = asked[0].1.as_ref().err().unwrap().to_string();
        assert!(refused.contains("he-pir"), "{refused}");
    }
}
