use std::collections::HashMap;
use std::path::PathBuf;

use proptest::prelude::*;
use safetensors::tensor::{Dtype, TensorView};

use super::*;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A safetensors file of these tensors, all float32 or 64-bit whole numbers, and texts.
    fn tensors(
        &self,
        floats: &[(&str, [usize; 2], &[f32])],
        numbers: &[(&str, &[i64])],
        texts: &[(&str, &str)],
    ) -> PathBuf {
        let floats: Vec<(String, Vec<usize>, Vec<u8>)> = floats
            .iter()
            .map(|(name, shape, values)| {
                let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
                ((*name).to_owned(), shape.to_vec(), bytes)
            })
            .collect();
        let numbers: Vec<(String, Vec<usize>, Vec<u8>)> = numbers
            .iter()
            .map(|(name, values)| {
                let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
                ((*name).to_owned(), vec![values.len()], bytes)
            })
            .collect();
        let view = |kind: Dtype| {
            move |(name, shape, bytes): &'_ (String, Vec<usize>, Vec<u8>)| {
                (name.clone(), kind, shape.clone(), bytes.clone())
            }
        };
        let all: Vec<_> = floats.iter().map(view(Dtype::F32)).collect();
        let more: Vec<_> = numbers.iter().map(view(Dtype::I64)).collect();
        let all: Vec<_> = all.into_iter().chain(more).collect();
        let views = all.iter().map(|(name, kind, shape, bytes)| {
            (
                name.clone(),
                TensorView::new(*kind, shape.clone(), bytes).unwrap(),
            )
        });
        let texts: HashMap<String, String> = texts
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        let bytes = safetensors::serialize(views, Some(texts)).unwrap();
        let path = self.path("factors.safetensors");
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// A Parquet file of ids and vectors, by our own writer: its sums are the vectors.
    fn parquet(&self, name: &str, rows: &[(&str, &[f64])]) -> PathBuf {
        let rows: Vec<FriendsRow<'_>> = rows
            .iter()
            .map(|(id, vector)| FriendsRow {
                id,
                sum: vector,
                noisy_degree: 1.5,
                estimate: &[2.0; 3],
                is_used: true,
            })
            .collect();
        let path = self.path(name);
        let mut writer = FriendsWriter::create(&path).unwrap();
        // In two runs, as they come over a connection.
        let (first, rest) = rows.split_at(rows.len() / 2);
        writer.write(first).unwrap();
        writer.write(rest).unwrap();
        writer.finish().unwrap();
        path
    }
}

fn read(path: &Path) -> Result<FactorSet, String> {
    let options = FactorOptions::default();
    FactorSet::read(path, None, &options).map_err(|error| error.to_string())
}

#[test]
fn safetensors_hold_both_sides() {
    let folder = Folder::new();
    let users = ("user_factors", [2, 2], &[1.0, 2.0, 0.0, 0.0][..]);
    let items = ("item_factors", [1, 2], &[5.0, 6.0][..]);
    let path = folder.tensors(
        &[users, items],
        &[("item_ids", &[-7])],
        &[("user_ids", "[\"ann\", \"bob\"]")],
    );
    let found = read(&path).unwrap();
    assert_eq!(found.users.ids.names().collect::<Vec<_>>(), ["ann", "bob"]);
    assert_eq!(
        (found.users.row(0), found.users.row(1)),
        (&[1.0, 2.0][..], &[0.0, 0.0][..])
    );
    let items = found.items.unwrap();
    assert_eq!(
        (items.ids.name(0), items.row(0)),
        (Some("-7"), &[5.0, 6.0][..])
    );
    let report = &found.report;
    assert_eq!((report.users, report.items, report.width), (2, 1, 2));
    assert_eq!(
        (report.zero_users, report.read_as.as_str()),
        (1, "safetensors")
    );
    // No further file beside it.
    let again = FactorSet::read(&path, Some(&path), &FactorOptions::default());
    assert!(again.is_err_and(|error| error.to_string().contains("second file")));
}

#[test]
fn what_friends_say_is_read_as_it_was_written() {
    let folder = Folder::new();
    let path = folder.parquet(
        "users.parquet",
        &[("ann", &[1.0, -2.5]), ("7", &[0.0, 4.0])],
    );
    let found = read(&path).unwrap();
    assert_eq!(found.users.ids.names().collect::<Vec<_>>(), ["ann", "7"]);
    assert_eq!(found.users.values, [1.0, -2.5, 0.0, 4.0]);
    let items = folder.parquet("items.parquet", &[("i", &[3.0, 3.0])]);
    let both = FactorSet::read(&path, Some(&items), &FactorOptions::default()).unwrap();
    assert_eq!(both.items.unwrap().values, [3.0, 3.0]);
    let wide = folder.parquet("wide.parquet", &[("i", &[3.0; 5])]);
    let refused = FactorSet::read(&path, Some(&wide), &FactorOptions::default());
    let said = refused.map(drop).unwrap_err().to_string();
    assert!(
        said.contains("2 values") && said.contains("items have 5"),
        "{said}"
    );
}

#[test]
fn bad_vectors_are_refused_by_row() {
    let folder = Folder::new();
    let good: (&str, &[f64]) = ("ann", &[1.0, 2.0]);
    for (rows, parts) in [
        (
            &[good, ("bob", &[1.0, f64::NAN])][..],
            ["row 2 (\"bob\")", "value 2"],
        ),
        (
            &[good, ("bob", &[1.0, f64::INFINITY])],
            ["row 2 (\"bob\")", "value 2"],
        ),
        (
            &[good, ("bob", &[1e300, 1.0])],
            ["row 2 (\"bob\")", "value 1"],
        ),
        (
            &[good, ("bob", &[1.0])],
            ["row 2 (\"bob\")", "1 values, those before it 2"],
        ),
        (&[good, ("bob", &[])], ["row 2 (\"bob\")", "empty"]),
        (
            &[good, ("bob", &[0.0, 1.0]), good],
            ["row 3 (\"ann\")", "a row already"],
        ),
        (
            &[("ann", &[1.0; MAX_WIDTH + 1])],
            ["row 1 (\"ann\")", "more than 512"],
        ),
        (&[good, ("", &[1.0, 2.0])], [":2:", "field user is empty"]),
    ] {
        let said = read(&folder.parquet("bad.parquet", rows))
            .map(drop)
            .unwrap_err();
        assert!(parts.iter().all(|part| said.contains(part)), "{said}");
    }
    let path = folder.parquet("good.parquet", &[good, ("bob", &[1.0, 0.0])]);
    let found = read(&path).unwrap();
    let (ann, items): (IdTable, IdTable) = (["ann"].iter().collect(), IdTable::new());
    let said = found
        .check_known(&path, &ann, &items)
        .unwrap_err()
        .to_string();
    assert!(
        said.contains("row 2 (\"bob\")") && said.contains("no such user"),
        "{said}"
    );
    let both: IdTable = ["bob", "ann"].iter().collect();
    found.check_known(&path, &both, &items).unwrap();
}

#[test]
fn tensors_that_do_not_fit_are_refused() {
    let folder = Folder::new();
    let users = ("user_factors", [2, 1], &[1.0, 2.0][..]);
    type Case<'c> = (
        &'c [(&'c str, [usize; 2], &'c [f32])],
        &'c [i64],
        &'c str,
        &'c str,
    );
    let cases: [Case<'_>; 5] = [
        (&[users], &[], "", "no user_ids"),
        (&[users], &[1], "", "1 ids"),
        (&[users], &[], "[1, 2]", "metadata user_ids"),
        (&[], &[1], "", "no tensor user_factors"),
        (
            &[users],
            &[3, 3],
            "",
            "row 2 (\"3\"): this user has a row already",
        ),
    ];
    for (floats, numbers, text, part) in cases {
        let numbers = [("user_ids", numbers)];
        let texts = [("user_ids", text)];
        let path = folder.tensors(
            floats,
            if numbers[0].1.is_empty() {
                &[]
            } else {
                &numbers
            },
            if text.is_empty() { &[] } else { &texts },
        );
        let said = read(&path).map(drop).unwrap_err();
        assert!(said.contains(part), "{said}");
        std::fs::write(&path, b"{").unwrap();
        let said = read(&path).map(drop).unwrap_err();
        assert!(said.contains("neither Parquet nor safetensors"), "{said}");
    }
}

#[test]
fn ids_follow_the_rule_of_the_ratings() {
    let folder = Folder::new();
    let path = folder.parquet("users.parquet", &[("Ann", &[1.0]), ("BOB ", &[2.0])]);
    let options = FactorOptions {
        ids: IdRule::NfcTrimCaseFold,
        ..FactorOptions::default()
    };
    let found = FactorSet::read(&path, None, &options).unwrap();
    assert_eq!(found.users.ids.names().collect::<Vec<_>>(), ["ann", "bob"]);
    let tight = FactorOptions {
        max_bytes: 10,
        ..options
    };
    let refused = FactorSet::read(&path, None, &tight);
    assert!(matches!(
        refused,
        Err(DataError::TooLarge { limit: 10, .. })
    ));
}

proptest! {
    #[test]
    fn no_bytes_end_in_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), mark in any::<bool>()) {
        let folder = Folder::new();
        let path = folder.path("any");
        let bytes = if mark { [b"PAR1", &bytes[..], b"PAR1"].concat() } else { bytes };
        std::fs::write(&path, bytes).unwrap();
        prop_assert!(read(&path).is_err());
    }

    #[test]
    fn damaged_files_end_in_errors_or_in_finite_vectors(place in 0usize..2000, value in any::<u8>()) {
        let folder = Folder::new();
        let path = folder.parquet("users.parquet", &[("ann", &[1.0, -2.5]), ("7", &[0.0, 4.0])]);
        let mut bytes = std::fs::read(&path).unwrap();
        let length = bytes.len();
        bytes[place % length] = value;
        std::fs::write(&path, bytes).unwrap();
        if let Ok(found) = read(&path) {
            prop_assert!(found.users.values.iter().all(|x| x.is_finite()));
            prop_assert_eq!(found.users.values.len(), found.users.ids.len() * found.users.width);
        }
    }
}
