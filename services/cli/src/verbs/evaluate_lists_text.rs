//! An evaluation of lists in words.

use s3rec_model::evaluate::{ColdReport, Interval, ListScore, ListsReport, Spread};

use crate::output::Table;

/// The tables, what friends are worth, and the warnings.
pub(super) fn text(report: &ListsReport) -> String {
    let titles = "mean ± std over folds | users | NDCG | recall | hit rate | MRR | coverage";
    let models = [
        ("most popular", &report.quality.popularity),
        ("implicit ALS", &report.quality.no_social),
    ];
    let mut table = Table::new(titles);
    for (name, model) in models {
        for (who, metrics) in [("all", &model.ranking), ("cold", &model.cold_ranking)] {
            let Some(metrics) = metrics else { continue };
            let shown = |spread: Spread| format!("{:.4} ± {:.4}", spread.mean, spread.std);
            table = table.row(&[
                name.to_owned(),
                who.to_owned(),
                shown(metrics.ndcg),
                shown(metrics.recall),
                shown(metrics.hit_rate),
                shown(metrics.mrr),
                shown(metrics.coverage),
            ]);
        }
    }
    let cutoff = report.settings.ranking.cutoff;
    let mut text = format!(
        "Lists of {cutoff} over {} folds, by all items\n{table}\n",
        report.folds
    );
    if let (Some(cold), Some(settings)) = (&report.cold, &report.settings.cold) {
        text.push_str(&friends(report, cold, settings.mu));
    }
    for warning in &report.warnings {
        text.push_str(&format!("\n! {warning}"));
    }
    text
}

/// What one opening is worth, by the number of ratings a user has.
fn friends(report: &ListsReport, cold: &ColdReport, mu: Option<f64>) -> String {
    let titles = "ratings kept | users | popular | own | friends | exact | placebo | friends over \
         own (95 % over draws) | used";
    let groups = report.few.iter();
    let groups = groups.map(|(name, group)| (name.trim_start_matches('k'), group));
    let mut table = Table::new(titles);
    for (kept, group) in [("none", cold)].into_iter().chain(groups) {
        let shown = |score: ListScore| format!("{:.4}", score.ndcg_10.mean);
        table = table.row(&[
            kept.to_owned(),
            format!("{:.0}", group.users),
            shown(group.popularity),
            shown(group.own),
            shown(group.friends),
            shown(group.friends_exact),
            shown(group.placebo),
            interval(group.gain),
            format!("{:.0} %", 100.0 * group.gates_open.friends),
        ]);
    }
    let release = mu.map_or_else(
        || "exact".to_owned(),
        |mu| format!("μ = {mu}, σ = {:.3} of a friend's row", cold.sigma),
    );
    let mut text = format!(
        "\nUsers whose ratings were hidden, and one opening of friends' sums: {release}; {:.0} opened, \
         {:.0} of them to calibrate, {:.0} uploaded; NDCG, means over {} draws\n{table}\n",
        cold.opened, cold.calibration, cold.uploaded, cold.draws
    );
    let weighted = |score: ListScore| score.ndcg_10_reweighted.map(|spread| spread.mean);
    if let (Some(without), Some(with)) = (weighted(cold.own), weighted(cold.friends)) {
        text.push_str(&format!(
            "Weighted to those who truly have no ratings, by their number of friends: {without:.4} \
             without, {with:.4} with friends\n"
        ));
    }
    text
}

fn interval(interval: Option<Interval>) -> String {
    interval.map_or_else(
        || "–".to_owned(),
        |i| format!("{:+.4} ({:+.4} to {:+.4})", i.mean, i.low, i.high),
    )
}
