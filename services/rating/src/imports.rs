//! Files of ratings: read once on the way in to refuse bad ones. A job keeps its own link to
//! the file, so that a later import under the same name does not change what it learns from.

use std::path::Path;

use s3rec_data::{Delimiter, Header, OutOfScale, RatingOptions, RatingSet, Scale};
use s3rec_node::spool;
use s3rec_node::store::Table;
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1;
use tokio::task::spawn_blocking;
use tonic::Streaming;

use crate::platform::Platform;

const DATASETS: Table = Table("datasets");
const HEADERS: Table = Table("headers");

/// Receives a file, reads it whole, and only then lets it take its name.
pub(crate) async fn import(
    platform: &Platform,
    chunks: Streaming<v1::FileChunk>,
) -> Result<v1::ImportRatingsResponse, Fault> {
    let directory = platform.ratings_dir();
    let spooled = spool::receive(chunks, &directory, platform.limits.import_bytes).await?;
    let header = spooled.header.clone();
    let (path, read_header) = (spooled.path().to_owned(), header.clone());
    let ratings = blocking(move || read(&path, &read_header)).await??;
    let report = &ratings.report;
    let response = v1::ImportRatingsResponse {
        dataset: header.dataset.clone(),
        users: report.users as u64,
        items: report.items as u64,
        ratings: report.ratings as u64,
        duplicates: report.duplicates_merged,
        out_of_scale: report.out_of_scale_dropped,
        scale_min: report.scale.min.into(),
        scale_max: report.scale.max.into(),
        mean_rating: report.mean,
    };
    spooled.keep(&directory, &header.dataset)?;
    platform.store.put(HEADERS, &header.dataset, &header)?;
    platform.store.put(DATASETS, &header.dataset, &response)?;
    tracing::info!(dataset = header.dataset, "ratings imported");
    Ok(response)
}

/// Gives a job its own name for a data set's file; an empty name means the only data set.
pub(crate) fn assign(platform: &Platform, dataset: &str, job: &str) -> Result<String, Fault> {
    let all: Vec<(String, v1::FileHeader)> = platform.store.list(HEADERS, "")?;
    let mut named = all
        .into_iter()
        .filter(|(name, _)| !name.starts_with("job/"));
    let found = if dataset.is_empty() {
        match (named.next(), named.next()) {
            (Some(only), None) => Some(only),
            (None, _) => None,
            (Some(_), Some(_)) => {
                let message = "there are several data sets; name one";
                return Err(Fault::new(Reason::InvalidRequest, message).at("field", "dataset"));
            }
        }
    } else {
        named.find(|(name, _)| name == dataset)
    };
    let (name, header) = found.ok_or_else(|| {
        let message = format!("there is no data set {dataset:?}");
        Fault::new(Reason::NotFound, message)
            .at("field", "dataset")
            .remedied_by("Import a file of ratings first.")
    })?;
    let directory = platform.ratings_dir();
    let own = directory.join(format!("job-{job}"));
    std::fs::hard_link(directory.join(&name), &own).map_err(|error| {
        Fault::new(Reason::StorageFailed, format!("{}: {error}", own.display()))
    })?;
    platform
        .store
        .put(HEADERS, &format!("job/{job}"), &header)?;
    Ok(name)
}

/// Reads the ratings of a job.
pub(crate) async fn load(platform: &Platform, job: &str) -> Result<RatingSet, Fault> {
    let header: Option<v1::FileHeader> = platform.store.get(HEADERS, &format!("job/{job}"))?;
    let header =
        header.ok_or_else(|| Fault::new(Reason::NotFound, format!("there is no job {job}")))?;
    let path = platform.ratings_dir().join(format!("job-{job}"));
    blocking(move || read(&path, &header)).await?
}

fn read(path: &Path, header: &v1::FileHeader) -> Result<RatingSet, Fault> {
    let invalid = |message: String, field: &str| {
        Fault::new(Reason::InvalidRequest, message).at("field", field)
    };
    let scale = match (header.scale_min, header.scale_max) {
        (0.0, 0.0) => None,
        (min, max) => {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "ratings are single precision"
            )]
            let scale = Scale::new(min as f32, max as f32);
            Some(scale.map_err(|error| invalid(error.to_string(), "scale_min"))?)
        }
    };
    let options = RatingOptions {
        delimiter: delimiter(header)?,
        header: if header.has_header {
            Header::Present
        } else {
            Header::Detect
        },
        scale,
        out_of_scale: if header.drop_out_of_scale {
            OutOfScale::Drop
        } else {
            OutOfScale::Refuse
        },
        ..RatingOptions::default()
    };
    RatingSet::read(path, &options).map_err(|error| {
        // The operator knows the file by its own name, not by where it was spooled.
        let spooled = path.display().to_string();
        let message = error.to_string().replace(&spooled, &header.file_name);
        Fault::new(Reason::InvalidFile, message).at("file", &header.file_name)
    })
}

fn delimiter(header: &v1::FileHeader) -> Result<Delimiter, Fault> {
    let name = header.file_name.to_ascii_lowercase();
    Ok(match header.delimiter.as_str() {
        "" if name.trim_end_matches(".gz").ends_with(".csv") => Delimiter::Comma,
        "" | "\t" => Delimiter::Tab,
        "," => Delimiter::Comma,
        ";" => Delimiter::Semicolon,
        " " => Delimiter::Space,
        _ => {
            let message = "the delimiter is a tab, ',', ';' or a space";
            return Err(Fault::new(Reason::InvalidRequest, message).at("field", "delimiter"));
        }
    })
}

/// Runs work that computes or reads files on a thread that may block.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Fault> {
    let done = spawn_blocking(work).await;
    done.map_err(|_| Fault::new(Reason::Bug, "a computing thread panicked"))
}
