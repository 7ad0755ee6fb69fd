//! From each version of the store's tables to the next, inside the transaction that notes it.

use std::collections::HashMap;

use redb::{ReadableTable, TableDefinition, WriteTransaction};
use s3rec_job::SignedApproval;
use s3rec_wire::convert::{account_from_wire, disclosure_from_wire};
use s3rec_wire::record::Record;
use s3rec_wire::v1;
use s3rec_wire::v1::{JobEvent, JobState};

use crate::journal::{ENDINGS, EVENTS, OPEN, is_terminal};
use crate::rows::Row;
use crate::store::{StoreError, Table};

/// One step; the first leads from version 1 to 2.
pub(crate) type Step = fn(&WriteTransaction) -> Result<(), StoreError>;

pub(crate) const STEPS: [Step; 3] = [
    end_what_cannot_resume,
    tell_open_jobs_apart,
    make_rows_of_messages,
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
mod tests {
    use s3rec_job::{Account, Counters, JobDisclosure, OpenedDay, Overlap, Shown};
    use s3rec_sparse::{BoundsRule, PatternPolicy, PublicBounds, StatedBounds};
    use s3rec_spmm::ReleasePolicy;

    use super::*;
    use crate::store::Store;

    /// A line of the ledger as version 0.1 stored it: every field set, encoded by that version.
    const DISCLOSURE_0_1: &str = "0a2436376535353034342d313062312d343236662d393234372d6262363830653566653063381206726174696e\
        671802201628cc08321d080319000000000000104021000000000000f03f298dedb5a0f7c6b03e3801403248c0\
        843d52095030206c6561726e745880cc95f0a134e20306084610501832b2041003030303030303030303030303\
        030303ba041108011002181620cc083080cab5ee013803c1040000000000001640c9048dedb5a0f7c6b03ed204\
        0908b0a201101618cc08da04095031206c6561726e74f2060ff00601f80646800702880704900705fa06200505\
        05050505050505050505050505050505050505050505050505050505050582070bf0068001f8068020800702";

    fn disclosure_0_1() -> v1::Disclosure {
        let counters = v1::Counters {
            jobs: 1,
            openings: 2,
            opened_columns: 22,
            opened_values: 1100,
            exact_values: 0,
            nano_rho: 500_000_000,
            stocks: 3,
        };
        v1::Disclosure {
            job_id: "67e55044-10b1-426f-9247-bb680e5fe0c8".into(),
            peer: "rating".into(),
            openings: 2,
            opened_columns: 22,
            opened_values: 1100,
            release_policy: Some(v1::ReleasePolicy {
                kind: v1::ReleaseKind::Noised.into(),
                noise_sigma: 4.0,
                row_norm_beta: 1.0,
                delta: 1e-6,
                ..v1::ReleasePolicy::default()
            }),
            pattern_policy: v1::PatternPolicy::Nothing.into(),
            common_users: 50,
            bytes: 1_000_000,
            statements: vec!["P0 learnt".into()],
            updated_unix_ms: 1_795_800_000_000,
            overlap: Some(v1::Overlap {
                rating_users: 70,
                social_users: 80,
                common_users: 50,
            }),
            lineage: vec![3; 16],
            counters: Some(counters),
            epsilon: 5.5,
            delta: 1e-6,
            days: vec![v1::OpenedDay {
                day: 20_784,
                columns: 22,
                values: 1100,
            }],
            own_statements: vec!["P1 learnt".into()],
            shown: Some(v1::Shown {
                intersections: 1,
                ids_asked: 70,
                bounds: 2,
                pattern_rows: 4,
                commitments: 5,
            }),
            peer_pin: vec![5; 32],
            bounds: Some(v1::PublicBounds {
                degree: 128,
                links: 4096,
                rule: v1::BoundsRule::Ladder.into(),
            }),
        }
    }

    fn bytes_of(hexadecimal: &str) -> Vec<u8> {
        let digits = hexadecimal.as_bytes().chunks(2);
        let text = digits.map(|pair| std::str::from_utf8(pair).unwrap());
        text.map(|pair| u8::from_str_radix(pair, 16).unwrap())
            .collect()
    }

    #[test]
    fn what_version_0_1_counted_and_approved_stands() {
        let old = bytes_of(DISCLOSURE_0_1);
        assert_eq!(old, disclosure_0_1().to_record());
        // A line of before the openings, and records that were lost once.
        let bare = v1::Disclosure {
            job_id: "bare".into(),
            ..v1::Disclosure::default()
        };
        let missing = v1::Account {
            lineage: vec![3; 16],
            counters: disclosure_0_1().counters,
            ..v1::Account::default()
        };
        let approval = v1::StoredApproval {
            approval: vec![1, 2, 3],
            signature: vec![4; 64],
        };
        let (disclosures, missings) = (Table("disclosures"), Table("missing counters"));
        let approvals = Table("approvals");
        let directory = tempfile::tempdir().unwrap();
        {
            let store = Store::open(directory.path()).unwrap();
            let rows = [
                (disclosures, "job", old),
                (disclosures, "bare", bare.to_record()),
                (missings, "0303", missing.to_record()),
                (approvals, "job", approval.to_record()),
            ];
            store.put_all(&rows).unwrap();
            store.set_schema(3);
        }
        let store = Store::open(directory.path()).unwrap();
        let counters = Counters {
            jobs: 1,
            openings: 2,
            opened_columns: 22,
            opened_values: 1100,
            exact_values: 0,
            nano_rho: 500_000_000,
            stocks: 3,
        };
        let expected = JobDisclosure {
            job: "67e55044-10b1-426f-9247-bb680e5fe0c8".into(),
            peer: "rating".into(),
            openings: 2,
            opened_columns: 22,
            opened_values: 1100,
            release: Some(ReleasePolicy::Noised {
                sigma: 4.0,
                row_norm_beta: 1.0,
                delta: 1e-6,
            }),
            pattern: Some(PatternPolicy::Nothing),
            common_users: 50,
            bytes: 1_000_000,
            statements: vec!["P0 learnt".into()],
            own_statements: vec!["P1 learnt".into()],
            updated_unix_ms: 1_795_800_000_000,
            overlap: Some(Overlap {
                rating_users: 70,
                social_users: 80,
                common_users: 50,
            }),
            lineage: vec![3; 16],
            counters,
            epsilon: 5.5,
            delta: 1e-6,
            days: vec![OpenedDay {
                day: 20_784,
                columns: 22,
                values: 1100,
            }],
            shown: Some(Shown {
                intersections: 1,
                ids_asked: 70,
                bounds: 2,
                pattern_rows: 4,
                commitments: 5,
            }),
            peer_pin: vec![5; 32],
            bounds: Some(PublicBounds {
                stated: StatedBounds {
                    degree: 128,
                    links: 4096,
                },
                rule: BoundsRule::Ladder,
            }),
        };
        assert_eq!(store.get(disclosures, "job").unwrap(), Some(expected));
        let bare: JobDisclosure = store.get(disclosures, "bare").unwrap().unwrap();
        assert_eq!((bare.job.as_str(), bare.openings), ("bare", 0));
        let missing: Account = store.get(missings, "0303").unwrap().unwrap();
        assert_eq!(missing.counters, counters);
        let signed: SignedApproval = store.get(approvals, "job").unwrap().unwrap();
        assert_eq!(signed.approval, [1, 2, 3]);
        assert_eq!(signed.signature, [4; 64]);
        // Once more finds nothing to do.
        drop(store);
        let store = Store::open(directory.path()).unwrap();
        assert!(store.get::<JobDisclosure>(disclosures, "job").is_ok());
    }
}
