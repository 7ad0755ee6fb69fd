//! What P1 goes on from. Nothing of a broken connection is taken up again: before the stock is
//! finished the job begins anew, with a new stock; afterwards both meet over the stock on disk.

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
pub struct SocialKept {
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

impl SocialKept {
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
    /// The job as it was agreed on, with the stock from disk, ready to meet P0 over it.
    /// `operator` makes Y over the common users, given as indices of P1's ids.
    ///
    /// # Errors
    /// [`JobError::Lost`], [`JobError::OtherParameters`], [`JobError::LinksChanged`], or the
    /// stock's.
    pub fn from_disk<E: Display>(
        self,
        kept: Option<SocialKept>,
        operator: impl FnOnce(&[u32]) -> Result<SocialOperator, E>,
    ) -> Result<(SocialTurn, Restored), JobError> {
        let kept = kept.ok_or(JobError::Lost)?;
        if kept.parameters_digest != self.0.call.parameters_digest {
            return Err(JobError::OtherParameters);
        }
        let operator = operator(&kept.rows).map_err(changed)?;
        let salt = Seed::from_bytes(kept.salt.0);
        let operand = SocialOperand::new(&kept.parameters, &kept.pattern, &operator, &salt);
        let operand = Arc::new(operand.map_err(changed)?);
        let storage = self.0.platform.reopen_stock().map_err(JobError::disk)?;
        let stock = SocialStock::open(storage, &kept.pattern, operand).map_err(JobError::Ours)?;
        let layout = kept.parameters.layout().map_err(JobError::Ours)?;
        let restored = Restored {
            openings: stock.openings(),
            users: kept.parameters.users,
            parameters: kept.parameters.clone().into(),
        };
        let stocked = Box::new(Stocked {
            parameters_digest: kept.parameters_digest,
            stock,
            blocks_made: layout.blocks,
            // Asked for blocks, which are all made.
            fetch: None,
            may_repeat: true,
        });
        let turn = SocialTurn::at(self.0, [], State::Meeting(stocked));
        Ok((turn, restored))
    }
}

pub(super) fn changed(error: impl Display) -> JobError {
    JobError::LinksChanged(error.to_string())
}
