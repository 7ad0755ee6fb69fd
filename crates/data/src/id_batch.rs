//! Many ids interned at once, each shard of the table by a thread of its own.

use std::hash::{BuildHasher, RandomState};

use rayon::prelude::*;

use crate::id_slots::{SHARDS, Slots, shard};
use crate::ids::Names;

/// Names in order, some of them perhaps known or repeated.
pub(crate) struct Batch {
    text: String,
    ends: Vec<u32>,
    /// Hashes and places, by shard.
    by_shard: [Vec<(u64, u32)>; SHARDS],
    hashing: RandomState,
}

impl Batch {
    pub(crate) fn new(hashing: RandomState) -> Self {
        Self {
            text: String::new(),
            ends: Vec::new(),
            by_shard: Default::default(),
            hashing,
        }
    }

    /// Adds a name; false, and nothing done, where 4 GiB of them are there.
    pub(crate) fn push(&mut self, name: &str) -> bool {
        let place = u32::try_from(self.ends.len());
        let end = u32::try_from(self.text.len() + name.len());
        let (Ok(place), Ok(end)) = (place, end) else {
            return false;
        };
        let hash = self.hashing.hash_one(name);
        self.by_shard[shard(hash)].push((hash, place));
        self.text.push_str(name);
        self.ends.push(end);
        true
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn name(&self, place: usize) -> &str {
        let start = place
            .checked_sub(1)
            .map_or(0, |before| self.ends[before] as usize);
        let end = self.ends.get(place).map_or(start, |&end| end as usize);
        self.text.get(start..end).unwrap_or_default()
    }
}

/// What became of names: each new one got the next index.
pub(crate) struct Outcome {
    /// Position among all names of the batches, and index, of those that were known or are there
    /// twice, by position.
    pub(crate) repeats: Vec<(u32, u32)>,
}

/// What became of one shard's names. A new one's index is the number of ids before the batches and
/// its position, until repeated ones are known.
struct Taken {
    new: Vec<(u32, usize)>,
    repeats: Vec<(u32, u32)>,
}

/// The batches one behind the other.
struct Joined<'b> {
    batches: &'b [&'b Batch],
    /// Position of the first name of each.
    starts: Vec<u32>,
    /// Ids before them.
    before: u32,
}

impl<'b> Joined<'b> {
    fn new(names: &Names, batches: &'b [&'b Batch]) -> Option<Self> {
        let mut all = 0;
        let mut starts = Vec::with_capacity(batches.len());
        for batch in batches {
            starts.push(u32::try_from(all).ok()?);
            all += batch.len();
        }
        u32::try_from(names.len() + all)
            .ok()
            .filter(|&after| after < u32::MAX)?;
        Some(Self {
            batches,
            starts,
            before: u32::try_from(names.len()).ok()?,
        })
    }

    fn name(&self, position: u32) -> &str {
        let batch = self.starts.partition_point(|&start| start <= position) - 1;
        self.batches[batch].name((position - self.starts[batch]) as usize)
    }

    /// Interns what belongs to one shard, in order.
    fn take(
        &self,
        shard: usize,
        slots: &mut Slots,
        (names, hash_of): (&Names, impl Fn(&Names, u32) -> u64),
    ) -> Taken {
        let count = self.batches.iter().map(|batch| batch.by_shard[shard].len());
        slots.make_room(count.sum(), |index| hash_of(names, index));
        let (mut new, mut repeats) = (Vec::new(), Vec::new());
        for (batch, start) in self.batches.iter().zip(&self.starts) {
            for &(hash, place) in &batch.by_shard[shard] {
                let (name, position) = (batch.name(place as usize), start + place);
                let found = slots.look_up(hash, |index| match index.checked_sub(self.before) {
                    None => names.name(index) == Some(name),
                    Some(position) => self.name(position) == name,
                });
                match found {
                    Ok(index) => repeats.push((position, index)),
                    Err(slot) => {
                        slots.put(slot, hash, self.before + position);
                        new.push((position, slot));
                    }
                }
            }
        }
        Taken { new, repeats }
    }
}

/// Interns names in order, as one after the other would be; `None`, and nothing done, where there
/// may be too many.
pub(crate) fn intern_all(
    names: &mut Names,
    shards: &mut [Slots],
    batches: &[&Batch],
    hash_of: impl Fn(&Names, u32) -> u64 + Sync,
) -> Option<Outcome> {
    let joined = Joined::new(names, batches)?;
    let (known, hash_of) = (&*names, &hash_of);
    let taken: Vec<Taken> = shards
        .par_iter_mut()
        .enumerate()
        .map(|(shard, slots)| joined.take(shard, slots, (known, hash_of)))
        .collect();
    let mut repeats: Vec<(u32, u32)> = taken
        .iter()
        .flat_map(|taken| &taken.repeats)
        .copied()
        .collect();
    if repeats.is_empty() {
        let texts = batches.iter().map(|batch| (&*batch.text, &*batch.ends));
        names.push_all(&texts.collect::<Vec<(&str, &[u32])>>());
        return Some(Outcome { repeats });
    }
    repeats.par_sort_unstable();
    let indices = indices(&joined, &repeats);
    shards
        .par_iter_mut()
        .zip(&taken)
        .for_each(|(slots, taken)| {
            for &(position, slot) in &taken.new {
                slots.renumber(slot, indices[position as usize]);
            }
        });
    for (_, index) in &mut repeats {
        if let Some(position) = index.checked_sub(joined.before) {
            *index = indices[position as usize];
        }
    }
    let mut repeated = repeats.iter().peekable();
    let all = batches
        .iter()
        .flat_map(|batch| (0..batch.len()).map(|place| batch.name(place)));
    for (position, name) in (0..).zip(all) {
        if repeated.next_if(|repeat| repeat.0 == position).is_none() {
            names.push(name);
        }
    }
    Some(Outcome { repeats })
}

/// The indices of new names, by position: those that are repeated take none.
fn indices(joined: &Joined<'_>, repeats: &[(u32, u32)]) -> Vec<u32> {
    let count: usize = joined.batches.iter().map(|batch| batch.len()).sum();
    let mut repeats = repeats.iter().peekable();
    let mut next = joined.before;
    (0..)
        .take(count)
        .map(|position| {
            let index = next;
            next += u32::from(repeats.next_if(|repeat| repeat.0 == position).is_none());
            index
        })
        .collect()
}
