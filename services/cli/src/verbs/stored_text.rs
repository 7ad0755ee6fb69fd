//! What both platforms have stored, and what of it was deleted, in words.

use s3rec_wire::v1;

use crate::output::{Table, bytes, count};

/// The data sets of a platform whose rows are `rows`.
pub(super) fn datasets(answer: &v1::ListDatasetsResponse, rows: &str) -> String {
    if answer.datasets.is_empty() {
        return "No data sets.".into();
    }
    let empty = Table::new(&format!(
        "data set | version | users | {rows} | file | used by"
    ));
    let table = answer.datasets.iter().fold(empty, |table, one| {
        table.row(&[
            one.dataset.clone(),
            one.version.to_string(),
            count(one.users),
            count(one.rows),
            bytes(one.bytes),
            used_by(one),
        ])
    });
    table.to_string()
}

/// One data set: what its import found, the file it came in, and who uses it.
pub(super) fn dataset(
    summary: Option<&v1::DatasetSummary>,
    header: Option<&v1::FileHeader>,
    imported: Option<String>,
) -> String {
    let mut text = imported.unwrap_or_default();
    if let Some(summary) = summary {
        text.push_str(&format!("\nversion {}", summary.version));
        let file = header.map(|header| header.file_name.as_str());
        if let Some(file) = file.filter(|file| !file.is_empty()) {
            text.push_str(&format!(", from {file} ({})", bytes(summary.bytes)));
        }
        match used_by(summary).as_str() {
            "" => text.push_str("; no job uses it"),
            jobs => text.push_str(&format!("; used by {jobs}")),
        }
    }
    text
}

fn used_by(summary: &v1::DatasetSummary) -> String {
    summary.jobs.join(", ")
}

pub(super) fn dataset_deleted(answer: &v1::DeleteDatasetResponse) -> String {
    format!("data set {} is deleted", answer.dataset)
}

pub(super) fn model_deleted(answer: &v1::DeleteModelResponse) -> String {
    format!(
        "model {} is deleted, and the copy of the ratings that it was served with",
        answer.model_id
    )
}

pub(super) fn job_deleted(answer: &v1::DeleteJobResponse) -> String {
    format!(
        "the details of job {} are deleted; what it disclosed stays counted",
        answer.job_id
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_set_tells_its_size_and_who_uses_it() {
        let mut one = v1::DatasetSummary {
            dataset: "films".into(),
            version: 3,
            users: 1508,
            rows: 35_494,
            bytes: 500_000,
            ..Default::default()
        };
        let header = v1::FileHeader {
            file_name: "films.tsv".into(),
            ..Default::default()
        };
        let text = dataset(
            Some(&one),
            Some(&header),
            Some("films: 35,494 ratings".into()),
        );
        assert!(
            text.starts_with("films: 35,494 ratings\nversion 3, from films.tsv"),
            "{text}"
        );
        assert!(text.ends_with("; no job uses it"), "{text}");
        one.jobs = vec!["j1".into(), "j2".into()];
        let text = datasets(
            &v1::ListDatasetsResponse {
                datasets: vec![one.clone()],
            },
            "ratings",
        );
        assert!(text.contains("35,494") && text.contains("j1, j2"), "{text}");
        let text = dataset(Some(&one), None, None);
        assert!(text.ends_with("version 3; used by j1, j2"), "{text}");
    }
}
