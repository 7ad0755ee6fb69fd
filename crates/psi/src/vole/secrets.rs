//! Many secrets, which all cores erase: by one thread that takes as long as a tenth of what is
//! computed with them.

use std::ops::{Deref, DerefMut};

use rayon::prelude::*;
use zeroize::Zeroize;

/// Elements that one thread erases, at least.
const ERASED_BY_ONE: usize = 1 << 12;

/// A vector that is erased on drop. It may grow, never shrink: what is behind its end is not
/// erased, and was never written.
pub(super) struct Secrets<T: Zeroize + Send>(Vec<T>);

impl<T: Zeroize + Send> Secrets<T> {
    pub(super) fn new(secrets: Vec<T>) -> Self {
        Self(secrets)
    }

    fn erase(&mut self) {
        self.0
            .par_iter_mut()
            .with_min_len(ERASED_BY_ONE)
            .for_each(Zeroize::zeroize);
    }
}

impl<T: Zeroize + Send> Drop for Secrets<T> {
    fn drop(&mut self) {
        self.erase();
    }
}

impl<T: Zeroize + Send> Deref for Secrets<T> {
    type Target = Vec<T>;

    fn deref(&self) -> &Vec<T> {
        &self.0
    }
}

impl<T: Zeroize + Send> DerefMut for Secrets<T> {
    fn deref_mut(&mut self) -> &mut Vec<T> {
        &mut self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_element_is_erased() {
        for count in [0, 1, ERASED_BY_ONE, 3 * ERASED_BY_ONE + 5] {
            let mut secrets = Secrets::new(vec![[7_u8; 32]; count]);
            secrets.erase();
            assert_eq!(secrets.len(), count);
            assert!(secrets.iter().all(|secret| *secret == [0; 32]));
        }
    }
}
