//! `s3rec bench lists`: learning lists and making everybody's.

use s3rec_bench::lists::{ListsOptions, ListsRecord, measure};
use s3rec_model::ListsSettings;

use super::records::conclude;
use crate::arguments::ListsBenchArgs;
use crate::failure::Failure;
use crate::output::{Output, bytes, count, duration};

/// By how much the quick form is smaller.
const QUICK: u32 = 50;

/// Draws, learns, lists, and shows.
pub(super) fn lists(arguments: &ListsBenchArgs, output: Output) -> Result<(), Failure> {
    let smaller = if arguments.record.quick { QUICK } else { 1 };
    let users = (arguments.users / smaller).max(2);
    let options = ListsOptions {
        users,
        items: (arguments.items / smaller).max(100),
        choices: arguments.choices / u64::from(smaller),
        communities: arguments.communities,
        settings: ListsSettings {
            rank: arguments.rank as usize,
            sweeps: arguments.sweeps,
            decay: arguments.decay,
            unobserved_weight: arguments.unobserved_weight,
            popularity_weight: Some(0.0),
            ..ListsSettings::default()
        },
        count: arguments.count as usize,
        listed: arguments.listed.unwrap_or(users) as usize,
        out: arguments.data_out.clone(),
    };
    let record = measure(&options)?;
    conclude("lists", &arguments.record, 1, record, output, text).map(drop)
}

fn text(record: &ListsRecord) -> String {
    let ListsOptions {
        users,
        items,
        settings,
        ..
    } = &record.options;
    format!(
        "{} users, {} items, {} choices, {} threads\n\
         learnt in {} ({} of processors): {} sweeps of {} factors, exact\n\
         ready in {}, lists of {} of {} users in {} ({} of processors): {} users a second\n\
         NDCG@{} of a held-out choice {:.4}; largest memory {}",
        count((*users).into()),
        count((*items).into()),
        count(record.learnt_from),
        record.threads,
        duration(record.learning_seconds),
        duration(record.learning_core_seconds),
        settings.sweeps,
        settings.rank,
        duration(record.ready_seconds),
        record.options.count,
        count(record.options.listed as u64),
        duration(record.listing_seconds),
        duration(record.listing_core_seconds),
        record.users_a_second.round(),
        record.options.count,
        record.ndcg,
        bytes(record.peak_rss_bytes),
    )
}
