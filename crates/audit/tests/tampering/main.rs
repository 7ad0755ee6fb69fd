//! Whatever is changed in a log is found, and by the entry where it stands.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod entries;

use s3rec_audit::entry::{Fields, fields};
use s3rec_audit::record::MAGIC;
use s3rec_audit::verify::APPROVAL;
use s3rec_audit::{
    AuditError, Chain, HeadExchange, Kind, Signer, Value, Verified, compare, head_exchange, verify,
};

/// One platform's log under construction.
struct Log {
    role: &'static str,
    signer: Signer,
    chain: Chain,
    bytes: Vec<u8>,
    /// Where each entry begins.
    offsets: Vec<usize>,
}

impl Log {
    fn new(role: &'static str) -> Self {
        let signer = Signer::generate().unwrap();
        let mut log = Self {
            role,
            chain: Chain::default(),
            bytes: MAGIC.into(),
            offsets: Vec::new(),
            signer,
        };
        let own = log.identity("own", &log.signer);
        log.append(Kind::Identity, own);
        log
    }

    fn identity(&self, party: &str, signer: &Signer) -> Fields {
        fields([
            ("party", party.into()),
            ("role", self.role.into()),
            ("certificate", vec![7; 40].into()),
            ("key", (*signer.public().as_bytes()).into()),
        ])
    }

    fn append(&mut self, kind: Kind, fields: Fields) {
        let time = 1_700_000_000_000 + self.offsets.len() as i64;
        let (bytes, chain) = self.chain.next(time, kind, fields).unwrap();
        self.offsets.push(self.bytes.len());
        self.bytes.extend(bytes);
        self.chain = chain;
    }
}

fn meet(rating: &mut Log, social: &mut Log, phase: &str) {
    let heads = HeadExchange {
        job: "job".into(),
        phase: phase.into(),
        rating: rating.chain.head().unwrap(),
        social: social.chain.head().unwrap(),
    };
    let signed = |log: &Log| log.signer.sign(head_exchange::LABEL, &heads.statement());
    let entry = heads.fields(&signed(rating), &signed(social));
    rating.append(Kind::HeadExchange, entry.clone());
    social.append(Kind::HeadExchange, entry);
}

/// Both logs of one small job.
fn pair() -> (Log, Log) {
    let (mut rating, mut social) = (Log::new("rating"), Log::new("social"));
    let (of_rating, of_social) = (
        social.identity("peer", &rating.signer),
        rating.identity("peer", &social.signer),
    );
    social.append(Kind::Identity, of_rating);
    rating.append(Kind::Identity, of_social);
    let job = || ("job", Value::from("job"));
    let signature = social.signer.sign(APPROVAL, b"the terms");
    for log in [&mut rating, &mut social] {
        log.append(
            Kind::Proposal,
            fields([job(), ("purpose", "a test".into())]),
        );
        let decision = fields([
            job(),
            ("approval", b"the terms".as_slice().into()),
            ("signature", signature.into()),
        ]);
        log.append(Kind::Decision, decision);
    }
    meet(&mut rating, &mut social, "alignment");
    for round in 1_u32..=3 {
        for log in [&mut rating, &mut social] {
            log.append(Kind::Opening, fields([job(), ("round", round.into())]));
        }
    }
    meet(&mut rating, &mut social, "online");
    for log in [&mut rating, &mut social] {
        log.append(Kind::End, fields([job(), ("state", "finished".into())]));
    }
    (rating, social)
}

fn verified(log: &Log) -> Verified {
    verify(&log.bytes).unwrap()
}

#[test]
fn an_untouched_pair_of_logs_is_sound() {
    let (rating, social) = pair();
    let (rating, social) = (verified(&rating), verified(&social));
    assert_eq!(
        (rating.role.as_str(), social.role.as_str()),
        ("rating", "social")
    );
    assert_eq!((rating.head_exchanges.len(), rating.approvals), (2, 1));
    assert_eq!(rating.certificates().count(), 2);
    compare(&rating, &social).unwrap();
}

#[test]
fn every_changed_byte_is_found_in_its_entry() {
    let (rating, social) = pair();
    for log in [rating, social] {
        for place in 0..log.bytes.len() {
            let entry = log
                .offsets
                .iter()
                .filter(|&&offset| offset <= place)
                .count();
            for flip in [0x01, 0x80, 0xff, 0x20] {
                let mut bytes = log.bytes.clone();
                bytes[place] ^= flip;
                let finding = verify(&bytes).unwrap_err();
                let found = finding.entry;
                assert_eq!(
                    found,
                    entry.saturating_sub(1) as u64,
                    "byte {place}: {finding}"
                );
            }
        }
    }
}

#[test]
fn every_truncation_is_found_here_or_by_the_peers_signed_heads() {
    let (rating, social) = pair();
    let whole = verified(&social);
    let last_signed = whole.head_exchanges.last().unwrap().1.rating.sequence;
    for length in 0..rating.bytes.len() {
        let cut = verify(&rating.bytes[..length]);
        let Ok(cut) = cut else { continue };
        // Only between two entries does the rest look like a log of its own.
        let entries = cut.entries.len();
        assert_eq!(rating.offsets[entries], length);
        let compared = compare(&cut, &whole);
        if entries as u64 <= last_signed {
            let lost = matches!(compared, Err(AuditError::Truncated { .. }));
            assert!(lost, "{length}: {compared:?}");
        } else {
            compared.unwrap();
        }
    }
}

#[test]
fn a_log_that_its_owner_wrote_anew_lacks_the_peers_signature() {
    let (rating, social) = pair();
    let original = verified(&social);
    // The same entries with one opening less, all hashes made anew.
    let mut forged = Log {
        role: "social",
        signer: Signer::generate().unwrap(),
        chain: Chain::default(),
        bytes: MAGIC.into(),
        offsets: Vec::new(),
    };
    forged.signer = social.signer;
    for (entry, _) in &original.entries {
        if entry.number("round") != Some(2) {
            forged.append(entry.kind, entry.fields.clone());
        }
    }
    let finding = verify(&forged.bytes).unwrap_err();
    // The second meeting names a head that this log does not have.
    assert!(matches!(
        finding.what,
        AuditError::Head { .. } | AuditError::Truncated { .. }
    ));

    // Without meetings nothing is wrong in itself, but the peer's log knows better.
    let mut forged = Log {
        chain: Chain::default(),
        bytes: MAGIC.into(),
        offsets: Vec::new(),
        ..forged
    };
    for (entry, _) in &original.entries {
        if entry.kind != Kind::HeadExchange && entry.number("round") != Some(2) {
            forged.append(entry.kind, entry.fields.clone());
        }
    }
    let forged = verified(&forged);
    assert!(compare(&verified(&rating), &forged).is_err());
}

#[test]
fn another_key_signs_neither_approvals_nor_heads() {
    let (rating, mut social) = pair();
    let stranger = Signer::generate().unwrap();
    let approval = fields([
        ("approval", b"other terms".as_slice().into()),
        ("signature", stranger.sign(APPROVAL, b"other terms").into()),
    ]);
    let before = social.offsets.len() as u64;
    social.append(Kind::Decision, approval);
    let finding = verify(&social.bytes).unwrap_err();
    assert_eq!(finding.entry, before);
    assert!(matches!(finding.what, AuditError::Signature { .. }));

    let mut rating = rating;
    let heads = HeadExchange {
        job: "job".into(),
        phase: "online".into(),
        rating: rating.chain.head().unwrap(),
        social: rating.chain.head().unwrap(),
    };
    let by = |signer: &Signer| signer.sign(head_exchange::LABEL, &heads.statement());
    let entry = heads.fields(&by(&rating.signer), &by(&stranger));
    rating.append(Kind::HeadExchange, entry);
    let finding = verify(&rating.bytes).unwrap_err();
    assert!(
        matches!(finding.what, AuditError::Signature { signer, .. } if signer.contains("social"))
    );
}
