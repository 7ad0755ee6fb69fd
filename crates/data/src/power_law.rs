//! Links alone, with the degrees that social networks have: few users with very many links and
//! many with few, at any size.

use std::collections::HashSet;

use rand_chacha::rand_core::RngCore;

use crate::DataError;
use crate::split::generator;

/// Directed links between `users` users whose degrees follow a power law, each once.
///
/// Both ends are drawn with weights i^(−3/5) over the users i = 1, 2, …, so the share of users
/// with more than d links falls as d^(−5/3): a tail exponent of 8/3, within what is reported of
/// social networks. The same arguments give the same links on every platform: only products and
/// square roots are taken.
///
/// # Errors
/// [`DataError::BadSynthetic`] when more links are wanted than a tenth of all pairs, or there are
/// fewer than two users or more than 2³² of them.
pub fn power_law_links(
    users: usize,
    links: usize,
    seed: u64,
) -> Result<Vec<(u32, u32)>, DataError> {
    let mut drawn = HashSet::with_capacity(links);
    let draws = power_law_draws(users, links, seed)?;
    Ok(draws
        .filter(|pair| drawn.insert(*pair))
        .take(links)
        .collect())
}

/// The same links one by one, without an end and some of them many times: nothing is held in
/// memory. Of the first `links` of them few are repeated where users are many.
///
/// # Errors
/// Those of [`power_law_links`].
pub fn power_law_draws(
    users: usize,
    links: usize,
    seed: u64,
) -> Result<impl Iterator<Item = (u32, u32)>, DataError> {
    let bad = |field, actual, expected| DataError::BadSynthetic {
        field,
        actual,
        expected,
    };
    if users < 2 || u32::try_from(users).is_err() {
        return Err(bad("users", users as f64, "2 to 2^32 - 1"));
    }
    let most = users as f64 * (users - 1) as f64 / 10.0;
    if links as f64 > most {
        return Err(bad("links", links as f64, "at most a tenth of all pairs"));
    }
    let mut random = generator(seed);
    let mut user = move || {
        let u = (random.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
        // The inverse of the distribution: x = m·u^(5/2).
        let place = users as f64 * u * u * u.sqrt();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "from 0 up to users, which fits"
        )]
        let index = place as u32;
        // Neighbours in weight are no neighbours in the order of the rows.
        spread(index.min(last(users)), users)
    };
    let pairs = std::iter::repeat_with(move || (user(), user()));
    Ok(pairs.filter(|(from, to)| from != to))
}

#[expect(clippy::cast_possible_truncation, reason = "users fit 32 bits")]
fn last(users: usize) -> u32 {
    (users - 1) as u32
}

/// A permutation of the users: multiplication by a prime larger than any number of users.
fn spread(index: u32, users: usize) -> u32 {
    #[expect(clippy::cast_possible_truncation, reason = "below users")]
    let spread = (u64::from(index) * 4_294_967_311 % users as u64) as u32;
    spread
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn degrees_fall_as_a_power() {
        let (users, links) = (20_000, 200_000);
        let pairs = power_law_links(users, links, 4).unwrap();
        assert_eq!(pairs.len(), links);
        assert_eq!(pairs.iter().collect::<HashSet<_>>().len(), links);
        assert!(pairs.iter().all(|(a, b)| a != b && (*a as usize) < users));
        let mut degrees = vec![0_u32; users];
        for &(a, b) in &pairs {
            degrees[a as usize] += 1;
            degrees[b as usize] += 1;
        }
        let above = |least: u32| degrees.iter().filter(|d| **d > least).count() as f64;
        // The count above d falls as d^(−5/3): over a factor of 4, by 10; allow 7 to 14.
        let fall = above(40) / above(160);
        assert!((7.0..14.0).contains(&fall), "{fall}");
        assert!(above(0) > 0.95 * users as f64);
    }

    #[test]
    fn a_seed_is_a_graph() {
        let draw = |seed| power_law_links(500, 900, seed).unwrap();
        let drawn: Vec<_> = power_law_draws(500, 900, 1).unwrap().take(2000).collect();
        assert!(draw(1).iter().all(|pair| drawn.contains(pair)));
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }

    #[test]
    fn more_links_than_room_are_refused() {
        assert!(power_law_links(100, 991, 0).is_err());
        assert!(power_law_links(1, 0, 0).is_err());
    }
}
