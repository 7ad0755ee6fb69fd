//! What the secure products are measured against, and the harness that measures them.
//!
//! | module | what |
//! |---|---|
//! | [`products`] | every protocol and baseline on the same operands, in one run |
//! | [`clear`] | the product in the clear: float32, one thread, and its bytes |
//! | [`fetch`] | private retrieval of few rows against sending all of them |
//! | [`ssmm`] | SeSoRec's dense secret-sharing product; known to leak, so nowhere near a service |
//! | [`rounds`] | what an opening buys: objective and RMSE against openings, solver by solver |
//! | [`release`] | what noise on the openings costs |
//! | [`search`] | hyper-parameters: no opening first, then few, counted before they are made |
//! | [`learning`] | one fold of a data set |
//! | [`plot`] | curves as SVG |
//! | [`workload`] | the operands |
//! | [`record`] | the form of the results |

pub mod clear;
mod error;
pub mod fetch;
mod homomorphic;
pub mod learning;
mod masked;
mod memory;
pub mod plot;
pub mod products;
pub mod record;
pub mod release;
pub mod rounds;
pub mod search;
pub mod ssmm;
mod timed;
pub mod workload;

pub use error::BenchError;
