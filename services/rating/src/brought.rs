//! What P1 could learn of P0's users by set intersection: which of the ids that it brings are
//! theirs. Counted over all jobs, limited and logged before anything that is made of our ids
//! leaves, as P1 does with ours.

use std::collections::BTreeMap;

use s3rec_audit::Kind;
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1;

use crate::platform::Platform;
use crate::tables::BROUGHT;

/// Counts a set intersection of a job to which P1 brings that many ids.
///
/// # Errors
/// [`Reason::LimitExceeded`] beyond `limits.intersections` or `limits.ids_asked` over all jobs;
/// nothing is counted then. [`Reason::StorageFailed`].
pub(crate) fn count(platform: &Platform, job: &str, ids: u32) -> Result<(), Fault> {
    let one = v1::Shown {
        intersections: 1,
        ids_asked: ids.into(),
        ..v1::Shown::default()
    };
    let all = plus(&in_all(platform)?, &one);
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
    let before: Option<v1::Shown> = platform.store.get(BROUGHT, job)?;
    let of_job = plus(&before.unwrap_or_default(), &one);
    Ok(platform.store.put(BROUGHT, job, &of_job)?)
}

/// Over all jobs.
pub(crate) fn in_all(platform: &Platform) -> Result<v1::Shown, Fault> {
    let stored = platform.store.list::<v1::Shown>(BROUGHT, "")?;
    let none = v1::Shown::default();
    Ok(stored.iter().fold(none, |all, (_, one)| plus(&all, one)))
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
    let mut said: BTreeMap<String, v1::Shown> = BTreeMap::new();
    platform.audit.each(|entry| {
        if entry.kind == Kind::Showing {
            let of_job = said.entry(entry.needed_text("job")?.into()).or_default();
            let one = v1::Shown {
                intersections: 1,
                ids_asked: entry.needed_number("ids")?,
                ..v1::Shown::default()
            };
            *of_job = plus(of_job, &one);
        }
        Ok(())
    })?;
    for (job, said) in said {
        let stored: Option<v1::Shown> = platform.store.get(BROUGHT, &job)?;
        let stored = stored.unwrap_or_default();
        if stored.intersections < said.intersections || stored.ids_asked < said.ids_asked {
            tracing::warn!(
                job,
                "the store had lost what the audit log says was counted of a job"
            );
            let most = v1::Shown {
                intersections: stored.intersections.max(said.intersections),
                ids_asked: stored.ids_asked.max(said.ids_asked),
                ..v1::Shown::default()
            };
            platform.store.put(BROUGHT, &job, &most)?;
        }
    }
    Ok(())
}

fn plus(one: &v1::Shown, more: &v1::Shown) -> v1::Shown {
    v1::Shown {
        intersections: one.intersections.saturating_add(more.intersections),
        ids_asked: one.ids_asked.saturating_add(more.ids_asked),
        ..v1::Shown::default()
    }
}
