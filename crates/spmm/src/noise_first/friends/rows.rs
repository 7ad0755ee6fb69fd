//! Rows of pairs, on all cores: pairs are dealt out by who they belong to, a run of users at a
//! time, and each run is sorted by itself.

use rayon::prelude::*;
use zeroize::Zeroizing;

use super::Pairs;

/// Runs of users, at most, and users of a run, at least.
const RUNS_LOG: u32 = 8;
const USERS_LOG: u32 = 10;

/// Where each user's friends begin, with the end behind them, and all friends; each pair in both
/// of its rows once, rows ascending.
pub(super) fn of_pairs(users: usize, parts: Vec<Pairs>) -> (Vec<usize>, Vec<u32>) {
    let shift = (usize::BITS - users.leading_zeros())
        .saturating_sub(RUNS_LOG)
        .max(USERS_LOG);
    let counts: Vec<Vec<usize>> = parts
        .par_iter()
        .map(|part| counts(part, users, shift))
        .collect();
    let all = parts.iter().map(|part| 2 * part.links.len()).sum();
    let mut dealt = Zeroizing::new(vec![0_u64; all]);
    deal(parts, &counts, shift, &mut dealt);
    let runs = (0..(users >> shift) + 1).map(|run| counts.iter().map(|of| of[run]).sum());
    let mut rest = &mut dealt[..];
    let mut runs: Vec<&mut [u64]> = runs.map(|count| first(&mut rest, count)).collect();
    let mut starts = vec![0; users + 1];
    let kept: Vec<usize> = runs
        .par_iter_mut()
        .zip(starts[1..].par_chunks_mut(1 << shift))
        .enumerate()
        .map(|(run, (places, degrees))| {
            places.sort_unstable();
            let kept = distinct(places);
            for &place in &places[..kept] {
                degrees[(place >> 32) as usize - (run << shift)] += 1;
            }
            kept
        })
        .collect();
    add_up(&mut starts);
    let mut friends = vec![0; starts[users]];
    runs_of(&starts, &mut friends, 1 << shift)
        .into_par_iter()
        .zip(runs.par_iter().zip(kept))
        .for_each(|(friends, (places, kept))| {
            for (friend, &place) in friends.iter_mut().zip(&places[..kept]) {
                *friend = friend_of(place);
            }
        });
    (starts, friends)
}

/// Counts to sums of all counts up to and with each.
pub(super) fn add_up(counts: &mut [usize]) {
    let mut sum = 0;
    for count in counts {
        sum += *count;
        *count = sum;
    }
}

/// `values` cut where every `rows`-th row begins.
pub(super) fn runs_of<'v, T>(
    starts: &[usize],
    mut values: &'v mut [T],
    rows: usize,
) -> Vec<&'v mut [T]> {
    let mut begun = 0;
    let last = starts.len() - 1;
    let ends = (0..last)
        .step_by(rows)
        .map(|row| starts[last.min(row + rows)]);
    ends.map(|end| {
        let run = first(&mut values, end - begun);
        begun = end;
        run
    })
    .collect()
}

fn first<'v, T>(values: &mut &'v mut [T], count: usize) -> &'v mut [T] {
    let (first, rest) = std::mem::take(values).split_at_mut(count);
    *values = rest;
    first
}

fn counts(part: &Pairs, users: usize, shift: u32) -> Vec<usize> {
    let mut counts = vec![0; (users >> shift) + 1];
    for &(from, to) in part.links.iter() {
        counts[(from >> shift) as usize] += 1;
        counts[(to >> shift) as usize] += 1;
    }
    counts
}

/// Puts every pair in both directions, as row and friend in one number, where its run is: run by
/// run, and of each run part by part.
fn deal(parts: Vec<Pairs>, counts: &[Vec<usize>], shift: u32, dealt: &mut [u64]) {
    let runs = counts.first().map_or(0, Vec::len);
    let mut places: Vec<Vec<&mut [u64]>> = parts.iter().map(|_| Vec::new()).collect();
    let mut rest = dealt;
    for run in 0..runs {
        for (places, counts) in places.iter_mut().zip(counts) {
            places.push(first(&mut rest, counts[run]));
        }
    }
    parts
        .into_par_iter()
        .zip(places)
        .for_each(|(part, mut places)| {
            let mut next = vec![0; runs];
            for &(from, to) in part.links.iter() {
                for (row, friend) in [(from, to), (to, from)] {
                    let run = (row >> shift) as usize;
                    places[run][next[run]] = u64::from(row) << 32 | u64::from(friend);
                    next[run] += 1;
                }
            }
        });
}

/// Moves what is there once to the front, of ascending places, and says how many those are.
fn distinct(places: &mut [u64]) -> usize {
    let mut kept = 0;
    for place in 0..places.len() {
        if place == 0 || places[place] != places[kept - 1] {
            places[kept] = places[place];
            kept += 1;
        }
    }
    kept
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the lower half is the friend"
)]
fn friend_of(place: u64) -> u32 {
    place as u32
}
