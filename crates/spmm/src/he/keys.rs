//! The public key that re-randomisation needs, and what each side keeps of a session.

use s3rec_algebra::{PublicSeed, Seed};
use s3rec_he::{PublicKey, PublicKeyBodies, SecretKey};

use crate::exchange::{Runner, State, endpoints};
use crate::{Exchange, ProductParameters, SpmmError};

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
        RatingKeys::from_entropy(parameters, seed, &crate::entropy::fresh()?)
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
pub struct RatingKeySetup(Runner<(), ()>);

impl RatingKeySetup {
    /// Announces the public key of `keys`.
    ///
    /// # Errors
    /// [`SpmmError::OutOfRange`] for sizes that no frame carries.
    pub fn new(keys: &RatingKeys) -> Result<RatingKeySetup, SpmmError> {
        let schedule = Exchange::PublicKey.schedule(&keys.parameters)?;
        let sending = State::bytes(keys.public_key_bytes.clone(), State::Finished(()));
        Ok(RatingKeySetup(Runner::rating(schedule, (), sending)))
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
pub struct SocialKeySetup(Runner<SocialSecrets, Vec<u8>>);

/// What P1 has before P0's public key.
pub(crate) struct SocialSecrets {
    parameters: ProductParameters,
    seed: PublicSeed,
    stock_key: Seed,
}

impl SocialSecrets {
    /// `seed` is that of A_pk, `stock_key` the root of P1's randomness.
    ///
    /// # Errors
    /// Those of [`ProductParameters::validate`].
    pub(crate) fn new(
        parameters: &ProductParameters,
        seed: &PublicSeed,
        stock_key: Seed,
    ) -> Result<SocialSecrets, SpmmError> {
        parameters.validate()?;
        Ok(SocialSecrets {
            parameters: parameters.clone(),
            seed: *seed,
            stock_key,
        })
    }

    /// The keys, with the bodies of P0's public key.
    ///
    /// # Errors
    /// What decoding the peer's bytes reports.
    pub(crate) fn into_keys(self, public_key: &[u8]) -> Result<SocialKeys, SpmmError> {
        let glwe = self.parameters.glwe()?;
        let bodies = PublicKeyBodies::from_bytes(&glwe, public_key)?;
        let public = PublicKey::expand(glwe, &self.seed, &bodies)?;
        let mut hasher = blake3::Hasher::new_derive_key("s3rec 2025 he session digest v1");
        hasher.update(&self.parameters.digest());
        hasher.update(self.seed.as_bytes());
        hasher.update(public_key);
        Ok(SocialKeys {
            parameters: self.parameters,
            public,
            stock_key: self.stock_key,
            session_digest: *hasher.finalize().as_bytes(),
        })
    }
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
        SocialKeySetup::with(SocialSecrets::new(
            parameters,
            seed,
            crate::entropy::fresh()?,
        )?)
    }

    pub(crate) fn with(secrets: SocialSecrets) -> Result<SocialKeySetup, SpmmError> {
        let schedule = Exchange::PublicKey.schedule(&secrets.parameters)?;
        let receiving = State::collect(|_, bytes| Ok(State::Finished(bytes)));
        Ok(SocialKeySetup(Runner::social(schedule, secrets, receiving)))
    }

    /// The keys, once all frames are here.
    ///
    /// # Errors
    /// [`SpmmError::Unfinished`]; what decoding the peer's bytes reports.
    pub fn into_keys(self) -> Result<SocialKeys, SpmmError> {
        let (secrets, public_key) = self.finish()?;
        secrets.into_keys(&public_key)
    }

    /// What the keys are made of, once all frames are here: for a stock to keep.
    pub(crate) fn finish(self) -> Result<(SocialSecrets, Vec<u8>), SpmmError> {
        self.0.finish()
    }
}

endpoints!(RatingKeySetup, SocialKeySetup);
