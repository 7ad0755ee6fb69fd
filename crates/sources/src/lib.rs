//! Where people keep their data: files and folders, PostgreSQL, object stores. What an import reads is
//! copied whole into a file that nobody else can open before any of it goes on, so that a connection
//! that breaks leaves nothing; what an export writes takes its name when it is whole.
//!
//! | module | one sentence |
//! |---|---|
//! | [`source`] | anything to import, opened |
//! | [`destination`] | anywhere to export to |
//! | [`place`] | what a place is called, and what messages call it, without secrets |
//! | `files` | files, standard input, folders and patterns of Parquet files |
//! | `postgres` | the rows of a query, by COPY |
//! | `objects` | S3, Google Cloud Storage, Azure Blob Storage |
//! | `trust` | whom TLS connections believe |
//! | `spool` | the file that nobody else can open |
//! | [`error`] | what is wrong with which place, and how to put it right |

pub mod destination;
pub mod error;
mod files;
mod objects;
mod opened;
pub mod place;
mod postgres;
pub mod source;
mod spool;
mod trust;

pub use destination::Destination;
pub use error::{SourceError, Trouble};
pub use opened::Opened;
pub use place::{Place, is_url, shown};
pub use source::Source;
