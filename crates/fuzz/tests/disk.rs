//! What a daemon reads back from its own disk, damaged.

#![expect(
    clippy::unwrap_used,
    reason = "the world of these tests is honest; only the bytes on disk are not"
)]

use std::sync::{Arc, OnceLock};

use s3rec_audit::{Entry, verify};
use s3rec_fuzz::{World, edited};
use s3rec_spmm::Protocol;
use s3rec_spmm::he::public_key_seed;
use s3rec_spmm::preprocessed::{
    MemoryStorage, RatingStock, SocialStock, StockStorage, StockSummary, StockTerms,
};

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
            let _ = StockSummary::read_rating(&record);
            let _ = StockSummary::read_social(&record);
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
            let _ = StockSummary::read_rating(&record);
            let _ = StockSummary::read_social(&record);
        });
}

#[test]
fn audit_logs() {
    bolero::check!().for_each(|bytes: &[u8]| {
        let _ = Entry::decode(bytes);
        if let Ok(verified) = verify(bytes) {
            let _ = verified.head();
            assert!(verified.certificates().count() <= bytes.len());
        }
    });
}
