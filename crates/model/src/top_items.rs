//! The best items for a user, exactly, without scoring most of them.
//!
//! | symbol | meaning |
//! |---|---|
//! | u | the user's factor, ρ = ‖u‖ |
//! | v_j, d_j | an item's factor, and what it scores with every user: bias and popularity |
//! | s_j = u·v_j + d_j | its score |
//!
//! By Cauchy and Schwarz s_j ≤ d_j + ρ‖v_j‖. Items stand in blocks, those with the largest
//! bound first; of each block max_j (d_j + ρ‖v_j‖) is kept at a few ρ. It is convex in ρ, so
//! between two of them it is at most their straight line. A block whose line is below the worst
//! score of a full list is passed over.
//!
//! Scores are single precision within a stated error, and items are kept until they are worse
//! by more than that: what is returned holds every item of the exact list, and few others.

mod many;

use s3rec_algebra::RealMatrix;
use std::collections::BinaryHeap;

/// Items of one block: their factors lie column by column, so that each column is one
/// multiply-add over whole vector registers.
const BLOCK: usize = 64;

/// Points at which a block's bound is kept: ρ = 0, a typical user's, and the largest user's.
const POINTS: usize = 3;

/// Items ready for the search.
pub(crate) struct TopItems {
    width: usize,
    /// The item behind each place of the blocks.
    order: Vec<u32>,
    /// Blocks of (k + 1) columns of [`BLOCK`] values, the last column d.
    blocks: Vec<f32>,
    /// ρ of each point.
    points: [f64; POINTS],
    /// Each block's bound at each point.
    bounds: Vec<[f64; POINTS]>,
    /// max ‖v‖ and max |d|.
    largest: (f64, f64),
}

impl TopItems {
    /// `items` × (k + 1) with the biases last, `extra` what lists add to them; `users` × (k + 1)
    /// are those who will ask.
    pub(crate) fn new(users: &RealMatrix, items: &RealMatrix, extra: &[f64]) -> Self {
        let rank = users.columns() - 1;
        let lengths = (0..users.rows()).map(|user| norm(&users.row(user)[..rank]));
        let base = (0..items.rows())
            .map(|j| items.row(j)[rank] + extra.get(j).copied().unwrap_or(0.0))
            .collect();
        Self::of_parts(lengths.collect(), rank, |j| &items.row(j)[..rank], base)
    }

    /// Items of `rank` factors each, and what each gives everybody; `lengths` are those of the
    /// factors of users who will ask.
    pub(crate) fn of_parts<'a>(
        lengths: Vec<f64>,
        rank: usize,
        factors: impl Fn(usize) -> &'a [f64],
        base: Vec<f64>,
    ) -> Self {
        let (count, width) = (base.len(), rank + 1);
        let norms: Vec<f64> = (0..count).map(|j| norm(factors(j))).collect();
        let points = points(lengths);
        let bound = |j: usize, at: f64| base[j] + at * norms[j];
        let mut order: Vec<usize> = (0..count).collect();
        order.sort_by(|&a, &b| {
            let best_first = bound(b, points[1]).total_cmp(&bound(a, points[1]));
            best_first.then(a.cmp(&b))
        });
        let mut blocks = vec![0.0f32; count.div_ceil(BLOCK) * BLOCK * width];
        let mut bounds = Vec::with_capacity(count.div_ceil(BLOCK));
        for (block, members) in blocks
            .chunks_exact_mut(BLOCK * width)
            .zip(order.chunks(BLOCK))
        {
            for (place, &item) in members.iter().enumerate() {
                for (column, &value) in factors(item).iter().enumerate() {
                    block[column * BLOCK + place] = single(value);
                }
                block[rank * BLOCK + place] = single(base[item]);
            }
            bounds.push(points.map(|at| {
                let of_members = members.iter().map(|&j| bound(j, at));
                of_members.fold(f64::NEG_INFINITY, f64::max)
            }));
        }
        let largest = |values: &[f64]| values.iter().fold(0.0, |most: f64, v| most.max(v.abs()));
        Self {
            width,
            order: order.into_iter().map(index).collect(),
            blocks,
            points,
            bounds,
            largest: (largest(&norms), largest(&base)),
        }
    }

    /// How many blocks there are.
    pub(crate) fn blocks(&self) -> usize {
        self.bounds.len()
    }

    /// Every item that can be among the `count` best of those `wanted`, in no order, and the
    /// blocks that were scored. `user` is u, empty for a user without one.
    pub(crate) fn candidates(
        &self,
        user: &[f64],
        count: usize,
        wanted: impl Fn(u32) -> bool,
    ) -> (Vec<u32>, usize) {
        if count == 0 {
            return (Vec::new(), 0);
        }
        let rank = self.width - 1;
        let weights: Vec<f32> = user.iter().map(|&u| single(u)).collect();
        let length = norm(user);
        let slack = 2.0 * self.rounding(length);
        let (low, share) = self.between(length);
        let mut best: BinaryHeap<Worst> = BinaryHeap::with_capacity(count + 1);
        let mut kept: Vec<(f32, u32)> = Vec::with_capacity(4 * count);
        let (mut threshold, mut scored) = (f64::NEG_INFINITY, 0);
        for ((block, bound), order) in self
            .blocks
            .chunks_exact(BLOCK * self.width)
            .zip(&self.bounds)
            .zip(self.order.chunks(BLOCK))
        {
            let bound = bound[low] + share * (bound[low + 1] - bound[low]);
            if bound < threshold {
                continue;
            }
            scored += 1;
            let (factors, base) = block.split_at(rank * BLOCK);
            let mut scores = [0.0f32; BLOCK];
            scores.copy_from_slice(base);
            for (column, &weight) in factors.chunks_exact(BLOCK).zip(&weights) {
                for (score, &value) in scores.iter_mut().zip(column) {
                    *score += weight * value;
                }
            }
            for (&score, &item) in scores.iter().zip(order) {
                if f64::from(score) < threshold || !wanted(item) {
                    continue;
                }
                kept.push((score, item));
                best.push(Worst(score));
                if best.len() > count {
                    best.pop();
                }
                if best.len() == count {
                    let worst = best.peek().map_or(f64::NEG_INFINITY, |w| f64::from(w.0));
                    threshold = worst - slack;
                }
            }
        }
        kept.retain(|(score, _)| f64::from(*score) >= threshold);
        (kept.into_iter().map(|(_, item)| item).collect(), scored)
    }

    /// More than a single-precision score can be off: k + 1 products and sums and three
    /// roundings on the way in, each 2^-24 of what is summed; twice that.
    fn rounding(&self, length: f64) -> f64 {
        let summed = length * self.largest.0 + self.largest.1;
        (self.width + 4) as f64 * f64::from(f32::EPSILON) * summed
    }

    /// The points around ρ, and how far between them it lies. Past the last, where no known
    /// user is, the line goes on too low, so such a ρ gets no bound at all.
    fn between(&self, length: f64) -> (usize, f64) {
        let [zero, middle, most] = self.points;
        let (low, from, to) = if length <= middle {
            (0, zero, middle)
        } else {
            (1, middle, most)
        };
        if length > most {
            return (low, f64::INFINITY);
        }
        let wide = to - from;
        (
            low,
            if wide > 0.0 {
                (length - from) / wide
            } else {
                1.0
            },
        )
    }
}

/// ρ = 0, the median user's, and the largest.
fn points(mut norms: Vec<f64>) -> [f64; POINTS] {
    norms.sort_by(f64::total_cmp);
    let middle = norms.get(norms.len() / 2).copied().unwrap_or(0.0);
    [0.0, middle, norms.last().copied().unwrap_or(0.0)]
}

fn norm(row: &[f64]) -> f64 {
    row.iter().map(|value| value * value).sum::<f64>().sqrt()
}

fn index(item: usize) -> u32 {
    u32::try_from(item).unwrap_or(u32::MAX)
}

fn single(value: f64) -> f32 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the loss is part of the stated rounding"
    )]
    let single = value as f32;
    single
}

/// Ordered so that a max-heap's top is the lowest score.
#[derive(PartialEq)]
struct Worst(f32);

impl Eq for Worst {}

impl Ord for Worst {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        other.0.total_cmp(&self.0)
    }
}

impl PartialOrd for Worst {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values in −0.5..0.5, the same at every run.
    fn matrix(rows: usize, columns: usize, salt: usize) -> RealMatrix {
        let value = |n: usize| ((n * 7919 + salt * 104_729 + 13) % 10_007) as f64 / 10_007.0 - 0.5;
        RealMatrix::from_vec(rows, columns, (0..rows * columns).map(value).collect()).unwrap()
    }

    fn exact(user: &[f64], items: &RealMatrix, extra: &[f64], count: usize) -> Vec<u32> {
        let rank = items.columns() - 1;
        let mut scored: Vec<(f64, u32)> = (0..items.rows())
            .map(|j| {
                let row = items.row(j);
                let own: f64 = user.iter().zip(row).map(|(u, v)| u * v).sum();
                (own + row[rank] + extra[j], index(j))
            })
            .filter(|(_, item)| item % 7 != 3)
            .collect();
        scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        scored.truncate(count);
        scored.into_iter().map(|(_, item)| item).collect()
    }

    #[test]
    fn the_exact_list_is_among_the_candidates_and_few_are_not_in_it() {
        for (rank, spread) in [(1, 0.0), (5, 3.0), (12, 0.5)] {
            let (users, items) = (matrix(9, rank + 1, 3), matrix(1000, rank + 1, 8));
            let extra: Vec<f64> = (0..1000)
                .map(|j| spread * ((j * 37) % 101) as f64)
                .collect();
            let search = TopItems::new(&users, &items, &extra);
            for user in 0..9 {
                let user = &users.row(user)[..rank];
                for count in [1, 10, 300, 2000] {
                    let (found, _) = search.candidates(user, count, |item| item % 7 != 3);
                    let expected = exact(user, &items, &extra, count);
                    assert!(expected.iter().all(|item| found.contains(item)));
                    assert!(found.len() <= expected.len() + 3, "{}", found.len());
                    assert!(found.iter().all(|item| item % 7 != 3));
                }
            }
        }
    }

    /// More users than two tiles, one of them without a factor.
    #[test]
    fn many_users_at_once_find_what_each_would() {
        for (rank, spread) in [(1, 0.0), (7, 0.2), (12, 3.0)] {
            let (users, items) = (matrix(14, rank + 1, 3), matrix(1000, rank + 1, 8));
            let extra: Vec<f64> = (0..1000)
                .map(|j| spread * ((j * 37) % 101) as f64)
                .collect();
            let search = TopItems::new(&users, &items, &extra);
            let mut asking: Vec<&[f64]> = (0..14).map(|user| &users.row(user)[..rank]).collect();
            asking[4] = &[];
            for count in [0, 1, 10, 2000] {
                let found = search.candidates_of_many(&asking, count, |_, item| item % 7 != 3);
                assert_eq!(found.len(), 14);
                for (user, found) in asking.iter().zip(found) {
                    let expected = exact(user, &items, &extra, count);
                    assert!(expected.iter().all(|item| found.contains(item)));
                    assert!(found.len() <= expected.len() + 3, "{}", found.len());
                    assert!(found.iter().all(|item| item % 7 != 3));
                }
            }
        }
    }

    #[test]
    fn near_ties_below_single_precision_are_all_kept() {
        // 500 items whose scores differ by less than f32 resolves.
        let rows = (0..500).flat_map(|j| [0.25, 3.0 + 1e-12 * f64::from((j * 17) % 500)]);
        let items = RealMatrix::from_vec(500, 2, rows.collect()).unwrap();
        let users = RealMatrix::from_vec(1, 2, vec![2.0, 0.0]).unwrap();
        let search = TopItems::new(&users, &items, &[0.0; 500]);
        let (found, _) = search.candidates(&[2.0], 5, |_| true);
        assert_eq!(found.len(), 500);
    }

    #[test]
    fn most_blocks_are_passed_over_where_bases_differ() {
        let (users, items) = (matrix(50, 6, 1), matrix(64 * 200, 6, 2));
        let extra: Vec<f64> = (0..64 * 200).map(|j| (j % 997) as f64 / 100.0).collect();
        let search = TopItems::new(&users, &items, &extra);
        for user in 0..50 {
            let (_, scored) = search.candidates(&users.row(user)[..5], 10, |_| true);
            assert!((1..=20).contains(&scored), "{scored} of 200");
        }
    }

    #[test]
    fn a_user_longer_than_all_known_still_gets_the_exact_list() {
        let (users, items) = (matrix(3, 4, 4), matrix(640, 4, 5));
        let search = TopItems::new(&users, &items, &[0.0; 640]);
        let user = [9.0, -7.0, 30.0];
        let (found, scored) = search.candidates(&user, 10, |item| item % 7 != 3);
        let expected = exact(&user, &items, &[0.0; 640], 10);
        assert!(expected.iter().all(|item| found.contains(item)));
        assert_eq!(scored, 10);
    }
}
