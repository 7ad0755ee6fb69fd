//! Daemons in this process, over loopback with real TLS: as they ship, but for their `main`.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use s3rec_node::client::connect;
use s3rec_node::config::{
    ConsoleSettings, Limits, LogSettings, ObservabilitySettings, OperatorSettings, RatingPeer,
    RatingSettings, Retention, Settings, SocialPeer, SocialSettings, TlsSettings,
};
use s3rec_node::daemon::{Daemon, DaemonError};
use s3rec_node::pki::{CertificateRole, Issuance, Pin};
use s3rec_node::store::StoreError;
use s3rec_node::tls::{Authorize, TlsMaterial};
use s3rec_wire::v1;
use s3rec_wire::v1::file_chunk::Part;
use tonic::transport::Channel;

/// Chunks of a file.
pub type Upload = tokio_stream::Iter<std::vec::IntoIter<v1::FileChunk>>;

/// Certificate and key of that name in a directory of keys, a role or another.
#[must_use]
pub fn tls(keys: &Path, stem: impl std::fmt::Display) -> TlsSettings {
    TlsSettings {
        ca: keys.join("ca.pem"),
        certificate: keys.join(format!("{stem}.pem")),
        key: keys.join(format!("{stem}.key")),
        revoked: None,
    }
}

/// The pin of a role's certificate.
#[must_use]
pub fn pin(issued: &Issuance, role: CertificateRole) -> Pin {
    issued.identity(role).unwrap().pin
}

/// Settings of a social platform that believes `pin`'s owner, on ports of its own choice.
#[must_use]
pub fn social_settings(data_dir: PathBuf, keys: &Path, pin: Pin) -> SocialSettings {
    let peer = SocialPeer {
        listen: "127.0.0.1:0".parse().unwrap(),
        pin: Some(pin),
        pin_file: None,
        policy: None,
    };
    settings(data_dir, keys, CertificateRole::Social, peer)
}

/// Settings of a rating platform that calls `address` and believes `pin`'s owner there.
#[must_use]
pub fn rating_settings(
    data_dir: PathBuf,
    keys: &Path,
    address: String,
    pin: Pin,
) -> RatingSettings {
    let peer = RatingPeer {
        address,
        pin: Some(pin),
        pin_file: None,
    };
    settings(data_dir, keys, CertificateRole::Rating, peer)
}

fn settings<P>(data_dir: PathBuf, keys: &Path, role: CertificateRole, peer: P) -> Settings<P> {
    Settings {
        data_dir,
        name: format!("{role}.example"),
        operator: OperatorSettings {
            listen: "127.0.0.1:0".parse().unwrap(),
            ca: None,
        },
        peer,
        tls: tls(keys, role),
        console: ConsoleSettings::default(),
        log: LogSettings::default(),
        observability: ObservabilitySettings::default(),
        limits: Limits {
            idle_seconds: 60,
            drain_seconds: 2,
            ..Limits::default()
        },
        retention: Retention::default(),
        workers: None,
    }
}

/// Starts a daemon, once the one before has let go of the store.
pub async fn started<F>(start: impl Fn() -> F) -> Daemon
where
    F: Future<Output = Result<Daemon, DaemonError>>,
{
    let began = Instant::now();
    loop {
        match start().await {
            Err(DaemonError::Store(StoreError::InUse { .. })) => {
                assert!(
                    began.elapsed() < Duration::from_secs(20),
                    "the store stays in use"
                );
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            started => return started.unwrap(),
        }
    }
}

/// A connection of whoever has the role `own`, to a daemon of the role `of`.
pub async fn operator(
    keys: &Path,
    address: &str,
    own: CertificateRole,
    of: CertificateRole,
) -> Channel {
    let material = TlsMaterial::load(&tls(keys, own), own).unwrap();
    connect(address, &material, Authorize::role(of))
        .await
        .unwrap()
}

/// A file as the command sends it, for the data set `dataset`.
pub fn file(dataset: &str, name: &str, text: &str) -> Upload {
    let header = v1::FileHeader {
        file_name: name.into(),
        dataset: dataset.into(),
        ..v1::FileHeader::default()
    };
    upload(header, text)
}

/// An upload of that content under that header, which states its length and digest.
pub fn upload(header: v1::FileHeader, content: impl AsRef<[u8]>) -> Upload {
    let content = content.as_ref();
    let header = v1::FileHeader {
        length: content.len() as u64,
        digest: blake3::hash(content).as_bytes().to_vec(),
        ..header
    };
    sent(header, content)
}

/// As [`upload`], the header as it is.
pub fn sent(header: v1::FileHeader, content: impl AsRef<[u8]>) -> Upload {
    let part = |part| v1::FileChunk { part: Some(part) };
    let mut chunks = vec![part(Part::Header(header))];
    let data = content.as_ref().chunks(1000);
    chunks.extend(data.map(|data| part(Part::Data(data.to_vec()))));
    tokio_stream::iter(chunks)
}
