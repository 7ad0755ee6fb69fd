//! A job's own copy of a data set: a later import under the same name does not change what the
//! job is about, and what it reads is what both platforms committed to.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use s3rec_data::{FileHeader, IdRule};
use s3rec_job::{DataVersion, JobId};
use s3rec_wire::convert::job_id;
use s3rec_wire::status::{Fault, Reason};

use super::{Content, DatasetName, Datasets, commit, header, read, storage};
use crate::process::blocking;
use crate::rows::Row;
use crate::store::Change;
use crate::versions;

/// How the file of a job's copy begins; no [`DatasetName`] does.
const COPY: &str = ".job-";

/// A job's own copy, taken back when dropped before it is [kept](Self::keep).
pub struct JobCopy<'a, C: Content> {
    datasets: &'a Datasets<C>,
    job: String,
    /// What is committed to with it.
    pub version: DataVersion,
    /// How its user ids were normalised.
    pub id_rule: IdRule,
    is_kept: bool,
}

impl<C: Content> JobCopy<'_, C> {
    /// The job is stored: its copy stays until [`Datasets::release`].
    pub fn keep(mut self) {
        self.is_kept = true;
    }
}

impl<C: Content> Drop for JobCopy<'_, C> {
    fn drop(&mut self) {
        if !self.is_kept {
            self.datasets.release(&self.job);
        }
    }
}

impl<C: Content> Datasets<C> {
    /// Gives a job its own copy of a data set's newest version.
    ///
    /// # Errors
    /// [`Reason::NotFound`], [`Reason::WrongState`] for data that nothing commits to,
    /// [`Reason::StorageFailed`].
    pub fn copy(&self, dataset: &DatasetName, job: JobId) -> Result<JobCopy<'_, C>, Fault> {
        let _changing = self.changing();
        let job = job.to_string();
        let store = &self.0.store;
        let header: Option<FileHeader> = store.get(C::TABLES.headers, dataset.as_str())?;
        let header = header.ok_or_else(|| super::not_there(dataset.as_str()))?;
        let version = self.version(dataset)?;
        self.take_back(&job)?;
        let own = self.copy_file(&job)?;
        std::fs::hard_link(self.file(dataset), &own).map_err(|error| storage(&own, &error))?;
        let copy = JobCopy {
            datasets: self,
            job: job.clone(),
            version,
            id_rule: header::id_rule(&header),
            is_kept: false,
        };
        store.put_all(&[
            (C::TABLES.copy_headers, &job, header.to_row()),
            (C::TABLES.copy_versions, &job, copy.version.to_row()),
        ])?;
        Ok(copy)
    }

    /// Takes a job's copy back, if it has one. Never fails: what cannot be removed is logged, and
    /// removed when the daemon starts again.
    pub fn release(&self, job: &str) {
        if let Err(fault) = self.take_back(job) {
            tracing::error!(job, "the job's copy of the data is not removed: {fault}");
        }
    }

    /// The version of the data that a job was proposed or approved with.
    ///
    /// # Errors
    /// [`Reason::NotFound`], [`Reason::StorageFailed`].
    pub fn version_for(&self, job: &str) -> Result<DataVersion, Fault> {
        let version = self.0.store.get(C::TABLES.copy_versions, job)?;
        version.ok_or_else(|| no_copy(job))
    }

    /// How the user ids of a job's data were normalised.
    ///
    /// # Errors
    /// [`Reason::NotFound`], [`Reason::StorageFailed`].
    pub fn id_rule_for(&self, job: &str) -> Result<IdRule, Fault> {
        Ok(header::id_rule(&self.header_for(job)?))
    }

    /// Reads the data of a job, which must be what was committed to with its copy.
    ///
    /// # Errors
    /// [`Reason::StorageFailed`] for anything else.
    pub async fn load(&self, job: &str) -> Result<C::Data, Fault> {
        let (header, version) = (self.header_for(job)?, self.version_for(job)?);
        let (path, limit_bytes) = (self.copy_file(job)?, self.0.limit_bytes);
        let (data, is_same) = blocking(move || {
            let data = read::<C>(&path, &header, limit_bytes)?;
            let salt = version.salt.as_slice().try_into();
            let is_same = match salt {
                Ok(salt) => commit::<C>(salt, &data)?.as_slice() == version.commitment,
                Err(_) => false,
            };
            Ok::<_, Fault>((data, is_same))
        })
        .await??;
        if is_same {
            return Ok(data);
        }
        let rows = C::ROWS;
        let message = format!("the {rows} of the job {job} are not those that were imported");
        Err(Fault::new(Reason::StorageFailed, message).remedied_by(format!(
            "Import the {rows} again and propose the job anew; somebody or something has changed \
             the file."
        )))
    }

    /// BLAKE3 of the file that a job's data came in, in hexadecimal.
    ///
    /// # Errors
    /// [`Reason::StorageFailed`].
    pub fn digest_for(&self, job: &str) -> Result<String, Fault> {
        let path = self.copy_file(job)?;
        let mut hasher = blake3::Hasher::new();
        let hashed =
            std::fs::File::open(&path).and_then(|file| hasher.update_reader(file).map(drop));
        hashed.map_err(|error| storage(&path, &error))?;
        Ok(hasher.finalize().to_hex().to_string())
    }

    /// The jobs that have a copy of a data set.
    ///
    /// # Errors
    /// [`Reason::StorageFailed`].
    pub fn jobs_with(&self, dataset: &DatasetName) -> Result<Vec<String>, Fault> {
        let versions = self
            .0
            .store
            .list::<DataVersion>(C::TABLES.copy_versions, "")?;
        let of_it = versions
            .into_iter()
            .filter(|(_, version)| version.dataset == dataset.as_str());
        Ok(of_it.map(|(job, _)| job).collect())
    }

    /// Removes the copies, and what is known of them, of jobs that do not need one.
    pub(super) fn sweep_copies(&self, is_needed: impl Fn(&str) -> bool) -> Result<(), Fault> {
        let mut jobs = self.0.store.keys(C::TABLES.copy_versions)?;
        let directory = &self.0.directory;
        match std::fs::read_dir(directory) {
            Ok(entries) => {
                for entry in entries {
                    let entry = entry.map_err(|error| storage(directory, &error))?;
                    let name = entry.file_name();
                    if let Some(job) = name.to_str().and_then(|name| name.strip_prefix(COPY)) {
                        jobs.push(job.to_owned());
                    }
                }
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(storage(directory, &error)),
        }
        for job in jobs.iter().filter(|job| !is_needed(job)) {
            tracing::info!(job, "the copy of the data that the job left is removed");
            self.release(job);
        }
        Ok(())
    }

    /// Takes over what an earlier version kept: the copies that are needed, under a name of a data
    /// set then, get their own; the others go. None of them had a commitment of its own, so a
    /// proposal that commits to one is not gone on with, while a model is served as before.
    pub(super) fn adopt_former(&self, is_needed: impl Fn(&str) -> bool) -> Result<(), Fault> {
        let store = &self.0.store;
        for key in store.keys(C::TABLES.headers)? {
            let Some(job) = key.strip_prefix("job/") else {
                continue;
            };
            let name = format!("job-{job}");
            let is_data_set = store.keys(C::TABLES.datasets)?.contains(&name);
            let former = self.0.directory.join(name);
            if !is_data_set && is_needed(job) {
                if let Err(fault) = self.adopt(job, &key, &former) {
                    tracing::error!(job, "the job's data are not taken over: {fault}");
                    continue;
                }
            } else if !is_data_set
                && let Err(error) = std::fs::remove_file(&former)
                && error.kind() != ErrorKind::NotFound
            {
                return Err(storage(&former, &error));
            }
            store.change(&[Change::Remove(C::TABLES.headers, &key)])?;
        }
        Ok(())
    }

    fn adopt(&self, job: &str, key: &str, former: &Path) -> Result<(), Fault> {
        let store = &self.0.store;
        let header: Option<FileHeader> = store.get(C::TABLES.headers, key)?;
        let header = header.ok_or_else(|| no_copy(job))?;
        let salt = versions::salt()?;
        let data = read::<C>(former, &header, self.0.limit_bytes)?;
        let version = DataVersion {
            dataset: header.dataset.clone(),
            salt: salt.to_vec(),
            commitment: commit::<C>(&salt, &data)?.to_vec(),
            ..DataVersion::default()
        };
        let own = self.copy_file(job)?;
        std::fs::rename(former, &own).map_err(|error| storage(&own, &error))?;
        Ok(store.put_all(&[
            (C::TABLES.copy_headers, job, header.to_row()),
            (C::TABLES.copy_versions, job, version.to_row()),
        ])?)
    }

    fn take_back(&self, job: &str) -> Result<(), Fault> {
        let path = self.copy_file(job)?;
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(storage(&path, &error));
            }
            _ => {}
        }
        if self
            .0
            .store
            .get::<DataVersion>(C::TABLES.copy_versions, job)?
            .is_none()
        {
            return Ok(());
        }
        Ok(self.0.store.change(&[
            Change::Remove(C::TABLES.copy_headers, job),
            Change::Remove(C::TABLES.copy_versions, job),
        ])?)
    }

    /// How a job's data are read.
    ///
    /// # Errors
    /// [`Reason::NotFound`] for a job without a copy.
    pub fn header_for(&self, job: &str) -> Result<FileHeader, Fault> {
        let header = self.0.store.get(C::TABLES.copy_headers, job)?;
        header.ok_or_else(|| no_copy(job))
    }

    fn copy_file(&self, job: &str) -> Result<PathBuf, Fault> {
        let job = job_id("job_id", job)?;
        Ok(self.0.directory.join(format!("{COPY}{job}")))
    }
}

fn no_copy(job: &str) -> Fault {
    Fault::new(Reason::NotFound, format!("the job {job} has no data")).at("job", job)
}
