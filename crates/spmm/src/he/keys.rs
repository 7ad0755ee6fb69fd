//! The public key that re-randomisation needs, and what each side keeps of a session.

use s3rec_algebra::{PublicSeed, Seed};
use s3rec_he::{PublicKey, PublicKeyBodies, SecretKey};

use crate::chunks::{Chunks, Due, Numbering, not_due};
use crate::cost::Sizes;
use crate::endpoint::Fuse;
use crate::{Endpoint, Frame, ProductParameters, SpmmError, Step};

/// The seed of A_pk, from both sides' halves and the session's name: XOF(seed₀ ‖ seed₁ ‖ id).
/// Each side calls this itself, so that neither chooses A_pk alone.
pub fn public_key_seed(
    rating_half: &[u8; 32],
    social_half: &[u8; 32],
    session_id: &[u8],
) -> PublicSeed {
    PublicSeed::combine("s3rec he A_pk", &[rating_half, social_half, session_id])
}

/// What P0 keeps of a session: parameters, the secret key s and the public key's bodies.
pub struct RatingKeys {
    pub(crate) parameters: ProductParameters,
    pub(crate) secret: SecretKey,
    pub(crate) public_key_bytes: Vec<u8>,
}

impl RatingKeys {
    /// Draws s and the errors of the public key from the operating system.
    ///
    /// Private: s. Public: `seed`, from [`public_key_seed`].
    ///
    /// # Errors
    /// Those of [`ProductParameters::validate`]; [`SpmmError::Algebra`] without entropy.
    pub fn generate(
        parameters: &ProductParameters,
        seed: &PublicSeed,
    ) -> Result<RatingKeys, SpmmError> {
        RatingKeys::from_entropy(parameters, seed, &Seed::generate()?)
    }

    /// As [`generate`](RatingKeys::generate), from a stock's own seed.
    pub(crate) fn from_entropy(
        parameters: &ProductParameters,
        seed: &PublicSeed,
        entropy: &Seed,
    ) -> Result<RatingKeys, SpmmError> {
        parameters.validate()?;
        let secret = SecretKey::generate(
            parameters.glwe()?,
            &entropy.derive("s3rec he secret key", &[]),
        );
        let public = secret.public_key(
            seed,
            &entropy.derive("s3rec he public key errors", &[seed.as_bytes()]),
        );
        Ok(RatingKeys {
            parameters: parameters.clone(),
            secret,
            public_key_bytes: public.to_bytes(),
        })
    }

    /// The agreed parameters.
    pub fn parameters(&self) -> &ProductParameters {
        &self.parameters
    }
}

/// P0's side of the key setup: sends the bodies of its public key, 16·N·κ bytes.
pub struct RatingKeySetup {
    chunks: Chunks,
    bytes: Vec<u8>,
    numbering: Numbering,
    sent: usize,
}

impl RatingKeySetup {
    /// Announces the public key of `keys`.
    ///
    /// # Errors
    /// [`SpmmError::OutOfRange`] for sizes that no frame carries.
    pub fn new(keys: &RatingKeys) -> Result<RatingKeySetup, SpmmError> {
        Ok(RatingKeySetup {
            chunks: Sizes::public_key(&keys.parameters)?,
            bytes: keys.public_key_bytes.clone(),
            numbering: Numbering::default(),
            sent: 0,
        })
    }
}

impl Endpoint for RatingKeySetup {
    fn poll_send(&mut self) -> Result<Option<Frame>, SpmmError> {
        if self.is_done() {
            return Ok(None);
        }
        let items = self.chunks.items_of(self.sent);
        let bytes = items.start * self.chunks.item_bytes()..items.end * self.chunks.item_bytes();
        let payload = self.bytes.get(bytes).ok_or(SpmmError::Unfinished {
            pending: Step::PublicKey,
        })?;
        let payload = payload.to_vec();
        self.sent += 1;
        Ok(Some(self.numbering.frame(Step::PublicKey, payload)))
    }

    fn receive(&mut self, frame: Frame) -> Result<(), SpmmError> {
        Err(not_due(&frame))
    }

    fn awaiting(&self) -> Option<Step> {
        None
    }

    fn is_done(&self) -> bool {
        self.sent == self.chunks.frames()
    }
}

/// What P1 keeps of a session: parameters, P0's public key, and the key that all of P1's
/// randomness is derived from.
pub struct SocialKeys {
    pub(crate) parameters: ProductParameters,
    pub(crate) public: PublicKey,
    pub(crate) stock_key: Seed,
    /// Names everything public about the session: parameters, A_pk, b_pk.
    pub(crate) session_digest: [u8; 32],
}

impl SocialKeys {
    /// The agreed parameters.
    pub fn parameters(&self) -> &ProductParameters {
        &self.parameters
    }
}

/// P1's side of the key setup: receives the bodies of P0's public key.
pub struct SocialKeySetup {
    parameters: ProductParameters,
    seed: PublicSeed,
    stock_key: Seed,
    chunks: Chunks,
    due: Due,
    received: usize,
    bytes: Vec<u8>,
    fuse: Fuse,
}

impl SocialKeySetup {
    /// Waits for the public key under the A_pk of `seed`, from [`public_key_seed`].
    ///
    /// # Errors
    /// Those of [`ProductParameters::validate`]; [`SpmmError::Algebra`] without entropy.
    pub fn new(
        parameters: &ProductParameters,
        seed: &PublicSeed,
    ) -> Result<SocialKeySetup, SpmmError> {
        SocialKeySetup::with_stock_key(parameters, seed, Seed::generate()?)
    }

    pub(crate) fn with_stock_key(
        parameters: &ProductParameters,
        seed: &PublicSeed,
        stock_key: Seed,
    ) -> Result<SocialKeySetup, SpmmError> {
        parameters.validate()?;
        Ok(SocialKeySetup {
            parameters: parameters.clone(),
            seed: *seed,
            stock_key,
            chunks: Sizes::public_key(parameters)?,
            due: Due::default(),
            received: 0,
            bytes: Vec::new(),
            fuse: Fuse::default(),
        })
    }

    /// The bytes received so far, for a stock to keep.
    pub(crate) fn received_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Takes bytes that were received and kept before.
    pub(crate) fn restore(&mut self, bytes: Vec<u8>) {
        self.bytes = bytes;
        self.received = self.chunks.frames();
    }

    fn take(&mut self, frame: &Frame) -> Result<(), SpmmError> {
        if self.is_done() {
            return Err(not_due(frame));
        }
        self.due.check(frame, &self.chunks, self.received)?;
        self.received += 1;
        self.bytes.extend_from_slice(&frame.payload);
        Ok(())
    }

    /// The keys, once all frames are here.
    ///
    /// # Errors
    /// [`SpmmError::Unfinished`]; what decoding the peer's bytes reports.
    pub fn into_keys(self) -> Result<SocialKeys, SpmmError> {
        if !self.is_done() {
            return Err(SpmmError::Unfinished {
                pending: Step::PublicKey,
            });
        }
        let glwe = self.parameters.glwe()?;
        let bodies = PublicKeyBodies::from_bytes(&glwe, &self.bytes)?;
        let public = PublicKey::expand(glwe, &self.seed, &bodies)?;
        let mut hasher = blake3::Hasher::new_derive_key("s3rec 2025 he session digest v1");
        hasher.update(&self.parameters.digest());
        hasher.update(self.seed.as_bytes());
        hasher.update(&self.bytes);
        Ok(SocialKeys {
            parameters: self.parameters,
            public,
            stock_key: self.stock_key,
            session_digest: *hasher.finalize().as_bytes(),
        })
    }
}

impl Endpoint for SocialKeySetup {
    fn poll_send(&mut self) -> Result<Option<Frame>, SpmmError> {
        self.fuse.check()?;
        Ok(None)
    }

    fn receive(&mut self, frame: Frame) -> Result<(), SpmmError> {
        self.fuse.check()?;
        let taken = self.take(&frame);
        self.fuse.guard(Step::PublicKey, taken)
    }

    fn awaiting(&self) -> Option<Step> {
        (!self.is_done()).then_some(Step::PublicKey)
    }

    fn is_done(&self) -> bool {
        !self.fuse.is_blown() && self.received == self.chunks.frames()
    }
}
