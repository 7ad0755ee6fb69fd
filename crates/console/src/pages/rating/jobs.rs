//! Jobs: those that are open as they go, what was over, and what it came to.

use maud::{Markup, html};
use s3rec_wire::v1;

use super::super::Frame;
use super::super::charts::{Curves, curves};
use super::super::live::{is_followed, progress};
use super::super::words::{
    bytes, count, duration, is_over, model_words, moment, name, relative, short, state,
};

/// All jobs.
#[must_use]
pub fn overview(frame: &Frame, jobs: &[v1::JobSummary]) -> Markup {
    let (ended, open): (Vec<_>, Vec<_>) = jobs
        .iter()
        .rev()
        .partition(|job| is_over(job.last_event.as_ref()));
    let body = html! {
        p { a.button href="/propose" { "Propose a job" } }
        h2 { "Open" }
        @if open.is_empty() { p.quiet { "Nothing waits or runs." } }
        @for (job, follows) in open.iter().zip(is_followed(open.iter().map(|job| job.last_event.as_ref()))) {
            section.card {
                h3 { a href={ "/job/" (job.job_id) } { (short(&job.job_id)) } " on " (job.dataset) }
                p.quiet { (model_words(job.model.as_ref(), job.protocol())) ", proposed " (relative(job.created_unix_ms)) }
                (progress(&job.job_id, &job.last_event.clone().unwrap_or_default(), follows, None))
            }
        }
        h2 { "Over" }
        @if ended.is_empty() { p.quiet { "Nothing." } } @else { (over(&ended)) }
    };
    frame.page("Jobs", "/", &body)
}

fn over(ended: &[&v1::JobSummary]) -> Markup {
    html! {
        div.scroll {
            table {
                thead { tr { th { "Job" } th { "State" } th { "Data set" } th { "Proposed" } th { "What" } th { "What happened last" } } }
                tbody {
                    @for job in ended {
                        @let event = job.last_event.clone().unwrap_or_default();
                        tr {
                            td { a href={ "/job/" (job.job_id) } { (short(&job.job_id)) } }
                            td { (state(Some(&event))) }
                            td { (job.dataset) }
                            td { (moment(job.created_unix_ms)) }
                            td.long { (model_words(job.model.as_ref(), job.protocol())) }
                            td.long { (event.message) }
                        }
                    }
                }
            }
        }
    }
}

/// One job: how it goes and what can be done, or what it came to.
#[must_use]
pub fn job(
    frame: &Frame,
    job: &v1::JobSummary,
    so_far: &Curves,
    report: Option<&v1::JobReportResponse>,
) -> Markup {
    let event = job.last_event.clone().unwrap_or_default();
    let body = html! {
        @match report {
            Some(report) => (result(job, report)),
            None if is_over(Some(&event)) => {
                p { "This job is " strong { (state(Some(&event))) } "." }
                p { (event.message) }
                p { a href="/propose" { "Propose anew" } }
            },
            None => {
                section.card { (progress(&job.job_id, &event, true, Some(so_far))) }
                (todo(frame, job, event.state()))
            },
        }
        h2 { "The proposal" }
        dl {
            dt { "Job" } dd { (job.job_id) }
            dt { "Data set" } dd { (job.dataset) }
            dt { "What" } dd { (model_words(job.model.as_ref(), job.protocol())) }
            dt { "Proposed" } dd { (moment(job.created_unix_ms)) }
        }
        @if is_over(Some(&event)) && job.model_id.is_empty() { (delete(frame, job)) }
    };
    let title = format!("Job {}", short(&job.job_id));
    frame.page(&title, "/", &body)
}

/// What can be done with an open job.
fn todo(frame: &Frame, job: &v1::JobSummary, state: v1::JobState) -> Markup {
    let place = format!("/job/{}", job.job_id);
    html! {
        @if job.begins_by_itself && state == v1::JobState::Proposed {
            p.card { "It waits for the social platform's people already, and begins by itself as soon as they approve." }
        } @else if matches!(state, v1::JobState::Proposed | v1::JobState::Approved) {
            form.card method="post" action={ (place) "/start" } {
                (frame.token())
                @if state == v1::JobState::Proposed {
                    p { "The social platform's people decide. The job can begin by itself as soon as they approve; until then no other one starts here." }
                    button.act type="submit" { "Start when approved" }
                } @else {
                    p { "Approved by the social platform." }
                    button.act type="submit" { "Start" }
                }
            }
        }
        form.card method="post" action={ (place) "/cancel" } {
            (frame.token())
            p { "Ends the job before its next opening. What was opened before stays counted." }
            label { "Why (the social platform's people read it)" input type="text" name="reason" maxlength="500"; }
            button.no type="submit" { "Cancel the job" }
        }
    }
}

fn delete(frame: &Frame, job: &v1::JobSummary) -> Markup {
    html! {
        form.card method="post" action={ "/job/" (job.job_id) "/delete" } {
            (frame.token())
            label {
                input type="checkbox" name="sure" value="yes" required;
                " Delete the details of this job. What it disclosed stays counted, and the audit log is never shortened."
            }
            button.no type="submit" { "Delete" }
        }
    }
}

/// What a finished job came to: the verdict first, then what it promises, showed and cost.
fn result(job: &v1::JobSummary, report: &v1::JobReportResponse) -> Markup {
    html! {
        p { "This job is " strong.good { "finished" } "." }
        @if let Some(verdict) = &report.verdict { (worth(verdict)) }
        @if let Some(quality) = &report.quality {
            h2 { "Quality" }
            p {
                "On " (count(quality.ratings)) " held-out ratings: RMSE " strong { (format!("{:.4}", quality.rmse)) }
                ", MAE " (format!("{:.4}", quality.mae)) ". "
                a href={ "/model/" (job.model_id) } { "Compare it with what it must beat" } "."
            }
        }
        (curves(&Curves::of(&report.rounds)))
        @for warning in &report.warnings { p.warning { (warning) } }
        @if !job.model_id.is_empty() {
            p { a.button href={ "/recommend?model=" (job.model_id) } { "Try recommendations" } }
        }
        @if let Some(guarantee) = &report.guarantee {
            h2 { "What is promised" }
            p { (report.guarantee_statement) }
            dl {
                dt { "μ" } dd { (format!("{:.4}", guarantee.mu)) }
                dt { "ε" } dd { (guarantee.epsilon) " at δ = " (guarantee.delta) }
                dt { "Noise, σ" } dd { (format!("{:.4}", guarantee.sigma)) }
                @if let Some(learnt) = &report.friends {
                    dt { "Users opened" } dd { (count(learnt.opened.into())) ", " (count(learnt.calibration.into())) " of them to learn from" }
                    dt { "Friends' estimate" }
                    dd {
                        (format!("NDCG@10 {:+.4} over popularity, standard error {:.4}: ", learnt.gain, learnt.standard_error))
                        @if learnt.is_used { "used for users without ratings" } @else { "not used, popularity does as well" }
                    }
                }
            }
        }
        @if let Some(shown) = &report.disclosure { (given_away(shown)) }
        (cost(report))
    }
}

fn worth(verdict: &v1::Verdict) -> Markup {
    html! {
        section.card {
            h2 { "Verdict" }
            p { strong.(if verdict.worth_it { "good" } else { "bad" }) { (verdict.sentence) } }
            p.quiet { "For " (verdict.group) "; the gain with its 95 % interval over users." }
            div.scroll {
                table {
                    thead {
                        tr {
                            th { "Users judged as" } th.number { "Users" } th { "Measure" } th.number { "Without friends" }
                            th.number { "With" } th.number { "Gain, from" } th.number { "to" }
                        }
                    }
                    tbody {
                        @for one in &verdict.groups {
                            tr {
                                td {
                                    @match one.group.as_str() {
                                        "cold" => "without ratings",
                                        "warm" => "with most of theirs",
                                        kept => { "with " (kept.trim_start_matches('k')) },
                                    }
                                }
                                td.number { (count(one.users.into())) }
                                td { @if one.task == "lists" { "NDCG@10" } @else { "RMSE" } }
                                td.number { (format!("{:.4}", one.without)) }
                                td.number { (format!("{:.4}", one.with)) }
                                td.number { (format!("{:+.4}", one.low)) }
                                td.number { (format!("{:+.4}", one.high)) }
                            }
                        }
                    }
                }
            }
            @for warning in &verdict.warnings { p.warning { (warning) } }
        }
    }
}

fn given_away(shown: &v1::Disclosure) -> Markup {
    let release = shown.release_policy.unwrap_or_default();
    html! {
        h2 { "What was shown" }
        p {
            @if shown.openings == 1 { "One opening" } @else { (shown.openings) " openings" }
            " of " (count(shown.opened_values)) " values over " (count(shown.common_users.into())) " common users; release "
            (name(release.kind().as_str_name(), "RELEASE_KIND")) ", pattern policy "
            (name(shown.pattern_policy().as_str_name(), "PATTERN_POLICY")) "."
        }
        p { "This platform could have learnt:" }
        ul { @for statement in &shown.own_statements { li { (statement) } } }
        p { "The social platform could have learnt:" }
        ul { @for statement in &shown.statements { li { (statement) } } }
    }
}

fn cost(report: &v1::JobReportResponse) -> Markup {
    html! {
        h2 { "Cost" }
        div.scroll {
            table {
                thead { tr { th { "Phase" } th.number { "Time" } th.number { "To social" } th.number { "To rating" } th.number { "Messages" } } }
                tbody {
                    @for (phase, cost) in [("before the openings", report.offline), ("openings", report.online)] {
                        @let cost = cost.unwrap_or_default();
                        tr {
                            td { (phase) }
                            td.number { (duration(cost.seconds)) }
                            td.number { (bytes(cost.bytes_to_social)) }
                            td.number { (bytes(cost.bytes_to_rating)) }
                            td.number { (count(cost.messages)) }
                        }
                    }
                }
            }
        }
        p.quiet { "Largest resident set here: " (bytes(report.peak_rss_bytes)) "." }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_that_begins_by_itself_has_no_second_button_to_start_it() {
        let frame = Frame {
            role: "rating",
            platform: "p".into(),
            person: "alice".into(),
            form_token: "t".into(),
        };
        let mut job = v1::JobSummary {
            job_id: "j".into(),
            ..v1::JobSummary::default()
        };
        let shown = |job: &v1::JobSummary| todo(&frame, job, v1::JobState::Proposed).into_string();
        assert!(shown(&job).contains("Start when approved"));
        job.begins_by_itself = true;
        let waiting = shown(&job);
        assert!(!waiting.contains("Start when approved"), "{waiting}");
        assert!(waiting.contains("waits for the social platform's people already"));
        assert!(waiting.contains("Cancel the job"));
    }
}
