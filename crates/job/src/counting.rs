//! What a job has opened, and what all jobs together have: counted by both platforms with this
//! code, each from its own records.

use s3rec_sparse::{BoundsRule, OperatorKind, PatternPolicy, PublicBounds};
use s3rec_spmm::noise_first::guarantee::{Guarantee, Mu, SHOWN_DELTA, Unstated};
use s3rec_spmm::{FriendsRelease, ReleasePolicy, release};
use serde::{Deserialize, Serialize};

use crate::{AgreedParameters, Counters, Proposal, statements};

/// How many users each platform has, and both have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overlap {
    /// P0's.
    pub rating_users: u64,
    /// P1's.
    pub social_users: u64,
    /// m.
    pub common_users: u64,
}

/// What of P1 left for P0 before or beside the openings, counted before it leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// Set intersections that were begun.
    pub intersections: u32,
    /// Ids that P0 brought to them, each time it brought them.
    pub ids_asked: u64,
    /// Answers of Setup with bounds of Y over the common users, and with the users that the
    /// pattern policy shows.
    pub bounds: u32,
    /// Users that were shown to have a link, or to be linked to, by the pattern policy.
    pub pattern_rows: u64,
    /// Salted commitments to Y.
    pub commitments: u32,
}

impl Shown {
    /// What two counts come to.
    #[must_use]
    pub fn plus(&self, more: &Self) -> Self {
        Self {
            intersections: self.intersections.saturating_add(more.intersections),
            ids_asked: self.ids_asked.saturating_add(more.ids_asked),
            bounds: self.bounds.saturating_add(more.bounds),
            pattern_rows: self.pattern_rows.saturating_add(more.pattern_rows),
            commitments: self.commitments.saturating_add(more.commitments),
        }
    }

    /// The larger of two counts of one job, field by field.
    #[must_use]
    pub fn joined(&self, other: &Self) -> Self {
        Self {
            intersections: self.intersections.max(other.intersections),
            ids_asked: self.ids_asked.max(other.ids_asked),
            bounds: self.bounds.max(other.bounds),
            pattern_rows: self.pattern_rows.max(other.pattern_rows),
            commitments: self.commitments.max(other.commitments),
        }
    }
}

/// What was opened on one day by P1's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenedDay {
    /// Days since the Unix epoch.
    pub day: u32,
    /// Openings × columns of one opening.
    pub columns: u64,
    /// Rows × columns.
    pub values: u64,
}

/// What one job has disclosed, as one platform keeps it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct JobDisclosure {
    /// The job's name.
    pub job: String,
    /// Name of the other platform as its certificate states it.
    pub peer: String,
    /// Openings of Y·U.
    pub openings: u32,
    /// Openings × columns of one opening.
    pub opened_columns: u64,
    /// Rows × columns.
    pub opened_values: u64,
    /// As consented to.
    pub release: Option<ReleasePolicy>,
    /// As consented to.
    pub pattern: Option<PatternPolicy>,
    /// m; 0 before it is known.
    pub common_users: u32,
    /// Bytes both ways over all phases.
    pub bytes: u64,
    /// In words: what the other side could have learnt.
    pub statements: Vec<String>,
    /// In words: what the side that keeps this could have learnt itself.
    pub own_statements: Vec<String>,
    /// When this was counted, milliseconds since the Unix epoch.
    pub updated_unix_ms: i64,
    /// Unset before the common users were found.
    pub overlap: Option<Overlap>,
    /// The lineage of P1's data, 16 bytes; empty before the approval.
    pub lineage: Vec<u8>,
    /// This job's part of the counters.
    pub counters: Counters,
    /// Of this job's noised openings so far.
    pub epsilon: f64,
    /// The δ that goes with it.
    pub delta: f64,
    /// By day, for limits by day.
    pub days: Vec<OpenedDay>,
    /// P1 only: what left before or beside the openings.
    pub shown: Option<Shown>,
    /// P1 only: pin of the certificate that the other platform had then, 32 bytes.
    pub peer_pin: Vec<u8>,
    /// What P1 stated of its links; unset before the approval.
    pub bounds: Option<PublicBounds>,
}

/// The opening of a job that was counted last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountedOpening {
    /// From 1.
    pub number: u32,
    /// Of the one message that may be answered under this number.
    pub message: [u8; 32],
}

impl JobDisclosure {
    /// This and what was counted of the same job before: no number of either is lost, whichever
    /// of them a count was missed by. Words and names are those of the one with more openings.
    #[must_use]
    pub fn joined(self, before: &Self) -> Self {
        let mut days = self.days.clone();
        for day in &before.days {
            match days.binary_search_by_key(&day.day, |known| known.day) {
                Ok(place) => {
                    if let Some(known) = days.get_mut(place) {
                        known.columns = known.columns.max(day.columns);
                        known.values = known.values.max(day.values);
                    }
                }
                Err(place) => days.insert(place, *day),
            }
        }
        let joined = Self {
            openings: self.openings.max(before.openings),
            opened_columns: self.opened_columns.max(before.opened_columns),
            opened_values: self.opened_values.max(before.opened_values),
            common_users: self.common_users.max(before.common_users),
            bytes: self.bytes.max(before.bytes),
            updated_unix_ms: self.updated_unix_ms.max(before.updated_unix_ms),
            overlap: self.overlap.or(before.overlap),
            counters: self.counters.joined(&before.counters),
            epsilon: self.epsilon.max(before.epsilon),
            days,
            shown: match (&self.shown, &before.shown) {
                (Some(now), Some(then)) => Some(now.joined(then)),
                (now, then) => now.or(*then),
            },
            ..self
        };
        if joined.openings == self.openings {
            return joined;
        }
        Self {
            statements: before.statements.clone(),
            own_statements: before.own_statements.clone(),
            delta: before.delta,
            ..joined
        }
    }
}

/// What one pair of platforms has opened of one lineage of P1's data, over all jobs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Account {
    /// Pin of the other platform's certificate, 32 bytes.
    pub peer_pin: Vec<u8>,
    /// Its name.
    pub peer: String,
    /// Of P1's data, 16 bytes.
    pub lineage: Vec<u8>,
    /// The data set whose lineage it is; P1 only.
    pub dataset: String,
    /// Over all jobs.
    pub counters: Counters,
    /// Both ways over all phases.
    pub bytes: u64,
    /// All noised openings together, at the least δ of any of them.
    pub epsilon: f64,
    /// That δ.
    pub delta: f64,
    /// By day, ascending.
    pub days: Vec<OpenedDay>,
    /// In words: what P0 could have learnt from all of it, and what is left under the limits.
    pub statements: Vec<String>,
    /// P1 only: what left before or beside the openings.
    pub shown: Option<Shown>,
    /// Friends' sums are among what was opened. Found from the jobs, kept nowhere.
    #[serde(skip)]
    pub has_friends: bool,
    /// Everything that left and depends on the links is friends' sums under stated bounds, so that
    /// their promise holds for all together. Found from the jobs, kept nowhere.
    #[serde(skip)]
    pub is_promised: bool,
}

/// One job as one platform has counted it.
pub struct Counted<'a> {
    /// What was consented to.
    pub proposal: &'a Proposal,
    /// How the other platform is named.
    pub peer: &'a str,
    /// Lineage of P1's data; empty before the approval.
    pub lineage: &'a [u8],
    /// Openings answered, or about to be.
    pub openings: u32,
    /// Uploads answered.
    pub stocks: u32,
    /// Users of each platform and of both, once they are known.
    pub overlap: Option<Overlap>,
    /// Once agreed on.
    pub parameters: Option<&'a AgreedParameters>,
    /// Both ways over all phases.
    pub bytes: u64,
    /// What was opened on which day.
    pub days: Vec<OpenedDay>,
    /// What P1 states of its links, once it has consented.
    pub bounds: Option<PublicBounds>,
    /// What left before or beside the openings; P1's own count.
    pub shown: Option<Shown>,
    /// Pin of the other platform's certificate; P1's own record.
    pub peer_pin: Vec<u8>,
}

impl Counted<'_> {
    /// The job's part of the counters.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let openings = u64::from(self.openings);
        let opened_columns = openings * u64::from(self.proposal.columns());
        let rows = self.parameters.map_or(0, AgreedParameters::returned_rows);
        let opened_values = opened_columns.saturating_mul(rows.into());
        let (exact_values, nano_rho) = match self.opening_nano_rho() {
            Some(one) => (0, one.saturating_mul(openings)),
            None => (opened_values, 0),
        };
        Counters {
            jobs: u32::from(self.openings > 0),
            openings,
            opened_columns,
            opened_values,
            exact_values,
            nano_rho,
            stocks: self.stocks,
        }
    }

    /// What the job has disclosed; `of_rating` where P1 shows what P0 could have learnt.
    #[must_use]
    pub fn disclosure(&self, of_rating: bool, now_unix_ms: i64) -> JobDisclosure {
        let counters = self.counters();
        let proposal = self.proposal;
        let common_users = self.overlap.map_or(0, |overlap| overlap.common_users);
        let common_users = u32::try_from(common_users).unwrap_or(u32::MAX);
        let rule = self.bounds.map(|bounds| bounds.rule);
        let (rating, social) = match (&proposal.release, self.parameters) {
            (ReleasePolicy::Friends(release), agreed) => {
                let agreed = agreed.and_then(AgreedParameters::friends);
                let sizes = (self.openings, common_users);
                let by_rating = statements::friends::by_rating(release, sizes, agreed, rule);
                let by_social = statements::friends::by_social(release, common_users, agreed);
                (by_rating, by_social)
            }
            (_, agreed) => {
                let bound = agreed.and_then(AgreedParameters::row_norm_bound);
                let sizes = (self.openings, common_users);
                let by_rating = statements::by_rating(proposal, sizes.0, sizes.1, bound, rule);
                (by_rating, statements::by_social(proposal, sizes.0, sizes.1))
            }
        };
        let (statements, own_statements) = match of_rating {
            true => (rating, social),
            false => (social, rating),
        };
        let (epsilon, delta) = match proposal.release {
            ReleasePolicy::Noised { delta, .. } => (epsilon_of(counters.nano_rho, delta), delta),
            ReleasePolicy::Friends(release) => match release.mu() {
                Some(mu) if self.openings > 0 => (mu.epsilon(SHOWN_DELTA), SHOWN_DELTA),
                _ => (0.0, SHOWN_DELTA),
            },
            ReleasePolicy::Exact | ReleasePolicy::Coarse { .. } => (0.0, 0.0),
        };
        JobDisclosure {
            job: proposal.job.to_string(),
            peer: self.peer.into(),
            openings: self.openings,
            opened_columns: counters.opened_columns,
            opened_values: counters.opened_values,
            release: Some(proposal.release),
            pattern: Some(proposal.pattern),
            common_users,
            bytes: self.bytes,
            statements,
            updated_unix_ms: now_unix_ms,
            lineage: self.lineage.to_vec(),
            counters,
            epsilon,
            delta,
            days: self.days.clone(),
            own_statements,
            overlap: self.overlap,
            shown: self.shown,
            peer_pin: self.peer_pin.clone(),
            bounds: self.bounds,
        }
    }

    /// ρ of one opening in units of 10⁻⁹, rounded up; none without noise.
    fn opening_nano_rho(&self) -> Option<u64> {
        match (self.proposal.release, self.parameters) {
            (ReleasePolicy::Friends(release), _) => Some(friends_nano_rho(&release)),
            (
                ReleasePolicy::Noised {
                    sigma,
                    row_norm_beta,
                    ..
                },
                Some(AgreedParameters::Product(agreed)),
            ) => {
                let bound = agreed.row_norm_bound;
                Some(nano_rho(agreed.operator, bound, row_norm_beta, sigma))
            }
            _ => None,
        }
    }

    /// What the job's release promises, once its parameters are agreed on; none for other releases
    /// than of friends' sums.
    ///
    /// # Errors
    /// [`Unstated`] where something that leaves depends on the links without noise.
    pub fn guarantee(&self) -> Result<Option<Guarantee>, Unstated> {
        let agreed = self.parameters.and_then(AgreedParameters::friends);
        match (agreed, self.bounds) {
            (Some(parameters), Some(bounds)) => {
                Guarantee::of(parameters, self.proposal.pattern, bounds.rule).map(Some)
            }
            _ => Ok(None),
        }
    }
}

const NANO: f64 = 1e9;

/// ρ of one noised opening in units of 10⁻⁹, rounded up: never nothing, however small a proposal
/// makes its β.
#[must_use]
pub fn nano_rho(
    operator: OperatorKind,
    row_norm_bound: u64,
    row_norm_beta: f64,
    sigma: f64,
) -> u64 {
    let sensitivity = release::sensitivity(operator, row_norm_bound, row_norm_beta);
    let nano = (release::zcdp(1, sensitivity, sigma) * NANO).ceil();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative, and a cast stops at the largest number"
    )]
    let nano = nano as u64;
    nano.max(1)
}

/// ρ = μ²/2 of one opening of friends' sums in units of 10⁻⁹, rounded up.
#[must_use]
pub fn friends_nano_rho(release: &FriendsRelease) -> u64 {
    // A release without a μ is none that anybody consents to; it would count as all there is.
    let rho = release.mu().map_or(f64::INFINITY, Mu::rho);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative, and a cast stops at the largest number"
    )]
    let nano = (rho * NANO - 1e-6).ceil() as u64;
    nano.max(1)
}

/// √Σμ² of a count of ρ: of a Gaussian mechanism ρ is μ²/2. None before anything was opened.
#[must_use]
pub fn mu_of(nano_rho: u64) -> Option<Mu> {
    Mu::new((2.0 * rho_of(nano_rho)).sqrt())
}

/// ρ from units of 10⁻⁹.
#[must_use]
pub fn rho_of(nano_rho: u64) -> f64 {
    nano_rho as f64 / NANO
}

/// The least ε at `delta` for a count of ρ.
#[must_use]
pub fn epsilon_of(nano_rho: u64, delta: f64) -> f64 {
    if nano_rho == 0 {
        return 0.0;
    }
    release::epsilon(rho_of(nano_rho), delta)
}

/// What `disclosures` of one peer and lineage come to, and what is left out of them, `missing`:
/// what the peer has counted and we have not (a ledger that was lost).
#[must_use]
pub fn account<'a>(
    lineage: &[u8],
    disclosures: impl IntoIterator<Item = &'a JobDisclosure>,
    missing: Counters,
) -> Account {
    let mut account = Account {
        lineage: lineage.to_vec(),
        counters: missing,
        is_promised: missing == Counters::default(),
        ..Account::default()
    };
    for disclosure in disclosures {
        add_job(&mut account, disclosure);
    }
    finish(account)
}

/// `before` and one further job.
#[must_use]
pub fn with_job(before: &Account, job: &JobDisclosure) -> Account {
    let mut account = before.clone();
    add_job(&mut account, job);
    finish(account)
}

fn add_job(account: &mut Account, job: &JobDisclosure) {
    let of_job = job.counters;
    account.counters = account.counters.plus(&of_job);
    account.bytes = account.bytes.saturating_add(job.bytes);
    account.peer.clone_from(&job.peer);
    if of_job.nano_rho > 0 {
        account.delta = match account.delta {
            0.0 => job.delta,
            least => least.min(job.delta),
        };
    }
    account.has_friends |=
        matches!(job.release, Some(ReleasePolicy::Friends(_))) && of_job.nano_rho > 0;
    account.is_promised &= is_promised(job);
    for opened in &job.days {
        count_day(&mut account.days, *opened);
    }
    if let Some(shown) = job.shown {
        account.shown = Some(account.shown.unwrap_or_default().plus(&shown));
    }
}

/// Whether nothing left that depends on the links but friends' sums. Other noised openings have no
/// part in it: what is counted of theirs is of one link, directed under `out-average`, where the
/// promise is of a pair of users.
fn is_promised(job: &JobDisclosure) -> bool {
    let has_bounds = match job.shown {
        Some(shown) => shown.bounds > 0,
        // P0's own count.
        None => job.common_users > 0,
    };
    if job.openings == 0 && !has_bounds {
        return true;
    }
    let is_stated = job
        .bounds
        .is_some_and(|bounds| bounds.rule == BoundsRule::Stated);
    let is_friends = matches!(job.release, Some(ReleasePolicy::Friends(_)))
        // Whatever the release is called: no noise covers these.
        && job.counters.exact_values == 0;
    is_stated && job.pattern == Some(PatternPolicy::Nothing) && (job.openings == 0 || is_friends)
}

fn finish(mut account: Account) -> Account {
    account.epsilon = epsilon_of(account.counters.nano_rho, account.delta);
    account.statements = statements::in_all(&account);
    account
}

/// Adds to a day's numbers. Days ascend.
pub fn count_day(days: &mut Vec<OpenedDay>, opened: OpenedDay) {
    match days.binary_search_by_key(&opened.day, |known| known.day) {
        Ok(place) => {
            if let Some(known) = days.get_mut(place) {
                known.columns = known.columns.saturating_add(opened.columns);
                known.values = known.values.saturating_add(opened.values);
            }
        }
        Err(place) => days.insert(place, opened),
    }
}

/// Today by our clock, but never before a day that was counted: a clock that was set back gives
/// no day a second time.
#[must_use]
pub fn today(days: &[OpenedDay], now_unix_ms: i64) -> u32 {
    const DAY_MS: i64 = 24 * 60 * 60 * 1000;
    let today = u32::try_from(now_unix_ms / DAY_MS).unwrap_or_default();
    days.last().map_or(today, |newest| newest.day.max(today))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{JobId, Terms};
    use s3rec_model::SolverKind;
    use s3rec_spmm::{ProductRequest, Protocol, choose_parameters};

    pub(crate) fn proposal(release: ReleasePolicy) -> Proposal {
        Proposal {
            job: JobId::random(),
            purpose: String::new(),
            rank: 10,
            solver: SolverKind::Als,
            operator: OperatorKind::Laplacian,
            rounds: 20,
            social_weight: None,
            regularization: None,
            learning_rate: None,
            social_bias_weight: 1.0,
            protocol: Protocol::Preprocessed,
            pattern: PatternPolicy::Nothing,
            release,
            saturation_bound: 8.0,
            guard_bits: 2,
            id_rule: "nfc-trim".into(),
            terms: Terms::default(),
        }
    }

    fn disclosure_of(release: ReleasePolicy, openings: u32) -> JobDisclosure {
        let proposal = proposal(release);
        let mut request =
            ProductRequest::new(Protocol::Preprocessed, OperatorKind::Laplacian, 50, 11, 20);
        request.row_norm_bound = 24;
        request.nonzeros_bound = 128;
        let agreed = AgreedParameters::from(choose_parameters(&request).unwrap());
        let counted = Counted {
            proposal: &proposal,
            peer: "p",
            lineage: &[3; 16],
            openings,
            stocks: 1,
            overlap: None,
            parameters: Some(&agreed),
            bytes: 1000,
            days: vec![OpenedDay {
                day: 7,
                columns: 11,
                values: 550,
            }],
            bounds: None,
            shown: Some(Shown {
                intersections: 1,
                ids_asked: 60,
                ..Shown::default()
            }),
            peer_pin: vec![5; 32],
        };
        counted.disclosure(true, NOW)
    }

    const NOW: i64 = 1_795_800_000_000;

    pub(crate) const NOISED: ReleasePolicy = ReleasePolicy::Noised {
        sigma: 4.0,
        row_norm_beta: 1.0,
        delta: 1e-6,
    };

    #[test]
    fn jobs_add_up_over_a_lineage() {
        let (exact, noised) = (
            disclosure_of(ReleasePolicy::Exact, 2),
            disclosure_of(NOISED, 4),
        );
        let account = account(&[3; 16], [&exact, &noised], Counters::default());
        let counters = account.counters;
        assert_eq!(
            (counters.jobs, counters.openings, counters.stocks),
            (2, 6, 2)
        );
        assert_eq!(counters.opened_columns, 66);
        assert_eq!(
            (counters.opened_values, counters.exact_values),
            (3300, 1100)
        );
        // ρ of one opening is (2√2)² / (2 · 4²) = 1/4.
        assert!((1_000_000_000..=1_000_000_004).contains(&counters.nano_rho));
        assert!((account.epsilon - release::epsilon(1.0, 1e-6)).abs() < 1e-6);
        assert_eq!(account.bytes, 2000);
        let shown = account.shown.unwrap();
        assert_eq!((shown.intersections, shown.ids_asked), (2, 120));
        assert_eq!((account.days.len(), account.days[0].columns), (1, 22));
        // Exact openings are beyond any ε.
        let words = account.statements.join("\n");
        assert!(words.contains("no ε bounds"), "{words}");
    }

    /// Whatever was counted elsewhere, and whichever job comes last.
    #[test]
    fn an_account_goes_on_from_what_was_counted() {
        let lineage = [3; 16];
        let missing = Counters {
            openings: 5,
            opened_columns: 55,
            ..Counters::default()
        };
        let before = account(&lineage, [], missing);
        assert_eq!(before.lineage, lineage);
        assert_eq!(before.counters, missing);
        let exact = disclosure_of(ReleasePolicy::Exact, 2);
        let noised = disclosure_of(NOISED, 4);
        for (one, other) in [(&exact, &noised), (&noised, &exact)] {
            let both = with_job(&with_job(&before, one), other);
            assert_eq!(both, account(&lineage, [one, other], missing));
            assert_eq!(both.counters.openings, 11);
            // A job without noise has no δ that could be the least.
            assert!((both.delta - 1e-6).abs() < f64::EPSILON);
            assert!((rho_of(both.counters.nano_rho) - 1.0).abs() < 1e-6);
            assert!((rho_of(3 * both.counters.nano_rho) - 3.0).abs() < 1e-6);
        }
    }

    #[test]
    fn an_opening_with_noise_never_counts_as_nothing() {
        for beta in [1e-170, f64::MIN_POSITIVE, 1e-9, 1.0] {
            let one = nano_rho(OperatorKind::Laplacian, 24, beta, 4.0);
            assert!(one >= 1, "{beta}");
        }
    }

    /// Whatever two counts of a job are, and in whichever order they are stored.
    #[test]
    fn counts_that_are_joined_lose_nothing() {
        let mut state = 11_u64;
        let mut draw = |below: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) % below
        };
        let mut drawn = || {
            let small = |n: u64| u32::try_from(n).unwrap();
            let mut days = Vec::new();
            for day in 0..4 {
                if draw(2) == 0 {
                    days.push(OpenedDay {
                        day,
                        columns: draw(5),
                        values: draw(5),
                    });
                }
            }
            JobDisclosure {
                openings: small(draw(5)),
                opened_columns: draw(5),
                opened_values: draw(5),
                common_users: small(draw(5)),
                bytes: draw(5),
                counters: Counters {
                    jobs: small(draw(2)),
                    openings: draw(5),
                    opened_columns: draw(5),
                    opened_values: draw(5),
                    exact_values: draw(5),
                    nano_rho: draw(5),
                    stocks: small(draw(5)),
                },
                epsilon: draw(5) as f64,
                days,
                shown: (draw(3) > 0).then(|| Shown {
                    intersections: small(draw(5)),
                    ids_asked: draw(5),
                    bounds: small(draw(5)),
                    pattern_rows: draw(5),
                    commitments: small(draw(5)),
                }),
                ..JobDisclosure::default()
            }
        };
        let holds = |all: &JobDisclosure, one: &JobDisclosure| {
            let (most, shown) = (all.shown.unwrap_or_default(), one.shown.unwrap_or_default());
            let days = one.days.iter().all(|day| {
                let known = all.days.iter().find(|known| known.day == day.day);
                known.is_some_and(|k| k.columns >= day.columns && k.values >= day.values)
            });
            all.counters.contains(&one.counters)
                && most.joined(&shown) == most
                && days
                && all.openings >= one.openings
                && all.opened_columns >= one.opened_columns
                && all.opened_values >= one.opened_values
                && all.common_users >= one.common_users
                && all.bytes >= one.bytes
                && all.epsilon >= one.epsilon
        };
        for _ in 0..2000 {
            let (one, other) = (drawn(), drawn());
            let joined = one.clone().joined(&other);
            assert!(holds(&joined, &one) && holds(&joined, &other));
            assert!(joined.days.is_sorted_by_key(|day| day.day));
            assert_eq!(joined.clone().joined(&one), joined);
            assert_eq!(joined.clone().joined(&other), joined);
        }
    }

    /// Words and names are those of the count with more openings, of the newer one where both have
    /// as many; the latest time and whichever overlap is known stay.
    #[test]
    fn what_is_joined_is_told_in_the_words_of_more_openings() {
        let told = |openings, word: &str, delta, updated_unix_ms, overlap| JobDisclosure {
            openings,
            statements: vec![word.into()],
            own_statements: vec![format!("own {word}")],
            delta,
            updated_unix_ms,
            overlap,
            ..JobDisclosure::default()
        };
        let overlap = |common_users| {
            Some(Overlap {
                common_users,
                ..Overlap::default()
            })
        };
        let few = || told(1, "few", 0.1, 9, None);
        let many = || told(3, "many", 0.2, 5, overlap(7));
        for (now, before) in [(few(), many()), (many(), few())] {
            assert_eq!(now.joined(&before), told(3, "many", 0.2, 9, overlap(7)));
        }
        let newer = || told(3, "newer", 0.3, 6, overlap(8));
        assert_eq!(newer().joined(&many()), newer());
    }

    #[test]
    fn a_job_counts_as_one_once_something_is_opened() {
        let jobs = |openings| disclosure_of(ReleasePolicy::Exact, openings).counters.jobs;
        assert_eq!([0, 1, 5].map(jobs), [0, 1, 1]);
    }

    #[test]
    fn a_clock_that_is_set_back_gives_no_day_twice() {
        let day = |day| OpenedDay {
            day,
            ..OpenedDay::default()
        };
        assert_eq!(today(&[], NOW), 20_784);
        assert_eq!(today(&[day(3), day(4_000_000)], NOW), 4_000_000);
        let mut days = vec![day(3), day(9)];
        count_day(&mut days, day(5));
        assert_eq!(
            days.iter().map(|known| known.day).collect::<Vec<_>>(),
            [3, 5, 9]
        );
    }

    /// μ² adds up as twice ρ, whole numbers on both sides, and nothing is promised of data that has
    /// been opened without noise.
    #[test]
    fn an_opening_of_friends_sums_counts_its_mu() {
        let release = |mu| FriendsRelease {
            mu,
            sides: s3rec_spmm::noise_first::Sides::One,
            few_below: 5,
            calibration_share: 0.2,
            most_opened: 100,
            row_norm_bound: 1.0,
        };
        assert_eq!(friends_nano_rho(&release(1.0)), 500_000_000);
        assert_eq!(friends_nano_rho(&release(f64::NAN)), u64::MAX);
        assert_eq!(mu_of(0), None);
        let mut opened = disclosure_of(ReleasePolicy::Friends(release(1.0)), 1);
        assert_eq!(opened.counters.nano_rho, 500_000_000);
        assert_eq!((opened.epsilon, opened.delta), (4.89, 1e-6));
        opened.counters.exact_values = 0;
        opened.bounds = Some(PublicBounds {
            stated: s3rec_sparse::StatedBounds {
                degree: 8,
                links: 100,
            },
            rule: BoundsRule::Stated,
        });
        let twice = account(&[], [&opened, &opened], Counters::default());
        let mu = mu_of(twice.counters.nano_rho).unwrap().value();
        assert!((mu - std::f64::consts::SQRT_2).abs() < 1e-9);
        let said = twice.statements.join("\n");
        assert!(said.contains("For each pair of users"), "{said}");
        opened.counters.exact_values = 1;
        let said = account(&[], [&opened], Counters::default())
            .statements
            .join("\n");
        assert!(said.contains("nothing is promised"), "{said}");
        assert!(!said.contains("For each pair of users"), "{said}");
    }
}
