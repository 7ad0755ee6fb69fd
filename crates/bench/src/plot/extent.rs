//! The part of an axis that is shown: its ends, its ticks and their labels.

use std::ops::Range;

use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use plotters::coord::types::RangedCoordf64;

use super::{Axis, Scaling, Ticks};
use crate::BenchError;

/// The part of an axis that is shown, in the coordinates that are drawn.
#[derive(Clone, Copy)]
pub(super) struct Extent {
    scaling: Scaling,
    ticks: Ticks,
    /// Ticks that fit beside each other.
    most_ticks: usize,
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Extent {
    /// Over `values` with a share `margin` of room at both ends.
    pub(super) fn over(
        axis: &Axis,
        values: impl Iterator<Item = f64>,
        margin: f64,
        most_ticks: usize,
    ) -> Result<Self, BenchError> {
        let scaling = axis.scaling;
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values {
            if let Some(place) = placed(scaling, value) {
                (low, high) = (low.min(place), high.max(place));
            }
        }
        if low > high {
            return Err(BenchError::Plot("no point has a place on its axis".into()));
        }
        let room = if low == high {
            0.5
        } else {
            (high - low) * margin
        };
        Ok(Self {
            scaling,
            ticks: axis.ticks,
            most_ticks,
            low: low - room,
            high: high + room,
        })
    }

    /// Where a value lies, if it has a place.
    pub(super) fn place(&self, value: f64) -> Option<f64> {
        placed(self.scaling, value)
    }

    /// Round values: steps of 1, 2 or 5 times a power of ten.
    pub(super) fn ticks(&self) -> Vec<f64> {
        match self.scaling {
            Scaling::Linear => {
                let step = self.step();
                let first = (self.low / step).ceil();
                (0..=20)
                    .map(|n| (first + f64::from(n)) * step)
                    .take_while(|tick| *tick <= self.high)
                    .collect()
            }
            Scaling::Logarithmic => {
                // Every 1-2-5 while that is readable, decades or more beyond.
                let within = |mantissas: &[f64], every: i32| -> Vec<f64> {
                    (-15..=18)
                        .filter(|power| power % every == 0)
                        .flat_map(|power| {
                            mantissas.iter().map(move |m| m.log10() + f64::from(power))
                        })
                        .filter(|tick| (self.low - 1e-9..=self.high + 1e-9).contains(tick))
                        .collect()
                };
                let choices: [(&[f64], i32); 5] = [
                    (&[1.0, 2.0, 5.0], 1),
                    (&[1.0, 3.0], 1),
                    (&[1.0], 1),
                    (&[1.0], 2),
                    (&[1.0], 3),
                ];
                // Every second decade would mix 10 kB with 1 MB.
                let plain = self.ticks == Ticks::Plain;
                choices
                    .iter()
                    .filter(|(_, every)| plain || *every != 2)
                    .map(|(mantissas, every)| within(mantissas, *every))
                    .find(|ticks| ticks.len() <= self.most_ticks)
                    .unwrap_or_default()
            }
        }
    }

    fn step(&self) -> f64 {
        let rough = (self.high - self.low) / self.most_ticks.min(6) as f64;
        let power = 10f64.powf(rough.log10().floor());
        let times = [1.0, 2.0, 5.0].into_iter().find(|t| t * power >= rough);
        times.unwrap_or(10.0) * power
    }

    /// The label of a tick, with no more decimals than its neighbours need.
    pub(super) fn text(&self, place: f64) -> String {
        let (value, step) = match self.scaling {
            Scaling::Linear => (place, self.step()),
            Scaling::Logarithmic => (10f64.powf(place), 10f64.powf(place)),
        };
        match self.ticks {
            Ticks::Plain => plain(value, step),
            Ticks::Bytes => scaled(value, &[" B", " kB", " MB", " GB", " TB", " PB"]),
            Ticks::Counts => scaled(value, &["", " k", " M", " G"]),
        }
    }
}

impl Ranged for Extent {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        RangedCoordf64::from(self.range()).map(value, limit)
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() {
            return Vec::new();
        }
        self.ticks()
    }

    fn range(&self) -> Range<f64> {
        self.low..self.high
    }
}

fn plain(value: f64, step: f64) -> String {
    let decimals = (0..12)
        .find(|&n| step >= 0.999 * 0.1f64.powi(n))
        .unwrap_or(12);
    let text = format!("{value:.0$}", usize::try_from(decimals).unwrap_or(0));
    text.replace('-', "−")
}

/// In the largest unit of a thousand that leaves at least one.
fn scaled(value: f64, units: &[&str]) -> String {
    let mut scaled = value;
    let mut index = 0;
    while scaled >= 999.5 && index + 1 < units.len() {
        scaled /= 1000.0;
        index += 1;
    }
    format!("{}{}", plain(scaled, scaled.min(1.0)), units[index])
}

fn placed(scaling: Scaling, value: f64) -> Option<f64> {
    let place = match scaling {
        Scaling::Linear => value,
        Scaling::Logarithmic => value.log10(),
    };
    place.is_finite().then_some(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn over(scaling: Scaling, ticks: Ticks, values: &[f64], most: usize) -> Extent {
        let axis = Axis {
            ticks,
            ..Axis::new("x", scaling)
        };
        Extent::over(&axis, values.iter().copied(), 0.0, most).unwrap()
    }

    #[test]
    fn ticks_are_round() {
        let linear = over(Scaling::Linear, Ticks::Plain, &[0.7984, 0.8128], 6);
        let texts: Vec<String> = linear.ticks().iter().map(|t| linear.text(*t)).collect();
        assert_eq!(texts, ["0.800", "0.805", "0.810"]);
        let log = over(Scaling::Logarithmic, Ticks::Plain, &[1.0, 300.0], 8);
        let texts: Vec<String> = log.ticks().iter().map(|t| log.text(*t)).collect();
        assert_eq!(texts, ["1", "2", "5", "10", "20", "50", "100", "200"]);
    }

    #[test]
    fn bytes_are_told_in_their_unit() {
        let bytes = over(Scaling::Logarithmic, Ticks::Bytes, &[1e3, 1e12], 6);
        let texts: Vec<String> = bytes.ticks().iter().map(|t| bytes.text(*t)).collect();
        assert_eq!(texts, ["1 kB", "1 MB", "1 GB", "1 TB"]);
        assert_eq!(scaled(1500.0, &["", " k"]), "2 k");
        assert_eq!(scaled(0.2, &["", " k"]), "0.2");
    }
}
