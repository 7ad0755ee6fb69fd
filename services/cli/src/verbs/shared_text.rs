//! What both platforms say about a job, in words.

use s3rec_node::process::now_unix_ms;
use s3rec_wire::convert::cost_from_wire;
use s3rec_wire::v1;

use crate::client::short;
use crate::output::{Table, bytes, count, duration, name};

pub(super) fn state(state: v1::JobState) -> String {
    name(state.as_str_name(), "JOB_STATE")
}

/// Who is waited for and since when, for a status: empty when nobody is.
pub(super) fn waiting(event: &v1::JobEvent) -> String {
    let role = match event.waiting_for() {
        v1::Role::Unspecified => return String::new(),
        role => name(role.as_str_name(), "ROLE"),
    };
    if event.waiting_since_unix_ms == 0 {
        return role;
    }
    let waited = (now_unix_ms() - event.waiting_since_unix_ms).max(0);
    format!("{role}, for {}", duration(waited as f64 / 1000.0))
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
    let titles = "phase | time | to social | to rating | messages";
    [("offline", offline), ("online", online)].into_iter().fold(
        Table::new(titles),
        |table, (phase, cost)| {
            table.row(&cost_from_wire(cost.copied().unwrap_or_default()).row(phase))
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
    if let Some(overlap) = &shown.overlap {
        text.push_str(&format!(
            "  {} of the rating platform's {} users and the social platform's {} are common\n",
            count(overlap.common_users),
            count(overlap.rating_users),
            count(overlap.social_users)
        ));
    }
    if !shown.statements.is_empty() {
        text.push_str("  the other platform learnt:\n");
    }
    for statement in &shown.statements {
        text.push_str(&format!("    {statement}\n"));
    }
    text
}

pub(super) fn disclosures(all: &[v1::Disclosure]) -> String {
    if all.is_empty() {
        return "Nothing was opened.".into();
    }
    all.iter()
        .map(|one| format!("job {}: {}", short(&one.job_id), disclosure(one)))
        .collect()
}

/// What was opened over all jobs, by lineage.
pub(super) fn accounts(all: &[v1::Account]) -> String {
    let mut text = String::new();
    for account in all {
        let of = match (account.dataset.as_str(), account.lineage.as_slice()) {
            ("", lineage) => lineage.iter().map(|byte| format!("{byte:02x}")).collect(),
            (dataset, _) => dataset.to_owned(),
        };
        text.push_str(&format!("  so far of {of}, over all jobs:\n"));
        for statement in &account.statements {
            text.push_str(&format!("    {statement}\n"));
        }
    }
    text
}

/// Stocks of masked columns, one in a line.
pub(super) fn stocks(all: &[v1::Stock]) -> String {
    if all.is_empty() {
        return "No job has had a stock of columns.".into();
    }
    let titles = "job | state | columns | made | used | left | identity";
    let table = all.iter().fold(Table::new(titles), |table, stock| {
        let identity: String = stock
            .identity
            .iter()
            .take(8)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        table.row(&[
            short(&stock.job_id).to_owned(),
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
