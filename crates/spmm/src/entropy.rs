//! Fresh seeds of both parties, drawn in one place: so known answers can be told from given seeds.

use s3rec_algebra::{AlgebraError, Seed};

/// A fresh seed from the operating system.
pub(crate) fn fresh() -> Result<Seed, AlgebraError> {
    #[cfg(test)]
    if let Some(seed) = given::next() {
        return Ok(seed);
    }
    Seed::generate()
}

/// Seeds that a test gives instead.
#[cfg(test)]
pub(crate) mod given {
    use std::cell::Cell;

    use s3rec_algebra::Seed;

    thread_local! {
        static DRAWN: Cell<Option<u8>> = const { Cell::new(None) };
    }

    pub(super) fn next() -> Option<Seed> {
        let number = DRAWN.get()?;
        DRAWN.set(Some(number + 1));
        Some(Seed::from_bytes([number; 32]))
    }

    /// Runs with the seeds 01…, 02… and so on in the order of the draws of this thread.
    pub(crate) fn seeds<T>(run: impl FnOnce() -> T) -> T {
        DRAWN.set(Some(1));
        let result = run();
        DRAWN.set(None);
        result
    }
}
