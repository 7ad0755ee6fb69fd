//! Pages and parts that both platforms have.

use maud::{Markup, html};
use s3rec_audit::Verified;
use s3rec_node::examine::{Certificate, Findings, Verdict};
use s3rec_wire::v1;

use super::Frame;
use super::charts::{bar, by_day};
use super::words::{bytes, count, moment, name, relative, short};

/// A certificate that ends sooner is shown as one to be replaced.
const SOON_MS: i64 = 14 * 24 * 60 * 60 * 1000;

/// Certificates with their ends, and what the doctor says of this platform.
#[must_use]
pub fn health(frame: &Frame, findings: &Findings, certificates: &[Certificate]) -> Markup {
    let now = s3rec_node::process::now_unix_ms();
    let body = html! {
        h2 { "Certificates" }
        @for one in certificates {
            @let end = one.not_after_unix_s.saturating_mul(1000);
            section.card {
                h3 { (one.what) }
                dl {
                    dt { "Ends" }
                    dd {
                        @if end - now < SOON_MS { span.bad { (relative(end)) } } @else { (relative(end)) }
                        span.quiet { ", " (moment(end)) }
                    }
                    dt { "Name" } dd { (one.name) }
                    dt { "Pin" } dd { code.long { (one.pin) } }
                }
            }
        }
        h2 { "What the doctor says" }
        @match findings.wrongs() {
            0 => p { span.good { "All is well" } " of what can be seen from here." },
            1 => p { span.bad { "One thing is wrong." } },
            wrong => p { span.bad { (wrong) " things are wrong." } },
        }
        dl.findings {
            @for line in findings.lines() {
                dt {
                    @match line.verdict {
                        Verdict::Ok => span.good { "OK" },
                        Verdict::Wrong => span.bad { "WRONG" },
                        Verdict::Skipped => span.quiet { "not seen" },
                    }
                    " " (line.check)
                }
                dd { (line.detail) @if !line.remedy.is_empty() { br; strong { (line.remedy) } } }
            }
        }
        p.quiet { "The link itself (bandwidth, round trip, clocks) is measured by " code { "s3rec doctor" } " at the rating platform." }
    };
    frame.page("Certificates and health", "/health", &body)
}

/// The audit log: whether it is sound, and its newest entries.
#[must_use]
pub fn audit(
    frame: &Frame,
    checked: &Result<Verified, String>,
    newest: &[(u64, String)],
) -> Markup {
    let body = html! {
        @match checked {
            Ok(verified) => p {
                span.good { "Sound." } " "
                (count(verified.entries.len() as u64)) " entries: every one holds the hash of the one before, and "
                "every signature fits. To compare it with the other platform's: "
                code { "s3rec audit verify --against" } "."
            },
            Err(what) => p role="alert" { span.bad { "Not sound." } " " (what) },
        }
        @if !newest.is_empty() {
            h2 { "Newest entries" }
            div.scroll {
                table {
                    thead { tr { th.number { "Entry" } th { "What" } } }
                    tbody { @for (number, line) in newest { tr { td.number { (number) } td { code.long { (line) } } } } }
                }
            }
        }
    };
    frame.page("Audit log", "/audit", &body)
}

/// What was opened, over all jobs and by job, whose pages are at `section`.
#[must_use]
pub fn disclosures(
    frame: &Frame,
    section: &str,
    shown: &[v1::Disclosure],
    over_all: &[v1::Account],
    budgets: &Markup,
) -> Markup {
    let mut by_date: Vec<&v1::Disclosure> = shown.iter().collect();
    by_date.sort_by_key(|one| std::cmp::Reverse(one.updated_unix_ms));
    let body = html! {
        h2 { "Over all jobs" }
        @if over_all.is_empty() { p.quiet { "Nothing was opened." } }
        (accounts(over_all))
        (budgets)
        (by_day(&days(shown)))
        @if !by_date.is_empty() {
            h2 { "By job" }
            div.scroll {
                table {
                    thead {
                        tr {
                            th { "Last opened" } th { "Job" } th { "With" } th.number { "Openings" }
                            th.number { "Values" } th.number { "Common users" } th { "Release" } th.number { "Bytes" }
                        }
                    }
                    tbody {
                        @for one in by_date {
                            @let release = one.release_policy.unwrap_or_default();
                            tr {
                                td { (moment(one.updated_unix_ms)) }
                                td { a href={ (section) (one.job_id) } { (short(&one.job_id)) } }
                                td { (one.peer) }
                                td.number { (count(u64::from(one.openings))) }
                                td.number { (count(one.opened_values)) }
                                td.number { (count(u64::from(one.common_users))) }
                                td { (name(release.kind().as_str_name(), "RELEASE_KIND")) }
                                td.number { (bytes(one.bytes)) }
                            }
                        }
                    }
                }
            }
        }
    };
    frame.page("Disclosures", "/disclosures", &body)
}

/// Values by day over all jobs, days ascending.
fn days(shown: &[v1::Disclosure]) -> Vec<(u32, u64)> {
    let mut by_day = std::collections::BTreeMap::<u32, u64>::new();
    for opened in shown.iter().flat_map(|one| &one.days) {
        let values = by_day.entry(opened.day).or_default();
        *values = values.saturating_add(opened.values);
    }
    by_day.into_iter().collect()
}

/// What was opened of each lineage of data, in words.
pub(super) fn accounts(all: &[v1::Account]) -> Markup {
    html! {
        @for account in all {
            section.card {
                h3 {
                    @match account.dataset.as_str() {
                        "" => "Links of one lineage",
                        dataset => (dataset),
                    }
                }
                ul { @for statement in &account.statements { li { (statement) } } }
            }
        }
    }
}

/// Limits, what is spent of each, and what a proposal would take on top.
#[must_use]
pub fn budgets(all: &[v1::Budget]) -> Markup {
    let mut datasets: Vec<&str> = all.iter().map(|one| one.dataset.as_str()).collect();
    datasets.dedup();
    html! {
        @for dataset in datasets {
            h3 { "Budget of " (dataset) }
            dl.budgets {
                @for one in all.iter().filter(|one| one.dataset == dataset) {
                    dt { (limit(one.limit())) }
                    dd {
                        (bar(one.spent, one.planned, one.most))
                        (amount(one.spent)) " of " (amount(one.most)) " spent"
                        @if one.planned > one.spent { ", " strong { (amount(one.planned)) } " with this and what is approved" }
                        @if one.planned > one.most { " – " span.bad { "beyond the limit" } }
                    }
                }
            }
        }
    }
}

fn limit(limit: v1::Limit) -> &'static str {
    match limit {
        v1::Limit::Columns => "columns opened",
        v1::Limit::Values => "values opened",
        v1::Limit::Uploads => "uploads answered",
        v1::Limit::Rho => "ρ of noised openings",
        v1::Limit::Epsilon => "ε of noised openings",
        v1::Limit::Mu => "√Σμ² of noised openings",
        v1::Limit::Intersections => "set intersections",
        v1::Limit::IdsAsked => "ids brought to them",
        v1::Limit::Unspecified => "a limit this version does not know",
    }
}

/// A whole number with commas, any other with three digits behind the point.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count that was a whole number before it was sent"
)]
fn amount(value: f64) -> String {
    match value.is_finite() && value >= 0.0 && value.fract() == 0.0 {
        true => count(value as u64),
        false => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_says_what_is_spent_and_what_would_be_too_much() {
        let one = |spent, planned| v1::Budget {
            dataset: "links".into(),
            limit: v1::Limit::Values.into(),
            spent,
            planned,
            most: 2000.0,
        };
        let within = budgets(&[one(1000.0, 1500.0)]).into_string();
        assert!(within.contains("1,000 of 2,000 spent") && within.contains("1,500"));
        assert!(!within.contains("beyond"), "{within}");
        assert!(
            budgets(&[one(0.5, 2001.0)])
                .into_string()
                .contains("beyond the limit")
        );
        assert!(
            budgets(&[one(0.5, 0.5)])
                .into_string()
                .contains("0.500 of 2,000 spent")
        );
    }
}
