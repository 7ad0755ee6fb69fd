//! What P1 could learn of P0's users by set intersection: which of the ids that it brings are
//! theirs. Counted over all jobs, limited and logged before anything that is made of our ids
//! leaves, as P1 does with ours.

use std::collections::BTreeMap;

use s3rec_audit::Kind;
use s3rec_job::Shown;
use s3rec_wire::status::{Fault, Reason};

use crate::platform::Platform;
use crate::tables::BROUGHT;

/// Counts a set intersection of a job to which P1 brings that many ids.
///
/// # Errors
/// [`Reason::LimitExceeded`] beyond `limits.intersections` or `limits.ids_asked` over all jobs;
/// nothing is counted then. [`Reason::StorageFailed`].
pub(crate) fn count(platform: &Platform, job: &str, ids: u32) -> Result<(), Fault> {
    platform.refuse_unreconciled()?;
    let one = Shown {
        intersections: 1,
        ids_asked: ids.into(),
        ..Shown::default()
    };
    let all = in_all(platform)?.plus(&one);
    let limits = &platform.limits;
    let limited = [
        (
            "intersections",
            u64::from(all.intersections),
            u64::from(limits.intersections),
        ),
        ("ids_asked", all.ids_asked, limits.ids_asked),
    ];
    if let Some((field, would, most)) = limited.into_iter().find(|(_, would, most)| would > most) {
        let message = format!(
            "limits.{field} = {most} of the rating platform would be exceeded over all jobs: {would}"
        );
        return Err(Fault::new(Reason::LimitExceeded, message)
            .at("field", field)
            .remedied_by(
                "Ask the rating platform's operators, who set the limit on what the social \
                 platform may ask about their users.",
            ));
    }
    // The log first: it may say too much after a crash, never too little.
    let entry = [
        ("job", job.into()),
        ("what", "intersection".into()),
        ("ids", ids.into()),
        ("all_ids", all.ids_asked.into()),
        ("all_intersections", all.intersections.into()),
    ];
    platform.audit.record(Kind::Showing, entry)?;
    let before: Option<Shown> = platform.store.get(BROUGHT, job)?;
    let of_job = before.unwrap_or_default().plus(&one);
    Ok(platform.store.put(BROUGHT, job, &of_job)?)
}

/// Over all jobs.
pub(crate) fn in_all(platform: &Platform) -> Result<Shown, Fault> {
    let stored = platform.store.list::<Shown>(BROUGHT, "")?;
    let none = Shown::default();
    Ok(stored.iter().fold(none, |all, (_, one)| all.plus(one)))
}

/// For the people here, once there was any.
pub(crate) fn statement(platform: &Platform) -> Result<Option<String>, Fault> {
    let (all, limits) = (in_all(platform)?, &platform.limits);
    Ok((all.intersections > 0).then(|| {
        format!(
            "{} of {} set intersections over all jobs, to which the social platform brought {} of \
             at most {} ids, each time learning which of them are this platform's users.",
            all.intersections, limits.intersections, all.ids_asked, limits.ids_asked
        )
    }))
}

/// Raises the count to what our own log says, where the store was lost or put back.
///
/// # Errors
/// [`Reason::StorageFailed`], with the number of an entry of the log that lacks what it should say.
pub(crate) fn hear(platform: &Platform) -> Result<(), Fault> {
    let mut said: BTreeMap<String, Shown> = BTreeMap::new();
    platform.audit.each(|entry| {
        if entry.kind == Kind::Showing {
            let of_job = said.entry(entry.needed_text("job")?.into()).or_default();
            *of_job = of_job.plus(&Shown {
                intersections: 1,
                ids_asked: entry.needed_number("ids")?,
                ..Shown::default()
            });
        }
        Ok(())
    })?;
    for (job, said) in said {
        let stored: Option<Shown> = platform.store.get(BROUGHT, &job)?;
        let stored = stored.unwrap_or_default();
        let raised = stored.joined(&said);
        if raised != stored {
            tracing::warn!(
                job,
                "the store had lost what the audit log says was counted of a job"
            );
            platform.store.put(BROUGHT, &job, &raised)?;
        }
    }
    Ok(())
}
