//! Equations taken off one after the other, or many at once: whatever is alone at a place can be
//! solved for it last.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;

use super::okvs::places;
use crate::group::IdHash;

/// Fewer are sooner done by one thread.
pub(super) const LEAST_SHARED: usize = 256;
/// Fewer equations are taken off one by one.
const LEAST_IN_ROUNDS: usize = 1 << 14;

/// What was taken off.
pub(super) struct Peeled {
    /// Equations, and the place that each was alone at, first to last.
    pub(super) equations: Vec<(u32, u32)>,
    /// In rounds: an equation of one stands at no other's place of the same round or one before.
    pub(super) rounds: Vec<Range<usize>>,
}

/// Takes off all that can be: which are left does not depend on the order.
pub(super) fn peel(ids: &[IdHash], segment: u32) -> Peeled {
    match ids.len() {
        0..LEAST_IN_ROUNDS => one_by_one(ids, segment),
        _ => in_rounds(ids, segment),
    }
}

/// The equations of a place: how many are left in the upper bits, the sum of their numbers in the
/// lower 40. Numbers are below 2^24, so a sum that reaches the upper bits takes 2^16 equations at one
/// place, and goes away with them; that many look like a single one only if they are nearly all that
/// there can be.
#[derive(Default)]
struct Place(AtomicU64);

const ONE: u64 = 1 << 40;

impl Place {
    fn add(&self, equation: u32) {
        let more = ONE + u64::from(equation);
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// Whether one equation is left after this one is gone.
    fn take(&self, equation: u32) -> bool {
        let less = ONE + u64::from(equation);
        let before = self.0.fetch_sub(less, Ordering::Relaxed);
        before.wrapping_sub(less) >> 40 == 1
    }

    /// The equation that is alone here.
    fn alone(&self) -> Option<u32> {
        let here = self.0.load(Ordering::Relaxed);
        let equation = (here >> 40 == 1).then_some(here & (ONE - 1));
        equation.and_then(|equation| u32::try_from(equation).ok())
    }
}

/// All equations at their places.
fn sparse_places(ids: &[IdHash], segment: u32) -> Vec<Place> {
    let length = 3 * segment as usize;
    let mut table = Vec::with_capacity(length);
    table.par_extend((0..length).into_par_iter().map(|_| Place::default()));
    ids.par_iter()
        .with_min_len(1 << 10)
        .enumerate()
        .for_each(|(equation, id)| {
            // Ids are at most 2^24.
            let equation = u32::try_from(equation).unwrap_or(u32::MAX);
            for place in places(id, segment) {
                table[place].add(equation);
            }
        });
    table
}

/// Places where one equation stands alone.
fn all_alone(table: &[Place]) -> Vec<u32> {
    let places = table.par_iter().with_min_len(1 << 10).enumerate();
    let alone = places.filter(|(_, place)| place.alone().is_some());
    // Places are below 2^26.
    alone
        .filter_map(|(place, _)| u32::try_from(place).ok())
        .collect()
}

fn one_by_one(ids: &[IdHash], segment: u32) -> Peeled {
    let table = sparse_places(ids, segment);
    let mut alone = all_alone(&table);
    let mut equations = Vec::with_capacity(ids.len());
    while let Some(pivot) = alone.pop() {
        let Some(equation) = table[pivot as usize].alone() else {
            continue;
        };
        equations.push((equation, pivot));
        for place in places(&ids[equation as usize], segment) {
            if table[place].take(equation) {
                alone.extend(u32::try_from(place));
            }
        }
    }
    let rounds = (0..equations.len()).map(|at| at..at + 1).collect();
    Peeled { equations, rounds }
}

/// All that are alone at once; then all that are alone without them. An equation that is alone at several
/// places takes the first: the result does not depend on which thread is sooner.
fn in_rounds(ids: &[IdHash], segment: u32) -> Peeled {
    let table = sparse_places(ids, segment);
    let mut alone = all_alone(&table);
    let mut equations = Vec::with_capacity(ids.len());
    let mut rounds = Vec::new();
    loop {
        let round = gather(&alone, |&pivot| {
            let equation = table[pivot as usize].alone()?;
            let mut places = places(&ids[equation as usize], segment).into_iter();
            let first = places.find(|place| table[*place].alone().is_some());
            (first == Some(pivot as usize)).then_some((equation, pivot))
        });
        if round.is_empty() {
            return Peeled { equations, rounds };
        }
        alone = gather(&round, |&(equation, _)| {
            let left = places(&ids[equation as usize], segment).map(|place| {
                let is_left = table[place].take(equation);
                is_left.then(|| u32::try_from(place).ok()).flatten()
            });
            left.into_iter().flatten()
        });
        let first = equations.len();
        equations.extend_from_slice(&round);
        rounds.push(first..equations.len());
    }
}

/// What `of` gives of all items, on all cores where there are enough.
fn gather<T: Sync, R: Send, I: IntoIterator<Item = R>>(
    items: &[T],
    of: impl Fn(&T) -> I + Sync + Send,
) -> Vec<R> {
    match items.len() {
        0..LEAST_SHARED => items.iter().flat_map(of).collect(),
        _ => items
            .par_iter()
            .with_min_len(LEAST_SHARED / 2)
            .flat_map_iter(of)
            .collect(),
    }
}
