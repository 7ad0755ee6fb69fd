//! Files, and what is read from elsewhere, to a platform, in bounded chunks.

use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use s3rec_sources::{Opened, Source};
use s3rec_wire::v1;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use v1::file_chunk::Part;

use super::{RatingClient, SocialClient, listed};
use crate::failure::Failure;

/// Bytes of one chunk; the conversation allows 1 MiB.
const CHUNK_BYTES: usize = 256 << 10;
/// Chunks read ahead.
const CHUNKS_AHEAD: usize = 4;
/// What stands between the fields of a database's rows.
const DELIMITER_OF_QUERIES: &str = ",";

/// Data and how the platform shall read them.
#[derive(Clone, Debug, Default)]
pub struct FileSource {
    /// The file, or another place that [`Source::named`] knows.
    pub path: PathBuf,
    /// What of a database; empty for all else.
    pub query: String,
    /// Data set to create or replace.
    pub dataset: String,
    /// What stands between fields; empty: told from the first lines.
    pub delimiter: String,
    /// The first row names the columns.
    pub has_header: bool,
    /// The first row is data.
    pub no_header: bool,
    /// The first column only numbers the rows.
    pub index_column: bool,
    /// Numbers have a decimal comma.
    pub decimal_comma: bool,
    /// Drop rows without a rating or weight.
    pub drop_missing: bool,
    /// Lowest and highest rating; `None`: as in the data.
    pub scale: Option<(f64, f64)>,
    /// Drop rows outside the scale.
    pub drop_out_of_scale: bool,
    /// Upper and lower case of user ids count alike.
    pub fold_case: bool,
    /// Where the fields stand.
    pub columns: Columns,
    /// The ratings are counts.
    pub counts: bool,
    /// Rows are a user and all whom they trust.
    pub adjacency: bool,
    /// Links count in both directions.
    pub undirected: bool,
    /// Links of any weight count.
    pub any_weight: bool,
    /// The data set whose lineage this goes on with; empty: the one of the same name.
    pub lineage: String,
    /// A list of the platform's users that goes with it.
    pub users: Option<UsersFile>,
    /// Factors of items that go with those of users.
    pub items: Option<PathBuf>,
    /// Of factors: the data set of ratings whose users and items they are of; empty: the only one.
    pub ratings: String,
}

/// A list of users, and the column of their ids; empty: where its name says, or the only one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsersFile {
    /// The file, or another place that [`Source::named`] knows.
    pub path: PathBuf,
    /// What of a database; empty for all else.
    pub query: String,
    /// The column.
    pub column: String,
}

/// Columns by name or by number from 1; empty: by the names that the file has, or else the first
/// ones.
#[derive(Clone, Debug, Default)]
pub struct Columns {
    /// User, or truster.
    pub from: String,
    /// Item, or trustee.
    pub to: String,
    /// Rating, or the links' weight.
    pub value: String,
    /// Time of the rating.
    pub timestamp: String,
}

impl FileSource {
    /// The file `path` as data set `dataset`, everything else by default.
    #[must_use]
    pub fn new(path: &Path, dataset: &str) -> Self {
        Self {
            path: path.to_owned(),
            dataset: dataset.to_owned(),
            ..Self::default()
        }
    }

    /// What the platform is told before the file, whose content it does not state yet.
    #[must_use]
    pub fn header(&self) -> v1::FileHeader {
        let (scale_min, scale_max) = self.scale.unwrap_or_default();
        let columns = &self.columns;
        let is_query = !self.query.is_empty();
        v1::FileHeader {
            file_name: s3rec_sources::shown(&self.path),
            dataset: self.dataset.clone(),
            delimiter: match is_query {
                true => DELIMITER_OF_QUERIES.to_owned(),
                false => self.delimiter.clone(),
            },
            has_header: self.has_header || is_query,
            no_header: self.no_header,
            index_column: self.index_column,
            decimal_comma: self.decimal_comma,
            drop_missing: self.drop_missing,
            adjacency: self.adjacency,
            undirected: self.undirected,
            any_weight: self.any_weight,
            scale_min,
            scale_max,
            drop_out_of_scale: self.drop_out_of_scale,
            fold_case: self.fold_case,
            lineage: self.lineage.clone(),
            ratings: self.ratings.clone(),
            gzip: self.path.extension().is_some_and(|ending| ending == "gz"),
            // Each platform reads its own three.
            user_column: columns.from.clone(),
            item_column: columns.to.clone(),
            rating_column: columns.value.clone(),
            truster_column: columns.from.clone(),
            trustee_column: columns.to.clone(),
            weight_column: columns.value.clone(),
            timestamp_column: columns.timestamp.clone(),
            counts: self.counts,
            ..v1::FileHeader::default()
        }
    }

    /// The data, open at their beginning, and the header that states their length and digest. What is
    /// not on this machine has been copied whole: what breaks on its way here reaches no platform.
    async fn open(&self) -> Result<(tokio::fs::File, v1::FileHeader), Failure> {
        let mut parts = Vec::new();
        let mut others = Vec::new();
        let opened = Source::named(&self.path, &self.query)?.open().await?;
        if let Some(users) = &self.users {
            let mut list = Source::named(&users.path, &users.query)?.open().await?;
            let column = match users.query.is_empty() || !users.column.is_empty() {
                true => users.column.clone(),
                false => listed::column(&mut list.data).map_err(|error| self.failed(error))?,
            };
            others.push(list.data);
            parts.push(v1::FilePart {
                kind: s3rec_node::datasets::parts::USERS.into(),
                file_name: s3rec_sources::shown(&users.path),
                column,
                ..v1::FilePart::default()
            });
        }
        if let Some(items) = &self.items {
            others.push(Source::named(items, "")?.open().await?.data);
            parts.push(v1::FilePart {
                kind: "items".into(),
                file_name: s3rec_sources::shown(items),
                ..v1::FilePart::default()
            });
        }
        let stated = tokio::task::spawn_blocking(move || stated(opened, others)).await;
        let stated = stated
            .map_err(std::io::Error::other)
            .and_then(|stated| stated);
        let stated = stated.map_err(|error| self.failed(error))?;
        for (part, length) in parts.iter_mut().zip(stated.others) {
            part.length = length;
        }
        let header = v1::FileHeader {
            length: stated.length,
            digest: stated.digest.as_bytes().to_vec(),
            parts,
            ..self.header()
        };
        Ok((tokio::fs::File::from_std(stated.file), header))
    }

    fn failed(&self, source: std::io::Error) -> Failure {
        Failure::File {
            path: s3rec_sources::shown(&self.path).into(),
            source,
        }
    }
}

/// What is uploaded.
struct Stated {
    /// Open at its beginning.
    file: std::fs::File,
    length: u64,
    digest: blake3::Hash,
    /// Lengths of the further files at its end.
    others: Vec<u64>,
}

/// A file and those that go with it. What can be read only once, a pipe, and what is several
/// files, is copied to a temporary file that nobody else can open.
fn stated(mut opened: Opened, others: Vec<std::fs::File>) -> Result<Stated, std::io::Error> {
    let mut lengths = Vec::new();
    if !opened.can_be_read_again || !others.is_empty() {
        let mut copy = tempfile::tempfile()?;
        std::io::copy(&mut opened.data, &mut copy)?;
        for mut other in others {
            lengths.push(std::io::copy(&mut other, &mut copy)?);
        }
        copy.flush()?;
        copy.seek(SeekFrom::Start(0))?;
        opened.data = copy;
    }
    let mut file = opened.data;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        let read = file.read(&mut buffer)?;
        match buffer.get(..read) {
            Some([]) | None => break,
            Some(data) => hasher.update(data),
        };
    }
    let length = file.stream_position()?;
    file.seek(SeekFrom::Start(0))?;
    Ok(Stated {
        file,
        length,
        digest: hasher.finalize(),
        others: lengths,
    })
}

/// Imports a ratings file.
///
/// # Errors
/// [`Failure::File`] when the file cannot be read (the platform then keeps what it had),
/// [`Failure::Refused`] with file, line and field when a row is bad.
pub async fn import_ratings(
    client: &mut RatingClient,
    source: &FileSource,
) -> Result<v1::ImportRatingsResponse, Failure> {
    send(source, async |chunks| client.import_ratings(chunks).await).await
}

/// Imports factors of a recommender of the platform's own.
///
/// # Errors
/// As [`import_ratings`].
pub async fn import_factors(
    client: &mut RatingClient,
    source: &FileSource,
) -> Result<v1::ImportFactorsResponse, Failure> {
    send(source, async |chunks| client.import_factors(chunks).await).await
}

/// Imports a links file.
///
/// # Errors
/// As [`import_ratings`].
pub async fn import_links(
    client: &mut SocialClient,
    source: &FileSource,
) -> Result<v1::ImportLinksResponse, Failure> {
    send(source, async |chunks| client.import_links(chunks).await).await
}

async fn send<R>(
    source: &FileSource,
    call: impl AsyncFnOnce(ReceiverStream<v1::FileChunk>) -> Result<tonic::Response<R>, tonic::Status>,
) -> Result<R, Failure> {
    // Before the call: the platform waits only so long for what comes next.
    let (file, header) = source.open().await?;
    let (sender, receiver) = mpsc::channel(CHUNKS_AHEAD);
    let (sent, answer) = tokio::join!(
        chunks(file, header, sender),
        call(ReceiverStream::new(receiver))
    );
    sent.map_err(|error| source.failed(error))?;
    Ok(answer?.into_inner())
}

/// Sends header and data. A file that stops being readable, or changes meanwhile, is not what
/// its header states, and the platform refuses it; a chunk without content says so at once.
async fn chunks(
    file: impl AsyncRead + Unpin,
    header: v1::FileHeader,
    sender: mpsc::Sender<v1::FileChunk>,
) -> Result<(), std::io::Error> {
    let sent = contents(file, header, &sender).await;
    if sent.is_err() {
        let _ = sender.send(v1::FileChunk { part: None }).await;
    }
    sent
}

async fn contents(
    mut file: impl AsyncRead + Unpin,
    header: v1::FileHeader,
    sender: &mpsc::Sender<v1::FileChunk>,
) -> Result<(), std::io::Error> {
    let mut part = Part::Header(header);
    loop {
        // A closed channel means that the call has ended, which the caller sees by itself.
        if sender
            .send(v1::FileChunk { part: Some(part) })
            .await
            .is_err()
        {
            return Ok(());
        }
        let mut data = Vec::with_capacity(CHUNK_BYTES);
        let limit = u64::try_from(CHUNK_BYTES).unwrap_or(u64::MAX);
        (&mut file).take(limit).read_to_end(&mut data).await?;
        if data.is_empty() {
            return Ok(());
        }
        part = Part::Data(data);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use tokio::io::ReadBuf;
    use tokio_stream::StreamExt;

    use super::*;

    #[tokio::test]
    async fn a_file_arrives_whole_and_in_order() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ratings.tsv.gz");
        let content: Vec<u8> = (0..CHUNK_BYTES * 2 + 17)
            .map(|i| u8::try_from(i % 251).unwrap())
            .collect();
        std::fs::write(&path, &content).unwrap();
        let source = FileSource::new(&path, "d");
        let received = send(&source, async |mut chunks| {
            let header = chunks.next().await.unwrap().part.unwrap();
            let Part::Header(header) = header else {
                panic!("no header")
            };
            assert!(header.gzip && header.dataset == "d");
            let mut received = Vec::new();
            while let Some(chunk) = chunks.next().await {
                let Some(Part::Data(data)) = chunk.part else {
                    panic!("two headers")
                };
                assert!(data.len() <= CHUNK_BYTES);
                received.extend_from_slice(&data);
            }
            assert_eq!(header.length, received.len() as u64);
            assert_eq!(header.digest, blake3::hash(&received).as_bytes());
            Ok(tonic::Response::new(received))
        });
        assert_eq!(received.await.unwrap(), content);
    }

    #[tokio::test]
    async fn further_files_are_the_end_of_what_arrives() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str, text: &str| {
            let path = directory.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let users = UsersFile {
            path: path("users.txt", "ann\nbob\n"),
            query: String::new(),
            column: "2".into(),
        };
        let source = FileSource {
            users: Some(users),
            items: Some(path("items", "xyz")),
            ..FileSource::new(&path("links.tsv", "ann\tbob\n"), "d")
        };
        let received = send(&source, async |mut chunks| {
            let Some(Part::Header(header)) = chunks.next().await.unwrap().part else {
                panic!("no header")
            };
            let mut received = Vec::new();
            while let Some(v1::FileChunk {
                part: Some(Part::Data(data)),
            }) = chunks.next().await
            {
                received.extend_from_slice(&data);
            }
            assert_eq!(header.digest, blake3::hash(&received).as_bytes());
            let parts = header.parts.iter();
            let parts: Vec<_> = parts.map(|part| (part.kind.clone(), part.length)).collect();
            assert_eq!(parts, [("users".to_owned(), 8), ("items".to_owned(), 3)]);
            assert_eq!(header.parts[0].column, "2");
            Ok(tonic::Response::new(received))
        });
        assert_eq!(received.await.unwrap(), b"ann\tbob\nann\nbob\nxyz");
        let missing = FileSource {
            items: Some(directory.path().join("nowhere")),
            ..source
        };
        let refused = send(&missing, async |_| Ok(tonic::Response::new(()))).await;
        assert!(refused.unwrap_err().to_string().contains("nowhere"));
    }

    #[tokio::test]
    async fn an_unreadable_file_never_looks_like_a_short_one() {
        let directory = tempfile::tempdir().unwrap();
        // There is no data in it, and no call is begun.
        let source = FileSource::new(directory.path(), "d");
        let mut is_called = false;
        let sent = send(&source, async |_| {
            is_called = true;
            Ok(tonic::Response::new(()))
        });
        assert!(matches!(sent.await, Err(Failure::Source { .. })));
        assert!(!is_called);
        // It stops being readable on its way.
        let (sender, mut receiver) = mpsc::channel(CHUNKS_AHEAD);
        let sent = chunks(Torn(b"a\tb\n"), v1::FileHeader::default(), sender).await;
        assert!(sent.is_err());
        let mut last = None;
        while let Some(chunk) = receiver.recv().await {
            last = Some(chunk);
        }
        assert_eq!(last, Some(v1::FileChunk { part: None }));
    }

    /// A file whose disk fails after its beginning.
    struct Torn(&'static [u8]);

    impl AsyncRead for Torn {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<std::io::Result<()>> {
            if self.0.is_empty() {
                return Poll::Ready(Err(std::io::Error::other("torn")));
            }
            buffer.put_slice(std::mem::take(&mut self.0));
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn a_refusal_ends_the_upload_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ratings.tsv");
        std::fs::write(&path, vec![0; CHUNK_BYTES * 20]).unwrap();
        let source = FileSource::new(&path, "d");
        let sent = send(&source, async |_chunks| {
            Err::<tonic::Response<()>, _>(tonic::Status::invalid_argument("line 1"))
        });
        assert!(matches!(sent.await, Err(Failure::Refused(_))));
    }
}
