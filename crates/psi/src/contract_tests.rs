//! What both forms of the set intersection do alike, whichever is run.

use std::collections::BTreeSet;

use proptest::prelude::*;

use crate::{Common, Form, PsiError, PsiSession, Sizes, lib_tests, vole};

const FORMS: [Form; 2] = [Form::Ecdh, Form::Vole];

pub(crate) fn session() -> PsiSession {
    PsiSession::new(&[3; 16], &[1; 32], &[2; 32], "nfc-trim")
}

pub(crate) fn sizes(p0: &[String], p1: &[String]) -> Sizes {
    Sizes::new(p0.len() as u64, p1.len() as u64).unwrap()
}

pub(crate) fn names(ids: impl IntoIterator<Item = u32>) -> Vec<String> {
    ids.into_iter().map(|id| format!("user {id}")).collect()
}

pub(crate) fn error<T>(result: Result<T, PsiError>) -> PsiError {
    match result {
        Ok(_) => panic!("taken"),
        Err(error) => error,
    }
}

/// Both sides' results; the bytes that crossed are those that the sizes state.
fn run(form: Form, p0: &[String], p1: &[String], seed: u8) -> (Common, Common) {
    let sizes = sizes(p0, p1);
    let (at_rating, at_social, crossed, stated) = match form {
        Form::Ecdh => {
            let (at_rating, at_social, seen) = lib_tests::run(p0, p1, seed);
            let stated = sizes.bytes_to_social() + sizes.bytes_to_rating();
            (at_rating, at_social, seen.bytes(), stated)
        }
        Form::Vole => {
            let (at_rating, at_social, seen) = vole::tests::run(p0, p1, seed);
            let layout = vole::Layout::new(sizes);
            let stated = layout.bytes_to_social() + layout.bytes_to_rating();
            (at_rating, at_social, seen.bytes(), stated)
        }
    };
    assert_eq!(crossed, stated, "{form:?}");
    (at_rating, at_social)
}

/// Every form finds the clear intersection; gives how many are common.
fn assert_exact(p0: &[String], p1: &[String], seed: u8) -> usize {
    let clear: BTreeSet<&String> = p0.iter().filter(|id| p1.contains(id)).collect();
    for form in FORMS {
        let (at_rating, at_social) = run(form, p0, p1, seed);
        assert_eq!(at_rating.digest, at_social.digest, "{form:?}");
        let named = |rows: &[u32], ids: &[String]| -> Vec<String> {
            rows.iter().map(|row| ids[*row as usize].clone()).collect()
        };
        let left = named(&at_rating.rows, p0);
        assert_eq!(left, named(&at_social.rows, p1), "one order, {form:?}");
        assert_eq!(left.len(), clear.len(), "{form:?}");
        assert_eq!(left.iter().collect::<BTreeSet<_>>(), clear, "{form:?}");
    }
    clear.len()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_intersection_is_exact(
        p0 in prop::collection::btree_set(0_u32..60, 0..40),
        p1 in prop::collection::btree_set(0_u32..60, 0..40),
        seed: u8,
    ) {
        assert_exact(&names(p0), &names(p1), seed);
    }
}

#[test]
fn empty_sets_no_common_id_and_all_common_are_results() {
    let (none, some, others) = (names([]), names(0..20), names(20..50));
    let mut reversed = some.clone();
    reversed.reverse();
    for (p0, p1, expected) in [
        (&none, &none, 0),
        (&none, &some, 0),
        (&some, &none, 0),
        (&some, &others, 0),
        (&some, &reversed, 20),
    ] {
        assert_eq!(assert_exact(p0, p1, 5), expected);
    }
}

/// Of several messages: tiles, messages and words that are not whole, and unequal sets.
#[test]
fn sets_of_several_messages_are_exact() {
    for (form, p0, p1, common) in [
        (Form::Ecdh, names(0..9_000), names(8_500..18_000), 500),
        (Form::Vole, names(0..45_000), names(44_000..46_000), 1_000),
        (Form::Vole, names(0..300), names(200..34_000), 100),
    ] {
        let (at_rating, at_social) = run(form, &p0, &p1, 6);
        assert_eq!(at_rating.digest, at_social.digest);
        let left = at_rating.rows.iter().map(|row| &p0[*row as usize]);
        let right = at_social.rows.iter().map(|row| &p1[*row as usize]);
        assert!(left.eq(right), "one order, {form:?}");
        let found: BTreeSet<u32> = at_rating.rows.iter().copied().collect();
        assert_eq!((at_rating.rows.len(), found.len()), (common, common));
    }
}

#[test]
fn the_digest_names_the_common_ids_and_their_order() {
    for form in FORMS {
        let digest = |p1: &[String], seed| run(form, &names(0..20), p1, seed).0.digest;
        let base = digest(&names(10..30), 1);
        assert_eq!(base, digest(&names(10..30), 1), "{form:?}");
        assert_ne!(base, digest(&names(9..29), 1), "other common ids, {form:?}");
        assert_ne!(base, digest(&names(10..30), 2), "another order, {form:?}");
        // The same ids of P1 in the same order, of which other ones are common.
        let fewer = [names(0..19), names(70..71)].concat();
        let (fewer, at_social) = run(form, &fewer, &names(10..30), 1);
        assert_eq!(fewer.rows.len(), 9);
        assert_ne!(base, fewer.digest, "one common id less, {form:?}");
        assert_eq!(fewer.digest, at_social.digest);
    }
}

#[test]
fn both_forms_find_the_same_ids() {
    let (p0, p1) = (names(0..500), names(250..700));
    let sorted = |form| {
        let mut rows = run(form, &p0, &p1, 1).0.rows;
        rows.sort_unstable();
        rows
    };
    assert_eq!(sorted(Form::Ecdh), sorted(Form::Vole));
}
