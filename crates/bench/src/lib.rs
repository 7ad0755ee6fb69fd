//! What the secure products are measured against, and the harness that measures them.
//!
//! | module | what |
//! |---|---|
//! | [`products`] | every protocol and baseline on the same operands, in one run |
//! | [`clear`] | the product in the clear: float32, one thread, and its bytes |
//! | [`fetch`] | private retrieval of few rows against sending all of them |
//! | [`psi`] | finding the common users, each party in a process of its own |
//! | [`ssmm`] | SeSoRec's dense secret-sharing product; known to leak, so nowhere near a service |
//! | [`rounds`] | what an opening buys: objective and RMSE against openings, solver by solver |
//! | [`release`] | what noise on the openings costs |
//! | [`search`] | hyper-parameters: no opening first, then few, counted before they are made |
//! | [`learning`] | one fold of a data set |
//! | [`plot`] | curves as SVG |
//! | [`workload`] | the operands |
//! | [`scale`] | cost against users, non-zeros and rank: measured where it fits, else predicted |
//! | [`lists`] | learning lists and making those of everybody |
//! | [`links`] | whole trainings over shaped links, and `ssmm` computed beside them |
//! | [`shaped`] | links between two daemons on one machine, of a given rate and round-trip time |
//! | [`headline`] | bytes and time to the same objective against `ssmm` with gradient descent |
//! | [`workers`] | packs of an opening here and by a platform's workers |
//! | [`record`], [`document`] | the form of the results |
//! | [`report`] | every record of a directory as one page |

pub mod clear;
pub mod document;
mod error;
pub mod fetch;
pub mod headline;
mod homomorphic;
pub mod learning;
pub mod links;
pub mod lists;
mod machine;
mod memory;
mod noise_first;
pub mod plot;
pub mod products;
pub mod psi;
pub mod record;
pub mod release;
pub mod report;
mod rounding_error;
pub mod rounds;
pub mod scale;
pub mod search;
pub mod shaped;
pub mod spread;
pub mod ssmm;
mod ssmm_workload;
mod stock_pair;
pub mod tfhe_reference;
mod timed;
pub mod workers;
pub mod workload;

pub use document::Document;
pub use error::BenchError;
pub use machine::Machine;
