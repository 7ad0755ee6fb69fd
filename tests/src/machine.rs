//! A daemon's disk and clock, as a test wants them: a library between the program and the system
//! (`machine.c`), and small disks of their own where we may mount them.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::io::Errno;
use tempfile::TempDir;

use crate::pair::Environment;

/// What stands between daemons and their system. Any number of daemons share one.
#[derive(Debug)]
pub struct Machine {
    directory: TempDir,
    told: File,
}

impl Machine {
    /// One that changes nothing yet.
    #[must_use]
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/src/machine.c");
        let mut compile = Command::new("cc");
        compile.args(["-shared", "-fPIC", "-O1", "-o"]);
        compile.arg(directory.path().join("machine.so")).arg(source);
        assert!(compile.status().unwrap().success(), "cc {source}");
        let path = directory.path().join("told");
        let told = File::create(&path).unwrap();
        told.write_all_at(&[0; 16], 0).unwrap();
        Self { directory, told }
    }

    /// Variables for a daemon whose clock is this one's, and whose disk below `data_dir` is.
    #[must_use]
    pub fn environment(&self, data_dir: &Path) -> Environment {
        let at = |name: &str| self.directory.path().join(name).into_os_string();
        vec![
            ("LD_PRELOAD".into(), at("machine.so")),
            ("S3REC_TEST_MACHINE".into(), at("told")),
            ("S3REC_TEST_DISK".into(), data_dir.into()),
        ]
    }

    /// The same for a daemon that ends as from `kill -9`: before or behind the `number`-th time that a
    /// file is put in the place of one whose path ends in `name`.
    #[must_use]
    pub fn deadly(&self, data_dir: &Path, (number, when, name): (u32, &str, &str)) -> Environment {
        let mut environment = self.environment(data_dir);
        let death = format!("{number} {when} {name}");
        environment.push(("S3REC_TEST_DEATH".into(), death.into()));
        environment
    }

    /// Sets the wall clock to so many seconds after the true time, or before it.
    pub fn set_clock(&self, seconds: i64) {
        self.told.write_all_at(&seconds.to_le_bytes(), 0).unwrap();
    }

    /// From now on the disk is as one that was mounted read-only after an error.
    pub fn make_read_only(&self) {
        self.refuse(Errno::ROFS.raw_os_error());
    }

    /// From now on the disk has no room.
    pub fn fill_disk(&self) {
        self.refuse(Errno::NOSPC.raw_os_error());
    }

    /// The disk is well again.
    pub fn mend_disk(&self) {
        self.refuse(0);
    }

    fn refuse(&self, errno: i32) {
        let errno = i64::from(errno);
        self.told.write_all_at(&errno.to_le_bytes(), 8).unwrap();
    }
}

impl Default for Machine {
    fn default() -> Self {
        Self::new()
    }
}

/// A disk of few megabytes, mounted on a directory until dropped.
#[derive(Debug)]
pub struct SmallDisk {
    at: PathBuf,
}

impl SmallDisk {
    /// Mounts one on `at`, which is made; `None` with a loud word where we may not mount.
    #[must_use]
    pub fn mount(at: &Path, megabytes: u32) -> Option<Self> {
        std::fs::create_dir_all(at).unwrap();
        let size = format!("size={megabytes}m,mode=700");
        if !mounts(&["-t", "tmpfs", "-o", &size, "s3rec-test"], Some(at)) {
            eprintln!("SKIPPED on a real disk: only who may mount one can fill it");
            return None;
        }
        Some(Self { at: at.to_owned() })
    }

    /// Leaves room for `bytes` and no more.
    pub fn leave(&self, bytes: u64) {
        self.free();
        let file = File::create(self.ballast()).unwrap();
        let free = s3rec_node::process::free_disk_bytes(&self.at).unwrap();
        let block = vec![7; 4096];
        for _ in 0..free.saturating_sub(bytes) / 4096 {
            match std::io::Write::write_all(&mut &file, &block) {
                // Somebody else took the rest meanwhile.
                Err(error) if error.kind() == std::io::ErrorKind::StorageFull => return,
                written => written.unwrap(),
            }
        }
    }

    /// There is room again.
    pub fn free(&self) {
        let _ = std::fs::remove_file(self.ballast());
    }

    /// Mounts it read-only, or writable again. Nobody may have a file of it open for writing.
    pub fn set_read_only(&self, read_only: bool) {
        let how = if read_only {
            "remount,ro"
        } else {
            "remount,rw"
        };
        assert!(mounts(&["-o", how], Some(&self.at)), "mount -o {how}");
    }

    fn ballast(&self) -> PathBuf {
        self.at.join("ballast")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Whoever still has it open keeps it until then.
        let _ = Command::new("umount").arg("-l").arg(&self.at).status();
    }
}

fn mounts(arguments: &[&str], at: Option<&Path>) -> bool {
    let mut mount = Command::new("mount");
    mount.args(arguments).args(at);
    mount.output().is_ok_and(|output| output.status.success())
}
