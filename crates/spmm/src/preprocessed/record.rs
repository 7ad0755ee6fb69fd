//! What each party keeps of a stock on disk, and under which terms the stock was made.

use s3rec_algebra::{PublicSeed, Seed};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::StockStorage;
use crate::rows::check_pattern;
use crate::{ProductParameters, PublicPattern, SpmmError};

/// First byte of every record.
const RECORD_VERSION: u8 = 3;

/// Of version 0.1, whose records end before the frames of a block under way: with none of them.
const RECORD_VERSION_2: u8 = 2;
const NO_FRAMES: u8 = 0;

/// Everything public that a stock is made under (section 3.3, identity). Both parties hold the
/// same; the identity covers all of it, P0's public key and the complete upload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StockTerms {
    /// Made by P0, never used twice.
    pub stock_id: [u8; 16],
    /// Digest of P0's key, as its certificate names it. A stock serves one peer.
    pub rating_party: [u8; 32],
    /// Digest of P1's key.
    pub social_party: [u8; 32],
    /// Digest of the common users in order.
    pub users_digest: [u8; 32],
    /// P1's salted commitment to Y, from [`SocialOperand::commitment`](crate::SocialOperand::commitment).
    pub operator_commitment: [u8; 32],
    /// Seed of A_pk, from both sides' halves.
    pub key_seed: PublicSeed,
    /// The parameters.
    pub parameters: ProductParameters,
}

impl StockTerms {
    pub(crate) fn digest(&self, pattern: &PublicPattern) -> Result<[u8; 32], SpmmError> {
        check_pattern(&self.parameters, pattern)?;
        let mut hasher = blake3::Hasher::new_derive_key("s3rec 2025 stock terms v1");
        hasher.update(&self.stock_id);
        hasher.update(&self.rating_party);
        hasher.update(&self.social_party);
        hasher.update(&self.users_digest);
        hasher.update(&self.operator_commitment);
        hasher.update(self.key_seed.as_bytes());
        hasher.update(&self.parameters.digest());
        for rows in [&pattern.uploaded_rows, &pattern.returned_rows] {
            hasher.update(&(rows.len() as u64).to_le_bytes());
            rows.iter().for_each(|row| {
                hasher.update(&row.to_le_bytes());
            });
        }
        Ok(*hasher.finalize().as_bytes())
    }
}

/// The identity of a whole stock: terms, public key, every block's upload.
pub(crate) fn identity(
    terms_digest: &[u8; 32],
    public_key: &[u8],
    uploads: &[[u8; 32]],
) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key("s3rec 2025 stock identity v1");
    hasher.update(terms_digest);
    hasher.update(blake3::hash(public_key).as_bytes());
    uploads.iter().for_each(|upload| {
        hasher.update(upload);
    });
    *hasher.finalize().as_bytes()
}

/// Why a stock may not be used any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum VoidReason {
    /// The offline phase did not finish: its randomness is thrown away with the stock id.
    Interrupted,
    /// P1's data is no longer the one that was multiplied.
    OperatorChanged,
    /// One party's state is older than what the other has seen of it.
    Restored,
}

impl std::fmt::Display for VoidReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            VoidReason::Interrupted => "its offline phase was interrupted",
            VoidReason::OperatorChanged => "the social data changed since it was made",
            VoidReason::Restored => "one platform's state was restored from a backup",
        })
    }
}

/// The pair of nonces that names a session over a stock: both sides' own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Nonces {
    pub(crate) rating: [u8; 16],
    pub(crate) social: [u8; 16],
}

impl Nonces {
    /// Where both sides' records begin: they have not met over this stock. No resume handshake draws it.
    pub(crate) const NEVER_MET: Nonces = Nonces {
        rating: [0; 16],
        social: [0; 16],
    };

    /// As they cross.
    pub(crate) fn to_bytes(self) -> Vec<u8> {
        [self.rating, self.social].concat()
    }
}

/// A nonce from the operating system.
pub(crate) fn fresh_nonce() -> Result<[u8; 16], SpmmError> {
    let seed = crate::entropy::fresh()?;
    let mut nonce = [0; 16];
    nonce.copy_from_slice(&seed.expose_bytes()[..16]);
    Ok(nonce)
}

/// A message that was given columns: which, and what it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Spent {
    pub(crate) round: u32,
    pub(crate) digest: [u8; 32],
}

/// The 32 bytes of a secret in a record.
#[derive(Clone, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub(crate) struct SecretBytes([u8; 32]);

impl SecretBytes {
    pub(crate) fn of(seed: &Seed) -> SecretBytes {
        SecretBytes(*seed.expose_bytes())
    }

    pub(crate) fn seed(&self) -> Seed {
        Seed::from_bytes(self.0)
    }
}

/// P0's record.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct RatingRecord {
    pub(crate) terms: StockTerms,
    pub(crate) terms_digest: [u8; 32],
    /// Root of s, of the uploads' masks and errors and of Z: fresh for this stock.
    pub(crate) entropy: SecretBytes,
    /// Digest of each finished block's upload.
    pub(crate) uploads: Vec<[u8; 32]>,
    pub(crate) identity: Option<[u8; 32]>,
    /// The next round whose columns are untouched.
    pub(crate) cursor: u32,
    /// The last message that was given columns; its answer may be outstanding.
    pub(crate) pending: Option<Spent>,
    /// Rounds up to here were answered, as far as P0 knows: P1's cursor is never below it.
    pub(crate) answered_through: u32,
    pub(crate) session: Nonces,
    pub(crate) void: Option<VoidReason>,
    /// Frames of the next block's answer whose shares are on disk.
    pub(crate) frames: u32,
}

/// P1's record.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct SocialRecord {
    pub(crate) terms: StockTerms,
    pub(crate) terms_digest: [u8; 32],
    /// Root of (v, e₁, e₂, ρ) and of release noise.
    pub(crate) stock_key: SecretBytes,
    /// Secret digest of the Y that the present shares are of.
    pub(crate) operand_digest: SecretBytes,
    pub(crate) uploads: Vec<[u8; 32]>,
    pub(crate) identity: Option<[u8; 32]>,
    /// The next round that was never answered.
    pub(crate) cursor: u32,
    /// The last answered message; the same one is answered again, alike.
    pub(crate) answered: Option<Spent>,
    /// P1's own count of openings.
    pub(crate) openings: u32,
    /// 0 in every record that a daemon has written.
    pub(crate) reserved: u32,
    pub(crate) session: Nonces,
    pub(crate) tentative: Option<Nonces>,
    /// Did the last session end by agreement?
    pub(crate) closed: bool,
    pub(crate) void: Option<VoidReason>,
    /// Frames of the next block's bodies that are on disk.
    pub(crate) frames: u32,
}

impl RatingRecord {
    /// The stock's name.
    ///
    /// # Errors
    /// [`SpmmError::Void`] before the offline phase is done: nothing stands in for a name.
    pub(crate) fn sealed(&self) -> Result<[u8; 32], SpmmError> {
        sealed(self.identity)
    }
}

impl SocialRecord {
    /// As [`RatingRecord::sealed`].
    pub(crate) fn sealed(&self) -> Result<[u8; 32], SpmmError> {
        sealed(self.identity)
    }
}

fn sealed(identity: Option<[u8; 32]>) -> Result<[u8; 32], SpmmError> {
    identity.ok_or(SpmmError::Void {
        reason: VoidReason::Interrupted,
    })
}

/// Saves a record durably.
pub(crate) fn save<R: Serialize>(storage: &dyn StockStorage, record: &R) -> Result<(), SpmmError> {
    let encoded = postcard::to_extend(record, vec![RECORD_VERSION])
        .map_err(|_| SpmmError::UnreadableStock)?;
    storage.save(&Zeroizing::new(encoded))?;
    Ok(())
}

/// Reads a record back; strict about version and length.
pub(crate) fn load<R: DeserializeOwned>(storage: &dyn StockStorage) -> Result<R, SpmmError> {
    decode(&Zeroizing::new(storage.load()?.ok_or(SpmmError::NoStock)?))
}

/// A record from its bytes.
pub(crate) fn decode<R: DeserializeOwned>(encoded: &[u8]) -> Result<R, SpmmError> {
    match encoded.split_first() {
        Some((&RECORD_VERSION, body)) => whole(body),
        Some((&RECORD_VERSION_2, body)) => whole(&Zeroizing::new([body, &[NO_FRAMES]].concat())),
        _ => Err(SpmmError::UnreadableStock),
    }
}

fn whole<R: DeserializeOwned>(body: &[u8]) -> Result<R, SpmmError> {
    match postcard::take_from_bytes(body) {
        Ok((record, [])) => Ok(record),
        _ => Err(SpmmError::UnreadableStock),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preprocessed::MemoryStorage;
    use crate::{ProductRequest, Protocol, ReleasePolicy, choose_parameters};

    fn terms(release: ReleasePolicy) -> StockTerms {
        let mut request = ProductRequest::new(
            Protocol::Preprocessed,
            crate::OperatorKind::Laplacian,
            9,
            2,
            3,
        );
        request.release = release;
        StockTerms {
            stock_id: [1; 16],
            rating_party: [2; 32],
            social_party: [3; 32],
            users_digest: [4; 32],
            operator_commitment: [5; 32],
            key_seed: PublicSeed::from_bytes([6; 32]),
            parameters: choose_parameters(&request).unwrap(),
        }
    }

    #[test]
    fn records_come_back_as_saved_and_in_no_other_form() {
        for release in [
            ReleasePolicy::Exact,
            ReleasePolicy::Coarse { released_bits: 20 },
            ReleasePolicy::Noised {
                sigma: 1.5,
                row_norm_beta: 2.0,
                delta: 1e-6,
            },
        ] {
            let storage = MemoryStorage::default();
            let terms = terms(release);
            save(&storage, &terms).unwrap();
            assert_eq!(load::<StockTerms>(&storage).unwrap(), terms);
            let good = storage.load().unwrap().unwrap();
            for bad in [
                &good[..good.len() - 1],
                &[good.as_slice(), &[0]].concat(),
                &[&[9], &good[1..]].concat(),
                &[],
            ] {
                storage.save(bad).unwrap();
                assert!(matches!(
                    load::<StockTerms>(&storage),
                    Err(SpmmError::UnreadableStock)
                ));
            }
        }
        assert!(matches!(
            load::<StockTerms>(&MemoryStorage::default()),
            Err(SpmmError::NoStock)
        ));
    }

    /// Every single term is part of the stock's name.
    #[test]
    fn the_identity_covers_every_term() {
        let terms = terms(ReleasePolicy::Exact);
        let rows: Vec<u32> = (0..9).collect();
        let pattern = PublicPattern {
            users: 9,
            returned_rows: rows.clone(),
            uploaded_rows: rows,
        };
        let name = terms.digest(&pattern).unwrap();
        let changes: [fn(&mut StockTerms); 8] = [
            |terms| terms.stock_id[0] ^= 1,
            |terms| terms.rating_party[0] ^= 1,
            |terms| terms.social_party[0] ^= 1,
            |terms| terms.users_digest[0] ^= 1,
            |terms| terms.operator_commitment[0] ^= 1,
            |terms| terms.key_seed = PublicSeed::from_bytes([7; 32]),
            |terms| terms.parameters.dropped_body_bits ^= 1,
            |terms| terms.parameters.release = ReleasePolicy::Coarse { released_bits: 31 },
        ];
        for change in changes {
            let mut changed = terms.clone();
            change(&mut changed);
            assert_ne!(changed.digest(&pattern).unwrap(), name);
        }
        let first = identity(&name, b"key", &[[1; 32]]);
        assert_ne!(first, identity(&name, b"kez", &[[1; 32]]));
        assert_ne!(first, identity(&name, b"key", &[[2; 32]]));
        assert_ne!(first, identity(&name, b"key", &[[1; 32], [1; 32]]));
    }
}
