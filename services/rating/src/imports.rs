//! Files of ratings: read once on the way in to refuse bad ones. A job keeps its own link to
//! the file, so that a later import under the same name does not change what it learns from.

use std::path::Path;

use s3rec_audit::Kind;
use s3rec_data::{
    Column, DataError, Delimiter, Header, IdRule, OutOfScale, RatingOptions, RatingSet, Scale,
    Values,
};
pub(crate) use s3rec_node::process::blocking;
use s3rec_node::spool;
use s3rec_node::store::Table;
use s3rec_node::versions::{self, Commitment};
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1;
use tonic::Streaming;

use crate::platform::Platform;

const DATASETS: Table = Table("datasets");
const HEADERS: Table = Table("headers");

/// Receives a file, reads it whole, and only then lets it take its name.
pub(crate) async fn import(
    platform: &Platform,
    chunks: Streaming<v1::FileChunk>,
    who: &str,
) -> Result<v1::ImportRatingsResponse, Fault> {
    let directory = platform.ratings_dir();
    let limit = platform.limits.import_bytes;
    let spooled = spool::receive(chunks, &directory, limit).await?;
    let header = spooled.header.clone();
    let (path, read_header) = (spooled.path().to_owned(), header.clone());
    let salt = versions::salt()?;
    let (ratings, commitment) = blocking(move || {
        let ratings = read(&path, &read_header, limit)?;
        let commitment = commit(&salt, &ratings);
        Ok::<_, Fault>((ratings, commitment))
    })
    .await??;
    let version = versions::next(
        &platform.store,
        &header.dataset,
        &header.lineage,
        salt,
        commitment,
    )?;
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
        rows: report.rows,
        density: report.density,
        conflicting_duplicates: report.duplicates_conflicting,
        timestamped: !ratings.timestamps.is_empty(),
    };
    let entry = [
        ("dataset", header.dataset.as_str().into()),
        ("lineage", version.lineage.as_slice().into()),
        ("version", version.version.into()),
        ("commitment", commitment.into()),
        ("users", response.users.into()),
        ("ratings", response.ratings.into()),
        ("by", who.into()),
    ];
    platform.audit.record(Kind::Import, entry)?;
    versions::keep(&platform.store, &version)?;
    spooled.keep(&directory, &header.dataset)?;
    platform.store.put(HEADERS, &header.dataset, &header)?;
    platform.store.put(DATASETS, &header.dataset, &response)?;
    tracing::info!(dataset = header.dataset, "ratings imported");
    Ok(response)
}

/// The commitment to a version: all ratings in the order of users' and items' ids.
fn commit(salt: &[u8; 32], ratings: &RatingSet) -> [u8; 32] {
    let user = |index: u32| ratings.users.name(index).unwrap_or_default();
    let item = |index: u32| ratings.items.name(index).unwrap_or_default();
    let mut named: Vec<(&str, &str, [u8; 4])> = ratings
        .ratings
        .iter()
        .map(|one| (user(one.user), item(one.item), one.value.to_le_bytes()))
        .collect();
    named.sort_unstable();
    let mut commitment = Commitment::new(salt);
    for (user, item, value) in named {
        commitment.row(&[user.as_bytes(), item.as_bytes(), &value]);
    }
    commitment.finish()
}

/// Users of an imported data set.
pub(crate) fn users(platform: &Platform, dataset: &str) -> Result<u32, Fault> {
    let imported: Option<v1::ImportRatingsResponse> = platform.store.get(DATASETS, dataset)?;
    let users = imported.unwrap_or_default().users;
    Ok(u32::try_from(users).unwrap_or(u32::MAX))
}

/// A data set's name and header; an empty name means the only data set.
pub(crate) fn named(platform: &Platform, dataset: &str) -> Result<(String, v1::FileHeader), Fault> {
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
    found.ok_or_else(|| {
        let message = format!("there is no data set {dataset:?}");
        Fault::new(Reason::NotFound, message)
            .at("field", "dataset")
            .remedied_by("Import a file of ratings first.")
    })
}

/// How the user ids of a data set were normalised.
pub(crate) fn id_rule(platform: &Platform, dataset: &str) -> Result<IdRule, Fault> {
    Ok(rule_of(&named(platform, dataset)?.1))
}

/// How the user ids of a job's ratings were normalised.
pub(crate) fn job_id_rule(platform: &Platform, job: &str) -> Result<IdRule, Fault> {
    let header: Option<v1::FileHeader> = platform.store.get(HEADERS, &format!("job/{job}"))?;
    Ok(rule_of(&header.unwrap_or_default()))
}

/// Whether a job's ratings are counts of choices.
pub(crate) fn job_counts(platform: &Platform, job: &str) -> Result<bool, Fault> {
    let header: Option<v1::FileHeader> = platform.store.get(HEADERS, &format!("job/{job}"))?;
    Ok(header.unwrap_or_default().counts)
}

fn rule_of(header: &v1::FileHeader) -> IdRule {
    match header.fold_case {
        true => IdRule::NfcTrimCaseFold,
        false => IdRule::NfcTrim,
    }
}

/// Gives a job its own name for a data set's file; an empty name means the only data set.
pub(crate) fn assign(platform: &Platform, dataset: &str, job: &str) -> Result<String, Fault> {
    let (name, header) = named(platform, dataset)?;
    let directory = platform.ratings_dir();
    let own = directory.join(format!("job-{job}"));
    std::fs::hard_link(directory.join(&name), &own)
        .map_err(|error| Fault::storage(format!("{}: {error}", own.display()), error.kind()))?;
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
    let limit = platform.limits.import_bytes;
    blocking(move || read(&path, &header, limit)).await?
}

fn read(path: &Path, header: &v1::FileHeader, limit_bytes: u64) -> Result<RatingSet, Fault> {
    let options = RatingOptions {
        max_decompressed_bytes: limit_bytes,
        ..rating_options(header)?
    };
    RatingSet::read(path, &options).map_err(|error| {
        let is_too_large = matches!(error, DataError::TooLarge { .. });
        spool::unreadable(path, header, &error.to_string(), is_too_large)
    })
}

/// BLAKE3 of a job's file, in hexadecimal.
pub(crate) fn digest(platform: &Platform, job: &str) -> Result<String, Fault> {
    let path = platform.ratings_dir().join(format!("job-{job}"));
    let failed = |error: std::io::Error| {
        let message = format!("{}: {error}", path.display());
        Fault::storage(message, error.kind())
    };
    let mut hasher = blake3::Hasher::new();
    let file = std::fs::File::open(&path).map_err(failed)?;
    hasher.update_reader(file).map_err(failed)?;
    Ok(hasher.finalize().to_hex().to_string())
}

/// How a file is to be read.
///
/// # Errors
/// [`Reason::InvalidRequest`] naming the field of the header that makes no sense.
pub fn rating_options(header: &v1::FileHeader) -> Result<RatingOptions, Fault> {
    let delimiter = Delimiter::named(&header.delimiter, Path::new(&header.file_name));
    let column = |text: &str, default, field| {
        Column::named(text, default).map_err(|error| invalid(&error, field))
    };
    let timestamp = Column::optional(&header.timestamp_column);
    let scale = match (header.scale_min, header.scale_max) {
        (0.0, 0.0) => None,
        (min, max) => {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "ratings are single precision"
            )]
            let scale = Scale::new(min as f32, max as f32);
            Some(scale.map_err(|error| invalid(&error, "scale_min"))?)
        }
    };
    Ok(RatingOptions {
        delimiter: delimiter.map_err(|error| invalid(&error, "delimiter"))?,
        header: if header.has_header {
            Header::Present
        } else {
            Header::Detect
        },
        user: column(&header.user_column, 0, "user_column")?,
        item: column(&header.item_column, 1, "item_column")?,
        rating: column(&header.rating_column, 2, "rating_column")?,
        timestamp: timestamp.map_err(|error| invalid(&error, "timestamp_column"))?,
        values: if header.counts {
            Values::Counts
        } else {
            Values::Ratings
        },
        scale,
        out_of_scale: if header.drop_out_of_scale {
            OutOfScale::Drop
        } else {
            OutOfScale::Refuse
        },
        ids: rule_of(header),
        ..RatingOptions::default()
    })
}

fn invalid(error: &DataError, field: &str) -> Fault {
    Fault::new(Reason::InvalidRequest, error.to_string()).at("field", field)
}
