//! Calls of the people at both platforms, as functions. The commands, the demonstration and the
//! tests all speak through these.

mod export;
mod model_file;
mod upload;
mod watch;

use s3rec_node::pki::CertificateRole;
use s3rec_wire::v1;
use tonic::transport::Channel;

pub use export::{ExportedModel, ExportedRow, export, gather};
pub use model_file::{WrittenModel, tensors, write_model};
pub use upload::{Columns, FileSource, UsersFile, import_factors, import_links, import_ratings};
pub use watch::{decision, is_terminal, rating_events, social_events};

use crate::connection::Connection;
use crate::failure::Failure;

/// A report of a long job is larger than gRPC's 4 MiB.
const LARGEST_ANSWER_BYTES: usize = 64 << 20;

/// Client of the rating platform's operator service.
pub type RatingClient = v1::rating_platform_client::RatingPlatformClient<Channel>;
/// Client of the social platform's operator service.
pub type SocialClient = v1::social_platform_client::SocialPlatformClient<Channel>;

/// Connects to a rating platform.
///
/// # Errors
/// As [`Connection::open`].
pub async fn rating(connection: &Connection) -> Result<RatingClient, Failure> {
    let own = CertificateRole::RatingOperator;
    let channel = connection.open(own, CertificateRole::Rating).await?;
    Ok(RatingClient::new(channel).max_decoding_message_size(LARGEST_ANSWER_BYTES))
}

/// Connects to a social platform.
///
/// # Errors
/// As [`Connection::open`].
pub async fn social(connection: &Connection) -> Result<SocialClient, Failure> {
    let own = CertificateRole::SocialOperator;
    let channel = connection.open(own, CertificateRole::Social).await?;
    Ok(SocialClient::new(channel).max_decoding_message_size(LARGEST_ANSWER_BYTES))
}
