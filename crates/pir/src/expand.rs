//! Expand: from packed query ciphertexts to one selector for each stream position.
//!
//! | symbol | meaning |
//! |---|---|
//! | h | levels, 2^h selectors in a query ciphertext |
//! | σ_j | X → X^(N/2^j + 1) followed by its key switch |
//!
//! At level j a ciphertext c becomes c + σ_j(c) and (c − σ_j(c))·X^(−2^j): the coefficients with
//! bit j of their index clear, and those with it set, doubled. After h levels the constant
//! coefficient is 2^h times one coefficient of the query: the client encrypted the bit at
//! 2^(64−p'−h), so no inverse of 2 is needed modulo a power of two.
//!
//! The tree is walked depth first, with memory of h nodes; so selector i of a ciphertext sits
//! at coefficient bit-reverse(i), and the walk meets the selectors of a bucket one after another.

use std::ops::Range;

use rayon::prelude::*;

use crate::cuckoo::Layout;
use crate::error::PirError;
use crate::keyswitch::{Scratch, SwitchingKey, exponent};
use crate::message::{QueryMessage, key_values};
use crate::parameters::{KEY_LEVELS, POLYNOMIAL_SIZE, PirParameters};
use crate::secret::Masks;
use crate::transform::{Transformed, transform};

/// Levels of the subtrees that are worked on in parallel: 256 selectors each.
pub(crate) const UNIT_LEVELS: u32 = 8;

/// The coefficient that holds selector `index` of a query ciphertext: the index's h bits reversed.
pub(crate) fn coefficient_of(index: usize, levels: u32) -> usize {
    match levels {
        0 => 0,
        levels => index.reverse_bits() >> (usize::BITS - levels),
    }
}

/// A client's query, ready to answer any number of rounds (section 3.2, Expand).
pub struct Selectors {
    parameters: PirParameters,
    layout: Layout,
    keys: Vec<SwitchingKey>,
    masks: Masks,
    bodies: Vec<u64>,
    kept: Vec<SelectorBlock>,
}

/// Consecutive selectors in transformed form.
pub(crate) struct SelectorBlock {
    pub(crate) masks: Vec<Transformed>,
    pub(crate) bodies: Vec<Transformed>,
}

impl SelectorBlock {
    pub(crate) fn with_capacity(selectors: usize) -> Self {
        Self {
            masks: vec![Transformed::zero(); selectors],
            bodies: vec![Transformed::zero(); selectors],
        }
    }
}

/// Bytes of a selector in transformed form.
pub(crate) const SELECTOR_BYTES: usize = 2 * 3 * 4 * POLYNOMIAL_SIZE;

/// Prepares a query for answering, and expands as much of it as `memory_bytes` hold (48 KiB a
/// selector, 3m selectors); the rest is expanded anew for every answer.
///
/// The server learns from a query what its length says, and P1's hash seed.
///
/// # Errors
/// [`PirError::BucketTooLarge`] when the client's hash seed breaks the noise condition.
pub fn expand(
    parameters: &PirParameters,
    query: &QueryMessage,
    memory_bytes: u64,
) -> Result<Selectors, PirError> {
    check_length("key bodies", key_values(parameters), query.key_bodies.len())?;
    let query_values = parameters.query_ciphertexts() * POLYNOMIAL_SIZE;
    check_length("query bodies", query_values, query.query_bodies.len())?;
    let layout = Layout::new(&query.hash_seed, parameters.rows(), parameters.buckets());
    check_capacity(parameters, &layout)?;
    let masks = Masks::new(&query.mask_seed);
    let keys = (0..parameters.expansion_levels())
        .zip(
            query
                .key_bodies
                .chunks_exact(KEY_LEVELS as usize * POLYNOMIAL_SIZE),
        )
        .map(|(level, bodies)| {
            SwitchingKey::new(exponent(level), bodies, &masks, first_key_index(level))
        })
        .collect();
    let mut selectors = Selectors {
        parameters: *parameters,
        layout,
        keys,
        masks,
        bodies: query.query_bodies.clone(),
        kept: Vec::new(),
    };
    let unit_bytes = (selectors.unit_selectors() * SELECTOR_BYTES) as u64;
    let kept = usize::try_from(memory_bytes / unit_bytes).unwrap_or(usize::MAX);
    selectors.kept = (0..selectors.units().min(kept))
        .into_par_iter()
        .map(|unit| selectors.expand_unit(unit))
        .collect();
    Ok(selectors)
}

/// The noise condition holds up to this many rows in a bucket; an honest client redraws.
fn check_capacity(parameters: &PirParameters, layout: &Layout) -> Result<(), PirError> {
    let (maximum, actual) = (parameters.bucket_capacity(), layout.largest_bucket());
    if actual > maximum {
        return Err(PirError::BucketTooLarge { maximum, actual });
    }
    Ok(())
}

fn check_length(part: &'static str, expected: usize, actual: usize) -> Result<(), PirError> {
    if actual == expected {
        return Ok(());
    }
    Err(PirError::Length {
        part,
        expected: expected as u64,
        actual: actual as u64,
    })
}

/// Index under the mask seed of the first ciphertext of a level's key.
pub(crate) fn first_key_index(level: u32) -> u64 {
    u64::from(level * KEY_LEVELS)
}

/// Index under the mask seed of a query ciphertext.
pub(crate) fn query_index(parameters: &PirParameters, ciphertext: usize) -> u64 {
    first_key_index(parameters.expansion_levels()) + ciphertext as u64
}

impl Selectors {
    /// The sizes the query was made for.
    #[must_use]
    pub fn parameters(&self) -> &PirParameters {
        &self.parameters
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    fn levels(&self) -> u32 {
        self.parameters.expansion_levels()
    }

    fn unit_levels(&self) -> u32 {
        self.levels().min(UNIT_LEVELS)
    }

    /// Selectors of a unit, the last perhaps fewer.
    fn unit_selectors(&self) -> usize {
        1 << self.unit_levels()
    }

    /// Units of work: subtrees of the expansion, in stream order.
    pub(crate) fn units(&self) -> usize {
        self.parameters.selectors().div_ceil(self.unit_selectors())
    }

    /// The stream positions of a unit.
    pub(crate) fn unit_positions(&self, unit: usize) -> Range<usize> {
        let start = unit * self.unit_selectors();
        let end = (start + self.unit_selectors()).min(self.parameters.selectors());
        start..end
    }

    /// The unit's selectors, if they were kept.
    pub(crate) fn kept(&self, unit: usize) -> Option<&SelectorBlock> {
        self.kept.get(unit)
    }

    fn expand_unit(&self, unit: usize) -> SelectorBlock {
        let mut block = SelectorBlock::with_capacity(self.unit_positions(unit).len());
        let mut slots = block.masks.iter_mut().zip(&mut block.bodies);
        self.walk_unit(unit, &mut |mask, body| {
            if let Some((mask_slot, body_slot)) = slots.next() {
                transform().forward_wide(mask, mask_slot);
                transform().forward_wide(body, body_slot);
            }
        });
        drop(slots);
        block
    }

    /// Visits the mask and body of each of a unit's selectors, in stream order, and returns the
    /// number of key switches this took.
    pub(crate) fn walk_unit(&self, unit: usize, visit: &mut impl FnMut(&[u64], &[u64])) -> u64 {
        let positions = self.unit_positions(unit);
        let slots = 1 << self.levels();
        let ciphertext = positions.start / slots;
        let mut mask = vec![0; POLYNOMIAL_SIZE];
        self.masks
            .fill(query_index(&self.parameters, ciphertext), &mut mask);
        let body = ciphertext * POLYNOMIAL_SIZE;
        let mut node = Node {
            mask,
            body: self.bodies[body..body + POLYNOMIAL_SIZE].to_vec(),
        };
        let mut scratch = Scratch::new();
        let top = self.levels() - self.unit_levels();
        let first = positions.start % slots;
        for level in 0..top {
            let mut children = [Node::zero(), Node::zero()];
            self.split(level, &node, &mut children, &mut scratch);
            let [low, high] = children;
            let bit = first >> (self.levels() - 1 - level) & 1;
            node = if bit == 0 { low } else { high };
        }
        let mut stack: Vec<_> = (top..self.levels())
            .map(|_| [Node::zero(), Node::zero()])
            .collect();
        let below = self.descend(top, &node, positions.len(), &mut stack, &mut scratch, visit);
        u64::from(top) + below
    }

    /// Visits the first `wanted` leaves below `node`; returns the key switches made.
    fn descend(
        &self,
        level: u32,
        node: &Node,
        wanted: usize,
        stack: &mut [[Node; 2]],
        scratch: &mut Scratch,
        visit: &mut impl FnMut(&[u64], &[u64]),
    ) -> u64 {
        let Some((children, deeper)) = stack.split_first_mut() else {
            visit(&node.mask, &node.body);
            return 0;
        };
        self.split(level, node, children, scratch);
        let half = 1 << (self.levels() - 1 - level);
        let [low, high] = children;
        let mut made = 1 + self.descend(level + 1, low, wanted.min(half), deeper, scratch, visit);
        if wanted > half {
            made += self.descend(level + 1, high, wanted - half, deeper, scratch, visit);
        }
        made
    }

    /// c + σ_j(c) and (c − σ_j(c))·X^(−2^j), with one key switch.
    fn split(&self, level: u32, node: &Node, children: &mut [Node; 2], scratch: &mut Scratch) {
        self.keys[level as usize].switch(&node.mask, &node.body, scratch);
        let [low, high] = children;
        let shift = 1 << level;
        for i in 0..POLYNOMIAL_SIZE {
            let (mask, switched) = (node.mask[i], scratch.product_mask[i]);
            low.mask[i] = mask.wrapping_sub(switched);
            let (sum, target) = (mask.wrapping_add(switched), shifted(i, shift));
            high.mask[target] = signed(sum, i < shift);

            let switched = scratch.image_body[i].wrapping_sub(scratch.product_body[i]);
            low.body[i] = node.body[i].wrapping_add(switched);
            high.body[target] = signed(node.body[i].wrapping_sub(switched), i < shift);
        }
    }
}

/// Where X^(−shift) takes coefficient i.
fn shifted(i: usize, shift: usize) -> usize {
    (i + POLYNOMIAL_SIZE - shift) % POLYNOMIAL_SIZE
}

fn signed(value: u64, negative: bool) -> u64 {
    if negative {
        value.wrapping_neg()
    } else {
        value
    }
}

struct Node {
    mask: Vec<u64>,
    body: Vec<u64>,
}

impl Node {
    fn zero() -> Self {
        Self {
            mask: vec![0; POLYNOMIAL_SIZE],
            body: vec![0; POLYNOMIAL_SIZE],
        }
    }
}

#[cfg(test)]
mod tests {
    use s3rec_algebra::Seed;

    use super::*;
    use crate::client::{ClientState, query};
    use crate::cost::cost;
    use crate::noise;
    use crate::parameters::PLAINTEXT_BITS;

    fn prepared(rows: u32, needed: &[u32]) -> (PirParameters, ClientState, Selectors) {
        let parameters = PirParameters::new(rows, 100, 30).unwrap();
        let (client, message) = query(&parameters, needed, &Seed::from_bytes([3; 32])).unwrap();
        let selectors = expand(&parameters, &message, 0).unwrap();
        (parameters, client, selectors)
    }

    #[test]
    fn reversed_bits_enumerate_the_coefficients() {
        assert_eq!(
            [0, 1, 2, 3, 4, 5, 6, 7].map(|i| coefficient_of(i, 3)),
            [0, 4, 2, 6, 1, 5, 3, 7]
        );
        assert_eq!(coefficient_of(1, 11), 1024);
    }

    #[test]
    fn overfull_buckets_are_refused() {
        let parameters = PirParameters::new(5_000, 100, 30).unwrap();
        let seed = s3rec_algebra::PublicSeed::from_bytes([1; 32]);
        // No seed that overfills one of 428 buckets is known; three buckets always are.
        let crowded = Layout::new(&seed, 5_000, 3);
        let error = check_capacity(&parameters, &crowded).err();
        assert!(matches!(
            error,
            Some(PirError::BucketTooLarge { actual: 5_000, .. })
        ));
        let fair = Layout::new(&seed, 5_000, parameters.buckets());
        assert!(check_capacity(&parameters, &fair).is_ok());
    }

    #[test]
    fn key_switches_are_as_predicted() {
        for rows in [1, 40, 300, 700, 900] {
            let (parameters, _, selectors) = prepared(rows, &[0]);
            let made = (0..selectors.units()).map(|unit| selectors.walk_unit(unit, &mut |_, _| {}));
            assert_eq!(
                made.sum::<u64>(),
                cost(&parameters).key_switches,
                "{rows} rows"
            );
        }
    }

    /// Every selector decrypts to 2^(64−p') where its row is wanted from its bucket and to 0
    /// elsewhere, with the noise of the formula: 4.2 million coefficients.
    #[test]
    fn selectors_are_one_hot_and_as_noisy_as_the_formula_says() {
        let needed: Vec<u32> = (0..30).map(|i| i * 22).collect();
        let (parameters, client, selectors) = prepared(682, &needed);
        let (mut energy, mut largest, mut samples) = (0.0, 0.0_f64, 0_u32);
        let mut position = 0;
        for unit in 0..selectors.units() {
            selectors.walk_unit(unit, &mut |mask, body| {
                let bucket = selectors.layout().bucket_of(position);
                let row = selectors.layout().rows()[position];
                let one = client.wanted()[bucket as usize] == Some(row);
                let mut phase = client.secret().phase(mask, body);
                phase[0] = phase[0].wrapping_sub(u64::from(one) << (64 - PLAINTEXT_BITS));
                for error in phase {
                    let error = error.cast_signed() as f64;
                    energy += error * error;
                    largest = largest.max(error.abs());
                    samples += 1;
                }
                position += 1;
            });
        }
        assert_eq!(position, parameters.selectors());
        assert!(samples > 4_000_000);
        let ratio = energy / f64::from(samples) / noise::expanded_variance(11);
        assert!((0.85..1.05).contains(&ratio), "{ratio}");
        // The noise of the top levels gathers in few coefficients: 4^h·(σ² + V_ks) at most.
        let gathered = (noise::expanded_variance(11) * 2048.0).sqrt();
        assert!(largest < 6.0 * gathered, "{largest} {gathered}");
    }
}
