//! Files in the formats in which ratings and links are published and exported, a few rows of
//! each, written by hand with invented ids.

mod exports;
mod links;
mod properties;
mod published;

use std::path::Path;

use s3rec_data::{Column, LinkOptions, LinkSet, RatingOptions, RatingSet, Values};

fn ratings(name: &str, text: &str, options: &RatingOptions) -> Result<RatingSet, String> {
    let set = RatingSet::read_from(Path::new(name), text.as_bytes(), options);
    set.map_err(|error| error.to_string())
}

fn links(name: &str, text: &str, options: &LinkOptions) -> Result<LinkSet, String> {
    let set = LinkSet::read_from(Path::new(name), text.as_bytes(), options);
    set.map_err(|error| error.to_string())
}

/// (user, item, rating) in the file's order.
fn rows(set: &RatingSet) -> Vec<(&str, &str, f32)> {
    let named = set.ratings.iter().map(|one| {
        let user = set.users.name(one.user).unwrap_or_default();
        (
            user,
            set.items.name(one.item).unwrap_or_default(),
            one.value,
        )
    });
    named.collect()
}

/// (truster, trustee) in the file's order.
fn pairs(set: &LinkSet) -> Vec<(&str, &str)> {
    let name = |user: u32| set.users.name(user).unwrap_or_default();
    set.links
        .iter()
        .map(|(from, to)| (name(*from), name(*to)))
        .collect()
}

/// What a file is refused for, which must say all `parts`.
fn refused<T>(result: Result<T, String>, parts: &[&str]) {
    let Err(text) = result else {
        panic!("it was read")
    };
    for part in parts {
        assert!(text.contains(part), "{part:?} is missing: {text}");
    }
}

/// Columns of user, item, rating and time by number from 1; 0 for none.
fn columns(user: usize, item: usize, rating: usize, timestamp: usize) -> RatingOptions {
    let column = |number: usize| match number {
        0 => Column::Usual,
        number => Column::Index(number - 1),
    };
    RatingOptions {
        user: column(user),
        item: column(item),
        rating: column(rating),
        timestamp: column(timestamp),
        ..RatingOptions::default()
    }
}

fn counts(options: RatingOptions) -> RatingOptions {
    RatingOptions {
        values: Values::Counts,
        ..options
    }
}
