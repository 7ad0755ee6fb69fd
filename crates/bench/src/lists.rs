//! Learning lists and making everybody's, on drawn choices or those of a file: what other libraries are
//! compared with in one sitting.
//!
//! Drawn users belong to communities; each community has an order of the items of its own, and one of its
//! users chooses by it with a power law, or by what everybody chooses.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use rayon::prelude::*;
use s3rec_algebra::{Seed, Stream};
use s3rec_model::{ListsModel, ListsSettings};
use s3rec_sparse::{Rating, RatingMatrix};
use serde::{Deserialize, Serialize};

use crate::{BenchError, memory};

/// Users whose lists are made at a time.
const AT_ONCE: usize = 1 << 13;

/// What is drawn and learnt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ListsOptions {
    /// Users.
    pub users: u32,
    /// Items.
    pub items: u32,
    /// Choices that are drawn; some of them more than once, which counts once.
    pub choices: u64,
    /// Communities.
    pub communities: u32,
    /// How lists are learnt.
    pub settings: ListsSettings,
    /// Steps of conjugate gradients to learn with, one after the other; 0: exactly. Lists are made from
    /// the last.
    pub gradient_steps: Vec<u32>,
    /// Items of a list.
    pub count: usize,
    /// Users whose lists are made and timed.
    pub listed: usize,
    /// Where the choices, held-out choices and factors go for other libraries to read.
    #[serde(skip)]
    pub out: Option<PathBuf>,
}

/// What it took.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ListsRecord {
    /// What was drawn.
    pub options: ListsOptions,
    /// Choices that are learnt from.
    pub learnt_from: u64,
    /// Threads.
    pub threads: usize,
    /// By each number of steps.
    pub learning: Vec<Learning>,
    /// Getting ready to make lists.
    pub ready_seconds: f64,
    /// Making them.
    pub listing_seconds: f64,
    /// Processor seconds of the same.
    pub listing_core_seconds: f64,
    /// Lists a second.
    pub users_a_second: f64,
    /// Largest resident set.
    pub peak_rss_bytes: u64,
}

/// What it took to learn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Learning {
    /// Of conjugate gradients; 0: exactly.
    pub gradient_steps: u32,
    /// From the matrix of choices to the factors.
    pub seconds: f64,
    /// Processor seconds of the same.
    pub core_seconds: f64,
    /// Of these, seconds that one thread computed by itself.
    pub serial_seconds: f64,
    /// NDCG at the lists' length, of one held-out choice a listed user who has one.
    pub ndcg: f64,
}

/// Choices to learn from, and of each user one that is not among them, if there is one.
pub struct Choices {
    /// What is learnt from.
    pub matrix: RatingMatrix,
    /// One of each user's.
    pub held_out: Vec<Option<u32>>,
}

/// Learns and lists; draws first where there are no choices.
///
/// # Errors
/// Settings that make no sense, and files that cannot be written.
pub fn measure(
    options: &ListsOptions,
    choices: Option<Choices>,
) -> Result<ListsRecord, BenchError> {
    let Choices { matrix, held_out } = match choices {
        Some(choices) => choices,
        None => drawn(options)?,
    };
    if let Some(directory) = &options.out {
        write_choices(directory, &matrix, &held_out)?;
    }
    memory::reset_peak();
    let mut options = options.clone();
    options.users = u32::try_from(matrix.users()).unwrap_or(u32::MAX);
    options.items = u32::try_from(matrix.items()).unwrap_or(u32::MAX);
    let weight = options.settings.popularity_weight.unwrap_or(0.0);
    let (mut learning, mut made) = (Vec::new(), Made::default());
    for &steps in &options.gradient_steps {
        let settings = ListsSettings {
            gradient_steps: steps,
            ..options.settings.clone()
        };
        let (began, before) = (Instant::now(), memory::core_seconds());
        let alone = memory::own_thread_seconds();
        let model = ListsModel::learn(&matrix, &settings)?;
        let mut learnt = Learning {
            gradient_steps: steps,
            seconds: began.elapsed().as_secs_f64(),
            core_seconds: memory::core_seconds() - before,
            serial_seconds: memory::own_thread_seconds() - alone,
            ndcg: 0.0,
        };
        made = lists(&model, weight, (&matrix, &held_out), &options);
        learnt.ndcg = made.ndcg;
        learning.push(learnt);
        if let Some(directory) = &options.out {
            write_factors(directory, &model)?;
        }
    }
    Ok(ListsRecord {
        learnt_from: matrix.len() as u64,
        threads: rayon::current_num_threads(),
        learning,
        ready_seconds: made.ready_seconds,
        listing_seconds: made.seconds,
        listing_core_seconds: made.core_seconds,
        users_a_second: options.listed.min(matrix.users()) as f64 / made.seconds,
        peak_rss_bytes: memory::peak_bytes(),
        options,
    })
}

/// Lists that were made.
#[derive(Default)]
struct Made {
    ready_seconds: f64,
    seconds: f64,
    core_seconds: f64,
    ndcg: f64,
}

fn lists(
    model: &ListsModel,
    weight: f64,
    (matrix, held_out): (&RatingMatrix, &[Option<u32>]),
    options: &ListsOptions,
) -> Made {
    let began = Instant::now();
    let search = model.search(weight);
    let ready_seconds = began.elapsed().as_secs_f64();
    let (began, before) = (Instant::now(), memory::core_seconds());
    let listed = options.listed.min(matrix.users());
    let (mut gain, mut judged) = (0.0, 0usize);
    for first in (0..listed).step_by(AT_ONCE) {
        let lists = search.lists(first..listed.min(first + AT_ONCE), options.count, matrix);
        for (held_out, list) in held_out[first..].iter().zip(lists) {
            let Some(held_out) = held_out else { continue };
            judged += 1;
            let place = list.iter().position(|found| found.item == *held_out);
            gain += place.map_or(0.0, |place| 1.0 / (place as f64 + 2.0).log2());
        }
    }
    Made {
        ready_seconds,
        seconds: began.elapsed().as_secs_f64(),
        core_seconds: memory::core_seconds() - before,
        ndcg: gain / judged.max(1) as f64,
    }
}

impl Choices {
    /// Every rating as a choice; of each user with two or more, one drawn at random is held out.
    ///
    /// # Errors
    /// Never for ratings that made a matrix before.
    pub fn of(ratings: &RatingMatrix) -> Result<Self, BenchError> {
        let seed = Seed::from_bytes([29; 32]);
        let held_out = |user: u32| {
            let (items, _) = ratings.by_user(user as usize);
            let mut stream = Stream::new(&seed.derive("held out", &[&user.to_le_bytes()]));
            let mut words = [0u64; 1];
            stream.fill_u64(&mut words);
            let place = words[0] % (items.len() as u64).max(1);
            let place = usize::try_from(place).unwrap_or(0);
            (items.len() > 1).then(|| items[place])
        };
        let users = (0u32..).take(ratings.users());
        let held_out: Vec<Option<u32>> = users.map(held_out).collect();
        let kept = ratings
            .iter()
            .filter(|rating| held_out[rating.user as usize] != Some(rating.item));
        let kept = kept.map(|rating| Rating {
            value: 1.0,
            ..rating
        });
        let kept: Vec<Rating> = kept.collect();
        let matrix = RatingMatrix::from_ratings(ratings.users(), ratings.items(), &kept)?;
        Ok(Self { matrix, held_out })
    }
}

/// The choices, and one of each user's that is held out.
fn drawn(options: &ListsOptions) -> Result<Choices, BenchError> {
    let seed = Seed::from_bytes([29; 32]);
    let (users, items) = (options.users, options.items);
    let of_user = options.choices / u64::from(users.max(1));
    let rows: Vec<Vec<u32>> = (0..users)
        .into_par_iter()
        .map(|user| {
            let mut stream = Stream::new(&seed.derive("choices", &[&user.to_le_bytes()]));
            let mut words = [0u64; 2];
            let community = user % options.communities.max(1);
            // Activity differs by a factor of three.
            let count = of_user / 2 + u64::from(user) % of_user.max(1) + 1;
            let mut row: Vec<u32> = (0..count)
                .map(|_| {
                    stream.fill_u64(&mut words);
                    choice(words, community, items)
                })
                .collect();
            // The first is held out, and no other is the same.
            let held_out = row[0];
            row.sort_unstable();
            row.dedup();
            row.retain(|item| *item != held_out);
            row.insert(0, held_out);
            row
        })
        .collect();
    let held_out = rows.iter().map(|row| Some(row[0])).collect();
    let ratings = rows.iter().zip(0u32..).flat_map(|(row, user)| {
        let items = row[1..].iter();
        items.map(move |&item| Rating {
            user,
            item,
            value: 1.0,
        })
    });
    let ratings: Vec<Rating> = ratings.collect();
    drop(rows);
    let matrix = RatingMatrix::from_ratings(users as usize, items as usize, &ratings)?;
    Ok(Choices { matrix, held_out })
}

/// By the community's order in seven of ten, by everybody's in three.
fn choice([place, kind]: [u64; 2], community: u32, items: u32) -> u32 {
    let u = (place >> 11) as f64 / (1u64 << 53) as f64;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "below the number of items"
    )]
    let place = (f64::from(items) * u * u * u.sqrt()) as u64;
    let shift = match kind % 10 {
        0..7 => u64::from(community + 1) * 1_000_003,
        _ => 0,
    };
    #[expect(clippy::cast_possible_truncation, reason = "below the number of items")]
    let item = ((place * 4_294_967_311 + shift) % u64::from(items)) as u32;
    item
}

/// Users' factors and items'.
fn write_factors(directory: &Path, model: &ListsModel) -> Result<(), BenchError> {
    for (name, factors) in [("users.f64", model.users()), ("items.f64", model.items())] {
        let values = factors.values().iter();
        write(directory, name, values.map(|x| x.to_le_bytes()))?;
    }
    Ok(())
}

/// Pairs of user and item, and the held-out items, as 32-bit numbers; 2³² − 1 for none.
fn write_choices(
    directory: &Path,
    matrix: &RatingMatrix,
    held_out: &[Option<u32>],
) -> Result<(), BenchError> {
    let pairs = matrix.iter();
    let pairs = pairs.flat_map(|r| [r.user.to_le_bytes(), r.item.to_le_bytes()]);
    write(directory, "choices.u32", pairs)?;
    let held_out = held_out.iter();
    let held_out = held_out.map(|item| item.unwrap_or(u32::MAX).to_le_bytes());
    write(directory, "held_out.u32", held_out)
}

fn write<const N: usize>(
    directory: &Path,
    name: &str,
    values: impl Iterator<Item = [u8; N]>,
) -> Result<(), BenchError> {
    let path = directory.join(name);
    let written = std::fs::create_dir_all(directory)
        .and_then(|()| File::create(&path))
        .and_then(|file| {
            let mut file = BufWriter::new(file);
            for value in values {
                file.write_all(&value)?;
            }
            file.flush()
        });
    written.map_err(|source| BenchError::File { path, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_learn_what_communities_choose() {
        let options = ListsOptions {
            users: 600,
            items: 400,
            choices: 12_000,
            communities: 4,
            settings: ListsSettings {
                rank: 8,
                sweeps: 5,
                popularity_weight: Some(0.0),
                ..ListsSettings::default()
            },
            gradient_steps: vec![0, 3],
            count: 10,
            listed: 600,
            out: None,
        };
        let record = measure(&options, None).unwrap();
        assert!((8_000..12_500).contains(&record.learnt_from));
        assert_eq!(record.learning.len(), 2);
        for learning in &record.learning {
            // Ten of the 380 that a user does not have, at random, come to 0.012.
            assert!(learning.ndcg > 0.036, "{learning:?}");
        }
    }

    #[test]
    fn one_choice_of_a_file_is_held_out_of_each_user_who_has_two() {
        let rating = |user, item| Rating {
            user,
            item,
            value: 3.0,
        };
        let given: Vec<Rating> = [(0, 1), (0, 2), (0, 4), (1, 3), (3, 0), (3, 4)]
            .map(|(user, item)| rating(user, item))
            .to_vec();
        let ratings = RatingMatrix::from_ratings(4, 5, &given).unwrap();
        let Choices { matrix, held_out } = Choices::of(&ratings).unwrap();
        assert_eq!(matrix.len(), 4);
        assert_eq!((held_out[1], held_out[2]), (None, None));
        for user in [0, 3] {
            let held_out = held_out[user].unwrap();
            assert!(ratings.by_user(user).0.contains(&held_out));
            assert!(!matrix.by_user(user).0.contains(&held_out));
        }
    }
}
