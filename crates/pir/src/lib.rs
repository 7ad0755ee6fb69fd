//! Private retrieval of ciphertexts: query, expand, respond, extract.
//!
//! The server (P0) has a table of m rows, the encrypted row bodies of the `he` upload; the
//! client (P1) fetches at most d_max of them without P0 learning which. Section 3.2 of the
//! protocol page, in SealPIR's shape on GLWE with N = 2048, κ = 1, q = 2^64.
//!
//! | | P0 learns | P1 learns |
//! |---|---|---|
//! | a query and its answers | m, d_max | the rows asked for, and combinations of rows if it deviates: ciphertexts under P0's key |
//!
//! ```
//! use s3rec_algebra::Seed;
//! use s3rec_pir::{PirParameters, QueryReceiver, ServerTable, expand, query, respond};
//!
//! # fn main() -> Result<(), s3rec_pir::PirError> {
//! let parameters = PirParameters::new(100, 40, 8)?;
//! let table = ServerTable::new(100, 40, (0..4_000).map(|i| (i / 40) as u8).collect())?;
//!
//! // P1 asks for three rows; P0 sees a message of fixed length.
//! let (client, message) = query(&parameters, &[3, 14, 15], &Seed::from_bytes([7; 32]))?;
//! let mut receiver = QueryReceiver::new(parameters);
//! for frame in message.frames() {
//!     receiver.receive(&frame)?;
//! }
//!
//! // P0 answers, in as many rounds as there are tables.
//! let selectors = expand(&parameters, &receiver.finish()?, 1 << 24)?;
//! let mut responder = respond(&selectors, &table)?;
//! let mut extraction = client.extraction();
//! while let Some(frame) = responder.next_frame()? {
//!     extraction.receive(&frame)?;
//! }
//! let rows = extraction.finish()?;
//! assert!(rows.iter().map(|fetched| fetched.row).eq([3, 14, 15]));
//! assert!(rows.iter().all(|fetched| fetched.bytes == [fetched.row as u8; 40]));
//! # Ok(())
//! # }
//! ```
//!
//! What it costs, by `examples/fetch.rs`: 500 rows of 100,000, d_max = 512, two threads, every
//! selector expanded anew, against sending all rows:
//!
//! | bytes of a row | up, once | down, a round | fewer bytes | server, seconds of one core |
//! |---|---|---|---|---|
//! | 896 (N = 64) | 3,670,080 | 3,068,096 | 13.3 × | 45 |
//! | 7,168 (N = 512) | 3,670,080 | 22,634,240 | 27.3 × | 56 |
//! | 114,688 (N = 8192) | 3,670,080 | 362,113,024 | 31.4 × | 275, from 4,000 rows |
//!
//! A key switch takes 0.12 ms, a product of a selector and a row polynomial 8 to 16 µs.
//!
//! Where this differs from the protocol page, and why: selectors sit at bit-reversed
//! coefficients, so that the expansion runs depth first in little memory; the ends of short or
//! uneven rows of neighbouring buckets share an answer ciphertext, which the noise condition
//! accounts for; a bucket has a capacity, a function of public sizes, beyond which a hash seed
//! is redrawn. None of the three depends on what is fetched.

mod answer;
mod client;
mod cost;
mod cuckoo;
mod error;
mod expand;
mod frames;
mod keyswitch;
mod message;
pub mod noise;
mod parameters;
mod respond;
mod secret;
mod table;
mod transform;

pub use client::{ClientState, Extraction, FetchedRow, query};
pub use cost::{PirCost, cost};
pub use error::PirError;
pub use expand::{Selectors, expand};
pub use frames::MAX_FRAME_BYTES;
pub use message::{QueryMessage, QueryReceiver};
pub use parameters::{POLYNOMIAL_SIZE, PirParameters};
pub use respond::{Responder, respond};
pub use table::{RowTable, ServerTable};
