//! What the solvers find, over what P0 has alone and with products in the clear.

mod evaluation;
mod resuming;
mod solvers;
mod units;
