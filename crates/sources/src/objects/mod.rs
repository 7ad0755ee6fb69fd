//! S3, Google Cloud Storage and Azure Blob Storage, by the crate `object_store`: it signs requests and
//! asks again where one fails in passing, also from the middle of an object.

mod dial;
mod http;
mod profile;
mod store;
mod trouble;

use std::path::PathBuf;
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path as Key;
use object_store::{Error, ObjectMeta, ObjectStore, ObjectStoreExt};
use tokio::io::AsyncWriteExt;

use crate::error::{SourceError, Trouble};
use crate::files::{self, ENDING, MOST_FILES, fits, is_writers_own};
use crate::opened::Opened;
use crate::place::ObjectPlace;
use crate::spool::{self, Spool};

/// Files of a folder that are fetched at a time.
const AT_ONCE: usize = 4;

/// What is read from, or written to.
struct Objects<'p> {
    place: &'p ObjectPlace,
    store: Arc<dyn ObjectStore>,
}

/// Copies an object into a file that nobody else can open; of a prefix, or a pattern, the rows of all its
/// Parquet files.
pub(crate) async fn open(place: &ObjectPlace) -> Result<Opened, SourceError> {
    let store = store::open(place)?;
    let objects = Objects { place, store };
    let (above, last) = place.key.rsplit_once('/').unwrap_or(("", &place.key));
    if last.contains('*') {
        let found = objects.fitting(above, last).await?;
        return objects.joined(found).await;
    }
    if last.is_empty() {
        let found = objects.below().await?;
        return objects.joined(found).await;
    }
    let key = objects.key(&place.key)?;
    match objects.store.get(&key).await {
        Ok(found) => {
            let (size, stream) = (found.meta.size, found.into_stream());
            objects
                .received(size, stream, Spool::new(spool::file()?))
                .await
        }
        Err(error @ Error::NotFound { .. }) => {
            // A folder is no object; a bucket that is not there says so here, too.
            match objects.below().await {
                Ok(found) if !found.is_empty() => objects.joined(found).await,
                _ => Err(objects.explain(&error)),
            }
        }
        Err(error) => Err(objects.explain(&error)),
    }
}

/// Writes a file as an object, which is there whole or not at all.
pub(crate) async fn write(place: &ObjectPlace, file: &std::path::Path) -> Result<(), SourceError> {
    let store = store::open(place)?;
    let objects = Objects { place, store };
    let key = objects.key(&place.key)?;
    let local = |error: std::io::Error| SourceError::local(file, &error);
    let mut from = tokio::fs::File::open(file).await.map_err(local)?;
    let mut to = object_store::buffered::BufWriter::new(Arc::clone(&objects.store), key);
    let written = match tokio::io::copy(&mut from, &mut to).await {
        // Where that fails, it takes back by itself what was written.
        Ok(_) => to.shutdown().await,
        Err(error) => {
            // Parts that nobody puts together cost money.
            let _ = to.abort().await;
            Err(error)
        }
    };
    if let Err(error) = written {
        return Err(match crate::error::cause::<Error>(&error) {
            Some(theirs) => objects.explain(theirs),
            None => SourceError::new(
                &place.name(),
                Trouble::Broken,
                error.to_string(),
                "export again",
            ),
        });
    }
    Ok(())
}

impl Objects<'_> {
    fn explain(&self, error: &Error) -> SourceError {
        trouble::explain(self.place, error)
    }

    fn key(&self, key: &str) -> Result<Key, SourceError> {
        Key::parse(key).map_err(|error| {
            let remedy = "name the object as its store lists it";
            SourceError::new(
                &self.place.name(),
                Trouble::Place,
                error.to_string(),
                remedy,
            )
        })
    }

    /// Objects directly below `above` whose last names fit.
    async fn fitting(&self, above: &str, pattern: &str) -> Result<Vec<ObjectMeta>, SourceError> {
        let above = self.key(above)?;
        let listed = self.store.list_with_delimiter(Some(&above)).await;
        let mut found = listed.map_err(|error| self.explain(&error))?.objects;
        found.retain(|object| {
            object
                .location
                .filename()
                .is_some_and(|name| fits(pattern, name))
        });
        Ok(found)
    }

    /// All Parquet files below the key, but for what writers keep of their own.
    async fn below(&self) -> Result<Vec<ObjectMeta>, SourceError> {
        let prefix = self.key(&self.place.key)?;
        let listed = self.store.list(Some(&prefix));
        let is_data = |object: &ObjectMeta| {
            let mut parts = object.location.prefix_match(&prefix).into_iter().flatten();
            !parts.any(|part| is_writers_own(part.as_ref()))
                && object.location.extension() == Some(ENDING)
        };
        let found = listed.try_filter(|object| futures::future::ready(is_data(object)));
        // One more than are read tells that there are too many.
        let found: Result<Vec<_>, _> = found.take(MOST_FILES + 1).try_collect().await;
        found.map_err(|error| self.explain(&error))
    }

    /// The rows of all, in the order of their names.
    async fn joined(&self, mut found: Vec<ObjectMeta>) -> Result<Opened, SourceError> {
        let name = self.place.name();
        let refused = |what: String| Err(SourceError::new(&name, Trouble::Missing, what, ""));
        match found.len() {
            0 => return refused("no Parquet file (*.parquet) is there".into()),
            1..=MOST_FILES => {}
            _ => return refused(format!("more than {MOST_FILES} files are there")),
        }
        found.sort_by(|one, other| one.location.cmp(&other.location));
        let folder = tempfile::tempdir().map_err(|error| spool::failed(&error))?;
        let files: Vec<PathBuf> = (1..=found.len())
            .map(|number| folder.path().join(format!("{number}.{ENDING}")))
            .collect();
        let fetched = found
            .iter()
            .zip(&files)
            .map(|(object, file)| self.fetch(object, file));
        // Streams of borrowed futures must be of one type.
        let fetched: Vec<_> = fetched.collect();
        stream::iter(fetched)
            .buffer_unordered(AT_ONCE)
            .try_collect::<()>()
            .await?;
        let (path, bucket) = (PathBuf::from(&name), self.place.root());
        let joined = tokio::task::spawn_blocking({
            let files = files.clone();
            move || files::joined(&path, &files)
        });
        let joined = joined
            .await
            .map_err(|error| SourceError::new(&name, Trouble::Local, error.to_string(), ""))?;
        joined.map_err(|mut error| {
            // The copies' names say nothing to anybody.
            for (object, file) in found.iter().zip(&files) {
                let copy = file.display().to_string();
                error.what = error
                    .what
                    .replace(&copy, &format!("{bucket}{}", object.location));
            }
            error
        })
    }

    async fn fetch(&self, object: &ObjectMeta, to: &std::path::Path) -> Result<(), SourceError> {
        let file = std::fs::File::create_new(to).map_err(|error| spool::failed(&error))?;
        let found = self.store.get(&object.location).await;
        let found = found.map_err(|error| self.explain(&error))?;
        let (size, stream) = (found.meta.size, found.into_stream());
        self.received(size, stream, Spool::new(file))
            .await
            .map(drop)
    }

    /// All that comes, which must be as much as was said.
    async fn received(
        &self,
        size: u64,
        mut stream: stream::BoxStream<'static, object_store::Result<bytes::Bytes>>,
        mut spool: Spool,
    ) -> Result<Opened, SourceError> {
        let mut received = 0;
        while let Some(bytes) = stream.next().await {
            let bytes =
                bytes.map_err(|error| trouble::broken(self.place, &error, received, size))?;
            received += bytes.len() as u64;
            spool.write(&bytes).await?;
        }
        if received != size {
            return Err(SourceError::new(
                &self.place.name(),
                Trouble::Broken,
                format!("{received} of {size} bytes came"),
                "nothing was imported; import again",
            ));
        }
        spool.finish().await
    }
}
