//! Where a figure was measured.

use std::fs;

use serde::{Deserialize, Serialize};

/// The machine and the commit, so that figures can be placed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Model name as the kernel gives it.
    pub processor: String,
    /// Cores this process may run on, which are fewer than the machine's under `taskset`.
    #[serde(default)]
    pub cores: u64,
    /// Threads that computations used.
    pub threads: u64,
    /// Main memory.
    #[serde(default)]
    pub memory_bytes: u64,
    /// Of the kernel.
    #[serde(default)]
    pub kernel: String,
    /// Of this software.
    pub version: String,
    /// What the binary was built from.
    #[serde(default)]
    pub commit: String,
    /// True for a build without optimisation of everything, whose times mean little.
    #[serde(default)]
    pub debug_build: bool,
}

impl Machine {
    /// This one.
    #[must_use]
    pub fn here() -> Self {
        let (processor, memory) = (read("/proc/cpuinfo"), read("/proc/meminfo"));
        Self {
            processor: field(&processor, "model name")
                .unwrap_or("unknown")
                .to_owned(),
            cores: std::thread::available_parallelism().map_or(0, |cores| cores.get() as u64),
            threads: rayon::current_num_threads() as u64,
            memory_bytes: field(&memory, "MemTotal")
                .and_then(|text| text.strip_suffix("kB"))
                .and_then(|kibibytes| kibibytes.trim().parse::<u64>().ok())
                .map_or(0, |kibibytes| kibibytes * 1024),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            commit: env!("S3REC_BENCH_COMMIT").to_owned(),
            debug_build: cfg!(debug_assertions),
        }
    }
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// The value of the first line `name : value`.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|rest| rest.split_once(':'))
        .map(|(_, value)| value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_tells_what_it_is() {
        let machine = Machine::here();
        assert!(machine.cores >= 1 && machine.threads >= 1);
        assert!(machine.memory_bytes > 1 << 28, "{machine:?}");
        assert!(!machine.commit.is_empty());
    }

    #[test]
    fn a_field_is_found_by_its_whole_line() {
        let text = "processor\t: 0\nmodel name\t: AMD EPYC: two\n";
        assert_eq!(field(text, "model name"), Some("AMD EPYC: two"));
        assert_eq!(field(text, "flags"), None);
    }
}
