//! One opening of the product `noise-first` itself, both platforms in one process.

use s3rec_algebra::{PublicSeed, RealMatrix, Seed};
use s3rec_spmm::noise_first::{
    self, Friends, Opening, Parameters, Prepared, RatingKeys, Rows, SessionSeeds, SocialKeys,
    Split, Upload,
};

use crate::LeakageError;

/// Keys of one session at both platforms, and P1's secret.
pub(crate) struct ProductSession {
    rating: RatingKeys,
    social: SocialKeys,
    seed: Seed,
    seeds: SessionSeeds,
}

impl ProductSession {
    /// Everything that either platform draws is derived from `seed`: a study is repeatable, and
    /// what it opens is data of whoever makes it.
    pub(crate) fn new(parameters: &Parameters, seed: &Seed) -> Result<Self, LeakageError> {
        let seeds = SessionSeeds {
            rating: seed.derive_public("leakage rating", &[]),
            social: seed.derive_public("leakage social", &[]),
        };
        let secret = seed.derive("leakage secret", &[]);
        let rating = RatingKeys::generate(parameters, &seeds, &secret)?;
        let social = SocialKeys::accept(parameters, &seeds, rating.message())?;
        Ok(Self {
            rating,
            social,
            seed: seed.clone(),
            seeds,
        })
    }

    /// The noised sums, |O| × C, of opening `number`, which is used once.
    pub(crate) fn open(
        &self,
        number: u64,
        friends: &Friends,
        split: &Split,
        rows: &Rows,
    ) -> Result<RealMatrix, LeakageError> {
        let named = number.to_le_bytes();
        let opening = Opening {
            number,
            mask_seed: PublicSeed::combine(
                "leakage masks",
                &[self.seeds.rating.as_bytes(), &named],
            ),
        };
        let digest = [0; 32];
        let job = self.rating.job(&digest, split, &opening)?;
        let key = self.seed.derive("leakage key", &[]);
        let prepared = Prepared::new(&self.social, &digest, split, &opening, friends, &key)?;
        let masks = prepared.masks().to_vec();
        let errors = self.seed.derive("leakage errors", &[&named]);
        let upload = Upload::encrypt(&self.rating, &job, rows, &errors)?;
        let noised = noise_first::answer(prepared, &upload)?;
        Ok(noise_first::decode(&self.rating, &masks, noised.bytes())?)
    }
}
