//! What P0 was shown, by its own count, over all jobs.

use std::time::Instant;

use s3rec_audit::export;
use s3rec_link::Meter;
use s3rec_node::counting::{self, Counted};
use s3rec_node::observe::{self, Stage};
use s3rec_sparse::PublicBounds;
use s3rec_spmm::ProductParameters;
use s3rec_wire::convert::{Approval, JobId, Proposal};
use s3rec_wire::status::Fault;
use s3rec_wire::v1;
use s3rec_wire::v1::{Counters, TrainingProgress};

use crate::consent::MISSING;
use crate::platform::{DISCLOSURES, Platform};

/// What P0 counts of a job.
pub(crate) struct Ledger {
    pub(crate) job: JobId,
    pub(crate) proposal: Proposal,
    pub(crate) peer: String,
    pub(crate) offline: Meter,
    pub(crate) online: Meter,
    pub(crate) parameters: Option<ProductParameters>,
    /// Sizes of both sides, once the common users are known.
    pub(crate) overlap: Option<v1::Overlap>,
    pub(crate) openings: u32,
    /// Uploads that P1 has answered.
    pub(crate) stocks: u32,
    pub(crate) rounds: Vec<TrainingProgress>,
    /// What P1 has stated of its links.
    pub(crate) bounds: PublicBounds,
    /// P1's data, and what all other jobs have opened of it.
    lineage: Vec<u8>,
    before: v1::Account,
    began: Instant,
    offline_ended: Option<Instant>,
    pub(crate) online_seconds: f64,
    /// Before this attempt: of the phases before the rounds, and of the rounds.
    earlier_seconds: Option<(f64, f64)>,
}

impl Ledger {
    /// A job that begins, under an approval.
    pub(crate) fn new(
        platform: &Platform,
        job: JobId,
        peer: String,
        approval: &Approval,
    ) -> Result<Self, Fault> {
        let name = job.to_string();
        let lineage = approval.social_lineage;
        Ok(Self {
            job,
            proposal: approval.proposal.clone(),
            peer,
            offline: observe::meter(Stage::Offline),
            online: observe::meter(Stage::Online),
            parameters: None,
            overlap: None,
            openings: 0,
            stocks: 0,
            rounds: Vec::new(),
            bounds: approval.bounds,
            before: account(platform, &lineage, Some(&name))?,
            lineage: lineage.to_vec(),
            began: Instant::now(),
            offline_ended: None,
            online_seconds: 0.0,
            earlier_seconds: None,
        })
    }

    /// Goes on with rounds that began in an earlier attempt.
    pub(crate) fn go_on_after(&mut self, offline_seconds: f64, online_seconds: f64) {
        self.earlier_seconds = Some((offline_seconds, online_seconds));
        self.end_offline();
    }

    /// Everything before the rounds is done.
    pub(crate) fn end_offline(&mut self) {
        self.offline_ended = Some(Instant::now());
    }

    pub(crate) fn touch_online(&mut self) {
        self.online_seconds = self
            .offline_ended
            .map_or(0.0, |at| at.elapsed().as_secs_f64());
        self.online_seconds += self.earlier_seconds.map_or(0.0, |(_, online)| online);
    }

    pub(crate) fn offline_cost(&self) -> v1::Cost {
        let seconds = self
            .offline_ended
            .map_or_else(|| self.began.elapsed(), |ended| ended - self.began);
        let seconds = self
            .earlier_seconds
            .map_or(seconds.as_secs_f64(), |(offline, _)| offline);
        cost(&self.offline, seconds)
    }

    pub(crate) fn online_cost(&self) -> v1::Cost {
        cost(&self.online, self.online_seconds)
    }

    /// What P0 was shown so far.
    pub(crate) fn disclosure(&self) -> v1::Disclosure {
        let bytes = |meter: &Meter| meter.count().sent_bytes + meter.count().received_bytes;
        let parameters = self.parameters.as_ref();
        let counted = Counted {
            proposal: &self.proposal,
            peer: &self.peer,
            lineage: &self.lineage,
            openings: self.openings,
            stocks: self.stocks,
            overlap: self.overlap,
            parameters,
            bytes: bytes(&self.offline) + bytes(&self.online),
            days: Vec::new(),
            bounds: Some(self.bounds),
            shown: None,
            peer_pin: Vec::new(),
        };
        counted.disclosure(false)
    }

    /// Everything counted so far of P1's data, this job included.
    pub(crate) fn counters(&self) -> Counters {
        let account = counting::with_job(&self.before, &self.disclosure());
        account.counters.unwrap_or_default()
    }
}

/// What all jobs on a lineage of P1's data have opened, one left out.
pub(crate) fn account(
    platform: &Platform,
    lineage: &[u8],
    except: Option<&str>,
) -> Result<v1::Account, Fault> {
    let stored = platform.store.list::<v1::Disclosure>(DISCLOSURES, "")?;
    let missing: Option<v1::Account> = platform.store.get(MISSING, &hexadecimal(lineage))?;
    let missing = missing.and_then(|missing| missing.counters);
    let counted = stored
        .iter()
        .filter(|(job, disclosure)| disclosure.lineage == lineage && Some(job.as_str()) != except);
    let disclosures = counted.map(|(_, disclosure)| disclosure);
    let mut account = counting::account(lineage, disclosures, missing.unwrap_or_default());
    account.peer_pin = platform.pins()?.1.to_vec();
    Ok(account)
}

/// The accounts of all lineages that anything was opened of.
pub(crate) fn accounts(platform: &Platform) -> Result<Vec<v1::Account>, Fault> {
    let stored = platform.store.list::<v1::Disclosure>(DISCLOSURES, "")?;
    let mut lineages: Vec<Vec<u8>> = Vec::new();
    for (_, disclosure) in stored {
        if !disclosure.lineage.is_empty() && !lineages.contains(&disclosure.lineage) {
            lineages.push(disclosure.lineage);
        }
    }
    let accounts = lineages
        .iter()
        .map(|lineage| account(platform, lineage, None));
    accounts.collect()
}

pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    export::hexadecimal(bytes)
}

fn cost(meter: &Meter, seconds: f64) -> v1::Cost {
    let count = meter.count();
    v1::Cost {
        seconds,
        bytes_to_social: count.sent_bytes,
        bytes_to_rating: count.received_bytes,
        messages: count.messages,
    }
}
