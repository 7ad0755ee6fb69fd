//! What a restored platform may not do before its people have said what was shown since.

use s3rec_audit::Kind;
use s3rec_job::JobDisclosure;
use s3rec_wire::status::{Fault, Reason};
use time::OffsetDateTime;

use crate::datasets::Content;
use crate::pki::CertificateRole;
use crate::platform::Core;
use crate::records::RestoredFrom;
use crate::store::{Change, Store, StoreError, Table};

const RESTORED: Table = Table("restored");
/// Key of the one record.
const FROM: &str = "from";

/// Notes that the store came out of a backup, before anything else looks at it.
pub(crate) fn note(store: &Store, from: &RestoredFrom) -> Result<(), StoreError> {
    store.put(RESTORED, FROM, from)
}

impl<C: Content> Core<C> {
    /// Refuses whatever begins a job, or lets anything leave for the other platform, from a restore
    /// until it is reconciled: what was shown since the backup counts, and is not counted here.
    ///
    /// # Errors
    /// [`Reason::StateLost`], [`Reason::StorageFailed`].
    pub fn refuse_unreconciled(&self) -> Result<(), Fault> {
        let restored: Option<RestoredFrom> = self.store.get(RESTORED, FROM)?;
        let Some(restored) = restored else {
            return Ok(());
        };
        let role = self.role();
        let message = format!(
            "the {role} platform was restored from a backup of {}; what was shown since is not counted \
             there yet",
            moment(restored.made_unix_ms)
        );
        let other = other(role);
        Err(Fault::new(Reason::StateLost, message).remedied_by(format!(
            "Ask the {other} platform's operators for what `s3rec {other} disclosures --json` prints, and \
             give it to `s3rec {role} reconcile FILE`; or say that nothing was shown since: `s3rec {role} \
             reconcile --nothing-since`."
        )))
    }

    /// Refuses to reconcile a platform that needs it not.
    ///
    /// # Errors
    /// [`Reason::WrongState`], [`Reason::StorageFailed`].
    pub fn refuse_reconciled(&self) -> Result<(), Fault> {
        let restored: Option<RestoredFrom> = self.store.get(RESTORED, FROM)?;
        if restored.is_some() {
            return Ok(());
        }
        let message = "this platform was not restored from a backup, or is reconciled";
        Err(Fault::new(Reason::WrongState, message).remedied_by("Nothing needs to be done."))
    }

    /// Refuses to reconcile with `stated` where it is not the other platform's list, or older than the
    /// backup: a newer one has every job of which openings are counted here (`known`, by job).
    ///
    /// # Errors
    /// [`Reason::InvalidRequest`].
    pub fn refuse_other_lists<'a>(
        &self,
        stated: &[JobDisclosure],
        known: impl IntoIterator<Item = (&'a String, &'a JobDisclosure)>,
    ) -> Result<(), Fault> {
        let (own, other) = (self.role(), other(self.role()));
        let refused = |message: String| {
            Err(Fault::new(Reason::InvalidRequest, message)
                .at("field", "disclosures")
                .remedied_by(format!(
                    "Give what `s3rec {other} disclosures --json` prints at the {other} platform, after \
                     this platform was restored."
                )))
        };
        // In a social platform's list every line has the rating platform's pin.
        let is_rating = |line: &JobDisclosure| line.peer_pin.is_empty();
        let wants_rating = own != CertificateRole::Rating;
        if stated.iter().any(|line| is_rating(line) != wants_rating) {
            return refused(format!(
                "that is a {own} platform's list, not the {other} platform's"
            ));
        }
        let is_stated = |job: &String| stated.iter().any(|theirs| theirs.job == *job);
        let mut known = known.into_iter();
        match known.find(|(job, ours)| ours.openings > 0 && !is_stated(job)) {
            None => Ok(()),
            Some((job, ours)) => refused(format!(
                "the list lacks the job {job}, of which {} openings are counted here",
                ours.openings
            )),
        }
    }

    /// Opens a restored platform for jobs, in the name of `who`: of `jobs` more is counted than
    /// before; `is_stated` where only their word says that nothing was shown since.
    ///
    /// # Errors
    /// [`Reason::StorageFailed`].
    pub fn reconciled(&self, jobs: u32, is_stated: bool, who: &str) -> Result<(), Fault> {
        let by = match is_stated {
            true => "nothing was shown since, by their word",
            false => "the other platform's list of disclosures",
        };
        let entry = [
            ("what", "reconciled after a restore".into()),
            ("by", who.into()),
            ("with", by.into()),
            ("jobs", jobs.into()),
        ];
        self.audit.record(Kind::Decision, entry)?;
        tracing::info!(who, jobs, "reconciled after a restore");
        Ok(self.store.change(&[Change::Remove(RESTORED, FROM)])?)
    }
}

/// The other platform's name.
pub(super) fn other(role: CertificateRole) -> &'static str {
    match role {
        CertificateRole::Rating => "social",
        _ => "rating",
    }
}

/// To the minute, for people.
pub(super) fn moment(unix_ms: i64) -> String {
    let seconds = unix_ms.div_euclid(1000);
    OffsetDateTime::from_unix_timestamp(seconds).map_or_else(
        |_| "an unknown time".into(),
        |at| {
            let (date, hour, minute) = (at.date(), at.hour(), at.minute());
            format!("{date} {hour:02}:{minute:02} UTC")
        },
    )
}
