//! The primitives of one block, for each row or response, on one thread; tfhe's own encryption
//! and decryption beside them.

use std::hint::black_box;

use concrete_csprng::generators::DefaultRandomGenerator;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use s3rec_algebra::{PublicSeed, RingBits, RingMatrix, Seed, Stream};
use s3rec_he::{
    Accumulated, Accumulation, GlweParameters, PublicKey, RowPacking, SecretKey, SparseRows,
    UploadMasks,
};
use tfhe::core_crypto::algorithms::glwe_encryption::{
    decrypt_glwe_ciphertext, encrypt_glwe_ciphertext,
};
use tfhe::core_crypto::commons::ciphertext_modulus::CiphertextModulus;
use tfhe::core_crypto::commons::generators::EncryptionRandomGenerator;
use tfhe::core_crypto::commons::math::random::TUniform;
use tfhe::core_crypto::commons::parameters::{GlweSize, PlaintextCount, PolynomialSize};
use tfhe::core_crypto::entities::{GlweCiphertextOwned, PlaintextListOwned};

const ROWS: usize = 64;
const COLUMNS: u32 = 64;

fn one_thread() {
    // A second call fails because the first one did it.
    let _ = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build_global();
}

fn block(criterion: &mut Criterion) {
    one_thread();
    let mut group = criterion.benchmark_group("block");
    group.sample_size(10);
    let ring = RingBits::new(32).expect("a ring");
    for (dimension, size, dropped) in [(1, 8192, 16), (2, 4096, 16), (8, 1024, 16), (10, 512, 14)] {
        let id = |what| BenchmarkId::new(what, format!("{dimension}×{size}"));
        let parameters = GlweParameters::new(dimension, size, dropped).expect("parameters");
        let seed = Seed::from_bytes([3; 32]);
        let masks = PublicSeed::combine("masks", &[]);
        let secret = SecretKey::generate(parameters, &seed);
        let bodies = secret.public_key(&masks, &seed);
        let public = PublicKey::expand(parameters, &masks, &bodies).expect("a key");
        let mut values = vec![0; ROWS * size];
        Stream::new(&seed).fill_ring(ring, &mut values);
        let values = RingMatrix::new(ring, ROWS, size, values).expect("a matrix");
        let upload = secret
            .encrypt_rows(&values, &masks, &seed, 0..ROWS)
            .expect("rows");
        group.throughput(Throughput::Elements(size as u64));
        group.bench_function(id("encrypt"), |bench| {
            bench.iter(|| {
                secret
                    .encrypt_rows(&values, &masks, &seed, 0..1)
                    .expect("a row")
            });
        });

        let mut workspace = public.workspace();
        let length = (dimension + 1) * size;
        let zero = || Accumulated::new(parameters, vec![0; length]).expect("a response");
        group.bench_function(id("rerandomise"), |bench| {
            bench.iter(|| zero().rerandomise(&public, &seed, &mut workspace));
        });
        let hide = |workspace: &mut _| {
            zero()
                .rerandomise(&public, &seed, workspace)
                .mask(ring, &seed, size)
                .0
        };
        group.bench_function(id("rerandomise, mask, round, pack"), |bench| {
            bench.iter(|| hide(&mut workspace).round(size).to_bytes());
        });
        let response = hide(&mut workspace).round(size);
        group.bench_function(id("decrypt"), |bench| {
            bench.iter(|| secret.decrypt_share(&response));
        });

        let expanded = UploadMasks::new(parameters, &masks);
        let mut mask = vec![0; dimension * size];
        group.throughput(Throughput::Bytes(16 * (dimension * size) as u64));
        group.bench_function(id("expand masks"), |bench| {
            bench.iter(|| expanded.fill(black_box(7), 0, &mut mask));
        });

        // 16 non-zeros a row; throughput counts the bytes of the rows added.
        let offsets: Vec<usize> = (0..=ROWS).map(|row| 16 * row).collect();
        let columns: Vec<u32> = (0..16 * COLUMNS).map(|i| i * 37 % COLUMNS).collect();
        let weights: Vec<i64> = (0..16 * ROWS as i64)
            .map(|i| if i % 16 == 0 { 15 } else { -1 })
            .collect();
        let rows = SparseRows::new(&offsets, &columns, &weights, ROWS).expect("weights");
        let packing = RowPacking::new(&parameters, size).expect("a packing");
        let job = Accumulation::new(parameters, packing, rows, 1 << 20);
        group.throughput(Throughput::Bytes((16 * ROWS * length * 16) as u64));
        group.bench_function(id("accumulate"), |bench| {
            bench.iter(|| {
                job.accumulate(0..ROWS, &expanded, &upload)
                    .expect("responses")
            });
        });
    }
    group.finish();
}

fn tfhe(criterion: &mut Criterion) {
    struct Fixed;
    impl concrete_csprng::seeders::Seeder for Fixed {
        fn seed(&mut self) -> concrete_csprng::seeders::Seed {
            concrete_csprng::seeders::Seed(2)
        }
        fn is_available() -> bool {
            true
        }
    }
    let mut group = criterion.benchmark_group("tfhe");
    group.sample_size(10);
    for (dimension, size) in [(1, 8192), (10, 512)] {
        let id = |what| BenchmarkId::new(what, format!("{dimension}×{size}"));
        let parameters = GlweParameters::new(dimension, size, 0).expect("parameters");
        let secret = SecretKey::generate(parameters, &Seed::from_bytes([3; 32]));
        let mut randomness = EncryptionRandomGenerator::<DefaultRandomGenerator>::new(
            concrete_csprng::seeders::Seed(1),
            &mut Fixed,
        );
        let mut plaintexts = PlaintextListOwned::new(0u128, PlaintextCount(size));
        let mut ciphertext = GlweCiphertextOwned::new(
            0u128,
            GlweSize(dimension + 1),
            PolynomialSize(size),
            CiphertextModulus::new_native(),
        );
        let noise = TUniform::new(parameters.noise_bits());
        group.throughput(Throughput::Elements(size as u64));
        group.bench_function(id("encrypt"), |bench| {
            bench.iter(|| {
                encrypt_glwe_ciphertext(
                    secret.as_tfhe(),
                    &mut ciphertext,
                    &plaintexts,
                    noise,
                    &mut randomness,
                );
            });
        });
        group.bench_function(id("decrypt"), |bench| {
            bench.iter(|| decrypt_glwe_ciphertext(secret.as_tfhe(), &ciphertext, &mut plaintexts));
        });
    }
    group.finish();
}

criterion_group!(benches, block, tfhe);
criterion_main!(benches);
