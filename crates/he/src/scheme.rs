//! What a block protocol needs of an additive scheme, the scheme, and a stand-in in the clear.

use rayon::prelude::*;
use s3rec_algebra::{PublicSeed, RingBits, RingMatrix, Seed};

use crate::{
    Accumulation, GlweParameters, HeError, PublicKey, Response, RowBodies, RowPacking, SecretKey,
    SparseRows, UploadMasks, social_share,
};

/// One block of Y·U split into shares: P0's rows go up encrypted, P1's answers come down.
///
/// A product is written against these verbs; [`Glwe`] keeps U from P1 and Y from P0, [`Clear`]
/// keeps nothing secret and shows that everything around the scheme is right.
pub trait Scheme: Sync {
    /// P0's key.
    type RatingKey;
    /// P1's view of P0's key.
    type SocialKey;
    /// What P0 sends up.
    type Upload;
    /// What P1 sends down.
    type Response;

    /// P0's key from its own `secret` seed, and P1's view of it. `shared` comes from both.
    ///
    /// # Errors
    /// When the two do not fit each other.
    fn keys(
        &self,
        secret: &Seed,
        shared: &PublicSeed,
    ) -> Result<(Self::RatingKey, Self::SocialKey), HeError>;

    /// P0 encrypts every row of `values`. The seeds are this upload's own.
    ///
    /// # Errors
    /// [`HeError::Shape`] when a row does not fit.
    fn encrypt(
        &self,
        key: &Self::RatingKey,
        values: &RingMatrix,
        masks: &PublicSeed,
        errors: &Seed,
    ) -> Result<Self::Upload, HeError>;

    /// P1 answers with the product of its `weights` and the uploaded rows, all packed responses
    /// in order. `seed` is this answer's own.
    ///
    /// # Errors
    /// [`HeError::Shape`] when upload and weights do not fit each other.
    fn respond(
        &self,
        key: &Self::SocialKey,
        upload: &Self::Upload,
        masks: &PublicSeed,
        weights: SparseRows<'_>,
        seed: &Seed,
    ) -> Result<Vec<Answer<Self::Response>>, HeError>;

    /// P0's share W of a response's used slots: W + R is the product within 1 ulp.
    fn decrypt(&self, key: &Self::RatingKey, response: &Self::Response) -> Vec<u64>;
}

/// One response and what P1 keeps of it.
pub struct Answer<R> {
    /// To be sent.
    pub response: R,
    /// R, P1's share of the used slots.
    pub share: Vec<u64>,
}

/// The scheme of section 3.1 on tfhe's GLWE.
pub struct Glwe {
    /// N, κ, b, t.
    pub parameters: GlweParameters,
    /// The ring of the values.
    pub ring: RingBits,
    /// Rows to a response.
    pub packing: RowPacking,
    /// Memory for a tile of rows, see [`Accumulation::new`].
    pub tile_bytes: usize,
}

impl Scheme for Glwe {
    type RatingKey = SecretKey;
    type SocialKey = PublicKey;
    type Upload = RowBodies;
    type Response = Response;

    fn keys(&self, secret: &Seed, shared: &PublicSeed) -> Result<(SecretKey, PublicKey), HeError> {
        let key = SecretKey::generate(self.parameters, secret);
        let public = PublicKey::expand(self.parameters, shared, &key.public_key(shared, secret))?;
        Ok((key, public))
    }

    fn encrypt(
        &self,
        key: &SecretKey,
        values: &RingMatrix,
        masks: &PublicSeed,
        errors: &Seed,
    ) -> Result<RowBodies, HeError> {
        key.encrypt_rows(values, masks, errors, 0..values.rows())
    }

    fn respond(
        &self,
        key: &PublicKey,
        upload: &RowBodies,
        masks: &PublicSeed,
        weights: SparseRows<'_>,
        seed: &Seed,
    ) -> Result<Vec<Answer<Response>>, HeError> {
        let job = Accumulation::new(self.parameters, self.packing, weights, self.tile_bytes);
        let masks = UploadMasks::new(self.parameters, masks);
        let sums = job.accumulate(0..job.responses(), &masks, upload)?;
        let answers = sums.into_par_iter().enumerate().map_init(
            || key.workspace(),
            |workspace, (response, sum)| {
                let used = self.packing.used_slots(response, weights.len());
                let seed = response_seed(seed, response);
                let hidden = sum.rerandomise(key, &seed, workspace);
                let (masked, share) = hidden.mask(self.ring, &seed, used);
                let response = masked.round(used);
                Answer { response, share }
            },
        );
        Ok(answers.collect())
    }

    fn decrypt(&self, key: &SecretKey, response: &Response) -> Vec<u64> {
        key.decrypt_share(response)
    }
}

/// The stand-in: an upload is the values, a response is P0's share. **Hides nothing.**
pub struct Clear {
    /// The parameters whose packing and shares it imitates.
    pub imitated: Glwe,
}

impl Scheme for Clear {
    type RatingKey = ();
    type SocialKey = ();
    type Upload = RingMatrix;
    type Response = Vec<u64>;

    fn keys(&self, _: &Seed, _: &PublicSeed) -> Result<((), ()), HeError> {
        Ok(((), ()))
    }

    fn encrypt(
        &self,
        (): &(),
        values: &RingMatrix,
        _: &PublicSeed,
        _: &Seed,
    ) -> Result<RingMatrix, HeError> {
        HeError::check(
            "columns in a block",
            self.imitated.packing.width(),
            values.columns(),
        )?;
        Ok(values.clone())
    }

    fn respond(
        &self,
        (): &(),
        upload: &RingMatrix,
        _: &PublicSeed,
        weights: SparseRows<'_>,
        seed: &Seed,
    ) -> Result<Vec<Answer<Vec<u64>>>, HeError> {
        let Glwe {
            parameters,
            ring,
            packing,
            ..
        } = &self.imitated;
        let answer = |response: usize| {
            let used = packing.used_slots(response, weights.len());
            let share = social_share(parameters, *ring, &response_seed(seed, response), used);
            let mut product = vec![0u64; used];
            let rows = packing.rows_of(response, weights.len());
            for (row, out) in rows.zip(product.chunks_exact_mut(packing.width())) {
                for (column, weight) in weights.entries(row) {
                    let values = upload.row(column);
                    for (out, value) in std::iter::zip(&mut *out, values) {
                        *out = out.wrapping_add(value.wrapping_mul(weight.cast_unsigned()));
                    }
                }
            }
            let response = std::iter::zip(product, &share)
                .map(|(product, r)| ring.reduce(product.wrapping_sub(*r)))
                .collect();
            Answer { response, share }
        };
        Ok((0..packing.responses(weights.len())).map(answer).collect())
    }

    fn decrypt(&self, (): &(), response: &Vec<u64>) -> Vec<u64> {
        response.clone()
    }
}

fn response_seed(seed: &Seed, response: usize) -> Seed {
    seed.derive("s3rec he: response", &[&(response as u64).to_le_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lib_tests::Job;

    /// The contract of every scheme; `tolerance` is what the protocol's guard bits absorb.
    fn holds<S: Scheme>(scheme: &S, job: &Job, tolerance: i64) {
        let shared = PublicSeed::combine("contract", &[]);
        let (key, public) = scheme.keys(&job.seed, &shared).unwrap();
        let errors = job.seed.derive("errors", &[]);
        let upload = scheme
            .encrypt(&key, &job.values, &job.masks, &errors)
            .unwrap();
        let answer_seed = job.seed.derive("answer", &[]);
        let answers = scheme
            .respond(&public, &upload, &job.masks, job.rows(), &answer_seed)
            .unwrap();
        let mut product = job.clear_product().into_iter();
        for Answer { response, share: r } in &answers {
            let w = scheme.decrypt(&key, response);
            assert_eq!(w.len(), r.len());
            for (w, r) in std::iter::zip(w, r) {
                let expected = product.next().unwrap();
                let off = w.wrapping_add(*r).wrapping_sub(expected);
                assert!(job.ring.to_signed(job.ring.reduce(off)).abs() <= tolerance);
            }
            // P1's share does not depend on the scheme.
            assert!(r.iter().any(|&r| r != 0));
        }
        assert_eq!(product.next(), None);
    }

    #[test]
    fn both_schemes_keep_the_contract() {
        let parameters = GlweParameters::new(10, 512, 8).unwrap();
        for (tag, shape) in [(51, (1, 1, 1)), (52, (30, 100, 4)), (53, (9, 512, 2))] {
            let job = Job::new(parameters, 36, shape, tag);
            let glwe = || Glwe {
                parameters,
                ring: job.ring,
                packing: job.packing,
                tile_bytes: 1 << 16,
            };
            holds(&glwe(), &job, 1);
            holds(&Clear { imitated: glwe() }, &job, 0);
        }
    }
}
