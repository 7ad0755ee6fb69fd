//! Known answers: entries, records, statements and the signatures over them.

use ed25519_dalek::SigningKey;
use s3rec_vectors::Vectors;

use crate::entry::{Fields, fields};
use crate::record::MAGIC;
use crate::{Chain, Head, HeadExchange, Kind, Signer, Value, head_exchange};

fn signer(tag: u8) -> Signer {
    Signer(SigningKey::from_bytes(&[tag; 32]))
}

#[test]
fn entries_records_and_signatures_are_the_known_ones() {
    let mut vectors = Vectors::new("audit logs: entries as records, meetings, signatures");
    vectors.group("the beginning of a file, then records, each behind those before it");
    vectors.bytes("magic", MAGIC.as_bytes());
    let entries: [(&str, i64, Kind, Fields); 4] = [
        (
            "identity",
            1,
            Kind::Identity,
            fields([
                ("party", "own".into()),
                ("role", "rating".into()),
                ("key", (*signer(7).public().as_bytes()).into()),
            ]),
        ),
        ("nothing", -1, Kind::Daemon, Fields::new()),
        (
            "text",
            1_795_000_000_000,
            Kind::Call,
            fields([("who", "größe".into()), ("", "".into())]),
        ),
        (
            "all",
            i64::MAX,
            Kind::Opening,
            fields([
                ("round", u64::MAX.into()),
                ("job", "67e55044-10b1-426f-9247-bb680e5fe0c8".into()),
                ("digest", Value::Bytes(vec![1; 32])),
            ]),
        ),
    ];
    let mut chain = Chain::default();
    for (name, time, kind, fields) in entries {
        let (record, next) = chain.next(time, kind, fields).unwrap();
        vectors.bytes(name, &record);
        chain = next;
    }
    let head = chain.head().unwrap();
    vectors.bytes("head.log", &head.log);
    vectors.bytes("head.hash", &head.hash);
    vectors.group("numbers of the kinds, each as an entry without fields");
    for kind in Kind::ALL {
        let (record, _) = Chain::default().next(0, *kind, Fields::new()).unwrap();
        vectors.bytes(kind.name(), &record[..record.len() - 32]);
    }
    vectors.group("both platforms' heads: what is signed, and by the key of thirty-two sevens");
    let heads = HeadExchange {
        job: "67e55044-10b1-426f-9247-bb680e5fe0c8".into(),
        phase: "online".into(),
        rating: head,
        social: Head {
            log: [3; 32],
            sequence: 258,
            hash: [4; 32],
        },
    };
    let statement = heads.statement();
    let signature = signer(7).sign(head_exchange::LABEL, &statement);
    vectors.bytes("statement", &statement);
    vectors.bytes("public key", signer(7).public().as_bytes());
    vectors.bytes("signature", &signature);
    vectors.bytes(
        "signature of another label",
        &signer(7).sign("approval", &statement),
    );
    let (kept, _) = Chain::default()
        .next(5, Kind::HeadExchange, heads.fields(&signature, &[9; 64]))
        .unwrap();
    vectors.bytes("entry", &kept);
    vectors.check(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors.txt"));
}
