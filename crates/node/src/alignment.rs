//! The private set intersection of a job as both daemons run it: what they announce, how its
//! errors are told, what its result is kept as.

use std::sync::atomic::{AtomicU64, Ordering};

use s3rec_data::{Suspicion, explain_overlap};
use s3rec_job::{JobId, Overlap};
use s3rec_link::LinkError;
pub use s3rec_psi::Common;
use s3rec_psi::vole::Layout;
use s3rec_psi::{Form, Masking, PsiError, PsiSession, Sent, Sizes};
use s3rec_wire::WireError;
use s3rec_wire::convert::AlignOpening;
use s3rec_wire::older;
use s3rec_wire::status::{Fault, Reason};
use serde::{Deserialize, Serialize};

use crate::checkpoint::{COMMON, CheckpointFiles, LABELLED};
use crate::process::blocking;

/// A fresh opening of one side.
///
/// # Errors
/// [`Reason::Bug`] without entropy.
pub fn opening(job: JobId, total: usize, id_rule: &str) -> Result<AlignOpening, Fault> {
    let mut session_half = [0; 32];
    getrandom::fill(&mut session_half)
        .map_err(|_| Fault::new(Reason::Bug, "the system gives no entropy"))?;
    Ok(AlignOpening {
        job,
        session_half,
        total: total as u64,
        id_rule: id_rule.into(),
        common_digest: None,
    })
}

/// P1's opening of a job whose common users it has found before: no ids are compared.
///
/// # Errors
/// As [`opening`].
pub fn opening_again(
    job: JobId,
    id_rule: &str,
    common: &Common,
    overlap: &Overlap,
) -> Result<AlignOpening, Fault> {
    let total = usize::try_from(overlap.social_users).unwrap_or(usize::MAX);
    Ok(AlignOpening {
        common_digest: Some(common.digest),
        ..opening(job, total, id_rule)?
    })
}

/// What follows from both openings.
///
/// # Errors
/// [`Reason::Contradiction`] for different rules or jobs, [`Reason::PeerMalformed`] for more ids
/// than the protocol takes.
pub fn agree(rating: &AlignOpening, social: &AlignOpening) -> Result<(PsiSession, Sizes), Fault> {
    if rating.job != social.job {
        return Err(LinkError::Malformed(WireError::Contradiction { field: "job_id" }).into());
    }
    same_rule(&rating.id_rule, &social.id_rule)?;
    let session = PsiSession::new(
        rating.job.as_bytes(),
        &rating.session_half,
        &social.session_half,
        &rating.id_rule,
    );
    let sizes = Sizes::new(rating.total, social.total).map_err(psi_fault)?;
    Ok((session, sizes))
}

/// Most ids that a P0 that announces so many can ask about: what P1's limits count. Of a number
/// that the protocol does not take, the number.
#[must_use]
pub fn ids_asked(announced: u64) -> u64 {
    Form::most_ids(announced).unwrap_or(announced)
}

/// Refuses ids that were normalised by different rules: the same person's would not match.
///
/// # Errors
/// [`Reason::Contradiction`] naming both rules and how to agree.
pub fn same_rule(rating: &str, social: &str) -> Result<(), Fault> {
    if rating == social {
        return Ok(());
    }
    let message = format!(
        "the rating platform's ids are normalised by {rating}, the social platform's by {social}"
    );
    let remedy = "Import the data of one platform again, with --fold-case on both sides or on \
                  neither, and propose the job anew.";
    Err(Fault::new(Reason::Contradiction, message)
        .at("field", "id_rule")
        .remedied_by(remedy))
}

/// An error of the intersection: the peer's bytes are blamed on the peer.
#[must_use]
pub fn psi_fault(error: PsiError) -> Fault {
    let message = format!("private set intersection: {error}");
    let reason = match &error {
        PsiError::TooManyIds { .. } => Reason::LimitExceeded,
        error if error.blames_peer() => Reason::PeerMalformed,
        _ => Reason::Bug,
    };
    Fault::new(reason, message)
}

/// Sizes and result in the words of the conversation.
#[must_use]
pub fn overlap(sizes: Sizes, common: &Common) -> Overlap {
    Overlap {
        rating_users: sizes.rating().into(),
        social_users: sizes.social().into(),
        common_users: common.rows.len() as u64,
    }
}

/// The overlap for people.
#[must_use]
pub fn overlap_text(overlap: &Overlap) -> String {
    let share = |of: u64| 100.0 * overlap.common_users as f64 / of.max(1) as f64;
    format!(
        "{} common users, of the rating platform's {} ({:.1} %) and the social platform's {} \
         ({:.1} %)",
        overlap.common_users,
        overlap.rating_users,
        share(overlap.rating_users),
        overlap.social_users,
        share(overlap.social_users),
    )
}

/// The overlap for one platform's own people, with what in its own ids would explain a small one.
/// Never for the other platform.
#[must_use]
pub fn overlap_message(overlap: &Overlap, users: u64, suspicions: &[Suspicion]) -> String {
    let mut text = format!("Found {}.", overlap_text(overlap));
    for hint in explain_overlap(suspicions, overlap.common_users, users) {
        text.push_str(&format!(" Of our own ids: {hint}."));
    }
    text
}

/// The end of a job whose platforms share nobody: a result, told alike on both sides.
#[must_use]
pub fn nobody(overlap: &Overlap) -> Fault {
    let message = format!(
        "The platforms have no user in common: {} users of the rating platform and {} of the \
         social platform were compared. Nothing else was computed or shown",
        overlap.rating_users, overlap.social_users
    );
    Fault::new(Reason::NoCommonUsers, message)
}

/// How far one side's work is: elements masked, received and labelled, or messages.
#[derive(Debug, Default)]
pub struct Work {
    done: AtomicU64,
    total: u64,
}

impl Work {
    /// The work of either side: its own ids and both streams over the other's, or with small
    /// VOLEs the messages of either side.
    #[must_use]
    pub fn of(sizes: Sizes) -> Self {
        let total = match Form::of(sizes.rating().into()) {
            Form::Ecdh => u64::from(sizes.rating()) * 2 + u64::from(sizes.social()),
            Form::Vole => Layout::new(sizes).messages(),
        };
        Self {
            done: AtomicU64::new(0),
            total,
        }
    }

    /// More is done; gives the share of all.
    pub fn add(&self, elements: u64) -> f64 {
        let done = self.done.fetch_add(elements, Ordering::Relaxed) + elements;
        done.min(self.total) as f64 / self.total.max(1) as f64
    }
}

/// Masks our ids, a chunk at a time on a thread that may block; `send` has each chunk before the
/// next one is made.
///
/// # Errors
/// Those of `send`; [`Reason::Bug`] of the masking.
pub async fn send_masked<F>(
    mut masking: Masking,
    mut send: impl FnMut(Vec<u8>) -> F,
) -> Result<Sent, Fault>
where
    F: Future<Output = Result<(), Fault>>,
{
    loop {
        let chunk;
        (masking, chunk) = blocking(move || {
            let chunk = masking.next_chunk();
            (masking, chunk)
        })
        .await?;
        let Some(points) = chunk else {
            return masking.finish().map_err(psi_fault);
        };
        send(points).await?;
    }
}

/// Saves the result durably: the common users of a job are found once.
///
/// # Errors
/// [`Reason::StorageFailed`].
pub fn save(files: &CheckpointFiles, common: &Common, overlap: &Overlap) -> Result<(), Fault> {
    let stored = CommonUsers {
        rows: common.rows.clone(),
        digest: common.digest,
        overlap: *overlap,
    };
    files.save(COMMON, &stored).map_err(storage)
}

/// Notes durably that labels of P1's ids are about to leave: in each job once. The caller excludes
/// other calls for the same job meanwhile.
///
/// # Errors
/// As [`never_labelled`].
pub fn label_once(files: &CheckpointFiles) -> Result<(), Fault> {
    never_labelled(files)?;
    files.save(LABELLED, &true).map_err(storage)
}

/// Whether the job's users may still be compared. A P0 that left with the labels, before it
/// claimed the common users, could compare others.
///
/// # Errors
/// [`Reason::StateLost`] when labels may have left before; [`Reason::StorageFailed`].
pub fn never_labelled(files: &CheckpointFiles) -> Result<(), Fault> {
    match files.load::<bool>(LABELLED).map_err(storage)? {
        None => Ok(()),
        Some(_) => {
            let message = "the rating platform left, or the connection broke, after this job's \
                           users were compared and before the common ones were known to both: a \
                           job compares them once";
            Err(Fault::new(Reason::StateLost, message).remedied_by("Propose the job anew."))
        }
    }
}

/// The result as it was kept, if it was.
///
/// # Errors
/// [`Reason::StorageFailed`].
pub fn load(files: &CheckpointFiles) -> Result<Option<(Common, Overlap)>, Fault> {
    let stored = files.load_or(COMMON, |version, body| match version {
        1 => of_version_1(body),
        _ => None,
    });
    let Some(stored) = stored.map_err(storage)? else {
        return Ok(None);
    };
    let CommonUsers {
        rows,
        digest,
        overlap,
    } = stored;
    if rows.len() as u64 != overlap.common_users {
        let message = "the common users as they were kept contradict themselves";
        return Err(Fault::new(Reason::StorageFailed, message));
    }
    Ok(Some((Common { rows, digest }, overlap)))
}

fn storage(error: std::io::Error) -> Fault {
    Fault::storage(error.to_string(), error.kind())
}

/// The result as it is stored.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct CommonUsers {
    rows: Vec<u32>,
    digest: [u8; 32],
    overlap: Overlap,
}

/// Version 1 kept the encoded message.
fn of_version_1(body: &[u8]) -> Option<CommonUsers> {
    let (record, []) = postcard::take_from_bytes::<Vec<u8>>(body).ok()? else {
        return None;
    };
    let (rows, digest, overlap) = older::common_users(&record)?;
    Some(CommonUsers {
        rows,
        digest,
        overlap,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use s3rec_job::JobId;
    use s3rec_wire::record::Record;
    use s3rec_wire::v1;

    #[test]
    fn both_sides_derive_one_session_or_say_why_not() {
        let job = JobId::random();
        let rating = opening(job, 3, "nfc-trim").unwrap();
        let social = opening(job, 4, "nfc-trim").unwrap();
        assert_ne!(rating.session_half, social.session_half);
        let (_, sizes) = agree(&rating, &social).unwrap();
        assert_eq!((sizes.rating(), sizes.social()), (3, 4));

        let folded = opening(job, 4, "nfc-trim-casefold").unwrap();
        let fault = agree(&rating, &folded).err().unwrap();
        assert_eq!(fault.reason, Reason::Contradiction);
        assert!(fault.message.contains("nfc-trim-casefold"), "{fault}");
        let other = opening(JobId::random(), 4, "nfc-trim").unwrap();
        assert!(agree(&rating, &other).is_err());
        let many = opening(job, 1 << 25, "nfc-trim").unwrap();
        let fault = agree(&rating, &many).err().unwrap();
        assert_eq!(fault.reason, Reason::LimitExceeded);
    }

    #[test]
    fn whose_fault_it_is_and_how_many_are_common_is_said() {
        for (error, reason) in [
            (PsiError::OwnDuplicate, Reason::Bug),
            (PsiError::Duplicate, Reason::PeerMalformed),
        ] {
            assert_eq!(psi_fault(error).reason, reason);
        }
        let overlap = Overlap {
            rating_users: 200,
            social_users: 50,
            common_users: 25,
        };
        assert_eq!(
            overlap_message(&overlap, 200, &[]),
            "Found 25 common users, of the rating platform's 200 (12.5 %) and the social \
             platform's 50 (50.0 %)."
        );
    }

    #[test]
    fn users_are_labelled_once() {
        let directory = tempfile::tempdir().unwrap();
        let files = CheckpointFiles::in_directory(directory.path().join("job"));
        for _ in 0..2 {
            assert_eq!(never_labelled(&files), Ok(()));
        }
        assert_eq!(label_once(&files), Ok(()));
        for refused in [never_labelled(&files), label_once(&files)] {
            assert_eq!(refused.unwrap_err().reason, Reason::StateLost);
        }
    }

    #[test]
    fn a_result_survives_the_disk_also_from_version_1() {
        let directory = tempfile::tempdir().unwrap();
        let files = CheckpointFiles::in_directory(directory.path().join("job"));
        let common = Common {
            rows: vec![5, 0, 700_000],
            digest: [9; 32],
        };
        let overlap = overlap(Sizes::new(1_000_000, 10).unwrap(), &common);
        save(&files, &common, &overlap).unwrap();
        let expected = Some((common, overlap));
        assert_eq!(load(&files).unwrap(), expected);

        // As version 1 wrote it: its first byte, then the message with its length before it.
        let message = v1::CommonUsers {
            rows: vec![5, 0, 700_000],
            digest: vec![9; 32],
            overlap: Some(v1::Overlap {
                rating_users: 1_000_000,
                social_users: 10,
                common_users: 3,
            }),
        };
        let path = directory.path().join("job").join(COMMON.0);
        let write = |message: &v1::CommonUsers| {
            let old = postcard::to_extend(&message.to_record(), vec![1]).unwrap();
            std::fs::write(&path, old).unwrap();
        };
        write(&message);
        assert_eq!(load(&files).unwrap(), expected);
        write(&v1::CommonUsers {
            rows: vec![1],
            ..message
        });
        assert!(load(&files).is_err());
    }

    #[test]
    fn limits_count_what_p0_can_ask_about() {
        assert_eq!(ids_asked(4_095), 4_095);
        assert!(ids_asked(4_096) > 4_096);
        assert_eq!(ids_asked(u64::MAX), u64::MAX);
    }

    #[test]
    fn progress_never_passes_one() {
        let work = Work::of(Sizes::new(10, 20).unwrap());
        assert!((work.add(10) - 0.25).abs() < 1e-12);
        assert!((work.add(100) - 1.0).abs() < 1e-12);
        // Two messages of columns, the check, one of labels.
        let work = Work::of(Sizes::new(40_000, 20).unwrap());
        assert!((work.add(1) - 0.25).abs() < 1e-12);
    }
}
