//! P0's stock: masks Z, shares W, and the rule that a column masks one input (section 3.3).

use std::sync::Arc;

use s3rec_algebra::RingMatrix;
use subtle::ConstantTimeEq;

use super::record::{self, Nonces, RatingRecord, SecretBytes, Spent, VoidReason, identity};
use super::shares::{Masks, ShareFile};
use super::{StockStorage, StockTerms};
use crate::he::{RatingKeySetup, RatingKeys};
use crate::parameters::in_range;
use crate::rows::{check_shape, gather};
use crate::{ProductParameters, PublicPattern, SpmmError};

/// P0's side of a stock of preprocessed columns.
pub struct RatingStock {
    pub(crate) storage: Arc<dyn StockStorage>,
    pub(crate) record: RatingRecord,
    pub(crate) pattern: Arc<PublicPattern>,
    pub(crate) keys: Arc<RatingKeys>,
    pub(crate) masks: Arc<Masks>,
    pub(crate) shares: ShareFile,
    /// Set by a finished [`RatingSession`](super::RatingSession).
    pub(crate) in_session: bool,
    /// The pending message may be sent again.
    pub(crate) may_repeat: bool,
    /// Rounds' columns that the next new message skips. In memory only: a restart meets anew.
    pub(crate) burnt_next: u32,
}

/// An input that was given columns: the record says so on disk.
pub(crate) struct Reserved {
    pub(crate) round: u32,
    /// M as it crosses, ℓ bits a value.
    pub(crate) packed: Vec<u8>,
}

impl RatingStock {
    /// A new stock in an empty storage. Secret key, masks Z, mask seeds and errors come from
    /// entropy drawn here and serve this stock alone.
    ///
    /// # Errors
    /// [`SpmmError::StockExists`]; those of the parameters; the storage's.
    pub fn create(
        storage: Arc<dyn StockStorage>,
        terms: StockTerms,
        pattern: Arc<PublicPattern>,
    ) -> Result<RatingStock, SpmmError> {
        if storage.load()?.is_some() {
            return Err(SpmmError::StockExists);
        }
        check_preprocessed(&terms.parameters)?;
        let record = RatingRecord {
            terms_digest: terms.digest(&pattern)?,
            terms,
            entropy: SecretBytes::of(&crate::entropy::fresh()?),
            uploads: Vec::new(),
            identity: None,
            cursor: 0,
            pending: None,
            answered_through: 0,
            session: Nonces::NEVER_MET,
            void: None,
            frames: 0,
        };
        record::save(storage.as_ref(), &record)?;
        RatingStock::with_record(storage, record, pattern)
    }

    /// The stock of a storage, after a restart.
    ///
    /// # Errors
    /// [`SpmmError::Void`] when its offline phase never finished; [`SpmmError::OtherStock`] for
    /// another pattern; the storage's.
    pub fn open(
        storage: Arc<dyn StockStorage>,
        pattern: Arc<PublicPattern>,
    ) -> Result<RatingStock, SpmmError> {
        let record = RatingStock::read(storage.as_ref(), &pattern)?;
        let interrupted = record.identity.is_none().then_some(VoidReason::Interrupted);
        refuse_void(record.void.or(interrupted))?;
        RatingStock::with_record(storage, record, pattern)
    }

    /// The stock of a storage as it was left, finished or not: what is missing is made by
    /// [`RatingBlock::going_on`](super::RatingBlock::going_on), once both sides have met over it
    /// ([`RatingContinuation`](super::RatingContinuation)).
    ///
    /// # Errors
    /// As [`open`](RatingStock::open), but for the unfinished offline phase.
    pub fn take_up(
        storage: Arc<dyn StockStorage>,
        pattern: Arc<PublicPattern>,
    ) -> Result<RatingStock, SpmmError> {
        let record = RatingStock::read(storage.as_ref(), &pattern)?;
        refuse_void(record.void)?;
        RatingStock::with_record(storage, record, pattern)
    }

    fn read(
        storage: &dyn StockStorage,
        pattern: &PublicPattern,
    ) -> Result<RatingRecord, SpmmError> {
        let record: RatingRecord = record::load(storage)?;
        if record.terms.digest(pattern)? == record.terms_digest {
            Ok(record)
        } else {
            Err(SpmmError::OtherStock)
        }
    }

    fn with_record(
        storage: Arc<dyn StockStorage>,
        record: RatingRecord,
        pattern: Arc<PublicPattern>,
    ) -> Result<RatingStock, SpmmError> {
        let (parameters, entropy) = (&record.terms.parameters, record.entropy.seed());
        let keys = RatingKeys::from_entropy(parameters, &record.terms.key_seed, &entropy)?;
        Ok(RatingStock {
            masks: Arc::new(Masks::new(parameters, &entropy)?),
            shares: ShareFile::new(parameters)?,
            keys: Arc::new(keys),
            storage,
            record,
            pattern,
            in_session: false,
            may_repeat: false,
            burnt_next: 0,
        })
    }

    /// The terms the stock was made under.
    pub fn terms(&self) -> &StockTerms {
        &self.record.terms
    }

    /// The stock's name, once its offline phase is done.
    pub fn identity(&self) -> Option<[u8; 32]> {
        self.record.identity
    }

    /// The endpoint that announces the stock's public key, before its first block.
    ///
    /// # Errors
    /// Those of [`RatingKeySetup::new`].
    pub fn key_setup(&self) -> Result<RatingKeySetup, SpmmError> {
        RatingKeySetup::new(&self.keys)
    }

    pub(crate) fn parameters(&self) -> &ProductParameters {
        &self.record.terms.parameters
    }

    pub(crate) fn save(&self) -> Result<(), SpmmError> {
        record::save(self.storage.as_ref(), &self.record)
    }

    /// The next round whose columns are untouched.
    pub fn cursor(&self) -> u32 {
        self.record.cursor
    }

    /// A block's answer is complete: the last one seals the stock under its identity.
    pub(crate) fn finish_block(
        &mut self,
        upload: [u8; 32],
        is_last: bool,
    ) -> Result<(), SpmmError> {
        self.record.uploads.push(upload);
        self.record.frames = 0;
        if is_last {
            let public_key = &self.keys.public_key_bytes;
            self.record.identity = Some(identity(
                &self.record.terms_digest,
                public_key,
                &self.record.uploads,
            ));
        }
        self.save()
    }

    /// Gives `factors` (m × k) the first columns before the parties have met for the first time.
    /// A start that is cut short between resume handshake and opening then burns nothing: the columns'
    /// message is known. Without effect once columns are used.
    ///
    /// # Errors
    /// [`SpmmError::Shape`]; the storage's.
    pub fn reserve_first(&mut self, factors: &RingMatrix) -> Result<(), SpmmError> {
        if self.record.cursor > 0 || self.record.identity.is_none() {
            return Ok(());
        }
        check_shape(self.parameters(), &self.pattern, factors)?;
        let pattern = Arc::clone(&self.pattern);
        self.reserve(gather(factors, &pattern.uploaded_rows)?.as_ref())?;
        Ok(())
    }

    /// Gives `upload` (uploaded rows × k) its columns, on disk before it returns: the same
    /// columns as before for the pending message itself, else columns that nothing ever used.
    ///
    /// The record keeps a digest of the masked message instead of the message: M = U − Z is
    /// recomputed, and only an identical M is ever sent for its columns.
    pub(crate) fn reserve(&mut self, upload: &RingMatrix) -> Result<Reserved, SpmmError> {
        if let (true, Some(pending)) = (std::mem::take(&mut self.may_repeat), self.record.pending) {
            let packed = self.masks.mask(upload, pending.round)?;
            if bool::from(message_digest(pending.round, &packed).ct_eq(&pending.digest)) {
                return Ok(Reserved {
                    round: pending.round,
                    packed,
                });
            }
        }
        let round = self.record.cursor.saturating_add(self.burnt_next);
        if round >= self.parameters().rounds {
            return Err(SpmmError::Exhausted {
                rounds: self.parameters().rounds,
            });
        }
        let packed = self.masks.mask(upload, round)?;
        self.burnt_next = 0;
        self.record.cursor = round + 1;
        self.record.pending = Some(Spent {
            round,
            digest: message_digest(round, &packed),
        });
        self.save()?;
        Ok(Reserved { round, packed })
    }
}

/// Digest of a masked message, as packed, under the round it was sent for.
pub(crate) fn message_digest(round: u32, packed: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key("s3rec 2025 masked factors v1");
    hasher.update(&round.to_le_bytes());
    hasher.update(packed);
    *hasher.finalize().as_bytes()
}

pub(crate) fn refuse_void(void: Option<VoidReason>) -> Result<(), SpmmError> {
    match void {
        None => Ok(()),
        Some(reason) => Err(SpmmError::Void { reason }),
    }
}

pub(crate) fn check_preprocessed(parameters: &ProductParameters) -> Result<(), SpmmError> {
    parameters.validate()?;
    in_range(
        "uploaded rows",
        parameters.uploaded_rows,
        1,
        u64::from(parameters.users),
    )?;
    in_range(
        "returned rows",
        parameters.returned_rows,
        1,
        u64::from(parameters.users),
    )?;
    if parameters.protocol.is_preprocessed() {
        return Ok(());
    }
    Err(SpmmError::Unsupported {
        what: "a stock",
        with: parameters.protocol.name(),
    })
}
