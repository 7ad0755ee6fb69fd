//! The session's public keys of this form.

use crate::PsiSession;

/// One for each use, so that no two hash alike; all public to both.
#[derive(Clone)]
pub(super) struct Keys {
    pub(super) id: [u8; 32],
    pub(super) base_point: [u8; 32],
    pub(super) base_seed: [u8; 32],
    pub(super) check: [u8; 32],
    pub(super) tag: [u8; 32],
}

impl Keys {
    pub(super) fn new(session: &PsiSession) -> Self {
        let key = |label: &str| *blake3::keyed_hash(&session.vole_key, label.as_bytes()).as_bytes();
        Self {
            id: key("id"),
            base_point: key("hash to ristretto255"),
            base_seed: key("seed of a base transfer"),
            check: key("check of the columns"),
            tag: key("tag"),
        }
    }
}
