//! Connections that check nothing of what our own clients check.

use s3rec_cli::connection::Connection;
use tonic::Status;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Error, Identity};

/// Why somebody was not served.
#[derive(Debug)]
pub enum Refusal {
    /// Already by TLS.
    Connection(Error),
    /// By the call.
    Call(Box<Status>),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Connection(error)
    }
}

impl From<Status> for Refusal {
    fn from(status: Status) -> Self {
        Self::Call(Box::new(status))
    }
}

/// Opens a channel with whatever certificate the connection names.
pub async fn channel(connection: &Connection) -> Result<Channel, Error> {
    let read = |path| std::fs::read(path).unwrap();
    let tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(read(&connection.ca)))
        .identity(Identity::from_pem(
            read(&connection.certificate),
            read(&connection.key),
        ));
    Endpoint::from_shared(connection.address.clone())?
        .tls_config(tls)?
        .connect()
        .await
}
