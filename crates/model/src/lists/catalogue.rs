//! The best of many items, by scores at hand, or without scoring most.

use pulp::Arch;
use s3rec_algebra::RealMatrix;
use s3rec_algebra::vectors::dispatch;

use super::single::{LANES, Lanes, total};

/// Items laid out to find the best for many users: float32, which decides no place but between
/// items that are as good as equal.
pub(crate) struct Catalogue {
    width: usize,
    rows: Vec<f32>,
    /// Of every row.
    lengths: Vec<f32>,
    /// The longest rows.
    longest: Vec<u32>,
}

/// Items whose scores tell how good a list is at least.
const LONGEST: usize = 128;
/// By how much a bound is more than the product of two lengths: what single precision can be off
/// in a score of 512 factors, ten times.
const ROUNDING: f64 = 1e-4;

impl Catalogue {
    /// Of rows as wide as `rows` are.
    pub(crate) fn new(rows: &RealMatrix) -> Self {
        let length = |row: usize| rows.row(row).iter().map(|x| x * x).sum::<f64>().sqrt();
        let lengths: Vec<f32> = (0..rows.rows()).map(|row| narrow(length(row))).collect();
        let mut longest: Vec<u32> = (0u32..).take(lengths.len()).collect();
        if longest.len() > LONGEST {
            longest.select_nth_unstable_by(LONGEST, |&a, &b| {
                lengths[b as usize].total_cmp(&lengths[a as usize])
            });
            longest.truncate(LONGEST);
        }
        Self {
            width: rows.columns(),
            rows: rows.values().iter().map(|&value| narrow(value)).collect(),
            lengths,
            longest,
        }
    }

    /// All rows, one behind the other.
    pub(crate) fn rows(&self) -> &[f32] {
        &self.rows
    }

    fn row(&self, item: usize) -> &[f32] {
        &self.rows[item * self.width..][..self.width]
    }
}

/// In eight sums, which a compiler keeps in vector registers.
#[inline(always)]
fn products(a: &[f32], b: &[f32]) -> Lanes {
    let mut sums = [0.0; LANES];
    let ((a, rest_of_a), (b, rest_of_b)) = (a.as_chunks(), b.as_chunks());
    let mut add = |a: &[f32], b: &[f32]| {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum = a.mul_add(*b, *sum);
        }
    };
    for (a, b) in a.iter().zip(b) {
        let (a, b): (&Lanes, &Lanes) = (a, b);
        add(a, b);
    }
    add(rest_of_a, rest_of_b);
    sums
}

#[expect(clippy::cast_possible_truncation, reason = "rounded on purpose")]
pub(crate) fn narrow(value: f64) -> f32 {
    value as f32
}

/// Items that are passed over together where none of them is good enough.
const TOGETHER: usize = 64;
/// Items that are compared at once.
const OF_A_LOOK: usize = 16;

/// The `cutoff` best items by score + `weight` · `offset`, best first, without `skip`, which is
/// ascending; of equals the first. `last` is a list by other scores with the same `skip`, or empty:
/// the nearer it is the less there is to look at.
pub(crate) fn best(
    scores: &[f32],
    (weight, offset): (f32, &[f32]),
    (skip, last): (&[u32], &[u32]),
    cutoff: usize,
) -> Vec<u32> {
    let score = |item: usize| scores[item] + weight * offset[item];
    let least = match last.len() >= cutoff {
        true => last
            .iter()
            .map(|&item| score(item as usize))
            .fold(f32::INFINITY, f32::min),
        false => f32::NEG_INFINITY,
    };
    let mut found = Found::new(cutoff, least);
    dispatch(
        Arch::new(),
        #[inline(always)]
        || {
            let ((chunks, rest), (offsets, rest_of_offsets)) = (
                scores.as_chunks::<TOGETHER>(),
                offset.as_chunks::<TOGETHER>(),
            );
            let mut first = 0;
            for (scores, offsets) in chunks.iter().zip(offsets) {
                if is_any(scores, (weight, offsets), found.least) {
                    found.look(first, scores, (weight, offsets), skip);
                }
                first += TOGETHER;
            }
            found.take_all(first, rest, (weight, rest_of_offsets), skip);
        },
    );
    found.items()
}

/// Whether one of a few items, whose number a compiler knows, reaches `least`. Without a way out in the
/// midst it compares many at once.
#[inline(always)]
fn is_any<const ITEMS: usize>(
    scores: &[f32; ITEMS],
    (weight, offsets): (f32, &[f32; ITEMS]),
    least: f32,
) -> bool {
    let mut most = [f32::NEG_INFINITY; OF_A_LOOK];
    let ((scores, _), (offsets, _)) = (scores.as_chunks(), offsets.as_chunks());
    for (scores, offsets) in scores.iter().zip(offsets) {
        let (scores, offsets): (&[f32; OF_A_LOOK], &[f32; OF_A_LOOK]) = (scores, offsets);
        for ((most, score), offset) in most.iter_mut().zip(scores).zip(offsets) {
            let score = score + weight * offset;
            // Of what is no number the other.
            *most = if score > *most { score } else { *most };
        }
    }
    most.iter().fold(false, |any, &most| any | (most >= least))
}

/// A list that grows, for scores in the order of their items.
struct Found {
    cutoff: usize,
    /// What an item scores at least to have a place.
    least: f32,
    items: Vec<(f32, u32)>,
}

impl Found {
    /// At least `cutoff` items score `least`.
    fn new(cutoff: usize, least: f32) -> Self {
        Self {
            cutoff,
            least,
            items: Vec::with_capacity(cutoff + 1),
        }
    }

    fn take(&mut self, item: u32, score: f32, skip: &[u32]) {
        let is_full = self.items.len() == self.cutoff;
        if score < self.least || is_full && score == self.least {
            return;
        }
        if skip.binary_search(&item).is_ok() {
            return;
        }
        let place = self.items.partition_point(|&(other, _)| other >= score);
        self.items.insert(place, (score, item));
        self.items.truncate(self.cutoff);
        if self.items.len() == self.cutoff {
            self.least = self.items.last().map_or(self.least, |&(score, _)| score);
        }
    }

    /// Whatever is good enough among items one of which is, `first` and the next.
    #[inline(always)]
    fn look(
        &mut self,
        first: usize,
        scores: &[f32; TOGETHER],
        (weight, offsets): (f32, &[f32; TOGETHER]),
        skip: &[u32],
    ) {
        let ((scores, _), (offsets, _)) = (scores.as_chunks(), offsets.as_chunks());
        let parts = (first..).step_by(OF_A_LOOK).zip(scores.iter().zip(offsets));
        for (first, (scores, offsets)) in parts {
            let (scores, offsets): (&[f32; OF_A_LOOK], &[f32; OF_A_LOOK]) = (scores, offsets);
            if is_any(scores, (weight, offsets), self.least) {
                self.take_all(first, scores, (weight, offsets), skip);
            }
        }
    }

    /// Each of these items, `first` and the next, that is good enough.
    #[inline(always)]
    fn take_all(
        &mut self,
        first: usize,
        scores: &[f32],
        (weight, offsets): (f32, &[f32]),
        skip: &[u32],
    ) {
        for (item, (score, offset)) in (first..).zip(scores.iter().zip(offsets)) {
            let score = score + weight * offset;
            if score >= self.least {
                self.take(u32::try_from(item).unwrap_or(u32::MAX), score, skip);
            }
        }
    }

    fn items(self) -> Vec<u32> {
        self.items.into_iter().map(|(_, item)| item).collect()
    }
}

/// Rows, what they are multiplied by, and a little more than its length.
type Part<'a> = (&'a Catalogue, Vec<f32>, f32);

/// Of one item. Inlined into what `dispatch` calls it is compiled for the machine's registers.
#[inline(always)]
fn score(parts: &[Part<'_>], (weight, offset): (f32, &[f32]), item: usize) -> f32 {
    let mut sum = 0.0;
    for (of, factor, _) in parts {
        sum += total(&products(of.row(item), factor));
    }
    sum + weight * offset[item]
}

/// As [`best`], by the sum over `parts` of row · factor; items that cannot reach a list by the
/// lengths of their rows are not scored.
pub(crate) fn best_of(
    parts: &[(&Catalogue, &[f64])],
    (weight, offset): (f32, &[f32]),
    skip: &[u32],
    cutoff: usize,
) -> Vec<u32> {
    let offsets_of_all = (weight, offset);
    let factors: Vec<Part<'_>> = parts
        .iter()
        .map(|(catalogue, factor)| {
            let length = factor.iter().map(|x| x * x).sum::<f64>().sqrt();
            let factor = factor.iter().map(|&x| narrow(x)).collect();
            (*catalogue, factor, narrow(length * (1.0 + ROUNDING)))
        })
        .collect();
    let longest = parts.first().map_or(&[][..], |(of, _)| &of.longest[..]);
    let arch = Arch::new();
    let mut known: Vec<f32> = Vec::with_capacity(longest.len());
    dispatch(
        arch,
        #[inline(always)]
        || {
            for item in longest {
                if skip.binary_search(item).is_err() {
                    known.push(score(&factors, offsets_of_all, *item as usize));
                }
            }
        },
    );
    let mut least = f32::NEG_INFINITY;
    if (1..=known.len()).contains(&cutoff) {
        let (_, &mut worst, _) = known.select_nth_unstable_by(cutoff - 1, |a, b| b.total_cmp(a));
        least = worst;
    }
    let mut found = Found::new(cutoff, least);
    dispatch(
        arch,
        #[inline(always)]
        || {
            let (chunks, rest) = offset.as_chunks::<TOGETHER>();
            let mut first = 0;
            for offsets in chunks {
                let mut bounds = [0.0; TOGETHER];
                for (of, _, length) in &factors {
                    let lengths = bounds.iter_mut().zip(&of.lengths[first..]);
                    lengths.for_each(|(bound, other)| *bound += length * other);
                }
                if is_any(&bounds, (weight, offsets), found.least) {
                    for (item, (bound, offset)) in (first..).zip(bounds.iter().zip(offsets)) {
                        if bound + weight * offset >= found.least {
                            let place = u32::try_from(item).unwrap_or(u32::MAX);
                            found.take(place, score(&factors, offsets_of_all, item), skip);
                        }
                    }
                }
                first += TOGETHER;
            }
            for item in first..first + rest.len() {
                let place = u32::try_from(item).unwrap_or(u32::MAX);
                found.take(place, score(&factors, offsets_of_all, item), skip);
            }
        },
    );
    found.items()
}

#[cfg(test)]
mod tests {
    use super::super::blocks::Blocks;
    use super::*;

    #[test]
    fn the_best_are_found_in_order() {
        let scores = [0.1, 0.9, 0.5, 0.9, 0.2, 0.0];
        let offset = [0.0, 0.0, 0.0, 0.0, 0.0, 1.0];
        assert_eq!(best(&scores, (0.0, &offset), (&[], &[]), 3), [1, 3, 2]);
        assert_eq!(best(&scores, (2.0, &offset), (&[1], &[]), 2), [5, 3]);
        assert_eq!(
            best(&scores, (0.0, &offset), (&[0, 1, 2, 3], &[]), 9),
            [4, 5]
        );
        // Over several chunks as by sorting; every value occurs about ten times.
        let scores: Vec<f32> = (0..1000u16).map(|n| f32::from(n * 37 % 101)).collect();
        let skip: Vec<u32> = (0..1000).step_by(7).collect();
        let mut sorted: Vec<u32> = (0..1000u32).filter(|item| item % 7 != 0).collect();
        sorted.sort_by(|&a, &b| scores[b as usize].total_cmp(&scores[a as usize]));
        let nothing = vec![0.0; 1000];
        assert_eq!(
            best(&scores, (1.0, &nothing), (&skip, &[]), 30),
            sorted[..30]
        );
        // Whatever list there was before.
        let last = best(&scores, (0.0, &nothing), (&skip, &[]), 30);
        let mut other = sorted[40..70].to_vec();
        for last in [&last[..], &other[..], &sorted[..3]] {
            assert_eq!(
                best(&scores, (1.0, &nothing), (&skip, last), 30),
                sorted[..30]
            );
        }
        other.reverse();
        assert_eq!(
            best(&scores, (1.0, &nothing), (&skip, &other), 30),
            sorted[..30]
        );
    }

    /// Whatever lengths allow to pass over, with one part, with two, and with few items wanted.
    #[test]
    fn the_best_of_two_catalogues_are_those_of_all_scores() {
        let value = |n: usize| ((n * 7919 + 13) % 10_007) as f64 / 10_007.0 - 0.5;
        let rows = |width: usize, shift: usize| {
            let scaled = |n: usize| value(n + shift) / (1 + n / width % 50) as f64;
            let values = (0..1000 * width).map(scaled).collect();
            RealMatrix::from_vec(1000, width, values).unwrap()
        };
        let (own, other) = (rows(11, 0), rows(5, 77));
        let in_blocks = (Blocks::new(&own), Blocks::new(&other));
        let (own, other) = (Catalogue::new(&own), Catalogue::new(&other));
        let offset: Vec<f32> = (0..1000).map(|n| narrow(value(3 * n))).collect();
        let skip: Vec<u32> = (0..1000).step_by(3).collect();
        for user in 0..20 {
            let factor: Vec<f64> = (0..11).map(|n| value(user * 11 + n)).collect();
            let added: Vec<f64> = (0..5).map(|n| value(user * 7 + n)).collect();
            let (mut scores, mut more) = (Vec::new(), Vec::new());
            in_blocks.0.scores(&factor, &mut scores);
            in_blocks.1.scores(&added, &mut more);
            let both: Vec<f32> = scores.iter().zip(&more).map(|(a, b)| a + b).collect();
            for weight in [0.0, 0.1, 3.0] {
                for cutoff in [0, 1, 10, 900] {
                    let offset = (weight, &offset[..]);
                    let one = best_of(&[(&own, &factor)], offset, &skip, cutoff);
                    assert_eq!(one, best(&scores, offset, (&skip, &[]), cutoff));
                    let parts = [(&own, &factor[..]), (&other, &added[..])];
                    let two = best_of(&parts, offset, &skip, cutoff);
                    assert_eq!(two, best(&both, offset, (&skip, &[]), cutoff));
                }
            }
        }
    }
}
