//! Strict conversions between messages and native forms.

/// Conversions between a message and a native form that have the same fields. A field that holds
/// further messages says by which functions each is converted: `parts each (to, from)`.
macro_rules! alike {
    ($vis:vis $to:ident, $from:ident: $own:ident {
        $($field:ident $($many:ident ($there:ident, $back:ident))?),+ $(,)?
    }, $message:ident) => {
        /// The message.
        #[must_use]
        $vis fn $to(own: &$own) -> $crate::v1::$message {
            let $own { $($field),+ } = own.to_owned();
            $crate::v1::$message { $($field: converted!(to $field $($many $there)?)),+ }
        }

        /// What the message says.
        #[must_use]
        $vis fn $from(message: $crate::v1::$message) -> $own {
            let $crate::v1::$message { $($field),+ } = message;
            $own { $($field: converted!(from $field $($many $back)?)),+ }
        }
    };
}

/// One field of [`alike`].
macro_rules! converted {
    ($way:ident $field:ident) => {
        $field
    };
    (to $field:ident each $convert:ident) => {
        $field.iter().map($convert).collect()
    };
    (from $field:ident each $convert:ident) => {
        $field.into_iter().map($convert).collect()
    };
}

/// Conversions between an enumeration of the conversation and one of ours that have the same names.
macro_rules! named {
    ($vis:vis $to:ident, $from:ident: $own:ident { $($name:ident),+ $(,)? }, $message:ident) => {
        /// The wire's name.
        #[must_use]
        $vis fn $to(own: $own) -> $crate::v1::$message {
            match own {
                $($own::$name => $crate::v1::$message::$name,)+
            }
        }

        /// Refuses what the conversation leaves open or this version does not know.
        ///
        /// # Errors
        /// [`WireError::Missing`](crate::WireError::Missing),
        /// [`WireError::UnknownEnum`](crate::WireError::UnknownEnum).
        $vis fn $from(field: &'static str, value: i32) -> Result<$own, $crate::WireError> {
            match $crate::field::enumeration::<$crate::v1::$message>(field, value)? {
                $($crate::v1::$message::$name => Ok($own::$name),)+
                $crate::v1::$message::Unspecified => Err($crate::WireError::Missing { field }),
            }
        }
    };
}

mod alignment;
mod approval;
mod bounds;
mod event;
mod finished;
mod frame;
mod friends;
mod head;
mod imported;
mod ledger;
mod parameters;
mod pattern;
mod phase;
mod policy;
mod proposal;
mod request;
pub mod settings;
mod setup;
mod verdict;

pub use alignment::{AlignOpening, align_chunk, align_opening, align_part};
pub use approval::{MAX_APPROVAL_BYTES, approval_from_bytes, approval_to_bytes};
pub use bounds::{bounds_from_wire, bounds_to_wire};
pub use event::{
    cost_from_wire, cost_to_wire, event_from_wire, event_to_wire, job_cost_from_wire,
    job_cost_to_wire, party_to_wire, phase_name, state_from_wire, state_name, state_to_wire,
};
pub use finished::{
    evaluation_from_wire, evaluation_to_wire, finished_from_wire, finished_to_wire,
    stored_model_from_wire, stored_model_to_wire,
};
pub use frame::{ChunkHeader, Direction, chunk_of_header, frame_bytes, header_of};
pub use friends::{
    FriendsRefused, friends_parameters_from_wire, friends_parameters_to_wire,
    friends_release_from_wire, friends_release_to_wire, guarantee_from_wire, guarantee_to_wire,
};
pub use head::{head_from_wire, head_to_wire};
pub use imported::{
    file_header_from_wire, file_header_to_wire, imported_factors_from_wire,
    imported_factors_to_wire, imported_links_from_wire, imported_links_to_wire,
    imported_ratings_from_wire, imported_ratings_to_wire,
};
pub use ledger::{
    account_from_wire, account_to_wire, counters_from_wire, counters_to_wire, disclosure_from_wire,
    disclosure_to_wire, overlap_from_wire, overlap_to_wire, round_from_wire, round_to_wire,
    shown_from_wire, shown_to_wire,
};
pub use parameters::{parameters_digest, parameters_from_wire, parameters_to_wire};
pub use pattern::{bitmap, rows_of_bitmap};
pub use phase::{phase_from_wire, phase_to_wire};
pub use policy::{
    operator_from_wire, operator_to_wire, pattern_from_wire, pattern_named, pattern_to_wire,
    protocol_from_wire, protocol_named, protocol_to_wire, release_from_wire, release_kind,
    release_kind_named, release_to_wire,
};
pub use proposal::{
    ALIGNMENT_PSI, job_id, proposal_from_wire, proposal_to_wire, solver_from_wire, solver_to_wire,
};
pub use request::{CALIBRATION_SHARE, FEW_BELOW, fill_defaults, request_from_wire};
pub use setup::{digest_of, half_of};
pub use verdict::{metrics_from_wire, metrics_to_wire, verdict_from_wire, verdict_to_wire};
