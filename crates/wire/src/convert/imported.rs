//! Imports: how a file is to be read, and what was found in it.

use s3rec_data::{
    FactorReport, FileHeader, FilePart, ImportedFactors, ImportedLinks, ImportedRatings,
    LinkReport, RatingReport, Reading, RosterReport, Scale, Suspicion, SuspicionKind,
};

use crate::v1;

alike!(part_to_wire, part_from_wire: FilePart { kind, file_name, length, column }, FilePart);

// Nothing of it is checked.
alike!(pub file_header_to_wire, file_header_from_wire: FileHeader {
    file_name, dataset, delimiter, has_header, no_header, index_column, decimal_comma, drop_missing,
    scale_min, scale_max, drop_out_of_scale, counts, gzip, fold_case, user_column, item_column,
    rating_column, timestamp_column, truster_column, trustee_column, weight_column, adjacency,
    undirected, any_weight, lineage, ratings, length, digest, parts each (part_to_wire, part_from_wire),
}, FileHeader);

/// The message; only for the platform's own operators.
#[must_use]
pub fn imported_ratings_to_wire(imported: ImportedRatings) -> v1::ImportRatingsResponse {
    let report = imported.report;
    v1::ImportRatingsResponse {
        dataset: imported.dataset,
        users: report.users as u64,
        items: report.items as u64,
        ratings: report.ratings as u64,
        duplicates: report.duplicates_merged,
        out_of_scale: report.out_of_scale_dropped,
        scale_min: report.scale.min.into(),
        scale_max: report.scale.max.into(),
        mean_rating: report.mean,
        rows: report.rows,
        density: report.density,
        conflicting_duplicates: report.duplicates_conflicting,
        timestamped: imported.is_timestamped,
        missing: report.missing_dropped,
        roster: report.roster.as_ref().map(roster_to_wire),
        reading: Some(v1::DataReading {
            sample_items: report.sample_items,
            ..reading_to_wire(report.reading)
        }),
    }
}

/// Reads what versions before schema 7 stored.
#[must_use]
pub fn imported_ratings_from_wire(message: v1::ImportRatingsResponse) -> ImportedRatings {
    let (reading, sample_items) = reading_from_wire(message.reading);
    ImportedRatings {
        dataset: message.dataset,
        is_timestamped: message.timestamped,
        report: RatingReport {
            rows: message.rows,
            users: size(message.users),
            items: size(message.items),
            ratings: size(message.ratings),
            density: message.density,
            scale: Scale {
                min: single(message.scale_min),
                max: single(message.scale_max),
            },
            mean: message.mean_rating,
            duplicates_merged: message.duplicates,
            duplicates_conflicting: message.conflicting_duplicates,
            out_of_scale_dropped: message.out_of_scale,
            missing_dropped: message.missing,
            roster: message.roster.map(roster_from_wire),
            reading,
            sample_items,
        },
    }
}

/// The message; only for the platform's own operators.
#[must_use]
pub fn imported_links_to_wire(imported: ImportedLinks) -> v1::ImportLinksResponse {
    let report = imported.report;
    let users = report.users as f64;
    v1::ImportLinksResponse {
        dataset: imported.dataset,
        users: report.users as u64,
        links: report.links as u64,
        duplicates: report.duplicates_merged,
        self_links: report.self_links_dropped,
        rows: report.rows,
        density: report.links as f64 / (users * (users - 1.0)).max(1.0),
        not_positive: report.not_positive_dropped,
        largest_degree: imported.largest_degree,
        missing: report.missing_dropped,
        reversed: report.reversed_added,
        empty_lists: report.empty_lists,
        roster: report.roster.as_ref().map(roster_to_wire),
        reading: Some(reading_to_wire(report.reading)),
    }
}

/// Reads what versions before schema 7 stored.
#[must_use]
pub fn imported_links_from_wire(message: v1::ImportLinksResponse) -> ImportedLinks {
    ImportedLinks {
        dataset: message.dataset,
        largest_degree: message.largest_degree,
        report: LinkReport {
            rows: message.rows,
            users: size(message.users),
            links: size(message.links),
            duplicates_merged: message.duplicates,
            self_links_dropped: message.self_links,
            not_positive_dropped: message.not_positive,
            missing_dropped: message.missing,
            reversed_added: message.reversed,
            empty_lists: message.empty_lists,
            roster: message.roster.map(roster_from_wire),
            reading: reading_from_wire(message.reading).0,
        },
    }
}

/// The message; only for the platform's own operators.
#[must_use]
pub fn imported_factors_to_wire(imported: ImportedFactors) -> v1::ImportFactorsResponse {
    let report = imported.report;
    v1::ImportFactorsResponse {
        dataset: imported.dataset,
        ratings: imported.ratings,
        users: report.users as u64,
        zero_users: report.zero_users as u64,
        items: report.items as u64,
        width: u32::try_from(report.width).unwrap_or(u32::MAX),
        reading: Some(v1::DataReading {
            read_as: report.read_as,
            sample_users: report.sample_users,
            sample_items: report.sample_items,
            ..v1::DataReading::default()
        }),
    }
}

/// Reads what versions before schema 7 stored.
#[must_use]
pub fn imported_factors_from_wire(message: v1::ImportFactorsResponse) -> ImportedFactors {
    let (reading, sample_items) = reading_from_wire(message.reading);
    ImportedFactors {
        dataset: message.dataset,
        ratings: message.ratings,
        report: FactorReport {
            users: size(message.users),
            items: size(message.items),
            width: message.width as usize,
            zero_users: size(message.zero_users),
            read_as: reading.read_as,
            sample_users: reading.sample_users,
            sample_items,
        },
    }
}

fn reading_to_wire(reading: Reading) -> v1::DataReading {
    let suspicions = reading.suspicions.into_iter().map(|one| v1::DataSuspicion {
        kind: one.kind.name().into(),
        text: one.to_string(),
        field: one.field,
        count: one.count,
        of: one.of,
        example: one.example,
    });
    v1::DataReading {
        suspicions: suspicions.collect(),
        read_as: reading.read_as,
        comment_lines: reading.comment_lines,
        sample_users: reading.sample_users,
        sample_items: Vec::new(),
    }
}

/// With the sample of items. A suspicion that there is not is left out.
fn reading_from_wire(message: Option<v1::DataReading>) -> (Reading, Vec<String>) {
    let message = message.unwrap_or_default();
    let suspicions = message.suspicions.into_iter().filter_map(|one| {
        Some(Suspicion {
            kind: SuspicionKind::named(&one.kind)?,
            field: one.field,
            count: one.count,
            of: one.of,
            example: one.example,
        })
    });
    let reading = Reading {
        suspicions: suspicions.collect(),
        read_as: message.read_as,
        comment_lines: message.comment_lines,
        sample_users: message.sample_users,
    };
    (reading, message.sample_items)
}

fn roster_to_wire(report: &RosterReport) -> v1::RosterSummary {
    v1::RosterSummary {
        rows: report.rows,
        users: report.users as u64,
        only_listed: report.only_listed as u64,
        not_listed: report.not_listed as u64,
        duplicates: report.duplicates_merged,
    }
}

fn roster_from_wire(message: v1::RosterSummary) -> RosterReport {
    RosterReport {
        rows: message.rows,
        users: size(message.users),
        duplicates_merged: message.duplicates,
        only_listed: size(message.only_listed),
        not_listed: size(message.not_listed),
        reading: Reading::default(),
    }
}

fn size(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "ratings are single precision; what was stored came from one"
)]
fn single(number: f64) -> f32 {
    number as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading() -> Reading {
        Reading {
            read_as: "text".into(),
            comment_lines: 2,
            sample_users: vec!["ann".into()],
            suspicions: vec![Suspicion {
                kind: SuspicionKind::LeadingZeros,
                field: "user".into(),
                count: 9,
                of: 30,
                example: "01".into(),
            }],
        }
    }

    fn roster() -> RosterReport {
        RosterReport {
            rows: 5,
            users: 4,
            duplicates_merged: 1,
            only_listed: 2,
            not_listed: 3,
            reading: Reading::default(),
        }
    }

    #[test]
    fn what_was_found_is_told_in_words_and_survives_the_wire() {
        let ratings = ImportedRatings {
            dataset: "ratings".into(),
            is_timestamped: true,
            report: RatingReport {
                rows: 11,
                users: 3,
                items: 4,
                ratings: 9,
                density: 0.75,
                scale: Scale { min: 0.5, max: 5.0 },
                mean: 3.25,
                duplicates_merged: 1,
                duplicates_conflicting: 2,
                out_of_scale_dropped: 6,
                missing_dropped: 7,
                roster: Some(roster()),
                reading: reading(),
                sample_items: vec!["film".into()],
            },
        };
        let message = imported_ratings_to_wire(ratings.clone());
        assert_eq!(imported_ratings_from_wire(message.clone()), ratings);
        let one = &message.reading.unwrap().suspicions[0];
        assert_eq!((one.kind.as_str(), one.count), ("leading-zeros", 9));
        assert!(one.text.starts_with("9 of 30 user ids"), "{}", one.text);

        let links = ImportedLinks {
            dataset: "links".into(),
            largest_degree: 8,
            report: LinkReport {
                rows: 11,
                users: 3,
                links: 4,
                duplicates_merged: 1,
                self_links_dropped: 2,
                not_positive_dropped: 6,
                missing_dropped: 7,
                reversed_added: 9,
                empty_lists: 10,
                roster: Some(roster()),
                reading: reading(),
            },
        };
        let message = imported_links_to_wire(links.clone());
        assert_eq!(message.density, 4.0 / 6.0);
        assert_eq!(imported_links_from_wire(message), links);

        let factors = ImportedFactors {
            dataset: "factors".into(),
            ratings: "ratings".into(),
            report: FactorReport {
                users: 3,
                items: 4,
                width: 5,
                zero_users: 1,
                read_as: "numpy".into(),
                sample_users: vec!["ann".into()],
                sample_items: vec!["film".into()],
            },
        };
        let message = imported_factors_to_wire(factors.clone());
        assert_eq!(imported_factors_from_wire(message), factors);
    }
}
