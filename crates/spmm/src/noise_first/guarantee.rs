//! What a release promises, in μ of Gaussian differential privacy (Dong, Roth and Su, JRSS B
//! 2022), and how that is said to people (page `noised_opening`, section 2).

use s3rec_sparse::{BoundsRule, PatternPolicy};
use serde::{Deserialize, Serialize};

use super::Parameters;

/// δ of the one (ε, δ) that is shown beside μ.
pub const SHOWN_DELTA: f64 = 1e-6;

/// μ of a release, or √Σμ² of several.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Mu(f64);

impl TryFrom<f64> for Mu {
    type Error = &'static str;

    fn try_from(mu: f64) -> Result<Self, Self::Error> {
        Self::new(mu).ok_or("μ is a finite number above 0")
    }
}

impl From<Mu> for f64 {
    fn from(mu: Mu) -> Self {
        mu.0
    }
}

impl Mu {
    /// The default of a release.
    pub const ONE: Self = Self(1.0);

    /// A finite number above 0; none otherwise.
    #[must_use]
    pub fn new(mu: f64) -> Option<Self> {
        (mu.is_finite() && mu > 0.0).then_some(Self(mu))
    }

    /// The number.
    #[must_use]
    pub fn value(self) -> f64 {
        self.0
    }

    /// Of both releases together: squares add up.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0.hypot(other.0))
    }

    /// ρ of zCDP: μ²/2.
    #[must_use]
    pub fn rho(self) -> f64 {
        self.0 * self.0 / 2.0
    }

    /// The least ε at which the Gaussian trade-off gives (ε, δ), rounded up to 0.01; infinite for a
    /// μ beyond 1,000, which no terms allow.
    #[must_use]
    pub fn epsilon(self, delta: f64) -> f64 {
        let mu = self.0;
        if mu > 1e3 {
            return f64::INFINITY;
        }
        // δ(ε) falls with ε (Balle and Wang, ICML 2018).
        // e^ε leaves the floating-point numbers long before their product does.
        let delta_at = |epsilon: f64| {
            let small = epsilon + ln_normal(-mu / 2.0 - epsilon / mu);
            normal(mu / 2.0 - epsilon / mu) - small.exp()
        };
        let (mut low, mut high) = (0.0, 1.0);
        while delta_at(high) > delta {
            high *= 2.0;
        }
        for _ in 0..100 {
            let middle = f64::midpoint(low, high);
            if delta_at(middle) > delta {
                low = middle;
            } else {
                high = middle;
            }
        }
        (high * 100.0 - 1e-9).ceil() / 100.0
    }

    /// With what chance, at least, somebody who accepts `false_alarms` of the pairs that are not
    /// linked finds one that is: at most this one, whatever they compute from the release.
    #[must_use]
    pub fn power(self, false_alarms: f64) -> f64 {
        normal(quantile(false_alarms) + self.0)
    }

    /// What somebody concludes about a linked pair with chance `chance` they would have concluded
    /// with at least this chance without the link.
    #[must_use]
    pub fn chance_without(self, chance: f64) -> f64 {
        normal(quantile(chance) - self.0)
    }

    /// π₅: whoever holds a pair linked with at most this chance is made to hold it more likely
    /// linked than not with a chance of at most 5 %.
    #[must_use]
    pub fn prior_ceiling_5_percent(self) -> f64 {
        let a = self.chance_without(0.05);
        a / (a + 0.05)
    }

    /// The sentence of consent page, ledger and model card, with this μ's numbers.
    #[must_use]
    pub fn statement(self) -> String {
        format!(
            "For each pair of users separately: (a) Whatever anyone concludes about a linked pair \
             from this release with chance c, they would have concluded with chance at least \
             Φ(Φ⁻¹(c) − {mu}) had just this pair not been linked: who would point at it half the \
             time would point at it {half} of the time or more without the link; who accepts one \
             false alarm in 1,000 finds it with at most {power}. (b) Take a reader who is not \
             mistaken about the other links and who, even if told all of them, would still hold \
             this pair linked with at most {prior}. If the pair is linked, the release makes that \
             reader hold it more likely linked than not with a chance of at most 5 %. (c) Not \
             promised: what the other links say about a pair (friends of friends, well-connected \
             people), of which the release shows something; a person's k links together; a rating \
             platform that exceeds its norm bound or sends keys that are none; broken encryption.",
            mu = self.0,
            half = percent(self.chance_without(0.5), f64::floor),
            power = percent(self.power(0.001), f64::ceil),
            prior = percent(self.prior_ceiling_5_percent(), f64::floor),
        )
    }
}

/// What one release promises, in numbers. It exists only where nothing that leaves depends on the
/// links but the noised sums themselves.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Guarantee {
    /// μ that is booked: `sensitivity`/`sigma` + `key_switch_share`.
    pub mu: f64,
    /// ρ of zCDP: μ²/2.
    pub rho: f64,
    /// By how much one pair of users moves the exact sums, ℓ₂, in units of x.
    pub sensitivity: f64,
    /// Standard deviation of the noise, in units of x.
    pub sigma: f64,
    /// Part of μ that the noise of key switching takes.
    pub key_switch_share: f64,
    /// ε at `delta` by the Gaussian trade-off, rounded up.
    pub epsilon: f64,
    /// The δ that goes with it.
    pub delta: f64,
    /// π₅, rounded down: see [`Mu::prior_ceiling_5_percent`].
    pub prior_ceiling_5_percent: f64,
}

/// Why nothing is promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unstated {
    /// The pattern policy shows who has a link.
    #[error("nothing is promised beside a pattern policy that shows who has a link")]
    Pattern,
    /// The bounds of the operator follow from the links.
    #[error("nothing is promised beside bounds that follow from the links (ladder)")]
    Bounds,
}

impl Unstated {
    /// Refuses what would make the promise false: anything that depends on the links and leaves
    /// without noise.
    ///
    /// # Errors
    /// Which of them it is.
    pub fn check(pattern: PatternPolicy, bounds: BoundsRule) -> Result<(), Self> {
        match (pattern, bounds) {
            (PatternPolicy::Nothing, BoundsRule::Stated) => Ok(()),
            (PatternPolicy::Nothing, BoundsRule::Ladder) => Err(Self::Bounds),
            _ => Err(Self::Pattern),
        }
    }
}

impl Guarantee {
    /// Of one release under `parameters`, where the job shows nothing else of the links.
    ///
    /// # Errors
    /// [`Unstated`].
    pub fn of(
        parameters: &Parameters,
        pattern: PatternPolicy,
        bounds: BoundsRule,
    ) -> Result<Self, Unstated> {
        Unstated::check(pattern, bounds)?;
        let mu = parameters.terms().mu;
        let sensitivity = parameters.terms().sensitivity();
        Ok(Self {
            mu: mu.value(),
            rho: mu.rho(),
            sensitivity,
            sigma: parameters.sigma(),
            key_switch_share: mu.value() - sensitivity / parameters.sigma(),
            epsilon: mu.epsilon(SHOWN_DELTA),
            delta: SHOWN_DELTA,
            prior_ceiling_5_percent: two_digits_down(mu.prior_ceiling_5_percent()),
        })
    }
}

/// Two digits that count, rounded down.
fn two_digits_down(share: f64) -> f64 {
    if !(share.is_finite() && share > 0.0) {
        return 0.0;
    }
    let unit = 10f64.powf(share.log10().floor() - 1.0);
    let digits = (share / unit + 1e-9).floor();
    // Through text, so that 0.075 is the number that is written so.
    let decimals = (-unit.log10()).round().max(0.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a whole number from 0 to a few hundred"
    )]
    let decimals = decimals as usize;
    let rounded = format!("{:.*}", decimals, digits * unit).parse();
    rounded.unwrap_or(0.0)
}

/// Two digits that count, rounded to the side on which the sentence stays true.
fn percent(share: f64, round: fn(f64) -> f64) -> String {
    let percent = share * 100.0;
    let digits = if percent >= 10.0 {
        0
    } else if percent >= 1.0 {
        1
    } else {
        2
    };
    let unit = 10f64.powi(digits);
    let rounded = round(percent * unit) / unit;
    format!("{rounded} %")
}

/// Φ, with a small relative error in the lower tail too.
fn normal(x: f64) -> f64 {
    0.5 * libm::erfc(-x / std::f64::consts::SQRT_2)
}

/// ln Φ(x), also where Φ(x) is no floating-point number.
fn ln_normal(x: f64) -> f64 {
    if x > -20.0 {
        return normal(x).ln();
    }
    // The asymptotic series of Mills' ratio: its next term is below 5·10⁻⁹ from 20 on.
    let square = x * x;
    let series = 1.0 - 1.0 / square + 3.0 / square.powi(2) - 15.0 / square.powi(3);
    -square / 2.0 - (-x).ln() - std::f64::consts::TAU.ln() / 2.0 + series.ln()
}

/// Φ⁻¹, by bisection: called for sentences only.
fn quantile(probability: f64) -> f64 {
    let (mut low, mut high) = (-40.0, 40.0);
    for _ in 0..200 {
        let middle = f64::midpoint(low, high);
        if normal(middle) < probability {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mu(value: f64) -> Mu {
        Mu::new(value).unwrap()
    }

    #[test]
    fn figures_are_those_of_the_design_page() {
        for (value, epsilon) in [(2.0, 11.00), (1.5, 7.81), (1.0, 4.89), (0.5, 2.26)] {
            assert_eq!(mu(value).epsilon(SHOWN_DELTA), epsilon, "{value}");
        }
        for (value, ceiling) in [(0.5, 0.242), (1.0, 0.075), (1.5, 0.016), (1.74, 0.0070)] {
            let actual = mu(value).prior_ceiling_5_percent();
            assert!(
                (actual - ceiling).abs() < 0.03 * ceiling,
                "{value}: {actual}"
            );
        }
        assert!((mu(1.0).chance_without(0.5) - 0.1587).abs() < 1e-4);
        assert!((mu(1.0).power(0.001) - 0.0183).abs() < 1e-4);
        assert_eq!((mu(1.0).rho(), mu(3.0).rho()), (0.5, 4.5));
        assert!((mu(3.0).and(mu(4.0)).value() - 5.0).abs() < 1e-12);
    }

    /// Exact values by arithmetic of 60 digits.
    #[test]
    fn a_large_mu_is_not_made_smaller() {
        for (value, epsilon) in [
            (35.0, 777.9),
            (40.0, 989.2),
            (60.0, 2084.0),
            (100.0, 5474.0),
        ] {
            let actual = mu(value).epsilon(SHOWN_DELTA);
            assert!((actual - epsilon).abs() < 0.6, "{value}: {actual}");
        }
        let mut last = 0.0;
        for step in 0..400 {
            let value = 0.01 * 10f64.powf(f64::from(step) / 100.0);
            let epsilon = mu(value).epsilon(SHOWN_DELTA);
            // Below a small μ nothing is left to show at this δ.
            let least = if value > 0.1 {
                value * value / 2.0
            } else {
                0.0
            };
            assert!(epsilon >= last && epsilon >= least, "{value}: {epsilon}");
            last = epsilon;
        }
        assert!(mu(1e200).epsilon(SHOWN_DELTA).is_infinite());
        assert!((ln_normal(-20.0 - 1e-9) - ln_normal(-20.0 + 1e-9)).abs() < 1e-7);
    }

    /// The keys of reports, and that nothing is stated where something else shows links.
    #[test]
    fn a_guarantee_has_its_numbers_and_stands_beside_nothing_that_shows_links() {
        let terms = super::super::tests::terms(super::super::Sides::One, 300, 400, 8);
        let parameters = super::super::choose(terms).unwrap();
        let (nothing, stated) = (PatternPolicy::Nothing, BoundsRule::Stated);
        let guarantee = Guarantee::of(&parameters, nothing, stated).unwrap();
        assert_eq!((guarantee.mu, guarantee.rho), (1.0, 0.5));
        assert_eq!(guarantee.prior_ceiling_5_percent, 0.075);
        assert_eq!((guarantee.epsilon, guarantee.delta), (4.89, 1e-6));
        assert_eq!(guarantee.sensitivity, 1.0);
        let share = guarantee.key_switch_share;
        assert!(share > 0.0 && share <= 0.02, "{share}");
        assert!((guarantee.sensitivity / guarantee.sigma + share - 1.0).abs() < 1e-12);
        for (pattern, bounds, expected) in [
            (nothing, BoundsRule::Ladder, Unstated::Bounds),
            (PatternPolicy::ActiveRows, stated, Unstated::Pattern),
            (
                PatternPolicy::ActiveRowsAndColumns,
                stated,
                Unstated::Pattern,
            ),
        ] {
            assert_eq!(Guarantee::of(&parameters, pattern, bounds), Err(expected));
        }
        assert_eq!(two_digits_down(0.002_69), 0.0026);
        assert_eq!(two_digits_down(0.2429), 0.24);
    }

    #[test]
    fn no_number_is_no_promise() {
        for value in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(Mu::new(value).is_none());
        }
    }

    #[test]
    fn the_sentence_carries_its_numbers() {
        let text = mu(1.0).statement();
        for expected in [
            "15 %",
            "1.9 %",
            "7.5 %",
            "− 1)",
            "Not promised",
            "keys that are none",
        ] {
            assert!(text.contains(expected), "{expected}: {text}");
        }
    }
}
