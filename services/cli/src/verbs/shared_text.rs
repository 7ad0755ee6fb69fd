//! What both platforms say about a job, in words.

use s3rec_wire::v1;

use crate::output::{Table, bytes, count, duration, name};

pub(super) fn state(state: v1::JobState) -> String {
    name(state.as_str_name(), "JOB_STATE")
}

/// What is trained, in one line.
pub(super) fn model_words(model: Option<&v1::ModelSettings>, protocol: v1::Protocol) -> String {
    let protocol = name(protocol.as_str_name(), "PROTOCOL");
    match model {
        None => protocol,
        Some(model) => format!(
            "{protocol}, {}, {}, rank {}, {} rounds",
            name(model.solver().as_str_name(), "SOLVER"),
            name(model.operator().as_str_name(), "OPERATOR"),
            model.rank,
            model.rounds
        ),
    }
}

pub(super) fn cost_rows(offline: Option<&v1::Cost>, online: Option<&v1::Cost>) -> Table {
    let titles = ["phase", "time", "to social", "to rating", "messages"];
    [("offline", offline), ("online", online)].into_iter().fold(
        Table::new(&titles),
        |table, (phase, cost)| {
            let cost = cost.copied().unwrap_or_default();
            table.row(&[
                phase.into(),
                duration(cost.seconds),
                bytes(cost.bytes_to_social),
                bytes(cost.bytes_to_rating),
                count(cost.messages),
            ])
        },
    )
}

pub(super) fn parameters(chosen: &v1::ProductParameters) -> String {
    format!(
        "{} common users; ℓ = {} bits, N = {}, κ = {}, noise {} bits, {} bits dropped, {} rows a \
         response; {}-bit security, 2^-{} statistical\n",
        count(u64::from(chosen.users)),
        chosen.ring_bits,
        chosen.polynomial_size,
        chosen.glwe_dimension,
        chosen.noise_bits,
        chosen.dropped_body_bits,
        chosen.rows_per_response,
        chosen.security_bits,
        chosen.statistical_bits
    )
}

/// One disclosure with everything it says.
pub(super) fn disclosure(shown: &v1::Disclosure) -> String {
    let release = shown.release_policy.unwrap_or_default();
    let mut text = format!(
        "{} openings ({}) of {} values in all over {} common users, pattern policy {}, {} with {}\n",
        shown.openings,
        name(release.kind().as_str_name(), "RELEASE_KIND"),
        count(shown.opened_values),
        count(u64::from(shown.common_users)),
        name(shown.pattern_policy().as_str_name(), "PATTERN_POLICY"),
        bytes(shown.bytes),
        if shown.peer.is_empty() {
            "the other platform"
        } else {
            &shown.peer
        },
    );
    for statement in &shown.statements {
        text.push_str(&format!("  {statement}\n"));
    }
    text
}

pub(super) fn disclosures(all: &[v1::Disclosure]) -> String {
    if all.is_empty() {
        return "Nothing was opened.".into();
    }
    all.iter()
        .map(|one| format!("job {}: {}", one.job_id, disclosure(one)))
        .collect()
}

/// Stocks of masked columns, one in a line.
pub(super) fn stocks(all: &[v1::Stock]) -> String {
    if all.is_empty() {
        return "No job has had a stock of columns.".into();
    }
    let titles = [
        "job", "state", "columns", "made", "used", "left", "identity",
    ];
    let table = all.iter().fold(Table::new(&titles), |table, stock| {
        let identity: String = stock
            .identity
            .iter()
            .take(8)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        table.row(&[
            stock.job_id.clone(),
            name(stock.state().as_str_name(), "STOCK_STATE"),
            count(stock.columns),
            count(stock.columns_made),
            count(stock.columns_used),
            count(stock.columns_left),
            identity,
        ])
    });
    table.to_string()
}
