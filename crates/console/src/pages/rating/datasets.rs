//! What was imported, and what the imports found.

use maud::{Markup, html};
use s3rec_wire::v1;

use super::super::Frame;
use super::super::words::{bytes, count, moment, short};

/// Every data set of ratings and of factors, with the report of its import.
#[must_use]
pub fn datasets(frame: &Frame, all: &[v1::ShowRatingsResponse]) -> Markup {
    let body = html! {
        @if all.is_empty() {
            p.quiet { "Nothing was imported yet. Import a file of user, item and rating with:" }
            pre { "s3rec rating import RATINGS" }
        }
        @for one in all { (dataset(one)) }
    };
    frame.page("Data sets", "/datasets", &body)
}

fn dataset(one: &v1::ShowRatingsResponse) -> Markup {
    let summary = one.dataset.clone().unwrap_or_default();
    let header = one.header.clone().unwrap_or_default();
    html! {
        section.card {
            h2 {
                (summary.dataset)
                @if one.factors.is_some() { span.quiet { " (factors)" } }
            }
            dl {
                @if let Some(found) = &one.imported { (ratings(found)) }
                @if let Some(found) = &one.factors { (factors(found)) }
                dt { "Read from" } dd { (header.file_name) ", " (bytes(summary.bytes)) }
                dt { "Imported" } dd { (moment(summary.imported_unix_ms)) ", version " (summary.version) }
                @if !summary.jobs.is_empty() {
                    dt { "Kept for jobs" }
                    dd { @for job in &summary.jobs { a href={ "/job/" (job) } { (short(job)) } " " } }
                }
            }
            @if let Some(reading) = one.imported.as_ref().and_then(|found| found.reading.as_ref())
                .or(one.factors.as_ref().and_then(|found| found.reading.as_ref())) { (read(reading)) }
        }
    }
}

fn ratings(found: &v1::ImportRatingsResponse) -> Markup {
    html! {
        dt { "Ratings" }
        dd {
            (count(found.ratings)) " of " (count(found.items)) " items by " (count(found.users)) " users, density "
            (format!("{:.3} %", 100.0 * found.density))
        }
        dt { "Scale" }
        dd { (found.scale_min) " to " (found.scale_max) ", mean " (format!("{:.3}", found.mean_rating)) }
        dt { "Times" } dd { @if found.timestamped { "every rating has one" } @else { "none" } }
        @if found.duplicates > 0 {
            dt { "Merged" }
            dd {
                (count(found.duplicates)) " rows named a pair again, "
                (count(found.conflicting_duplicates)) " with another value"
            }
        }
        @if found.out_of_scale > 0 { dt { "Dropped" } dd { (count(found.out_of_scale)) " rows outside the scale" } }
        @if found.missing > 0 { dt { "Dropped" } dd { (count(found.missing)) " rows without a rating" } }
        @if let Some(roster) = &found.roster {
            dt { "List of users" }
            dd {
                (count(roster.users)) " users, " (count(roster.only_listed)) " of them without a rating"
                @if roster.not_listed > 0 { "; " (count(roster.not_listed)) " with ratings are not in it" }
            }
        }
    }
}

fn factors(found: &v1::ImportFactorsResponse) -> Markup {
    html! {
        dt { "Vectors" }
        dd {
            (count(found.users)) " of users, " (count(found.items)) " of items, " (found.width) " values each"
            @if found.zero_users > 0 { "; " (count(found.zero_users)) " of users are zero" }
        }
        dt { "Of the ratings" } dd { (found.ratings) }
    }
}

/// How the file was read, and what was odd about it.
fn read(reading: &v1::DataReading) -> Markup {
    html! {
        p.quiet { (reading.read_as) }
        @if !reading.sample_users.is_empty() {
            p.quiet {
                "Users such as "
                @for id in reading.sample_users.iter().take(3) { code { (id) } " " }
                @if !reading.sample_items.is_empty() {
                    "; items such as "
                    @for id in reading.sample_items.iter().take(3) { code { (id) } " " }
                }
            }
        }
        @for odd in &reading.suspicions { p.warning { (odd.text) } }
    }
}
