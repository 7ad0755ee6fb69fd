//! Every needed row arrives exactly, at the predicted cost, whatever is needed.

use proptest::prelude::*;
use s3rec_algebra::{Seed, Stream};
use s3rec_pir::{
    FetchedRow, MAX_FRAME_BYTES, PirError, PirParameters, QueryReceiver, RowTable, ServerTable,
    cost, expand, query, respond,
};

/// What one fetch put on the wire, frame by frame.
#[derive(Debug, PartialEq, Eq)]
struct FrameSizes {
    up: Vec<usize>,
    down: Vec<usize>,
}

fn table_bytes(rows: u32, row_bytes: u32, tag: u8) -> Vec<u8> {
    let mut bytes = vec![0; rows as usize * row_bytes as usize];
    Stream::new(&Seed::from_bytes([tag; 32])).fill_bytes(&mut bytes);
    bytes
}

fn fetch(
    parameters: &PirParameters,
    tables: &[&[u8]],
    needed: &[u32],
    kept_bytes: u64,
) -> Result<(Vec<Vec<FetchedRow>>, FrameSizes), PirError> {
    let (client, message) = query(parameters, needed, &Seed::from_bytes([5; 32]))?;
    let mut sizes = FrameSizes {
        up: Vec::new(),
        down: Vec::new(),
    };
    let mut receiver = QueryReceiver::new(*parameters);
    for frame in message.frames() {
        sizes.up.push(frame.len());
        receiver.receive(&frame)?;
    }
    let selectors = expand(parameters, &receiver.finish()?, kept_bytes)?;
    let mut rounds = Vec::new();
    for bytes in tables {
        let (rows, row_bytes) = (parameters.rows(), parameters.row_bytes());
        let table = ServerTable::new(rows, row_bytes, bytes.to_vec())?;
        let mut responder = respond(&selectors, &table)?;
        let mut extraction = client.extraction();
        while let Some(frame) = responder.next_frame()? {
            sizes.down.push(frame.len());
            extraction.receive(&frame)?;
        }
        rounds.push(extraction.finish()?);
    }
    Ok((rounds, sizes))
}

fn assert_exact(fetched: &[FetchedRow], needed: &[u32], table: &[u8], row_bytes: u32) {
    let mut expected = needed.to_vec();
    expected.sort_unstable();
    expected.dedup();
    assert!(fetched.iter().map(|row| row.row).eq(expected));
    for row in fetched {
        let start = row.row as usize * row_bytes as usize;
        assert!(
            row.bytes == table[start..start + row_bytes as usize],
            "row {}",
            row.row
        );
    }
}

fn assert_as_predicted(parameters: &PirParameters, sizes: &FrameSizes, rounds: u64) {
    let predicted = cost(parameters);
    let sum = |frames: &[usize]| frames.iter().sum::<usize>() as u64;
    assert_eq!(sum(&sizes.up), predicted.upload_bytes());
    assert_eq!(sum(&sizes.down), rounds * predicted.answer_bytes);
    assert_eq!(
        sum(&sizes.up) + sum(&sizes.down),
        predicted.total_bytes(rounds)
    );
    assert!(
        sizes
            .up
            .iter()
            .chain(&sizes.down)
            .all(|&size| size <= MAX_FRAME_BYTES)
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn every_needed_row_is_exact(
        rows in 1_u32..400,
        row_bytes in prop_oneof![1_u32..600, 2_000_u32..2_100, 4_000_u32..4_200],
        needed_bound in 1_u32..60,
        picks in prop::collection::vec(any::<u32>(), 0..60),
        kept_bytes in prop_oneof![Just(0), Just(1 << 24), Just(u64::MAX)],
    ) {
        let parameters = PirParameters::new(rows, row_bytes, needed_bound).unwrap();
        let picks = picks.into_iter().take(needed_bound as usize);
        let needed: Vec<u32> = picks.map(|pick| pick % rows).collect();
        let table = table_bytes(rows, row_bytes, 1);
        let (fetched, sizes) = fetch(&parameters, &[&table], &needed, kept_bytes).unwrap();
        assert_exact(&fetched[0], &needed, &table, row_bytes);
        assert_as_predicted(&parameters, &sizes, 1);
    }
}

#[test]
fn none_and_all_of_the_bound_are_fetched_at_one_price() {
    // More than one query ciphertext, and an answer of several frames.
    let parameters = PirParameters::new(900, 5_000, 300).unwrap();
    let table = table_bytes(900, 5_000, 2);
    let full: Vec<u32> = (0..300).map(|i| 3 * i + 1).collect();
    let mut seen = Vec::new();
    for needed in [&full[..], &[], &full[..1], &[899]] {
        let (fetched, sizes) = fetch(&parameters, &[&table], needed, 0).unwrap();
        assert_exact(&fetched[0], needed, &table, 5_000);
        assert_as_predicted(&parameters, &sizes, 1);
        seen.push(sizes);
    }
    assert!(seen.windows(2).all(|pair| pair[0] == pair[1]));
    assert!(seen[0].up.len() > 1 && seen[0].down.len() > 1);
}

#[test]
fn one_query_answers_every_round() {
    let parameters = PirParameters::new(200, 700, 20).unwrap();
    let tables: Vec<_> = (0..3).map(|tag| table_bytes(200, 700, tag)).collect();
    let tables: Vec<&[u8]> = tables.iter().map(Vec::as_slice).collect();
    let needed = [0, 7, 199, 120];
    let (rounds, sizes) = fetch(&parameters, &tables, &needed, 1 << 24).unwrap();
    for (fetched, table) in rounds.iter().zip(&tables) {
        assert_exact(fetched, &needed, table, 700);
    }
    assert_as_predicted(&parameters, &sizes, 3);
}

#[test]
fn what_cannot_be_asked_for_is_refused_before_anything_is_sent() {
    let parameters = PirParameters::new(100, 10, 3).unwrap();
    let seed = Seed::from_bytes([0; 32]);
    let many = query(&parameters, &[1, 2, 3, 4], &seed).err();
    assert!(matches!(
        many,
        Some(PirError::TooManyRows {
            bound: 3,
            actual: 4
        })
    ));
    let outside = query(&parameters, &[100], &seed).err();
    assert!(matches!(
        outside,
        Some(PirError::RowOutOfRange {
            row: 100,
            rows: 100
        })
    ));
    // Duplicates count once.
    assert!(query(&parameters, &[5, 5, 5, 5, 6], &seed).is_ok());
}

#[test]
fn a_table_of_another_shape_is_refused() {
    let parameters = PirParameters::new(100, 10, 3).unwrap();
    assert!(ServerTable::new(100, 10, vec![0; 999]).is_err());
    let (_, message) = query(&parameters, &[1], &Seed::from_bytes([0; 32])).unwrap();
    let selectors = expand(&parameters, &message, 0).unwrap();
    let table = ServerTable::new(10, 100, vec![0; 1_000]).unwrap();
    assert!(matches!(
        respond(&selectors, &table).err(),
        Some(PirError::TableShape { .. })
    ));
}

/// A table whose last row is out of reach.
struct Failing;

impl RowTable for Failing {
    fn rows(&self) -> u32 {
        100
    }

    fn row_bytes(&self) -> u32 {
        10
    }

    fn read_row(&self, row: u32, out: &mut [u8]) -> std::io::Result<()> {
        out.fill(1);
        if row == 99 {
            return Err(std::io::ErrorKind::NotFound.into());
        }
        Ok(())
    }
}

#[test]
fn a_table_that_cannot_be_read_is_named() {
    let parameters = PirParameters::new(100, 10, 3).unwrap();
    let (_, message) = query(&parameters, &[1], &Seed::from_bytes([0; 32])).unwrap();
    for kept_bytes in [0, u64::MAX] {
        let selectors = expand(&parameters, &message, kept_bytes).unwrap();
        let error = respond(&selectors, &Failing).unwrap().next_frame().err();
        assert!(
            matches!(error, Some(PirError::TableRead { row: 99, .. })),
            "{error:?}"
        );
    }
}
