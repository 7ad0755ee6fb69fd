//! Why a daemon could not be reached or does not take us: whose it was meant to be, which setting
//! names it, and what puts it right.

use std::io;

use rustls::{AlertDescription, CertificateError, InvalidMessage};
use s3rec_wire::status::{Fault, Reason};

use crate::pki::CertificateRole;

/// Whom we call, and as whom.
#[derive(Clone, Debug)]
pub(crate) struct Dialled {
    own: CertificateRole,
    wanted: CertificateRole,
    /// `host:port`.
    at: String,
}

impl Dialled {
    pub(crate) fn new(own: CertificateRole, wanted: CertificateRole, at: String) -> Self {
        Self { own, wanted, at }
    }

    /// No TCP connection.
    pub(crate) fn unreachable(&self, error: &io::Error) -> Fault {
        let (at, wanted) = (&self.at, self.wanted);
        let message = format!(
            "nobody answers at {at}, where the {wanted} platform's daemon is looked for ({error})"
        );
        let remedy = match self.is_operator() {
            true => format!(
                "Start the daemon (s3rec-{wanted} --config {wanted}.toml), or correct {}: what it listens \
                 on stands in operator.addr of its data_dir.",
                self.setting()
            ),
            false => format!(
                "Ask the {wanted} platform's operators whether their daemon runs, and whether {} is their \
                 host and the port of their peer.listen, open in the firewalls between.",
                self.setting()
            ),
        };
        Fault::new(Reason::Unreachable, message).remedied_by(remedy)
    }

    /// No TLS over the TCP connection.
    pub(crate) fn handshake(&self, error: &io::Error) -> Fault {
        let (at, wanted, setting) = (&self.at, self.wanted, self.setting());
        let failed = |what: String, remedy: String| {
            let message = format!("TLS with {at} failed: {what}");
            Fault::new(Reason::TlsFailed, message).remedied_by(remedy)
        };
        match rustls_error(error) {
            Some(rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType)) => failed(
                "what answers there speaks no TLS".into(),
                format!(
                    "That is another program's port, or a daemon's port for metrics (observability.listen). \
                     Set {setting} to the port of {}.",
                    self.port()
                ),
            ),
            Some(rustls::Error::InvalidCertificate(error)) => {
                let (what, remedy) = self.certificate(error);
                failed(what, remedy)
            }
            Some(rustls::Error::AlertReceived(alert)) => {
                let (what, remedy) = self.refusal(*alert);
                failed(what, remedy)
            }
            _ => failed(
                error.to_string(),
                format!(
                    "Check that {setting} is the port of {} of the {wanted} platform's daemon; its log \
                     says why it ended the connection.",
                    self.port()
                ),
            ),
        }
    }

    /// TLS stands, but whoever answers is not whom we look for.
    pub(crate) fn somebody_else(&self, fault: Fault) -> Fault {
        let message = format!("{}: {}", self.at, fault.message);
        let remedied = match fault.reason {
            Reason::WrongRole => format!(
                "Set {} to the port of {} of the {} platform's daemon.",
                self.setting(),
                self.port(),
                self.wanted
            ),
            _ => fault.remedy.clone(),
        };
        Fault { message, ..fault }.remedied_by(remedied)
    }

    /// Their certificate, as our TLS does not believe it.
    fn certificate(&self, error: &CertificateError) -> (String, String) {
        let (at, wanted, setting) = (&self.at, self.wanted, self.setting());
        match error {
            CertificateError::UnknownIssuer | CertificateError::BadSignature => (
                format!(
                    "the certificate shown there is not of the authority that we believe for the {wanted} \
                     platform"
                ),
                format!(
                    "If that is the other platform's port, correct {setting}. If not, {} must be the \
                     authority of the {wanted} platform's daemon.",
                    match self.is_operator() {
                        true => "ca of the client file",
                        false => "tls.ca (s3rec pki trust writes it)",
                    }
                ),
            ),
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => (
                format!("the certificate shown there is not for this name ({error})"),
                format!(
                    "Call it by a name that its certificate has, in {setting}; or have its operators make \
                     one for {at} (s3rec pki rotate --host)."
                ),
            ),
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => (
                format!("the {wanted} platform's certificate has ended ({error})"),
                "Have its operators make the next one (s3rec pki rotate), and compare both machines' \
                 clocks."
                    .into(),
            ),
            CertificateError::Revoked => (
                format!("the {wanted} platform's certificate was revoked"),
                "Its operators have taken it back: ask them for the card of the new one.".into(),
            ),
            other => (
                format!("the certificate shown there is not valid: {other}"),
                format!("Ask the {wanted} platform's operators to run s3rec doctor."),
            ),
        }
    }

    /// Our certificate, as their TLS refuses it.
    fn refusal(&self, alert: AlertDescription) -> (String, String) {
        let (own, wanted) = (self.own, self.wanted);
        let ours = match self.is_operator() {
            true => "certificate of the client file",
            false => "tls.certificate",
        };
        match alert {
            AlertDescription::CertificateExpired => (
                format!("our certificate ({own}) has ended"),
                format!("Make the next one (s3rec pki rotate), and name it in {ours}."),
            ),
            AlertDescription::CertificateRevoked => (
                format!("our certificate ({own}) was revoked"),
                format!(
                    "Ask who revoked it for a new one (s3rec pki request), and name it in {ours}."
                ),
            ),
            AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::DecryptError => (
                format!("our certificate ({own}) is not of an authority that is believed there"),
                match self.is_operator() {
                    true => format!(
                        "Name a certificate of the {wanted} platform's own authority in {ours} and its key \
                         in key; if it is, that is another platform's port."
                    ),
                    false => format!(
                        "Ask the {wanted} platform's operators to take up our card (s3rec pki trust)."
                    ),
                },
            ),
            other => (
                format!("our certificate ({own}) is refused there ({other:?})"),
                format!("The log of the {wanted} platform's daemon says why."),
            ),
        }
    }

    fn is_operator(&self) -> bool {
        self.own.operator().is_none()
    }

    /// What names the address.
    fn setting(&self) -> &'static str {
        match self.is_operator() {
            true => "address of the client file (--address)",
            false => "peer.address",
        }
    }

    /// What the address must be the port of.
    fn port(&self) -> &'static str {
        match self.is_operator() {
            true => "operator.listen",
            false => "peer.listen",
        }
    }
}

fn rustls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_has_words_and_a_remedy_of_its_own() {
        use rustls::Error::{AlertReceived, InvalidCertificate, InvalidMessage as Message};
        let causes = [
            Message(InvalidMessage::InvalidContentType),
            InvalidCertificate(CertificateError::UnknownIssuer),
            InvalidCertificate(CertificateError::NotValidForName),
            InvalidCertificate(CertificateError::Expired),
            InvalidCertificate(CertificateError::Revoked),
            AlertReceived(AlertDescription::CertificateExpired),
            AlertReceived(AlertDescription::CertificateRevoked),
            AlertReceived(AlertDescription::UnknownCA),
        ];
        for own in [CertificateRole::RatingOperator, CertificateRole::Rating] {
            let wanted = match own {
                CertificateRole::Rating => CertificateRole::Social,
                _ => CertificateRole::Rating,
            };
            let dialled = Dialled::new(own, wanted, "p:1".into());
            let faults: Vec<Fault> = causes
                .iter()
                .map(|cause| dialled.handshake(&io::Error::other(cause.clone())))
                .collect();
            for (index, fault) in faults.iter().enumerate() {
                assert_eq!(fault.reason, Reason::TlsFailed);
                assert_ne!(fault.remedy, Reason::TlsFailed.remedy(), "{fault}");
                assert!(fault.message.contains("p:1"), "{fault}");
                let others = faults
                    .iter()
                    .enumerate()
                    .filter(|(other, _)| *other != index);
                for (_, other) in others {
                    assert_ne!(fault.message, other.message);
                }
            }
        }
    }
}
