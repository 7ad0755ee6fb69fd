//! `s3rec tune`: settings for a data set, every opening counted before it would be made.

use s3rec_bench::learning::LearningFold;
use s3rec_bench::search::{Reached, SearchEvent, SearchReport, search};
use s3rec_model::Preset;
use s3rec_model::evaluate::{RankingSettings, Relevance};
use s3rec_model::tune::{Criterion, TuneSettings};

use super::records::{json, write};
use super::sets;
use super::tune_lists::lists;
use crate::arguments::{CriterionChoice, PresetChoice, TaskChoice, TuneArgs};
use crate::failure::Failure;
use crate::output::{Output, Table, count, note};

/// Searches around a preset or a settings file.
///
/// # Errors
/// Unreadable data or settings that do not fit them.
pub fn tune(arguments: &TuneArgs, output: Output) -> Result<(), Failure> {
    let preset = arguments.settings.load(PresetChoice::Filmtrust);
    let sets = sets::read(&arguments.files)?;
    let fold = LearningFold::new(&sets.ratings, &sets.links, preset.operator, arguments.seed)?;
    let criterion = match arguments.criterion {
        CriterionChoice::Rmse => Criterion::Rmse,
        CriterionChoice::Ndcg => Criterion::Ndcg,
    };
    let settings = TuneSettings {
        candidates: arguments.trials as usize,
        social_runs: arguments.social_runs as usize,
        seed: arguments.seed,
        criterion,
        ranking: Some(ranking_of(arguments)).filter(|_| criterion == Criterion::Ndcg),
        ..TuneSettings::default()
    };
    if arguments.task == TaskChoice::Lists {
        let settings = TuneSettings {
            ranking: Some(ranking_of(arguments)),
            ..settings
        };
        let chosen = lists(arguments, preset, (&fold, &sets, &settings), output)?;
        return keep(arguments, &chosen);
    }
    let mut report = search(&fold, &preset, &settings, |event| note(&words(&event)))?;
    let name = arguments.files.ratings.display();
    report.chosen.name = format!("tuned on {name}");
    keep(arguments, &report.chosen)?;
    let mut document = json(&report)?;
    document["data"] = json(&sets.data)?;
    output.value(&document, || text(&report))
}

/// Writes the settings found, where asked to.
fn keep(arguments: &TuneArgs, chosen: &Preset) -> Result<(), Failure> {
    let Some(path) = &arguments.out else {
        return Ok(());
    };
    let file = toml::to_string(chosen);
    write(
        path,
        &file.map_err(|error| Failure::Usage(error.to_string()))?,
    )
}

/// How lists are judged.
fn ranking_of(arguments: &TuneArgs) -> RankingSettings {
    let usual = RankingSettings::default();
    RankingSettings {
        relevance: if arguments.files.reading.ratings.counts {
            Relevance::EveryHeldOut
        } else {
            usual.relevance
        },
        users: JUDGED_USERS,
        ..usual
    }
}

/// Enough to tell settings apart by their lists.
const JUDGED_USERS: usize = 500;

fn words(event: &SearchEvent<'_>) -> String {
    match event {
        SearchEvent::WithoutSocial(candidates) => {
            format!("{candidates} settings without links: no openings")
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
    let titles = "without links | NDCG | rank | λ_u | λ_v | λ_b | λ_c | ρ | activity | popularity";
    let mut local = Table::new(titles);
    let some = |value: Option<f64>, digits: usize| {
        value.map_or_else(|| "–".to_owned(), |value| format!("{value:.digits$}"))
    };
    for trial in &report.without_social {
        let s = &trial.settings;
        local = local.row(&[
            format!("{:.4}", trial.rmse),
            some(trial.ndcg, 4),
            s.rank.to_string(),
            format!("{:.2}", s.user_decay),
            format!("{:.2}", s.item_decay),
            format!("{:.2}", s.user_bias_decay),
            format!("{:.2}", s.item_bias_decay),
            some(s.implicit_ridge, 1),
            if s.activity_prior { "yes" } else { "no" }.to_owned(),
            some(s.popularity_weight, 1),
        ]);
    }
    let mut social = Table::new("with links | NDCG | γ | bias γ | openings | values opened");
    for run in &report.social {
        let trial = &run.trial;
        social = social.row(&[
            format!("{:.4}", trial.rmse),
            some(trial.ndcg, 4),
            format!("{:.2}", trial.settings.social_weight),
            format!("{:.2}", trial.settings.social_bias_weight),
            run.openings.to_string(),
            count(run.opened_values),
        ]);
    }
    let held_out = &report.held_out;
    let rows = [
        ("searched around, with links", &held_out.base),
        ("chosen, without links", &held_out.no_social),
        ("placebo: chosen, links rewired", &held_out.placebo),
        ("chosen, with links", &held_out.chosen),
    ];
    let reached = rows.iter().fold(
        Table::new("on ratings no choice was made by | RMSE | NDCG"),
        |table, (name, Reached { rmse, ndcg })| {
            table.row(&[(*name).to_owned(), format!("{rmse:.4}"), some(*ndcg, 4)])
        },
    );
    let verdict = if report.chosen.settings.is_social() {
        "what the links gain beyond the placebo is social; s3rec evaluate gives its interval"
    } else {
        "no run with links was better than the best without: the chosen settings use none"
    };
    format!(
        "RMSE on validation ratings\n{local}\n{social}\n\
         {} openings and {} values in all if run securely\n{reached}\n{verdict}",
        report.budget.openings,
        count(report.budget.opened_values),
    )
}
