//! JSON lines: the same rows as text, and errors by line and field.

use std::path::Path;

use s3rec_data::{LinkOptions, LinkSet, RatingOptions, RatingSet};

fn ratings(text: &str) -> Result<RatingSet, String> {
    let name = Path::new("ratings.jsonl");
    RatingSet::read_from(name, text.as_bytes(), &RatingOptions::default())
        .map_err(|error| error.to_string())
}

#[test]
fn objects_are_the_rows_that_text_has() {
    let lines = "{\"item\": \"a, b\", \"user\": 7, \"rating\": 3.5, \"more\": {\"x\": [1]}}\n\n\
                 {\"user\": \"\\u00e9t\\u00e9\", \"rating\": \"4\", \"item\": \"x\"}\n";
    let text = "user\titem\trating\n7\ta, b\t3.5\nété\tx\t4\n";
    let (lines, text) = (ratings(lines).unwrap(), ratings(text).unwrap());
    assert_eq!(lines.ratings, text.ratings);
    assert!(lines.users.names().eq(text.users.names()));
    assert!(lines.items.names().eq(text.items.names()));

    let trust =
        "{\"trustee\": \"b\", \"truster\": \"a\"}\n{\"truster\": \"b\", \"trustee\": \"c\"}\n";
    let name = Path::new("trust.jsonl");
    let links = LinkSet::read_from(name, trust.as_bytes(), &LinkOptions::default()).unwrap();
    assert_eq!(links.links.len(), 2);
}

#[test]
fn errors_name_line_and_field() {
    let first = "{\"user\": \"a\", \"item\": \"x\", \"rating\": 1}\n";
    for (second, part) in [
        (
            "{\"user\": \"b\", \"item\": {\"id\": 3}, \"rating\": 1}",
            "field \"item\" holds an object",
        ),
        ("{\"user\": \"b\", \"rating\": 1}", "field item is empty"),
        (
            "{\"user\": null, \"item\": \"x\", \"rating\": 1}",
            "field user is empty",
        ),
        ("{\"user\": \"b\", \"item\": \"x\"}", "rating"),
        (
            "{\"user\": \"b\", \"item\": \"x\", \"rating\": \"good\"}",
            "rating",
        ),
        (
            "{\"user\": \"b\", \"item\": \"x\", \"rating\": 1",
            "not JSON",
        ),
        ("b\tx\t1", "not JSON"),
        ("[\"b\", \"x\", 1]", "not JSON"),
    ] {
        let said = match ratings(&format!("{first}{second}\n")) {
            Ok(_) => panic!("{second} was read"),
            Err(said) => said,
        };
        assert!(
            said.contains("ratings.jsonl:2: ") && said.contains(part),
            "{second}: {said}"
        );
    }
    let unknown = ratings("{\"who\": \"a\", \"what\": \"x\", \"rating\": 1}\n").map(drop);
    let said = unknown.unwrap_err();
    assert!(
        said.contains("who") && said.contains("--user-column"),
        "{said}"
    );
}
