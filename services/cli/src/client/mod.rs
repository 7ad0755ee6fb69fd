//! Calls of the people at both platforms, as functions. The commands, the demonstration and the
//! tests all speak through these.

mod again;
mod backup;
mod export;
mod friends_file;
mod ids;
mod listed;
mod lists;
mod model_file;
mod upload;
mod watch;

use s3rec_node::pki::CertificateRole;
use s3rec_wire::v1;
use tonic::transport::Channel;

pub use again::{watch_rating, watch_social};
pub use backup::{WrittenBackup, stated_since, write_backup};
pub use export::{ExportedModel, ExportedRow, export, gather};
pub use friends_file::{WrittenFriends, write_friends};
pub use ids::{rating_job, short, social_job};
pub use lists::{WrittenLists, write_lists};
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

/// Client of the service that opens a platform's console.
pub type ConsoleClient = v1::console_client::ConsoleClient<Channel>;

/// Connects to the daemon of the platform that operators of `own` operate.
///
/// # Errors
/// As [`Connection::open`].
pub async fn console(
    connection: &Connection,
    own: CertificateRole,
) -> Result<ConsoleClient, Failure> {
    let platform = match own {
        CertificateRole::Social | CertificateRole::SocialOperator => CertificateRole::Social,
        _ => CertificateRole::Rating,
    };
    Ok(ConsoleClient::new(connection.open(own, platform).await?))
}

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
