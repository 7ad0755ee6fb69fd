//! What both platforms of a job have, and how it ends.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use s3rec_algebra::Seed;
use s3rec_job::rating::RatingSetup;
use s3rec_job::social::SocialAgreed;
use s3rec_job::{CommonUsers, JobId, JointTraining, Proposal, Terms};
use s3rec_model::{LaplacianObjective, Solver, SolverKind, SolverSettings, solver};
use s3rec_sparse::{
    OperatorKind, PatternPolicy, PublicPattern, RatingMatrix, SecretPattern, SocialMatrix,
    SocialOperator, declassify,
};
use s3rec_spmm::{
    ProductParameters, ProductRequest, Protocol, ReleasePolicy, SocialOperand, choose_parameters,
};
use s3rec_testkit::datasets::Dataset;

const RANK: u32 = 2;
pub(crate) const ROUNDS: u32 = 5;
const KIND: OperatorKind = OperatorKind::NormalizedLaplacian;
const SALT: [u8; 32] = [7; 32];
pub(crate) const PARAMETERS_DIGEST: [u8; 32] = [6; 32];
const USERS_DIGEST: [u8; 32] = [3; 32];

/// FilmTrust at both platforms, and what they agree on.
pub(crate) struct World {
    train: Arc<RatingMatrix>,
    common: Vec<u32>,
    users: usize,
    parameters: ProductParameters,
    pattern: Arc<PublicPattern>,
    social: SocialMatrix,
    operand: Arc<SocialOperand>,
    proposal: Proposal,
}

impl World {
    pub(crate) fn filmtrust() -> Option<Arc<Self>> {
        if !Dataset::FilmTrust.is_available() {
            return None;
        }
        let (ratings, links) = Dataset::FilmTrust.read().unwrap();
        let users = ratings.users.len();
        let linked: BTreeSet<&str> = links.users.names().collect();
        let names = ratings.users.names().zip(0u32..);
        let common: Vec<(&str, u32)> = names.filter(|(name, _)| linked.contains(name)).collect();
        let place: BTreeMap<&str, u32> = common.iter().map(|(name, _)| *name).zip(0u32..).collect();
        let at = |user: u32| place.get(links.users.name(user)?).copied();
        let among = links.links.iter();
        let among = among.filter_map(|(from, to)| Some((at(*from)?, at(*to)?)));
        let social = SocialMatrix::from_links(common.len(), among).unwrap();
        let operator = SocialOperator::build(KIND, &social);
        let pattern = declassify(&SecretPattern::of(&operator), PatternPolicy::Nothing);
        let m = u32::try_from(common.len()).unwrap();
        let mut request = ProductRequest::new(Protocol::Preprocessed, KIND, m, RANK, ROUNDS);
        request.row_norm_bound = operator.row_norm_bound();
        request.nonzeros_bound = operator.nonzeros_bound();
        request.guard_bits = 2;
        let parameters = choose_parameters(&request).unwrap();
        let salt = Seed::from_bytes(SALT);
        let operand = SocialOperand::new(&parameters, &pattern, &operator, &salt).unwrap();
        let items = ratings.items.len();
        Some(Arc::new(Self {
            train: Arc::new(RatingMatrix::from_ratings(users, items, &ratings.ratings).unwrap()),
            common: common.into_iter().map(|(_, row)| row).collect(),
            users,
            parameters,
            pattern: Arc::new(pattern),
            social,
            operand: Arc::new(operand),
            proposal: proposal(),
        }))
    }

    pub(crate) fn proposal(&self) -> &Proposal {
        &self.proposal
    }

    pub(crate) fn common(&self) -> Vec<u32> {
        self.common.clone()
    }

    pub(crate) fn training(&self) -> JointTraining {
        let settings = SolverSettings {
            solver: SolverKind::Als,
            rank: RANK as usize,
            openings: ROUNDS,
            warm_sweeps: 1,
            sweeps_per_opening: 1,
            ..SolverSettings::default()
        };
        let objective = Some(Arc::new(LaplacianObjective::normalized()) as Arc<_>);
        let train = Arc::clone(&self.train);
        let solver: Box<dyn Solver> = solver(train, (0.5, 4.0), &settings, objective).unwrap();
        let common = CommonUsers::new(self.common.clone(), self.users).unwrap();
        let fixed = self.parameters.fixed_point().unwrap();
        JointTraining::new(solver, common, fixed, self.parameters.weight_bits())
    }

    /// What P0 holds after the parameters are agreed on, for a stock of that number.
    pub(crate) fn rating_setup(&self, stock: u8) -> RatingSetup {
        RatingSetup {
            parameters: self.parameters.clone(),
            parameters_digest: PARAMETERS_DIGEST,
            pattern: Arc::clone(&self.pattern),
            stock_id: [stock; 16],
            rating_half: [4; 32],
            social_half: [stock; 32],
            users_digest: USERS_DIGEST,
            operator_commitment: self.operand.commitment(),
            parties: [[1; 32], [2; 32]],
        }
    }

    /// What P1 holds then.
    pub(crate) fn social_agreed(&self, stock: u8) -> SocialAgreed {
        let users = self.parameters.users;
        SocialAgreed {
            parameters: self.parameters.clone(),
            parameters_digest: PARAMETERS_DIGEST,
            operand: Arc::clone(&self.operand),
            pattern: self.pattern.as_ref().clone(),
            users_digest: USERS_DIGEST,
            rating_half: [4; 32],
            social_half: [stock; 32],
            stock_id: [stock; 16],
            rows: Arc::new((0..users).collect()),
            salt: Seed::from_bytes(SALT),
            asked: None,
        }
    }

    /// Y, as P1 makes it again from its links.
    pub(crate) fn operator(&self) -> SocialOperator {
        SocialOperator::build(KIND, &self.social)
    }
}

fn proposal() -> Proposal {
    Proposal {
        job: JobId::random(),
        purpose: "a schedule of faults".into(),
        rank: RANK,
        solver: SolverKind::Als,
        operator: KIND,
        rounds: ROUNDS,
        social_weight: None,
        regularization: None,
        learning_rate: None,
        social_bias_weight: 0.0,
        protocol: Protocol::Preprocessed,
        pattern: PatternPolicy::Nothing,
        release: ReleasePolicy::Exact,
        saturation_bound: 8.0,
        guard_bits: 2,
        id_rule: "nfc-trim".into(),
        terms: Terms::default(),
    }
}

/// How a job ended.
#[derive(Debug)]
pub(crate) enum End {
    /// The bits of the model.
    Finished(Vec<u64>),
    /// Why, in the words of each side.
    Named { rating: String, social: String },
}

impl End {
    pub(crate) fn name(&self) -> String {
        match self {
            End::Finished(_) => "finished".into(),
            End::Named { rating, .. } => rating.clone(),
        }
    }
}
