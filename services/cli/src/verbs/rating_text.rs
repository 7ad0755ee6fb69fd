//! The rating platform's answers in words.

use std::path::Path;

use s3rec_node::process::now_unix_ms;
use s3rec_wire::v1;

use super::importing;
use super::shared_text::{cost_rows, disclosure, model_words, parameters, state, waiting};
use crate::client::{WrittenFriends, WrittenLists, WrittenModel, short};
use crate::output::{Table, bytes, count, duration, relative};

pub(super) fn imported(answer: &v1::ImportRatingsResponse) -> String {
    let mut text = format!(
        "{}: {} ratings of {} items by {} users, density {:.3} %, scale {} to {}, mean {:.3}",
        answer.dataset,
        count(answer.ratings),
        count(answer.items),
        count(answer.users),
        100.0 * answer.density,
        answer.scale_min,
        answer.scale_max,
        answer.mean_rating
    );
    if answer.duplicates > 0 {
        text.push_str(&format!(
            "\n{} rows named a pair again and were merged, {} with another value",
            count(answer.duplicates),
            count(answer.conflicting_duplicates),
        ));
    }
    if answer.out_of_scale > 0 {
        text.push_str(&format!(
            "\n{} rows outside the scale were dropped",
            count(answer.out_of_scale)
        ));
    }
    if answer.missing > 0 {
        text.push_str(&format!(
            "\n{} rows without a rating were dropped",
            count(answer.missing)
        ));
    }
    let roster = answer.roster.as_ref();
    text.push_str(&importing::roster_text(roster, "a rating"));
    text.push_str(&importing::reading_text(answer.reading.as_ref()));
    text
}

pub(super) fn imported_factors(answer: &v1::ImportFactorsResponse) -> String {
    let items = match answer.items {
        0 => "none of items, which are solved for from the ratings".to_owned(),
        items => format!("{} of items", count(items)),
    };
    let mut text = format!(
        "{}: vectors of {} values: {} of users, {items}",
        answer.dataset,
        answer.width,
        count(answer.users)
    );
    if answer.zero_users > 0 {
        let zero = count(answer.zero_users);
        text.push_str(&format!("\n{zero} users' vectors are zero and say nothing"));
    }
    text.push_str(&importing::reading_text(answer.reading.as_ref()));
    text
}

pub(super) fn jobs(answer: &v1::ListJobsResponse) -> String {
    let empty = Table::new(
        "job | data set | state | proposed | waiting for | training | what happened last",
    );
    let now = now_unix_ms();
    answer
        .jobs
        .iter()
        .fold(empty, |table, job| {
            let event = job.last_event.clone().unwrap_or_default();
            table.row(&[
                short(&job.job_id).to_owned(),
                job.dataset.clone(),
                state(event.state()),
                relative(job.created_unix_ms, now),
                waiting(&event),
                model_words(job.model.as_ref(), job.protocol()),
                event.message,
            ])
        })
        .to_string()
}

pub(super) fn report(answer: &v1::JobReportResponse) -> String {
    let mut text = String::new();
    if let Some(job) = &answer.job {
        let words = model_words(job.model.as_ref(), job.protocol());
        text.push_str(&format!("job {}: {words}\n", job.job_id));
    }
    text.push_str(&format!(
        "{} ratings of {} items by {} users\n",
        count(answer.ratings),
        count(answer.items),
        count(answer.users)
    ));
    if let Some(quality) = &answer.quality {
        text.push_str(&format!(
            "held out: RMSE {:.4}, MAE {:.4} over {} ratings\n",
            quality.rmse,
            quality.mae,
            count(quality.ratings)
        ));
    }
    text.push_str(&cost_rows(answer.offline.as_ref(), answer.online.as_ref()).to_string());
    if answer.guarantee.is_none() {
        text.push_str(&format!(
        "\npeak memory {}, values of U clipped {}, fixed point moves an opened value by {:.1e} at \
         most\n",
        bytes(answer.peak_rss_bytes),
        count(answer.saturations),
        answer.product_error_bound
    ));
    } else {
        text.push_str(&format!("\npeak memory {}\n", bytes(answer.peak_rss_bytes)));
    }
    if let Some(chosen) = &answer.parameters {
        text.push_str(&parameters(chosen));
    }
    if let (Some(guarantee), Some(learnt)) = (&answer.guarantee, &answer.friends) {
        text.push_str(&format!(
            "friends' sums of {} users ({} with ratings, to learn from), noise {:.4}\nguarantee: {}\n\
             friends' estimate: NDCG@10 {:+.4} over popularity, standard error {:.4}: {}\n",
            count(learnt.opened.into()),
            count(learnt.calibration.into()),
            guarantee.sigma,
            answer.guarantee_statement,
            learnt.gain,
            learnt.standard_error,
            if learnt.is_used {
                "used for users without ratings"
            } else {
                "not used, popularity does as well"
            }
        ));
    }
    if let Some(verdict) = &answer.verdict {
        text.push_str(&format!("verdict: {}\n", verdict.sentence));
    }
    if let Some(shown) = &answer.disclosure {
        text.push_str(&disclosure(shown));
    }
    if let Some(unit) = &answer.standardisation {
        text.push_str(&format!(
            "learnt from (rating - {:.4}) / {:.4}; popularity counts {} in lists\n",
            unit.centre, unit.spread, answer.popularity_weight
        ));
    }
    text + &warnings(&answer.warnings)
}

/// What a job that is finished came to, in a few lines.
pub(super) fn result(answer: &v1::JobReportResponse) -> String {
    let mut text = String::new();
    if let Some(quality) = &answer.quality {
        text.push_str(&format!(
            "held out: RMSE {:.4}, MAE {:.4} over {} ratings\n",
            quality.rmse,
            quality.mae,
            count(quality.ratings)
        ));
    }
    if let Some(verdict) = &answer.verdict {
        text.push_str(&format!("verdict: {}\n", verdict.sentence));
    }
    let (offline, online) = (
        answer.offline.unwrap_or_default(),
        answer.online.unwrap_or_default(),
    );
    let moved = [offline.bytes_to_social, offline.bytes_to_rating]
        .into_iter()
        .chain([online.bytes_to_social, online.bytes_to_rating])
        .fold(0_u64, u64::saturating_add);
    let openings = answer.disclosure.as_ref().map_or(0, |shown| shown.openings);
    text.push_str(&format!(
        "{openings} openings, {} in {}",
        bytes(moved),
        duration(offline.seconds + online.seconds)
    ));
    text + &warnings(&answer.warnings)
}

/// One line each.
fn warnings(warnings: &[String]) -> String {
    let lines = warnings.iter().map(|warning| format!("\n! {warning}"));
    lines.collect()
}

pub(super) fn models(answer: &v1::ListModelsResponse) -> String {
    let titles = "model | job | made | data set | users | items | RMSE | MAE";
    let empty = Table::new(titles);
    let now = now_unix_ms();
    answer
        .models
        .iter()
        .fold(empty, |table, model| {
            let quality = model.quality.unwrap_or_default();
            table.row(&[
                model.model_id.clone(),
                short(&model.job_id).to_owned(),
                relative(model.created_unix_ms, now),
                model.dataset.clone(),
                count(model.users),
                count(model.items),
                format!("{:.4}", quality.rmse),
                format!("{:.4}", quality.mae),
            ])
        })
        .to_string()
}

pub(super) fn written(written: &WrittenModel) -> String {
    format!(
        "model {}: {} users and {} items in {}, its card in {}",
        written.model_id,
        count(written.users as u64),
        count(written.items as u64),
        written.tensors.display(),
        written.card.display()
    )
}

pub(super) fn written_lists(written: &WrittenLists) -> String {
    format!(
        "model {}: lists of {} users, {} rows, in {}",
        written.model_id,
        count(written.users),
        count(written.rows),
        written.file.display()
    )
}

pub(super) fn written_friends(written: &WrittenFriends) -> String {
    let used = match written.is_used {
        true => "which beat popularity on calibration users",
        false => "which did not beat popularity on calibration users and is not used here",
    };
    format!(
        "what friends of {} users like, of model {}, in {}: noised sums of {} values (σ = {:.3}), and an \
         estimate of {} values, {used}",
        count(written.users),
        written.model_id,
        written.file.display(),
        written.columns,
        written.sigma,
        written.width,
    )
}

pub(super) fn calibration_users(users: u64, file: &Path) -> String {
    format!(
        "{} users are opened for calibration; their ids are in {}",
        count(users),
        file.display()
    )
}

pub(super) fn evaluation(answer: &v1::EvaluateResponse) -> String {
    let rows = [
        ("global mean", answer.global_mean),
        ("biases", answer.biases),
        ("no social term", answer.no_social),
        ("this model", answer.model),
    ];
    let empty = Table::new("predictor | RMSE | MAE | ratings");
    let table = rows
        .into_iter()
        .fold(empty, |table, (predictor, metrics)| match metrics {
            None => table.row(&[predictor.into(), "–".into(), "–".into(), "–".into()]),
            Some(metrics) => table.row(&[
                predictor.into(),
                format!("{:.4}", metrics.rmse),
                format!("{:.4}", metrics.mae),
                count(metrics.ratings),
            ]),
        });
    let warnings = warnings(&answer.warnings);
    format!("model {}\n{table}{warnings}", answer.model_id)
}

pub(super) fn prediction(answer: &v1::PredictResponse) -> String {
    let mut text = format!("{:.2}", answer.rating);
    for (known, what) in [(answer.known_user, "user"), (answer.known_item, "item")] {
        if !known {
            text.push_str(&format!("\nthe model does not know this {what}"));
        }
    }
    if let Some(parts) = &answer.parts {
        text.push_str(&format!(
            "\nmean {:.2}, user {:+.2}, item {:+.2}, taste {:+.2}, social {:+.2}",
            parts.global_mean, parts.user_bias, parts.item_bias, parts.taste, parts.social
        ));
    }
    text
}

pub(super) fn recommendations(answer: &v1::RecommendResponse) -> String {
    let empty = Table::new("item | score | rating | item's own | taste | social | popularity");
    let table = answer.items.iter().fold(empty, |table, item| {
        let parts = item.parts.unwrap_or_default();
        let rating = item.score - parts.popularity;
        table.row(&[
            item.item_id.clone(),
            format!("{:.3}", item.score),
            format!("{rating:.3}"),
            format!("{:+.3}", parts.item_bias),
            format!("{:+.3}", parts.taste),
            format!("{:+.3}", parts.social),
            format!("{:+.3}", parts.popularity),
        ])
    });
    if !answer.known_user {
        return format!("the model does not know this user: what people like in general\n{table}");
    }
    let of_friends = |item: &v1::Recommendation| item.parts.is_some_and(|p| p.social != 0.0);
    match answer.items.iter().any(of_friends) {
        true => format!(
            "{table}\nsocial is what your friends like, all of them together: who they are, this \
             platform does not know"
        ),
        false => table.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_import_tells_what_it_dropped() {
        let answer = v1::ImportRatingsResponse {
            dataset: "films".into(),
            ratings: 35_494,
            users: 1_508,
            items: 2_071,
            duplicates: 3,
            scale_min: 0.5,
            scale_max: 4.0,
            density: 35_494.0 / (1_508.0 * 2_071.0),
            ..Default::default()
        };
        let text = imported(&answer);
        assert!(text.starts_with("films: 35,494 ratings"), "{text}");
        assert!(text.contains("density 1.137 %"), "{text}");
        assert!(text.contains("3 rows named a pair again"), "{text}");
        assert!(!text.contains("outside"), "{text}");
    }

    #[test]
    fn a_list_says_whether_friends_have_a_part_in_it() {
        let of = |social: f64| {
            let parts = v1::ScoreParts {
                social,
                ..v1::ScoreParts::default()
            };
            recommendations(&v1::RecommendResponse {
                known_user: true,
                items: vec![v1::Recommendation {
                    parts: Some(parts),
                    ..v1::Recommendation::default()
                }],
                ..v1::RecommendResponse::default()
            })
        };
        assert!(of(0.25).contains("what your friends like"));
        assert!(!of(0.0).contains("your friends"));
    }

    #[test]
    fn warnings_end_what_is_said() {
        let evaluated = v1::EvaluateResponse {
            warnings: vec!["the biases predict better".into()],
            ..Default::default()
        };
        assert!(evaluation(&evaluated).ends_with("\n! the biases predict better"));
        let reported = v1::JobReportResponse {
            warnings: vec!["7 values were clipped".into()],
            ..Default::default()
        };
        assert!(report(&reported).ends_with("\n! 7 values were clipped"));
    }

    #[test]
    fn a_missing_metric_is_a_dash_not_a_zero() {
        let text = evaluation(&v1::EvaluateResponse::default());
        assert!(text.contains('–') && !text.contains("0.0000"), "{text}");
    }
}
