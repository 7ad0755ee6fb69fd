//! Ids as people write them, and the indices that matrices use.

use std::collections::HashMap;
use std::sync::Arc;

/// Interned ids: index ↔ string, indices given in order of first appearance.
#[derive(Clone, Default)]
pub struct IdTable {
    names: Vec<Arc<str>>,
    index: HashMap<Arc<str>, u32>,
}

impl IdTable {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// The index of `name`, given out now if it is new; `None` once 2^32 − 1 ids are in use.
    pub fn intern(&mut self, name: &str) -> Option<u32> {
        if let Some(&index) = self.index.get(name) {
            return Some(index);
        }
        let index = u32::try_from(self.names.len())
            .ok()
            .filter(|&index| index < u32::MAX)?;
        let name: Arc<str> = name.into();
        self.names.push(Arc::clone(&name));
        self.index.insert(name, index);
        Some(index)
    }

    /// The index of a known id.
    pub fn find(&self, name: &str) -> Option<u32> {
        self.index.get(name).copied()
    }

    /// The id behind an index.
    pub fn name(&self, index: u32) -> Option<&str> {
        self.names.get(index as usize).map(AsRef::as_ref)
    }

    /// Number of ids.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there is no id.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// All ids in index order.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> + '_ {
        self.names.iter().map(AsRef::as_ref)
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
}
