//! A demonstration of one opening of friends' sums: what it promises, what it is worth, what it
//! cost.

use std::fmt;

use s3rec_bench::report::Report;
use s3rec_job::report::{Cost, DataUse, DatasetSize, FriendsRunReport, PeakMemory, VerdictReport};
use s3rec_wire::convert::{guarantee_from_wire, verdict_from_wire};
use s3rec_wire::v1;
use serde_json::{Value, json};

use super::summary::phase;
use crate::failure::Failure;
use crate::output::{Table, bytes, count};
use crate::verbs::job_page;

/// Everything that the report is made of.
pub(super) struct FriendsResults {
    pub(super) data: DataUse,
    pub(super) links: v1::ImportLinksResponse,
    pub(super) report: v1::JobReportResponse,
    pub(super) cost: v1::JobCostResponse,
    pub(super) given_away: v1::Disclosure,
}

/// A finished demonstration.
pub(super) struct FriendsSummary {
    report: FriendsRunReport,
    /// As the rating platform has it.
    told: v1::JobReportResponse,
    statement: String,
    learnt_by_social: Vec<String>,
    learnt_by_rating: Vec<String>,
}

impl FriendsSummary {
    pub(super) fn new(results: FriendsResults) -> Result<Self, Failure> {
        let FriendsResults {
            data,
            links,
            report,
            cost,
            given_away,
        } = results;
        let missing = |missing| Failure::Incomplete { missing };
        let guarantee = report.guarantee.ok_or(missing("the guarantee"))?;
        let parameters = report
            .friends_parameters
            .ok_or(missing("the parameters of the opening"))?;
        let learnt = report.friends.clone().ok_or(missing("what was learnt"))?;
        let verdict = report.verdict.clone().ok_or(missing("the verdict"))?;
        let disclosure = report.disclosure.clone().unwrap_or_default();
        Ok(Self {
            told: report.clone(),
            report: FriendsRunReport {
                dataset: DatasetSize {
                    users: report.users,
                    items: report.items,
                    ratings: report.ratings,
                    links: Some(links.links),
                    common_users: disclosure.common_users.into(),
                },
                data: Some(data),
                protocol: "noise-first".into(),
                operator: "friends".into(),
                two_sided: parameters.sides() == v1::Sides::Two,
                opened: parameters.opened.into(),
                uploaded: parameters.uploaded.into(),
                columns: parameters.columns.into(),
                guarantee: guarantee_from_wire(guarantee),
                calibration: learnt.calibration.into(),
                gain: learnt.gain,
                standard_error: learnt.standard_error,
                is_used: learnt.is_used,
                verdict: verdict_from_wire(verdict),
                cost: Cost {
                    offline: phase(report.offline),
                    online: phase(report.online),
                },
                opened_values: disclosure.opened_values,
                peak_rss_bytes: PeakMemory {
                    rating: Some(report.peak_rss_bytes),
                    social: Some(cost.peak_rss_bytes),
                },
            },
            statement: report.guarantee_statement,
            learnt_by_social: disclosure.statements,
            learnt_by_rating: given_away.statements,
        })
    }

    /// As a page.
    pub(super) fn page(&self) -> Report {
        job_page::page(&self.told, None, self.report.peak_rss_bytes.social)
    }

    /// What `report.json` holds.
    pub(super) fn to_json(&self) -> Value {
        json!(self.report)
    }
}

impl fmt::Display for FriendsSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let report = &self.report;
        let data = &report.dataset;
        writeln!(
            f,
            "\n{} ratings of {} items by {} users; {} links; {} common users",
            count(data.ratings),
            count(data.items),
            count(data.users),
            data.links.map_or("–".into(), count),
            count(data.common_users),
        )?;
        writeln!(
            f,
            "noise-first, friends, {}: {} users opened over {}, {} numbers each, noise of {:.3}\n",
            if report.two_sided {
                "two-sided"
            } else {
                "one-sided"
            },
            count(report.opened),
            count(report.uploaded),
            report.columns,
            report.guarantee.sigma
        )?;
        writeln!(f, "Guarantee: {}\n", self.statement)?;
        writeln!(f, "Verdict: {}", report.verdict.sentence)?;
        for warning in &report.verdict.warnings {
            writeln!(f, "  {warning}")?;
        }
        writeln!(f, "{}", verdict_groups(&report.verdict))?;
        let table = Table::new("cost | time | to social | to rating | messages")
            .row(&report.cost.offline.row("before"))
            .row(&report.cost.online.row("the opening"));
        writeln!(f, "{table}")?;
        let memory = |used: Option<u64>| used.map_or("–".into(), bytes);
        writeln!(
            f,
            "Peak memory {} (rating), {} (social)\n\nOpened to the rating platform: {} values.",
            memory(report.peak_rss_bytes.rating),
            memory(report.peak_rss_bytes.social),
            count(report.opened_values)
        )?;
        for statement in self.learnt_by_rating.iter().chain(&self.learnt_by_social) {
            writeln!(f, "  {statement}")?;
        }
        Ok(())
    }
}

/// Who was judged, and what friends changed.
fn verdict_groups(verdict: &VerdictReport) -> Table {
    let header = "users judged as | users | by | without | with | 95 % of the gain";
    verdict
        .groups
        .iter()
        .fold(Table::new(header), |table, group| {
            table.row(&[
                match group.group.as_str() {
                    "cold" => "without ratings".into(),
                    "warm" => "with most of theirs".into(),
                    kept => format!("with {}", kept.trim_start_matches('k')),
                },
                count(group.users.into()),
                match group.task.as_str() {
                    "lists" => "NDCG@10".into(),
                    _ => "RMSE".into(),
                },
                format!("{:.4}", group.without),
                format!("{:.4}", group.with),
                format!("{:+.4} to {:+.4}", group.low, group.high),
            ])
        })
}
