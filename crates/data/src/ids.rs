//! Ids as people write them, and the indices that matrices use.

use std::hash::{BuildHasher, RandomState};

/// The smallest number of slots.
const LEAST_SLOTS: usize = 16;

/// Interned ids: index ↔ string, indices given in order of first appearance.
///
/// All ids stand one behind the other in one text, and are found again by a table of their
/// indices: an id of 20 bytes takes about 40, so that ten million fit half a gigabyte.
#[derive(Clone, Default)]
pub struct IdTable {
    text: String,
    /// Where each id ends in the text.
    ends: Vec<usize>,
    /// At the slot of an id's hash, or the next free one: its index and 1; 0 where none is. As many
    /// as a power of two, a quarter of them free at least.
    slots: Vec<u32>,
    /// Keyed afresh: nobody can choose ids that all want one slot.
    hashing: RandomState,
}

impl IdTable {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// The index of `name`, given out now if it is new; `None` once 2^32 − 1 ids are in use.
    pub fn intern(&mut self, name: &str) -> Option<u32> {
        self.make_room();
        let slot = match self.look_up(name) {
            Ok(index) => return Some(index),
            Err(slot) => slot,
        };
        let index = u32::try_from(self.len())
            .ok()
            .filter(|&index| index < u32::MAX)?;
        self.text.push_str(name);
        self.ends.push(self.text.len());
        self.slots[slot] = index + 1;
        Some(index)
    }

    /// The index of a known id.
    pub fn find(&self, name: &str) -> Option<u32> {
        match self.is_empty() {
            true => None,
            false => self.look_up(name).ok(),
        }
    }

    /// The id behind an index.
    pub fn name(&self, index: u32) -> Option<&str> {
        let index = index as usize;
        let end = *self.ends.get(index)?;
        let start = match index {
            0 => 0,
            _ => self.ends[index - 1],
        };
        self.text.get(start..end)
    }

    /// Number of ids.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no id.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// All ids in index order.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> + '_ {
        let mut start = 0;
        self.ends.iter().map(move |&end| {
            let name = &self.text[start..end];
            start = end;
            name
        })
    }

    /// The index of an id, or the free slot where it would be. There is one.
    fn look_up(&self, name: &str) -> Result<u32, usize> {
        let mut slot = self.home(name);
        loop {
            match self.slots[slot].checked_sub(1) {
                None => return Err(slot),
                Some(index) if self.name(index) == Some(name) => return Ok(index),
                Some(_) => slot = self.next(slot),
            }
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "the lowest bits are what counts"
    )]
    fn home(&self, name: &str) -> usize {
        self.hashing.hash_one(name) as usize & (self.slots.len() - 1)
    }

    /// Room for one more id.
    fn make_room(&mut self) {
        if (self.len() + 1) * 4 <= self.slots.len() * 3 {
            return;
        }
        self.slots = vec![0; (2 * self.slots.len()).max(LEAST_SLOTS)];
        for index in (0..).take(self.len()) {
            let mut slot = self.home(self.name(index).unwrap_or_default());
            while self.slots[slot] != 0 {
                slot = self.next(slot);
            }
            self.slots[slot] = index + 1;
        }
    }

    fn next(&self, slot: usize) -> usize {
        (slot + 1) & (self.slots.len() - 1)
    }
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
