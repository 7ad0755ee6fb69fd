//! A connection that we opened, to somebody who must stay who they were.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use rustls_pki_types::CertificateDer;
use s3rec_wire::status::Fault;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Authorize;

/// How long a judgement holds: nothing leaves on an older one.
pub(super) const HOLDS: Duration = Duration::from_secs(1);

/// A stream over which nothing leaves once the certificate at its other end has ended, was
/// revoked, or is no longer pinned.
pub struct Judged<S> {
    stream: S,
    certificate: CertificateDer<'static>,
    rule: Authorize,
    judged: Instant,
}

impl<S> Judged<S> {
    /// A stream to the holder of `certificate`, whom `rule` lets through now and at every later
    /// write.
    ///
    /// # Errors
    /// As [`Authorize::judge`].
    pub fn new(
        stream: S,
        certificate: CertificateDer<'static>,
        rule: Authorize,
    ) -> Result<Self, Fault> {
        rule.judge(&certificate)?;
        Ok(Self {
            stream,
            certificate,
            rule,
            judged: Instant::now(),
        })
    }

    fn judge(&mut self) -> io::Result<()> {
        if self.judged.elapsed() < HOLDS {
            return Ok(());
        }
        let judged = self.rule.still(&self.certificate);
        judged.map_err(|fault| io::Error::new(io::ErrorKind::PermissionDenied, fault))?;
        self.judged = Instant::now();
        Ok(())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Judged<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Judged<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.judge()?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use s3rec_wire::status::Reason;
    use tokio::io::AsyncWriteExt;

    use super::*;
    use crate::config::TlsSettings;
    use crate::pki::{CertificateRole, certificate_in, issue, revoke};
    use crate::tls::{Identity, PinSource};

    /// What is promised; not [`HOLDS`], which must keep it.
    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test]
    async fn nothing_leaves_to_somebody_whose_certificate_was_taken_back() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let issued = issue(directory.path(), &[]).unwrap();
        let settings = TlsSettings {
            ca: at("ca.pem"),
            certificate: at("rating.pem"),
            key: at("rating.key"),
            revoked: Some(at("ca.crl")),
        };
        let theirs = issued.identity(CertificateRole::Social).unwrap();
        let pins = PinSource::Fixed(theirs.pin);
        let identity = Identity::load(&settings, None, pins, CertificateRole::Rating).unwrap();
        let rule = Authorize::pinned(CertificateRole::Social, &identity);
        let certificate = certificate_in(&theirs.certificate_path).unwrap();
        let (stream, _other) = tokio::io::duplex(64);
        // Nobody else is sent anything at all.
        let (to_another, _) = tokio::io::duplex(64);
        let another = certificate_in(&at("rating.pem")).unwrap();
        let refused = Judged::new(to_another, another, rule.clone())
            .err()
            .unwrap();
        assert_eq!(refused.reason, Reason::WrongRole);
        let mut judged = Judged::new(stream, certificate, rule).unwrap();
        judged.write_all(b"one").await.unwrap();
        tokio::time::sleep(SECOND).await;
        judged.write_all(b"two").await.unwrap();

        revoke(directory.path(), &theirs.certificate_path).unwrap();
        assert!(identity.look());
        tokio::time::sleep(SECOND).await;
        let refused = judged.write_all(b"three").await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
        assert!(refused.to_string().contains("revoked"), "{refused}");
    }
}
