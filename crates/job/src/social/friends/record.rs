//! What P1 is told of an opening while it is under way, and keeps before anything leaves.

use std::sync::Arc;

use s3rec_spmm::noise_first::{Noised, Opening, OpeningRecord};
use s3rec_spmm::{Admission, Asked, SpmmError};

use super::{Answer, FriendsStorage, SocialFriendsCheckpoint};
use crate::JobError;

fn checkpoint_of(storage: &dyn FriendsStorage) -> Result<SocialFriendsCheckpoint, SpmmError> {
    storage
        .load()?
        .ok_or_else(|| SpmmError::Refused(Box::new(JobError::Lost)))
}

fn other(what: &'static str) -> SpmmError {
    SpmmError::Refused(Box::new(JobError::OtherThanBound { what }))
}

/// Binds the one opening of a session.
pub(super) struct Binding(pub(super) Arc<dyn FriendsStorage>);

impl OpeningRecord for Binding {
    fn bind(&mut self, opening: &Opening) -> Result<(), SpmmError> {
        let mut checkpoint = checkpoint_of(self.0.as_ref())?;
        match checkpoint.opening {
            Some(bound) if bound == *opening => Ok(()),
            Some(_) => Err(other("opening")),
            None => {
                checkpoint.opening = Some(*opening);
                Ok(self.0.save(&checkpoint)?)
            }
        }
    }

    fn permit(&mut self, _: u64, _: &[u8; 32]) -> Result<(), SpmmError> {
        Err(other("exchange"))
    }

    fn count(&mut self, _: u64) -> Result<(), SpmmError> {
        Err(other("exchange"))
    }

    fn keep(&mut self, _: u64, _: &Noised) -> Result<(), SpmmError> {
        Err(other("exchange"))
    }
}

/// Binds the upload, has its answer counted, and keeps it.
pub(super) struct Answering {
    storage: Arc<dyn FriendsStorage>,
    admission: Box<dyn Admission>,
    masks: Vec<u8>,
    /// The upload that was permitted, which is the one that is counted and answered whatever is on
    /// disk by then: a call of a connection that was given up may still be writing there.
    permitted: Option<[u8; 32]>,
}

impl Answering {
    pub(super) fn new(
        storage: Arc<dyn FriendsStorage>,
        admission: Box<dyn Admission>,
        masks: Vec<u8>,
    ) -> Self {
        Self {
            storage,
            admission,
            masks,
            permitted: None,
        }
    }

    /// What is on disk, where it is still of the upload that was permitted.
    fn bound(&self) -> Result<(SocialFriendsCheckpoint, [u8; 32]), SpmmError> {
        let checkpoint = checkpoint_of(self.storage.as_ref())?;
        match self.permitted {
            Some(upload) if checkpoint.upload == Some(upload) => Ok((checkpoint, upload)),
            _ => Err(other("upload")),
        }
    }

    fn asked(digest: [u8; 32], is_repeat: bool) -> Asked {
        Asked {
            round: 0,
            number: 1,
            digest,
            is_repeat,
        }
    }
}

impl OpeningRecord for Answering {
    fn bind(&mut self, _: &Opening) -> Result<(), SpmmError> {
        Err(other("exchange"))
    }

    fn permit(&mut self, number: u64, upload: &[u8; 32]) -> Result<(), SpmmError> {
        let mut checkpoint = checkpoint_of(self.storage.as_ref())?;
        if checkpoint.opening.map(|opening| opening.number) != Some(number) {
            return Err(other("opening"));
        }
        if checkpoint.upload.is_some_and(|bound| bound != *upload) {
            return Err(other("upload"));
        }
        self.admission.named(0)?;
        self.admission
            .permit(&Self::asked(*upload, checkpoint.answer.is_some()))?;
        if checkpoint.upload.is_none() {
            checkpoint.upload = Some(*upload);
            self.storage.save(&checkpoint)?;
        }
        self.permitted = Some(*upload);
        Ok(())
    }

    fn count(&mut self, _: u64) -> Result<(), SpmmError> {
        let (checkpoint, upload) = self.bound()?;
        self.admission
            .count(&Self::asked(upload, checkpoint.answer.is_some()))
    }

    fn keep(&mut self, _: u64, answer: &Noised) -> Result<(), SpmmError> {
        let (mut checkpoint, _) = self.bound()?;
        match &checkpoint.answer {
            Some(made) if made.noised == answer.bytes() => Ok(()),
            Some(_) => Err(other("answer")),
            None => {
                checkpoint.answer = Some(Answer {
                    masks: std::mem::take(&mut self.masks),
                    noised: answer.bytes().to_vec(),
                });
                Ok(self.storage.save(&checkpoint)?)
            }
        }
    }
}
