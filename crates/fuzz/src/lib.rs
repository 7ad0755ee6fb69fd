//! Every decoder of bytes from a peer or an operator, under random and kept inputs.
//!
//! The targets are tests: `cargo test -p s3rec-fuzz` runs each over its kept corpus
//! (`tests/fuzz/__fuzz__/FILE__TARGET/corpus`, most of it made by the test `corpus`) and a short random
//! run; with `cargo install cargo-bolero`, `cargo bolero test -p s3rec-fuzz --rustc-bootstrap -s NONE
//! -T 10min TARGET` goes on with libFuzzer for as long as one likes. A finding is kept in the corpus with its mending.
//!
//! What every target asserts: no panic, no allocation beyond what public sizes allow, and for
//! endpoints that nothing more is sent after a refusal.

// `cargo bolero` builds this library's own test program too, which must find libFuzzer.
#[cfg(test)]
use bolero as _;

use std::sync::Arc;

use s3rec_algebra::{RingMatrix, Seed};
use s3rec_sparse::{PublicPattern, SecretPattern, SocialMatrix, SocialOperator, declassify};
use s3rec_spmm::he::{RatingKeySetup, RatingKeys, SocialKeySetup, SocialKeys, public_key_seed};
use s3rec_spmm::pair::{self, Honest};
use s3rec_spmm::{
    Endpoint, Frame, OperatorKind, ProductParameters, ProductRequest, Protocol, SocialOperand,
    SpmmError, Step, choose_parameters, fetch,
};

/// Both parties of a small job after their key setup.
pub struct World {
    /// What both agreed on.
    pub parameters: ProductParameters,
    /// Which rows cross.
    pub pattern: Arc<PublicPattern>,
    /// P1's operator.
    pub operand: Arc<SocialOperand>,
    /// P0's keys.
    pub rating: Arc<RatingKeys>,
    /// P1's view of them.
    pub social: Arc<SocialKeys>,
}

impl World {
    /// A job over twelve users and two columns.
    ///
    /// # Errors
    /// None that the tests do not want to see.
    pub fn new(protocol: Protocol) -> Result<Self, Box<dyn std::error::Error>> {
        let links = [(0, 1), (1, 2), (5, 3), (7, 0), (11, 4)];
        let kind = if protocol.fetches_privately() {
            OperatorKind::OutAverage
        } else {
            OperatorKind::Laplacian
        };
        let operator = SocialOperator::build(kind, &SocialMatrix::from_links(12, links)?);
        let mut request = ProductRequest::new(protocol, kind, 12, 2, 2);
        request.row_norm_bound = operator.row_norm_bound();
        request.nonzeros_bound = operator.nonzeros_bound();
        if protocol.fetches_privately() {
            request.fetched_rows_bound = fetch::rows_bound_of(&operator);
        }
        let parameters = choose_parameters(&request)?;
        let pattern = Arc::new(declassify(
            &SecretPattern::of(&operator),
            parameters.pattern,
        ));
        let digest_key = Seed::from_bytes([3; 32]);
        let operand = SocialOperand::new(&parameters, &pattern, &operator, &digest_key)?;
        let seed = public_key_seed(&[1; 32], &[2; 32], b"fuzz");
        let rating = Arc::new(RatingKeys::generate(&parameters, &seed)?);
        let mut sending = RatingKeySetup::new(&rating)?;
        let mut receiving = SocialKeySetup::new(&parameters, &seed)?;
        pair::run(&mut sending, &mut receiving, &mut Honest)?;
        Ok(Self {
            parameters,
            pattern,
            operand: Arc::new(operand),
            rating,
            social: Arc::new(receiving.into_keys()?),
        })
    }

    /// U = 0, of the agreed shape.
    ///
    /// # Errors
    /// None for agreed parameters.
    pub fn factors(&self) -> Result<RingMatrix, SpmmError> {
        let rows = self.parameters.users as usize;
        Ok(RingMatrix::zeros(
            self.parameters.ring()?,
            rows,
            self.parameters.columns as usize,
        ))
    }
}

/// The frames that an input spells: for each, a byte for the step, one for the sequence number,
/// two for the length (in steps of `scale` bytes, so that real frame sizes are reached), then
/// the payload, filled up with its last byte.
#[must_use]
pub fn frames(mut input: &[u8], scale: usize) -> Vec<Frame> {
    let mut frames = Vec::new();
    while let Some((&[step, sequence, low, high], rest)) = input.split_first_chunk::<4>() {
        let Ok(step) = Step::try_from(u32::from(step) % 24) else {
            break;
        };
        let length = usize::from(u16::from_le_bytes([low, high])) % (1 << 12) * scale;
        let (given, rest) = rest.split_at(rest.len().min(length));
        let mut payload = given.to_vec();
        payload.resize(length, given.last().copied().unwrap_or_default());
        frames.push(Frame {
            step,
            sequence: u32::from(sequence),
            payload,
        });
        input = rest;
    }
    frames
}

/// `honest` with single bytes replaced (places wrap around), cut or lengthened by `tail`: what a
/// checksum-free start from nothing would never reach.
#[must_use]
pub fn edited(honest: &[u8], edits: &[(u16, u8)], tail: &[u8]) -> Vec<u8> {
    let mut bytes = honest.to_vec();
    for (place, value) in edits {
        let length = bytes.len().max(1);
        if let Some(byte) = bytes.get_mut(usize::from(*place) % length) {
            *byte = *value;
        }
    }
    match tail.split_first() {
        Some((0, cut)) => bytes.truncate(bytes.len().saturating_sub(cut.len())),
        _ => bytes.extend_from_slice(tail),
    }
    bytes
}

/// Feeds frames to an endpoint as a hostile peer would, and asserts that a refusal ends it.
///
/// # Panics
/// When an endpoint goes on after it refused a frame.
pub fn attack(mut endpoint: impl Endpoint, frames: Vec<Frame>) {
    let mut refused = false;
    for frame in frames {
        loop {
            match endpoint.poll_send() {
                Ok(Some(frame)) => {
                    assert!(!refused, "sent {:?} after a refusal", frame.step);
                }
                Ok(None) => break,
                Err(_) => return,
            }
        }
        let taken = endpoint.receive(frame).is_ok();
        assert!(!(refused && taken), "took a frame after a refusal");
        refused |= !taken;
    }
}
