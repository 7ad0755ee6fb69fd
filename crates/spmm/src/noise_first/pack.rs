//! Packs: the a-part of n rows, collapsed under one key and re-randomised, and the part of their
//! bodies that goes with it. A pure function of keys, masks, rows and a seed a pack: it gives the
//! same wherever it runs, in this process or at a worker of the platform's.

use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;
use s3rec_algebra::{Seed, Stream};
use s3rec_lattice::columns::Pack;
use s3rec_lattice::gaussian::Tails;
use s3rec_lattice::polynomial::{Sum, Summand};
use s3rec_lattice::transform::{Transform, transform};
use s3rec_lattice::{Coefficients, DEGREE, Points, Polynomial};
use zeroize::Zeroizing;

use super::binding::mask;
use super::parameters::FRESH;
use super::{Block, Opening, SocialKeys};

/// Makes packs under one opening's masks, which are public and expanded once.
pub(crate) struct Maker {
    masks: Vec<Summand>,
    /// A workspace is up to 33 MB: as many as there are threads, whoever takes which pack.
    spare: Mutex<Vec<Workspace>>,
}

impl Maker {
    /// Expands the masks of all groups of uploaded users.
    pub(crate) fn new(keys: &SocialKeys, opening: &Opening) -> Self {
        let masks = (0..keys.parameters().groups() as u64)
            .into_par_iter()
            .map(|group| {
                let seed = mask(&keys.seeds, opening, group);
                Summand::of(&Polynomial::uniform(&seed))
            });
        Self {
            masks: masks.collect(),
            spare: Mutex::default(),
        }
    }

    /// Packs of all rows of `rows`, in parallel: bodies, C a row, and a-parts as they are sent.
    /// `fresh` gives the seed of a pack, counted within `rows`.
    pub(crate) fn make(
        &self,
        keys: &SocialKeys,
        rows: &Block,
        fresh: impl Fn(usize) -> Option<Seed> + Sync,
        bodies: &mut [u64],
        sent: &mut [u8],
    ) {
        let parameters = keys.parameters();
        let of_pack = parameters.places() * parameters.columns();
        bodies
            .par_chunks_mut(of_pack)
            .zip(sent.par_chunks_mut(parameters.mask_code.packed_bytes(DEGREE)))
            .enumerate()
            .for_each(|(pack, (bodies, sent))| {
                let work = self.spare().pop();
                let mut work = work.unwrap_or_else(|| Workspace::new(keys));
                let fresh = fresh(pack);
                let mut mask = work.pack(keys, &self.masks, rows, pack, fresh.as_ref(), bodies);
                let packed = parameters.mask_code.pack_into(&mut mask, sent);
                debug_assert!(packed.is_ok(), "a pack's part of the message is as long");
                self.spare().push(work);
            });
    }

    fn spare(&self) -> std::sync::MutexGuard<'_, Vec<Workspace>> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a thread needs for one pack after another.
struct Workspace {
    pack: Pack,
    sum: Sum,
    coefficients: Polynomial<Coefficients>,
    turned: Polynomial<Coefficients>,
    digits: Vec<Polynomial<Coefficients>>,
    /// Of the digits.
    points: Vec<Polynomial<Points>>,
    mask: Polynomial<Points>,
    bodies: Vec<Polynomial<Points>>,
    spare: Polynomial<Points>,
    fresh: Tails,
}

impl Workspace {
    fn new(keys: &SocialKeys) -> Self {
        let parameters = keys.parameters();
        let digits = parameters.gadget.digits();
        Self {
            pack: keys.columns.pack(),
            sum: Sum::default(),
            coefficients: Polynomial::zero(),
            turned: Polynomial::zero(),
            digits: (0..digits).map(|_| Polynomial::zero()).collect(),
            points: (0..digits).map(|_| Polynomial::zero()).collect(),
            mask: Polynomial::zero(),
            bodies: (0..parameters.secrets)
                .map(|_| Polynomial::zero())
                .collect(),
            spare: Polynomial::zero(),
            fresh: Tails::new(FRESH),
        }
    }

    /// The a-part; the used coefficients of the bodies go to `used`, C for each row.
    fn pack(
        &mut self,
        keys: &SocialKeys,
        masks: &[Summand],
        block: &Block,
        pack: usize,
        fresh: Option<&Seed>,
        used: &mut [u64],
    ) -> Vec<u64> {
        let parameters = keys.parameters();
        let places = parameters.places();
        let first = pack * places;
        let rows = used.len() / parameters.columns();
        self.accumulate(keys, masks, block, first, rows);
        keys.columns.transform(transform(), &mut self.pack);
        self.collapse(keys);
        if let Some(seed) = fresh {
            self.rerandomise(keys, seed);
        }
        let mut mask = Polynomial::zero();
        transform().inverse(&self.mask, &mut mask);
        if let Some(seed) = fresh {
            let mut error = Zeroizing::new(vec![0; DEGREE]);
            self.fresh.fill(&mut stream(seed, "e1"), &mut error);
            mask.add_small(&error);
        }
        let columns = parameters.columns();
        for (secret, body) in self.bodies.iter().enumerate() {
            transform().inverse(body, &mut self.coefficients);
            let residues = Zeroizing::new(self.coefficients.to_residues());
            let of_secret = secret * parameters.slots..columns.min((secret + 1) * parameters.slots);
            for (slot, column) in of_secret.enumerate() {
                for place in 0..rows {
                    used[place * columns + column] = residues[place + places * slot];
                }
            }
        }
        mask.to_residues()
    }

    /// X^k·a_k of every row of the pack, at its place.
    fn accumulate(
        &mut self,
        keys: &SocialKeys,
        masks: &[Summand],
        block: &Block,
        first: usize,
        rows: usize,
    ) {
        let places = keys.columns.places();
        for place in 0..places {
            let friends = if place < rows {
                block.row(first + place)
            } else {
                &[]
            };
            if friends.is_empty() {
                keys.columns.clear(&mut self.pack, place);
                continue;
            }
            self.sum.clear();
            for &friend in friends {
                let (group, at) = (friend as usize / places, friend as usize % places);
                self.sum.add_shifted(&masks[group], place + 2 * DEGREE - at);
            }
            self.sum.write(&mut self.coefficients);
            keys.columns
                .put(transform(), &mut self.pack, place, &self.coefficients);
        }
    }

    /// All parts under one key.
    fn collapse(&mut self, keys: &SocialKeys) {
        let transform: &Transform = transform();
        let places = keys.columns.places();
        for body in &mut self.bodies {
            transform.clear(body);
        }
        transform.clear(&mut self.mask);
        transform.add(&mut self.mask, self.pack.part(places - 1));
        for j in (1..places).rev() {
            transform.inverse(&self.mask, &mut self.coefficients);
            keys.turn
                .of_coefficients(&self.coefficients, &mut self.turned);
            keys.parameters()
                .gadget
                .split(&self.turned, &mut self.digits);
            for body in &mut self.bodies {
                keys.turn.of_points(body, &mut self.spare);
                std::mem::swap(body, &mut self.spare);
            }
            transform.clear(&mut self.mask);
            for (digit, points) in self.digits.iter().zip(&mut self.points) {
                transform.forward(digit, points);
            }
            transform.multiply_add_all(&mut self.mask, &self.points, &keys.digit_masks);
            let bodies = keys.digit_bodies.chunks_exact(self.points.len());
            for (sum, bodies) in self.bodies.iter_mut().zip(bodies) {
                transform.multiply_add_all(sum, &self.points, bodies);
            }
            transform.add(&mut self.mask, self.pack.part(j - 1));
        }
    }

    /// Adds an encryption of zero under P0's public key; e₁ is added to the coefficients.
    fn rerandomise(&mut self, keys: &SocialKeys, seed: &Seed) {
        let mut v = Zeroizing::new(vec![0; DEGREE]);
        self.fresh.fill(&mut stream(seed, "v"), &mut v);
        transform().forward(&Polynomial::from_small(&v), &mut self.spare);
        transform().multiply_add(&mut self.mask, &self.spare, &keys.public_mask);
        for (sum, body) in self.bodies.iter_mut().zip(&keys.public_bodies) {
            transform().multiply_add(sum, &self.spare, body);
        }
    }
}

fn stream(seed: &Seed, what: &str) -> Stream {
    Stream::new(&seed.derive(what, &[]))
}
