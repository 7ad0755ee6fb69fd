//! What each kind of entry must say, and who signs it.

use s3rec_audit::entry::{Fields, fields};
use s3rec_audit::record::MAGIC;
use s3rec_audit::verify::APPROVAL;
use s3rec_audit::{
    AuditError, Chain, HeadExchange, Kind, Signer, Value, compare, head_exchange, verify,
};

use super::{Log, pair, verified};

fn first_finding(log: &Log) -> AuditError {
    verify(&log.bytes).unwrap_err().what
}

fn field(what: &AuditError) -> &'static str {
    match what {
        AuditError::Field { field } => field,
        other => panic!("{other}"),
    }
}

/// A log that begins with this entry.
fn beginning(kind: Kind, fields: Fields) -> Log {
    let mut log = Log::new("social");
    (log.chain, log.bytes, log.offsets) = (Chain::default(), MAGIC.into(), Vec::new());
    log.append(kind, fields);
    log
}

#[test]
fn a_log_begins_with_its_own_identity_and_role() {
    let signer = Signer::generate().unwrap();
    let identity = |party: &str, role: &str| {
        fields([
            ("party", party.into()),
            ("role", role.into()),
            ("certificate", vec![7; 40].into()),
            ("key", (*signer.public().as_bytes()).into()),
        ])
    };
    for role in ["rating", "social"] {
        let log = beginning(Kind::Identity, identity("own", role));
        assert_eq!(verified(&log).role, role);
    }
    let empty = verify(MAGIC.as_bytes()).unwrap_err();
    assert_eq!(field(&empty.what), "role");
    let cases = [
        (beginning(Kind::Daemon, Fields::new()), "role"),
        (beginning(Kind::Identity, identity("own", "judge")), "role"),
        (
            beginning(Kind::Identity, identity("peer", "social")),
            "party",
        ),
        (
            beginning(Kind::Identity, identity("nobody", "social")),
            "party",
        ),
    ];
    for (log, missing) in cases {
        assert_eq!(field(&first_finding(&log)), missing);
    }
    for without in ["key", "party", "role"] {
        let mut identity = identity("own", "social");
        identity.remove(without);
        let log = beginning(Kind::Identity, identity);
        assert_eq!(field(&first_finding(&log)), without);
    }
    // A point of low order, and half of one.
    for key in [[vec![1], vec![0; 31]].concat(), vec![3; 16]] {
        let mut identity = identity("own", "social");
        identity.insert("key".into(), key.into());
        assert!(verify(&beginning(Kind::Identity, identity).bytes).is_err());
    }
    let mut log = Log::new("social");
    log.append(Kind::Identity, identity("somebody", "social"));
    assert_eq!(field(&first_finding(&log)), "party");
}

#[test]
fn what_a_log_names_is_told_as_it_is() {
    let (rating, _) = pair();
    let log = verified(&rating);
    let certificate = [7; 40];
    let named: Vec<_> = log.certificates().collect();
    assert_eq!(
        named,
        [(0, "own", &certificate[..]), (1, "peer", &certificate[..])]
    );
    assert_eq!(log.head(), rating.chain.head());
    let places: Vec<u64> = log.head_exchanges.iter().map(|(place, _)| *place).collect();
    assert_eq!(places, [4, 8]);
}

#[test]
fn a_key_signs_from_its_identity_entry_on_and_no_longer_than_to_the_next() {
    let old = Log::new("social");
    let signed = |by: &Signer| {
        fields([
            ("approval", b"the terms".as_slice().into()),
            ("signature", by.sign(APPROVAL, b"the terms").into()),
        ])
    };
    let new = Signer::generate().unwrap();
    let mut log = Log::new("social");
    log.signer = old.signer;
    let own = log.identity("own", &log.signer);
    log.append(Kind::Identity, own);
    log.append(Kind::Decision, signed(&log.signer));
    let own = log.identity("own", &new);
    log.append(Kind::Identity, own);
    log.append(Kind::Decision, signed(&new));
    assert_eq!(verified(&log).approvals, 2);
    let entry = log.offsets.len() as u64;
    log.append(Kind::Decision, signed(&log.signer));
    let finding = verify(&log.bytes).unwrap_err();
    assert_eq!(finding.entry, entry);
    assert!(matches!(finding.what, AuditError::Signature { .. }));
}

/// A peer that changes between certificates is named once by each of them: any of their keys signs
/// for it until the next start, and the one met last beyond that.
#[test]
fn each_certificate_of_the_peer_signs_for_it_until_another_start() {
    let (first, second) = (Signer::generate().unwrap(), Signer::generate().unwrap());
    let mut log = Log::new("rating");
    let signed = |by: &Signer| {
        fields([
            ("approval", b"the terms".as_slice().into()),
            ("signature", by.sign(APPROVAL, b"the terms").into()),
        ])
    };
    let refused = |log: &Log, by: &Signer| {
        let mut log = Log {
            role: log.role,
            signer: Signer::generate().unwrap(),
            chain: log.chain.clone(),
            bytes: log.bytes.clone(),
            offsets: log.offsets.clone(),
        };
        log.append(Kind::Decision, signed(by));
        verify(&log.bytes).is_err()
    };
    for peer in [&first, &second] {
        assert!(refused(&log, peer), "before it was met");
        let entry = log.identity("peer", peer);
        log.append(Kind::Identity, entry);
    }
    for peer in [&second, &first, &second] {
        log.append(Kind::Decision, signed(peer));
    }
    assert_eq!(verified(&log).approvals, 3);
    let own = log.identity("own", &log.signer);
    log.append(Kind::Identity, own);
    assert!(refused(&log, &first) && !refused(&log, &second));
}

/// In P0's log approvals are by P1, in P1's by itself.
#[test]
fn approvals_are_by_the_social_platform_in_either_log() {
    let social = Signer::generate().unwrap();
    let mut log = Log::new("rating");
    let by = |signer: &Signer| {
        fields([
            ("approval", b"terms".as_slice().into()),
            ("signature", signer.sign(APPROVAL, b"terms").into()),
        ])
    };
    let before_any_peer = {
        let mut log = Log::new("rating");
        log.append(Kind::Decision, by(&social));
        log
    };
    assert_eq!(field(&first_finding(&before_any_peer)), "key");
    let peer = log.identity("peer", &social);
    log.append(Kind::Identity, peer);
    log.append(Kind::Decision, by(&social));
    assert_eq!(verified(&log).approvals, 1);
    let mut unsigned = by(&social);
    unsigned.remove("signature");
    let own = by(&log.signer);
    let before = (log.chain.clone(), log.bytes.clone());
    log.append(Kind::Decision, own);
    assert!(matches!(first_finding(&log), AuditError::Signature { .. }));
    (log.chain, log.bytes) = before;
    log.append(Kind::Decision, unsigned);
    assert_eq!(field(&first_finding(&log)), "signature");
    // A rejection needs none.
    let mut log = Log::new("social");
    log.append(Kind::Decision, fields([("reason", "no".into())]));
    assert_eq!(verified(&log).approvals, 0);
}

#[test]
fn a_meeting_needs_both_keys_both_signatures_and_every_field() {
    let (mut rating, social) = (Log::new("rating"), Log::new("social"));
    let heads = HeadExchange {
        job: "job".into(),
        phase: "online".into(),
        rating: rating.chain.head().unwrap(),
        social: social.chain.head().unwrap(),
    };
    let by = |log: &Log| log.signer.sign(head_exchange::LABEL, &heads.statement());
    let entry = heads.fields(&by(&rating), &by(&social));
    let append = |log: &Log, kind, fields| {
        let mut more = Log::new("rating");
        (more.chain, more.bytes) = (log.chain.clone(), log.bytes.clone());
        more.offsets = log.offsets.clone();
        more.append(kind, fields);
        more
    };
    let early = append(&rating, Kind::HeadExchange, entry.clone());
    assert_eq!(field(&first_finding(&early)), "key");
    let peer = rating.identity("peer", &social.signer);
    rating.append(Kind::Identity, peer);
    assert_eq!(
        verified(&append(&rating, Kind::HeadExchange, entry.clone()))
            .head_exchanges
            .len(),
        1
    );
    for name in entry.keys() {
        let mut less = entry.clone();
        less.remove(name);
        let what = first_finding(&append(&rating, Kind::HeadExchange, less));
        assert!(matches!(what, AuditError::Field { .. }), "{name}: {what}");
        // Any other value is another statement, or no signature over this one.
        let mut other = entry.clone();
        let changed = match &entry[name] {
            Value::Number(number) => Value::Number(number ^ 1),
            Value::Text(text) => Value::Text(format!("{text}x")),
            Value::Bytes(bytes) => Value::Bytes(bytes.iter().map(|byte| byte ^ 1).collect()),
        };
        other.insert(name.clone(), changed);
        let what = first_finding(&append(&rating, Kind::HeadExchange, other));
        assert!(
            matches!(what, AuditError::Signature { .. }),
            "{name}: {what}"
        );
    }
    // Signatures of one over both places are none of the other.
    let swapped = heads.fields(&by(&social), &by(&rating));
    let what = first_finding(&append(&rating, Kind::HeadExchange, swapped));
    assert!(matches!(what, AuditError::Signature { .. }));
}

/// As long as the signed one, and sound in itself: only its hashes tell.
#[test]
fn another_log_of_the_same_length_is_not_the_signed_one() {
    let (rating, social) = pair();
    let (other_rating, other_social) = pair();
    let all = [&rating, &social, &other_rating, &other_social].map(verified);
    let [rating, social, other_rating, other_social] = &all;
    assert_eq!(rating.entries.len(), other_rating.entries.len());
    compare(other_rating, other_social).unwrap();
    for compared in [compare(other_rating, social), compare(rating, other_social)] {
        assert!(
            matches!(compared, Err(AuditError::Head { sequence: 3, .. })),
            "{compared:?}"
        );
    }
}

/// A head that both signed, of which the hash or the log is another one than stands there.
#[test]
fn a_signed_head_is_held_against_hash_and_log() {
    type Change = fn(&mut HeadExchange);
    let changes: [(Change, &str); 4] = [
        (|heads| heads.social.hash[0] ^= 1, "this"),
        (|heads| heads.social.log[0] ^= 1, "this"),
        (|heads| heads.rating.hash[0] ^= 1, "the rating platform's"),
        (|heads| heads.rating.log[0] ^= 1, "the rating platform's"),
    ];
    for (change, whose) in changes {
        let (rating, mut social) = pair();
        let mut heads = HeadExchange {
            job: "job".into(),
            phase: "online".into(),
            rating: rating.chain.head().unwrap(),
            social: social.chain.head().unwrap(),
        };
        change(&mut heads);
        let by = |log: &Log| log.signer.sign(head_exchange::LABEL, &heads.statement());
        let entry = heads.fields(&by(&rating), &by(&social));
        social.append(Kind::HeadExchange, entry);
        let found = verify(&social.bytes).map_err(|finding| finding.what);
        let found = found.and_then(|social| compare(&verified(&rating), &social));
        let Err(AuditError::Head {
            whose: named,
            sequence,
        }) = found
        else {
            panic!("{found:?}")
        };
        assert_eq!((named, sequence), (whose, 9));
    }
}
