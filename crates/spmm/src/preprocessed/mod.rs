//! `preprocessed`: cryptography before training, plain speed during it (design page, section 3.3).

mod storage;

pub use storage::{Bulk, DirectoryStorage, MemoryStorage, StockStorage};
