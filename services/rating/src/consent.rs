//! P1's consent as P0 takes it: a signature over exactly what was proposed, by the platform that
//! is pinned, kept, and in force.

use s3rec_audit::{Kind, PublicKey};
use s3rec_job::{Account, Approval, Proposal, SignedApproval};
use s3rec_node::audit::APPROVAL_LABEL;
use s3rec_node::process::latest_unix_ms;
use s3rec_wire::convert::approval_from_bytes;
use s3rec_wire::status::{Fault, Reason};

use crate::connection::PeerConnection;
use crate::ledger;
use crate::platform::Platform;
use crate::tables::{APPROVALS, MISSING, PROPOSALS};

/// Takes the approval of a job, or looks at the kept one again; refuses to start on anything
/// else. `heard` is what P1 has sent, empty where it sent nothing.
pub(crate) fn accept(
    platform: &Platform,
    connection: &PeerConnection,
    job: &str,
    heard: &SignedApproval,
) -> Result<Approval, Fault> {
    let stored: Option<SignedApproval> = platform.store.get(APPROVALS, job)?;
    let signed = one_approval(stored.as_ref(), heard)?;
    let proposed: Option<Proposal> = platform.store.get(PROPOSALS, job)?;
    let between = platform.pins();
    let approval = check(signed, proposed.as_ref(), &connection.social_key, between)?;
    if stored.is_none() {
        let entry = [
            ("job", job.into()),
            ("decision", "approved".into()),
            ("by", connection.peer.as_str().into()),
            ("approval", signed.approval.as_slice().into()),
            ("signature", signed.signature.as_slice().into()),
        ];
        platform.audit.record(Kind::Decision, entry)?;
        platform.store.put(APPROVALS, job, signed)?;
    }
    agree_on_the_past(platform, job, &approval)?;
    Ok(approval)
}

/// The approval that is kept, or the heard one where none is: once there is one, P1 may say nothing
/// or the same again.
fn one_approval<'a>(
    stored: Option<&'a SignedApproval>,
    heard: &'a SignedApproval,
) -> Result<&'a SignedApproval, Fault> {
    match stored {
        Some(stored) if !heard.approval.is_empty() && stored != heard => Err(not_signed(
            "the social platform now shows another approval than before",
        )),
        _ => Ok(stored.unwrap_or(heard)),
    }
}

/// The approval in `signed`, where P1's key has signed it, over exactly what was proposed,
/// between these two certificates (P0's pin and P1's), and it has not expired.
fn check(
    signed: &SignedApproval,
    proposed: Option<&Proposal>,
    social_key: &PublicKey,
    between: ([u8; 32], [u8; 32]),
) -> Result<Approval, Fault> {
    if !social_key.has_signed(APPROVAL_LABEL, &signed.approval, &signed.signature) {
        return Err(not_signed(
            "the approval does not have the social platform's signature",
        ));
    }
    let approval = approval_from_bytes(&signed.approval)
        .map_err(|error| not_signed(&format!("the approval does not read: {error}")))?;
    if proposed != Some(&approval.proposal) {
        return Err(not_signed(
            "the social platform has signed something else than was proposed",
        ));
    }
    if (approval.rating_pin, approval.social_pin) != between {
        return Err(not_signed("the approval is between other platforms"));
    }
    not_expired(&approval)?;
    Ok(approval)
}

/// Refuses an approval that is over already, for whoever is about to start by it; all else about it
/// is [`accept`]'s to judge.
pub(crate) fn refuse_expired(heard: &SignedApproval) -> Result<(), Fault> {
    approval_from_bytes(&heard.approval).map_or(Ok(()), |approval| not_expired(&approval))
}

fn not_expired(approval: &Approval) -> Result<(), Fault> {
    if latest_unix_ms() <= approval.expires_unix_ms {
        return Ok(());
    }
    let message = "the social platform's approval has expired";
    Err(Fault::new(Reason::Expired, message))
}

/// Before a job's first opening: what P1 has signed that it counted must be what we counted.
/// Where it counted more, we have lost records, and go on from its number; where it counted
/// less, it has.
fn agree_on_the_past(platform: &Platform, job: &str, approval: &Approval) -> Result<(), Fault> {
    let lineage = &approval.social_lineage;
    let ours = ledger::account(platform, lineage, Some(job))?;
    let ours = ours.counters;
    // Jobs that ended after the approval was signed count in ours only.
    if ours.contains(&approval.before) {
        return Ok(());
    }
    let missing = approval.before.beyond(&ours);
    tracing::warn!("the social platform has counted openings that this platform has no record of");
    let entry = [
        ("job", job.into()),
        (
            "learnt",
            "openings that this platform has no record of".into(),
        ),
        ("missing_openings", missing.openings.into()),
        ("missing_columns", missing.opened_columns.into()),
        ("missing_values", missing.opened_values.into()),
    ];
    platform.audit.record(Kind::Disclosure, entry)?;
    let key = ledger::hexadecimal(lineage);
    let before: Option<Account> = platform.store.get(MISSING, &key)?;
    let before = before.map(|before| before.counters).unwrap_or_default();
    let record = Account {
        lineage: lineage.to_vec(),
        counters: before.plus(&missing),
        ..Account::default()
    };
    Ok(platform.store.put(MISSING, &key, &record)?)
}

fn not_signed(message: &str) -> Fault {
    Fault::new(Reason::NotSigned, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use s3rec_audit::Signer;
    use s3rec_job::{Counters, JobId, Proposal, SignedApproval, Terms};
    use s3rec_model::SolverKind;
    use s3rec_sparse::{BoundsRule, OperatorKind, PublicBounds, StatedBounds};
    use s3rec_spmm::{PatternPolicy, Protocol, ReleasePolicy};
    use s3rec_testkit::fields::one_field_changed;
    use s3rec_wire::convert::{approval_to_bytes, proposal_from_wire, proposal_to_wire};
    use s3rec_wire::record::Record;
    use s3rec_wire::v1;

    const BETWEEN: ([u8; 32], [u8; 32]) = ([1; 32], [2; 32]);

    fn approval() -> Approval {
        let proposal = Proposal {
            job: JobId::random(),
            purpose: "a test".into(),
            rank: 10,
            solver: SolverKind::Als,
            operator: OperatorKind::Laplacian,
            rounds: 5,
            social_weight: Some(1.0),
            regularization: None,
            learning_rate: None,
            social_bias_weight: 1.0,
            protocol: Protocol::Preprocessed,
            pattern: PatternPolicy::Nothing,
            release: ReleasePolicy::Noised {
                sigma: 4.0,
                row_norm_beta: 1.0,
                delta: 1e-6,
            },
            saturation_bound: 8.0,
            guard_bits: 2,
            id_rule: "nfc-trim".into(),
            terms: Terms {
                most_common_users: 100,
                expires_unix_ms: i64::MAX - 1,
                ..Terms::default()
            },
        };
        Approval {
            proposal,
            social_commitment: [3; 32],
            social_lineage: [4; 16],
            approved_unix_ms: 1,
            expires_unix_ms: i64::MAX - 1,
            rating_pin: BETWEEN.0,
            social_pin: BETWEEN.1,
            before: Counters::default(),
            bounds: PublicBounds {
                stated: StatedBounds {
                    degree: 128,
                    links: 4096,
                },
                rule: BoundsRule::Stated,
            },
        }
    }

    fn signed(signer: &Signer, approval: Vec<u8>) -> SignedApproval {
        let signature = signer.sign(APPROVAL_LABEL, &approval).to_vec();
        SignedApproval {
            approval,
            signature,
        }
    }

    #[test]
    fn a_proposal_changed_by_any_one_field_is_not_the_approved_one() {
        let signer = Signer::generate().unwrap();
        let approval = approval();
        let proposed = approval.proposal.clone();
        let message = v1::Approval::from_record(&approval_to_bytes(&approval)).unwrap();
        let accepted = signed(&signer, approval_to_bytes(&approval));
        let key = signer.public();
        assert_eq!(
            check(&accepted, Some(&proposed), &key, BETWEEN).unwrap(),
            approval
        );

        let changes = one_field_changed(
            s3rec_wire::FILE_DESCRIPTOR_SET,
            "s3rec.v1.PeerProposal",
            &proposal_to_wire(&proposed).to_record(),
        );
        assert!(changes.len() > 30, "{}", changes.len());
        let mut others = 0;
        for (field, bytes) in changes {
            // P1 signs something else than was proposed.
            let other = v1::PeerProposal::from_record(&bytes).unwrap();
            let approved = v1::Approval {
                proposal: Some(other.clone()),
                ..message.clone()
            };
            let theirs = signed(&signer, approved.to_record());
            let refused = check(&theirs, Some(&proposed), &key, BETWEEN).unwrap_err();
            assert_eq!(refused.reason, Reason::NotSigned, "{field}");
            // P0 has changed what it proposed, to another proposal that there can be.
            if let Ok(other) = proposal_from_wire(&other) {
                others += 1;
                let refused = check(&accepted, Some(&other), &key, BETWEEN).unwrap_err();
                assert_eq!(refused.reason, Reason::NotSigned, "{field}");
            }
        }
        assert!(others > 15, "{others}");
        let unknown = check(&accepted, None, &key, BETWEEN).unwrap_err();
        assert_eq!(unknown.reason, Reason::NotSigned);
    }

    #[test]
    fn a_signature_is_over_every_field_of_an_approval_by_the_pinned_platform() {
        let signer = Signer::generate().unwrap();
        let approval = approval();
        let proposed = approval.proposal.clone();
        let accepted = signed(&signer, approval_to_bytes(&approval));
        let descriptors = s3rec_wire::FILE_DESCRIPTOR_SET;
        for (field, bytes) in
            one_field_changed(descriptors, "s3rec.v1.Approval", &accepted.approval)
        {
            let changed = SignedApproval {
                approval: bytes,
                ..accepted.clone()
            };
            let refused = check(&changed, Some(&proposed), &signer.public(), BETWEEN);
            assert_eq!(refused.unwrap_err().reason, Reason::NotSigned, "{field}");
        }
        let stranger = Signer::generate().unwrap();
        for (approval, key, between) in [
            (accepted.clone(), stranger.public(), BETWEEN),
            (
                signed(&stranger, approval_to_bytes(&approval)),
                signer.public(),
                BETWEEN,
            ),
            (accepted, signer.public(), (BETWEEN.0, [9; 32])),
        ] {
            let refused = check(&approval, Some(&proposed), &key, between);
            assert_eq!(refused.unwrap_err().reason, Reason::NotSigned);
        }
    }

    #[test]
    fn a_job_has_one_approval() {
        let signer = Signer::generate().unwrap();
        let first = signed(&signer, approval_to_bytes(&approval()));
        let nothing = SignedApproval::default();
        assert_eq!(one_approval(None, &first), Ok(&first));
        assert_eq!(one_approval(Some(&first), &first), Ok(&first));
        assert_eq!(one_approval(Some(&first), &nothing), Ok(&first));
        // As well signed as the first.
        let mut longer = approval();
        longer.expires_unix_ms += 1;
        let second = signed(&signer, approval_to_bytes(&longer));
        let refused = one_approval(Some(&first), &second).unwrap_err();
        assert_eq!(refused.reason, Reason::NotSigned);
    }

    #[test]
    fn an_expired_approval_is_refused() {
        let signer = Signer::generate().unwrap();
        let mut approval = approval();
        approval.expires_unix_ms = latest_unix_ms() - 1;
        let proposed = approval.proposal.clone();
        let expired = signed(&signer, approval_to_bytes(&approval));
        let refused = check(&expired, Some(&proposed), &signer.public(), BETWEEN);
        assert_eq!(refused.unwrap_err().reason, Reason::Expired);
    }
}
