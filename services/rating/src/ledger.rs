//! What P0 was shown, by its own count, over all jobs.

use std::time::Instant;

use s3rec_audit::export;
use s3rec_job::counting::{self, Counted};
use s3rec_job::rating::{FriendsCheckpoint, RatingCheckpoint, RoundReport, Spent};
use s3rec_job::report::PhaseCost;
use s3rec_job::{
    Account, AgreedParameters, Approval, Counters, JobDisclosure, JobEvent, JobId, Overlap, Phase,
    Proposal,
};
use s3rec_link::{Count, Meter};
use s3rec_node::observe::{self, MeteredPhase};
use s3rec_node::process::now_unix_ms;
use s3rec_sparse::PublicBounds;
use s3rec_wire::status::Fault;

use crate::brought;
use crate::platform::Platform;
use crate::tables::{DISCLOSURES, MISSING};

/// What P0 counts of a job.
pub(crate) struct Ledger {
    pub(crate) job: JobId,
    pub(crate) proposal: Proposal,
    pub(crate) peer: String,
    pub(crate) offline: Meter,
    pub(crate) online: Meter,
    pub(crate) parameters: Option<AgreedParameters>,
    /// Sizes of both sides, once the common users are known.
    pub(crate) overlap: Option<Overlap>,
    pub(crate) openings: u32,
    /// Uploads that P1 has answered.
    pub(crate) stocks: u32,
    pub(crate) rounds: Vec<RoundReport>,
    /// What P1 has stated of its links.
    pub(crate) bounds: PublicBounds,
    /// P1's data, and what all other jobs have opened of it.
    lineage: Vec<u8>,
    before: Account,
    began: Instant,
    /// Seconds of the phases before the rounds in earlier attempts, while they are not done.
    offline_before: f64,
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
            offline: observe::meter(MeteredPhase::Offline),
            online: observe::meter(MeteredPhase::Online),
            parameters: None,
            overlap: None,
            openings: 0,
            stocks: 0,
            rounds: Vec::new(),
            bounds: approval.bounds,
            before: account(platform, &lineage, Some(&name))?,
            lineage: lineage.to_vec(),
            began: Instant::now(),
            offline_before: 0.0,
            offline_ended: None,
            online_seconds: 0.0,
            earlier_seconds: None,
        })
    }

    /// Goes on with a stock or with rounds that began in an earlier attempt. What the phases before
    /// the rounds have cost until then is what `last` told of it.
    pub(crate) fn go_on_from(
        &mut self,
        RatingCheckpoint { agreed, progress }: &RatingCheckpoint,
        last: &JobEvent,
    ) {
        self.parameters = Some(agreed.parameters.clone().into());
        let Some(progress) = progress else {
            let logged = last
                .phase_cost
                .filter(|_| last.phase == Some(Phase::Offline));
            let logged = logged.unwrap_or_default();
            let spent = Spent {
                sent_bytes: logged.bytes_to_social,
                received_bytes: logged.bytes_to_rating,
                messages: logged.messages,
                seconds: logged.seconds,
            };
            self.offline = metered(MeteredPhase::Offline, &spent);
            self.offline_before = spent.seconds;
            return;
        };
        self.openings = progress.openings;
        self.stocks = progress.stocks;
        self.rounds.clone_from(&progress.rounds);
        self.offline = metered(MeteredPhase::Offline, &progress.offline);
        self.online = metered(MeteredPhase::Online, &progress.online);
        self.earlier_seconds = Some((progress.offline.seconds, progress.online.seconds));
        self.end_offline();
    }

    /// Goes on with an opening of friends' sums whose rows may have left in an earlier attempt.
    pub(crate) fn go_on_with_friends(
        &mut self,
        checkpoint: &FriendsCheckpoint,
        (offline, online): (Spent, Spent),
    ) {
        self.parameters = Some(checkpoint.prepared.parameters.into());
        self.openings = checkpoint.openings();
        self.stocks = 1;
        self.offline = metered(MeteredPhase::Offline, &offline);
        self.online = metered(MeteredPhase::Online, &online);
        self.earlier_seconds = Some((offline.seconds, online.seconds));
        self.end_offline();
    }

    /// What the phases before the rounds, and the rounds, have cost.
    pub(crate) fn spent(&self) -> (Spent, Spent) {
        let of = |meter: &Meter, seconds| {
            let count = meter.count();
            Spent {
                sent_bytes: count.sent_bytes,
                received_bytes: count.received_bytes,
                messages: count.messages,
                seconds,
            }
        };
        (
            of(&self.offline, self.offline_cost().seconds),
            of(&self.online, self.online_cost().seconds),
        )
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

    pub(crate) fn offline_cost(&self) -> PhaseCost {
        let seconds = self
            .offline_ended
            .map_or_else(|| self.began.elapsed(), |ended| ended - self.began);
        let seconds = self.earlier_seconds.map_or(
            self.offline_before + seconds.as_secs_f64(),
            |(offline, _)| offline,
        );
        cost(&self.offline, seconds)
    }

    pub(crate) fn online_cost(&self) -> PhaseCost {
        cost(&self.online, self.online_seconds)
    }

    /// What P0 was shown so far.
    pub(crate) fn disclosure(&self) -> JobDisclosure {
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
        counted.disclosure(false, now_unix_ms())
    }

    /// Everything counted so far of P1's data, this job included.
    pub(crate) fn counters(&self) -> Counters {
        let account = counting::with_job(&self.before, &self.disclosure());
        account.counters
    }
}

/// What all jobs on a lineage of P1's data have opened, one left out.
pub(crate) fn account(
    platform: &Platform,
    lineage: &[u8],
    except: Option<&str>,
) -> Result<Account, Fault> {
    let stored = platform.store.list::<JobDisclosure>(DISCLOSURES, "")?;
    let missing: Option<Account> = platform.store.get(MISSING, &hexadecimal(lineage))?;
    let missing = missing.map(|missing| missing.counters);
    let counted = stored
        .iter()
        .filter(|(job, disclosure)| disclosure.lineage == lineage && Some(job.as_str()) != except);
    let disclosures = counted.map(|(_, disclosure)| disclosure);
    let mut account = counting::account(lineage, disclosures, missing.unwrap_or_default());
    account.peer_pin = platform.pins().1.to_vec();
    Ok(account)
}

/// The accounts of all lineages that anything was opened of.
pub(crate) fn accounts(platform: &Platform) -> Result<Vec<Account>, Fault> {
    let stored = platform.store.list::<JobDisclosure>(DISCLOSURES, "")?;
    let mut lineages: Vec<Vec<u8>> = Vec::new();
    for (_, disclosure) in stored {
        if !disclosure.lineage.is_empty() && !lineages.contains(&disclosure.lineage) {
            lineages.push(disclosure.lineage);
        }
    }
    let brought = brought::statement(platform)?;
    let accounts = lineages.iter().map(|lineage| {
        let mut account = account(platform, lineage, None)?;
        account.statements.extend(brought.clone());
        Ok(account)
    });
    accounts.collect()
}

pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    export::hexadecimal(bytes)
}

fn metered(phase: MeteredPhase, spent: &Spent) -> Meter {
    observe::meter(phase).starting_at(Count {
        sent_bytes: spent.sent_bytes,
        received_bytes: spent.received_bytes,
        messages: spent.messages,
    })
}

fn cost(meter: &Meter, seconds: f64) -> PhaseCost {
    let count = meter.count();
    PhaseCost {
        seconds,
        bytes_to_social: count.sent_bytes,
        bytes_to_rating: count.received_bytes,
        messages: count.messages,
    }
}
