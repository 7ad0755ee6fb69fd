//! After a restore: what the social platform could ask about this platform's users since the
//! backup is counted again, from its own list. What was opened to this platform is agreed on by
//! the next approval, which states it.

use s3rec_audit::Kind;
use s3rec_job::{JobDisclosure, Shown};
use s3rec_wire::status::Fault;

use crate::platform::Platform;
use crate::tables::{BROUGHT, DISCLOSURES};

/// Raises the count of ids that the social platform brought to what its list comes to, and opens
/// this platform for jobs again; with an empty list, by the word of `who` alone. Gives the number
/// of jobs of which more is counted now.
///
/// # Errors
/// [`Reason::WrongState`] for a platform that was not restored; [`Reason::InvalidRequest`] for a
/// list that is another platform's, or lacks what is counted here; [`Reason::StorageFailed`].
pub(crate) fn reconcile(
    platform: &Platform,
    stated: &[JobDisclosure],
    who: &str,
) -> Result<u32, Fault> {
    platform.refuse_reconciled()?;
    if !stated.is_empty() {
        let known = platform.store.list::<JobDisclosure>(DISCLOSURES, "")?;
        let known = known.iter().map(|(job, ours)| (job, ours));
        platform.refuse_other_lists(stated, known)?;
    }
    let mut raised = 0;
    for theirs in stated {
        // Where it counts intersections, each had all its ids.
        let asked = theirs.overlap.map_or(0, |overlap| overlap.social_users);
        let times = theirs.shown.map_or(1, |shown| shown.intersections).max(1);
        let said = Shown {
            intersections: times,
            ids_asked: asked.saturating_mul(times.into()),
            ..Shown::default()
        };
        let ours: Option<Shown> = platform.store.get(BROUGHT, &theirs.job)?;
        let ours = ours.unwrap_or_default();
        let joined = ours.joined(&said);
        if joined == ours {
            continue;
        }
        let missing = |of: fn(&Shown) -> u64| of(&joined).saturating_sub(of(&ours));
        let entry = [
            ("job", theirs.job.as_str().into()),
            ("what", "intersection".into()),
            ("ids", missing(|shown| shown.ids_asked).into()),
            ("by", who.into()),
            (
                "learnt",
                "counted again after a restore, from the social platform's list".into(),
            ),
        ];
        platform.audit.record(Kind::Showing, entry)?;
        platform.store.put(BROUGHT, &theirs.job, &joined)?;
        raised += 1;
    }
    platform.reconciled(raised, stated.is_empty(), who)?;
    Ok(raised)
}
