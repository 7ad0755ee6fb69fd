//! From each version of the store's tables to the next, inside the transaction that notes it.

use std::collections::HashMap;

use redb::{ReadableTable, TableDefinition, WriteTransaction};
use s3rec_job::{JobEvent, JobRecord, JobState};
use s3rec_wire::older;

use crate::journal::{ENDINGS, EVENTS, OPEN};
use crate::records::{RefusedHead, SeenHead};
use crate::rows::Row;
use crate::store::{StoreError, Table};

/// One step; the first leads from version 1 to 2.
pub(crate) type Step = fn(&WriteTransaction) -> Result<(), StoreError>;

pub(crate) const STEPS: [Step; 6] = [
    end_what_cannot_resume,
    tell_open_jobs_apart,
    make_rows_of_messages,
    make_rows_of_records,
    make_rows_of_jobs,
    make_rows_of_the_rest,
];

/// Version 1 kept nothing that a job could go on from: whatever ran then has failed.
fn end_what_cannot_resume(transaction: &WriteTransaction) -> Result<(), StoreError> {
    let last = last_events(transaction)?;
    let mut endings = transaction.open_table(definition(ENDINGS))?;
    for (job, event) in last {
        if event.state == JobState::Running {
            let ending = JobEvent {
                state: JobState::Failed,
                message: "This daemon ended and was updated while the job ran. No model was \
                          made; propose the job anew."
                    .into(),
                ..event
            };
            endings.insert(job.as_str(), older::event_to_record(ending).as_slice())?;
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
        match event.state.is_terminal() {
            true => endings.insert(job.as_str(), older::event_to_record(event).as_slice())?,
            // Also where its ending is stored already: then it is made up for.
            false => open.insert(job.as_str(), [].as_slice())?,
        };
    }
    Ok(())
}

/// Version 3 kept what was disclosed, and approvals, as messages.
fn make_rows_of_messages(transaction: &WriteTransaction) -> Result<(), StoreError> {
    rewrite(transaction, Table("disclosures"), |bytes| {
        Ok(older::disclosure(bytes)?.to_row())
    })?;
    rewrite(transaction, Table("missing counters"), |bytes| {
        Ok(older::account(bytes)?.to_row())
    })?;
    rewrite(transaction, Table("approvals"), |bytes| {
        Ok(older::approval(bytes)?.to_row())
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
            Ok(older::data_version(bytes)?.to_row())
        })?;
    }
    rewrite(transaction, SEEN, |bytes| {
        Ok(SeenHead::of(&older::seen_head(bytes)?).to_row())
    })?;
    rewrite(transaction, REFUSED, |bytes| {
        let (head, is_accepted) = older::refused_head(bytes)?;
        let refused = RefusedHead {
            head: SeenHead::of(&head),
            is_accepted,
        };
        Ok(refused.to_row())
    })?;
    rewrite(transaction, STOCKS, |bytes| {
        Ok(older::stock(bytes)?.to_row())
    })
}

/// Tables as schema 5 had them.
const PROPOSALS: Table = Table("proposals");
const COSTS: Table = Table("costs");
const BROUGHT: Table = Table("ids brought");

/// Version 5 kept events, proposals and what they cost as messages.
fn make_rows_of_jobs(transaction: &WriteTransaction) -> Result<(), StoreError> {
    for table in [EVENTS, ENDINGS] {
        rewrite(
            transaction,
            table,
            |bytes| Ok(older::event(bytes)?.to_row()),
        )?;
    }
    rewrite(transaction, COSTS, |bytes| {
        Ok(older::job_cost(bytes)?.to_row())
    })?;
    rewrite(transaction, BROUGHT, |bytes| {
        Ok(older::shown(bytes)?.to_row())
    })?;
    let mut refused = Vec::new();
    {
        let mut table = transaction.open_table(definition(PROPOSALS))?;
        for (job, bytes) in rows(&table)? {
            match older::proposal(&bytes) {
                Ok(proposal) => drop(table.insert(job.as_str(), proposal.to_row().as_slice())?),
                Err(error) => {
                    table.remove(job.as_str())?;
                    refused.push((job, error));
                }
            }
        }
    }
    for (job, error) in refused {
        reject(transaction, &job, &error)?;
    }
    Ok(())
}

/// Ends a job of an older version that is open, which this one does not take as it stands. Of one that has ended
/// what was asked is not shown any more; how it ended and what it opened is.
fn reject(
    transaction: &WriteTransaction,
    job: &str,
    why: &dyn std::error::Error,
) -> Result<(), StoreError> {
    let was_open = transaction
        .open_table(definition(OPEN))?
        .remove(job)?
        .is_some();
    if !was_open {
        tracing::info!(
            job,
            "what a job of an older version asked for is not kept: {why}"
        );
        return Ok(());
    }
    tracing::warn!(job, "a job of an older version is not gone on with: {why}");
    let mut events = transaction.open_table(definition(EVENTS))?;
    let prefix = format!("{job}/");
    let last = rows(&events)?
        .into_iter()
        .rfind(|(key, _)| key.starts_with(&prefix));
    let (number, event) = match last {
        Some((key, bytes)) => {
            let number: u32 = key[prefix.len()..].parse().unwrap_or(0);
            (number + 1, JobEvent::from_row(&bytes)?)
        }
        None => (0, JobEvent::default()),
    };
    let ending = JobEvent {
        job: job.into(),
        state: JobState::Rejected,
        waiting_for: None,
        waiting_since_unix_ms: 0,
        message: format!(
            "Rejected: it was proposed by an older version, and this one does not take it ({why}). \
             Propose the job anew."
        ),
        ..event
    };
    let row = ending.to_row();
    events.insert(crate::journal::key(job, number).as_str(), row.as_slice())?;
    let mut endings = transaction.open_table(definition(ENDINGS))?;
    endings.insert(job, row.as_slice())?;
    Ok(())
}

/// Tables as schema 6 had them: P0's jobs in two, of which schema 7 keeps one.
const JOBS: Table = Table("jobs");
const REQUESTS: Table = Table("requests");
const CONSENTS: Table = Table("consents");

/// Version 6 kept what operators are told as the messages that tell it.
fn make_rows_of_the_rest(transaction: &WriteTransaction) -> Result<(), StoreError> {
    for table in [
        "headers",
        "job-headers",
        "factors headers",
        "job factors headers",
    ] {
        rewrite(transaction, Table(table), |bytes| {
            Ok(older::file_header(bytes)?.to_row())
        })?;
    }
    rewrite(transaction, Table("datasets"), |bytes| {
        Ok(match older::imported(bytes)? {
            older::Imported::Ratings(ratings) => ratings.to_row(),
            older::Imported::Links(links) => links.to_row(),
        })
    })?;
    rewrite(transaction, Table("factors"), |bytes| {
        Ok(older::imported_factors(bytes)?.to_row())
    })?;
    rewrite(transaction, CONSENTS, |bytes| {
        Ok(older::consent(bytes)?.to_row())
    })?;
    rewrite(transaction, Table("models"), |bytes| {
        Ok(older::stored_model(bytes)?.to_row())
    })?;
    rewrite(transaction, Table("reports"), |bytes| {
        Ok(older::finished(bytes)?.to_row())
    })?;
    rewrite(transaction, Table("evaluations"), |bytes| {
        Ok(older::evaluation(bytes)?.to_row())
    })?;
    join_requests(transaction)
}

/// What was asked for goes into the record of its job.
fn join_requests(transaction: &WriteTransaction) -> Result<(), StoreError> {
    let requests: HashMap<_, _> = rows(&transaction.open_table(definition(REQUESTS))?)?
        .into_iter()
        .collect();
    transaction.delete_table(definition(REQUESTS))?;
    let jobs = rows(&transaction.open_table(definition(JOBS))?)?;
    for (job, bytes) in jobs {
        let request = requests.get(&job).map(|bytes| older::request(bytes));
        if let Some(Err(error)) = &request {
            reject(transaction, &job, error)?;
        }
        let record = JobRecord {
            created_unix_ms: older::job_created_unix_ms(&bytes)?,
            request: request.and_then(Result::ok),
        };
        let mut jobs = transaction.open_table(definition(JOBS))?;
        jobs.insert(job.as_str(), record.to_row().as_slice())?;
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
    for (key, bytes) in rows(&table)? {
        table.insert(key.as_str(), row(&bytes)?.as_slice())?;
    }
    Ok(())
}

/// All records of a table, with their keys.
fn rows(
    table: &impl ReadableTable<&'static str, &'static [u8]>,
) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
    let mut rows = Vec::new();
    for entry in table.iter()? {
        let (key, bytes) = entry?;
        rows.push((key.value().to_owned(), bytes.value().to_owned()));
    }
    Ok(rows)
}

fn last_events(transaction: &WriteTransaction) -> Result<HashMap<String, JobEvent>, StoreError> {
    let mut last: HashMap<String, JobEvent> = HashMap::new();
    for entry in transaction.open_table(definition(EVENTS))?.iter()? {
        let event = older::event(entry?.1.value())?;
        last.insert(event.job.clone(), event);
    }
    Ok(last)
}

fn definition(table: Table) -> TableDefinition<'static, &'static str, &'static [u8]> {
    TableDefinition::new(table.0)
}

#[cfg(test)]
mod tests;
