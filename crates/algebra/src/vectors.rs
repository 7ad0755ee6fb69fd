//! Loops for the vector units that a processor has.

use pulp::{Arch, NullaryFnOnce};

/// A loop to be compiled for every vector unit.
struct Kernel<F>(F);

impl<R, F: FnMut() -> R> NullaryFnOnce for Kernel<F> {
    type Output = R;

    #[inline(always)]
    fn call(mut self) -> R {
        (self.0)()
    }
}

/// Runs a loop with the vectors of `arch`; mark the closure `#[inline(always)]`, and what it calls.
///
/// `arch.dispatch` takes a plain closure too, but through a shim that is not inlined: it would be
/// compiled for the oldest processor, where `mul_add` is a call into the C library. So would this,
/// were a closure that is called once asked for (`FnOnce`).
#[inline(always)]
pub fn dispatch<R>(arch: Arch, kernel: impl FnMut() -> R) -> R {
    arch.dispatch(Kernel(kernel))
}
