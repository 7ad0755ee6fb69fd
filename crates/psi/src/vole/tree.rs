//! A tree of seeds all of whose leaves but one the other party knows (Goldreich, Goldwasser,
//! Micali 1986; the puncturing as in SoftSpokenOT, Roy, CRYPTO 2022, section 6).

use s3rec_algebra::Seed;
use zeroize::Zeroizing;

/// Levels below the root.
pub(super) const DEPTH: usize = 6;
/// Leaves: one for each element of F_64.
pub(super) const LEAVES: usize = 1 << DEPTH;

/// The sums of a level's left children and of its right ones.
pub(super) type Sums = [[Zeroizing<[u8; 32]>; 2]; DEPTH];

fn child(parent: &Seed, side: u8) -> Seed {
    parent.derive("s3rec psi vole: child", &[&[side]])
}

fn add(sum: &mut [u8; 32], seed: &Seed) {
    for (sum, byte) in sum.iter_mut().zip(seed.expose_bytes()) {
        *sum ^= byte;
    }
}

/// Which way level `level` of the path to leaf `x` goes: leaves are numbered left to right.
pub(super) fn side(x: u8, level: usize) -> u8 {
    x >> (DEPTH - 1 - level) & 1
}

/// All leaves of a root, and the sums that puncture them.
pub(super) fn grow(root: Seed) -> (Vec<Seed>, Sums) {
    let mut nodes = vec![root];
    let sums = std::array::from_fn(|_| {
        let mut sums = [Zeroizing::new([0; 32]), Zeroizing::new([0; 32])];
        let children = nodes
            .iter()
            .flat_map(|node| [child(node, 0), child(node, 1)]);
        let children: Vec<Seed> = children.collect();
        for (index, seed) in children.iter().enumerate() {
            add(&mut sums[index % 2], seed);
        }
        nodes = children;
        sums
    });
    (nodes, sums)
}

/// All leaves but `hole`, from the sums of the sides that the path to it does not take: the leaf
/// x stands at x + `hole`, so that the missing one comes first.
pub(super) fn regrow(hole: u8, sums: &[Seed; DEPTH]) -> Vec<Option<Seed>> {
    let mut nodes: Vec<Option<Seed>> = vec![None];
    for (level, sum) in sums.iter().enumerate() {
        let mut children: Vec<Option<Seed>> = nodes
            .iter()
            .flat_map(|node| [0, 1].map(|side| node.as_ref().map(|node| child(node, side))))
            .collect();
        let taken = usize::from(hole >> (DEPTH - 1 - level));
        let missing = taken ^ 1;
        let mut seed = Zeroizing::new(*sum.expose_bytes());
        for known in children.iter().skip(missing % 2).step_by(2).flatten() {
            add(&mut seed, known);
        }
        children[missing] = Some(Seed::from_bytes(*seed));
        nodes = children;
    }
    let mut leaves: Vec<Option<Seed>> = (0..LEAVES).map(|_| None).collect();
    for (x, leaf) in nodes.into_iter().enumerate() {
        leaves[x ^ usize::from(hole)] = leaf;
    }
    leaves
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_leaf_but_the_hole_is_regrown() {
        let (leaves, sums) = grow(Seed::from_bytes([7; 32]));
        assert_eq!(leaves.len(), LEAVES);
        for hole in 0..64_u8 {
            let known = std::array::from_fn(|level| {
                let other = usize::from(side(hole, level) ^ 1);
                Seed::from_bytes(*sums[level][other])
            });
            let regrown = regrow(hole, &known);
            assert!(regrown[0].is_none());
            for x in (0..LEAVES).filter(|x| *x != usize::from(hole)) {
                assert!(regrown[x ^ usize::from(hole)].as_ref() == Some(&leaves[x]));
            }
        }
        let mut all: Vec<_> = leaves.iter().map(|leaf| *leaf.expose_bytes()).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), LEAVES);
    }
}
