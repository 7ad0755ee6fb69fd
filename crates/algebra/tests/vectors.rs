//! Known answers: what both platforms derive from the same seeds, and packed values.

use s3rec_algebra::{FixedPoint, PublicSeed, RealMatrix, RingBits, Seed, Stream, packing};
use s3rec_vectors::Vectors;

#[test]
fn derived_seeds_streams_and_packed_values_are_the_known_ones() {
    let mut vectors = Vectors::new("seeds, streams, packed and fixed-point values");
    let seed = Seed::from_bytes([1; 32]);
    vectors.group("from the seed 01…");
    vectors.bytes(
        "derived",
        seed.derive("label", &[b"one", b""]).expose_bytes(),
    );
    vectors.bytes(
        "derived to show",
        seed.derive_public("label", &[]).as_bytes(),
    );
    let public = PublicSeed::combine("s3rec he A_pk", &[&[1; 32], &[2; 32], b"id"]);
    vectors.bytes("combined", public.as_bytes());
    vectors.bytes(
        "public, derived",
        public.derive("label", &[&7_u32.to_le_bytes()]).as_bytes(),
    );
    let mut bytes = [0; 100];
    let mut stream = Stream::new(&seed);
    stream.fill_bytes(&mut bytes);
    vectors.bytes("stream", &bytes);
    stream.seek(1 << 40);
    stream.fill_bytes(&mut bytes);
    vectors.bytes("stream from byte 2^40", &bytes);
    let mut words = [0; 5];
    Stream::public(&public).fill_u64(&mut words);
    vectors.text("words", &format!("{words:x?}"));
    let mut ring = [0; 5];
    Stream::new(&seed).fill_ring(RingBits::new(42).unwrap(), &mut ring);
    vectors.text("of 42 bits", &format!("{ring:x?}"));
    vectors.group("values 0 to 10 in 5 and 63 bits");
    let values: Vec<u64> = (0..=10).collect();
    for width in [5, 63] {
        let mut packed = Vec::new();
        packing::pack_u64(&values, width, &mut packed).unwrap();
        vectors.bytes(&format!("{width} bits"), &packed);
    }
    vectors.group("−1.5, 0.25, 1/3 and 9 in the ring of 42 bits, rows of norm 2^20, two guard bits, at most 8");
    vectors.text("encoded", &encoded());
    vectors.check(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors.txt"));
}

#[expect(clippy::unwrap_used, reason = "a test helper fails as its test does")]
fn encoded() -> String {
    let ring = RingBits::new(42).unwrap();
    let fixed = FixedPoint::fit(ring, 1 << 20, 8.0, 2).unwrap();
    let values = RealMatrix::from_vec(1, 4, vec![-1.5, 0.25, 1.0 / 3.0, 9.0]).unwrap();
    let (encoded, saturations) = fixed.encode(&values);
    let (scale, values) = (fixed.scale_bits(), encoded.values());
    format!("scale {scale}, {values:x?}, {} clipped", saturations.0)
}
