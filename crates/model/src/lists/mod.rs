//! Lists as people judge them: implicit alternating least squares (Hu, Koren and Volinsky, ICDM
//! 2008) with the settings practice of Rendle, Krichene, Zhang and Koren ("Revisiting the
//! performance of iALS on item recommendation benchmarks", RecSys 2022).
//!
//! | symbol | meaning | shape |
//! |---|---|---|
//! | Ω, c_ij | observed pairs and their confidences, from counts or ratings | users × items |
//! | α | weight of every pair, observed or not | 1 |
//! | U, V | factors; ŷ_ij = u_i·v_j | users × k, items × k |
//! | λ, ν | decay and its exponent: λ·(\|Ω_i\| + α·items)^ν on user i, likewise on items | 1 |
//!
//! Minimised: Σ_Ω c_ij·(ŷ_ij − 1)² + α·Σ_all ŷ_ij² + Σ_i λ_i‖u_i‖² + Σ_j λ_j‖v_j‖². What orders a
//! list is ŷ_ij + w·p_j, p_j = ln(1 + Σ_i c_ij) over its maximum: w is learnt from ratings held
//! out once more, as in [`popularity`](crate::popularity).
//!
//! A confidence is 1 + s·z, z the rating standardised, 0.05 at least: with s = 0 all choices count
//! alike, with s > 0 liking an item (or playing it often) counts more than having chosen it.

mod blocks;
mod catalogue;
mod gradients;
mod half_step;
mod imported;
mod many;
mod model;
mod settings;
mod single;
mod sweeps;

pub use imported::{OwnFactors, VectorOf};
pub use many::ListsSearch;
pub use model::ListsModel;
pub use settings::ListsSettings;
pub(crate) use settings::MAX_RANK;

pub(crate) use blocks::Blocks;
pub(crate) use catalogue::{Catalogue, best, best_of, narrow};
