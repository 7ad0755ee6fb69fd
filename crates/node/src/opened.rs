//! By what a user who was opened is known again: whichever rule normalised the ids. A data set may be
//! imported anew under the other rule, and who was opened before stays so.

use std::borrow::Cow;

use s3rec_data::IdRule;
use s3rec_job::{CalibrationSample, OpenedUsers};

/// What stands for a user among those who were opened. Two users whose ids differ by case alone are
/// opened together.
#[must_use]
pub fn key_of(id: &str) -> [u8; 16] {
    OpenedUsers::key_of(&under_any_rule(id))
}

/// Whether a user is in a sample of that share.
#[must_use]
pub fn takes(sample: &CalibrationSample, id: &str, share: f64) -> bool {
    sample.takes(&under_any_rule(id), share)
}

fn under_any_rule(id: &str) -> Cow<'_, str> {
    IdRule::NfcTrimCaseFold.normalise(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_the_same_under_either_rule() {
        let sample = CalibrationSample::of_seed([3; 32]);
        for written in ["Straße 7", " \u{c9}mile", "e\u{301}MILE ", "u17"] {
            let [plain, folded] = [IdRule::NfcTrim, IdRule::NfcTrimCaseFold]
                .map(|rule| rule.normalise(written).into_owned());
            assert_eq!(key_of(&plain), key_of(&folded), "{written}");
            for share in [0.2, 0.5, 0.8] {
                let taken = [&plain, &folded].map(|id| takes(&sample, id, share));
                assert_eq!(taken[0], taken[1], "{written}");
            }
        }
        assert_ne!(key_of("u17"), key_of("u18"));
    }
}
