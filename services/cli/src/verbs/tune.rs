//! `s3rec tune`: settings for a data set, every opening counted before it would be made.

use s3rec_bench::search::{SearchEvent, SearchReport, search};
use s3rec_model::tune::TuneSettings;

use super::learning::fold;
use super::records::json;
use crate::arguments::TuneArgs;
use crate::failure::Failure;
use crate::output::{Output, Table, count, note};

/// Searches around a preset.
///
/// # Errors
/// Unreadable data or settings that do not fit them.
pub fn tune(arguments: &TuneArgs, output: Output) -> Result<(), Failure> {
    let (preset, fold) = fold(&arguments.files, arguments.preset, arguments.seed)?;
    let settings = TuneSettings {
        candidates: arguments.trials as usize,
        social_runs: arguments.social_runs as usize,
        seed: arguments.seed,
        ..TuneSettings::default()
    };
    let report = search(&fold, &preset, settings, |event| note(&words(&event)))?;
    output.value(&json(&report)?, || text(&report))
}

fn words(event: &SearchEvent<'_>) -> String {
    match event {
        SearchEvent::WithoutSocial(candidates) => {
            format!("{candidates} settings without the social term: no openings")
        }
        SearchEvent::Budget(budget) => format!(
            "{} social runs: {} openings, {} values opened if run securely",
            budget.runs,
            budget.openings,
            count(budget.opened_values),
        ),
        SearchEvent::Social {
            run,
            settings,
            opened_values,
        } => format!(
            "social run {run}: γ {:.3}, bias γ {:.3}; {} openings, {} values",
            settings.social_weight,
            settings.social_bias_weight,
            settings.openings,
            count(*opened_values),
        ),
    }
}

fn text(report: &SearchReport) -> String {
    let mut local = Table::new(&["without social term", "rank", "λ_u", "λ_v", "λ_b", "λ_c"]);
    for trial in &report.without_social {
        let s = &trial.settings;
        local = local.row(&[
            format!("{:.4}", trial.rmse),
            s.rank.to_string(),
            format!("{:.2}", s.user_decay),
            format!("{:.2}", s.item_decay),
            format!("{:.2}", s.user_bias_decay),
            format!("{:.2}", s.item_bias_decay),
        ]);
    }
    let mut social = Table::new(&[
        "with social term",
        "γ",
        "bias γ",
        "openings",
        "values opened",
    ]);
    for trial in &report.social {
        social = social.row(&[
            format!("{:.4}", trial.rmse),
            format!("{:.2}", trial.settings.social_weight),
            format!("{:.2}", trial.settings.social_bias_weight),
            trial.openings.to_string(),
            count(trial.opened_values),
        ]);
    }
    let held_out = &report.held_out;
    format!(
        "RMSE on validation ratings\n{local}\n{social}\n\
         {} openings and {} values in all if run securely\n\
         held-out RMSE: searched around {:.4}, chosen {:.4}, chosen without social term {:.4}",
        report.budget.openings,
        count(report.budget.opened_values),
        held_out.base_rmse,
        held_out.chosen_rmse,
        held_out.no_social_rmse,
    )
}
