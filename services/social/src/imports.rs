//! Files of links: read once on the way in to refuse bad ones, and again when a job needs them.

use std::path::Path;

use s3rec_audit::Kind;
use s3rec_data::{DataError, IdRule, LinkOptions, LinkSet};
pub(crate) use s3rec_node::process::blocking;
use s3rec_node::spool;
use s3rec_node::store::Table;
use s3rec_node::versions::{self, Commitment};
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1;
use tonic::Streaming;

use crate::platform::Platform;
use crate::reading::link_options;

pub(crate) const DATASETS: Table = Table("datasets");
const HEADERS: Table = Table("headers");
const JOB_HEADERS: Table = Table("job-headers");
/// The versions that jobs were approved with.
const JOB_VERSIONS: Table = Table("job versions");

/// Receives a file, reads it whole, and only then lets it take its name.
pub(crate) async fn import(
    platform: &Platform,
    chunks: Streaming<v1::FileChunk>,
    who: &str,
) -> Result<v1::ImportLinksResponse, Fault> {
    let limit = platform.limits.import_bytes;
    let spooled = spool::receive(chunks, &platform.links_dir(), limit).await?;
    let header = spooled.header.clone();
    let (path, read_header) = (spooled.path().to_owned(), header.clone());
    let salt = versions::salt()?;
    let (links, commitment) = blocking(move || {
        let links = read(&path, &read_header, limit)?;
        let commitment = commit(&salt, &links);
        Ok::<_, Fault>((links, commitment))
    })
    .await??;
    let version = versions::next(
        &platform.store,
        &header.dataset,
        &header.lineage,
        salt,
        commitment,
    )?;
    let report = &links.report;
    let users = report.users as f64;
    let response = v1::ImportLinksResponse {
        dataset: header.dataset.clone(),
        users: report.users as u64,
        links: report.links as u64,
        duplicates: report.duplicates_merged,
        self_links: report.self_links_dropped,
        rows: report.rows,
        density: report.links as f64 / (users * (users - 1.0)).max(1.0),
        not_positive: report.not_positive_dropped,
        missing: report.missing_dropped,
        reading: Some(s3rec_node::reading::told(&report.reading)),
        reversed: report.reversed_added,
        empty_lists: report.empty_lists,
    };
    let entry = [
        ("dataset", header.dataset.as_str().into()),
        ("lineage", version.lineage.as_slice().into()),
        ("version", version.version.into()),
        ("commitment", commitment.into()),
        ("users", response.users.into()),
        ("links", response.links.into()),
        ("by", who.into()),
    ];
    platform.audit.record(Kind::Import, entry)?;
    // The version first: a job is refused where the file is not what was committed to.
    versions::keep(&platform.store, &version)?;
    spooled.keep(&platform.links_dir(), &header.dataset)?;
    platform.store.put(HEADERS, &header.dataset, &header)?;
    platform.store.put(DATASETS, &header.dataset, &response)?;
    tracing::info!(dataset = header.dataset, "links imported");
    Ok(response)
}

/// The name of an existing data set; an empty one means the only one.
pub(crate) fn choose(platform: &Platform, name: &str) -> Result<String, Fault> {
    let all: Vec<(String, v1::ImportLinksResponse)> = platform.store.list(DATASETS, "")?;
    let names: Vec<String> = all.into_iter().map(|(name, _)| name).collect();
    match (&names[..], name) {
        ([only], "") => Ok(only.clone()),
        ([], _) => Err(
            Fault::new(Reason::NotFound, "no links have been imported yet")
                .remedied_by("Import a file of links first, then approve the proposal."),
        ),
        (_, "") => {
            let message = format!("there are several data sets: {}", names.join(", "));
            Err(Fault::new(Reason::InvalidRequest, message).at("field", "dataset"))
        }
        (_, name) if names.iter().any(|known| known == name) => Ok(name.to_owned()),
        _ => {
            let message = format!("there is no data set {name}, but: {}", names.join(", "));
            Err(Fault::new(Reason::NotFound, message).at("field", "dataset"))
        }
    }
}

/// How the user ids of a data set were normalised.
pub(crate) fn id_rule(platform: &Platform, dataset: &str) -> Result<IdRule, Fault> {
    let header: Option<v1::FileHeader> = platform.store.get(HEADERS, dataset)?;
    Ok(rule_of(&header.unwrap_or_default()))
}

pub(crate) fn rule_of(header: &v1::FileHeader) -> IdRule {
    match header.fold_case {
        true => IdRule::NfcTrimCaseFold,
        false => IdRule::NfcTrim,
    }
}

/// The commitment to a version: all links in the order of their ends' ids.
fn commit(salt: &[u8; 32], links: &LinkSet) -> [u8; 32] {
    let name = |user: u32| links.users.name(user).unwrap_or_default();
    let mut named: Vec<(&str, &str)> = links
        .links
        .iter()
        .map(|(truster, trustee)| (name(*truster), name(*trustee)))
        .collect();
    named.sort_unstable();
    let mut commitment = Commitment::new(salt);
    for (truster, trustee) in named {
        commitment.row(&[truster.as_bytes(), trustee.as_bytes()]);
    }
    commitment.finish()
}

/// Gives a job its own link to a data set's file, so that a later import under the same name does
/// not change what the job is about.
pub(crate) fn assign(platform: &Platform, dataset: &str, job: &str) -> Result<(), Fault> {
    let header: Option<v1::FileHeader> = platform.store.get(HEADERS, dataset)?;
    let header = header
        .ok_or_else(|| Fault::new(Reason::NotFound, format!("there is no data set {dataset}")))?;
    release(platform, job);
    let own = own_file(platform, job);
    std::fs::hard_link(platform.links_dir().join(dataset), &own)
        .map_err(|error| Fault::storage(format!("{}: {error}", own.display()), error.kind()))?;
    let version = versions::of(&platform.store, dataset)?.unwrap_or_default();
    platform.store.put(JOB_VERSIONS, job, &version)?;
    Ok(platform.store.put(JOB_HEADERS, job, &header)?)
}

/// Removes a job's own link, if it has one.
pub(crate) fn release(platform: &Platform, job: &str) {
    // Gone already, or never made.
    let _ = std::fs::remove_file(own_file(platform, job));
}

/// Not a name that a data set can have.
fn own_file(platform: &Platform, job: &str) -> std::path::PathBuf {
    platform.links_dir().join(format!(".job-{job}"))
}

/// The version of its data set that a job was approved with.
pub(crate) fn version_for(
    platform: &Platform,
    job: &str,
) -> Result<Option<v1::DataVersion>, Fault> {
    Ok(platform.store.get(JOB_VERSIONS, job)?)
}

/// Reads the data set that a job was approved with, which must be what was committed to then.
pub(crate) async fn load_for(platform: &Platform, job: &str) -> Result<LinkSet, Fault> {
    let header: Option<v1::FileHeader> = platform.store.get(JOB_HEADERS, job)?;
    let header = header
        .ok_or_else(|| Fault::new(Reason::NotFound, format!("the job {job} has no data set")))?;
    let version = version_for(platform, job)?.unwrap_or_default();
    let path = own_file(platform, job);
    let limit = platform.limits.import_bytes;
    let (links, same) = blocking(move || {
        let links = read(&path, &header, limit)?;
        let salt = version.salt.as_slice().try_into();
        let same = salt.is_ok_and(|salt| commit(salt, &links).as_slice() == version.commitment);
        Ok::<_, Fault>((links, same))
    })
    .await??;
    if same {
        return Ok(links);
    }
    let message = format!("the links of the job {job} are not those that were imported");
    Err(Fault::new(Reason::StorageFailed, message)
        .remedied_by("Import the links again; somebody or something has changed the file."))
}

fn read(path: &Path, header: &v1::FileHeader, limit_bytes: u64) -> Result<LinkSet, Fault> {
    let options = LinkOptions {
        max_decompressed_bytes: limit_bytes,
        ..link_options(header)?
    };
    LinkSet::read(path, &options).map_err(|error| {
        let is_too_large = matches!(error, DataError::TooLarge { .. });
        spool::unreadable(path, header, &error.to_string(), is_too_large)
    })
}
