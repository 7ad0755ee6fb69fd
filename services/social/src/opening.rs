//! Openings at the door: what the job comes to with one, whether it may be, and its count before
//! the answer exists.

use std::sync::Arc;

use s3rec_audit::Kind;
use s3rec_job::{
    AgreedParameters, CountedOpening, JobCost, JobDisclosure, JobId, OpenedDay, Proposal, counting,
};
use s3rec_node::observe;
use s3rec_node::process::now_unix_ms;
use s3rec_spmm::{Admission, Asked, SpmmError};
use s3rec_wire::status::{Fault, Reason};

use crate::disclosing::{common_users, evaluate};
use crate::ledger;
use crate::platform::Platform;
use crate::slot::{Opened, superseded};
use crate::tables::COUNTED;

/// P1's consent to the input of one round: the answer to it is an opening.
pub(crate) struct Opening {
    platform: Arc<Platform>,
    job: JobId,
    /// Of the exchange's header, from 1.
    round: u32,
    /// Of the connection: what an older one asks for is not answered.
    epoch: u64,
}

impl Opening {
    pub(crate) fn new(platform: &Arc<Platform>, job: JobId, round: u32, epoch: u64) -> Self {
        Self {
            platform: Arc::clone(platform),
            job,
            round,
            epoch,
        }
    }

    fn contradicts(&self, what: &str, of: u32) -> Fault {
        let message = format!(
            "the exchange is for round {}, the {what} is of round {of}",
            self.round
        );
        Fault::new(Reason::Contradiction, message).at("round", self.round)
    }

    /// What the job comes to with this opening, and whether it is counted already.
    fn foresee(&self, asked: &Asked) -> Result<(ForeseenOpening, bool), Fault> {
        self.platform.slot.with(self.job, |running| {
            if !running.is_of(self.epoch) {
                return Err(superseded());
            }
            if asked.number > running.proposal.rounds {
                let message = format!(
                    "opening {} exceeds the {} consented to",
                    asked.number, running.proposal.rounds
                );
                return Err(Fault::new(Reason::BeyondConsent, message));
            }
            let mut opened = running.opened.clone();
            let counted_before: u64 = opened.days.iter().map(|day| day.columns).sum();
            let columns = u64::from(asked.number) * u64::from(running.proposal.columns());
            // Of a round that the stock alone has on record, because the daemon ended in
            // between, everything is counted now.
            let columns = columns.saturating_sub(counted_before);
            let agreed = running.parameters.as_ref();
            let rows = agreed.map_or(0, AgreedParameters::returned_rows);
            let mut all_days = opened.before.days.clone();
            let days = opened.days.iter();
            days.for_each(|day| counting::count_day(&mut all_days, *day));
            let now = OpenedDay {
                day: counting::today(&all_days, now_unix_ms()),
                columns,
                values: columns * u64::from(rows),
            };
            if columns > 0 {
                counting::count_day(&mut opened.days, now);
            }
            let disclosure =
                ledger::counted(running, asked.number, &opened).disclosure(true, now_unix_ms());
            let foreseen = ForeseenOpening {
                disclosure,
                opened,
                day: now.day,
                cost: ledger::cost_of(running),
                peer: running.peer.clone(),
                proposal: running.proposal.clone(),
                common_users: common_users(running),
            };
            Ok((foreseen, columns == 0))
        })?
    }

    /// A number that is counted is of one message, whatever the job's own record says of it: that
    /// may have been put back to before.
    fn refuse_another(&self, asked: &Asked) -> Result<(), Fault> {
        let job = self.job.to_string();
        let counted: Option<CountedOpening> = self.platform.store.get(COUNTED, &job)?;
        if counted == Some(counted_as(asked)) {
            return Ok(());
        }
        let message = format!(
            "opening {} is counted already, and not as one of this message",
            asked.number
        );
        Err(Fault::new(Reason::Contradiction, message)
            .at("round", asked.number)
            .remedied_by("Ask for the opening with the very message of before, or propose anew."))
    }

    fn may(&self, asked: &Asked) -> Result<(), Fault> {
        if asked.number != self.round {
            return Err(self.contradicts("record's next opening", asked.number));
        }
        // Also of a repeat: it is not counted again, but its first answer may never have arrived.
        let (foreseen, is_counted) = self.foresee(asked)?;
        if is_counted {
            self.refuse_another(asked)?;
        }
        let ForeseenOpening {
            disclosure,
            opened,
            peer,
            proposal,
            common_users,
            ..
        } = foreseen;
        let platform = &self.platform;
        evaluate(
            platform,
            &proposal,
            &peer,
            &opened,
            common_users,
            &disclosure,
        )
    }

    fn enter(&self, asked: &Asked) -> Result<(), Fault> {
        let counting = self.platform.counting();
        self.platform.refuse_ended(&self.job.to_string())?;
        let (foreseen, is_counted) = self.foresee(asked)?;
        let ForeseenOpening {
            disclosure,
            opened,
            cost,
            day,
            ..
        } = foreseen;
        let (platform, name) = (&self.platform, self.job.to_string());
        if is_counted {
            self.refuse_another(asked)?;
        } else {
            let all = counting::with_job(&opened.before, &disclosure);
            let counters = all.counters;
            let entry = [
                ("job", name.as_str().into()),
                ("round", asked.number.into()),
                ("message", asked.digest.into()),
                ("columns", disclosure.opened_columns.into()),
                ("values", disclosure.opened_values.into()),
                ("exact_values", disclosure.counters.exact_values.into()),
                ("nano_rho", disclosure.counters.nano_rho.into()),
                ("day", day.into()),
                ("lineage", opened.lineage.as_slice().into()),
                ("all_columns", counters.opened_columns.into()),
                ("all_values", counters.opened_values.into()),
                ("all_exact_values", counters.exact_values.into()),
                ("all_nano_rho", counters.nano_rho.into()),
            ];
            // The log first: it may say too much after a crash, never too little.
            platform.audit.record(Kind::Opening, entry)?;
            platform.store.put(COUNTED, &name, &counted_as(asked))?;
        }
        ledger::store(platform, &counting, disclosure, Some(&cost))?;
        platform.slot.with(self.job, |running| {
            running.openings = asked.number;
            running.opened = opened;
        })?;
        if !is_counted {
            observe::round_done();
        }
        Ok(())
    }
}

fn counted_as(asked: &Asked) -> CountedOpening {
    CountedOpening {
        number: asked.number,
        message: asked.digest,
    }
}

struct ForeseenOpening {
    disclosure: JobDisclosure,
    opened: Opened,
    /// That it is counted on.
    day: u32,
    cost: JobCost,
    peer: String,
    proposal: Proposal,
    common_users: Option<u32>,
}

impl Admission for Opening {
    fn named(&mut self, round: u32) -> Result<(), SpmmError> {
        match round.checked_add(1) {
            Some(of) if of == self.round => Ok(()),
            of => Err(refused(self.contradicts("input", of.unwrap_or(round)))),
        }
    }

    fn permit(&mut self, asked: &Asked) -> Result<(), SpmmError> {
        self.may(asked).map_err(refused)
    }

    fn count(&mut self, asked: &Asked) -> Result<(), SpmmError> {
        self.enter(asked).map_err(refused)
    }
}

fn refused(fault: Fault) -> SpmmError {
    SpmmError::Refused(Box::new(fault))
}
