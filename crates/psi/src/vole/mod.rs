//! Private set intersection from small VOLEs: the same result as the form at the root of this
//! crate, by symmetric cryptography but for 192 transfers to begin with.
//!
//! The oblivious evaluation of a random function of Raghuraman and Rindal ("Blazing Fast PSI from
//! Improved OKVS and Subfield VOLE", CCS 2022), with the VOLE over 32 small fields that
//! SoftSpokenOT (Roy, CRYPTO 2022) makes from oblivious transfer in the place of one large one from
//! learning parity with noise: 24 bytes of every column instead of 8, no assumption about codes,
//! and a stream that needs no more memory than its result.
//!
//! | symbol | name | size | owner |
//! |---|---|---|---|
//! | x_i, y_j | ids | n₀, n₁ | P0, P1 |
//! | h(·), ρ(·) | value of an id, and its places in a vector: BLAKE3 keyed by the session | 64 bits; m | both |
//! | p | vector with ⟨ρ(x_i), p⟩ = h(x_i) for every i | m ≈ 1.23·n₀ | P0 |
//! | c(·) | Reed-Solomon \[32, 11, 22\] over F_64 | 192 bits | both |
//! | Δ | one element for each symbol, fresh, erased | 32 × 6 bits | P1 |
//! | u, v; w | w = v + Δ·u, row by row, symbol by symbol | m × 192 bits | P0; P1 |
//! | D | columns: u + c(p) | 24 B · m | cross to P1 |
//! | k | w + Δ·D = v + Δ·c(p) | 24 B · m | P1 |
//! | t(z) | tag: BLAKE3 of z and ⟨ρ(z), k⟩ + Δ·c(h(z)), which is ⟨ρ(z), v⟩ for P0's ids | 32 B | P1; P0 of its own |
//! | T_j | label: the first ℓ bytes of t(y_j), in P1's secret random order | ℓ B each | cross to P0 |
//! | S₁, π | claims: which j are common, and the hash of the last halves of their tags | ⌈n₁/8⌉ + 32 B | cross to P1 |
//!
//! 1. P1 → P0: request of 192 transfers, which hold Δ ([`SocialStarting`]).
//! 2. P0 → P1: answer: the transfers', and what punctures 32 trees of seeds ([`RatingEncoding`]);
//!    D; a check that D are words of c ([`RatingSending`]).
//! 3. P1 → P0: T ([`SocialReceiving`], [`SocialLabelling`]).
//! 4. P0 finds its ids among T, and P0 → P1: S₁ and π ([`RatingMatching`], [`SocialWaiting`]).
//!
//! # Who learns what
//! What the other form gives away and no more: n₀, n₁, and which of its own ids are common. D hides
//! p under streams that P1 lacks one leaf of in each of 32 trees. Tags of ids that P0 does not have
//! differ from what it can compute by a word other than zero times Δ: 22 symbols or more, 132 bits
//! that P0 would have to guess, except for an id with ⟨ρ(z), p⟩ = h(z) by chance: n₁·2^-64, below
//! 2^-40 for every size taken. Places cross in P1's secret random order; h, ρ, Δ, u, v are new for
//! every session, so two jobs cannot be compared id by id. Sizes follow from n₀ and n₁.
//! Assumed: CDH on ristretto255, hashes as random oracles, AES-128 in counter mode as a
//! pseudorandom stream. Encoding fails for less than one session in 2^40 under a key that P1 did
//! not choose (`okvs.rs` says why); the job begins again. P1 has its half of the key last, and one
//! that deviates may try keys until sets that it guesses fail.
//!
//! # A party that deviates
//! P1 can bring ids that it guesses, one for each label. P0 can bring them too, of its choice
//! one for each place of p: [`Layout::most_ids`], which is what a limit has to count, says how many
//! more may fit by chance. Words that are none of c, by
//! which P0 could ask symbol by symbol for Δ and then for any number of ids, are refused: the check
//! is SoftSpokenOT's, and guessing s symbols right passes it with probability 64^-s. Seeds that P0
//! makes inconsistent are found by it too, as unlikely to pass. P0 cannot claim any id of P1's that
//! it did not bring: π needs the last half of that id's own tag (in the other form it could swap
//! one of P1's ids for another).
//!
//! # Erasing
//! Δ and the choices that say it, scalars, seeds of trees, p and rows are overwritten where they are
//! held between messages, and so are the check's hash states. Not promised of copies in registers and
//! on the stack, among them the state of the generator that all is drawn from; of the check's
//! buffers; and of what says nothing but of this party's own ids (places, tags, the index).
//!
//! # Bytes
//! 12,288 + 18,432 + 3,072·⌈m/128⌉ + 6,144 + 8,192 + ℓ·n₁ + ⌈n₁/8⌉ + 32, m = 1.222·n₀ + 9·√n₀ + 90 or so:
//! 39.7 MB for a million on both sides, of which P0 sends 29.7.

mod base_ot;
mod bits;
mod check;
mod code;
mod expand;
mod index;
mod keys;
mod layout;
mod okvs;
pub mod pair;
mod peel;
pub mod rating;
mod secrets;
pub mod social;
mod tree;

#[cfg(test)]
mod attack_tests;
#[cfg(test)]
mod okvs_tests;
#[cfg(test)]
pub(crate) mod tests;

pub use layout::Layout;
pub use rating::{RatingEncoding, RatingMatching, RatingSending};
pub use social::{SocialLabelling, SocialReceiving, SocialStarting, SocialWaiting};
