//! Asking memory for what will be read soon.

/// Has the cache line at the start of `value` brought near, where the processor can be told so;
/// elsewhere nothing happens. For gathers whose places are known some steps ahead: memory then
/// answers several at once instead of one after the other. Public or secret, the places are
/// those that will be read anyway.
#[inline(always)]
pub fn prefetch<T>(value: &T) {
    #[cfg(target_arch = "x86_64")]
    safe_arch::prefetch_t1(value);
    #[cfg(not(target_arch = "x86_64"))]
    let _ = value;
}
