//! The recommender in the clear: objective, solvers, metrics. What happens at P0, whatever
//! the other platform does.
//!
//! Matrix factorisation with biases and a social term (protocol page, section 1; S3Rec,
//! NeurIPS 2021; SoReg, WSDM 2011):
//!
//! | symbol | name | shape | owner |
//! |---|---|---|---|
//! | R, Ω | ratings and observed pairs | users × items | P0 |
//! | U, V | user and item factors | users × k, items × k | P0 |
//! | μ, b_i, c_j | mean, user and item bias | 1, users, items | P0 |
//! | Y·U | the product with the social operator | as opened | opened to P0 |
//!
//! Lists are learnt apart from ratings, by [`lists`]; [`friends`] makes something of one noised
//! opening of friends' sums for users with few ratings or none.
//!
//! A [`Solver`] never sees links. Before a step it says whether it wants an opening, and is
//! then given Y·U for the matrix it shows as [`Solver::user_factors`]; who computes that
//! product (the secure protocol, the plaintext oracle) is not its business.

mod activity;
mod adam;
mod als;
mod baseline;
mod batch;
mod eigen;
mod error;
pub mod evaluate;
pub mod friends;
mod full_batch;
mod gd;
mod gradient;
mod implicit;
mod least_squares;
pub mod lists;
pub mod metrics;
mod model;
pub mod popularity;
pub mod preset;
mod problem;
pub mod random;
pub mod recommend;
mod settings;
mod social;
mod social_mf;
mod solver;
mod start;
mod state;
mod stopping;
mod top_items;
pub mod tune;
mod unit;
pub mod verdict;

pub use baseline::{Biases, GlobalMean};
pub use batch::ListedItem;
pub use error::ModelError;
pub use evaluate::{
    EvaluationData, EvaluationReport, EvaluationSettings, Split, evaluate, objective_of,
    social_objective,
};
pub use lists::{ListsModel, ListsSettings};
pub use metrics::{Accuracy, Predictor, accuracy};
pub use model::Model;
pub use preset::Preset;
pub use recommend::{Explanation, Recommendation, Recommender};
pub use settings::{SolverKind, SolverSettings};
pub use social::{LaplacianObjective, SocialObjective};
pub use social_mf::SocialMf;
pub use solver::{Solver, StepReport, solver};
pub use state::SolverState;
pub use stopping::{StopRule, Stopping};
pub use unit::Unit;
pub use verdict::{Verdict, VerdictSettings};
