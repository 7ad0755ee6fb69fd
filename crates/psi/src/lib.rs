//! Private set intersection: both platforms learn which ids both have, in one order, and of the
//! others nothing beyond how many there are.
//!
//! ECDH-PSI on ristretto255 (Meadows 1986; Huberman, Franklin, Hogg 1999) against semi-honest
//! parties. H hashes an id to the group under a key that both sides' fresh halves make together.
//!
//! | symbol | name | size | owner |
//! |---|---|---|---|
//! | x_i, y_j | ids in the sender's secret random order | n₀, n₁ | P0, P1 |
//! | a, b | secret scalars, fresh for every job, erased | 32 B | P0, P1 |
//! | A_i = a·H(x_i), B_j = b·H(y_j) | masked ids | 32 B each | cross |
//! | t(·) | tag of a doubly masked id: BLAKE3 keyed by the session | 32 B | both |
//! | T_i | label: the first ℓ bytes of t(b·A_i) | ℓ B each | crosses to P0 |
//! | S₀, S₁ | claims: which i and which j are common, as bits | ⌈n₀/8⌉, ⌈n₁/8⌉ | cross to P1 |
//! | π | proof: hash of the last halves of t(b·A_i), i in S₀ | 32 B | crosses to P1 |
//!
//! 1. P0 → P1: A ([`Masking`]).
//! 2. P1 → P0: B ([`Masking`]), and T in the order of A ([`SocialAnswering`]).
//! 3. P0 finds the j whose t(a·B_j) begins like some T_i ([`RatingMatching`]), and
//!    P0 → P1: S₀, S₁, π ([`Claims`]). P1 checks π against its own tags ([`SocialWaiting`]).
//!
//! The common order is that of B, which is random; [`Common::digest`] names it on both sides.
//!
//! # Who learns what
//! Both: n₀, n₁, and which of its own ids are common. Under DDH, with H a random oracle, A and B
//! look random to whoever lacks the scalar: guessing an id that only the other has confirms
//! nothing. Positions in A and B are random permutations, so that which position is common says
//! nothing about the place in a file. Scalars and H change with every job, so two jobs cannot be
//! compared id by id. Every message's size is a function of n₀ and n₁.
//!
//! # A party that deviates
//! It can bring ids that it guesses, as many as its announced size. It cannot make the other
//! take an id for common that it did not bring: P1's label for it would have to be right, and π
//! needs the last half of a tag that P1 has not sent, one for each claim. (P0 can leave out ids,
//! or claim one of P1's ids in the place of one that it rightly could have claimed.)
//!
//! # Exactness and bytes
//! A wrong match needs two different doubly masked ids with equal labels: at most
//! n₀·n₁·2^(−8ℓ), which [`Sizes::label_bytes`] keeps at 2^-40 or less. All bytes:
//! 32·(n₀ + n₁) + ℓ·n₀ + ⌈n₀/8⌉ + ⌈n₁/8⌉ + 32. For a million on both sides ℓ = 10: 74.25 MB,
//! 74.3 bytes for each id of one set, 37.2 for each id of both.
//!
//! ```
//! use s3rec_psi::{PsiSession, Sizes, rating, social};
//!
//! # fn main() -> Result<(), s3rec_psi::PsiError> {
//! let (p0, p1) = (["ann", "bob", "cid"], ["zoe", "cid", "ann", "eve"]);
//! let session = PsiSession::new(&[7; 16], &[1; 32], &[2; 32], "nfc-trim");
//! let sizes = Sizes::new(3, 4)?;
//! let (mut from_rating, mut matching) = rating::begin(&session, sizes, p0.iter().copied())?;
//! let (mut from_social, mut answering) = social::begin(&session, sizes, p1.iter().copied())?;
//!
//! while let Some(points) = from_rating.next_chunk() {
//!     let labels;
//!     (answering, labels) = answering.answer(&points)?;
//!     matching = matching.take_labels(&labels)?;
//! }
//! while let Some(points) = from_social.next_chunk() {
//!     matching = matching.take_points(&points)?;
//! }
//! let (at_rating, claims) = matching.finish(from_rating.finish()?)?;
//! let mut waiting = answering.finish()?;
//! for chunk in claims.chunks() {
//!     waiting = waiting.take_claims(chunk)?;
//! }
//! let at_social = waiting.finish(from_social.finish()?)?;
//!
//! assert_eq!(at_rating.digest, at_social.digest);
//! let names = |rows: &[u32], ids: &[&'static str]| -> Vec<_> {
//!     rows.iter().map(|row| ids[*row as usize]).collect()
//! };
//! let common = names(&at_rating.rows, &p0);
//! assert_eq!(common, names(&at_social.rows, &p1));
//! assert_eq!(common.len(), 2);
//! # Ok(())
//! # }
//! ```

mod claims;
mod common;
mod error;
mod form;
mod group;
mod masking;
pub mod pair;
pub mod rating;
mod received;
mod session;
pub mod social;
pub mod vole;

#[cfg(test)]
mod attack_tests;
#[cfg(test)]
mod contract_tests;
#[cfg(test)]
mod lib_tests;
#[cfg(test)]
mod vectors_tests;

pub use claims::Claims;
pub use common::Common;
pub use error::{PointFault, PsiError};
pub use form::Form;
pub use masking::{Masking, Sent};
pub use rating::RatingMatching;
pub use session::{MAX_IDS, PsiSession, Sizes};
pub use social::{SocialAnswering, SocialWaiting};

/// Most bytes of points, labels or claims in one message.
pub const MAX_CHUNK_BYTES: usize = 1 << 20;
