//! The process's largest resident set, for one stretch of work at a time.

use std::fs;

/// Makes the kernel forget the largest resident set so far, where it lets us.
pub(crate) fn reset_peak() {
    // Not being allowed to leaves the peak of the whole process, which is larger, never smaller.
    let _ = fs::write("/proc/self/clear_refs", "5");
}

/// Largest resident set since [`reset_peak`], in bytes; 0 where the kernel does not tell.
#[must_use]
pub(crate) fn peak_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.trim().strip_suffix("kB"))
        .and_then(|kibibytes| kibibytes.trim().parse::<u64>().ok())
        .map_or(0, |kibibytes| kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_allocation_raises_the_peak() {
        reset_peak();
        let before = peak_bytes();
        let block = vec![1u8; 64 << 20];
        assert!(std::hint::black_box(&block).iter().all(|byte| *byte == 1));
        assert!(
            peak_bytes() >= before + (48 << 20),
            "{before} to {}",
            peak_bytes()
        );
    }
}
