//! The conversation of `proto/s3rec/v1` in Rust, and the only crate that sees prost.
//!
//! | module | one sentence |
//! |---|---|
//! | [`v1`] | messages, clients and servers as generated |
//! | [`convert`] | strict conversions to native forms: nothing missing, nothing unknown |
//! | [`status`] | the one mapping of errors to google.rpc details, and back |
//! | [`record`] | messages as stored bytes |
//! | [`older`] | what older versions kept as messages |
//! | [`json`] | messages as JSON with names instead of numbers |

pub mod convert;
pub mod json;
pub mod older;
pub mod record;
pub mod status;

mod error;
mod field;

pub use error::WireError;

/// Version of the conversation; a side refuses what it does not speak.
pub const PROTOCOL_VERSION: u32 = 3;

/// Largest message that either side accepts: a frame of 1 MiB and 4 KiB around it.
pub const MAX_MESSAGE_BYTES: usize = (1 << 20) + (4 << 10);

/// The descriptors of all services, as gRPC reflection serves them.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/s3rec.v1.binpb"));

/// Generated from `proto/s3rec/v1`, where every field is explained.
#[expect(
    missing_docs,
    clippy::all,
    clippy::allow_attributes,
    reason = "generated code; the documentation is in the proto files"
)]
pub mod v1 {
    tonic::include_proto!("s3rec.v1");
}
