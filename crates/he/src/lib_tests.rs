//! One block from upload to shares, against the clear product and against tfhe.

use std::collections::BTreeMap;
use std::ops::Range;

use proptest::prelude::*;
use s3rec_algebra::{PublicSeed, RingBits, RingMatrix, Seed, Stream};
use tfhe::core_crypto::algorithms::glwe_encryption::{
    decrypt_glwe_ciphertext, encrypt_glwe_ciphertext,
};
use tfhe::core_crypto::commons::generators::EncryptionRandomGenerator;
use tfhe::core_crypto::commons::math::random::TUniform;
use tfhe::core_crypto::commons::parameters::{GlweSize, PlaintextCount, PolynomialSize};
use tfhe::core_crypto::entities::{GlweCiphertextOwned, PlaintextListOwned};

use crate::accumulate::Plan;
use crate::*;

/// A small random job, both parties' state in one place.
pub(crate) struct Job {
    pub(crate) parameters: GlweParameters,
    pub(crate) ring: RingBits,
    pub(crate) packing: RowPacking,
    pub(crate) values: RingMatrix,
    pub(crate) offsets: Vec<usize>,
    pub(crate) columns: Vec<u32>,
    pub(crate) weights: Vec<i64>,
    pub(crate) seed: Seed,
    pub(crate) secret: SecretKey,
    pub(crate) public: PublicKey,
    pub(crate) masks: PublicSeed,
    key_noise: Vec<f64>,
}

impl Job {
    /// `users` × `users` operator with about `degree` non-zeros in a row, some rows empty.
    pub(crate) fn new(
        parameters: GlweParameters,
        ring_bits: u32,
        (users, width, degree): (usize, usize, usize),
        tag: u8,
    ) -> Self {
        let ring = RingBits::new(ring_bits).unwrap();
        let seed = Seed::from_bytes([tag; 32]);
        let mut stream = Stream::new(&seed.derive("job", &[]));
        let mut values = vec![0; users * width];
        stream.fill_ring(ring, &mut values);
        let values = RingMatrix::new(ring, users, width, values).unwrap();
        let (mut offsets, mut columns, mut weights) = (vec![0], Vec::new(), Vec::new());
        for row in 0..users {
            let mut draws = vec![0u64; 2 * degree];
            stream.fill_u64(&mut draws);
            if row % 7 != 3 {
                for pair in draws.chunks_exact(2) {
                    columns.push((pair[0] % users as u64) as u32);
                    weights.push((pair[1] % 41) as i64 - 20);
                }
            }
            offsets.push(columns.len());
        }
        let secret = SecretKey::generate(parameters, &seed.derive("secret", &[]));
        let a_pk = PublicSeed::combine("test", &[&[tag]]);
        let bodies = secret.public_key(&a_pk, &seed.derive("errors", &[]));
        let received = PublicKeyBodies::from_bytes(&parameters, &bodies.to_bytes()).unwrap();
        Self {
            packing: RowPacking::new(&parameters, width).unwrap(),
            public: PublicKey::expand(parameters, &a_pk, &received).unwrap(),
            masks: seed.derive_public("masks", &[]),
            key_noise: key_noise(&parameters, &seed.derive("errors", &[])),
            parameters,
            ring,
            values,
            offsets,
            columns,
            weights,
            seed,
            secret,
        }
    }

    pub(crate) fn rows(&self) -> SparseRows<'_> {
        let users = self.values.rows();
        SparseRows::new(&self.offsets, &self.columns, &self.weights, users).unwrap()
    }

    pub(crate) fn upload(&self, rows: Range<usize>) -> RowBodies {
        let errors = self.seed.derive("upload errors", &[]);
        self.secret
            .encrypt_rows(&self.values, &self.masks, &errors, rows)
            .unwrap()
    }

    pub(crate) fn response_seed(&self, response: usize) -> Seed {
        self.seed
            .derive("response", &[&(response as u64).to_le_bytes()])
    }

    pub(crate) fn accumulate(&self, tile_bytes: usize) -> Vec<Accumulated> {
        let upload = self.upload(0..self.values.rows());
        let masks = UploadMasks::new(self.parameters, &self.masks);
        let job = Accumulation::new(self.parameters, self.packing, self.rows(), tile_bytes);
        job.accumulate(0..job.responses(), &masks, &upload).unwrap()
    }

    /// Y·values over the ring, in the clear.
    pub(crate) fn clear_product(&self) -> Vec<u64> {
        let width = self.values.columns();
        let mut product = vec![0u64; self.values.rows() * width];
        for (row, out) in product.chunks_exact_mut(width).enumerate() {
            for entry in self.offsets[row]..self.offsets[row + 1] {
                let weight = self.weights[entry].cast_unsigned();
                let source = self.values.row(self.columns[entry] as usize);
                for (out, value) in std::iter::zip(&mut *out, source) {
                    *out = out.wrapping_add(value.wrapping_mul(weight));
                }
            }
        }
        product.iter().map(|&v| self.ring.reduce(v)).collect()
    }

    /// Row `row` of Y with repeated columns merged.
    pub(crate) fn merged_row(&self, row: usize) -> BTreeMap<u32, i64> {
        let mut merged = BTreeMap::new();
        for entry in self.offsets[row]..self.offsets[row + 1] {
            *merged.entry(self.columns[entry]).or_insert(0) += self.weights[entry];
        }
        merged
    }

    /// ‖y‖₁ of row `row`.
    pub(crate) fn norm(&self, row: usize) -> u64 {
        let weights = &self.weights[self.offsets[row]..self.offsets[row + 1]];
        weights.iter().map(|weight| weight.unsigned_abs()).sum()
    }

    /// e_pk, which P0 knows.
    pub(crate) fn key_noise(&self) -> &[f64] {
        &self.key_noise
    }

    /// The clear product in the slots of response `response`.
    fn clear_slots<'a>(&self, product: &'a [u64], response: usize) -> &'a [u64] {
        let rows = self.packing.rows_of(response, self.values.rows());
        let width = self.packing.width();
        &product[rows.start * width..rows.end * width]
    }
}

/// The errors that [`SecretKey::public_key`] drew.
fn key_noise(parameters: &GlweParameters, errors: &Seed) -> Vec<f64> {
    let mut noise = vec![0; parameters.lattice_dimension()];
    Stream::new(&errors.derive("s3rec he: public key errors", &[]))
        .fill_tuniform(parameters.noise_bits(), &mut noise);
    noise.into_iter().map(|e| e as f64).collect()
}

fn secure(dimension: usize, size: usize, dropped: u32) -> GlweParameters {
    GlweParameters::new(dimension, size, dropped).unwrap()
}

#[test]
fn shares_reveal_the_product_within_one_unit() {
    let cases = [
        (secure(1, 8192, 16), 32, (9, 8192, 3)),
        (secure(2, 4096, 0), 48, (20, 10, 5)),
        (secure(10, 512, 14), 40, (40, 100, 8)),
        (secure(80, 64, 8), 32, (30, 10, 4)),
        (secure(320, 16, 0), 36, (11, 5, 3)),
    ];
    for (tag, (parameters, ring_bits, shape)) in (1..).zip(cases) {
        let job = Job::new(parameters, ring_bits, shape, tag);
        let product = job.clear_product();
        let mut workspace = job.public.workspace();
        for (response, accumulated) in job.accumulate(1 << 16).into_iter().enumerate() {
            let used = job.packing.rows_of(response, shape.0).len() * job.packing.width();
            let seed = job.response_seed(response);
            let rerandomised = accumulated.rerandomise(&job.public, &seed, &mut workspace);
            let (masked, r) = rerandomised.mask(job.ring, &seed, used);
            assert_eq!(r, social_share(&parameters, job.ring, &seed, used));
            let kept = masked.round(used);
            let one_shot = masked.add_to_used_slots(&r).round(used);
            let expected = job.clear_slots(&product, response);
            for (response, r) in [(kept, r), (one_shot, vec![0; used])] {
                let bytes = response.to_bytes();
                assert_eq!(bytes.len(), parameters.response_bytes(job.ring, used));
                let received = Response::from_bytes(parameters, job.ring, used, &bytes).unwrap();
                let w = job.secret.decrypt_share(&received);
                assert_eq!(w.len(), used);
                for ((w, r), &expected) in std::iter::zip(std::iter::zip(w, r), expected) {
                    let sum = job.ring.reduce(w.wrapping_add(r));
                    let error = job
                        .ring
                        .to_signed(job.ring.reduce(sum.wrapping_sub(expected)));
                    assert!(error.abs() <= 1, "{parameters:?} seed {tag}: {error}");
                }
            }
        }
    }
}

#[test]
fn tiles_ranges_and_pieces_give_the_same_bytes() {
    let parameters = secure(10, 512, 9);
    let job = Job::new(parameters, 32, (40, 60, 6), 77);
    let whole = job.upload(0..40);
    let mut pieces = RowBodies::empty(parameters, 0);
    for rows in [0..1, 1..17, 17..17, 17..40] {
        pieces.append(&job.upload(rows)).unwrap();
    }
    assert!(whole == pieces);
    assert!(pieces.append(&job.upload(3..4)).is_err());
    let reference: Vec<_> = job.accumulate(usize::MAX / 64);
    // Below 10 KiB the narrowest tile of all forty rows does not fit: one row at a time, then two.
    for tile_bytes in [0, 5000, 1 << 17] {
        for (a, b) in std::iter::zip(&reference, job.accumulate(tile_bytes)) {
            assert!(a.as_tfhe() == b.as_tfhe());
        }
    }
    let masks = UploadMasks::new(parameters, &job.masks);
    let part = Accumulation::new(parameters, job.packing, job.rows(), 1 << 14)
        .accumulate(2..4, &masks, &whole)
        .unwrap();
    assert!(part[0].as_tfhe() == reference[2].as_tfhe());
    assert!(part[1].as_tfhe() == reference[3].as_tfhe());
}

#[test]
fn rows_computed_for_each_row_of_y_give_the_same_sums() {
    let parameters = secure(10, 512, 9);
    // 1,500 non-zeros a row: more than are computed at once.
    let job = Job::new(parameters, 32, (40, 60, 1500), 78);
    let masks = UploadMasks::new(parameters, &job.masks);
    let accumulation = Accumulation::new(parameters, job.packing, job.rows(), 1 << 16);
    let responses = 1..accumulation.responses();
    let plan = Plan::new(&accumulation, responses.clone());
    let sums = |own: bool| {
        let mut sums = vec![vec![0; 512]; responses.len()];
        let mut out: Vec<&mut [u128]> = sums.iter_mut().map(Vec::as_mut_slice).collect();
        let source = masks.polynomial(7);
        if own {
            accumulation.add_computed(&plan, &source, &mut out)
        } else {
            accumulation.accumulate_polynomial(responses.clone(), &source, &mut out)
        }
        .unwrap();
        sums
    };
    assert!(sums(true) == sums(false));
}

#[test]
fn tfhe_decrypts_ours() {
    for (parameters, width) in [(secure(2, 4096, 0), 4096), (secure(10, 512, 12), 100)] {
        let job = Job::new(parameters, 32, (3, width, 2), 5);
        let upload = job.upload(0..3);
        let masks = UploadMasks::new(parameters, &job.masks);
        let size = parameters.polynomial_size();
        for row in 0..3 {
            let mut coefficients = vec![0; parameters.lattice_dimension() + size];
            let (mask, body) = coefficients.split_at_mut(parameters.lattice_dimension());
            masks.fill(row, 0, mask);
            upload
                .read_rows(&[u32::try_from(row).unwrap()], 0..size, body)
                .unwrap();
            let ciphertext = GlweCiphertextOwned::from_container(
                coefficients,
                PolynomialSize(size),
                parameters.ciphertext_modulus(),
            );
            let mut phase = PlaintextListOwned::new(0u128, PlaintextCount(size));
            decrypt_glwe_ciphertext(job.secret.as_tfhe(), &ciphertext, &mut phase);
            assert_eq!(phase.as_ref(), job.secret.phase(&ciphertext));
            for (slot, phase) in phase.as_ref().iter().enumerate() {
                let expected = job.values.row(row).get(slot).copied().unwrap_or(0);
                let rounded = phase.wrapping_add(1 << 95) >> 96;
                assert_eq!(rounded, u128::from(expected));
            }
        }
    }
}

#[test]
fn we_decrypt_tfhes() {
    let parameters = secure(3, 2048, 0);
    let job = Job::new(parameters, 48, (1, 1, 1), 6);
    let mut noise =
        EncryptionRandomGenerator::<concrete_csprng::generators::DefaultRandomGenerator>::new(
            concrete_csprng::seeders::Seed(1),
            &mut Zero,
        );
    let message: Vec<u128> = (0..2048u128).map(|i| (i * i * 12_345) << 80).collect();
    let plaintexts = PlaintextListOwned::from_container(message.clone());
    let mut ciphertext = GlweCiphertextOwned::new(
        0u128,
        GlweSize(4),
        PolynomialSize(2048),
        parameters.ciphertext_modulus(),
    );
    encrypt_glwe_ciphertext(
        job.secret.as_tfhe(),
        &mut ciphertext,
        &plaintexts,
        TUniform::new(parameters.noise_bits()),
        &mut noise,
    );
    for (phase, message) in std::iter::zip(job.secret.phase(&ciphertext), message) {
        let error = phase.wrapping_sub(message).cast_signed();
        assert!(error.abs() <= 1 << parameters.noise_bits());
    }
}

/// A seeder for tfhe's generator in tests.
struct Zero;

impl concrete_csprng::seeders::Seeder for Zero {
    fn seed(&mut self) -> concrete_csprng::seeders::Seed {
        concrete_csprng::seeders::Seed(2)
    }

    fn is_available() -> bool {
        true
    }
}

#[test]
fn bad_bytes_are_refused_by_name() {
    let parameters = secure(80, 64, 8);
    let ring = RingBits::new(33).unwrap();
    let job = Job::new(parameters, 33, (3, 10, 2), 8);
    let upload = job.upload(0..3).into_bytes();
    let length = |error| matches!(error, Err(HeError::Packing(_)));
    let rows = |bytes: &[u8]| RowBodies::from_bytes(parameters, 0..3, bytes.to_vec()).map(|_| ());
    assert!(rows(&upload).is_ok());
    assert!(length(rows(&upload[1..])), "truncated");
    assert!(length(rows(&[&upload[..], &[0]].concat())), "trailing");
    assert!(length(rows(&[])), "empty");

    let key = |bytes: &[u8]| PublicKeyBodies::from_bytes(&parameters, bytes).map(|_| ());
    let bytes = vec![7; parameters.public_key_bytes()];
    assert!(key(&bytes).is_ok());
    assert!(length(key(&bytes[1..])));
    assert!(length(key(&[&bytes[..], &[0]].concat())));

    let response = |slots, bytes: &[u8]| {
        Response::from_bytes(parameters, ring, slots, bytes).map(|r| r.to_bytes())
    };
    // 30 slots of 39 bits end in the middle of a byte.
    let bytes = vec![0; parameters.response_bytes(ring, 30)];
    assert_eq!(response(30, &bytes), Ok(bytes.clone()));
    for wrong in [&bytes[1..], &[], &[&bytes[..], &[0]].concat()] {
        assert!(length(response(30, wrong).map(|_| ())));
    }
    let mut padded = bytes.clone();
    *padded.last_mut().unwrap() = 0x80;
    assert!(length(response(30, &padded).map(|_| ())), "padding");
    assert!(length(response(31, &bytes).map(|_| ())), "one slot more");
    assert!(matches!(response(65, &bytes), Err(HeError::Shape { .. })));
    assert!(matches!(
        response(usize::MAX, &bytes),
        Err(HeError::Shape { .. })
    ));
}

#[test]
fn bad_weights_are_refused() {
    let refused = |offsets: &[usize], columns: &[u32], weights: &[i64]| {
        SparseRows::new(offsets, columns, weights, 3).is_err()
    };
    assert!(!refused(&[0, 1, 2], &[0, 2], &[1, -1]));
    assert!(!refused(&[0], &[], &[]));
    assert!(refused(&[], &[], &[]));
    assert!(refused(&[0, 1, 2], &[0, 3], &[1, -1]));
    assert!(refused(&[0, 2, 1, 2], &[0, 1], &[1, -1]));
    assert!(refused(&[0, 1], &[0, 1], &[1, -1]));
    assert!(refused(&[1, 2], &[0, 1], &[1, -1]));
    assert!(refused(&[0, 2], &[0, 1], &[1]));
    assert!(refused(&[0, 2], &[0, 1], &[1 << 30, -(1 << 30)]));
    assert!(!refused(&[0, 2], &[0, 1], &[1 << 30, -(1 << 30) + 1]));
    assert!(refused(&[0, 1], &[0], &[i64::MIN]));
}

#[test]
fn heavy_weights_accumulate_exactly() {
    let parameters = secure(10, 512, 0);
    let mut job = Job::new(parameters, 48, (4, 512, 3), 9);
    job.offsets = vec![0, 2, 4, 4, 5];
    job.columns = vec![0, 3, 1, 2, 2];
    job.weights = vec![(1 << 31) - 2, -1, -(1 << 30), (1 << 30) - 1, -(1 << 31) + 1];
    let masks = UploadMasks::new(parameters, &job.masks);
    let upload = job.upload(0..4);
    for (row, sum) in job.accumulate(1 << 15).into_iter().enumerate() {
        let mut expected = vec![0u128; 11 * 512];
        for entry in job.offsets[row]..job.offsets[row + 1] {
            let mut ciphertext = vec![0; 11 * 512];
            let (mask, body) = ciphertext.split_at_mut(10 * 512);
            let source = job.columns[entry] as usize;
            masks.fill(source, 0, mask);
            upload
                .read_rows(&[u32::try_from(source).unwrap()], 0..512, body)
                .unwrap();
            let weight = i128::from(job.weights[entry]).cast_unsigned();
            for (sum, value) in std::iter::zip(&mut expected, ciphertext) {
                *sum = sum.wrapping_add(value.wrapping_mul(weight));
            }
        }
        assert!(sum.as_tfhe().as_ref() == expected);
    }
}

proptest! {
    /// A decoder either refuses bytes or gives back what encodes to the same bytes.
    #[test]
    fn any_response_bytes_are_refused_or_reproduced(
        slots in 0usize..80,
        ring_bits in 32u32..=48,
        cut in 0usize..=4,
        fill in any::<[u8; 32]>(),
    ) {
        let parameters = secure(80, 64, 8);
        let ring = RingBits::new(ring_bits).unwrap();
        // Two bytes short to two bytes long.
        let length = parameters.response_bytes(ring, slots.min(64)) + cut - 2;
        let mut bytes = vec![0; length];
        Stream::new(&Seed::from_bytes(fill)).fill_bytes(&mut bytes);
        if let Ok(response) = Response::from_bytes(parameters, ring, slots, &bytes) {
            prop_assert_eq!(response.used_slots(), slots);
            prop_assert_eq!(response.to_bytes(), bytes);
        } else {
            let ends_within_a_byte = !(slots * (ring_bits as usize + 6)).is_multiple_of(8);
            prop_assert!(cut != 2 || slots > 64 || ends_within_a_byte);
        }
    }
}
