//! What P1 goes on from. Nothing of a broken connection is taken up again but what is on disk: from
//! P0's key on both meet over the stock, finished or not; before it the job begins anew.

use std::fmt::Display;
use std::sync::Arc;

use s3rec_algebra::Seed;
use s3rec_sparse::SocialOperator;
use s3rec_spmm::preprocessed::SocialStock;
use s3rec_spmm::{ProductParameters, PublicPattern, SocialOperand};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::turn::{About, State};
use super::{SocialAgreed, SocialTurn, Stocked};
use crate::{AgreedParameters, JobError};

/// What P1 needs beside the stock to go on with it; secret for its salt.
#[derive(Serialize, Deserialize)]
pub struct SocialCheckpoint {
    /// How P0 is named.
    pub peer: String,
    /// The common users, as indices of P1's ids.
    rows: Vec<u32>,
    pattern: PublicPattern,
    /// The product's.
    pub parameters: ProductParameters,
    parameters_digest: [u8; 32],
    salt: Salt,
}

#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
struct Salt([u8; 32]);

impl SocialCheckpoint {
    pub(super) fn of(agreed: &SocialAgreed, peer: String) -> Self {
        Self {
            peer,
            rows: agreed.rows.as_ref().clone(),
            pattern: agreed.pattern.clone(),
            parameters: agreed.parameters.clone(),
            parameters_digest: agreed.parameters_digest,
            salt: Salt(*agreed.salt.expose_bytes()),
        }
    }
}

/// A turn that goes on from disk.
pub struct Restoring(pub(super) About);

/// What the platform is to know of a restored job.
#[derive(Clone, Debug)]
pub struct Restored {
    /// Openings that the stock has on record.
    pub openings: u32,
    /// m.
    pub users: u32,
    /// Of what is opened.
    pub parameters: AgreedParameters,
}

impl Restoring {
    /// The job as it was agreed on, with the stock from disk, ready to meet P0 over it. What is to
    /// be known of it is `None` where an unfinished stock is asked for and there is none: P0 then
    /// begins again. `operator` makes Y over the common users, given as indices of P1's ids.
    ///
    /// # Errors
    /// [`JobError::Lost`], [`JobError::OtherParameters`], [`JobError::LinksChanged`], or the
    /// stock's, where a finished one is asked for.
    pub fn from_disk<E: Display>(
        self,
        checkpoint: Option<SocialCheckpoint>,
        operator: impl FnOnce(&[u32]) -> Result<SocialOperator, E>,
    ) -> Result<(SocialTurn, Option<Restored>), JobError> {
        let goes_on = self.0.call.goes_on;
        match self.read(checkpoint, operator) {
            Ok((stocked, restored)) => {
                let stocked = Box::new(stocked);
                let state = match goes_on {
                    true => State::GoingOn(Some(stocked)),
                    false => State::Resuming(stocked),
                };
                Ok((SocialTurn::at(self.0, [], state), Some(restored)))
            }
            // Nothing of an unfinished stock was opened.
            Err(_) if goes_on => Ok((SocialTurn::at(self.0, [], State::GoingOn(None)), None)),
            Err(error) => Err(error),
        }
    }

    fn read<E: Display>(
        &self,
        checkpoint: Option<SocialCheckpoint>,
        operator: impl FnOnce(&[u32]) -> Result<SocialOperator, E>,
    ) -> Result<(Stocked, Restored), JobError> {
        let call = &self.0.call;
        let checkpoint = checkpoint.ok_or(JobError::Lost)?;
        if checkpoint.parameters_digest != call.parameters_digest {
            return Err(JobError::OtherParameters);
        }
        let operator = operator(&checkpoint.rows).map_err(changed)?;
        let salt = Seed::from_bytes(checkpoint.salt.0);
        let operand = SocialOperand::new(
            &checkpoint.parameters,
            &checkpoint.pattern,
            &operator,
            &salt,
        );
        let operand = Arc::new(operand.map_err(changed)?);
        let storage = self.0.platform.reopen_stock().map_err(JobError::disk)?;
        let stock = match call.goes_on {
            true => SocialStock::take_up(storage, &checkpoint.pattern, operand),
            false => SocialStock::open(storage, &checkpoint.pattern, operand),
        };
        let stock = stock.map_err(JobError::Ours)?;
        let layout = checkpoint.parameters.layout().map_err(JobError::Ours)?;
        let restored = Restored {
            openings: stock.openings(),
            users: checkpoint.parameters.users,
            parameters: checkpoint.parameters.clone().into(),
        };
        let stocked = Stocked {
            parameters_digest: checkpoint.parameters_digest,
            stock,
            // Of an unfinished stock, until both sides have found its place.
            blocks_made: layout.blocks,
            place: None,
            // Asked for blocks, which are all made where anything was fetched.
            fetch: None,
            may_repeat: !call.goes_on,
        };
        Ok((stocked, restored))
    }
}

pub(super) fn changed(error: impl Display) -> JobError {
    JobError::LinksChanged(error.to_string())
}
