//! P1's stock: shares R, P0's ciphertexts, and the rule that columns are answered once.

use std::sync::Arc;

use s3rec_algebra::Seed;
use subtle::ConstantTimeEq;

use super::rating_stock::{check_preprocessed, message_digest, refuse_void};
use super::record::{self, Nonces, SecretBytes, SocialRecord, Spent, VoidReason, identity};
use super::shares::ShareFile;
use super::{Bulk, StockStorage, StockTerms};
use crate::cost::Sizes;
use crate::he::{SocialKeySetup, SocialKeys, SocialSecrets};
use crate::{Asked, ProductParameters, PublicPattern, SocialOperand, SpmmError};

/// P1's side of a stock of preprocessed columns.
pub struct SocialStock {
    pub(crate) storage: Arc<dyn StockStorage>,
    pub(crate) record: SocialRecord,
    pub(crate) operand: Arc<SocialOperand>,
    pub(crate) keys: Option<Arc<SocialKeys>>,
    pub(crate) shares: ShareFile,
    /// Set by a finished [`SocialSession`](super::SocialSession).
    pub(crate) in_session: bool,
}

impl SocialStock {
    /// A new stock in an empty storage, for `operand`. The key that all of P1's randomness is
    /// derived from is drawn here and serves this stock alone.
    ///
    /// # Errors
    /// [`SpmmError::StockExists`]; [`SpmmError::OtherStock`] when the terms commit to another
    /// operator; those of the parameters; the storage's.
    pub fn create(
        storage: Arc<dyn StockStorage>,
        terms: StockTerms,
        pattern: &PublicPattern,
        operand: Arc<SocialOperand>,
    ) -> Result<SocialStock, SpmmError> {
        if storage.load()?.is_some() {
            return Err(SpmmError::StockExists);
        }
        check_preprocessed(&terms.parameters)?;
        operand.check_made_for(&terms.parameters)?;
        if !bool::from(terms.operator_commitment.ct_eq(&operand.commitment())) {
            return Err(SpmmError::OtherStock);
        }
        let record = SocialRecord {
            terms_digest: terms.digest(pattern)?,
            terms,
            stock_key: SecretBytes::of(&crate::entropy::fresh()?),
            operand_digest: SecretBytes::of(operand.digest()),
            uploads: Vec::new(),
            identity: None,
            cursor: 0,
            answered: None,
            openings: 0,
            reserved: 0,
            session: Nonces::NEVER_MET,
            tentative: None,
            closed: true,
            void: None,
            frames: 0,
        };
        record::save(storage.as_ref(), &record)?;
        let shares = ShareFile::new(&record.terms.parameters)?;
        Ok(SocialStock {
            storage,
            record,
            operand,
            keys: None,
            shares,
            in_session: false,
        })
    }

    /// The stock of a storage, after a restart.
    ///
    /// # Errors
    /// [`SpmmError::Void`] when its offline phase never finished or `operand` is not the Y that
    /// it holds shares of; [`SpmmError::OtherStock`] for another pattern; the storage's.
    pub fn open(
        storage: Arc<dyn StockStorage>,
        pattern: &PublicPattern,
        operand: Arc<SocialOperand>,
    ) -> Result<SocialStock, SpmmError> {
        let stock = SocialStock::read(storage, pattern, operand)?;
        let same = stock.record.operand_digest.seed() == *stock.operand.digest();
        let changed = (!same).then_some(VoidReason::OperatorChanged);
        let interrupted = stock
            .record
            .identity
            .is_none()
            .then_some(VoidReason::Interrupted);
        refuse_void(stock.record.void.or(changed).or(interrupted))?;
        Ok(stock)
    }

    /// The stock of a storage as it was left, finished or not, with P0's key: what is missing is made
    /// by [`SocialBlock::going_on`](super::SocialBlock::going_on), once both sides have met over it
    /// ([`SocialContinuation`](super::SocialContinuation)).
    ///
    /// # Errors
    /// As [`open`](SocialStock::open), but for the unfinished offline phase; no key.
    pub fn take_up(
        storage: Arc<dyn StockStorage>,
        pattern: &PublicPattern,
        operand: Arc<SocialOperand>,
    ) -> Result<SocialStock, SpmmError> {
        let mut stock = SocialStock::read(storage, pattern, operand)?;
        let same = stock.record.operand_digest.seed() == *stock.operand.digest();
        let changed = (!same).then_some(VoidReason::OperatorChanged);
        refuse_void(stock.record.void.or(changed))?;
        stock.restore_keys()?;
        Ok(stock)
    }

    fn read(
        storage: Arc<dyn StockStorage>,
        pattern: &PublicPattern,
        operand: Arc<SocialOperand>,
    ) -> Result<SocialStock, SpmmError> {
        let record: SocialRecord = record::load(storage.as_ref())?;
        operand.check_made_for(&record.terms.parameters)?;
        if record.terms.digest(pattern)? != record.terms_digest {
            return Err(SpmmError::OtherStock);
        }
        let shares = ShareFile::new(&record.terms.parameters)?;
        Ok(SocialStock {
            storage,
            record,
            operand,
            keys: None,
            shares,
            in_session: false,
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

    /// P1's own count of openings answered from this stock.
    pub fn openings(&self) -> u32 {
        self.record.openings
    }

    /// The same of the record of a stock that may be open elsewhere, as
    /// [`DirectoryStorage::peek`](super::DirectoryStorage::peek) gives it.
    ///
    /// # Errors
    /// [`SpmmError::UnreadableStock`].
    pub fn openings_of(record: &[u8]) -> Result<u32, SpmmError> {
        let record: SocialRecord = record::decode(record)?;
        Ok(record.openings)
    }

    /// The next round that was never answered.
    pub fn cursor(&self) -> u32 {
        self.record.cursor
    }

    /// The endpoint that receives P0's public key, before the first block.
    ///
    /// # Errors
    /// Those of [`SocialKeySetup::new`].
    pub fn key_setup(&self) -> Result<SocialKeySetup, SpmmError> {
        SocialKeySetup::with(self.secrets()?)
    }

    /// Takes what [`key_setup`](SocialStock::key_setup) received.
    ///
    /// # Errors
    /// Those of [`SocialKeySetup::into_keys`]; the storage's.
    pub fn accept_key(&mut self, setup: SocialKeySetup) -> Result<(), SpmmError> {
        let (secrets, public_key) = setup.finish()?;
        self.storage.write_at(Bulk::PublicKey, 0, &public_key)?;
        self.keys = Some(Arc::new(secrets.into_keys(&public_key)?));
        // The key is on disk with it: a block may be gone on with from here.
        self.save()
    }

    fn restore_keys(&mut self) -> Result<(), SpmmError> {
        let mut public_key = vec![0; Sizes::public_key(self.parameters())?.total_bytes()];
        self.storage.read_at(Bulk::PublicKey, 0, &mut public_key)?;
        self.keys = Some(Arc::new(self.secrets()?.into_keys(&public_key)?));
        Ok(())
    }

    fn secrets(&self) -> Result<SocialSecrets, SpmmError> {
        let terms = &self.record.terms;
        SocialSecrets::new(
            &terms.parameters,
            &terms.key_seed,
            self.record.stock_key.seed(),
        )
    }

    pub(crate) fn parameters(&self) -> &ProductParameters {
        &self.record.terms.parameters
    }

    pub(crate) fn save(&self) -> Result<(), SpmmError> {
        record::save(self.storage.as_ref(), &self.record)
    }

    /// A block is answered and its shares are on disk: the last one seals the stock. The answer
    /// stays, for a P0 that has not received all of it.
    pub(crate) fn finish_block(&mut self, is_last: bool) -> Result<(), SpmmError> {
        if is_last {
            let mut public_key = vec![0; Sizes::public_key(self.parameters())?.total_bytes()];
            self.storage.read_at(Bulk::PublicKey, 0, &mut public_key)?;
            self.record.identity = Some(identity(
                &self.record.terms_digest,
                &public_key,
                &self.record.uploads,
            ));
        }
        self.save()
    }

    /// P0 has the answers to all blocks so far.
    pub(crate) fn answers_arrived(&self) -> Result<(), SpmmError> {
        Ok(self.storage.discard(Bulk::Answer)?)
    }

    /// What the message M, as packed, is by this record: the very message that was answered last, or
    /// one for columns that were never answered. Changes nothing.
    pub(crate) fn examine(&self, round: u32, packed: &[u8]) -> Result<Asked, SpmmError> {
        let digest = message_digest(round, packed);
        let answered = self.record.answered;
        if let Some(answered) = answered.filter(|answered| answered.round == round) {
            return match bool::from(digest.ct_eq(&answered.digest)) {
                true => Ok(Asked {
                    round,
                    number: self.record.openings,
                    digest,
                    is_repeat: true,
                }),
                false => Err(SpmmError::ColumnsUsed { round }),
            };
        }
        if round < self.record.cursor || round >= self.parameters().rounds {
            return Err(SpmmError::ColumnsUsed { round });
        }
        Ok(Asked {
            round,
            number: self.record.openings + 1,
            digest,
            is_repeat: false,
        })
    }

    /// Gives what [`examine`](Self::examine) found the right to an answer, on disk before it
    /// returns. Columns that were answered are answered again for the identical message only; the
    /// count of openings stays. Columns passed over are burnt.
    pub(crate) fn admit(&mut self, asked: &Asked) -> Result<(), SpmmError> {
        if asked.is_repeat {
            return Ok(());
        }
        self.record.cursor = asked.round + 1;
        self.record.answered = Some(Spent {
            round: asked.round,
            digest: asked.digest,
        });
        self.record.openings = asked.number;
        self.save()
    }

    /// The seed of an answer's release noise: a function of everything the answer depends on,
    /// so that a repeated answer repeats it.
    ///
    /// # Errors
    /// [`SpmmError::Void`] for a stock without a name.
    pub(crate) fn noise_seed(&self, round: u32, message: &[u8; 32]) -> Result<Seed, SpmmError> {
        let identity = self.record.sealed()?;
        let operand = self.operand.digest();
        Ok(self.record.stock_key.seed().derive(
            "s3rec stock release noise",
            &[
                &identity,
                operand.expose_bytes(),
                &round.to_le_bytes(),
                message,
            ],
        ))
    }
}
