//! What people do with data sets besides importing them: list, show, delete.

use std::io::ErrorKind;

use s3rec_audit::Kind;
use s3rec_data::FileHeader;
use s3rec_wire::status::{Fault, Reason};

use super::{Content, DatasetName, Datasets, not_there, storage};
use crate::rows::Row;
use crate::store::Change;
use crate::versions;

/// A data set as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatasetEntry {
    /// Its name.
    pub dataset: String,
    /// Counts the imports under its name, from 1.
    pub version: u32,
    /// When it was imported, milliseconds since the Unix epoch.
    pub imported_unix_ms: i64,
    /// What it is a version of.
    pub lineage: Vec<u8>,
    /// Those who are only listed among them.
    pub users: u64,
    /// Ratings or links, after merging.
    pub rows: u64,
    /// Of the file as it is kept.
    pub bytes: u64,
    /// Jobs that keep a copy of one of its versions.
    pub jobs: Vec<String>,
}

/// One data set, with what its import found and how its file is read.
pub struct Shown<I> {
    /// As it is listed.
    pub dataset: DatasetEntry,
    /// As its import was answered.
    pub imported: I,
    /// The header of its upload.
    pub header: FileHeader,
}

impl<C: Content> Datasets<C> {
    /// All data sets, by name.
    ///
    /// # Errors
    /// [`Reason::StorageFailed`].
    pub fn list(&self) -> Result<Vec<DatasetEntry>, Fault> {
        let names = self.0.store.keys(C::TABLES.datasets)?;
        let summaries = names.iter().map(|name| {
            let imported = self.imported(name)?;
            self.summary(&DatasetName::parse(name)?, &imported)
        });
        summaries.collect()
    }

    /// The data sets that were imported without a further file of a kind.
    ///
    /// # Errors
    /// [`Reason::StorageFailed`].
    pub fn lacking(&self, kind: &str) -> Result<Vec<String>, Fault> {
        let mut lacking = self.0.store.keys(C::TABLES.datasets)?;
        let mut having = Vec::new();
        for name in &lacking {
            let header: Option<FileHeader> = self.0.store.get(C::TABLES.headers, name)?;
            let parts = header.map(|header| header.parts).unwrap_or_default();
            if parts.iter().any(|part| part.kind == kind) {
                having.push(name.clone());
            }
        }
        lacking.retain(|name| !having.contains(name));
        Ok(lacking)
    }

    /// One of them; an empty name means the only one.
    ///
    /// # Errors
    /// As [`Self::choose`].
    pub fn show(&self, dataset: &str) -> Result<Shown<C::Imported>, Fault> {
        let name = self.choose(dataset)?;
        let header: Option<FileHeader> = self.0.store.get(C::TABLES.headers, name.as_str())?;
        let imported = self.imported(name.as_str())?;
        Ok(Shown {
            dataset: self.summary(&name, &imported)?,
            imported,
            header: header.ok_or_else(|| not_there(name.as_str()))?,
        })
    }

    /// Removes a data set; its lineage stays, so that what was disclosed of it stays counted for
    /// whatever is imported under its name later. `who` stands in the audit log.
    ///
    /// # Errors
    /// [`Reason::NotFound`]; [`Reason::WrongState`] naming the jobs that keep a copy of it.
    pub fn delete(&self, dataset: &str, who: &str) -> Result<(), Fault> {
        let name = DatasetName::parse(dataset)?;
        let _changing = self.changing();
        let store = &self.0.store;
        if !store
            .keys(C::TABLES.datasets)?
            .iter()
            .any(|known| known == dataset)
        {
            return Err(not_there(dataset));
        }
        let jobs = self.jobs_with(&name)?;
        if !jobs.is_empty() {
            let message = format!("the data set {name} is used by: {}", jobs.join(", "));
            let fault = Fault::new(Reason::WrongState, message).at("field", "dataset");
            return Err(fault.remedied_by(
                "End those jobs first; a finished one keeps its copy until its model is deleted.",
            ));
        }
        let version = versions::of_kind(store, C::TABLES.versions, dataset)?;
        let lineage = version.as_ref().map(|version| version.lineage.as_slice());
        let entry = [
            ("what", "data set".into()),
            ("dataset", dataset.into()),
            ("lineage", lineage.unwrap_or_default().into()),
            ("by", who.into()),
        ];
        self.0.audit.record(Kind::Deletion, entry)?;
        let path = self.file(&name);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(storage(&path, &error));
            }
            _ => {}
        }
        let mut changes = vec![
            Change::Remove(C::TABLES.datasets, dataset),
            Change::Remove(C::TABLES.headers, dataset),
        ];
        if let Some(version) = version {
            let left = versions::deleted(version).to_row();
            changes.push(Change::Put(C::TABLES.versions, dataset, left));
        }
        store.change(&changes)?;
        tracing::info!(dataset, "deleted");
        Ok(())
    }

    fn summary(&self, name: &DatasetName, imported: &C::Imported) -> Result<DatasetEntry, Fault> {
        let version = versions::of_kind(&self.0.store, C::TABLES.versions, name.as_str())?
            .unwrap_or_default();
        let (users, rows) = C::sizes(imported);
        Ok(DatasetEntry {
            dataset: name.to_string(),
            version: version.version,
            imported_unix_ms: version.imported_unix_ms,
            lineage: version.lineage,
            users,
            rows,
            bytes: std::fs::metadata(self.file(name)).map_or(0, |file| file.len()),
            jobs: self.jobs_with(name)?,
        })
    }
}
