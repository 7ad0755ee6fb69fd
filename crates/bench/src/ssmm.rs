//! SeSoRec's dense secret-sharing matrix product, as a baseline.
//!
//! | symbol | name | shape | owner |
//! |---|---|---|---|
//! | P | dense factors, transposed | k × m | A (the rating platform) |
//! | Q | social matrix, made dense | m × m | B (the social platform) |
//! | P′, Q′ | uniform masks | as P, Q | A, B |
//! | P₁, P₂ | P′ − P, P′_even + P′_odd | k × m, k × m/2 | sent to B |
//! | Q₁, Q₂ | Q′ − Q, Q′_even − Q′_odd | m × m, m/2 × m | sent to A |
//!
//! Even and odd are columns of P′ and rows of Q′; an odd m is padded by one. Over Z_{2^64}
//!
//! ```text
//! A holds M = P′_even·Q₂ − P′·Q₁      B holds N = P₂·Q′_odd − P₁·Q      M + N = P·Q
//! ```
//!
//! because p_e·q_e + p_o·q_o = p_e·(q_e − q_o) + (p_e + p_o)·q_o for each pair. It is **known to
//! leak**: Q₂ and Q₁ together show differences of neighbouring rows of Q. It is here to be
//! measured against, so that published factors can be compared with ours.
//!
//! B's message is dense, m² + m²/2 elements of eight bytes whatever the sparsity of Q, so it is
//! made and consumed a pair of rows at a time and never held whole.
//!
//! Source: Chen et al., SeSoRec (2020); protocol page, section 3.4.

use rayon::prelude::*;

/// Bytes of one ring element on the wire: Z_{2^64}.
pub const ELEMENT_BYTES: u64 = 8;

/// Products that one training round takes as published: U·(D + E), U·S and U·Sᵀ.
pub const PRODUCTS_PER_ROUND: u64 = 3;

/// A sparse row of Q: columns with their values.
pub type SparseRow<'a> = (&'a [u32], &'a [i64]);

/// Bytes of one product, from the shapes of its messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SsmmBytes {
    /// P₁ and P₂.
    pub to_social: u64,
    /// Q₁, Q₂ and B's share N.
    pub to_rating: u64,
}

impl SsmmBytes {
    /// The cost of one product of k × m by m × m, the opening of B's share included.
    pub fn of_product(users: u64, columns: u64) -> Self {
        let pairs = users.div_ceil(2);
        let padded = 2 * pairs;
        Self {
            to_social: ELEMENT_BYTES * columns * (padded + pairs),
            to_rating: ELEMENT_BYTES * (users * (padded + pairs) + columns * users),
        }
    }

    /// Both ways.
    pub fn total(self) -> u64 {
        self.to_social + self.to_rating
    }
}

/// What one product came to.
#[derive(Debug)]
pub struct SsmmProduct {
    /// M + N, m rows of k values: the transpose of P·Q, over Z_{2^64}.
    pub product: Vec<u64>,
    /// Bytes counted as the messages were made.
    pub bytes: SsmmBytes,
    /// Seconds of A's and of B's computation.
    pub rating_seconds: f64,
    /// See [`SsmmProduct::rating_seconds`].
    pub social_seconds: f64,
}

/// A source of uniform values, position by position: two calls for the same range agree.
pub trait UniformRows: Sync {
    /// Fills `out` with the values of row `row`.
    fn fill(&self, row: usize, out: &mut [u64]);
}

/// A's half before B's messages arrive.
struct RatingSide {
    columns: usize,
    /// P′, padded to an even number of rows: one row of k values per user (the transpose of P′).
    mask: Vec<u64>,
}

/// B's half after A's message arrived.
struct SocialSide<'a, R> {
    columns: usize,
    /// P₁ and P₂ as A sent them, one row of k values per user or pair.
    masked: Vec<u64>,
    paired: Vec<u64>,
    mask: &'a R,
}

/// Runs one product between both parties, a pair of rows of Q at a time.
///
/// `factors` has m rows of k values (Pᵀ), `row(f)` gives row f of Q. Both masks are given by
/// position so that they are reproducible.
///
/// # Panics
/// When `factors` is not m × k or a column of Q is not below m: the benchmark made both.
pub fn multiply<'q, RA, RB>(
    users: usize,
    columns: usize,
    factors: &[u64],
    row: impl Fn(usize) -> SparseRow<'q> + Sync,
    rating_mask: &RA,
    social_mask: &RB,
) -> SsmmProduct
where
    RA: UniformRows,
    RB: UniformRows,
{
    assert_eq!(factors.len(), users * columns, "factors are m × k");
    let pairs = users.div_ceil(2);
    let started = std::time::Instant::now();
    let (rating, masked, paired) = RatingSide::mask(users, columns, factors, rating_mask);
    let mut rating_seconds = started.elapsed().as_secs_f64();
    let to_social = ELEMENT_BYTES * (masked.len() + paired.len()) as u64;

    let social = SocialSide {
        columns,
        masked,
        paired,
        mask: social_mask,
    };
    let mut social_seconds = 0.0;
    let mut to_rating = 0;
    // Transposed products, m rows of k: column j of M is row j here.
    let mut rating_share = vec![0_u64; users * columns];
    let mut social_share = vec![0_u64; users * columns];
    for pair in 0..pairs {
        let started = std::time::Instant::now();
        let message = social.answer_pair(users, pair, &row, &mut social_share);
        social_seconds += started.elapsed().as_secs_f64();
        to_rating += message.bytes();

        let started = std::time::Instant::now();
        rating.absorb_pair(pair, &message, &mut rating_share);
        rating_seconds += started.elapsed().as_secs_f64();
    }
    to_rating += ELEMENT_BYTES * social_share.len() as u64;
    let product = rating_share
        .iter()
        .zip(&social_share)
        .map(|(m, n)| m.wrapping_add(*n))
        .collect();
    SsmmProduct {
        product,
        bytes: SsmmBytes {
            to_social,
            to_rating,
        },
        rating_seconds,
        social_seconds,
    }
}

/// What B sends for one pair of rows of Q.
struct PairMessage {
    /// Two rows of Q₁.
    first: [Vec<u64>; 2],
    /// One row of Q₂.
    difference: Vec<u64>,
}

impl PairMessage {
    fn bytes(&self) -> u64 {
        let [even, odd] = &self.first;
        ELEMENT_BYTES * (even.len() + odd.len() + self.difference.len()) as u64
    }
}

impl RatingSide {
    fn mask(
        users: usize,
        columns: usize,
        factors: &[u64],
        source: &impl UniformRows,
    ) -> (Self, Vec<u64>, Vec<u64>) {
        let padded = users + users % 2;
        let mut mask = vec![0; padded * columns];
        mask.par_chunks_mut(columns)
            .enumerate()
            .for_each(|(i, out)| source.fill(i, out));
        let mut masked = mask.clone();
        masked
            .iter_mut()
            .zip(factors)
            .for_each(|(m, p)| *m = m.wrapping_sub(*p));
        let paired = mask
            .chunks_exact(2 * columns)
            .flat_map(|pair| {
                let (even, odd) = pair.split_at(columns);
                even.iter()
                    .zip(odd)
                    .map(|(e, o)| e.wrapping_add(*o))
                    .collect::<Vec<_>>()
            })
            .collect();
        (Self { columns, mask }, masked, paired)
    }

    /// M += p_e·Q₂ − p_e·Q₁ₑ − p_o·Q₁ₒ for one pair.
    fn absorb_pair(&self, pair: usize, message: &PairMessage, share: &mut [u64]) {
        let k = self.columns;
        let (even, odd) = self.mask[2 * pair * k..2 * (pair + 1) * k].split_at(k);
        let [first_even, first_odd] = &message.first;
        share
            .par_chunks_mut(k)
            .enumerate()
            .with_min_len(256)
            .for_each(|(j, out)| {
                let d = message.difference[j].wrapping_sub(first_even[j]);
                let q_o = first_odd[j];
                for ((s, p_e), p_o) in out.iter_mut().zip(even).zip(odd) {
                    *s = s
                        .wrapping_add(p_e.wrapping_mul(d))
                        .wrapping_sub(p_o.wrapping_mul(q_o));
                }
            });
    }
}

impl<R: UniformRows> SocialSide<'_, R> {
    /// Makes the message of one pair and adds N += P₂·q′_o − P₁·q for it.
    fn answer_pair<'q>(
        &self,
        users: usize,
        pair: usize,
        row: &(impl Fn(usize) -> SparseRow<'q> + Sync),
        share: &mut [u64],
    ) -> PairMessage {
        let k = self.columns;
        let mut even = vec![0; users];
        let mut odd = vec![0; users];
        rayon::join(
            || self.mask.fill(2 * pair, &mut even),
            || self.mask.fill(2 * pair + 1, &mut odd),
        );
        let paired = &self.paired[pair * k..(pair + 1) * k];
        share
            .par_chunks_mut(k)
            .enumerate()
            .with_min_len(256)
            .for_each(|(j, out)| {
                for (s, p) in out.iter_mut().zip(paired) {
                    *s = s.wrapping_add(p.wrapping_mul(odd[j]));
                }
            });
        let difference = even
            .iter()
            .zip(&odd)
            .map(|(e, o)| e.wrapping_sub(*o))
            .collect();
        for (offset, q_prime) in [&mut even, &mut odd].into_iter().enumerate() {
            let f = 2 * pair + offset;
            if f >= users {
                continue;
            }
            let (columns, values) = row(f);
            let masked = &self.masked[f * k..(f + 1) * k];
            for (&j, &q) in columns.iter().zip(values) {
                let j = j as usize;
                let q = q.cast_unsigned();
                q_prime[j] = q_prime[j].wrapping_sub(q);
                for (s, p) in share[j * k..(j + 1) * k].iter_mut().zip(masked) {
                    *s = s.wrapping_sub(p.wrapping_mul(q));
                }
            }
        }
        PairMessage {
            first: [even, odd],
            difference,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Test masks: a mixing function, not a generator to rely on.
    struct Mixed(u64);

    impl UniformRows for Mixed {
        fn fill(&self, row: usize, out: &mut [u64]) {
            for (j, v) in out.iter_mut().enumerate() {
                let mut z = self.0 ^ ((row as u64) << 32) ^ j as u64;
                for _ in 0..3 {
                    z = (z ^ (z >> 29))
                        .wrapping_mul(0xbf58_476d_1ce4_e5b9)
                        .wrapping_add(1);
                }
                *v = z;
            }
        }
    }

    proptest! {
        #[test]
        fn both_shares_add_up_to_the_clear_product(
            users in 1_usize..24,
            columns in 1_usize..6,
            entries in proptest::collection::vec((0_usize..24, 0_u32..24, -9_i64..9), 0..60),
            seed: u64,
        ) {
            let mut rows: Vec<(Vec<u32>, Vec<i64>)> = vec![Default::default(); users];
            for (f, j, q) in entries {
                if f < users && (j as usize) < users && !rows[f].0.contains(&j) {
                    rows[f].0.push(j);
                    rows[f].1.push(q);
                }
            }
            let mut factors = vec![0; users * columns];
            Mixed(seed).fill(77, &mut factors);
            let mut expected = vec![0_u64; users * columns];
            for (f, (js, qs)) in rows.iter().enumerate() {
                for (&j, &q) in js.iter().zip(qs) {
                    for c in 0..columns {
                        let e = &mut expected[j as usize * columns + c];
                        *e = e.wrapping_add(factors[f * columns + c].wrapping_mul(q.cast_unsigned()));
                    }
                }
            }
            let result = multiply(
                users, columns, &factors,
                |f| (&rows[f].0, &rows[f].1),
                &Mixed(seed ^ 1), &Mixed(seed ^ 2),
            );
            prop_assert_eq!(result.product, expected);
            prop_assert_eq!(result.bytes, SsmmBytes::of_product(users as u64, columns as u64));
        }
    }
}
