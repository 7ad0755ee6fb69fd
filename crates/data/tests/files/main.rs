//! What is read of files as people have them, and what is refused.

mod cases;
mod formats;
mod json_lines;
mod parquet;
mod published;
mod readers;
