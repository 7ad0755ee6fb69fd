//! Imported data sets of a platform, and the copies of them that jobs keep.
//!
//! | file in the folder | what it is |
//! |---|---|
//! | `NAME` | the newest version of a data set |
//! | `.job-ID` | a job's own link to the version that it was proposed or approved with |
//! | `.spool-…` | a file on its way in |
//!
//! A job's copy has a name that no [`DatasetName`] has, is read only where it is what was
//! committed to, and goes with its job.

mod copies;
pub mod header;
mod name;
pub mod parts;
#[cfg(test)]
mod tests;
mod verbs;

use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::rows::Row;
use rayon::prelude::*;
use s3rec_audit::Kind;
use s3rec_data::{FileHeader, IdRule, IdTable};
use s3rec_job::DataVersion;
use s3rec_wire::status::{Fault, Reason};

pub use copies::JobCopy;
pub use header::Unread;
pub use name::DatasetName;
pub use parts::Files;
pub use verbs::{DatasetEntry, Shown};

use crate::audit::Audit;
use crate::backup::Held;
use crate::process::blocking;
use crate::spool::{self, Spooled, Upload};
use crate::store::{Store, Table};
use crate::versions::{self, Commitment};

/// Where the records of one kind of data set are. Those of a kind have names of their own.
#[derive(Clone, Copy, Debug)]
pub struct Tables {
    /// What was found in each data set, as its import was answered.
    datasets: Table,
    /// How each data set's file is read.
    headers: Table,
    /// What each data set is a version of.
    versions: Table,
    /// How the files of jobs' copies are read, by job.
    copy_headers: Table,
    /// What jobs were proposed or approved with, by job.
    copy_versions: Table,
}

impl Tables {
    /// Of what a platform is about: ratings, or links.
    pub const MAIN: Self = Self {
        datasets: Table("datasets"),
        headers: Table("headers"),
        versions: versions::VERSIONS,
        copy_headers: Table("job-headers"),
        copy_versions: Table("job versions"),
    };
    /// Of factors, beside ratings.
    pub const FACTORS: Self = Self {
        datasets: Table("factors"),
        headers: Table("factors headers"),
        versions: Table("factors versions"),
        copy_headers: Table("job factors headers"),
        copy_versions: Table("job factors versions"),
    };
}

/// What a platform imports: ratings or links.
pub trait Content: Send + Sync + 'static {
    /// Folder of the files in `data_dir`.
    const FOLDER: &'static str;
    /// What a row is, in the plural: `ratings`.
    const ROWS: &'static str;
    /// Where the records are.
    const TABLES: Tables = Tables::MAIN;
    /// What further files an import may bring.
    const PARTS: &'static [&'static str];
    /// The data in memory.
    type Data: Send + 'static;
    /// The answer to an import.
    type Imported: Row + Clone + Send + 'static;

    /// Reads files of at most `limit_bytes` once decompressed.
    ///
    /// # Errors
    /// [`Unread`].
    fn read(files: &Files, header: &FileHeader, limit_bytes: u64) -> Result<Self::Data, Unread>;

    /// Every row in canonical order. The commitment must not depend on the order in the file.
    ///
    /// # Errors
    /// [`Reason::Bug`] where the data refer to an id that they do not have.
    fn commit(data: &Self::Data, commitment: &mut Commitment) -> Result<(), Fault>;

    /// What was found in it.
    fn imported(data: &Self::Data, header: &FileHeader) -> Self::Imported;

    /// Users and rows of it.
    fn sizes(imported: &Self::Imported) -> (u64, u64);
}

/// The data sets of one platform; clones share them.
pub struct Datasets<C>(Arc<Shared>, PhantomData<C>);

impl<C> Clone for Datasets<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0), PhantomData)
    }
}

struct Shared {
    store: Store,
    audit: Audit,
    directory: PathBuf,
    limit_bytes: u64,
    /// Held while file and records of a data set change, or a job takes its copy of both.
    changing: Mutex<()>,
}

impl<C: Content> Datasets<C> {
    /// The data sets in `data_dir`, without what an import left that its daemon's end cut short,
    /// and without the copies of jobs that nothing needs any more, by `is_needed`.
    ///
    /// # Errors
    /// [`Reason::StorageFailed`].
    pub fn open(
        data_dir: &Path,
        store: &Store,
        audit: &Audit,
        limit_bytes: u64,
        is_needed: impl Fn(&str) -> bool,
    ) -> Result<Self, Fault> {
        let shared = Shared {
            store: store.clone(),
            audit: audit.clone(),
            directory: data_dir.join(C::FOLDER),
            limit_bytes,
            changing: Mutex::default(),
        };
        spool::sweep(&shared.directory)?;
        let datasets = Self(Arc::new(shared), PhantomData);
        datasets.adopt_former(&is_needed)?;
        datasets.sweep_copies(is_needed)?;
        Ok(datasets)
    }

    /// Receives a file, reads it whole, and only then lets it take its name.
    ///
    /// # Errors
    /// [`Fault`] with the file's line, the header's field, or the limit; nothing was changed.
    pub async fn import(&self, chunks: Upload, who: &str) -> Result<C::Imported, Fault> {
        self.import_checked(chunks, who, |_, _| Ok(())).await
    }

    /// As [`Self::import`], refusing what `check` refuses.
    ///
    /// # Errors
    /// As [`Self::import`], and those of `check`.
    pub async fn import_checked(
        &self,
        chunks: Upload,
        who: &str,
        check: impl FnOnce(&FileHeader, &C::Data) -> Result<(), Fault> + Send + 'static,
    ) -> Result<C::Imported, Fault> {
        let Shared {
            directory,
            limit_bytes,
            ..
        } = &*self.0;
        let spooled = spool::receive(chunks, directory, *limit_bytes).await?;
        let (path, header, limit_bytes) = (
            spooled.path().to_owned(),
            spooled.header.clone(),
            *limit_bytes,
        );
        let salt = versions::salt()?;
        let (imported, commitment) = blocking(move || {
            let data = read::<C>(&path, &header, limit_bytes)?;
            check(&header, &data)?;
            let commitment = commit::<C>(&salt, &data)?;
            Ok::<_, Fault>((C::imported(&data, &header), commitment))
        })
        .await??;
        self.keep(spooled, &imported, salt, commitment, who)?;
        Ok(imported)
    }

    /// The file takes its name, and its records go with it.
    fn keep(
        &self,
        spooled: Spooled,
        imported: &C::Imported,
        salt: [u8; 32],
        commitment: [u8; 32],
        who: &str,
    ) -> Result<(), Fault> {
        let _changing = self.changing();
        let (header, name) = (spooled.header.clone(), spooled.name.clone());
        let Shared { store, audit, .. } = &*self.0;
        let tables = C::TABLES;
        let known = (tables.versions, name.as_str());
        let version = versions::next(store, known, &header.lineage, salt, commitment)?;
        let (users, rows) = C::sizes(imported);
        let entry = [
            ("dataset", name.as_str().into()),
            ("lineage", version.lineage.as_slice().into()),
            ("version", version.version.into()),
            ("commitment", commitment.into()),
            ("users", users.into()),
            (C::ROWS, rows.into()),
            ("by", who.into()),
        ];
        audit.record(Kind::Import, entry)?;
        // A crash between leaves a file that is not what was committed to, which no job reads.
        spooled.keep(&self.file(&name))?;
        store.put_all(&[
            (tables.versions, name.as_str(), version.to_row()),
            (tables.headers, name.as_str(), header.to_row()),
            (tables.datasets, name.as_str(), imported.to_row()),
        ])?;
        tracing::info!(dataset = name.as_str(), "{} imported", C::ROWS);
        Ok(())
    }

    /// An existing data set; an empty name means the only one.
    ///
    /// # Errors
    /// [`Reason::NotFound`]; [`Reason::InvalidRequest`] where there are several to choose from.
    pub fn choose(&self, name: &str) -> Result<DatasetName, Fault> {
        let known = self.0.store.keys(C::TABLES.datasets)?;
        let rows = C::ROWS;
        let refused =
            |reason, message: String| Err(Fault::new(reason, message).at("field", "dataset"));
        match (&known[..], name) {
            ([only], "") => DatasetName::parse(only),
            ([], _) => Err(Fault::new(
                Reason::NotFound,
                format!("no {rows} have been imported yet"),
            )
            .at("field", "dataset")
            .remedied_by(format!("Import a file of {rows} first."))),
            (_, "") => {
                let message = format!(
                    "there are several data sets, name one: {}",
                    known.join(", ")
                );
                refused(Reason::InvalidRequest, message)
            }
            (_, name) if known.iter().any(|one| one == name) => DatasetName::parse(name),
            _ => {
                let name = DatasetName::parse(name)?;
                let message = format!("there is no data set {name}, but: {}", known.join(", "));
                refused(Reason::NotFound, message)
            }
        }
    }

    /// What was found in a data set.
    ///
    /// # Errors
    /// [`Reason::NotFound`], [`Reason::StorageFailed`].
    pub fn imported(&self, dataset: &str) -> Result<C::Imported, Fault> {
        let imported = self.0.store.get(C::TABLES.datasets, dataset)?;
        imported.ok_or_else(|| not_there(dataset))
    }

    /// Reads the newest version of a data set; blocks.
    ///
    /// # Errors
    /// [`Reason::NotFound`], [`Reason::StorageFailed`].
    pub fn newest(&self, name: &DatasetName) -> Result<C::Data, Fault> {
        let header: Option<FileHeader> = self.0.store.get(C::TABLES.headers, name.as_str())?;
        let header = header.ok_or_else(|| not_there(name.as_str()))?;
        read::<C>(&self.file(name), &header, self.0.limit_bytes)
    }

    /// How the user ids of a data set were normalised.
    ///
    /// # Errors
    /// [`Reason::NotFound`], [`Reason::StorageFailed`].
    pub fn id_rule(&self, dataset: &str) -> Result<IdRule, Fault> {
        let header: Option<FileHeader> = self.0.store.get(C::TABLES.headers, dataset)?;
        let header = header.ok_or_else(|| not_there(dataset))?;
        Ok(header::id_rule(&header))
    }

    /// Which data a data set is a version of, 16 bytes.
    ///
    /// # Errors
    /// [`Reason::WrongState`], [`Reason::StorageFailed`].
    pub fn lineage(&self, name: &DatasetName) -> Result<Vec<u8>, Fault> {
        Ok(self.version(name)?.lineage)
    }

    /// The newest version of a data set.
    ///
    /// # Errors
    /// [`Reason::NotFound`], [`Reason::StorageFailed`].
    pub fn version(&self, name: &DatasetName) -> Result<DataVersion, Fault> {
        versions::of_kind(&self.0.store, C::TABLES.versions, name.as_str())?.ok_or_else(|| {
            let message = format!("the data set {name} was imported by an older version");
            Fault::new(Reason::WrongState, message)
                .at("field", "dataset")
                .remedied_by(format!("Import the {} again.", C::ROWS))
        })
    }

    fn file(&self, name: &DatasetName) -> PathBuf {
        self.0.directory.join(name.as_str())
    }

    fn changing(&self) -> MutexGuard<'_, ()> {
        self.0
            .changing
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C: Content> Held for Datasets<C> {
    fn hold(&self) -> MutexGuard<'_, ()> {
        self.changing()
    }

    fn folder(&self) -> &Path {
        &self.0.directory
    }
}

fn read<C: Content>(path: &Path, header: &FileHeader, limit_bytes: u64) -> Result<C::Data, Fault> {
    let files = Files::of(path, header, C::PARTS)?;
    C::read(&files, header, limit_bytes).map_err(|unread| unread.fault(&files, header))
}

/// The salted commitment to data.
fn commit<C: Content>(salt: &[u8; 32], data: &C::Data) -> Result<[u8; 32], Fault> {
    let mut commitment = Commitment::new(salt);
    C::commit(data, &mut commitment)?;
    Ok(commitment.finish())
}

/// Binds rows to what is committed to, in the order of what `named` makes of them, on all cores;
/// `fields` are those of a row.
///
/// # Errors
/// [`Reason::Bug`] for a row that names nobody.
pub fn commit_rows<'a, R: Sync, T: Ord + Send + Sync, const N: usize>(
    commitment: &mut Commitment,
    rows: &'a [R],
    named: impl Fn(&'a R) -> Option<T> + Sync + Send,
    fields: impl for<'t> Fn(&'t T) -> [&'t [u8]; N] + Sync,
) -> Result<(), Fault> {
    let named = rows.par_iter().map(&named).collect::<Option<Vec<T>>>();
    let mut named = named.ok_or_else(|| Fault::new(Reason::Bug, "a row that names nobody"))?;
    named.par_sort_unstable();
    commitment.rows(&named, fields);
    Ok(())
}

/// Binds users who are only listed, those from `first` on, to what is committed to, in any order.
/// Nothing is bound where there is no list, which is another commitment than an empty one.
pub fn commit_listed(commitment: &mut Commitment, users: &IdTable, first: usize) {
    let mut names: Vec<&str> = users.par_names().skip(first).collect();
    names.par_sort_unstable();
    // No id is empty: no row of data begins so.
    commitment.row(&[b"", b"users"]);
    commitment.rows(&names, |name| [name.as_bytes()]);
}

fn not_there(dataset: &str) -> Fault {
    Fault::new(
        Reason::NotFound,
        format!("there is no data set {dataset:?}"),
    )
    .at("field", "dataset")
}

fn storage(path: &Path, error: &std::io::Error) -> Fault {
    Fault::storage(format!("{}: {error}", path.display()), error.kind())
}
