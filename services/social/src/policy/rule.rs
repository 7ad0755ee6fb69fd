//! One rule of a policy: everything that it allows, asked in one place.

use s3rec_job::{Account, OpenedDay, Proposal, counting};
use s3rec_node::process::{latest_unix_ms, now_unix_ms};
use s3rec_sparse::{BoundsRule, PatternPolicy, PublicBounds, StatedBounds};
use s3rec_spmm::noise_first::guarantee::Mu;
use s3rec_spmm::{Protocol, ReleasePolicy};
use s3rec_wire::convert::{pattern_to_wire, release_kind};
use s3rec_wire::status::Fault;
use serde::Deserialize;

use super::{beyond, spelling};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// One `[[rule]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rule {
    /// Common name in the rating platform's certificate; `*`: any. It selects the rule; what is
    /// counted is counted whatever the name was.
    peer: String,
    /// The data set it is about, and which an approval without asking uses; all versions of its
    /// lineage count together.
    pub(crate) dataset: String,
    pub(super) decide: Decide,
    #[serde(deserialize_with = "spelling::protocols")]
    protocols: Vec<Protocol>,
    #[serde(deserialize_with = "spelling::patterns")]
    patterns: Vec<PatternPolicy>,
    #[serde(deserialize_with = "spelling::releases")]
    releases: Vec<&'static str>,
    largest_rank: u32,
    /// Set intersections with the rating platform, in all.
    most_intersections: u32,
    /// Ids that it may bring to them, in all.
    most_ids_asked: u64,
    most_columns_per_day: u64,
    most_values_per_day: u64,
    most_columns: u64,
    most_values: u64,
    most_stocks: u32,
    /// Largest zCDP ρ of all noised openings together.
    #[serde(deserialize_with = "spelling::limit")]
    most_rho: f64,
    /// Largest ε of all noised openings together, at this rule's own δ.
    #[serde(deserialize_with = "spelling::limit")]
    most_epsilon: f64,
    /// The δ that ε is limited at.
    #[serde(default = "usual_delta", deserialize_with = "spelling::delta")]
    delta: f64,
    /// Largest μ of one job's opening of friends' sums.
    #[serde(default = "usual_mu", deserialize_with = "spelling::limit")]
    most_mu: f64,
    /// Largest √Σμ² of all noised openings of a year together, where one of friends' sums is among
    /// them.
    #[serde(default = "usual_mu_in_all", deserialize_with = "spelling::limit")]
    most_mu_per_year: f64,
    /// The same of all there ever were.
    #[serde(default = "usual_mu_in_all", deserialize_with = "spelling::limit")]
    most_mu_in_all: f64,
    least_common_users: u32,
    /// What is stated of the links: of one user, both directions together.
    #[serde(deserialize_with = "spelling::bound")]
    degree_bound: u32,
    /// Of all of them, directed.
    #[serde(deserialize_with = "spelling::bound")]
    links_bound: u64,
    /// Where the bounds of an operator come from.
    #[serde(default = "usual_bounds")]
    bounds: BoundsRule,
    /// Days that an approval may be used, at most.
    longest_days: u16,
    /// After this the rule approves nothing and nothing it covers is opened.
    #[serde(default, deserialize_with = "spelling::moment")]
    expires: Option<i64>,
}

fn usual_delta() -> f64 {
    1e-6
}

/// μ of a job where the rule leaves it open.
fn usual_mu() -> f64 {
    1.0
}

/// √Σμ² of a lineage, a year of it included, where nobody has said otherwise.
pub(crate) const USUAL_MU_IN_ALL: f64 = 2.0;

fn usual_mu_in_all() -> f64 {
    USUAL_MU_IN_ALL
}

fn usual_bounds() -> BoundsRule {
    BoundsRule::Stated
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Decide {
    /// Within the limits it is approved at once.
    Approve,
    /// Within the limits people decide.
    Ask,
}

/// Where a job stands, as a rule looks at it: before it is approved, when it begins, when the
/// platforms agree, and before whatever leaves.
pub(crate) struct Standing<'a> {
    pub(crate) proposal: &'a Proposal,
    /// When it was, or would be, approved.
    pub(crate) approved_unix_ms: i64,
    /// Where its bounds come from.
    pub(crate) bounds: BoundsRule,
    /// Once they are known.
    pub(crate) common_users: Option<u32>,
    /// What the lineage would come to with it.
    pub(crate) account: &'a Account,
    /// What this day would come to.
    pub(crate) today: OpenedDay,
    /// ρ of the noised openings of a year in units of 10⁻⁹, once that is known; a year is part of
    /// all there was.
    pub(crate) year_nano_rho: Option<u64>,
}

impl<'a> Standing<'a> {
    /// Of a job that is to be approved now, with `account` for everything that was approved.
    pub(crate) fn planned(
        proposal: &'a Proposal,
        bounds: BoundsRule,
        account: &'a Account,
    ) -> Self {
        let columns = u64::from(proposal.rounds) * u64::from(proposal.columns());
        Self {
            proposal,
            approved_unix_ms: now_unix_ms(),
            bounds,
            common_users: None,
            account,
            // Its openings may come on one day; of how many values is not known yet.
            today: OpenedDay {
                day: 0,
                columns,
                values: 0,
            },
            year_nano_rho: None,
        }
    }
}

/// Whether a √Σμ² is above a limit, but for the rounding of ρ to units of 10⁻⁹.
pub(crate) fn is_beyond(would: f64, most: f64) -> bool {
    would > most + 1e-6
}

/// Whether √Σμ² is limited: of friends' sums, and of any noised opening where friends' sums are
/// among what was opened.
pub(crate) fn asks_for_mu(proposal: &Proposal, account: &Account) -> bool {
    match proposal.release {
        ReleasePolicy::Friends(_) => true,
        ReleasePolicy::Noised { .. } => account.has_friends,
        ReleasePolicy::Exact | ReleasePolicy::Coarse { .. } => false,
    }
}

/// What a rule does not allow.
pub(crate) struct Refusal {
    pub(super) field: &'static str,
    pub(crate) why: String,
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        beyond(refusal.field, &refusal.why)
    }
}

impl Rule {
    pub(super) fn is_about(&self, peer: &str) -> bool {
        self.peer == "*" || self.peer == peer
    }

    /// What the operators state of the links of the data set.
    pub(crate) fn bounds(&self) -> PublicBounds {
        PublicBounds {
            stated: StatedBounds {
                degree: self.degree_bound,
                links: self.links_bound,
            },
            rule: self.bounds,
        }
    }

    /// Whether the rule as a whole allows a job that stands so.
    pub(crate) fn permits(&self, standing: &Standing<'_>) -> Result<(), Refusal> {
        self.allows(standing)?;
        self.is_within(standing)
    }

    /// The latest end of an approval given now.
    pub(crate) fn latest_end(&self) -> i64 {
        let longest = now_unix_ms() + i64::from(self.longest_days) * DAY_MS;
        self.expires.map_or(longest, |expires| longest.min(expires))
    }

    /// For people: what is left under the limits over all jobs.
    pub(crate) fn left(&self, account: &Account) -> String {
        let counters = account.counters;
        let shown = account.shown.unwrap_or_default();
        format!(
            "left under the policy: {} of {} columns, {} of {} values, {} of {} uploads; ρ {:.4} of {}, \
             ε {:.2} of {} at δ = {}, √Σμ² {:.3} of {} for friends' sums; {} of {} intersections, \
             {} of {} ids asked",
            self.most_columns.saturating_sub(counters.opened_columns),
            self.most_columns,
            self.most_values.saturating_sub(counters.opened_values),
            self.most_values,
            self.most_stocks.saturating_sub(counters.stocks),
            self.most_stocks,
            counting::rho_of(counters.nano_rho),
            self.most_rho,
            counting::epsilon_of(counters.nano_rho, self.delta),
            self.most_epsilon,
            self.delta,
            counting::mu_of(counters.nano_rho).map_or(0.0, Mu::value),
            self.most_mu_in_all,
            self.most_intersections.saturating_sub(shown.intersections),
            self.most_intersections,
            self.most_ids_asked.saturating_sub(shown.ids_asked),
            self.most_ids_asked,
        )
    }

    /// What the job is.
    fn allows(&self, standing: &Standing<'_>) -> Result<(), Refusal> {
        let proposal = standing.proposal;
        let refuse = |field, what: &str| {
            let why = format!("{field} does not allow {what}");
            Err(Refusal { field, why })
        };
        let now = latest_unix_ms();
        if self.expires.is_some_and(|expires| now > expires) {
            let why = "expires: the rule that allowed this has expired".into();
            let field = "expires";
            return Err(Refusal { field, why });
        }
        let days = (now - standing.approved_unix_ms) / DAY_MS;
        if now - standing.approved_unix_ms > i64::from(self.longest_days) * DAY_MS {
            let what = format!("an approval of {days} days ago");
            return refuse("longest_days", &what);
        }
        if !self.protocols.contains(&proposal.protocol) {
            return refuse("protocols", proposal.protocol.name());
        }
        if !self.patterns.contains(&proposal.pattern) {
            let pattern = pattern_to_wire(proposal.pattern).as_str_name();
            return refuse("patterns", pattern);
        }
        let release = release_kind(&proposal.release);
        if !self.releases.contains(&release) {
            return refuse("releases", release);
        }
        if proposal.rank > self.largest_rank {
            let field = "largest_rank";
            let most = self.largest_rank;
            let why = format!("rank {} exceeds largest_rank = {most}", proposal.rank);
            return Err(Refusal { field, why });
        }
        if let ReleasePolicy::Noised { .. } = proposal.release {
            for (field, limit) in [
                ("most_rho", self.most_rho),
                ("most_epsilon", self.most_epsilon),
            ] {
                if limit <= 0.0 {
                    return refuse(field, "any noised opening");
                }
            }
        }
        if let ReleasePolicy::Friends(release) = proposal.release
            && release.mu > self.most_mu
        {
            let (field, most) = ("most_mu", self.most_mu);
            let why = format!("μ = {} exceeds {field} = {most}", release.mu);
            return Err(Refusal { field, why });
        }
        if standing.bounds == BoundsRule::Ladder && self.bounds != BoundsRule::Ladder {
            return refuse("bounds", "bounds from the links (ladder)");
        }
        Ok(())
    }

    /// What the lineage and the day would come to.
    fn is_within(&self, standing: &Standing<'_>) -> Result<(), Refusal> {
        if let Some(users) = standing
            .common_users
            .filter(|m| *m < self.least_common_users)
        {
            let (field, least) = ("least_common_users", self.least_common_users);
            let why = format!("{users} users in common are below {field} = {least}");
            return Err(Refusal { field, why });
        }
        let counters = standing.account.counters;
        let shown = standing.account.shown.unwrap_or_default();
        let today = standing.today;
        let limits: [(_, u64, u64); 7] = [
            (
                "most_intersections",
                shown.intersections.into(),
                self.most_intersections.into(),
            ),
            ("most_ids_asked", shown.ids_asked, self.most_ids_asked),
            ("most_columns", counters.opened_columns, self.most_columns),
            ("most_values", counters.opened_values, self.most_values),
            (
                "most_columns_per_day",
                today.columns,
                self.most_columns_per_day,
            ),
            (
                "most_values_per_day",
                today.values,
                self.most_values_per_day,
            ),
            (
                "most_stocks",
                counters.stocks.into(),
                self.most_stocks.into(),
            ),
        ];
        if let Some((field, would, most)) = limits.into_iter().find(|(_, is, most)| is > most) {
            let why = format!("{field} = {most} would be exceeded: {would}");
            return Err(Refusal { field, why });
        }
        // Of the exact sum, and at a δ that is not the other side's to choose.
        let rho = counting::rho_of(counters.nano_rho);
        let epsilon = counting::epsilon_of(counters.nano_rho, self.delta);
        for (field, would, most) in [
            ("most_rho", rho, self.most_rho),
            ("most_epsilon", epsilon, self.most_epsilon),
        ] {
            if would > most {
                let why = format!("{field} = {most} would be exceeded: {would:.4}");
                return Err(Refusal { field, why });
            }
        }
        if !asks_for_mu(standing.proposal, standing.account) {
            return Ok(());
        }
        for (field, nano_rho, most) in [
            (
                "most_mu_per_year",
                standing.year_nano_rho.unwrap_or(0),
                self.most_mu_per_year,
            ),
            ("most_mu_in_all", counters.nano_rho, self.most_mu_in_all),
        ] {
            let would = counting::mu_of(nano_rho).map_or(0.0, Mu::value);
            if is_beyond(would, most) {
                let why = format!("{field} = {most} would be exceeded: √Σμ² = {would:.4}");
                return Err(Refusal { field, why });
            }
        }
        Ok(())
    }
}
