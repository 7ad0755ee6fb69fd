//! Key-value store: 64 bits for each id, in a vector of 1.23 times as many, that looks up linearly.
//!
//! Three sparse places, one in each third, and 64 dense ones with random bits: the garbled cuckoo
//! table with three hash functions (Garimella, Pinkas, Rosulek, Trieu, Yanai, CRYPTO 2021), with
//! the sizes and the binary dense part as in Raghuraman and Rindal, CCS 2022, section 4. The value
//! of an id is the sum of the vector at its places. Most ids are peeled off one by one; what
//! remains (the 2-core) is solved by elimination.
//!
//! # Failure
//! All that is said here is of a key that P1 did not choose.
//!
//! Encoding fails when the equations are dependent, or when more than [`MOST_CORE`] remain.
//! Dependent: by the first moment over all subsets, below 2^-54 whatever the number of ids
//! (`okvs_tests.rs` computes the bound). Too many remain: the vector is longer than the threshold
//! of peeling, 1.2218·n (Molloy 2005), by 9·√n. The length at which a random hypergraph's core
//! disappears is normal in the limit (Dembo and Montanari 2008), about 0.3·√n above the threshold
//! and with a deviation of 0.8·√n (measured in `okvs_tests.rs`), so this lies more than ten of
//! them away; this half is such an extrapolation, as in the paper, not a proof. Raghuraman and
//! Rindal's own fit for 2^-40 asks for less at every size. A failure is said to the caller, who begins again with a new session.

use std::ops::Range;

use rayon::prelude::*;
use zeroize::Zeroizing;

use super::code::{Row, add};
use super::peel::{LEAST_SHARED, peel};
use crate::PsiError;
use crate::group::IdHash;

/// Dense places.
pub(super) const DENSE: usize = 64;
/// Most equations left to elimination.
pub(super) const MOST_CORE: usize = 4_096;

/// Places of one third of the sparse part, for so many ids.
pub(super) fn segment(ids: u32) -> u32 {
    let ids = u64::from(ids);
    let sparse = (ids * 1_222).div_ceil(1_000) + 9 * ids.isqrt() + 24;
    // Ids are at most 2^24.
    u32::try_from(sparse.div_ceil(3)).unwrap_or(u32::MAX / 4)
}

/// An id's bits of each kind: of its hash's 32 bytes, 0–7 are its value, 8–15 its dense bits,
/// 16–19, 20–23 and 24–27 its sparse places.
fn word(id: &IdHash, first: usize) -> u64 {
    let bytes = std::array::from_fn(|byte| id[first + byte]);
    u64::from_le_bytes(bytes)
}

/// What the vector gives at an id that is in it.
pub(super) fn value(id: &IdHash) -> u64 {
    word(id, 0)
}

fn dense_bits(id: &IdHash) -> u64 {
    word(id, 8)
}

pub(super) fn places(id: &IdHash, segment: u32) -> [usize; 3] {
    let mut first = 0;
    let mut from = 16;
    std::array::from_fn(|_| {
        let bytes = std::array::from_fn(|byte| id[from + byte]);
        let within = (u64::from(u32::from_le_bytes(bytes)) * u64::from(segment)) >> 32;
        let place = first + within;
        from += 4;
        first += u64::from(segment);
        usize::try_from(place).unwrap_or(usize::MAX)
    })
}

/// The vector in which each id looks up its value, in the first of `length` places. Free places
/// are zero: it is sent masked.
pub(super) fn encode(
    ids: &[IdHash],
    segment: u32,
    length: usize,
) -> Result<Zeroizing<Vec<u64>>, PsiError> {
    let sparse = 3 * segment as usize;
    let peeled = peel(ids, segment);
    let mut vector = Zeroizing::new(vec![0; length.max(sparse + DENSE)]);
    if peeled.equations.len() < ids.len() {
        let mut in_core = vec![true; ids.len()];
        for (equation, _) in &peeled.equations {
            in_core[*equation as usize] = false;
        }
        let core: Vec<&IdHash> = ids
            .iter()
            .zip(in_core)
            .filter(|(_, is_in)| *is_in)
            .map(|(id, _)| id)
            .collect();
        solve(&core, segment, &mut vector)?;
    }
    let dense = Dense::new(&vector[sparse..sparse + DENSE], 0, |a, b| a ^ b);
    let value_at = |vector: &[u64], equation: u32| {
        let id = &ids[equation as usize];
        let places = places(id, segment);
        // The pivot's own is still zero.
        let others = places.iter().fold(0, |sum, place| sum ^ vector[*place]);
        value(id) ^ others ^ dense.sum(dense_bits(id))
    };
    let most = peeled.rounds.iter().map(Range::len).max();
    let mut values = Zeroizing::new(Vec::with_capacity(most.unwrap_or_default()));
    for round in peeled.rounds.iter().rev() {
        // None of a round stands at another's pivot.
        let round = &peeled.equations[round.clone()];
        let value = |(equation, _): &(u32, u32)| value_at(&vector, *equation);
        match round.len() {
            0..LEAST_SHARED => {
                values.clear();
                values.extend(round.iter().map(value));
            }
            _ => round.par_iter().map(value).collect_into_vec(&mut values),
        }
        for ((_, pivot), value) in round.iter().zip(values.iter()) {
            vector[*pivot as usize] = *value;
        }
    }
    Ok(vector)
}

/// How many equations are left when no more can be taken off.
#[cfg(test)]
pub(super) fn core_size(ids: &[IdHash], segment: u32) -> usize {
    ids.len() - peel(ids, segment).equations.len()
}

/// An equation of the core: its places among the core's, then its dense bits; and its value.
struct Equation {
    bits: Vec<u64>,
    value: u64,
}

impl Equation {
    fn first(&self) -> Option<usize> {
        let word = self.bits.iter().position(|word| *word != 0)?;
        Some(64 * word + self.bits[word].trailing_zeros() as usize)
    }

    fn add(&mut self, other: &Self) {
        for (bits, other) in self.bits.iter_mut().zip(&other.bits) {
            *bits ^= other;
        }
        self.value ^= other.value;
    }
}

/// Solves the equations of `core` in `vector`, where they stand alone.
fn solve(core: &[&IdHash], segment: u32, vector: &mut [u64]) -> Result<(), PsiError> {
    if core.len() > MOST_CORE {
        return Err(PsiError::Encoding);
    }
    let mut columns: Vec<usize> = core.iter().flat_map(|id| places(id, segment)).collect();
    columns.sort_unstable();
    columns.dedup();
    let sparse_words = columns.len().div_ceil(64);
    let mut pivots: Vec<Option<Equation>> = Vec::new();
    pivots.resize_with(64 * (sparse_words + 1), || None);
    for id in core {
        let mut equation = Equation {
            bits: vec![0; sparse_words + 1],
            value: value(id),
        };
        for place in places(id, segment) {
            let column = columns.partition_point(|column| *column < place);
            equation.bits[column / 64] |= 1 << (column % 64);
        }
        equation.bits[sparse_words] = dense_bits(id);
        loop {
            let Some(first) = equation.first() else {
                return Err(PsiError::Encoding);
            };
            match &pivots[first] {
                Some(pivot) => equation.add(pivot),
                None => {
                    pivots[first] = Some(equation);
                    break;
                }
            }
        }
    }
    // What an equation has beyond its pivot lies at later columns.
    let sparse = 3 * segment as usize;
    let place_of = |column: usize| match column.checked_sub(64 * sparse_words) {
        Some(dense) => sparse + dense,
        None => columns[column],
    };
    for (column, equation) in pivots.iter().enumerate().rev() {
        let Some(equation) = equation else { continue };
        let mut value = equation.value;
        for (word, bits) in equation.bits.iter().enumerate() {
            let mut bits = *bits;
            while bits != 0 {
                let other = 64 * word + bits.trailing_zeros() as usize;
                if other != column {
                    value ^= vector[place_of(other)];
                }
                bits &= bits - 1;
            }
        }
        vector[place_of(column)] = value;
    }
    Ok(())
}

/// The dense part by sixteen tables of four bits.
struct Dense<T> {
    tables: [[T; 16]; 16],
    zero: T,
    add: fn(T, T) -> T,
}

impl<T: Copy> Dense<T> {
    fn new(places: &[T], zero: T, add: fn(T, T) -> T) -> Self {
        let mut tables = [[zero; 16]; 16];
        for (table, places) in tables.iter_mut().zip(places.chunks_exact(4)) {
            for (bit, place) in places.iter().enumerate() {
                for low in 0..1 << bit {
                    table[1 << bit | low] = add(*place, table[low]);
                }
            }
        }
        Self { tables, zero, add }
    }

    fn sum(&self, bits: u64) -> T {
        let mut sum = self.zero;
        for (nibble, table) in self.tables.iter().enumerate() {
            let index = (bits >> (4 * nibble)).to_le_bytes()[0] & 15;
            sum = (self.add)(sum, table[usize::from(index)]);
        }
        sum
    }
}

/// Looks ids up in rows laid out like a vector of [`encode`]: any further rows are not touched.
pub(super) struct Lookup<'a> {
    rows: &'a [Row],
    segment: u32,
    dense: Dense<Row>,
}

impl<'a> Lookup<'a> {
    pub(super) fn new(rows: &'a [Row], segment: u32) -> Self {
        let sparse = 3 * segment as usize;
        let dense = Dense::new(&rows[sparse..sparse + DENSE], [0; 3], add);
        Self {
            rows,
            segment,
            dense,
        }
    }

    /// The sum of the rows at the id's places.
    pub(super) fn sum(&self, id: &IdHash) -> Row {
        let [a, b, c] = places(id, self.segment).map(|place| self.rows[place]);
        add(add(a, b), add(c, self.dense.sum(dense_bits(id))))
    }
}

/// Ids under the session's key, in the caller's order: as many as announced, and distinct.
pub(super) fn hash_ids<'a>(
    key: &[u8; 32],
    announced: u32,
    ids: impl Iterator<Item = &'a str>,
) -> Result<Vec<IdHash>, PsiError> {
    let expected = announced as usize;
    // One more than announced is enough to know.
    let names: Vec<&str> = ids.take(expected + 1).collect();
    if names.len() != expected {
        return Err(PsiError::Count {
            expected: expected as u64,
            actual: names.len() as u64,
        });
    }
    let hash = |id: &&str| *blake3::keyed_hash(key, id.as_bytes()).as_bytes();
    let hashes: Vec<IdHash> = names.par_iter().map(hash).collect();
    let heads = (0..announced).into_par_iter().zip(&hashes);
    let mut heads: Vec<(u64, u32)> = heads.map(|(index, id)| (value(id), index)).collect();
    heads.par_sort_unstable();
    let same = |pair: &[(u64, u32)]| {
        pair[0].0 == pair[1].0 && hashes[pair[0].1 as usize] == hashes[pair[1].1 as usize]
    };
    match heads.par_windows(2).any(same) {
        true => Err(PsiError::OwnDuplicate),
        false => Ok(hashes),
    }
}
