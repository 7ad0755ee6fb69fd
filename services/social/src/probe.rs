//! Answers to `s3rec doctor` at the rating platform: echoes of bounded size, few a minute, with
//! our clock. Nothing of any job or data set is looked at.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use s3rec_node::process::now_unix_ms;
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::{MAX_MESSAGE_BYTES, v1};

/// What is answered in [`WINDOW`]: enough for two examinations.
const CALLS: u32 = 256;
const BYTES: usize = 128 << 20;
const WINDOW: Duration = Duration::from_secs(60);

/// Bytes of an answer besides its padding, at most.
const AROUND_BYTES: usize = 64;

/// What is left of the present window.
pub(crate) struct Allowance(Mutex<(Instant, u32, usize)>);

impl Default for Allowance {
    fn default() -> Self {
        Self(Mutex::new((Instant::now(), CALLS, BYTES)))
    }
}

impl Allowance {
    fn take(&self, bytes: usize, now: Instant) -> Result<(), Fault> {
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_duration_since(left.0) >= WINDOW {
            *left = (now, CALLS, BYTES);
        }
        match (left.1.checked_sub(1), left.2.checked_sub(bytes)) {
            (Some(calls), Some(bytes)) => {
                (left.1, left.2) = (calls, bytes);
                Ok(())
            }
            _ => {
                let message = "the social platform answers no more probes in this minute";
                let fault = Fault::new(Reason::LimitExceeded, message);
                Err(fault.remedied_by("Examine again in a minute."))
            }
        }
    }
}

/// Echoes sizes and tells the time.
pub(crate) fn answer(
    allowance: &Allowance,
    request: &v1::ProbeRequest,
) -> Result<v1::ProbeResponse, Fault> {
    let answer_bytes = request.answer_bytes as usize;
    if answer_bytes > MAX_MESSAGE_BYTES - AROUND_BYTES {
        let message = format!("no message is larger than {MAX_MESSAGE_BYTES} bytes");
        return Err(Fault::new(Reason::InvalidRequest, message).at("field", "answer_bytes"));
    }
    allowance.take(request.padding.len() + answer_bytes, Instant::now())?;
    Ok(v1::ProbeResponse {
        time_unix_ms: now_unix_ms(),
        received_bytes: u32::try_from(request.padding.len()).unwrap_or(u32::MAX),
        padding: vec![0; answer_bytes],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_bounded() {
        let allowance = Allowance::default();
        let asked = |answer_bytes| {
            let request = v1::ProbeRequest {
                answer_bytes,
                padding: vec![7; 100],
            };
            answer(&allowance, &request)
        };
        let answered = asked(1 << 20).unwrap();
        assert_eq!(answered.padding.len(), 1 << 20);
        assert_eq!(answered.received_bytes, 100);
        assert!(answered.time_unix_ms > 0);
        assert_eq!(asked(u32::MAX).unwrap_err().reason, Reason::InvalidRequest);
    }

    #[test]
    fn an_allowance_is_used_up_and_renewed() {
        let (allowance, now) = (Allowance::default(), Instant::now());
        let taken = (0..1000).filter(|_| allowance.take(1, now).is_ok());
        assert_eq!(taken.count(), CALLS as usize);
        allowance.take(BYTES, now + WINDOW).unwrap();
        assert!(allowance.take(1, now + WINDOW).is_err(), "bytes count too");
    }
}
