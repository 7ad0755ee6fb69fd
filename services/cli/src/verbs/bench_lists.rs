//! `s3rec bench lists`: learning lists and making everybody's.

use s3rec_bench::BenchError;
use s3rec_bench::lists::{Choices, Learning, ListsOptions, ListsRecord, measure};
use s3rec_data::{RatingOptions, RatingSet};
use s3rec_model::ListsSettings;
use s3rec_sparse::RatingMatrix;

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
            decay_exponent: arguments.decay_exponent,
            unobserved_weight: arguments.unobserved_weight,
            popularity_weight: Some(0.0),
            ..ListsSettings::default()
        },
        gradient_steps: arguments.gradient_steps.clone(),
        count: arguments.count as usize,
        listed: arguments
            .listed
            .map_or(usize::MAX, |listed| listed as usize),
        out: arguments.data_out.clone(),
    };
    let choices = arguments.ratings.as_deref().map(|file| {
        let set = RatingSet::read(file, &RatingOptions::default())?;
        let (users, items) = (set.users.len(), set.items.len());
        let ratings = RatingMatrix::from_ratings(users, items, &set.ratings);
        let ratings = ratings.map_err(BenchError::from)?;
        Ok::<_, Failure>(Choices::of(&ratings)?)
    });
    let record = measure(&options, choices.transpose()?)?;
    conclude("lists", &arguments.record, 1, record, output, text).map(drop)
}

fn text(record: &ListsRecord) -> String {
    let ListsOptions {
        users,
        items,
        settings,
        ..
    } = &record.options;
    let by = |learning: &Learning| {
        let how = match learning.gradient_steps {
            0 => "exact".to_owned(),
            steps => format!("{steps} steps of conjugate gradients"),
        };
        format!(
            "learnt in {} ({} of processors, {} on one thread): {} sweeps of {} factors, {how}; NDCG@{} of a \
             held-out choice {:.4}\n",
            duration(learning.seconds),
            duration(learning.core_seconds),
            duration(learning.serial_seconds),
            settings.sweeps,
            settings.rank,
            record.options.count,
            learning.ndcg,
        )
    };
    let learning: String = record.learning.iter().map(by).collect();
    format!(
        "{} users, {} items, {} choices, {} threads\n{learning}\
         ready in {}, lists of {} of {} users in {} ({} of processors): {} users a second\n\
         largest memory {}",
        count((*users).into()),
        count((*items).into()),
        count(record.learnt_from),
        record.threads,
        duration(record.ready_seconds),
        record.options.count,
        count((record.options.listed as u64).min((*users).into())),
        duration(record.listing_seconds),
        duration(record.listing_core_seconds),
        record.users_a_second.round(),
        bytes(record.peak_rss_bytes),
    )
}
