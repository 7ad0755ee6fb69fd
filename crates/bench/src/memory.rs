//! The process's largest resident set and processor time, for one stretch of work at a time.

use std::cell::Cell;
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

/// Processor seconds of all threads so far; 0 where the kernel does not tell.
#[must_use]
pub(crate) fn core_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Behind the name, which may hold anything: state first, utime and stime 11 and 12 later.
    let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
    let ticks: Vec<f64> = fields
        .split(' ')
        .skip(11)
        .take(2)
        .filter_map(|ticks| ticks.parse().ok())
        .collect();
    ticks.iter().sum::<f64>() / TICKS_PER_SECOND
}

/// Processor seconds of the calling thread alone. While others compute for it, it waits: what it
/// takes of a stretch is what no further core makes shorter. 0 where the kernel does not tell.
#[must_use]
pub(crate) fn own_thread_seconds() -> f64 {
    let spent = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let first = spent.split(' ').next().unwrap_or_default();
    first.parse::<u64>().unwrap_or(0) as f64 / 1e9
}

thread_local! {
    static MOVED: Cell<f64> = const { Cell::new(0.0) };
}

/// Does what the kernel copies bytes for, to or from a connection or a disk, and counts the
/// processor time that this thread spends on it: [`moved_seconds`].
pub(crate) fn moving<T>(work: impl FnOnce() -> T) -> T {
    let before = own_thread_seconds();
    let done = work();
    MOVED.set(MOVED.get() + own_thread_seconds() - before);
    done
}

/// Processor seconds of the calling thread in [`moving`] so far.
#[must_use]
pub(crate) fn moved_seconds() -> f64 {
    MOVED.get()
}

/// Processor seconds of the threads that there are, to the nanosecond: for stretches in which no
/// thread ends; ticks where the kernel does not tell.
#[must_use]
pub(crate) fn thread_seconds() -> f64 {
    let tasks = fs::read_dir("/proc/self/task").into_iter().flatten();
    let of_tasks = tasks.flatten().map(|task| {
        let spent = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
        let first = spent.split(' ').next().unwrap_or_default();
        first.parse::<u64>().unwrap_or(0)
    });
    match of_tasks.sum::<u64>() {
        0 => core_seconds(),
        nanoseconds => nanoseconds as f64 / 1e9,
    }
}

/// Of every Linux that runs this.
const TICKS_PER_SECOND: f64 = 100.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_takes_processor_time() {
        let before = core_seconds();
        let mut sum = 0_u64;
        while core_seconds() < before + 0.03 {
            sum = (0..100_000).fold(sum, |sum, i| std::hint::black_box(sum ^ i));
        }
        assert!(core_seconds() >= before + 0.03, "{sum}");
    }

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
