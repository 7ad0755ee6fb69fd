//! Where ids are found again by their hashes.

/// Tables that share the ids of one: what one thread fills by itself.
pub(crate) const SHARDS: usize = 1 << SHARD_BITS;
const SHARD_BITS: u32 = 4;

/// The smallest number of slots, other than none.
const LEAST_SLOTS: usize = 16;

/// The table that an id of this hash belongs to.
pub(crate) fn shard(hash: u64) -> usize {
    // Four bits.
    usize::try_from(hash >> (u64::BITS - SHARD_BITS)).unwrap_or_default()
}

/// Bits of a hash that say neither shard nor slot.
fn mark(hash: u64) -> u8 {
    (hash >> (u64::BITS - SHARD_BITS - u8::BITS)).to_le_bytes()[0]
}

/// Indices of ids by their hashes: open addressing.
#[derive(Clone, Default)]
pub(crate) struct Slots {
    /// At the slot of an id's hash, or the next free one: its index and 1; 0 where none is. As many
    /// as a power of two, a quarter of them free at least.
    slots: Vec<u32>,
    /// At each slot that is taken, some of the hash's bits: few other ids are looked at.
    marks: Vec<u8>,
    used: usize,
}

impl Slots {
    /// The index of the id of this hash that `is_it`, or the free slot where it would be.
    pub(crate) fn look_up(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Result<u32, usize> {
        if self.slots.is_empty() {
            return Err(0);
        }
        let (mut slot, mark) = (self.home(hash), mark(hash));
        loop {
            match self.slots[slot].checked_sub(1) {
                None => return Err(slot),
                Some(index) if self.marks[slot] == mark && is_it(index) => return Ok(index),
                Some(_) => slot = self.next(slot),
            }
        }
    }

    /// Fills the free slot that [`Self::look_up`] named.
    pub(crate) fn put(&mut self, slot: usize, hash: u64, index: u32) {
        self.slots[slot] = index + 1;
        self.marks[slot] = mark(hash);
        self.used += 1;
    }

    /// Gives the id of a slot its index.
    pub(crate) fn renumber(&mut self, slot: usize, index: u32) {
        self.slots[slot] = index + 1;
    }

    /// Room for some more ids; `hash_of` those that are there.
    pub(crate) fn make_room(&mut self, more: usize, hash_of: impl Fn(u32) -> u64) {
        let least = (self.used + more) * 4;
        let mut slots = self.slots.len().max(LEAST_SLOTS);
        while least > slots * 3 {
            slots *= 2;
        }
        if slots == self.slots.len() {
            return;
        }
        let old = std::mem::replace(&mut self.slots, vec![0; slots]);
        self.marks = vec![0; slots];
        for taken in old.into_iter().filter(|&taken| taken != 0) {
            let hash = hash_of(taken - 1);
            let mut slot = self.home(hash);
            while self.slots[slot] != 0 {
                slot = self.next(slot);
            }
            self.slots[slot] = taken;
            self.marks[slot] = mark(hash);
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "the lowest bits are what counts"
    )]
    fn home(&self, hash: u64) -> usize {
        hash as usize & (self.slots.len() - 1)
    }

    fn next(&self, slot: usize) -> usize {
        (slot + 1) & (self.slots.len() - 1)
    }
}
