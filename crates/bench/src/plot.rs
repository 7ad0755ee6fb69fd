//! Curves as SVG: panels one below the other, axes labelled with their units, the legend beside
//! the curves so that it never hides one.

use std::ops::Range;

use plotters::coord::Shift;
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

use crate::BenchError;

const WIDTH: u32 = 900;
const PANEL_HEIGHT: u32 = 360;
const LEGEND_WIDTH: u32 = 210;
const TITLE_HEIGHT: u32 = 36;
const FONT: &str = "sans-serif";

/// Colours that colour-blind readers tell apart (Okabe and Ito).
const COLOURS: [RGBColor; 5] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
];

/// How values lie along an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scaling {
    /// Evenly.
    Linear,
    /// By their logarithm; values that have none are left out.
    Logarithmic,
}

/// One axis.
#[derive(Clone, Debug)]
pub struct Axis {
    /// What it shows, with the unit.
    pub label: String,
    /// How values lie along it.
    pub scaling: Scaling,
}

/// One curve; of a single point, a level across the panel.
#[derive(Clone, Debug)]
pub struct Series {
    /// In the legend.
    pub name: String,
    /// x and y.
    pub points: Vec<(f64, f64)>,
}

/// One pair of axes.
#[derive(Clone, Debug)]
pub struct Panel {
    /// Across.
    pub x: Axis,
    /// Up.
    pub y: Axis,
    /// The curves, at least one with a point.
    pub series: Vec<Series>,
    /// Named levels of y, dashed.
    pub levels: Vec<(String, f64)>,
}

/// Draws `panels` under one title.
///
/// # Errors
/// [`BenchError::Plot`] when there is nothing to draw.
pub fn svg(title: &str, panels: &[Panel]) -> Result<String, BenchError> {
    let mut drawing = String::new();
    let height = TITLE_HEIGHT + PANEL_HEIGHT * u32::try_from(panels.len()).unwrap_or(u32::MAX);
    {
        let root = SVGBackend::with_string(&mut drawing, (WIDTH, height)).into_drawing_area();
        root.fill(&WHITE).map_err(failed)?;
        let (top, below) = root.split_vertically(TITLE_HEIGHT);
        top.draw(&Text::new(title.to_owned(), (16, 10), (FONT, 18)))
            .map_err(failed)?;
        for (area, panel) in below.split_evenly((panels.len(), 1)).iter().zip(panels) {
            draw(area, panel)?;
        }
        root.present().map_err(failed)?;
    }
    Ok(drawing)
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

fn draw(area: &Area<'_>, panel: &Panel) -> Result<(), BenchError> {
    let (left, legend) = area.split_horizontally(WIDTH - LEGEND_WIDTH);
    let xs = panel
        .series
        .iter()
        .flat_map(|s| s.points.iter().map(|p| p.0));
    let ys = panel
        .series
        .iter()
        .flat_map(|s| s.points.iter().map(|p| p.1));
    let x = Extent::over(panel.x.scaling, xs, 0.0)?;
    let levels = panel.levels.iter().map(|(_, level)| *level);
    let y = Extent::over(panel.y.scaling, ys.chain(levels), 0.06)?;
    let mut chart = ChartBuilder::on(&left)
        .margin(12)
        .x_label_area_size(46)
        .y_label_area_size(74)
        .build_cartesian_2d(x, y)
        .map_err(failed)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(BLACK.mix(0.12))
        .label_style((FONT, 13))
        .axis_desc_style((FONT, 15))
        .x_desc(panel.x.label.as_str())
        .y_desc(panel.y.label.as_str())
        .x_label_formatter(&|value| x.text(*value))
        .y_label_formatter(&|value| y.text(*value))
        .draw()
        .map_err(failed)?;
    for (index, series) in panel.series.iter().enumerate() {
        let colour = COLOURS[index % COLOURS.len()];
        let points: Vec<(f64, f64)> = series
            .points
            .iter()
            .filter_map(|&(px, py)| Some((x.place(px)?, y.place(py)?)))
            .collect();
        let line = LineSeries::new(points.iter().copied(), colour.stroke_width(2));
        chart.draw_series(line).map_err(failed)?;
        // Markers where points are few enough to be told apart.
        if points.len() <= 40 {
            let marks = points.iter().map(|&at| Circle::new(at, 3, colour.filled()));
            chart.draw_series(marks).map_err(failed)?;
        }
        key(&legend, index, &series.name, colour, false)?;
    }
    for (index, (name, level)) in panel.levels.iter().enumerate() {
        let index = panel.series.len() + index;
        let colour = COLOURS[index % COLOURS.len()];
        if let Some(level) = y.place(*level) {
            let ends = [(x.low, level), (x.high, level)];
            let dashes = DashedLineSeries::new(ends, 6, 4, colour.stroke_width(2));
            chart.draw_series(dashes).map_err(failed)?;
        }
        key(&legend, index, name, colour, true)?;
    }
    Ok(())
}

/// One line of the legend.
fn key(
    legend: &Area<'_>,
    index: usize,
    name: &str,
    colour: RGBColor,
    dashed: bool,
) -> Result<(), BenchError> {
    let y = 24 + 22 * i32::try_from(index).unwrap_or(0);
    let dashes: &[(i32, i32)] = if dashed {
        &[(4, 10), (14, 20), (24, 30)]
    } else {
        &[(4, 30)]
    };
    for &(from, to) in dashes {
        let dash = PathElement::new([(from, y), (to, y)], colour.stroke_width(2));
        legend.draw(&dash).map_err(failed)?;
    }
    legend
        .draw(&Text::new(name.to_owned(), (38, y - 7), (FONT, 14)))
        .map_err(failed)
}

/// The part of an axis that is shown, in the coordinates that are drawn.
#[derive(Clone, Copy)]
struct Extent {
    scaling: Scaling,
    low: f64,
    high: f64,
}

impl Extent {
    fn over(
        scaling: Scaling,
        values: impl Iterator<Item = f64>,
        margin: f64,
    ) -> Result<Self, BenchError> {
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
            low: low - room,
            high: high + room,
        })
    }

    fn place(&self, value: f64) -> Option<f64> {
        placed(self.scaling, value)
    }

    /// Round values: steps of 1, 2 or 5 times a power of ten.
    fn ticks(&self) -> Vec<f64> {
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
                // Every 1-2-5 while that is readable, decades beyond.
                let mantissas: &[f64] = if self.high - self.low <= 4.0 {
                    &[1.0, 2.0, 5.0]
                } else {
                    &[1.0]
                };
                (-12..=12)
                    .flat_map(|power| mantissas.iter().map(move |m| m.log10() + f64::from(power)))
                    .filter(|tick| (self.low - 1e-9..=self.high + 1e-9).contains(tick))
                    .collect()
            }
        }
    }

    fn step(&self) -> f64 {
        let rough = (self.high - self.low) / 6.0;
        let power = 10f64.powf(rough.log10().floor());
        let times = [1.0, 2.0, 5.0].into_iter().find(|t| t * power >= rough);
        times.unwrap_or(10.0) * power
    }

    /// A tick in words, with no more decimals than its neighbours need.
    fn text(&self, place: f64) -> String {
        let (value, step) = match self.scaling {
            Scaling::Linear => (place, self.step()),
            Scaling::Logarithmic => (10f64.powf(place), 10f64.powf(place)),
        };
        let decimals = (0..12)
            .find(|&n| step >= 0.999 * 0.1f64.powi(n))
            .unwrap_or(12);
        format!("{value:.0$}", usize::try_from(decimals).unwrap_or(0))
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

fn placed(scaling: Scaling, value: f64) -> Option<f64> {
    let place = match scaling {
        Scaling::Linear => value,
        Scaling::Logarithmic => value.log10(),
    };
    place.is_finite().then_some(place)
}

fn failed(error: impl std::fmt::Display) -> BenchError {
    BenchError::Plot(error.to_string().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panel(points: Vec<(f64, f64)>) -> Panel {
        Panel {
            x: Axis {
                label: "openings".to_owned(),
                scaling: Scaling::Logarithmic,
            },
            y: Axis {
                label: "RMSE (rating points)".to_owned(),
                scaling: Scaling::Linear,
            },
            series: vec![Series {
                name: "als".to_owned(),
                points,
            }],
            levels: vec![("no social term".to_owned(), 0.9)],
        }
    }

    #[test]
    fn a_drawing_names_its_axes_curves_and_levels() {
        let drawing = svg("A & B", &[panel(vec![(0.0, 2.0), (1.0, 0.8), (20.0, 0.7)])]).unwrap();
        for word in ["openings", "RMSE (rating points)", "als", "no social term"] {
            assert!(drawing.contains(word), "{word}");
        }
        assert!(drawing.contains("A &amp; B") && drawing.trim_end().ends_with("</svg>"));
        // Zero openings have no place on a logarithmic axis: two marks remain.
        assert_eq!(drawing.matches("<circle").count(), 2);
    }

    #[test]
    fn nothing_to_draw_is_refused() {
        let error = svg("empty", &[panel(vec![(0.0, 1.0)])]).unwrap_err();
        assert!(matches!(error, BenchError::Plot(_)), "{error}");
    }

    #[test]
    fn ticks_are_round() {
        let linear = Extent::over(Scaling::Linear, [0.7984, 0.8128].into_iter(), 0.0).unwrap();
        let texts: Vec<String> = linear.ticks().iter().map(|t| linear.text(*t)).collect();
        assert_eq!(texts, ["0.800", "0.805", "0.810"]);
        let log = Extent::over(Scaling::Logarithmic, [1.0, 300.0].into_iter(), 0.0).unwrap();
        let texts: Vec<String> = log.ticks().iter().map(|t| log.text(*t)).collect();
        assert_eq!(texts, ["1", "2", "5", "10", "20", "50", "100", "200"]);
    }
}
