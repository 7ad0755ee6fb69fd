//! Ids as people type them: the beginning suffices where it means one.

use s3rec_wire::v1;

use super::{RatingClient, SocialClient};
use crate::failure::Failure;

/// Characters of an id as it is shown.
const SHOWN: usize = 8;
/// Characters that must be typed at least.
const LEAST: usize = 4;
/// Of a whole id, a UUID.
const WHOLE: usize = 36;

/// An id as people read it.
#[must_use]
pub fn short(id: &str) -> &str {
    match id.len() {
        WHOLE => id.get(..SHOWN).unwrap_or(id),
        _ => id,
    }
}

/// The job of the rating platform that `given` means.
///
/// # Errors
/// [`Failure::Usage`] for a beginning of several; [`Failure::Refused`].
pub async fn rating_job(client: &mut RatingClient, given: &str) -> Result<String, Failure> {
    if !is_beginning(given) {
        return Ok(given.to_owned());
    }
    let jobs = client.list_jobs(v1::ListJobsRequest {}).await?.into_inner();
    complete(given, jobs.jobs.iter().map(|job| job.job_id.as_str()))
}

/// The job of the social platform that `given` means.
///
/// # Errors
/// As [`rating_job`].
pub async fn social_job(client: &mut SocialClient, given: &str) -> Result<String, Failure> {
    if !is_beginning(given) {
        return Ok(given.to_owned());
    }
    let request = v1::ListProposalsRequest {
        pending_only: false,
    };
    let jobs = client.list_proposals(request).await?.into_inner();
    complete(given, jobs.proposals.iter().map(|job| job.job_id.as_str()))
}

fn is_beginning(given: &str) -> bool {
    (LEAST..WHOLE).contains(&given.len())
}

/// The one id that begins so; what nothing begins with stays, for the platform to say that there is
/// none.
fn complete<'a>(given: &str, ids: impl Iterator<Item = &'a str>) -> Result<String, Failure> {
    let meant: Vec<&str> = ids.filter(|id| id.starts_with(given)).collect();
    match meant[..] {
        [] => Ok(given.to_owned()),
        [one] => Ok(one.to_owned()),
        _ => Err(Failure::Usage(format!(
            "{given} is the beginning of {} jobs: {}; type more of the one that you mean",
            meant.len(),
            meant.join(", ")
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_means_one_job_or_none() {
        const ONE: &str = "1b4e28ba-2fa1-41d2-883f-0016d3cca427";
        const TWO: &str = "1b4f28ba-2fa1-41d2-883f-0016d3cca427";
        let of = |given| complete(given, [ONE, TWO].into_iter());
        assert_eq!(of("1b4e").unwrap(), ONE);
        assert_eq!(of(short(TWO)).unwrap(), TWO);
        assert_eq!(of("9999").unwrap(), "9999");
        let several = of("1b4").unwrap_err().to_string();
        assert!(several.contains(ONE) && several.contains(TWO), "{several}");
        assert!(!is_beginning("1b4") && !is_beginning(ONE) && is_beginning("1b4e"));
        assert_eq!(short(ONE), "1b4e28ba");
        assert_eq!(short("j1"), "j1");
    }
}
