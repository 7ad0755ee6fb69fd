//! Models: the daemon's own files, the chunks that a client joins, and the files for others.

#![expect(
    clippy::unwrap_used,
    reason = "what was joined is written and read without an error, or the target has found one"
)]

use std::fs;

use s3rec_cli::client::{gather, tensors};
use s3rec_fuzz::edited;
use s3rec_wire::record::Record;
use s3rec_wire::v1;
use safetensors::SafeTensors;
use v1::model_chunk::Part;
use v1::model_rows::Side;

/// The rating platform's file: format 1, mean, scale, the ids of two users and an item, one
/// column, their values, and the bound (postcard).
fn stored() -> Vec<u8> {
    let mut bytes = vec![1];
    for real in [3.0_f64, 1.0, 5.0] {
        bytes.extend(real.to_le_bytes());
    }
    bytes.extend([2, 1, b'a', 1, b'b', 1, 1, b'x', 1, 2]);
    bytes.extend([0.5_f64, -0.5].map(f64::to_le_bytes).concat());
    bytes.push(1);
    bytes.extend(0.25_f64.to_le_bytes());
    bytes.push(24);
    bytes
}

#[test]
fn models_on_disk() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model");
    let stored = stored();
    fs::write(&path, &stored).unwrap();
    s3rec_rating::check_model(directory.path(), "model").unwrap();
    bolero::check!()
        .with_type::<(bool, Vec<(u16, u8)>, Vec<u8>)>()
        .for_each(|(whole, edits, tail)| {
            let base = if *whole { stored.as_slice() } else { &[] };
            fs::write(&path, edited(base, edits, tail)).unwrap();
            let _ = s3rec_rating::check_model(directory.path(), "model");
        });
}

/// Chunks as messages, lengths in front: whatever joins is what the files hold.
#[test]
fn exported_models() {
    bolero::check!()
        .with_type::<Vec<Vec<u8>>>()
        .for_each(|messages| {
            let chunks = messages.iter().map_while(|bytes| chunk(bytes));
            written(chunks);
        });
}

/// Chunks of the right kind with wrong sizes and orders.
#[test]
fn exported_rows() {
    bolero::check!()
        .with_type::<(u8, u8, Vec<(bool, u8, u8, u8)>)>()
        .for_each(|(rank, users, runs)| {
            let header = v1::ModelHeader {
                model_id: "m".into(),
                rank: u32::from(*rank % 4),
                users: u64::from(*users % 8),
                items: 1,
                ..Default::default()
            };
            let rows = runs.iter().map(|(user, first, ids, factors)| {
                let (ids, side) = (
                    usize::from(*ids % 4),
                    if *user { Side::User } else { Side::Item },
                );
                Part::Rows(v1::ModelRows {
                    side: side.into(),
                    first_row: u64::from(*first % 8),
                    ids: vec!["id".into(); ids],
                    biases: vec![0.5; ids],
                    factors: vec![1.0; usize::from(*factors % 16)],
                })
            });
            let parts = [Part::Header(header)].into_iter().chain(rows);
            written(parts.map(|part| v1::ModelChunk { part: Some(part) }));
        });
}

fn chunk(bytes: &[u8]) -> Option<v1::ModelChunk> {
    v1::ModelChunk::from_record(bytes).ok()
}

/// Joins chunks, writes the tensors and reads them as another program would.
fn written(chunks: impl Iterator<Item = v1::ModelChunk>) {
    let Ok(model) = gather(chunks) else {
        return;
    };
    let bytes = tensors(&model).unwrap();
    let read = SafeTensors::deserialize(&bytes).unwrap();
    let users = read.tensor("user_factors").unwrap();
    assert_eq!(users.shape(), [model.users.len(), model.rank]);
    let items = read.tensor("item_factors").unwrap();
    assert_eq!(items.shape(), [model.items.len(), model.rank]);
}
