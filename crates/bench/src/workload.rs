//! What is multiplied: the links of a data set among the users of its ratings, and seeded
//! factors.

use s3rec_algebra::{RealMatrix, Seed, Stream};
use s3rec_data::BothFiles;
use s3rec_sparse::{OperatorKind, SocialMatrix, SocialOperator};

use crate::BenchError;

/// The two operands of a product, as both parties would bring them.
pub struct Workload {
    social: SocialMatrix,
    users: usize,
    rank: usize,
    rounds: u32,
    seed: Seed,
}

/// Which users are rows of Y.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UserChoice {
    /// Those of the ratings file.
    #[default]
    Ratings,
    /// Those of either file.
    Either,
}

impl Workload {
    /// Reads both files; only links between chosen users count.
    ///
    /// # Errors
    /// Those of the readers, naming file, line and field.
    pub fn read(
        files: &BothFiles,
        choice: UserChoice,
        rank: usize,
        rounds: u32,
    ) -> Result<Self, BenchError> {
        let (ratings, links) = files.read()?;
        let mut users = ratings.users;
        if choice == UserChoice::Either {
            for name in links.users.names() {
                users.intern(name);
            }
        }
        let social = links.social_matrix(&users)?;
        Ok(Self::new(social, rank, rounds))
    }

    /// A workload over links that are already in memory.
    #[must_use]
    pub fn new(social: SocialMatrix, rank: usize, rounds: u32) -> Self {
        let users = social.users();
        // Fixed: what is measured must not change from run to run.
        let seed = Seed::from_bytes([17; 32]);
        Self {
            social,
            users,
            rank,
            rounds,
            seed,
        }
    }

    /// m.
    #[must_use]
    pub fn users(&self) -> usize {
        self.users
    }

    /// k.
    #[must_use]
    pub fn rank(&self) -> usize {
        self.rank
    }

    /// Openings.
    #[must_use]
    pub fn rounds(&self) -> u32 {
        self.rounds
    }

    /// S.
    #[must_use]
    pub fn social(&self) -> &SocialMatrix {
        &self.social
    }

    /// Y.
    #[must_use]
    pub fn operator(&self, kind: OperatorKind) -> SocialOperator {
        SocialOperator::build(kind, &self.social)
    }

    /// U of one round, uniform in ±1.
    #[must_use]
    pub fn factors(&self, round: u32) -> RealMatrix {
        let mut words = vec![0_u64; self.users * self.rank];
        Stream::new(&self.seed.derive("factors", &[&round.to_le_bytes()])).fill_u64(&mut words);
        let values = words
            .iter()
            .map(|&word| (word >> 11) as f64 / (1_u64 << 52) as f64 - 1.0)
            .collect();
        RealMatrix::from_vec(self.users, self.rank, values)
            // Unwrap safety: as many values as rows × columns were drawn.
            .expect("m × k values")
    }

    /// A seed for one purpose of the benchmark.
    pub(crate) fn seed(&self, purpose: &str) -> Seed {
        self.seed.derive(purpose, &[])
    }
}
