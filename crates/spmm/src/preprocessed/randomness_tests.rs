//! What each party draws for a stock is used once and bound to its content (section 3.3, "What
//! must hold"). Each test fails when one of the bonds is cut.

use std::sync::Arc;

use s3rec_algebra::{PublicSeed, RingMatrix, Seed, packing};
use s3rec_he::{Accumulated, RowBodies, RowSource, UploadMasks};

use super::record::SecretBytes;
use super::{MemoryStorage, RatingBlock, RatingStock, SocialBlock, SocialStock, StockTerms};
use crate::he::public_key_seed;
use crate::he::randomness_tests::{USERS, operand, parameters};
use crate::pair::{self, Honest, Interceptor, Side};
use crate::preprocessed::Bulk;
use crate::{Endpoint, Frame, ProductParameters, Protocol, ReleasePolicy, SpmmError, Step};

const LINKS: &[(u32, u32)] = &[(0, 1), (5, 9), (9, 70)];
const MEMORY_LIMIT_BYTES: usize = 4 << 20;

fn noised() -> ReleasePolicy {
    ReleasePolicy::Noised {
        sigma: 2.0,
        row_norm_beta: 1.0,
        delta: 1e-6,
    }
}

fn terms(parameters: &ProductParameters, commitment: [u8; 32]) -> StockTerms {
    StockTerms {
        stock_id: [7; 16],
        rating_party: [1; 32],
        social_party: [2; 32],
        users_digest: [3; 32],
        operator_commitment: commitment,
        key_seed: public_key_seed(&[4; 32], &[5; 32], &[7; 16]),
        parameters: parameters.clone(),
    }
}

fn social_stock(parameters: &ProductParameters, disk: &MemoryStorage) -> SocialStock {
    let (operand, pattern) = operand(parameters, LINKS, 1);
    let terms = terms(parameters, operand.commitment());
    SocialStock::create(Arc::new(disk.clone()), terms, &pattern, operand).unwrap()
}

fn rating_stock(parameters: &ProductParameters) -> RatingStock {
    let (operand, pattern) = operand(parameters, LINKS, 1);
    let terms = terms(parameters, operand.commitment());
    RatingStock::create(Arc::new(MemoryStorage::default()), terms, Arc::new(pattern)).unwrap()
}

/// Both stocks, P0's public key at P1, and P1's disk.
fn keyed(parameters: &ProductParameters) -> (RatingStock, SocialStock, MemoryStorage) {
    let disk = MemoryStorage::default();
    let (rating, mut social) = (rating_stock(parameters), social_stock(parameters, &disk));
    let (mut sending, mut taking) = (rating.key_setup().unwrap(), social.key_setup().unwrap());
    pair::run(&mut sending, &mut taking, &mut Honest).unwrap();
    social.accept_key(taking).unwrap();
    (rating, social, disk)
}

/// The same stock once more, over a disk of its own: what two runs differ in is not the key.
fn copy(social: &SocialStock, disk: &MemoryStorage) -> SocialStock {
    SocialStock {
        storage: Arc::new(disk.snapshot()),
        record: social.record.clone(),
        operand: Arc::clone(&social.operand),
        keys: social.keys.clone(),
        shares: social.shares,
        in_session: false,
    }
}

#[test]
fn an_openings_noise_is_bound_to_everything_it_is_of() {
    let parameters = parameters(Protocol::Preprocessed, noised());
    let noise = |change: fn(&mut SocialStock, &mut u32, &mut [u8; 32])| {
        let mut stock = social_stock(&parameters, &MemoryStorage::default());
        stock.record.stock_key = SecretBytes::of(&Seed::from_bytes([5; 32]));
        stock.record.identity = Some([6; 32]);
        let (mut round, mut message) = (2, [8; 32]);
        change(&mut stock, &mut round, &mut message);
        stock.noise_seed(round, &message).unwrap()
    };
    let other_links: fn(&mut SocialStock, &mut u32, &mut [u8; 32]) = |stock, _, _| {
        let links = &[(0, 1), (5, 9), (9, 71)];
        stock.operand = operand(&stock.record.terms.parameters, links, 1).0;
    };
    let seeds = [
        ("nothing", noise(|_, _, _| {})),
        (
            "the stock's key",
            noise(|stock, _, _| {
                stock.record.stock_key = SecretBytes::of(&Seed::from_bytes([9; 32]));
            }),
        ),
        (
            "the stock's name",
            noise(|stock, _, _| stock.record.identity = Some([9; 32])),
        ),
        ("one link of Y", noise(other_links)),
        ("the round", noise(|_, round, _| *round = 3)),
        ("the message", noise(|_, _, message| message[31] ^= 1)),
    ];
    for (index, (what, seed)) in seeds.iter().enumerate() {
        for (other, other_seed) in &seeds[index + 1..] {
            assert!(seed != other_seed, "one noise for {what} and {other}");
        }
    }
    assert!(noise(|_, _, _| {}) == seeds[0].1);
}

/// Nothing stands in for a name that is not there yet.
#[test]
fn a_stock_without_a_name_draws_no_noise() {
    let parameters = parameters(Protocol::Preprocessed, noised());
    let stock = social_stock(&parameters, &MemoryStorage::default());
    assert!(matches!(
        stock.noise_seed(0, &[8; 32]),
        Err(SpmmError::Void { .. })
    ));
}

/// Flips one bit of one frame of P0's.
struct Flip {
    step: Step,
    byte: usize,
    done: bool,
}

impl Interceptor for Flip {
    fn intercept(&mut self, _from: Side, mut frame: Frame) -> Vec<Frame> {
        if frame.step == self.step && !self.done {
            frame.payload[self.byte] ^= 0x40;
            self.done = true;
        }
        vec![frame]
    }
}

/// What P1 sends of a block, and the shares R it keeps of it.
fn answer(
    parameters: &ProductParameters,
    rating: &RatingStock,
    social: SocialStock,
    memory_limit_bytes: usize,
    interceptor: &mut dyn Interceptor,
) -> (Vec<u8>, Vec<u8>) {
    let storage = Arc::clone(&social.storage);
    // P0's side of the same upload, byte for byte.
    let again = RatingStock {
        storage: Arc::new(MemoryStorage::default()),
        record: rating.record.clone(),
        pattern: Arc::clone(&rating.pattern),
        keys: Arc::clone(&rating.keys),
        masks: Arc::clone(&rating.masks),
        shares: rating.shares,
        in_session: false,
        may_repeat: false,
        burnt_next: 0,
    };
    let mut uploading = RatingBlock::new(again).unwrap();
    let mut answering = SocialBlock::new(social, memory_limit_bytes).unwrap();
    let mut sent = Vec::new();
    while let Some(frame) = uploading.poll_send().unwrap() {
        for frame in interceptor.intercept(Side::Rating, frame) {
            answering.receive(frame).unwrap();
        }
    }
    while let Some(frame) = answering.poll_send().unwrap() {
        sent.extend_from_slice(&frame.payload);
    }
    let values =
        parameters.returned_values().unwrap() / u64::from(parameters.layout().unwrap().blocks);
    let width = parameters.ring_bits.div_ceil(8) as usize;
    let mut shares = vec![0; usize::try_from(values).unwrap() * width];
    storage.read_at(Bulk::Shares, 0, &mut shares).unwrap();
    (sent, shares)
}

fn agreement(a: &[u8], b: &[u8]) -> f64 {
    assert_eq!(a.len(), b.len());
    let equal = std::iter::zip(a, b).filter(|(a, b)| a == b).count();
    equal as f64 / a.len() as f64
}

/// P1 brought back to before it answered, and another upload for the same block: were (v, ρ) not
/// bound to the upload, P0 would see the same a-part again, and W − W′ would be Y·(Z − Z′).
#[test]
fn a_block_asked_again_with_another_upload_is_hidden_anew() {
    let parameters = parameters(Protocol::Preprocessed, ReleasePolicy::Exact);
    let (rating, social, disk) = keyed(&parameters);
    let ask = |interceptor: &mut dyn Interceptor| {
        let limit = MEMORY_LIMIT_BYTES;
        answer(
            &parameters,
            &rating,
            copy(&social, &disk),
            limit,
            interceptor,
        )
    };
    let first = ask(&mut Honest);
    assert!(first == ask(&mut Honest), "the same upload has one answer");
    for (step, byte) in [
        (Step::MaskSeed, 31),
        (Step::Bodies, 0),
        (Step::Bodies, 5000),
    ] {
        let done = false;
        let mut flip = Flip { step, byte, done };
        let other = ask(&mut flip);
        // Unrelated bytes agree in one of 256 places.
        assert!(
            agreement(&first.0, &other.0) < 0.02,
            "{step:?} {byte}: v or ρ"
        );
        assert!(agreement(&first.1, &other.1) < 0.02, "{step:?} {byte}: ρ");
    }
}

/// What memory there is decides how many responses are computed at a time, and nothing else: not
/// which randomness hides which.
#[test]
fn a_block_is_the_same_under_any_memory_limit() {
    let parameters = parameters(Protocol::Preprocessed, ReleasePolicy::Exact);
    let (rating, social, disk) = keyed(&parameters);
    let least = match SocialBlock::new(copy(&social, &disk), 0).err() {
        Some(SpmmError::MemoryLimit { least_bytes, .. }) => usize::try_from(least_bytes).unwrap(),
        other => panic!("{other:?}"),
    };
    assert!(SocialBlock::new(copy(&social, &disk), least - 16).is_err());
    let ask = |limit| {
        answer(
            &parameters,
            &rating,
            copy(&social, &disk),
            limit,
            &mut Honest,
        )
    };
    let whole = ask(1 << 30);
    for limit in [least, 2 * least, 3 * least] {
        assert!(whole == ask(limit), "{limit} bytes");
    }
}

/// P0's mask seeds, errors and Z: fresh for every block, and for every stock.
#[test]
fn uploads_share_neither_masks_nor_errors_nor_pads() {
    // As wide a round as there is: several blocks.
    let mut request = crate::ProductRequest::new(
        Protocol::Preprocessed,
        crate::OperatorKind::Laplacian,
        USERS,
        512,
        40,
    );
    (request.row_norm_bound, request.nonzeros_bound) = (16, 64);
    let mut parameters = crate::choose_parameters(&request).unwrap();
    // Bits that are rounded off would differ with the masks and hide errors that do not.
    parameters.dropped_body_bits = 0;
    parameters.validate().unwrap();
    assert!(parameters.layout().unwrap().blocks >= 2);
    let mut seen: Vec<(PublicSeed, Vec<i128>, Vec<u64>)> = Vec::new();
    for _ in 0..2 {
        let mut stock = rating_stock(&parameters);
        for _ in 0..2 {
            let (stock_after, first_row) = first_row_of(&parameters, stock);
            stock = stock_after;
            seen.push(first_row);
        }
    }
    for (index, (seed, errors, pads)) in seen.iter().enumerate() {
        for (other_seed, other_errors, other_pads) in &seen[index + 1..] {
            assert_ne!(seed, other_seed);
            let equal = std::iter::zip(errors, other_errors).filter(|(a, b)| a == b);
            assert!(equal.count() < errors.len() / 8, "errors");
            let equal = std::iter::zip(pads, other_pads).filter(|(a, b)| a == b);
            assert!(equal.count() < pads.len() / 100, "pads");
        }
    }
}

/// The next block's mask seed, and errors and Z in its first row; the stock as if it were done.
fn first_row_of(
    parameters: &ProductParameters,
    stock: RatingStock,
) -> (RatingStock, (PublicSeed, Vec<i128>, Vec<u64>)) {
    let (glwe, ring) = (parameters.glwe().unwrap(), parameters.ring().unwrap());
    let keys = Arc::clone(&stock.keys);
    let mut uploading = RatingBlock::new(stock).unwrap();
    let seed = uploading.poll_send().unwrap().unwrap().payload;
    let seed = PublicSeed::from_bytes(seed.try_into().unwrap());
    let mut bodies = uploading.poll_send().unwrap().unwrap().payload;
    bodies.truncate(glwe.upload_bytes_per_row());
    let row = RowBodies::from_bytes(glwe, 0..1, bodies).unwrap();
    let mut coefficients = vec![0; glwe.lattice_dimension() + glwe.polynomial_size()];
    let (mask, body) = coefficients.split_at_mut(glwe.lattice_dimension());
    UploadMasks::new(glwe, &seed).fill(0, 0, mask);
    row.read_rows(&[0], 0..glwe.polynomial_size(), body)
        .unwrap();
    let ciphertext = Accumulated::new(glwe, coefficients).unwrap();
    let phase = keys.secret.phase(ciphertext.as_tfhe());
    let delta_bits = 128 - ring.bits();
    let width = parameters.layout().unwrap().block_columns as usize;
    let rounded = |phase: &u128| phase.wrapping_add(1 << (delta_bits - 1)) >> delta_bits;
    let pads: Vec<u64> = phase[..width]
        .iter()
        .map(|phase| u64::try_from(rounded(phase) % (1 << ring.bits())).unwrap())
        .collect();
    let errors = phase
        .iter()
        .map(|phase| phase.wrapping_sub(rounded(phase) << delta_bits));
    let errors = errors.map(u128::cast_signed).collect();
    // The following block's turn.
    let mut stock = uploading.into_unfinished();
    stock.record.uploads.push([0; 32]);
    (stock, (seed, errors, pads))
}

/// One pad a column, row and round: M = U − Z would show differences of two inputs otherwise.
#[test]
fn no_two_places_of_z_are_the_same() {
    let parameters = parameters(Protocol::Preprocessed, ReleasePolicy::Exact);
    let stock = rating_stock(&parameters);
    let (rows, columns) = (parameters.users as usize, parameters.columns as usize);
    let ring = parameters.ring().unwrap();
    let nothing = RingMatrix::new(ring, rows, columns, vec![0; rows * columns]).unwrap();
    let mut pads = Vec::new();
    for round in 0..parameters.rounds {
        let masked = stock.masks.mask(&nothing, round).unwrap();
        pads.extend(packing::unpack_u64(&masked, ring.bits(), rows * columns).unwrap());
    }
    let all = pads.len();
    pads.sort_unstable();
    pads.dedup();
    // 6,000 values of 2^32 collide twice in a hundred thousand tries; a reuse would be rows of ten.
    assert!(all - pads.len() < 5, "{} of {all}", all - pads.len());
}
