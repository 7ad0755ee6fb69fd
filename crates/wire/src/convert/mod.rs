//! Strict conversions between messages and native forms.

mod alignment;
mod approval;
mod bounds;
mod counters;
mod frame;
mod head;
mod parameters;
mod pattern;
mod policy;
mod proposal;
mod setup;

pub use alignment::{AlignOpening, align_chunk, align_opening, align_part};
pub use approval::{Approval, MAX_APPROVAL_BYTES};
pub use bounds::{bounds_from_wire, bounds_to_wire};
pub use counters::{add, as_counted, contains, less};
pub use frame::{ChunkHeader, Direction, chunk_of_header, frame_bytes, header_of};
pub use head::{head_from_wire, head_to_wire};
pub use parameters::{parameters_digest, parameters_from_wire, parameters_to_wire};
pub use pattern::{bitmap, rows_of_bitmap};
pub use policy::{
    operator_from_wire, operator_to_wire, pattern_from_wire, pattern_to_wire, protocol_from_wire,
    protocol_to_wire, release_from_wire, release_to_wire,
};
pub use proposal::{ALIGNMENT_PSI, JobId, Proposal, Terms};
pub use setup::{digest_of, half_of};
