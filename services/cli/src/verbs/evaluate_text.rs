//! An evaluation in words.

use s3rec_model::evaluate::{Bucket, EvaluationReport, Interval, ModelQuality};

use crate::output::Table;

/// The tables, what is social of the gain, and the warnings.
pub(super) fn text(report: &EvaluationReport) -> String {
    let quality = &report.quality;
    let models = [
        ("global mean", &quality.global_mean),
        ("biases", &quality.biases),
        ("no social term", &quality.no_social),
        ("placebo (links rewired)", &quality.placebo),
        ("social", &quality.social),
    ];
    let titles = "mean ± std over folds | RMSE | MAE | RMSE, cold users";
    let table = models
        .iter()
        .fold(Table::new(titles), |table, (name, model)| {
            table.row(&row(name, model))
        });
    let mut text = format!(
        "{} folds; one secure run makes {} openings\n{table}\n{}\n{}",
        report.folds,
        report.openings,
        gains(report),
        friends(&models)
    );
    if let Some(settings) = &report.settings.ranking {
        text.push_str(&format!(
            "\nLists of {}; means over folds\n{}",
            settings.cutoff,
            lists(&models)
        ));
    }
    for warning in &report.warnings {
        text.push_str(&format!("\n! {warning}"));
    }
    text
}

/// Differences over the folds, paired, with their intervals.
fn gains(report: &EvaluationReport) -> Table {
    let titles = "gain, mean (95 % over folds) | RMSE | MAE | RMSE, cold users | NDCG | NDCG, cold \
         users";
    let rows = [
        ("social: links over rewired links", &report.social_gain),
        ("not social: rewired links over none", &report.placebo_gain),
        ("together: links over none", &report.total_gain),
    ];
    rows.iter().fold(Table::new(titles), |table, (name, gain)| {
        let shown = |interval: Option<Interval>| {
            interval.map_or_else(
                || "–".to_owned(),
                |i| format!("{:+.5} ({:+.5} to {:+.5})", i.mean, i.low, i.high),
            )
        };
        table.row(&[
            (*name).to_owned(),
            shown(gain.rmse),
            shown(gain.mae),
            shown(gain.cold_rmse),
            shown(gain.ndcg_10),
            shown(gain.cold_ndcg_10),
        ])
    })
}

/// Errors by number of friends, with and without the social term.
fn friends(models: &[(&str, &ModelQuality)]) -> Table {
    let titles = "model | friends | held-out ratings | RMSE | MAE";
    let learnt = models.iter().skip(1);
    learnt.fold(Table::new(titles), |table, (name, model)| {
        model.by_friends.iter().fold(table, |table, bucket| {
            table.row(&[
                (*name).to_owned(),
                range(bucket),
                format!("{:.0}", bucket.ratings),
                format!("{:.4}", bucket.accuracy.rmse),
                format!("{:.4}", bucket.accuracy.mae),
            ])
        })
    })
}

/// Ranking metrics of everybody, of cold-start users and by number of friends.
fn lists(models: &[(&str, &ModelQuality)]) -> Table {
    let titles = "model | users | NDCG | recall | hit rate | MRR | coverage";
    let mut table = Table::new(titles);
    for (name, model) in models {
        let groups = [
            ("all".to_owned(), model.ranking.map(|spread| spread.means())),
            (
                "cold".to_owned(),
                model.cold_ranking.map(|spread| spread.means()),
            ),
        ];
        let by_friends = model.by_friends.iter();
        let by_friends = by_friends.map(|bucket| {
            let who = format!("{} friends", range(bucket));
            (who, bucket.ranking)
        });
        for (who, metrics) in groups.into_iter().chain(by_friends) {
            let Some(metrics) = metrics else { continue };
            let shown = |value: f64| format!("{value:.4}");
            table = table.row(&[
                (*name).to_owned(),
                who,
                shown(metrics.ndcg),
                shown(metrics.recall),
                shown(metrics.hit_rate),
                shown(metrics.mrr),
                shown(metrics.coverage),
            ]);
        }
    }
    table
}

/// The bucket's numbers of friends.
fn range(bucket: &Bucket) -> String {
    match bucket.friends_to {
        Some(to) if to == bucket.friends_from => to.to_string(),
        Some(to) => format!("{}–{to}", bucket.friends_from),
        None => format!("{} or more", bucket.friends_from),
    }
}

fn row(name: &str, model: &ModelQuality) -> [String; 4] {
    let shown = |mean: f64, std: f64| format!("{mean:.4} ± {std:.4}");
    [
        name.to_owned(),
        shown(model.rmse.mean, model.rmse.std),
        shown(model.mae.mean, model.mae.std),
        model
            .cold_rmse
            .as_ref()
            .map_or_else(|| "–".to_owned(), |cold| shown(cold.mean, cold.std)),
    ]
}
