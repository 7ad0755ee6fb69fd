//! The same search for many users at once: a block of items stays in the core's own cache while
//! all of them are scored, a few users at a time in registers.
//!
//! For each block the users whose bound it cannot reach are passed over; users of like length are
//! best asked for together, since a few are scored if one of them must be.

use std::collections::BinaryHeap;

use pulp::{Arch, Simd, WithSimd};

use super::{BLOCK, TopItems, Worst, norm, single};

/// Users whose scores are in registers together: with 64 items, 24 registers of 16 values.
const TILE: usize = 6;

/// One user's search.
struct Asking {
    /// How far between the points of the bounds it lies.
    low: usize,
    share: f64,
    slack: f64,
    threshold: f64,
    best: BinaryHeap<Worst>,
    kept: Vec<(f32, u32)>,
}

impl TopItems {
    /// As [`candidates`](Self::candidates) for each of `users`; `wanted` is asked with a user's
    /// place among them.
    pub(crate) fn candidates_of_many(
        &self,
        users: &[impl AsRef<[f64]>],
        count: usize,
        wanted: impl Fn(usize, u32) -> bool,
    ) -> Vec<Vec<u32>> {
        if count == 0 {
            return users.iter().map(|_| Vec::new()).collect();
        }
        let mut asking: Vec<Asking> = users
            .iter()
            .map(|user| self.asking(user.as_ref(), count))
            .collect();
        let tiles: Vec<Vec<f32>> = users.chunks(TILE).map(|tile| self.weights(tile)).collect();
        let arch = Arch::new();
        let mut scores = [[0.0; BLOCK]; TILE];
        for ((block, bounds), order) in self
            .blocks
            .chunks_exact(BLOCK * self.width)
            .zip(&self.bounds)
            .zip(self.order.chunks(BLOCK))
        {
            for (tile, (weights, asking)) in tiles.iter().zip(asking.chunks_mut(TILE)).enumerate() {
                let reaches = |user: &Asking| {
                    let (from, to) = (bounds[user.low], bounds[user.low + 1]);
                    let bound = from + user.share * (to - from);
                    // An unknown bound is no reason to pass over.
                    bound >= user.threshold || bound.is_nan() || user.threshold.is_nan()
                };
                if !asking.iter().any(reaches) {
                    continue;
                }
                arch.dispatch(Product {
                    block,
                    weights,
                    scores: &mut scores,
                });
                for (place, (user, scores)) in asking.iter_mut().zip(&scores).enumerate() {
                    user.take(scores, order, count, |item| {
                        wanted(tile * TILE + place, item)
                    });
                }
            }
        }
        asking.into_iter().map(Asking::finish).collect()
    }

    fn asking(&self, user: &[f64], count: usize) -> Asking {
        let length = norm(user);
        let (low, share) = self.between(length);
        Asking {
            low,
            share,
            slack: 2.0 * self.rounding(length),
            threshold: f64::NEG_INFINITY,
            best: BinaryHeap::with_capacity(count + 1),
            kept: Vec::with_capacity(4 * count),
        }
    }

    /// A tile's factors column by column; zeros for users without one and for no user.
    fn weights(&self, users: &[impl AsRef<[f64]>]) -> Vec<f32> {
        let mut weights = vec![0.0; (self.width - 1) * TILE];
        for (place, user) in users.iter().enumerate() {
            for (column, &value) in user.as_ref().iter().take(self.width - 1).enumerate() {
                weights[column * TILE + place] = single(value);
            }
        }
        weights
    }
}

impl Asking {
    fn take(
        &mut self,
        scores: &[f32; BLOCK],
        order: &[u32],
        count: usize,
        wanted: impl Fn(u32) -> bool,
    ) {
        // Rounded down: what passes is looked at once more.
        let least = single(self.threshold).next_down();
        if !scores
            .iter()
            .fold(false, |any, &score| any | (score >= least))
        {
            return;
        }
        for (&score, &item) in scores.iter().zip(order) {
            if f64::from(score) < self.threshold || !wanted(item) {
                continue;
            }
            self.kept.push((score, item));
            self.best.push(Worst(score));
            if self.best.len() > count {
                self.best.pop();
            }
            if self.best.len() == count {
                let worst = self
                    .best
                    .peek()
                    .map_or(f64::NEG_INFINITY, |w| f64::from(w.0));
                self.threshold = worst - self.slack;
            }
        }
    }

    fn finish(mut self) -> Vec<u32> {
        self.kept
            .retain(|(score, _)| f64::from(*score) >= self.threshold);
        self.kept.into_iter().map(|(_, item)| item).collect()
    }
}

/// Scores of a block's items for a tile's users.
struct Product<'a> {
    /// k + 1 columns of [`BLOCK`] values, the last what every user gives.
    block: &'a [f32],
    /// k columns of [`TILE`] values.
    weights: &'a [f32],
    scores: &'a mut [[f32; BLOCK]; TILE],
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // As many as there are registers for: 32 of them with 16 lanes, 16 otherwise.
        if S::F32_LANES >= 16 {
            self.of_registers::<S, 4>(simd);
        } else {
            self.of_registers::<S, 2>(simd);
        }
    }
}

impl Product<'_> {
    #[inline(always)]
    fn of_registers<S: Simd, const REGISTERS: usize>(self, simd: S) {
        let of_column = BLOCK / S::F32_LANES;
        let (block, _) = S::as_simd_f32s(self.block);
        let (columns, base) = block.split_at(block.len() - of_column);
        for first in (0..of_column).step_by(REGISTERS) {
            let start: [S::f32s; REGISTERS] = std::array::from_fn(|place| base[first + place]);
            let mut sums = [start; TILE];
            for (column, weights) in columns
                .chunks_exact(of_column)
                .zip(self.weights.chunks_exact(TILE))
            {
                let values: [S::f32s; REGISTERS] =
                    std::array::from_fn(|place| column[first + place]);
                for (sums, &weight) in sums.iter_mut().zip(weights) {
                    let weight = simd.splat_f32s(weight);
                    for (sum, &value) in sums.iter_mut().zip(&values) {
                        *sum = simd.mul_add_f32s(weight, value, *sum);
                    }
                }
            }
            for (scores, sums) in self.scores.iter_mut().zip(sums) {
                let (scores, _) = S::as_mut_simd_f32s(scores);
                scores[first..first + REGISTERS].copy_from_slice(&sums);
            }
        }
    }
}
