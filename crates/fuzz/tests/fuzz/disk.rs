//! What a daemon reads back from its own disk, damaged.

#![expect(
    clippy::unwrap_used,
    reason = "the world of these tests is honest; only the bytes on disk are not"
)]

use std::sync::{Arc, OnceLock};

use s3rec_audit::entry::{Fields, fields};
use s3rec_audit::export::to_json;
use s3rec_audit::record::MAGIC;
use s3rec_audit::{Chain, Entry, Head, Kind, Signer, Value, Verified, compare, verify};
use s3rec_fuzz::{World, edited};
use s3rec_spmm::Protocol;
use s3rec_spmm::he::public_key_seed;
use s3rec_spmm::preprocessed::{MemoryStorage, RatingStock, SocialStock, StockStorage, StockTerms};

/// A world, and the record of each platform's stock in it.
struct Records {
    world: World,
    rating: Vec<u8>,
    social: Vec<u8>,
}

fn records() -> &'static Records {
    static RECORDS: OnceLock<Records> = OnceLock::new();
    RECORDS.get_or_init(|| {
        let world = World::new(Protocol::Preprocessed).unwrap();
        let terms = StockTerms {
            stock_id: [1; 16],
            rating_party: [2; 32],
            social_party: [3; 32],
            users_digest: [4; 32],
            operator_commitment: world.operand.commitment(),
            key_seed: public_key_seed(&[5; 32], &[6; 32], &[1; 16]),
            parameters: world.parameters.clone(),
        };
        let storage = Arc::new(MemoryStorage::default());
        let pattern = Arc::clone(&world.pattern);
        RatingStock::create(Arc::clone(&storage) as Arc<_>, terms.clone(), pattern).unwrap();
        let rating = storage.load().unwrap().unwrap();
        let storage = Arc::new(MemoryStorage::default());
        let operand = Arc::clone(&world.operand);
        SocialStock::create(
            Arc::clone(&storage) as Arc<_>,
            terms,
            &world.pattern,
            operand,
        )
        .unwrap();
        let social = storage.load().unwrap().unwrap();
        Records {
            world,
            rating,
            social,
        }
    })
}

fn stored(record: &[u8]) -> Arc<MemoryStorage> {
    let storage = Arc::new(MemoryStorage::default());
    storage.save(record).unwrap();
    storage
}

#[test]
fn a_stock_of_the_rating_platform() {
    let records = records();
    bolero::check!()
        .with_type::<(bool, Vec<(u16, u8)>, Vec<u8>)>()
        .for_each(|(whole, edits, tail)| {
            let record = edited(if *whole { &records.rating } else { &[] }, edits, tail);
            let pattern = Arc::clone(&records.world.pattern);
            let _ = RatingStock::open(stored(&record), pattern);
            let _ = SocialStock::openings_of(&record);
        });
}

#[test]
fn a_stock_of_the_social_platform() {
    let records = records();
    bolero::check!()
        .with_type::<(bool, Vec<(u16, u8)>, Vec<u8>)>()
        .for_each(|(whole, edits, tail)| {
            let record = edited(if *whole { &records.social } else { &[] }, edits, tail);
            let world = &records.world;
            let operand = Arc::clone(&world.operand);
            let _ = SocialStock::open(stored(&record), &world.pattern, operand);
            let _ = SocialStock::openings_of(&record);
        });
}

/// A log of these entries, chained as its owner would.
fn chained(entries: impl IntoIterator<Item = (i64, Kind, Fields)>) -> Vec<u8> {
    let (mut chain, mut bytes) = (Chain::default(), MAGIC.as_bytes().to_vec());
    for (time, kind, fields) in entries {
        // What no reader would take is not written either.
        let Ok((entry, next)) = chain.next(time, kind, fields) else {
            continue;
        };
        bytes.extend(entry);
        chain = next;
    }
    bytes
}

fn identity() -> Fields {
    let signer = Signer::generate().unwrap();
    fields([
        ("party", "own".into()),
        ("role", "rating".into()),
        ("certificate", vec![7; 40].into()),
        ("key", (*signer.public().as_bytes()).into()),
    ])
}

fn examine(verified: &Verified) {
    assert!(verified.head().is_some());
    let certificates = verified.certificates().count();
    assert!(certificates <= verified.entries.len());
    for (entry, hash) in &verified.entries {
        assert!(to_json(entry, hash).is_object());
        let _ = Head::of(entry, "rating");
    }
    let _ = compare(verified, verified);
}

/// Bytes, and an honest log with some of its bytes changed.
#[test]
fn audit_logs() {
    let honest = chained([
        (1, Kind::Identity, identity()),
        (2, Kind::Daemon, fields([("what", "started".into())])),
        (3, Kind::Opening, fields([("round", 1_u32.into())])),
    ]);
    verify(&honest).unwrap();
    bolero::check!()
        .with_type::<(bool, Vec<(u16, u8)>, Vec<u8>)>()
        .for_each(|(whole, edits, tail)| {
            let bytes = edited(if *whole { &honest } else { &[] }, edits, tail);
            let _ = Entry::decode(&bytes);
            if let Ok(verified) = verify(&bytes) {
                examine(&verified);
            }
        });
}

/// A platform may write whatever it likes into its own log, chained and hashed as it should be.
#[test]
fn audit_logs_of_hostile_entries() {
    const NAMES: [&str; 16] = [
        "job",
        "phase",
        "key",
        "party",
        "role",
        "certificate",
        "approval",
        "signature",
        "rating_log",
        "rating_sequence",
        "rating_hash",
        "rating_signature",
        "social_log",
        "social_sequence",
        "social_hash",
        "social_signature",
    ];
    let own = identity();
    bolero::check!()
        .with_type::<Vec<(i64, u8, Vec<(u8, u8, Vec<u8>)>)>>()
        .for_each(|entries| {
            let hostile = entries.iter().map(|(time, kind, given)| {
                let kind = Kind::ALL[usize::from(*kind) % Kind::ALL.len()];
                let given = given.iter().map(|(name, form, bytes)| {
                    let value = match form % 4 {
                        0 => Value::Number(bytes.len() as u64),
                        1 => Value::Text(String::from_utf8_lossy(bytes).into()),
                        2 => Value::Bytes(edited(&[0; 32], &[], bytes)),
                        _ => Value::Bytes(bytes.clone()),
                    };
                    (NAMES[usize::from(*name) % NAMES.len()].to_owned(), value)
                });
                (*time, kind, given.collect())
            });
            let log = chained(
                [(0, Kind::Identity, own.clone())]
                    .into_iter()
                    .chain(hostile),
            );
            if let Ok(verified) = verify(&log) {
                examine(&verified);
            }
        });
}
