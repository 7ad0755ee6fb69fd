//! From each version of the store's tables to the next, inside the transaction that notes it.

use std::collections::HashMap;

use redb::{ReadableTable, TableDefinition, WriteTransaction};
use s3rec_wire::record::Record;
use s3rec_wire::v1::{JobEvent, JobState};

use crate::journal::{ENDINGS, EVENTS};
use crate::store::{StoreError, Table};

/// One step; the first leads from version 1 to 2.
pub(crate) type Step = fn(&WriteTransaction) -> Result<(), StoreError>;

pub(crate) const STEPS: [Step; 1] = [end_what_cannot_resume];

/// Version 1 kept nothing that a job could go on from: whatever ran then has failed.
fn end_what_cannot_resume(transaction: &WriteTransaction) -> Result<(), StoreError> {
    let mut last: HashMap<String, JobEvent> = HashMap::new();
    for entry in transaction.open_table(definition(EVENTS))?.iter()? {
        let event = JobEvent::from_record(entry?.1.value())?;
        last.insert(event.job_id.clone(), event);
    }
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

fn definition(table: Table) -> TableDefinition<'static, &'static str, &'static [u8]> {
    TableDefinition::new(table.0)
}
