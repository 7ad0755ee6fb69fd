//! P1's side of agreeing on an opening of friends' sums: who is opened is fixed by P0's first call,
//! before anything of the links is read; the parameters are checked against what was consented to.

use std::collections::BTreeSet;
use std::sync::Arc;

use s3rec_algebra::{PublicSeed, Seed};
use s3rec_audit::export::hexadecimal;
use s3rec_data::{IdTable, LinkSet};
use s3rec_job::social::{FriendsAgreed, FriendsBounded, SocialFriends, SocialJob};
use s3rec_job::{JobId, OpenedUsers, Proposal};
use s3rec_link::pacing::AnswerTimes;
use s3rec_node::alignment::Common;
use s3rec_sparse::{BoundsRule, PublicBounds};
use s3rec_spmm::noise_first::{Friends, NoiseFirstError, SessionSeeds, Sides, Split};
use s3rec_spmm::{FriendsRelease, ReleasePolicy};
use s3rec_wire::convert::{friends_parameters_from_wire, rows_of_bitmap};
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1::{self, SetupResponse};

use crate::bounds;
use crate::disclosing::{self, AllOpened, Leaving};
use crate::imports::blocking;
use crate::platform::Platform;
use crate::setup::{Becomes, BecomesAgreed, Prepared};
use crate::tables::OPENED_USERS;

/// The release that a proposal of friends' sums asks for.
pub(crate) fn release_of(proposal: &Proposal) -> Option<FriendsRelease> {
    match proposal.release {
        ReleasePolicy::Friends(release) => Some(release),
        _ => None,
    }
}

/// The first call: nothing of the links is looked at.
pub(crate) fn bound(
    platform: &Platform,
    proposal: &Proposal,
    request: &v1::SetupRequest,
    (rating_half, stock_id): ([u8; 32], [u8; 16]),
    common: Common,
) -> Result<Prepared, Fault> {
    let release = release_of(proposal).ok_or_else(not_friends)?;
    let users = u32::try_from(common.rows.len()).unwrap_or(u32::MAX);
    bounds::within_product_values(&platform.limits, proposal, users)?;
    disclosing::may_go_on(platform, proposal.job)?;
    let stated = stated(platform, proposal.job)?;
    let split = split_of(&release, users, &request.opened)?;
    let mut social_half = [0; 32];
    getrandom::fill(&mut social_half)
        .map_err(|_| Fault::new(Reason::Bug, "the system gives no entropy"))?;
    let public = stated.stated.bounds(proposal.operator, users);
    let response = SetupResponse {
        job_id: proposal.job.to_string(),
        seed_half: social_half.to_vec(),
        common_users: users,
        row_norm_bound: public.row_norm,
        nonzeros_bound: public.nonzeros,
        ..SetupResponse::default()
    };
    let bounded = FriendsBounded {
        split,
        degree_bound: u32::try_from(public.row_norm).unwrap_or(u32::MAX),
        users_digest: common.digest,
        rating_half,
        social_half,
        stock_id,
        rows: Arc::new(common.rows),
    };
    Ok(Prepared {
        stage: SocialJob::FriendsBounded(Box::new(bounded)),
        response,
        leaving: Leaving::Bounds {
            row_norm: public.row_norm,
            pattern_rows: 0,
        },
        becomes: Becomes::Waiting,
    })
}

/// What was stated of the links: the only source of a bound here.
fn stated(platform: &Platform, job: JobId) -> Result<PublicBounds, Fault> {
    let bounds = platform.slot.with(job, |running| running.opened.bounds)?;
    match bounds.rule {
        BoundsRule::Stated => Ok(bounds),
        BoundsRule::Ladder => {
            let message = "friends' sums were approved with bounds that follow from the links";
            Err(Fault::new(Reason::Bug, message))
        }
    }
}

/// O as P0 names it, within what was consented to.
fn split_of(release: &FriendsRelease, users: u32, opened: &[u8]) -> Result<Split, Fault> {
    let refused =
        |message: String| Err(Fault::new(Reason::BeyondConsent, message).at("field", "opened"));
    let least = FriendsRelease::LEAST_USERS;
    let split = match release.sides {
        Sides::Two if opened.is_empty() => Split::two_sided(users),
        Sides::Two => return refused("users are named where everybody is opened".into()),
        Sides::One => {
            let rows = rows_of_bitmap("opened", users, opened)?;
            Split::one_sided(users, rows).map_err(|error| {
                Fault::new(Reason::BeyondConsent, error.to_string()).at("field", "opened")
            })?
        }
    };
    let (rows, columns) = (split.opened().len(), split.uploaded().len());
    if rows > release.most_opened as usize {
        let most = release.most_opened;
        return refused(format!(
            "{rows} users are to be opened, the proposal allows {most}"
        ));
    }
    if rows.min(columns) < least as usize {
        return refused(format!(
            "{rows} users are opened and {columns} uploaded; {least} are the least of either"
        ));
    }
    Ok(split)
}

/// The second call: the parameters are those of the terms, nobody opened before has left the
/// opened, and only then the links are read.
pub(crate) async fn agree(
    platform: &Arc<Platform>,
    proposal: &Proposal,
    bounded: FriendsBounded,
    message: &v1::FriendsParameters,
) -> Result<Prepared, Fault> {
    let release = release_of(proposal).ok_or_else(not_friends)?;
    let stated = stated(platform, proposal.job)?;
    let count = |users: &[u32]| u32::try_from(users.len()).unwrap_or(u32::MAX);
    let sizes = (
        count(bounded.split.opened()),
        count(bounded.split.uploaded()),
    );
    let terms = release
        .terms(sizes, proposal.columns(), bounded.degree_bound)
        .map_err(|error| Fault::new(Reason::ParametersRefused, error.to_string()))?;
    let parameters = friends_parameters_from_wire(message).map_err(|error| {
        let message = format!("the social platform refuses the parameters: {error}");
        Fault::new(Reason::ParametersRefused, message)
    })?;
    if *parameters.terms() != terms {
        let message = "the parameters are for other terms than were agreed on";
        return Err(Fault::new(Reason::Contradiction, message).at("field", "friends"));
    }
    let job = proposal.job;
    let lineage = platform
        .slot
        .with(job, |running| running.opened.lineage.clone())?;
    let links = platform.datasets.load(&job.to_string()).await?;
    let (at, rows) = (Arc::clone(platform), Arc::clone(&bounded.rows));
    let split = bounded.split.clone();
    let made = blocking(move || {
        let becomes_opened = match release.sides {
            Sides::One => Some(stays_opened(&at, &lineage, &links.users, &rows, &split)?),
            // Everybody is opened, and nobody kept apart.
            Sides::Two => None,
        };
        let bug = |error: &dyn std::error::Error| Fault::new(Reason::Bug, error.to_string());
        let friends = common_friends(&links, &rows).map_err(|error| bug(&error))?;
        let block = friends.into_block(&split).map_err(|error| bug(&error))?;
        // Fresh for every setup: P1's randomness of one job is never that of another.
        let key = Seed::generate().map_err(|error| bug(&error))?;
        let digest = block.digest(&key);
        Ok::<_, Fault>((block, digest, key, becomes_opened))
    });
    let (block, links, key, becomes_opened) = made.await??;
    let digest = parameters.digest();
    let text = format!(
        "Agreed: {} of {} common users are opened, {} numbers each, with noise of standard deviation \
         {:.3}.",
        terms.opened,
        bounded.rows.len(),
        terms.columns,
        parameters.sigma()
    );
    let response = SetupResponse {
        job_id: job.to_string(),
        seed_half: bounded.social_half.to_vec(),
        common_users: count(&bounded.rows),
        parameters_digest: digest.to_vec(),
        ..SetupResponse::default()
    };
    let agreed = FriendsAgreed {
        parameters,
        parameters_digest: digest,
        split: bounded.split,
        seeds: SessionSeeds {
            rating: PublicSeed::from_bytes(bounded.rating_half),
            social: PublicSeed::from_bytes(bounded.social_half),
        },
        users_digest: bounded.users_digest,
        rows: bounded.rows,
        block,
        links,
        key,
    };
    Ok(Prepared {
        stage: SocialJob::Friends(Box::new(SocialFriends::new(agreed))),
        response,
        leaving: Leaving::Agreement {
            opened: terms.opened,
            uploaded: terms.uploaded,
            all: becomes_opened.as_ref().map(BecomesOpened::all),
        },
        becomes: Becomes::Agreed(Box::new(BecomesAgreed {
            text,
            times: AnswerTimes::of_friends(&parameters, stated.stated.links, platform.pace()),
            parameters: parameters.into(),
            opened: becomes_opened,
        })),
    })
}

/// Who will have been opened of a lineage once the agreement on it is logged.
pub(crate) struct BecomesOpened {
    lineage: Vec<u8>,
    users: OpenedUsers,
}

impl BecomesOpened {
    fn all(&self) -> AllOpened {
        AllOpened {
            count: self.users.count(),
            digest: self.users.digest(),
        }
    }

    /// Stores them, behind the log and before P0 hears of it.
    pub(crate) fn keep(&self, platform: &Platform) -> Result<(), Fault> {
        let key = hexadecimal(&self.lineage);
        platform.store.put(OPENED_USERS, &key, &self.users)?;
        platform
            .witnessed()
            .says(&self.lineage, self.users.digest());
        Ok(())
    }
}

/// S among the common users, who are numbered in their order. Two of P1's accounts on one common
/// user, both directions of a link and repeated links count once.
pub(crate) fn common_friends(links: &LinkSet, rows: &[u32]) -> Result<Friends, NoiseFirstError> {
    let mut place = vec![None; links.users.len()];
    for (index, row) in (0_u32..).zip(rows) {
        if let Some(place) = place.get_mut(*row as usize) {
            *place = Some(index);
        }
    }
    let at = |user: u32| place.get(user as usize).copied().flatten();
    Friends::among(
        u32::try_from(rows.len()).unwrap_or(u32::MAX),
        &links.links,
        at,
    )
}

/// A user who was opened once stays among the opened, over all jobs on the lineage: fresh sets would
/// put one pair after another into a release. So the set must be known: where the audit log witnesses
/// another than the store has, it is known again only once both together are what the log says.
fn stays_opened(
    platform: &Platform,
    lineage: &[u8],
    ids: &IdTable,
    rows: &[u32],
    split: &Split,
) -> Result<BecomesOpened, Fault> {
    let before: Option<OpenedUsers> = platform.store.get(OPENED_USERS, &hexadecimal(lineage))?;
    let mut opened = before.unwrap_or_default();
    let name = |place: u32| {
        let row = rows.get(place as usize)?;
        ids.name(*row).map(s3rec_node::opened::key_of)
    };
    let now: BTreeSet<[u8; 16]> = split.opened().iter().copied().filter_map(name).collect();
    let left = split.uploaded().iter().copied().filter_map(name);
    let left = left.filter(|user| opened.contains(user)).count();
    if left > 0 {
        let message = format!(
            "{left} users who were opened before are not to be opened now; who was opened once stays so"
        );
        return Err(Fault::new(Reason::BeyondConsent, message)
            .at("field", "opened")
            .remedied_by(
                "The rating platform has lost who it opened, or begins with another data set: it must \
                 go on from the data set whose users were opened before.",
            ));
    }
    let is_known = platform.witnessed().is_known(lineage, &opened);
    opened.add(now);
    if !is_known && !platform.witnessed().is_known(lineage, &opened) {
        let message = "who was opened before is not known here any more: this platform's store was \
                       lost or put back to an older state, and the users named now are others than \
                       its audit log witnesses";
        return Err(Fault::new(Reason::StateLost, message).remedied_by(
            "Put back a copy of the social platform's store that has them, or open exactly the \
             users of before; until then no more friends' sums of this data are opened.",
        ));
    }
    Ok(BecomesOpened {
        lineage: lineage.to_vec(),
        users: opened,
    })
}

fn not_friends() -> Fault {
    Fault::new(Reason::OutOfOrder, "this call of Setup is not due")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attack_tests::Bare;
    use crate::witness;
    use crate::witnessed_opened::WitnessedOpened;
    use s3rec_audit::Kind;
    use s3rec_wire::convert::bitmap;

    fn release(sides: Sides) -> FriendsRelease {
        FriendsRelease {
            mu: 1.0,
            sides,
            few_below: 5,
            calibration_share: 0.2,
            most_opened: 80,
            row_norm_bound: 1.0,
        }
    }

    #[test]
    fn only_a_set_within_the_consent_is_opened() {
        let first = |count: u32| (0..count).collect::<Vec<u32>>();
        let one = |users: u32, opened: &[u32]| {
            split_of(&release(Sides::One), users, &bitmap(users, opened))
        };
        let split = one(200, &first(80)).unwrap();
        assert_eq!((split.opened().len(), split.uploaded().len()), (80, 120));
        // The least of either side.
        for (users, opened) in [(200, first(50)), (130, first(80))] {
            assert!(one(users, &opened).is_ok());
        }
        for (users, opened) in [
            // More than the proposal allows, too few on either side, nobody, everybody.
            (200, first(81)),
            (200, first(49)),
            (129, first(80)),
            (200, Vec::new()),
            (80, first(80)),
        ] {
            let fault = one(users, &opened).unwrap_err();
            assert_eq!(fault.reason, Reason::BeyondConsent, "{users} {opened:?}");
        }
        // A bitmap of other users, and one with bits behind them.
        assert!(split_of(&release(Sides::One), 200, &bitmap(208, &first(80))).is_err());
        let mut padded = bitmap(201, &first(80));
        *padded.last_mut().unwrap() |= 0x80;
        assert!(split_of(&release(Sides::One), 201, &padded).is_err());
    }

    /// A store that was lost beside its log: whoever was opened before is not known, and so nobody else
    /// is opened; the very same users are known by what the log witnesses of them.
    #[test]
    fn the_opened_are_what_the_log_witnesses_or_nobody_is() {
        const LINEAGE: [u8; 16] = [3; 16];
        let bare = Bare::new();
        let platform = &bare.platform;
        let ids: IdTable = (0..10).map(|user| format!("u{user}")).collect();
        let rows: Vec<u32> = (0..10).collect();
        let opens = |users: &[u32]| {
            let split = Split::one_sided(10, users.to_vec()).unwrap();
            stays_opened(platform, &LINEAGE, &ids, &rows, &split)
        };
        let agreed = |becomes: &BecomesOpened| {
            let fields = [
                ("job", "a job".into()),
                ("lineage", LINEAGE.into()),
                ("what", "agreement on friends' sums".into()),
                ("opened_digest", becomes.all().digest.into()),
            ];
            platform.audit.record(Kind::Showing, fields).unwrap();
        };
        let first = opens(&[1, 2, 3]).unwrap();
        agreed(&first);
        first.keep(platform).unwrap();
        // Whoever was opened stays so, and others may follow.
        let left = opens(&[1, 2]).map(drop).unwrap_err();
        assert_eq!(left.reason, Reason::BeyondConsent);
        assert_eq!(opens(&[1, 2, 3, 4]).unwrap().all().count, 4);

        let key = hexadecimal(&LINEAGE);
        let lost = OpenedUsers::default();
        platform.store.put(OPENED_USERS, &key, &lost).unwrap();
        // As a daemon that starts over it.
        *platform.witnessed() = WitnessedOpened::default();
        witness::hear(platform).unwrap();
        for others in [&[4, 5, 6][..], &[1, 2], &[1, 2, 3, 4]] {
            let refused = opens(others).map(drop).unwrap_err();
            assert_eq!(refused.reason, Reason::StateLost, "{refused:?}");
        }
        let known = opens(&[1, 2, 3]).unwrap();
        known.keep(platform).unwrap();
        assert_eq!(opens(&[1, 2, 3, 4]).unwrap().all().count, 4);
        // Nor does an import under the other rule of ids make anybody another.
        let shouted: IdTable = (0..10).map(|user| format!("U{user}")).collect();
        let split = Split::one_sided(10, vec![1, 2]).unwrap();
        let left = stays_opened(platform, &LINEAGE, &shouted, &rows, &split);
        assert_eq!(left.map(drop).unwrap_err().reason, Reason::BeyondConsent);
        // Another lineage was never opened.
        let split = Split::one_sided(10, vec![7]).unwrap();
        assert!(stays_opened(platform, &[4; 16], &ids, &rows, &split).is_ok());
    }

    #[test]
    fn nobody_is_named_where_everybody_is_opened() {
        let everybody = FriendsRelease {
            most_opened: 200,
            ..release(Sides::Two)
        };
        let split = split_of(&everybody, 200, &[]).unwrap();
        assert_eq!((split.opened().len(), split.uploaded().len()), (200, 200));
        assert!(split_of(&everybody, 200, &bitmap(200, &[1])).is_err());
        assert!(split_of(&everybody, 201, &[]).is_err());
    }
}
