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
//! A [`Solver`] never sees links. Before a step it says whether it wants an opening, and is
//! then given Y·U for the matrix it shows as [`Solver::user_factors`]; who computes that
//! product (the secure protocol, the plaintext oracle) is not its business.

mod adam;
mod baseline;
mod error;
mod gd;
mod gradient;
pub mod metrics;
mod model;
mod settings;
mod social;
mod solver;
mod start;

pub use baseline::{Biases, GlobalMean};
pub use error::ModelError;
pub use metrics::{Accuracy, Predictor, accuracy};
pub use model::Model;
pub use settings::{SolverKind, SolverSettings};
pub use social::{LaplacianObjective, SocialObjective};
pub use solver::{Solver, StepReport, solver};
