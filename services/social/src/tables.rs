//! The tables of the store, by what a record is of.

use s3rec_node::store::Table;

/// By job: the proposal as it came.
pub(crate) const PROPOSALS: Table = Table("proposals");
/// By job: what people here were asked, and are told.
pub(crate) const CONSENTS: Table = Table("consents");
/// By job: the approval and its signature.
pub(crate) const APPROVALS: Table = Table("approvals");
/// By job: what it has cost.
pub(crate) const COSTS: Table = Table("costs");
/// By lineage: whose friends' sums were opened.
pub(crate) const OPENED_USERS: Table = Table("opened users");
/// By job: its last opening that was counted, and of which message.
pub(crate) const COUNTED: Table = Table("counted openings");
/// By job: the ledger.
pub(crate) const DISCLOSURES: Table = Table("disclosures");
