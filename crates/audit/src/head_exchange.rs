//! Both platforms' heads at one moment of a job, signed by both.

use crate::entry::{Fields, fields};
use crate::{AuditError, Entry, Head, PublicKey, Signature};

/// The label of the signatures.
pub const LABEL: &str = "audit heads";

/// The two heads, and where in a job they met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadExchange {
    /// The job.
    pub job: String,
    /// The phase that begins or ends.
    pub phase: String,
    /// P0's newest entry.
    pub rating: Head,
    /// P1's newest entry.
    pub social: Head,
}

impl HeadExchange {
    /// What both sign: job and phase, each behind its length as `u32`, then both heads.
    #[must_use]
    pub fn statement(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for text in [&self.job, &self.phase] {
            bytes.extend(u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
            bytes.extend(text.as_bytes());
        }
        for head in [&self.rating, &self.social] {
            bytes.extend(head.log);
            bytes.extend(head.sequence.to_le_bytes());
            bytes.extend(head.hash);
        }
        bytes
    }

    /// Checks one party's signature.
    ///
    /// # Errors
    /// [`AuditError::Signature`] naming `signer`.
    pub fn check(
        &self,
        signer: &'static str,
        key: &PublicKey,
        signature: &[u8],
    ) -> Result<(), AuditError> {
        if key.has_signed(LABEL, &self.statement(), signature) {
            return Ok(());
        }
        Err(AuditError::Signature {
            signer,
            what: "both heads",
        })
    }

    /// The fields of the entry that keeps it.
    #[must_use]
    pub fn fields(&self, rating_signature: &Signature, social_signature: &Signature) -> Fields {
        let mut all = fields([
            ("job", self.job.as_str().into()),
            ("phase", self.phase.as_str().into()),
            ("rating_signature", (*rating_signature).into()),
            ("social_signature", (*social_signature).into()),
        ]);
        all.extend(self.rating.fields("rating"));
        all.extend(self.social.fields("social"));
        all
    }

    /// Reads such an entry: the heads, P0's signature and P1's.
    ///
    /// # Errors
    /// [`AuditError::Field`].
    pub fn of(entry: &Entry) -> Result<(Self, &[u8], &[u8]), AuditError> {
        let missing = |field| move || AuditError::Field { field };
        let text = |field| entry.text(field).ok_or_else(missing(field));
        let bytes = |field| entry.bytes(field).ok_or_else(missing(field));
        let head = |party| Head::of(entry, party).ok_or_else(missing(party));
        let heads = Self {
            job: text("job")?.into(),
            phase: text("phase")?.into(),
            rating: head("rating")?,
            social: head("social")?,
        };
        Ok((
            heads,
            bytes("rating_signature")?,
            bytes("social_signature")?,
        ))
    }
}
