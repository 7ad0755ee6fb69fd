//! Ids as people write them, and the indices that matrices use.

use std::hash::{BuildHasher, RandomState};

use rayon::prelude::*;

use crate::id_batch::{Batch, Outcome};
use crate::id_slots::{SHARDS, Slots, shard};

/// Interned ids: index ↔ string, indices given in order of first appearance.
///
/// All ids stand one behind the other in one text, and are found again by tables of their
/// indices: an id of 20 bytes takes about 40, so that ten million fit half a gigabyte.
#[derive(Clone)]
pub struct IdTable {
    names: Names,
    /// By the hash's first bits, so that many ids can be interned at once.
    shards: Vec<Slots>,
    /// Keyed afresh: nobody can choose ids that all want one slot.
    hashing: RandomState,
}

/// Ids by index.
#[derive(Clone, Default)]
pub(crate) struct Names {
    text: String,
    /// Where each id ends in the text.
    ends: Vec<usize>,
}

impl Names {
    pub(crate) fn name(&self, index: u32) -> Option<&str> {
        let index = index as usize;
        let end = *self.ends.get(index)?;
        let start = match index {
            0 => 0,
            _ => self.ends[index - 1],
        };
        self.text.get(start..end)
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn push(&mut self, name: &str) {
        self.text.push_str(name);
        self.ends.push(self.text.len());
    }

    /// Adds names that stand one behind the other in texts.
    pub(crate) fn push_all(&mut self, texts: &[(&str, &[u32])]) {
        let (before, mut start) = (self.ends.len(), self.text.len());
        let count = texts.iter().map(|(_, ends)| ends.len()).sum();
        // By all cores: memory that is touched for the first time is not free.
        self.ends.par_extend(rayon::iter::repeat_n(0, count));
        let mut rest = &mut self.ends[before..];
        let mut parts = Vec::with_capacity(texts.len());
        for (text, ends) in texts {
            self.text.push_str(text);
            let (into, after) = std::mem::take(&mut rest).split_at_mut(ends.len());
            parts.push((start, into, ends));
            (start, rest) = (start + text.len(), after);
        }
        parts.into_par_iter().for_each(|(start, into, ends)| {
            for (into, end) in into.iter_mut().zip(ends.iter()) {
                *into = start + *end as usize;
            }
        });
    }
}

impl Default for IdTable {
    fn default() -> Self {
        Self {
            names: Names::default(),
            shards: vec![Slots::default(); SHARDS],
            hashing: RandomState::new(),
        }
    }
}

impl IdTable {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// The index of `name`, given out now if it is new; `None` once 2^32 − 1 ids are in use.
    pub fn intern(&mut self, name: &str) -> Option<u32> {
        let hash = self.hashing.hash_one(name);
        let (names, hashing) = (&self.names, &self.hashing);
        let slots = &mut self.shards[shard(hash)];
        slots.make_room(1, |index| hash_of(hashing, names, index));
        let slot = match slots.look_up(hash, |index| names.name(index) == Some(name)) {
            Ok(index) => return Some(index),
            Err(slot) => slot,
        };
        let index = u32::try_from(names.len())
            .ok()
            .filter(|&index| index < u32::MAX)?;
        slots.put(slot, hash, index);
        self.names.push(name);
        Some(index)
    }

    /// An empty batch of names for [`Self::intern_all`].
    pub(crate) fn batch(&self) -> Batch {
        Batch::new(self.hashing.clone())
    }

    /// Interns the names of batches in their order, as one after the other would be, on all cores;
    /// `None`, and nothing done, where there may be too many.
    pub(crate) fn intern_all(&mut self, batches: &[&Batch]) -> Option<Outcome> {
        let (hashing, shards) = (&self.hashing, &mut self.shards);
        let hash_of = |names: &Names, index| hash_of(hashing, names, index);
        crate::id_batch::intern_all(&mut self.names, shards, batches, hash_of)
    }

    /// The index of a known id.
    pub fn find(&self, name: &str) -> Option<u32> {
        let hash = self.hashing.hash_one(name);
        let is_it = |index| self.name(index) == Some(name);
        self.shards[shard(hash)].look_up(hash, is_it).ok()
    }

    /// The id behind an index.
    pub fn name(&self, index: u32) -> Option<&str> {
        self.names.name(index)
    }

    /// Number of ids.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there is no id.
    pub fn is_empty(&self) -> bool {
        self.names.len() == 0
    }

    /// All ids in index order.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> + '_ {
        let mut start = 0;
        self.names.ends.iter().map(move |&end| {
            let name = &self.names.text[start..end];
            start = end;
            name
        })
    }

    /// All ids in index order, for all cores.
    pub fn par_names(&self) -> impl IndexedParallelIterator<Item = &str> + '_ {
        let ends = &self.names.ends;
        ends.par_iter().enumerate().map(|(index, &end)| {
            let start = index.checked_sub(1).map_or(0, |before| ends[before]);
            &self.names.text[start..end]
        })
    }
}

fn hash_of(hashing: &RandomState, names: &Names, index: u32) -> u64 {
    hashing.hash_one(names.name(index).unwrap_or_default())
}

impl<S: AsRef<str>> FromIterator<S> for IdTable {
    /// Interns ids in order; a repeated id keeps its first index.
    fn from_iter<I: IntoIterator<Item = S>>(names: I) -> Self {
        let mut table = Self::new();
        for name in names {
            table.intern(name.as_ref());
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_indices_in_order_of_appearance() {
        let mut table: IdTable = ["b", "a", "b"].into_iter().collect();
        assert_eq!(table.intern("ü 7"), Some(2));
        assert_eq!(table.names().collect::<Vec<_>>(), ["b", "a", "ü 7"]);
        assert_eq!((table.find("a"), table.find("c")), (Some(1), None));
        assert_eq!((table.name(2), table.name(3)), (Some("ü 7"), None));
    }

    #[test]
    fn many_ids_are_found_again_and_no_others() {
        let mut table = IdTable::new();
        let name = |index: u32| match index {
            // Where one ends is part of it.
            0 => String::new(),
            _ => "x".repeat(index as usize % 7) + &index.to_string(),
        };
        for round in 0..2 {
            for index in 0..5_000 {
                assert_eq!(table.intern(&name(index)), Some(index), "round {round}");
            }
        }
        assert_eq!((table.len(), table.names().len()), (5_000, 5_000));
        let copy = table.clone();
        for (index, found) in (0..).zip(copy.names()) {
            assert_eq!(found, name(index));
            assert_eq!(copy.find(&name(index)), Some(index));
            assert_eq!(copy.find(&format!("y{index}")), None);
        }
        assert_eq!((IdTable::new().find(""), table.name(5_000)), (None, None));
    }
}
