//! From each version of the store's tables to the next, inside the transaction that notes it.

use std::collections::HashMap;

use redb::{ReadableTable, TableDefinition, WriteTransaction};
use s3rec_wire::record::Record;
use s3rec_wire::v1::{JobEvent, JobState};

use crate::journal::{ENDINGS, EVENTS, OPEN, is_terminal};
use crate::store::{StoreError, Table};

/// One step; the first leads from version 1 to 2.
pub(crate) type Step = fn(&WriteTransaction) -> Result<(), StoreError>;

pub(crate) const STEPS: [Step; 2] = [end_what_cannot_resume, tell_open_jobs_apart];

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
