//! What the secure products are measured against, and the harness that measures them.
//!
//! | module | what |
//! |---|---|
//! | [`products`] | every protocol and baseline on the same operands, in one run |
//! | [`clear`] | the product in the clear: float32, one thread, and its bytes |
//! | [`fetch`] | private retrieval of few rows against sending all of them |
//! | [`ssmm`] | SeSoRec's dense secret-sharing product; known to leak, so nowhere near a service |
//! | [`workload`] | the operands |
//! | [`record`] | the form of the results |

pub mod clear;
mod error;
pub mod fetch;
mod homomorphic;
mod masked;
mod memory;
pub mod products;
pub mod record;
pub mod ssmm;
mod timed;
pub mod workload;

pub use error::BenchError;
