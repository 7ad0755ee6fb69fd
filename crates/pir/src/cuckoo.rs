//! Batching: three-way cuckoo hashing of rows into buckets, one needed row to a bucket.
//!
//! Both sides know the hash seed and so every row's three candidate buckets; the server keeps
//! each row in all three. The client assigns its needed rows to distinct buckets by augmenting
//! paths, and draws another seed when that fails (at most 2^-42 of seeds, by a union bound over
//! Hall violations), before anything is sent: the server never learns of a failure.

use std::collections::VecDeque;

use s3rec_algebra::PublicSeed;

/// Candidate buckets of a row.
const CHOICES: usize = 3;

/// The three distinct candidate buckets of `row` among `buckets` ≥ 3, uniform over the triples.
pub(crate) fn candidates(hash_seed: &PublicSeed, row: u32, buckets: u32) -> [u32; CHOICES] {
    let mut words = [0; 8 * CHOICES];
    blake3::Hasher::new_keyed(hash_seed.as_bytes())
        .update(&row.to_le_bytes())
        .finalize_xof()
        .fill(&mut words);
    let (words, _) = words.as_chunks::<8>();
    let mut chosen = [u32::MAX; CHOICES];
    let left = (0..buckets).rev().map(|fewer| fewer + 1);
    for (count, (word, left)) in words.iter().zip(left).enumerate() {
        // A rank among the buckets not chosen yet, then that bucket itself.
        let mut bucket = below(u64::from_le_bytes(*word), left);
        for &earlier in &chosen[..count] {
            bucket += u32::from(bucket >= earlier);
        }
        chosen[count] = bucket;
        chosen[..=count].sort_unstable();
    }
    chosen
}

/// A uniform number below `bound`, from 64 uniform bits (bias below 2^-32).
#[expect(
    clippy::cast_possible_truncation,
    reason = "the high half of a 64 × 32 bit product is below the 32-bit factor"
)]
fn below(word: u64, bound: u32) -> u32 {
    ((u128::from(word) * u128::from(bound)) >> 64) as u32
}

/// Which rows each bucket holds, public: it follows from the hash seed.
///
/// Buckets are laid end to end into a stream of 3m positions; position i is the i-th selector.
#[derive(Clone)]
pub(crate) struct Layout {
    starts: Vec<u32>,
    rows: Vec<u32>,
}

impl Layout {
    pub(crate) fn new(hash_seed: &PublicSeed, rows: u32, buckets: u32) -> Self {
        let choices: Vec<_> = (0..rows)
            .map(|row| candidates(hash_seed, row, buckets))
            .collect();
        let mut starts = vec![0; buckets as usize + 1];
        for &bucket in choices.iter().flatten() {
            starts[bucket as usize + 1] += 1;
        }
        for bucket in 1..starts.len() {
            starts[bucket] += starts[bucket - 1];
        }
        let mut next = starts.clone();
        let mut held = vec![0; CHOICES * choices.len()];
        for (row, buckets) in (0..rows).zip(&choices) {
            for &bucket in buckets {
                held[next[bucket as usize] as usize] = row;
                next[bucket as usize] += 1;
            }
        }
        Self { starts, rows: held }
    }

    /// The stream positions of a bucket.
    pub(crate) fn positions(&self, bucket: u32) -> std::ops::Range<usize> {
        self.starts[bucket as usize] as usize..self.starts[bucket as usize + 1] as usize
    }

    /// The row at each stream position; ascending within a bucket.
    pub(crate) fn rows(&self) -> &[u32] {
        &self.rows
    }

    /// The bucket that a stream position lies in.
    pub(crate) fn bucket_of(&self, position: usize) -> u32 {
        let bucket = self
            .starts
            .partition_point(|&start| start as usize <= position);
        u32::try_from(bucket).map_or(u32::MAX, |bucket| bucket - 1)
    }

    /// The stream position of `row` in `bucket`, if it is there.
    pub(crate) fn position(&self, bucket: u32, row: u32) -> Option<usize> {
        let positions = self.positions(bucket);
        let offset = self.rows[positions.clone()].binary_search(&row).ok()?;
        Some(positions.start + offset)
    }

    /// Rows of the largest bucket.
    pub(crate) fn largest_bucket(&self) -> u32 {
        self.starts
            .windows(2)
            .map(|pair| pair[1] - pair[0])
            .max()
            .unwrap_or(0)
    }
}

/// Assigns every item to one of its candidate buckets, at most one to a bucket: `Some` with the
/// item of each bucket, or `None` when no assignment exists.
///
/// Augmenting paths find an assignment whenever there is one, so failures are exactly the
/// violations of Hall's condition. Not in constant time: it runs before anything is sent.
pub(crate) fn place(items: &[[u32; CHOICES]], buckets: u32) -> Option<Vec<Option<u32>>> {
    let mut holder: Vec<Option<u32>> = vec![None; buckets as usize];
    // The search tree of one path: the bucket that an item would leave to enter this one.
    let mut came_from: Vec<Option<u32>> = vec![None; buckets as usize];
    let mut seen = vec![u32::MAX; buckets as usize];
    let mut queue = VecDeque::new();
    for (item, choices) in (0_u32..).zip(items) {
        queue.clear();
        for &bucket in choices {
            seen[bucket as usize] = item;
            came_from[bucket as usize] = None;
            queue.push_back(bucket);
        }
        let free = loop {
            let bucket = queue.pop_front()?;
            let Some(resident) = holder[bucket as usize] else {
                break bucket;
            };
            for &next in &items[resident as usize] {
                if seen[next as usize] != item {
                    seen[next as usize] = item;
                    came_from[next as usize] = Some(bucket);
                    queue.push_back(next);
                }
            }
        };
        let mut target = free;
        while let Some(source) = came_from[target as usize] {
            holder[target as usize] = holder[source as usize];
            target = source;
        }
        holder[target as usize] = Some(item);
    }
    Some(holder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameters::bucket_count;

    fn seed(number: u64) -> PublicSeed {
        PublicSeed::combine("cuckoo test", &[&number.to_le_bytes()])
    }

    fn failures(items: u32, buckets: u32, seeds: u64) -> u64 {
        let places = |number| {
            let seed = seed(number);
            let choices: Vec<_> = (0..items)
                .map(|row| candidates(&seed, row, buckets))
                .collect();
            place(&choices, buckets).is_some()
        };
        (0..seeds).filter(|&number| !places(number)).count() as u64
    }

    #[test]
    fn candidates_are_distinct_and_uniform() {
        let mut counts = vec![0_f64; 7 * 7 * 7];
        let draws = 70_000_u32;
        for row in 0..draws {
            let [a, b, c] = candidates(&seed(1), row, 7);
            assert!(a < b && b < c && c < 7);
            counts[(a * 49 + b * 7 + c) as usize] += 1.0;
        }
        // 35 triples: chi-square with 34 degrees of freedom, mean 34, deviation 8.2.
        let expected = f64::from(draws) / 35.0;
        let hit: Vec<f64> = counts.into_iter().filter(|&count| count > 0.0).collect();
        assert_eq!(hit.len(), 35);
        let chi: f64 = hit.iter().map(|c| (c - expected).powi(2) / expected).sum();
        assert!((8.0..80.0).contains(&chi), "{chi}");
    }

    #[test]
    fn layout_holds_every_row_in_its_three_buckets() {
        let layout = Layout::new(&seed(2), 500, 428);
        assert_eq!(layout.rows().len(), 1_500);
        for row in 0..500 {
            for bucket in candidates(&seed(2), row, 428) {
                let position = layout.position(bucket, row).unwrap();
                assert_eq!(layout.rows()[position], row);
                assert_eq!(layout.bucket_of(position), bucket);
            }
        }
        let sizes = (0..428).map(|bucket| layout.positions(bucket).len());
        assert_eq!(sizes.max(), Some(layout.largest_bucket() as usize));
    }

    #[test]
    fn placement_is_a_valid_assignment() {
        for number in 0..50 {
            let choices: Vec<_> = (0..512)
                .map(|row| candidates(&seed(number), row, 871))
                .collect();
            let placed = place(&choices, 871).unwrap();
            let mut found: Vec<u32> = placed.iter().flatten().copied().collect();
            found.sort_unstable();
            assert!(found.iter().copied().eq(0..512));
            for (bucket, item) in (0..).zip(&placed) {
                assert!(item.is_none_or(|item| choices[item as usize].contains(&bucket)));
            }
        }
    }

    /// Every subset of the items, by brute force: an assignment is found exactly when Hall's
    /// condition holds.
    #[test]
    fn placement_fails_only_where_none_exists() {
        let mut outcomes = [0; 2];
        for number in 0..3_000 {
            let choices: Vec<_> = (0..8)
                .map(|row| candidates(&seed(number), row, 9))
                .collect();
            let hall = (1_u32..1 << 8).all(|subset| {
                let union = (0..8)
                    .filter(|item| subset >> item & 1 == 1)
                    .flat_map(|item| choices[item])
                    .fold(0_u32, |union, bucket| union | 1 << bucket);
                union.count_ones() >= subset.count_ones()
            });
            assert_eq!(place(&choices, 9).is_some(), hall);
            outcomes[usize::from(hall)] += 1;
        }
        assert!(outcomes[0] > 10 && outcomes[1] > 10, "{outcomes:?}");
    }

    #[test]
    fn one_and_a_half_buckets_an_item_fail_where_ours_do_not() {
        let seeds = 100_000;
        let few = failures(16, 24, seeds);
        // 2^-12 of 100,000 is 24; 5 standard deviations either way.
        assert!((1..=50).contains(&few), "{few}");
        assert_eq!(failures(16, bucket_count(16), seeds), 0);
        for needed in [256, 400, 512] {
            assert_eq!(failures(needed, bucket_count(needed), 2_000), 0);
        }
    }
}
