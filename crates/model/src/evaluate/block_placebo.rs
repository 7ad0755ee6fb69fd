use crate::random::{below, purpose, stream};
use std::collections::HashSet;

/// Swaps that are tried for each link.
const SWEEPS: usize = 10;

/// Friends of opened users among the others, `rows[o]` the places of user o's, rewired at random
/// by swapping the ends of two links at a time: every opened user keeps the number of such
/// friends, and so does every other user.
pub fn rewired_block(rows: &[Vec<u32>], seed: u64) -> Vec<Vec<u32>> {
    let mut links: Vec<(u32, u32)> = (0u32..)
        .zip(rows)
        .flat_map(|(row, friends)| friends.iter().map(move |&friend| (row, friend)))
        .collect();
    let mut pairs: HashSet<(u32, u32)> = links.iter().copied().collect();
    let mut rng = stream(seed, purpose::BLOCK_PLACEBO);
    for _ in 0..SWEEPS * links.len() {
        let (first, second) = (below(&mut rng, links.len()), below(&mut rng, links.len()));
        let ((a, b), (c, d)) = (links[first], links[second]);
        if a == c || pairs.contains(&(a, d)) || pairs.contains(&(c, b)) {
            continue;
        }
        for (old, new) in [((a, b), (a, d)), ((c, d), (c, b))] {
            pairs.remove(&old);
            pairs.insert(new);
        }
        (links[first], links[second]) = ((a, d), (c, b));
    }
    let mut rewired = vec![Vec::new(); rows.len()];
    for (row, friend) in links {
        rewired[row as usize].push(friend);
    }
    rewired
        .iter_mut()
        .for_each(|friends| friends.sort_unstable());
    rewired
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_keep_their_numbers_and_little_else() {
        let rows: Vec<Vec<u32>> = (0..200u32)
            .map(|row| {
                let mut friends: Vec<u32> = (0..row % 6).map(|n| (row * 7 + n * n) % 90).collect();
                friends.sort_unstable();
                friends.dedup();
                friends
            })
            .collect();
        let other = rewired_block(&rows, 5);
        let received = |rows: &[Vec<u32>]| {
            let mut counts = vec![0; 90];
            rows.iter()
                .flatten()
                .for_each(|&friend| counts[friend as usize] += 1);
            counts
        };
        assert_eq!(received(&other), received(&rows));
        let (mut kept, mut all) = (0, 0);
        for (before, after) in rows.iter().zip(&other) {
            assert_eq!(before.len(), after.len());
            assert!(after.windows(2).all(|pair| pair[0] < pair[1]));
            kept += after
                .iter()
                .filter(|friend| before.contains(friend))
                .count();
            all += before.len();
        }
        assert!(kept * 5 < all, "{kept} of {all}");
        assert_eq!(rewired_block(&rows, 5), other);
        assert_ne!(rewired_block(&rows, 6), other);
        assert_eq!(rewired_block(&[vec![], vec![3]], 1), [vec![], vec![3]]);
    }
}
