//! Links that say nothing: as many for everybody as before, but with whom is chance. What a social
//! term gains with them is not social; it is what shrinkage towards anybody's tastes gains, and
//! what the number of friends says.

use crate::random::{below, purpose, stream};
use s3rec_sparse::{SocialMatrix, SparseError};
use std::collections::HashSet;

/// Swaps that are tried for each link; three leave nothing of the original to be seen.
const SWEEPS: usize = 10;

/// Rewires `social` at random by swapping the ends of two links at a time. Everybody keeps the
/// number of links they give and the number they receive, and of both the number that is mutual.
///
/// # Errors
/// None for a matrix that exists; as [`SocialMatrix::from_links`].
pub fn rewired(social: &SocialMatrix, seed: u64) -> Result<SocialMatrix, SparseError> {
    let (mut mutual, mut single) = (Vec::new(), Vec::new());
    for (i, f) in social.iter() {
        if social.trusted_by(f).binary_search(&i).is_err() {
            single.push((i, f));
        } else if i < f {
            mutual.push((i, f));
        }
    }
    let mut rng = stream(seed, purpose::START);
    let unordered = |(a, b): (u32, u32)| (a.min(b), a.max(b));
    let mut pairs: HashSet<(u32, u32)> = mutual.iter().chain(&single).copied().collect();
    pairs = pairs.into_iter().map(unordered).collect();
    for (links, turnable) in [(&mut mutual, true), (&mut single, false)] {
        for _ in 0..SWEEPS * links.len() {
            let mut below = |bound: usize| below(&mut rng, bound);
            let (first, second) = (below(links.len()), below(links.len()));
            // A mutual link has no direction, so either end may be swapped.
            let (a, b) = links[first];
            let (c, d) = match turnable && below(2) == 1 {
                true => (links[second].1, links[second].0),
                false => links[second],
            };
            let (new, other) = ((a, d), (c, b));
            let is_free = a != d && c != b && unordered(new) != unordered(other);
            if first == second
                || !is_free
                || pairs.contains(&unordered(new))
                || pairs.contains(&unordered(other))
            {
                continue;
            }
            for (old, new) in [((a, b), new), ((c, d), other)] {
                pairs.remove(&unordered(old));
                pairs.insert(unordered(new));
            }
            (links[first], links[second]) = (new, other);
        }
    }
    let turned = mutual.iter().map(|&(a, b)| (b, a));
    let links = mutual.iter().copied().chain(turned).chain(single);
    SocialMatrix::from_links(social.users(), links)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Degrees = Vec<(usize, usize, usize)>;

    /// Given, received and mutual links of everybody.
    fn degrees(social: &SocialMatrix) -> Degrees {
        let mut degrees = vec![(0, 0, 0); social.users()];
        for (i, f) in social.iter() {
            degrees[i as usize].0 += 1;
            degrees[f as usize].1 += 1;
            if social.trusted_by(f).contains(&i) {
                degrees[i as usize].2 += 1;
            }
        }
        degrees
    }

    #[test]
    fn keeps_every_degree_and_little_else() {
        let links = (0..300u32).flat_map(|i| {
            let given = (1..=i % 7).map(move |n| (i, (i + n * n + 1) % 300));
            let back = (1..=i % 3).map(move |n| ((i + n * n + 1) % 300, i));
            given.chain(back)
        });
        let social = SocialMatrix::from_links(300, links).unwrap();
        let mutual: usize = degrees(&social).iter().map(|d| d.2).sum();
        assert!(mutual > 100 && mutual < social.links());
        for seed in 0..3 {
            let other = rewired(&social, seed).unwrap();
            assert_eq!(degrees(&other), degrees(&social));
            assert_eq!(other.links(), social.links());
            let kept = other
                .iter()
                .filter(|(i, f)| social.trusted_by(*i).contains(f))
                .count();
            assert!(kept * 20 < social.links(), "{kept} of {}", social.links());
            assert_ne!(
                other.iter().collect::<Vec<_>>(),
                rewired(&social, seed + 10)
                    .unwrap()
                    .iter()
                    .collect::<Vec<_>>()
            );
            let again = rewired(&social, seed).unwrap();
            assert!(other.iter().eq(again.iter()));
        }
    }

    #[test]
    fn what_cannot_be_rewired_stays() {
        for links in [vec![], vec![(0, 1)], vec![(0, 1), (1, 0)]] {
            let social = SocialMatrix::from_links(2, links.clone()).unwrap();
            let other = rewired(&social, 1).unwrap();
            assert_eq!(other.iter().collect::<Vec<_>>(), links);
        }
    }
}
