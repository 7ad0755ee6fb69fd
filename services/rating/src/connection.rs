//! The connection to the social platform for one job, and its lifeline.

use std::time::Duration;

use s3rec_audit::PublicKey;
use s3rec_job::{Counters, JobId, JobState, SignedApproval};
use s3rec_link::LinkError;
use s3rec_node::client::connect;
use s3rec_node::pki::CertificateRole;
use s3rec_node::tls::Authorize;
use s3rec_spmm::MAX_FRAME_BYTES;
use s3rec_wire::convert::{counters_to_wire, state_from_wire};
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1;
use s3rec_wire::v1::peer_client::PeerClient;
use s3rec_wire::{MAX_MESSAGE_BYTES, PROTOCOL_VERSION};
use tokio::sync::watch;
use tonic::transport::Channel;
use tonic::{Request, Status};

use crate::platform::Platform;

/// Longest wait for an answer that needs no computing.
const CALL_TIMEOUT: Duration = Duration::from_secs(20);

/// A connection to P1 whose identity and version were checked.
#[derive(Clone)]
pub(crate) struct PeerConnection {
    pub(crate) client: PeerClient<Channel>,
    /// How P1 is named in messages and ledgers.
    pub(crate) peer: String,
    /// The key of P1's signatures, as its pinned certificate names it.
    pub(crate) social_key: PublicKey,
}

impl PeerConnection {
    /// Connects, and exchanges versions.
    pub(crate) async fn open(platform: &Platform) -> Result<Self, Fault> {
        let expected = Authorize::pinned(CertificateRole::Social, &platform.identity);
        let channel = connect(
            &platform.peer.address,
            &platform.identity.now().material,
            expected.clone(),
        )
        .await?;
        let mut client = PeerClient::new(channel).max_decoding_message_size(MAX_MESSAGE_BYTES);
        let hello = v1::HelloRequest {
            protocol_version: PROTOCOL_VERSION,
            software_version: env!("CARGO_PKG_VERSION").into(),
            role: v1::Role::Rating.into(),
            instance_nonce: platform.instance_nonce.to_vec(),
        };
        let answered = client.hello(timed(hello)).await;
        let answer = answered.map_err(|status| read(&status))?.into_inner();
        if answer.protocol_version != PROTOCOL_VERSION || answer.role() != v1::Role::Social {
            let message = format!(
                "the social platform speaks version {} of the conversation, the rating platform {PROTOCOL_VERSION}",
                answer.protocol_version
            );
            return Err(Fault::new(Reason::VersionMismatch, message));
        }
        if (answer.max_frame_bytes as usize) < MAX_FRAME_BYTES {
            let message = "the social platform accepts smaller frames than this version sends";
            return Err(Fault::new(Reason::VersionMismatch, message));
        }
        platform.sight.seen();
        // TLS has seen the same certificate; this one goes into the audit log.
        expected.judge(&answer.certificate)?;
        Ok(Self {
            client,
            peer: platform.peer.address.clone(),
            social_key: platform.audit.peer(&answer.certificate)?,
        })
    }

    /// Sends the proposal; the same one again is answered alike.
    pub(crate) async fn propose(&mut self, proposal: v1::PeerProposal) -> Result<JobState, Fault> {
        let answered = self.client.propose(timed(proposal)).await;
        let receipt = answered.map_err(|status| read(&status))?.into_inner();
        Ok(state_from_wire(receipt.state))
    }

    /// Opens the job's lifeline.
    pub(crate) async fn lifeline(&mut self, job: JobId) -> Result<Lifeline, Fault> {
        let request = v1::WatchDecisionRequest {
            job_id: job.to_string(),
        };
        let answered = self.client.watch_decision(request).await;
        let mut decisions = answered.map_err(|status| read(&status))?.into_inner();
        let (sender, receiver) = watch::channel(Heard::Nothing);
        let task = tokio::spawn(async move {
            loop {
                let heard = match decisions.message().await {
                    Ok(Some(decision)) => {
                        let signed = SignedApproval {
                            approval: decision.approval.clone(),
                            signature: decision.approval_signature.clone(),
                        };
                        let state = state_from_wire(decision.state);
                        Heard::Decision(state, decision.reason, signed)
                    }
                    Ok(None) => Heard::Lost(LinkError::Ended.into()),
                    Err(status) => Heard::Lost(read(&status)),
                };
                // P1's last notice stands: the stream's end right after it says nothing more.
                let over = match &heard {
                    Heard::Lost(_) => true,
                    Heard::Decision(state, _, _) => state.is_terminal(),
                    Heard::Nothing => false,
                };
                sender.send_replace(heard);
                if over {
                    return;
                }
            }
        });
        Ok(Lifeline {
            heard: receiver,
            task,
        })
    }

    /// Tells P1 what was counted; gives the openings that it has counted.
    pub(crate) async fn finish(
        &mut self,
        job: JobId,
        openings: u32,
        counters: &Counters,
    ) -> Result<u32, Fault> {
        let request = v1::FinishRequest {
            job_id: job.to_string(),
            openings,
            counters: Some(counters_to_wire(counters)),
        };
        let answered = self.client.finish(timed(request)).await;
        Ok(answered
            .map_err(|status| read(&status))?
            .into_inner()
            .openings)
    }

    /// Tells P1 that the job is over. Best effort: P1 also notices the lifeline's end.
    pub(crate) async fn abort(&mut self, job: JobId, reason: &str) {
        let request = v1::AbortRequest {
            job_id: job.to_string(),
            reason: reason.into(),
        };
        let mut request = Request::new(request);
        request.set_timeout(Duration::from_secs(2));
        let aborted = tokio::time::timeout(Duration::from_secs(2), self.client.abort(request));
        if !matches!(aborted.await, Ok(Ok(_))) {
            tracing::info!(%job, "the social platform could not be told that the job is over");
        }
    }
}

/// What the lifeline said last.
#[derive(Clone)]
enum Heard {
    Nothing,
    /// State, reason, and the approval once there is one.
    Decision(JobState, String, SignedApproval),
    Lost(Fault),
}

/// What P1 has said of a job by now.
pub(crate) enum Notice {
    Nothing,
    State(JobState),
    /// P1 has ended the job.
    Over(Fault),
    /// The connection is gone.
    Lost(Fault),
}

/// P1's notices of the job, from its decision to its end.
pub(crate) struct Lifeline {
    heard: watch::Receiver<Heard>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Lifeline {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Lifeline {
    /// The state as P1 first tells it.
    pub(crate) async fn first(&self) -> Result<JobState, Fault> {
        let mut heard = self.heard.clone();
        let notice = heard
            .wait_for(|heard| !matches!(heard, Heard::Nothing))
            .await;
        match notice.map(|heard| heard.clone()) {
            Ok(Heard::Decision(state, ..)) => Ok(state),
            Ok(Heard::Lost(fault)) => Err(fault),
            Ok(Heard::Nothing) | Err(_) => Err(LinkError::Ended.into()),
        }
    }

    /// What P1 has said last, without waiting for it.
    pub(crate) fn notice(&self) -> Notice {
        match &*self.heard.borrow() {
            Heard::Nothing => Notice::Nothing,
            Heard::Lost(fault) => Notice::Lost(fault.clone()),
            Heard::Decision(state, reason, _) => match ended(*state, reason) {
                Some(fault) => Notice::Over(fault),
                None => Notice::State(*state),
            },
        }
    }

    /// The approval as P1 last told it, empty where it told none.
    pub(crate) fn approval(&self) -> SignedApproval {
        match &*self.heard.borrow() {
            Heard::Decision(_, _, signed) => signed.clone(),
            Heard::Nothing | Heard::Lost(_) => SignedApproval::default(),
        }
    }

    /// Waits until P1 has approved.
    pub(crate) async fn approved(&self) -> Result<SignedApproval, Fault> {
        let mut heard = self.heard.clone();
        let approved =
            heard.wait_for(|heard| matches!(heard, Heard::Decision(JobState::Approved, ..)));
        tokio::select! {
            approved = approved => approved.map(drop).map_err(|_| Fault::from(LinkError::Ended)),
            fault = self.broken() => Err(fault),
        }?;
        Ok(self.approval())
    }

    /// Waits until P1 ends the job or is gone.
    pub(crate) async fn broken(&self) -> Fault {
        let mut heard = self.heard.clone();
        let is_over = |heard: &Heard| match heard {
            Heard::Lost(_) => true,
            Heard::Decision(state, reason, _) => ended(*state, reason).is_some(),
            Heard::Nothing => false,
        };
        let notice = heard.wait_for(is_over).await.map(|notice| notice.clone());
        let Ok(notice) = notice else {
            // The task ends without a loss only after FINISHED: nothing breaks any more.
            return std::future::pending().await;
        };
        match notice {
            Heard::Lost(fault) => fault,
            Heard::Decision(state, reason, _) => {
                ended(state, &reason).unwrap_or_else(|| LinkError::Ended.into())
            }
            Heard::Nothing => LinkError::Ended.into(),
        }
    }
}

/// Why a job is over that P1 says is in that state; `None` while it is not, and for one that is
/// finished.
fn ended(state: JobState, reason: &str) -> Option<Fault> {
    match state {
        JobState::Rejected => Some(Fault::new(
            Reason::Rejected,
            format!("the social platform rejected the proposal: {reason}"),
        )),
        JobState::Cancelled => Some(Fault::new(Reason::Cancelled, reason)),
        JobState::Failed => Some(Fault::new(Reason::PeerAborted, reason)),
        _ => None,
    }
}

/// A request that must be answered soon.
pub(crate) fn timed<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(CALL_TIMEOUT);
    request
}

/// How a call failed.
pub(crate) fn read(status: &Status) -> Fault {
    LinkError::from_status(status).into()
}
