//! The tables of the store, by what a record is of.

use s3rec_node::store::Table;

/// By job: what was asked for, and when.
pub(crate) const JOBS: Table = Table("jobs");
/// By job: the proposal as it left.
pub(crate) const PROPOSALS: Table = Table("proposals");
/// By job: what is reported of it when it has finished.
pub(crate) const REPORTS: Table = Table("reports");
/// Jobs that an operator has started: they go on after a restart.
pub(crate) const STARTED: Table = Table("started");
/// By job: P1's approval and its signature.
pub(crate) const APPROVALS: Table = Table("approvals");
/// By job: the ledger.
pub(crate) const DISCLOSURES: Table = Table("disclosures");
/// By lineage: what P1 has counted and we have not, because our records were lost.
pub(crate) const MISSING: Table = Table("missing counters");
/// By job: to how many set intersections P1 brought how many ids.
pub(crate) const BROUGHT: Table = Table("ids brought");
/// By lineage of P0's data: the seed of its calibration sample, drawn once.
pub(crate) const SAMPLES: Table = Table("calibration samples");
/// By lineage of P0's data: whose friends' sums were opened.
pub(crate) const OPENED_USERS: Table = Table("opened users");
/// By model, which has its job's name.
pub(crate) const MODELS: Table = Table("models");
