//! From each version of the store's tables to the next, inside the transaction that notes it.

use std::collections::HashMap;

use redb::{ReadableTable, TableDefinition, WriteTransaction};
use s3rec_job::SignedApproval;
use s3rec_wire::convert::{
    account_from_wire, disclosure_from_wire, event_from_wire, head_from_wire, job_cost_from_wire,
    proposal_from_wire, shown_from_wire, state_from_wire,
};
use s3rec_wire::record::Record;
use s3rec_wire::v1;
use s3rec_wire::v1::{JobEvent, JobState};

use crate::journal::{ENDINGS, EVENTS, OPEN};
use crate::records::{DataVersion, RefusedHead, SeenHead, StockRecord, StockStage};
use crate::rows::Row;
use crate::store::{StoreError, Table};

/// One step; the first leads from version 1 to 2.
pub(crate) type Step = fn(&WriteTransaction) -> Result<(), StoreError>;

pub(crate) const STEPS: [Step; 5] = [
    end_what_cannot_resume,
    tell_open_jobs_apart,
    make_rows_of_messages,
    make_rows_of_records,
    make_rows_of_jobs,
];

/// Version 1 kept nothing that a job could go on from: whatever ran then has failed.
fn end_what_cannot_resume(transaction: &WriteTransaction) -> Result<(), StoreError> {
    let last = last_events(transaction)?;
    let mut endings = transaction.open_table(definition(ENDINGS))?;
    for (job, event) in last {
        if event.state() == JobState::Running {
            let ending = JobEvent {
                state: JobState::Failed.into(),
                message: "This daemon ended and was updated while the job ran. No model was \
                          made; propose the job anew."
                    .into(),
                ..event
            };
            endings.insert(job.as_str(), ending.to_record().as_slice())?;
        }
    }
    Ok(())
}

/// Version 2 read every event of every job to know which are open.
fn tell_open_jobs_apart(transaction: &WriteTransaction) -> Result<(), StoreError> {
    let last = last_events(transaction)?;
    let mut endings = transaction.open_table(definition(ENDINGS))?;
    let mut open = transaction.open_table(definition(OPEN))?;
    for (job, event) in last {
        match state_from_wire(event.state).is_terminal() {
            true => endings.insert(job.as_str(), event.to_record().as_slice())?,
            // Also where its ending is stored already: then it is made up for.
            false => open.insert(job.as_str(), [].as_slice())?,
        };
    }
    Ok(())
}

/// Version 3 kept what was disclosed, and approvals, as messages.
fn make_rows_of_messages(transaction: &WriteTransaction) -> Result<(), StoreError> {
    rewrite(transaction, Table("disclosures"), |bytes| {
        let message = v1::Disclosure::from_record(bytes)?;
        Ok(disclosure_from_wire(message)?.to_row())
    })?;
    rewrite(transaction, Table("missing counters"), |bytes| {
        let message = v1::Account::from_record(bytes)?;
        Ok(account_from_wire(message).to_row())
    })?;
    rewrite(transaction, Table("approvals"), |bytes| {
        let v1::StoredApproval {
            approval,
            signature,
        } = v1::StoredApproval::from_record(bytes)?;
        let signed = SignedApproval {
            approval,
            signature,
        };
        Ok(signed.to_row())
    })
}

/// Tables as schema 4 had them.
const VERSIONS: Table = Table("data versions");
const COPY_VERSIONS: Table = Table("job versions");
const SEEN: Table = Table("peer heads");
const REFUSED: Table = Table("refused peer heads");
const STOCKS: Table = Table("stocks");

/// Version 4 kept what no service carries as messages, and stocks.
fn make_rows_of_records(transaction: &WriteTransaction) -> Result<(), StoreError> {
    for table in [VERSIONS, COPY_VERSIONS] {
        rewrite(transaction, table, |bytes| {
            let old = v1::DataVersion::from_record(bytes)?;
            let version = DataVersion {
                dataset: old.dataset,
                lineage: old.lineage,
                version: old.version,
                salt: old.salt,
                commitment: old.commitment,
                imported_unix_ms: old.imported_unix_ms,
            };
            Ok(version.to_row())
        })?;
    }
    rewrite(transaction, SEEN, |bytes| {
        let v1::PeerHead {
            log,
            sequence,
            hash,
        } = v1::PeerHead::from_record(bytes)?;
        let head = v1::AuditHead {
            log,
            sequence,
            hash,
        };
        let head = head_from_wire("head", Some(&head))?;
        Ok(SeenHead::of(&head).to_row())
    })?;
    rewrite(transaction, REFUSED, |bytes| {
        let old = v1::RefusedPeerHead::from_record(bytes)?;
        let head = head_from_wire("head", old.head.as_ref())?;
        let refused = RefusedHead {
            head: SeenHead::of(&head),
            is_accepted: old.accepted,
        };
        Ok(refused.to_row())
    })?;
    rewrite(transaction, STOCKS, |bytes| {
        let stock = v1::Stock::from_record(bytes)?;
        let record = StockRecord {
            stage: match stock.state() {
                v1::StockState::Ready => StockStage::Ready,
                v1::StockState::Erased => StockStage::Erased,
                // One that nobody knows is not ready.
                v1::StockState::Making | v1::StockState::Unspecified => StockStage::Making,
            },
            peer: stock.peer,
            identity: stock.identity.try_into().ok(),
            columns: stock.columns,
            columns_made: stock.columns_made,
            updated_unix_ms: stock.updated_unix_ms,
        };
        Ok(record.to_row())
    })
}

/// Tables as schema 5 had them.
const PROPOSALS: Table = Table("proposals");
const COSTS: Table = Table("costs");
const BROUGHT: Table = Table("ids brought");

/// Version 5 kept events, proposals and what they cost as messages. A proposal that this version
/// refuses is none any more: its job ends where it is asked for.
fn make_rows_of_jobs(transaction: &WriteTransaction) -> Result<(), StoreError> {
    for table in [EVENTS, ENDINGS] {
        rewrite(transaction, table, |bytes| {
            Ok(event_from_wire(JobEvent::from_record(bytes)?).to_row())
        })?;
    }
    rewrite(transaction, COSTS, |bytes| {
        let message = v1::JobCostResponse::from_record(bytes)?;
        Ok(job_cost_from_wire(message).to_row())
    })?;
    rewrite(transaction, BROUGHT, |bytes| {
        Ok(shown_from_wire(v1::Shown::from_record(bytes)?).to_row())
    })?;
    let mut table = transaction.open_table(definition(PROPOSALS))?;
    let mut rows = Vec::new();
    for entry in table.iter()? {
        let (job, bytes) = entry?;
        let message = v1::PeerProposal::from_record(bytes.value())?;
        rows.push((job.value().to_owned(), proposal_from_wire(&message)));
    }
    for (job, proposal) in rows {
        match proposal {
            Ok(proposal) => drop(table.insert(job.as_str(), proposal.to_row().as_slice())?),
            Err(error) => {
                tracing::warn!(job, "a proposal of an older version is dropped: {error}");
                table.remove(job.as_str())?;
            }
        }
    }
    Ok(())
}

/// Rewrites every record of a table.
fn rewrite(
    transaction: &WriteTransaction,
    table: Table,
    row: impl Fn(&[u8]) -> Result<Vec<u8>, StoreError>,
) -> Result<(), StoreError> {
    let mut table = transaction.open_table(definition(table))?;
    let mut rows = Vec::new();
    for entry in table.iter()? {
        let (key, bytes) = entry?;
        rows.push((key.value().to_owned(), row(bytes.value())?));
    }
    for (key, row) in rows {
        table.insert(key.as_str(), row.as_slice())?;
    }
    Ok(())
}

fn last_events(transaction: &WriteTransaction) -> Result<HashMap<String, JobEvent>, StoreError> {
    let mut last: HashMap<String, JobEvent> = HashMap::new();
    for entry in transaction.open_table(definition(EVENTS))?.iter()? {
        let event = JobEvent::from_record(entry?.1.value())?;
        last.insert(event.job_id.clone(), event);
    }
    Ok(last)
}

fn definition(table: Table) -> TableDefinition<'static, &'static str, &'static [u8]> {
    TableDefinition::new(table.0)
}

#[cfg(test)]
mod tests;
