//! `s3rec estimate`: what a job would cost under every protocol, before any data moves.

use s3rec_spmm::{
    Disclosure, LinkProfile, OperatorKind, ProductParameters, ProductRequest, Protocol, SpmmError,
    choose_parameters, cost,
};
use serde_json::{Value, json};

use crate::arguments::{EstimateArgs, OperatorChoice, PatternChoice, ProtocolChoice};
use crate::failure::Failure;
use crate::output::{Output, Table, bytes};

/// Predicts and picks.
///
/// # Errors
/// [`Failure::Usage`] when no protocol fits, with the reason of each.
pub fn estimate(arguments: &EstimateArgs, output: Output) -> Result<(), Failure> {
    let link = LinkProfile {
        bytes_per_second: arguments.megabits_per_second * 1e6 / 8.0,
        cores: arguments.cores,
    };
    let candidates = match arguments.protocol {
        Some(ProtocolChoice::He) => vec![Protocol::He],
        Some(ProtocolChoice::HePir) => vec![Protocol::HePir],
        Some(ProtocolChoice::Preprocessed) => vec![Protocol::Preprocessed],
        Some(ProtocolChoice::PreprocessedPir) => vec![Protocol::PreprocessedPir],
        None => vec![Protocol::He, Protocol::Preprocessed],
    };
    let rows: Vec<(Protocol, Result<Row, SpmmError>)> = candidates
        .into_iter()
        .map(|protocol| {
            (
                protocol,
                Row::of(&request(arguments, protocol, link), &link),
            )
        })
        .collect();
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

/// One protocol's prediction.
struct Row {
    parameters: ProductParameters,
    estimate: cost::Estimate,
    seconds: f64,
}

impl Row {
    fn of(request: &ProductRequest, link: &LinkProfile) -> Result<Self, SpmmError> {
        let parameters = choose_parameters(request)?;
        let estimate = cost::predict(&parameters)?;
        let total = estimate.total();
        let computing =
            (total.rating_seconds + total.social_seconds) / f64::from(link.cores.max(1));
        let seconds = total.bytes() as f64 / link.bytes_per_second.max(1.0) + computing;
        Ok(Self {
            parameters,
            estimate,
            seconds,
        })
    }
}

fn request(arguments: &EstimateArgs, protocol: Protocol, link: LinkProfile) -> ProductRequest {
    let operator = match arguments.operator {
        OperatorChoice::Laplacian => OperatorKind::Laplacian,
        OperatorChoice::NormalizedLaplacian => OperatorKind::NormalizedLaplacian,
        OperatorChoice::OutAverage => OperatorKind::OutAverage,
    };
    let (users, rank, rounds) = (arguments.users, arguments.rank, arguments.rounds);
    let mut request = ProductRequest::new(protocol, operator, users, rank, rounds);
    request.row_norm_bound = s3rec_sparse::ladder(arguments.row_norm_bound);
    request.nonzeros_bound = s3rec_sparse::ladder(arguments.nonzeros_bound);
    request.link = link;
    request.pattern = match arguments.pattern {
        PatternChoice::Nothing => Disclosure::Nothing,
        PatternChoice::ActiveRows => Disclosure::ActiveRows,
        PatternChoice::ActiveRowsAndColumns => Disclosure::ActiveRowsAndColumns,
    };
    let active = arguments.active_users.unwrap_or(users).min(users);
    let trims_upload = match request.pattern {
        Disclosure::Nothing => false,
        Disclosure::ActiveRows => operator.is_symmetric(),
        Disclosure::ActiveRowsAndColumns => true,
    };
    if request.pattern != Disclosure::Nothing {
        request.returned_rows = active;
    }
    if trims_upload {
        request.uploaded_rows = active;
    }
    request
}

fn to_json(protocol: Protocol, row: &Result<Row, SpmmError>) -> Value {
    match row {
        Ok(row) => json!({
            "protocol": protocol.name(),
            "parameters": row.parameters,
            "estimate": row.estimate,
            "seconds": row.seconds,
        }),
        Err(error) => json!({ "protocol": protocol.name(), "refused": error.to_string() }),
    }
}

fn text(rows: &[(Protocol, Result<Row, SpmmError>)], best: Protocol) -> String {
    let mut table = Table::new(&[
        "protocol",
        "offline",
        "a round",
        "whole job",
        "time",
        "ℓ",
        "κ × N",
    ]);
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
                    p.ring_bits.to_string(),
                    format!("{} × {}", p.glwe_dimension, p.polynomial_size),
                ]);
            }
            Err(error) => refused.push_str(&format!("\n{}: {error}", protocol.name())),
        }
    }
    format!("{table}\nPicked: {}{refused}", best.name())
}
