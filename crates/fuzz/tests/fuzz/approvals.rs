//! Approvals and heads of audit logs from a peer.

use s3rec_wire::convert::{approval_from_bytes, approval_to_bytes, head_from_wire};
use s3rec_wire::record::Record;
use s3rec_wire::v1;

#[test]
fn approvals() {
    bolero::check!().for_each(|bytes: &[u8]| {
        if let Ok(approval) = approval_from_bytes(bytes) {
            assert_eq!(
                approval_to_bytes(&approval),
                bytes,
                "one approval has one encoding"
            );
        }
        if let Ok(head) = v1::AuditHead::from_record(bytes) {
            let _ = head_from_wire("head", Some(&head));
        }
    });
}
