//! However a text is cut, it is read as row by row.

use std::io::{Error, ErrorKind};

use proptest::prelude::*;

use super::*;

fn by_row(text: &[u8], options: &RosterOptions) -> Result<Roster, DataError> {
    let source = Source::text(Failing::new(text));
    Roster::read_with(
        Path::new("users"),
        source,
        options,
        |table, users, report| {
            while roster_parts::take_row(table, users, report)? {}
            Ok(())
        },
    )
}

fn by_parts(text: &[u8], options: &RosterOptions, cut: Cut) -> Result<Roster, DataError> {
    let source = Source::text(Failing::new(text));
    Roster::read_with(
        Path::new("users"),
        source,
        options,
        |table, users, report| roster_parts::take_all(table, users, report, cut),
    )
}

/// Ends in an error where the text ends in a mark of our own.
struct Failing<'t>(&'t [u8], bool);

impl<'t> Failing<'t> {
    fn new(text: &'t [u8]) -> Self {
        let cut = text.strip_suffix(b"<broken>");
        Self(cut.unwrap_or(text), cut.is_some())
    }
}

impl Read for Failing<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self([], true) => Err(Error::from(ErrorKind::ConnectionReset)),
            Self(text, _) => text.read(into),
        }
    }
}

/// All that can be told of what was read, or of why it was not.
fn told(read: Result<Roster, DataError>) -> Result<(Vec<String>, RosterReport), String> {
    let read = read.map_err(|error| format!("{error} {error:?}"))?;
    for (index, name) in (0..).zip(read.users.names()) {
        assert_eq!(read.users.find(name), Some(index));
    }
    assert_eq!(read.users.find("nobody of them"), None);
    Ok((read.users.names().map(String::from).collect(), read.report))
}

#[track_caller]
fn alike(text: &[u8], options: &RosterOptions) -> Result<(Vec<String>, RosterReport), String> {
    let expected = told(by_row(text, options));
    for (block_bytes, part_bytes) in [
        (1, 1),
        (40, 7),
        (300, 40),
        (1 << 20, 100),
        (1 << 20, 1 << 16),
    ] {
        let cut = Cut {
            block_bytes,
            part_bytes,
        };
        let found = told(by_parts(text, options, cut));
        assert_eq!(
            found,
            expected,
            "{cut:?} of {:?}",
            String::from_utf8_lossy(text)
        );
    }
    expected
}

fn options() -> impl Strategy<Value = RosterOptions> {
    let rules = prop_oneof![Just(IdRule::NfcTrim), Just(IdRule::NfcTrimCaseFold)];
    (rules, 0_u64..40, any::<bool>()).prop_map(|(ids, fewest, bounded)| RosterOptions {
        ids,
        max_rows: if bounded { 60 + fewest } else { MAX_ROWS },
        max_decompressed_bytes: if bounded { 900 } else { MAX_DECOMPRESSED_BYTES },
        ..RosterOptions::default()
    })
}

/// A line without its end: mostly an id, seldom what is none.
fn line(odd: u32) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        20_000 => (0_u32..400).prop_map(|id| format!("user-{id}").into_bytes()),
        2_000 => (0_u32..20).prop_map(|id| format!("Zoe\u{308}-{id}").into_bytes()),
        2_000 => (0_u32..60).prop_map(|id| format!("\"quoted-{id}\"").into_bytes()),
        1_000 => Just(b"# a comment".to_vec()),
        1_000 => Just(b"  ".to_vec()),
        odd => Just("Zo\u{eb}-3".into()),
        odd => Just(b"USER-7".to_vec()),
        odd => Just(b"\"over two".to_vec()),
        odd => Just(b"lines\"".to_vec()),
        odd => Just(b"1.23E+05".to_vec()),
        odd => Just(b"user-1,x".to_vec()),
        odd => Just(b"\xff\xfe".to_vec()),
        odd => Just("a\u{200b}b".into()),
        odd => (30_usize..700).prop_map(|length| vec![b'x'; length]),
    ]
}

fn text(odd: u32) -> impl Strategy<Value = Vec<u8>> {
    let end = prop_oneof![Just("\n"), Just("\r\n"), Just("\r"), Just("<mixed>")];
    let lines = proptest::collection::vec((line(odd), 0_usize..3), 0..160);
    let header = prop_oneof![Just(""), Just("user_id"), Just("user_id,x")];
    let last = prop_oneof![8 => Just(""), 1 => Just("<broken>")];
    (header, lines, end, any::<bool>(), last).prop_map(|(header, lines, end, closed, last)| {
        let mut text = Vec::new();
        let header = (!header.is_empty()).then(|| (header.as_bytes().to_vec(), 0));
        for (line, mixed) in header.into_iter().chain(lines) {
            text.extend(line);
            text.extend_from_slice(
                match end {
                    "<mixed>" => ["\n", "\r\n", "\r"][mixed],
                    end => end,
                }
                .as_bytes(),
            );
        }
        if !closed {
            text.pop();
        }
        text.extend_from_slice(last.as_bytes());
        text
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn lists_almost_without_fault(text in text(1), options in options()) {
        let _ = alike(&text, &options);
    }

    #[test]
    fn lists_with_faults(text in text(100), options in options()) {
        let _ = alike(&text, &options);
    }
}

#[test]
fn faults_are_said_of_the_same_line_in_any_block() {
    let plain = RosterOptions::default();
    let good =
        |from: u32, to: u32| -> String { (from..to).map(|id| format!("user-{id}\n")).collect() };
    for (bad, part) in [
        ("1.23E+05\n", "users:301"),
        ("user-7 \u{301}\nuser-7\n", ""),
        ("Zoe\u{308}\nZo\u{eb}\n", "users:302"),
        ("a\tb\n", "301"),
        ("x\u{0}y\n", "users:301"),
        ("<broken>", "300"),
    ] {
        let after = if bad == "<broken>" {
            String::new()
        } else {
            good(300, 600)
        };
        let text = good(0, 300) + bad + &after;
        let said = alike(text.as_bytes(), &plain);
        match part {
            "" => assert!(said.is_ok(), "{said:?}"),
            _ => assert!(said.unwrap_err().contains(part), "{bad:?}"),
        }
    }
    let not_text = [
        good(0, 300).as_bytes(),
        b"\xff\n",
        good(300, 400).as_bytes(),
    ]
    .concat();
    assert!(alike(&not_text, &plain).unwrap_err().contains("301"));
}

#[test]
fn ends_of_lines_of_files_and_long_lines_make_no_difference() {
    let plain = RosterOptions::default();
    for text in [
        "",
        "\n",
        "\r\n",
        "ann",
        "ann\nbob",
        "user_id",
        "user_id\n\n\n",
    ] {
        let _ = alike(text.as_bytes(), &plain);
    }
    for end in ["\n", "\r\n", "\r"] {
        let ids = (0..500)
            .map(|id| format!("user-{id}{end}"))
            .collect::<String>();
        for text in [ids.as_str(), ids.trim_end(), &(ids.clone() + &ids)] {
            let (users, report) = alike(text.as_bytes(), &plain).unwrap();
            assert_eq!((users.len(), report.users), (500, 500), "{end:?}");
        }
    }
    // Longer than a block, and than a row may be.
    for length in [600, crate::limits::MAX_ROW_BYTES + 1] {
        let text = "ann\n".repeat(100) + &"x".repeat(length) + "\nbob\n";
        assert!(alike(text.as_bytes(), &plain).is_err(), "{length}");
    }
    let noted = RosterOptions {
        user: Column::Index(0),
        ..plain
    };
    let text = "ann,1\n".repeat(100) + "bob," + &"x".repeat(2_000) + "\ncyd,2\n";
    let (users, report) = alike(text.as_bytes(), &noted).unwrap();
    assert_eq!(
        (users.len(), report.rows, report.duplicates_merged),
        (3, 102, 99)
    );
}
