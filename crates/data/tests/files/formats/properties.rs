//! The same rows read the same, however they are written.

use proptest::prelude::*;
use s3rec_data::{Delimiter, RatingOptions};

use super::{ratings, rows};

/// Users, items, ratings: ids of letters, digits and what sits inside names.
fn table() -> impl Strategy<Value = Vec<(String, String, i32)>> {
    let id = "[a-zA-Z][a-zA-Z0-9_.-]{0,8}";
    proptest::collection::vec((id, id, 1..=5_i32), 2..20).prop_filter("two values", |rows| {
        let distinct: std::collections::HashSet<_> =
            rows.iter().map(|row| (&row.0, &row.1)).collect();
        distinct.len() == rows.len() && rows.iter().any(|row| row.2 != rows[0].2)
    })
}

/// Written with `delimiter` between fields in the order of `order`, under a header or without.
fn write(
    table: &[(String, String, i32)],
    delimiter: &str,
    order: &[usize],
    header: bool,
) -> String {
    let names = ["user_id", "item_id", "rating", "comment"].map(String::from);
    let mut lines = vec![names];
    if !header {
        lines.clear();
    }
    lines.extend(
        table.iter().map(|(user, item, rating)| {
            [user.clone(), item.clone(), rating.to_string(), "x".into()]
        }),
    );
    let line = |fields: &[String; 4]| {
        let fields: Vec<&str> = order.iter().map(|place| fields[*place].as_str()).collect();
        fields.join(delimiter) + "\n"
    };
    lines.iter().map(line).collect()
}

fn expected(table: &[(String, String, i32)]) -> Vec<(&str, &str, f32)> {
    #[expect(clippy::cast_precision_loss, reason = "ratings of 1 to 5")]
    let row = |row: &'_ (String, String, i32)| row.2 as f32;
    table
        .iter()
        .map(|one| (one.0.as_str(), one.1.as_str(), row(one)))
        .collect()
}

proptest! {
    #[test]
    fn any_order_of_named_columns(table in table(), order in Just([0, 1, 2, 3]).prop_shuffle()) {
        let text = write(&table, ",", &order, true);
        let set = ratings("r.csv", &text, &RatingOptions::default()).unwrap();
        prop_assert_eq!(rows(&set), expected(&table));
    }

    #[test]
    fn any_delimiter(table in table(), header in any::<bool>()) {
        for (text, named) in [
            ("\t", Delimiter::Tab), (",", Delimiter::Comma), (";", Delimiter::Semicolon),
            ("|", Delimiter::Pipe), ("::", Delimiter::DoubleColon), ("    ", Delimiter::Space),
        ] {
            let written = write(&table, text, &[0, 1, 2], header);
            for delimiter in [named, Delimiter::Detect] {
                let options = RatingOptions { delimiter, ..RatingOptions::default() };
                let set = ratings("ratings", &written, &options).unwrap();
                prop_assert_eq!(rows(&set), expected(&table));
            }
        }
    }

    #[test]
    fn any_text_quoted_as_csv(
        fields in proptest::collection::vec(("[^\\p{C}\\s][^\\p{C}]{0,9}[^\\p{C}\\s]", 1..=5_i32), 2..9)
    ) {
        let mut fields = fields;
        fields.sort();
        fields.dedup_by(|a, b| a.0 == b.0);
        prop_assume!(fields.iter().any(|field| field.1 != fields[0].1));
        let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
        let text: String = fields
            .iter()
            .map(|(item, rating)| format!("u{rating},{},{rating}\n", quoted(item)))
            .collect();
        let set = ratings("r.csv", &format!("user,item,rating\n{text}"), &RatingOptions::default()).unwrap();
        let read: Vec<String> = rows(&set).iter().map(|row| row.1.to_owned()).collect();
        prop_assert_eq!(read, fields.into_iter().map(|field| field.0).collect::<Vec<_>>());
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let name = std::path::Path::new("r");
        let _ = s3rec_data::RatingSet::read_from(name, &bytes[..], &RatingOptions::default());
        let _ = s3rec_data::LinkSet::read_from(name, &bytes[..], &s3rec_data::LinkOptions::default());
    }
}
