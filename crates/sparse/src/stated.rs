//! Public bounds of Y that its owner states, before and whatever the links are.

use serde::{Deserialize, Serialize};

use crate::OperatorKind;

/// What P1's operator states of its links: every user has at most `degree` of them, both
/// directions together (a reciprocated link counts twice), and there are at most `links`.
///
/// What P0 learns of Y's size follows from these and from m by [`bounds`](Self::bounds), and from
/// nothing else. Data that keeps them keeps them among any of its users: whoever chooses the
/// common users learns nothing from a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatedBounds {
    /// Links of one user, at least 1.
    pub degree: u32,
    /// Directed links in all.
    pub links: u64,
}

/// Where the public bounds of an operator come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BoundsRule {
    /// From what is stated: they say nothing of the links.
    Stated,
    /// From the links among the common users by the [`ladder`](crate::ladder()): they say something.
    Ladder,
}

/// What P1 consents to show of Y's size. The statement holds under either rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicBounds {
    /// What is true of all of P1's links.
    pub stated: StatedBounds,
    /// Where the bounds of an operator come from.
    pub rule: BoundsRule,
}

/// The public bounds of an operator over m users.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorBounds {
    /// L ≥ max_i Σ_f |y_if| in units of 2^-f_y; at least 1.
    pub row_norm: u64,
    /// Stored non-zeros of Y.
    pub nonzeros: u64,
    /// Users linked to, at least 1: d_max of a private fetch.
    pub linked_to: u32,
}

impl StatedBounds {
    /// Whether data with that largest degree and so many links keeps them.
    #[must_use]
    pub fn hold(&self, largest_degree: u32, links: u64) -> bool {
        largest_degree <= self.degree && links <= self.links
    }

    /// What they come to for an operator over `users` users, none of whom is linked to
    /// themselves:
    ///
    /// | operator | L | non-zeros |
    /// |---|---|---|
    /// | `laplacian` | 2·D, the diagonal and the entries | 2·E + min(m, 2·E) |
    /// | `normalized-laplacian` | ⌈2^f_y·(1 + √n)⌉ + ⌈n/2⌉: Σ_f √a_if ≤ √(n·d_i), each weight off by ½ at most | the same |
    /// | `out-average` | 2^f_y: rows sum to one | E |
    /// | `friends` | n | 2·E |
    ///
    /// with D the degree, at most 2(m − 1); n = min(D, m − 1) neighbours; E the links, at most
    /// m(m − 1) and m·D/2; min(m, E) users linked to.
    #[must_use]
    pub fn bounds(&self, kind: OperatorKind, users: u32) -> OperatorBounds {
        let users = u64::from(users);
        let others = users.saturating_sub(1);
        let degree = u64::from(self.degree).min(2 * others);
        // At most 2^32 · 2^33 / 2.
        let links = self.links.min(users * others).min(users * degree / 2);
        let symmetric = (2 * links).saturating_add(users.min(2 * links));
        let (row_norm, nonzeros) = match kind {
            OperatorKind::Laplacian => (2 * degree, symmetric),
            OperatorKind::NormalizedLaplacian => {
                let one = 1u64 << kind.weight_bits();
                let neighbours = degree.min(others);
                let norm = one + ceil_sqrt(one * one * neighbours) + neighbours.div_ceil(2);
                (norm, symmetric)
            }
            OperatorKind::OutAverage => (1 << kind.weight_bits(), links),
            OperatorKind::Friends => (degree.min(others), 2 * links),
        };
        OperatorBounds {
            row_norm: row_norm.max(1),
            nonzeros,
            linked_to: u32::try_from(users.min(links).max(1)).unwrap_or(u32::MAX),
        }
    }
}

/// ⌈√value⌉ in whole numbers.
fn ceil_sqrt(value: u64) -> u64 {
    let floor = value.isqrt();
    floor + u64::from(floor * floor < value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SocialMatrix, SocialOperator};

    const KINDS: [OperatorKind; 4] = [
        OperatorKind::Laplacian,
        OperatorKind::NormalizedLaplacian,
        OperatorKind::OutAverage,
        OperatorKind::Friends,
    ];

    /// The tightest statement that is true of those links.
    fn tight(users: u32, links: &[(u32, u32)]) -> StatedBounds {
        let mut degrees = vec![0; users as usize];
        for (from, to) in links {
            degrees[*from as usize] += 1;
            degrees[*to as usize] += 1;
        }
        StatedBounds {
            degree: degrees.iter().copied().max().unwrap_or(0).max(1),
            links: links.len() as u64,
        }
    }

    fn check(users: u32, links: &[(u32, u32)]) {
        let stated = tight(users, links);
        let social = SocialMatrix::from_links(users as usize, links.iter().copied()).unwrap();
        for kind in KINDS {
            let operator = SocialOperator::build(kind, &social);
            let bounds = stated.bounds(kind, users);
            let what = format!("{kind}, {users} users, {links:?}, {bounds:?}");
            assert!(operator.row_norm() <= bounds.row_norm, "{what}");
            assert!(operator.nonzeros() as u64 <= bounds.nonzeros, "{what}");
            let linked_to = operator.active_columns().len();
            // Of a symmetric operator nothing is fetched.
            if kind == OperatorKind::OutAverage {
                assert!(linked_to <= bounds.linked_to as usize, "{what}");
            }
        }
    }

    #[test]
    fn no_links_that_keep_a_statement_exceed_what_follows_from_it() {
        let mut state = 11u64;
        let mut below = |bound: u32| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            u32::try_from((state >> 33) % u64::from(bound)).unwrap()
        };
        for _ in 0..400 {
            let users = 1 + below(24);
            let wanted = below(users * users + 1);
            let mut links: Vec<_> = (0..wanted).map(|_| (below(users), below(users))).collect();
            links.retain(|(from, to)| from != to);
            links.sort_unstable();
            links.dedup();
            check(users, &links);
        }
        // Stars, whole graphs and reciprocated pairs are where the bounds are tight.
        for users in [2u32, 3, 17, 100] {
            let star: Vec<_> = (1..users).map(|leaf| (0, leaf)).collect();
            let back = star.iter().map(|(from, to)| (*to, *from));
            check(users, &star);
            check(users, &star.iter().copied().chain(back).collect::<Vec<_>>());
            let pairs = (0..users).flat_map(|from| (0..users).map(move |to| (from, to)));
            check(
                users,
                &pairs.filter(|(from, to)| from != to).collect::<Vec<_>>(),
            );
        }
        let hub: Vec<_> = (1..4000).map(|leaf| (0, leaf)).collect();
        check(4001, &hub);
    }

    #[test]
    fn the_bounds_follow_the_statement_and_the_users_alone_and_stay_in_range() {
        let stated = StatedBounds {
            degree: 128,
            links: 4096,
        };
        let filmtrust = stated.bounds(OperatorKind::Laplacian, 1508);
        assert_eq!((filmtrust.row_norm, filmtrust.nonzeros), (256, 9700));
        let normalized = stated.bounds(OperatorKind::NormalizedLaplacian, 1508);
        // 1024·(1 + √128) = 12,609.2….
        assert_eq!(normalized.row_norm, 1024 + 11_586 + 64);
        let widest = StatedBounds {
            degree: u32::MAX,
            links: u64::MAX,
        };
        for kind in KINDS {
            for users in [0, 1, 2, u32::MAX] {
                let bounds = widest.bounds(kind, users);
                assert!(bounds.row_norm >= 1 && bounds.linked_to >= 1);
            }
        }
    }
}
