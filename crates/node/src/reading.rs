//! What operators are told of how their files were read.

use s3rec_data::Reading;
use s3rec_wire::v1;

/// The account of a file in the conversation's words; only for the platform's own operators.
#[must_use]
pub fn to_wire(reading: &Reading) -> v1::DataReading {
    let suspicions = reading.suspicions.iter().map(|one| v1::DataSuspicion {
        kind: one.kind.name().into(),
        field: one.field.clone(),
        count: one.count,
        of: one.of,
        example: one.example.clone(),
        text: one.to_string(),
    });
    v1::DataReading {
        read_as: reading.read_as.clone(),
        comment_lines: reading.comment_lines,
        sample_users: reading.sample_users.clone(),
        sample_items: Vec::new(),
        suspicions: suspicions.collect(),
    }
}

#[cfg(test)]
mod tests {
    use s3rec_data::{Suspicion, SuspicionKind};

    use super::*;

    #[test]
    fn what_looks_wrong_is_told_in_words() {
        let reading = Reading {
            suspicions: vec![Suspicion {
                kind: SuspicionKind::LeadingZeros,
                field: "user".into(),
                count: 9,
                of: 30,
                example: "01".into(),
            }],
            ..Reading::default()
        };
        let told = to_wire(&reading);
        let one = &told.suspicions[0];
        assert_eq!((one.kind.as_str(), one.count), ("leading-zeros", 9));
        assert!(one.text.starts_with("9 of 30 user ids"), "{}", one.text);
    }
}
