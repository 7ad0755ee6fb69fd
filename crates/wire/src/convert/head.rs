//! Heads of audit logs.

use s3rec_audit::Head;

use crate::{WireError, field, v1};

/// The message.
#[must_use]
pub fn head_to_wire(head: &Head) -> v1::AuditHead {
    v1::AuditHead {
        log: head.log.to_vec(),
        sequence: head.sequence,
        hash: head.hash.to_vec(),
    }
}

/// Reads the message.
///
/// # Errors
/// [`WireError`] naming the field.
pub fn head_from_wire(
    name: &'static str,
    message: Option<&v1::AuditHead>,
) -> Result<Head, WireError> {
    let message = message.ok_or(WireError::Missing { field: name })?;
    Ok(Head {
        log: field::array(name, &message.log)?,
        sequence: message.sequence,
        hash: field::array(name, &message.hash)?,
    })
}
