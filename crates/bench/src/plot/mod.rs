//! Curves and bars as SVG: panels one below the other, axes labelled with their units, the legend
//! beside the curves, or below them on a narrow page, so that it never hides one.

mod bars;
mod curves;
mod extent;

use plotters::coord::Shift;
use plotters::prelude::*;

use crate::BenchError;

pub use bars::{Bar, bars};

const FONT: &str = "sans-serif";

/// Colours that colour-blind readers tell apart (Okabe and Ito).
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(230, 159, 0),
    RGBColor(90, 90, 90),
];

/// How values lie along an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scaling {
    /// Evenly.
    Linear,
    /// By their logarithm; values that have none are left out.
    Logarithmic,
}

/// How ticks are told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ticks {
    /// As they are.
    #[default]
    Plain,
    /// In B, kB, MB, …
    Bytes,
    /// In thousands and millions.
    Counts,
}

/// One axis.
#[derive(Clone, Debug)]
pub struct Axis {
    /// What it shows, with the unit.
    pub label: String,
    /// How values lie along it.
    pub scaling: Scaling,
    /// How its ticks are told.
    pub ticks: Ticks,
}

impl Axis {
    /// With plain ticks.
    #[must_use]
    pub fn new(label: &str, scaling: Scaling) -> Self {
        Self {
            label: label.to_owned(),
            scaling,
            ticks: Ticks::Plain,
        }
    }

    /// With ticks in units of bytes.
    #[must_use]
    pub fn bytes(label: &str) -> Self {
        Self {
            ticks: Ticks::Bytes,
            ..Self::new(label, Scaling::Logarithmic)
        }
    }

    /// With ticks in thousands and millions.
    #[must_use]
    pub fn counts(label: &str) -> Self {
        Self {
            ticks: Ticks::Counts,
            ..Self::new(label, Scaling::Logarithmic)
        }
    }

    /// The label as it is drawn: a logarithmic axis says that it is one, beside its unit.
    fn text(&self) -> String {
        match (self.scaling, self.label.strip_suffix(')')) {
            (Scaling::Linear, _) => self.label.clone(),
            (Scaling::Logarithmic, Some(unit)) => format!("{unit}, log)"),
            (Scaling::Logarithmic, None) => format!("{} (log)", self.label),
        }
    }
}

/// How a curve is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    /// A line, with marks where points are few.
    #[default]
    Solid,
    /// Dashes and hollow marks: predicted, computed.
    Hollow,
}

/// One curve.
#[derive(Clone, Debug)]
pub struct Series {
    /// In the legend.
    pub name: String,
    /// x and y.
    pub points: Vec<(f64, f64)>,
    /// How it is drawn.
    pub style: Style,
}

impl Series {
    /// A solid curve.
    #[must_use]
    pub fn new(name: &str, points: Vec<(f64, f64)>) -> Self {
        Self {
            name: name.to_owned(),
            points,
            style: Style::Solid,
        }
    }

    /// The same curve as one that was not measured.
    #[must_use]
    pub fn hollow(self) -> Self {
        Self {
            style: Style::Hollow,
            ..self
        }
    }
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

/// The page that a drawing is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// A screen: 900 pixels across, the legend beside the curves.
    Wide,
    /// A telephone: 350 pixels across, the legend below them.
    Narrow,
}

impl Page {
    const fn width(self) -> u32 {
        match self {
            Self::Wide => 900,
            Self::Narrow => 350,
        }
    }

    const fn panel_height(self) -> u32 {
        match self {
            Self::Wide => 340,
            Self::Narrow => 260,
        }
    }

    const fn title_height(self) -> u32 {
        match self {
            Self::Wide => 36,
            Self::Narrow => 8,
        }
    }

    const fn font(self) -> u32 {
        match self {
            Self::Wide => 16,
            Self::Narrow => 15,
        }
    }
}

/// Draws `panels` under one title on a wide page.
///
/// # Errors
/// [`BenchError::Plot`] when there is nothing to draw.
pub fn svg(title: &str, panels: &[Panel]) -> Result<String, BenchError> {
    svg_for(Page::Wide, title, panels)
}

/// Draws `panels` for `page`; a narrow one has no room for the title, which stands above it.
///
/// # Errors
/// [`BenchError::Plot`] when there is nothing to draw.
pub fn svg_for(page: Page, title: &str, panels: &[Panel]) -> Result<String, BenchError> {
    let heights: Vec<u32> = panels
        .iter()
        .map(|panel| curves::height(page, panel))
        .collect();
    drawing(page, title, heights.iter().sum(), |below| {
        let mut top = 0;
        for (panel, height) in panels.iter().zip(&heights) {
            let area = below.clone().shrink((0, top), (page.width(), *height));
            curves::draw(page, &area, panel)?;
            top += height;
        }
        Ok(())
    })
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// An SVG with a title above `height` pixels that `draw` fills.
fn drawing(
    page: Page,
    title: &str,
    height: u32,
    draw: impl FnOnce(&Area<'_>) -> Result<(), BenchError>,
) -> Result<String, BenchError> {
    let mut text = String::new();
    {
        let size = (page.width(), page.title_height() + height);
        let root = SVGBackend::with_string(&mut text, size).into_drawing_area();
        root.fill(&WHITE).map_err(failed)?;
        let (top, below) = root.split_vertically(page.title_height());
        if page == Page::Wide {
            top.draw(&Text::new(title.to_owned(), (16, 10), (FONT, 20)))
                .map_err(failed)?;
        }
        draw(&below)?;
        root.present().map_err(failed)?;
    }
    Ok(text)
}

fn failed(error: impl std::fmt::Display) -> BenchError {
    BenchError::Plot(error.to_string().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panel(points: Vec<(f64, f64)>) -> Panel {
        Panel {
            x: Axis::new("openings", Scaling::Logarithmic),
            y: Axis::new("RMSE (rating points)", Scaling::Linear),
            series: vec![Series::new("als", points)],
            levels: vec![("no social term".to_owned(), 0.9)],
        }
    }

    #[test]
    fn a_drawing_names_its_axes_curves_and_levels() {
        let drawing = svg("A & B", &[panel(vec![(0.0, 2.0), (1.0, 0.8), (20.0, 0.7)])]).unwrap();
        for word in [
            "openings (log)",
            "RMSE (rating points)",
            "als",
            "no social term",
        ] {
            assert!(drawing.contains(word), "{word}");
        }
        assert!(drawing.contains("A &amp; B") && drawing.trim_end().ends_with("</svg>"));
        // Zero openings have no place on a logarithmic axis: two marks remain.
        assert_eq!(drawing.matches("<circle").count(), 2);
    }

    #[test]
    fn a_logarithmic_axis_says_so_beside_its_unit() {
        let text = |label, scaling| Axis::new(label, scaling).text();
        assert_eq!(text("time (seconds)", Scaling::Linear), "time (seconds)");
        assert_eq!(
            text("time (seconds)", Scaling::Logarithmic),
            "time (seconds, log)"
        );
        assert_eq!(text("bytes", Scaling::Logarithmic), "bytes (log)");
    }

    #[test]
    fn nothing_to_draw_is_refused() {
        let error = svg("empty", &[panel(vec![(0.0, 1.0)])]).unwrap_err();
        assert!(matches!(error, BenchError::Plot(_)), "{error}");
    }

    #[test]
    fn a_narrow_page_is_narrow_and_names_the_same() {
        let panels = [panel(vec![(1.0, 0.8), (20.0, 0.7)])];
        let drawing = svg_for(Page::Narrow, "t", &panels).unwrap();
        assert!(drawing.contains("width=\"350\""), "{drawing}");
        for word in ["openings", "RMSE (rating points)", "als", "no social term"] {
            assert!(drawing.contains(word), "{word}");
        }
    }
}
