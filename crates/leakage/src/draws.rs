//! Draws from a seed, the same on every machine.

pub(crate) use s3rec_model::random::{normal, stream, unit};

/// What is drawn from one seed.
pub(crate) mod purpose {
    pub(crate) const ROWS: u64 = 1;
    pub(crate) const SIDES: u64 = 2;
    pub(crate) const PROJECTION: u64 = 3;
    pub(crate) const COINS: u64 = 4;
}

/// An even draw in [0, 1) that a pair of users has whoever asks, in either order.
pub(crate) fn of_pair(seed: u64, a: u32, b: u32) -> f64 {
    let pair = u64::from(a.min(b)) << 32 | u64::from(a.max(b));
    // Two rounds of the finaliser of SplitMix64.
    let mut mixed = pair ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for _ in 0..2 {
        mixed = mixed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
    }
    (mixed >> 11) as f64 / (1u64 << 53) as f64
}
