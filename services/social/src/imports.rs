//! Files of links: read once on the way in to refuse bad ones, and again when a job needs them.

use std::path::Path;

use s3rec_data::{Delimiter, Header, LinkOptions, LinkSet};
use s3rec_node::spool;
use s3rec_node::store::Table;
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1;
use tokio::task::spawn_blocking;
use tonic::Streaming;

use crate::platform::Platform;

pub(crate) const DATASETS: Table = Table("datasets");
const HEADERS: Table = Table("headers");

/// Receives a file, reads it whole, and only then lets it take its name.
pub(crate) async fn import(
    platform: &Platform,
    chunks: Streaming<v1::FileChunk>,
) -> Result<v1::ImportLinksResponse, Fault> {
    let limit = platform.limits.import_bytes;
    let spooled = spool::receive(chunks, platform.links_dir(), limit).await?;
    let header = spooled.header.clone();
    let (path, read_header) = (spooled.path().to_owned(), header.clone());
    let links = blocking(move || read(&path, &read_header)).await??;
    let response = v1::ImportLinksResponse {
        dataset: header.dataset.clone(),
        users: links.report.users as u64,
        links: links.report.links as u64,
        duplicates: links.report.duplicates_merged,
        self_links: links.report.self_links_dropped,
    };
    spooled.keep(platform.links_dir(), &header.dataset)?;
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

/// Reads an imported data set.
pub(crate) async fn load(platform: &Platform, dataset: &str) -> Result<LinkSet, Fault> {
    let header: Option<v1::FileHeader> = platform.store.get(HEADERS, dataset)?;
    let header = header
        .ok_or_else(|| Fault::new(Reason::NotFound, format!("there is no data set {dataset}")))?;
    let path = platform.links_dir().join(dataset);
    blocking(move || read(&path, &header)).await?
}

fn read(path: &Path, header: &v1::FileHeader) -> Result<LinkSet, Fault> {
    let options = LinkOptions {
        delimiter: delimiter(header)?,
        header: if header.has_header {
            Header::Present
        } else {
            Header::Detect
        },
        ..LinkOptions::default()
    };
    LinkSet::read(path, &options).map_err(|error| {
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
