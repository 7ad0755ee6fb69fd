//! What goes wrong, and when: one misfortune for each attempt of a schedule, then calm.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use s3rec_spmm::preprocessed::{Bulk, MemoryStorage, StockStorage};

/// Attempts of a schedule that something befalls.
const STORMY_ATTEMPTS: u64 = 9;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Rating,
    Social,
}

/// What befalls one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Misfortune {
    Nothing,
    /// The process dies at its disk's operation of that number, which is done or not.
    CrashAtDisk {
        who: Side,
        operation: i64,
        is_done: bool,
    },
    /// Both die, or one, when that message is under way.
    Crash {
        both: bool,
        message: u32,
    },
    /// Nothing passes from that message on, for so many attempts.
    Partition {
        message: u32,
        attempts: u32,
    },
    Drop {
        message: u32,
    },
    Delay {
        message: u32,
    },
    Duplicate {
        message: u32,
    },
    Reorder {
        message: u32,
    },
    Corrupt {
        message: u32,
        bit: usize,
    },
}

impl Misfortune {
    pub(crate) fn name(self) -> String {
        let name = format!("{self:?}");
        name.split([' ', '{']).next().unwrap_or_default().to_owned()
    }
}

/// SplitMix64.
pub(crate) struct Choices(u64);

impl Choices {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

pub(crate) struct Weather {
    choices: Choices,
    stormy_attempts: u64,
    /// Befalls the first attempt instead of anything drawn.
    first: Option<Misfortune>,
    suffered: Vec<Misfortune>,
}

impl Weather {
    pub(crate) fn calm() -> Self {
        Self {
            choices: Choices(0),
            stormy_attempts: 0,
            first: None,
            suffered: Vec::new(),
        }
    }

    pub(crate) fn of(seed: u64) -> Self {
        let mut choices = Choices(seed);
        Self {
            stormy_attempts: 1 + choices.below(STORMY_ATTEMPTS),
            choices,
            first: None,
            suffered: Vec::new(),
        }
    }

    /// This, and then calm.
    pub(crate) fn once(first: Misfortune) -> Self {
        Self {
            first: Some(first),
            ..Self::calm()
        }
    }

    pub(crate) fn suffered(&self) -> &[Misfortune] {
        &self.suffered
    }

    /// What befalls the next attempt.
    pub(crate) fn next(&mut self) -> Misfortune {
        if let Some(first) = self.first.take() {
            self.suffered.push(first);
            return first;
        }
        if self.suffered.len() as u64 >= self.stormy_attempts {
            return Misfortune::Nothing;
        }
        // Early messages are of the resume handshake; late ones of the last rounds.
        let reach = [6, 20, 60][usize::try_from(self.choices.below(3)).unwrap_or(0)];
        let message = u32::try_from(self.choices.below(reach)).unwrap_or(0);
        let misfortune = match self.choices.below(20) {
            0..=6 => Misfortune::CrashAtDisk {
                who: match self.choices.below(2) {
                    0 => Side::Rating,
                    _ => Side::Social,
                },
                operation: i64::from(message),
                is_done: self.choices.below(2) == 0,
            },
            7..=12 => Misfortune::Crash {
                both: self.choices.below(2) == 0,
                message,
            },
            13..=15 => Misfortune::Partition {
                message,
                attempts: u32::try_from(self.choices.below(12)).unwrap_or(0),
            },
            16 => Misfortune::Drop { message },
            17 => match self.choices.below(2) {
                0 => Misfortune::Delay { message },
                _ => Misfortune::Duplicate { message },
            },
            18 => Misfortune::Reorder { message },
            _ => Misfortune::Corrupt {
                message,
                bit: usize::try_from(self.choices.below(1 << 20)).unwrap_or(0),
            },
        };
        self.suffered.push(misfortune);
        misfortune
    }
}

/// How long a process lives, counted in operations of its disk.
#[derive(Clone, Default)]
pub(crate) struct Life {
    left: Arc<AtomicI64>,
    /// The last operation is done before the end.
    is_done: bool,
}

impl Life {
    pub(crate) fn of(misfortune: Misfortune, side: Side) -> Self {
        let (left, is_done) = match misfortune {
            Misfortune::CrashAtDisk {
                who,
                operation,
                is_done,
            } if who == side => (operation, is_done),
            _ => (i64::MAX, false),
        };
        Self {
            left: Arc::new(AtomicI64::new(left)),
            is_done,
        }
    }

    /// One operation of the disk: an error means that the process is dead.
    pub(crate) fn spend(&self, operation: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let left = self.left.fetch_sub(1, Ordering::Relaxed);
        if left > 0 || (left == 0 && self.is_done) {
            operation()?;
        }
        match left > 0 {
            true => Ok(()),
            false => Err(io::Error::other("killed")),
        }
    }
}

/// The disk of a process that may die at any operation that changes it.
pub(crate) struct MortalDisk {
    pub(crate) disk: MemoryStorage,
    pub(crate) life: Life,
}

impl StockStorage for MortalDisk {
    fn load(&self) -> io::Result<Option<Vec<u8>>> {
        self.disk.load()
    }

    fn save(&self, record: &[u8]) -> io::Result<()> {
        self.life.spend(|| self.disk.save(record))
    }

    fn write_at(&self, bulk: Bulk, offset_bytes: u64, bytes: &[u8]) -> io::Result<()> {
        self.life
            .spend(|| self.disk.write_at(bulk, offset_bytes, bytes))
    }

    fn read_at(&self, bulk: Bulk, offset_bytes: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.disk.read_at(bulk, offset_bytes, bytes)
    }

    fn discard(&self, bulk: Bulk) -> io::Result<()> {
        self.life.spend(|| self.disk.discard(bulk))
    }

    fn saves_every(&self) -> Duration {
        self.disk.saves_every()
    }
}

/// Counts the messages of one attempt.
#[derive(Clone, Default)]
pub(crate) struct Messages(Rc<Cell<u32>>);

impl Messages {
    pub(crate) fn so_far(&self) -> u32 {
        self.0.get()
    }

    pub(crate) fn next(&self) -> u32 {
        let now = self.0.get();
        self.0.set(now + 1);
        now
    }
}
