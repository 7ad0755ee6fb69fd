//! A verdict in words.

use s3rec_model::Verdict;
use s3rec_model::verdict::{TaskVerdict, Weighted};

use crate::output::Table;

/// The sentence, the groups behind it, and what a reader should know.
pub(super) fn verdict_text(verdict: &Verdict) -> String {
    let details = &verdict.details;
    let mut text = format!("Verdict: {}\n", verdict.sentence);
    text.push_str(&format!(
        "by {} calibration users, each by what was learnt from others; for {} users with so few ratings, \
         {} of them with none\n",
        details.calibration, details.few, details.cold
    ));
    let ndcg = format!("NDCG@{}", details.cutoff);
    for (measure, task) in [(ndcg.as_str(), &details.lists), ("RMSE", &details.ratings)] {
        if let Some(task) = task {
            text.push_str(&table(measure, task).to_string());
            text.push('\n');
        }
    }
    for warning in &details.warnings {
        text.push_str(&format!("! {warning}\n"));
    }
    text
}

fn table(measure: &str, task: &TaskVerdict) -> Table {
    let mut table = Table::new(&format!(
        "{measure} | judged | without friends | with friends | gain, 95 % | used | weighted to whom it \
         is for"
    ));
    if let Some(few) = &task.few {
        table = table.row(&row(
            "fewer than 5, weighted",
            few,
            String::new(),
            String::new(),
        ));
    }
    for group in &task.groups {
        let name = match group.group.as_str() {
            "cold" => "no ratings".to_owned(),
            "warm" => "one in five hidden".to_owned(),
            kept => format!("{} kept", kept.trim_start_matches('k')),
        };
        let used = format!("{:.0} %", 100.0 * group.used);
        let weighted = group.reweighted.map_or_else(String::new, |weighted| {
            let (low, high) = (weighted.low, weighted.high);
            format!(
                "{:.4} → {:.4} ({low:+.4} to {high:+.4})",
                weighted.without, weighted.with
            )
        });
        table = table.row(&row(&name, &group.plain, used, weighted));
    }
    table
}

fn row(name: &str, figures: &Weighted, used: String, weighted: String) -> [String; 7] {
    [
        name.to_owned(),
        figures.users.to_string(),
        format!("{:.4}", figures.without),
        format!("{:.4}", figures.with),
        format!("{:+.4} to {:+.4}", figures.low, figures.high),
        used,
        weighted,
    ]
}
