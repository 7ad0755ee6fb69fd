//! Who was opened, as the audit log witnesses it.

use std::collections::BTreeMap;

use s3rec_job::OpenedUsers;

/// By lineage: the digest of all users who were opened in one-sided releases of friends' sums, as the
/// newest agreement on such has it.
#[derive(Default)]
pub(crate) struct WitnessedOpened(BTreeMap<Vec<u8>, [u8; 32]>);

impl WitnessedOpened {
    /// The newest agreement about a lineage.
    pub(crate) fn says(&mut self, lineage: &[u8], digest: [u8; 32]) {
        self.0.insert(lineage.to_vec(), digest);
    }

    /// Whether these are the users of whom the log knows.
    pub(crate) fn is_known(&self, lineage: &[u8], opened: &OpenedUsers) -> bool {
        let witnessed = self.0.get(lineage);
        witnessed.is_none_or(|digest| opened.digest() == *digest)
    }
}
