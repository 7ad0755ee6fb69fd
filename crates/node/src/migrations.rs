//! From each version of the store's tables to the next, inside the transaction that notes it.

use std::collections::HashMap;

use redb::{ReadableTable, TableDefinition, WriteTransaction};
use s3rec_job::SignedApproval;
use s3rec_wire::convert::{account_from_wire, disclosure_from_wire, head_from_wire};
use s3rec_wire::record::Record;
use s3rec_wire::v1;
use s3rec_wire::v1::{JobEvent, JobState};

use crate::journal::{ENDINGS, EVENTS, OPEN, is_terminal};
use crate::records::{DataVersion, RefusedHead, SeenHead, StockRecord};
use crate::rows::Row;
use crate::store::{StoreError, Table};

/// One step; the first leads from version 1 to 2.
pub(crate) type Step = fn(&WriteTransaction) -> Result<(), StoreError>;

pub(crate) const STEPS: [Step; 4] = [
    end_what_cannot_resume,
    tell_open_jobs_apart,
    make_rows_of_messages,
    make_rows_of_records,
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
        match is_terminal(event.state()) {
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
        Ok(StockRecord::from_wire(stock).to_row())
    })
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
