//! A finished job as a page: what it was worth, what it promises, what it showed, what it cost.

use s3rec_bench::report::{Grid, Report, Section};
use s3rec_wire::convert::cost_from_wire;
use s3rec_wire::v1;

use super::shared_text::model_words;
use crate::output::{bytes, count, moment, name};

/// The page of a job; `evaluation` compares a training's model with what it must beat, and P1's
/// largest resident set is known only to somebody at both platforms.
#[must_use]
pub(crate) fn page(
    report: &v1::JobReportResponse,
    evaluation: Option<&v1::EvaluateResponse>,
    social_peak_rss_bytes: Option<u64>,
) -> Report {
    let job = report.job.clone().unwrap_or_default();
    let mut sections = Vec::new();
    sections.extend(report.verdict.as_ref().map(worth));
    sections.extend(quality(report, evaluation));
    sections.extend(report.guarantee.as_ref().map(|of| promise(report, of)));
    sections.extend(report.disclosure.as_ref().map(given_away));
    sections.push(cost(report, social_peak_rss_bytes));
    sections.push(names(report, &job));
    sections.push(words(report));
    Report {
        title: format!("s3rec: job {}", job.job_id),
        headline: headline(report),
        origin: Vec::new(),
        sections,
    }
}

/// The verdict, or the error on what was held out.
fn headline(report: &v1::JobReportResponse) -> String {
    match (&report.verdict, &report.quality) {
        (Some(verdict), _) => verdict.sentence.clone(),
        (None, Some(quality)) => format!("Held-out RMSE {:.4}.", quality.rmse),
        (None, None) => "Finished; nothing was held out to measure.".into(),
    }
}

fn worth(verdict: &v1::Verdict) -> Section {
    let mut grid = Grid::new(
        "By users' own hidden ratings; the gain with its 95 % interval over users",
        "users judged as | users | measure | without friends | with | gain, from | to",
    );
    grid.rows = verdict.groups.iter().map(group).collect();
    Section::new("What it was worth")
        .lead(format!("For {}.", verdict.group))
        .grid(grid)
        .list(verdict.warnings.clone())
}

fn group(group: &v1::VerdictGroup) -> Vec<String> {
    let is_lists = group.task == "lists";
    vec![
        match group.group.as_str() {
            "cold" => "without ratings".into(),
            "warm" => "with most of theirs".into(),
            kept => format!("with {}", kept.trim_start_matches('k')),
        },
        count(group.users.into()),
        if is_lists { "NDCG@10" } else { "RMSE" }.into(),
        format!("{:.4}", group.without),
        format!("{:.4}", group.with),
        format!("{:+.4}", group.low),
        format!("{:+.4}", group.high),
    ]
}

/// Of a training: errors on the held-out ratings, beside what must be beaten.
fn quality(
    report: &v1::JobReportResponse,
    evaluation: Option<&v1::EvaluateResponse>,
) -> Option<Section> {
    let quality = report.quality.as_ref()?;
    let mut grid = Grid::new(
        &format!("On {} held-out ratings", count(quality.ratings)),
        "predictor | RMSE | MAE",
    );
    let compared = evaluation.cloned().unwrap_or_default();
    let rows = [
        ("global mean", compared.global_mean),
        ("biases", compared.biases),
        ("no social term", compared.no_social),
        ("this model", Some(*quality)),
    ];
    for (name, metrics) in rows {
        grid.rows.extend(metrics.map(|metrics| {
            vec![
                name.into(),
                format!("{:.4}", metrics.rmse),
                format!("{:.4}", metrics.mae),
            ]
        }));
    }
    Some(
        Section::new("Quality")
            .grid(grid)
            .list(report.warnings.clone()),
    )
}

fn promise(report: &v1::JobReportResponse, guarantee: &v1::Guarantee) -> Section {
    let mut grid = Grid::new("Its numbers", " | value");
    let mut row = |name: &str, value: String| grid.rows.push(vec![name.into(), value]);
    row("μ", guarantee.mu.to_string());
    row("ρ of zCDP", guarantee.rho.to_string());
    row(
        "ε",
        format!("{} at δ = {}", guarantee.epsilon, guarantee.delta),
    );
    row(
        "sensitivity to one link",
        format!("{:.4}", guarantee.sensitivity),
    );
    row("σ of the noise", format!("{:.4}", guarantee.sigma));
    let share = 100.0 * guarantee.key_switch_share;
    row("of μ spent by the encryption", format!("{share:.2} %"));
    let ceiling = 100.0 * guarantee.prior_ceiling_5_percent;
    row("prior that the promise is for", format!("{ceiling:.3} %"));
    if let Some(learnt) = &report.friends {
        row("users opened", count(learnt.opened.into()));
        row("of them for calibration", count(learnt.calibration.into()));
    }
    Section::new("What is promised")
        .lead(report.guarantee_statement.clone())
        .grid(grid)
}

fn given_away(shown: &v1::Disclosure) -> Section {
    let release = shown.release_policy.unwrap_or_default();
    Section::new("What was shown")
        .lead(format!(
            "{} of {} values over {} common users; release {}, pattern policy {}.",
            match shown.openings {
                1 => "One opening".to_owned(),
                openings => format!("{openings} openings"),
            },
            count(shown.opened_values),
            count(shown.common_users.into()),
            name(release.kind().as_str_name(), "RELEASE_KIND"),
            name(shown.pattern_policy().as_str_name(), "PATTERN_POLICY"),
        ))
        .text("The rating platform could have learnt:")
        .list(shown.own_statements.clone())
        .text("The social platform could have learnt:")
        .list(shown.statements.clone())
}

fn cost(report: &v1::JobReportResponse, social_peak_rss_bytes: Option<u64>) -> Section {
    let mut grid = Grid::new(
        "Payload counted at the channel",
        "phase | time | to social | to rating | messages",
    );
    for (phase, cost) in [("before", report.offline), ("openings", report.online)] {
        let cost = cost_from_wire(cost.unwrap_or_default());
        grid.rows.push(cost.row(phase).to_vec());
    }
    let social = social_peak_rss_bytes.map(bytes);
    let social = social.map_or_else(String::new, |used| format!(", social platform {used}"));
    Section::new("Cost").grid(grid).text(format!(
        "Largest resident set: rating platform {}{social}.",
        bytes(report.peak_rss_bytes)
    ))
}

/// Who, with what, and when.
fn names(report: &v1::JobReportResponse, job: &v1::JobSummary) -> Section {
    let mut grid = Grid::new("Names and dates, UTC", " | value");
    let mut row = |name: &str, value: String| {
        if !value.is_empty() {
            grid.rows.push(vec![name.into(), value]);
        }
    };
    row("job", job.job_id.clone());
    row("model", job.model_id.clone());
    row("data set", job.dataset.clone());
    row("its file, BLAKE3", report.data_digest.clone());
    row(
        "learnt from",
        format!(
            "{} ratings of {} items by {} users, scale {} to {}",
            count(report.ratings),
            count(report.items),
            count(report.users),
            report.scale_min,
            report.scale_max
        ),
    );
    row("settings", model_words(job.model.as_ref(), job.protocol()));
    if let Some(shown) = &report.disclosure {
        row("social platform", shown.peer.clone());
    }
    row("proposed", moment(job.created_unix_ms));
    if let Some(last) = &job.last_event {
        row("ended", moment(last.time_unix_ms));
    }
    Section::new("Names and dates").grid(grid)
}

/// What the words mean that are used.
fn words(report: &v1::JobReportResponse) -> Section {
    let of_friends = report.guarantee.is_some();
    let all = [
        (
            true,
            "opening: values that the rating platform gets to see, made from links of the social platform.",
        ),
        (
            true,
            "common users: those whom both platforms have, found without either showing the others.",
        ),
        (
            of_friends,
            "opened users: those whose friends' sums the rating platform gets, with noise: users with few \
             ratings and those for calibration.",
        ),
        (
            of_friends,
            "calibration: users with ratings, drawn at random once, on whom what friends tell is learnt \
             and judged.",
        ),
        (
            of_friends,
            "μ: how well one link can be told from none by whoever knows all else, in standard deviations \
             of the noise; it adds up in squares over all openings of the same links.",
        ),
        (
            of_friends,
            "NDCG@10: how far up a list of ten what a user really chose stands; 1 is best.",
        ),
        (
            true,
            "RMSE, MAE: root of the mean squared error, and mean absolute error, in rating points.",
        ),
        (
            true,
            "held out: ratings that the model has not seen, which it is judged by.",
        ),
    ];
    let shown = all.into_iter().filter(|(is_used, _)| *is_used);
    Section::new("Words").list(shown.map(|(_, text)| text.to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verdict_stands_above_everything_and_nothing_is_markup() {
        let report = v1::JobReportResponse {
            job: Some(v1::JobSummary {
                job_id: "0123".into(),
                dataset: "<films>".into(),
                created_unix_ms: 1_800_000_000_000,
                ..v1::JobSummary::default()
            }),
            guarantee: Some(v1::Guarantee {
                mu: 1.0,
                prior_ceiling_5_percent: 0.075,
                ..v1::Guarantee::default()
            }),
            guarantee_statement: "For each pair of users".into(),
            verdict: Some(v1::Verdict {
                sentence: "worth it for users with fewer than 5 ratings".into(),
                ..v1::Verdict::default()
            }),
            disclosure: Some(v1::Disclosure {
                openings: 1,
                own_statements: vec!["Which users both have".into()],
                ..v1::Disclosure::default()
            }),
            ..v1::JobReportResponse::default()
        };
        let page = page(&report, None, None).html();
        let at = |words: &str| {
            page.find(words)
                .unwrap_or_else(|| panic!("{words}: {page}"))
        };
        let order = [
            "worth it for users",
            "For each pair of users",
            "Which users both have",
            "Payload counted",
            "2027-01-15 08:00",
        ];
        let places = order.map(at);
        assert!(places.is_sorted(), "{places:?}");
        assert!(at("worth it for users") < at("<main>"));
        assert!(page.contains("7.500 %") && page.contains("&lt;films&gt;"));
        assert!(page.contains("prefers-color-scheme: dark"));
        assert!(!page.contains("RMSE</th>"), "no quality of a training");
    }
}
