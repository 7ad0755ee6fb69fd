//! The result, alike on both sides.

use crate::session::PsiSession;

/// The ids that both parties have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Common {
    /// This party's index of every common id, in the order of both.
    pub rows: Vec<u32>,
    /// Equal on both sides when ids and order are.
    pub digest: [u8; 32],
}

impl Common {
    /// `points_digest` is over B in its order, `members` says which of it are common.
    pub(crate) fn new(
        session: &PsiSession,
        rows: Vec<u32>,
        points_digest: &[u8; 32],
        members: &[u8],
    ) -> Self {
        let digest = *blake3::Hasher::new_keyed(&session.order_key)
            .update(points_digest)
            .update(members)
            .finalize()
            .as_bytes();
        Self { rows, digest }
    }
}
