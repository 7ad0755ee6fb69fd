//! Drawings: curves of a training, bars of a budget, what an attacker could find. All of them SVG
//! without a style of its own, so that the strict rules for content hold.

use maud::{Markup, html};
use s3rec_spmm::noise_first::guarantee::Mu;
use s3rec_wire::v1;
use serde_json::{Value, json};

use super::words::count;

/// Size of a drawing in its own units; the page scales it.
const WIDTH: f64 = 320.0;
const HEIGHT: f64 = 120.0;

/// What the rounds of a job came to, in their order.
#[derive(Clone, Debug, Default)]
pub struct Curves {
    rounds: Vec<(u32, v1::TrainingProgress)>,
}

type OfRound = fn(&v1::TrainingProgress) -> f64;

/// The curves that there may be: name, title, and a round's value.
const CURVES: [(&str, &str, OfRound); 2] = [
    ("rmse", "Held-out RMSE by round", |one| one.held_out_rmse),
    ("loss", "Objective by round", |one| one.loss),
];

/// One curve as it is drawn.
pub(super) struct Curve {
    name: &'static str,
    points: String,
    first: String,
    last: String,
}

impl Curves {
    /// Of a finished job.
    #[must_use]
    pub fn of(rounds: &[v1::TrainingProgress]) -> Self {
        Self {
            rounds: (1..).zip(rounds.iter().copied()).collect(),
        }
    }

    /// Takes what an event says of its round; a round that is said again, after a restart, replaces
    /// what was said before.
    pub fn add(&mut self, event: &v1::JobEvent) {
        let Some(training) = event.training else {
            return;
        };
        self.rounds.retain(|(round, _)| *round < event.round);
        self.rounds.push((event.round, training));
    }

    /// Those of which there is more than one point.
    pub(super) fn drawn(&self) -> impl Iterator<Item = Curve> {
        CURVES.into_iter().filter_map(|(name, _, value)| {
            let values: Vec<(f64, f64)> = self
                .rounds
                .iter()
                .map(|(round, one)| (f64::from(*round), value(one)))
                .filter(|(_, value)| value.is_finite() && *value > 0.0)
                .collect();
            let ((_, first), (_, last)) = (values.first()?, values.last()?);
            (values.len() > 1).then(|| Curve {
                name,
                points: points(&values),
                first: number(*first),
                last: number(*last),
            })
        })
    }
}

impl Curve {
    pub(super) fn to_json(&self) -> Value {
        json!({ "name": self.name, "points": self.points, "first": self.first, "last": self.last })
    }
}

/// Four digits of what matters.
fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 1000.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

/// Fits the points into the drawing, the axes cut to what there is.
fn points(values: &[(f64, f64)]) -> String {
    let span = |of: fn(&(f64, f64)) -> f64| {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.iter().map(of) {
            (low, high) = (low.min(value), high.max(value));
        }
        match high > low {
            true => (low, high - low),
            // What stands still stands in the middle.
            false => (low - 0.5, 1.0),
        }
    };
    let ((left, wide), (low, tall)) = (span(|one| one.0), span(|one| one.1));
    let placed = values.iter().map(|(x, y)| {
        let (x, y) = ((x - left) / wide, (y - low) / tall);
        let (x, y) = (4.0 + x * (WIDTH - 8.0), HEIGHT - 4.0 - y * (HEIGHT - 8.0));
        format!("{x:.1},{y:.1}")
    });
    placed.collect::<Vec<_>>().join(" ")
}

/// The curves of a job; those that are not there yet stand hidden for the script.
pub(super) fn curves(all: &Curves) -> Markup {
    let drawn: Vec<Curve> = all.drawn().collect();
    html! {
        div.curves {
            @for (name, title, _) in CURVES {
                @let curve = drawn.iter().find(|curve| curve.name == name);
                figure data-curve=(name) hidden[curve.is_none()] {
                    figcaption {
                        (title) ": from "
                        span data-part="first" { (curve.map_or("", |curve| &curve.first)) } " to "
                        strong data-part="last" { (curve.map_or("", |curve| &curve.last)) }
                        span.quiet { " (axis cut to what there is)" }
                    }
                    svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) preserveAspectRatio="none" aria-hidden="true" {
                        polyline points=(curve.map_or("", |curve| &curve.points)) {}
                    }
                }
            }
        }
    }
}

/// How much of a limit is spent, and what is asked for on top.
pub(super) fn bar(spent: f64, asked: f64, most: f64) -> Markup {
    let share = |value: f64| (300.0 * value / most.max(f64::MIN_POSITIVE)).clamp(0.0, 300.0);
    let (spent, asked) = (share(spent), share(asked));
    html! {
        svg.bar viewBox="0 0 300 12" preserveAspectRatio="none" aria-hidden="true" {
            rect.most width="300" height="12" {}
            rect.asked width=(format!("{asked:.1}")) height="12" {}
            rect.spent width=(format!("{spent:.1}")) height="12" {}
        }
    }
}

/// Place of a share of false alarms on the axis, which is logarithmic from 1 in 10,000 to all.
fn along(false_alarms: f64) -> f64 {
    40.0 + (false_alarms.max(1e-4).log10() + 4.0) / 4.0 * 270.0
}

/// Place of a share of what is found.
fn up(found: f64) -> f64 {
    130.0 - 120.0 * found
}

/// One line of the attack's drawing: what share of linked pairs is found at most, by false alarms.
pub(super) enum Attack {
    /// Of a noised release: at most this, whatever is computed from it.
    Noised {
        /// Which.
        label: String,
        /// Its μ.
        mu: Mu,
    },
    /// Of an exact one: at least this, by a search without a single error.
    Exact {
        /// Which.
        label: String,
        /// Share of all links.
        found: f64,
    },
}

impl Attack {
    fn label(&self) -> &str {
        match self {
            Self::Noised { label, .. } | Self::Exact { label, .. } => label,
        }
    }

    fn found(&self, false_alarms: f64) -> f64 {
        match self {
            Self::Noised { mu, .. } => mu.power(false_alarms),
            Self::Exact { found, .. } => *found,
        }
    }

    fn points(&self) -> String {
        let placed = (0..=60).map(|step| {
            let false_alarms = 10_f64.powf(-4.0 + 4.0 * f64::from(step) / 60.0);
            // The quantile of 1 is none.
            let found = self.found(false_alarms.min(1.0 - 1e-9)).clamp(0.0, 1.0);
            format!("{:.1},{:.1}", along(false_alarms), up(found))
        });
        placed.collect::<Vec<_>>().join(" ")
    }
}

/// What an attacker finds of the linked pairs against what it accepts of false alarms.
pub(super) fn attacks(all: &[Attack]) -> Markup {
    html! {
        figure.attack {
            figcaption {
                "Linked pairs that are found (up) against pairs pointed at wrongly (along, by powers of ten)"
            }
            svg viewBox="0 0 320 160" aria-hidden="true" {
                @for (share, text) in [(0.0, "0 %"), (0.5, "50 %"), (1.0, "100 %")] {
                    line.grid x1="40" x2="310" y1=(up(share)) y2=(up(share)) {}
                    text x="36" y=(up(share) + 3.0) text-anchor="end" { (text) }
                }
                @for (false_alarms, text) in [(1e-4, "1 in 10,000"), (1e-3, "1,000"), (1e-2, "100"), (1e-1, "10"), (1.0, "all")] {
                    line.grid x1=(along(false_alarms)) x2=(along(false_alarms)) y1="10" y2="130" {}
                    text x=(along(false_alarms)) y="144" text-anchor="middle" { (text) }
                }
                @for (index, attack) in all.iter().enumerate() {
                    polyline.(format!("line-{index}")) points=(attack.points()) {}
                }
            }
            table {
                thead { tr { th { "Line" } th.number { "Found, 1 false alarm in 1,000" } th.number { "1 in 100" } } }
                tbody {
                    @for (index, attack) in all.iter().enumerate() {
                        tr {
                            td { span.(format!("key line-{index}")) {} " " (attack.label()) }
                            @for false_alarms in [1e-3, 1e-2] {
                                td.number { (format!("{:.1} %", 100.0 * attack.found(false_alarms))) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Values opened by day, the newest at the right; a day without an opening has no bar.
pub(super) fn by_day(days: &[(u32, u64)]) -> Markup {
    let most = days.iter().map(|(_, values)| *values).max().unwrap_or(0);
    let (Some((first, _)), Some((last, _))) = (days.first(), days.last()) else {
        return html! {};
    };
    let wide = f64::from(last - first + 1);
    let step = 312.0 / wide;
    html! {
        figure {
            figcaption {
                "Values opened by day, from " (date(*first)) " to " (date(*last)) "; at most " (count(most)) " on one day"
            }
            svg viewBox="0 0 320 80" preserveAspectRatio="none" aria-hidden="true" {
                line.grid x1="4" x2="316" y1="78" y2="78" {}
                @for (day, values) in days {
                    @let tall = (70.0 * *values as f64 / most.max(1) as f64).max(1.0);
                    rect.spent x=(format!("{:.1}", 4.0 + f64::from(day - first) * step))
                        y=(format!("{:.1}", 78.0 - tall)) width=(format!("{:.1}", (0.8 * step).clamp(1.0, 24.0)))
                        height=(format!("{tall:.1}")) {}
                }
            }
        }
    }
}

/// A day since the Unix epoch.
fn date(day: u32) -> String {
    let seconds = i64::from(day) * 86_400;
    time::OffsetDateTime::from_unix_timestamp(seconds)
        .map_or_else(|_| String::new(), |at| at.date().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(round: u32, held_out_rmse: f64) -> v1::JobEvent {
        v1::JobEvent {
            round,
            training: Some(v1::TrainingProgress {
                loss: 0.0,
                held_out_rmse,
                saturations: 0,
            }),
            ..v1::JobEvent::default()
        }
    }

    #[test]
    fn a_curve_has_what_was_said_last_of_each_round() {
        let mut curves = Curves::default();
        curves.add(&v1::JobEvent::default());
        curves.add(&event(1, 0.9));
        assert_eq!(curves.drawn().count(), 0, "one point is no curve");
        for (round, rmse) in [(2, 0.8), (3, 0.7), (2, 0.75)] {
            curves.add(&event(round, rmse));
        }
        let drawn: Vec<Curve> = curves.drawn().collect();
        assert_eq!(drawn.len(), 1, "an objective of 0 was not computed");
        assert_eq!(
            (drawn[0].first.as_str(), drawn[0].last.as_str()),
            ("0.9000", "0.7500")
        );
        assert_eq!(drawn[0].points, "4.0,4.0 316.0,116.0");
    }

    #[test]
    fn an_attack_is_drawn_as_the_promise_says() {
        let mu = Mu::ONE;
        let attack = Attack::Noised {
            label: "this one".into(),
            mu,
        };
        let drawn = attacks(&[attack]).into_string();
        let told = format!("{:.1} %", 100.0 * mu.power(1e-3));
        assert!(drawn.contains(&told), "{told}: {drawn}");
        assert!(!drawn.contains("NaN") && !drawn.contains("inf"), "{drawn}");
    }

    #[test]
    fn a_bar_stays_within_its_limit() {
        let drawn = bar(5.0, 9.0, 2.0).into_string();
        assert_eq!(drawn.matches("width=\"300.0\"").count(), 2, "{drawn}");
        assert!(!bar(0.0, 0.0, 0.0).into_string().contains("NaN"));
    }
}
