//! One panel of curves.

use plotters::prelude::*;

use super::extent::Extent;
use super::{Area, COLOURS, FONT, Page, Panel, Series, Style, failed};
use crate::BenchError;

const LEGEND_WIDTH: u32 = 230;
const LEGEND_LINE: u32 = 21;
const X_LABEL_AREA: u32 = 50;
/// What is still readable.
const SMALLEST_FONT: u32 = 12;
/// Below this many points each gets a mark.
const MARKED_POINTS: usize = 40;

/// Pixels that a panel takes with its legend.
pub(super) fn height(page: Page, panel: &Panel) -> u32 {
    let lines = u32::try_from(panel.series.len() + panel.levels.len()).unwrap_or(0);
    match page {
        Page::Wide => page.panel_height(),
        Page::Narrow => page.panel_height() + LEGEND_LINE * lines + 14,
    }
}

pub(super) fn draw(page: Page, area: &Area<'_>, panel: &Panel) -> Result<(), BenchError> {
    let (plot, legend) = match page {
        Page::Wide => area.split_horizontally(page.width() - LEGEND_WIDTH),
        Page::Narrow => area.split_vertically(page.panel_height()),
    };
    let of = |pick: fn(&(f64, f64)) -> f64| {
        panel
            .series
            .iter()
            .flat_map(move |series| series.points.iter().map(pick))
    };
    let across = if page == Page::Wide { 9 } else { 5 };
    let x = Extent::over(&panel.x, of(|point| point.0), 0.02, across)?;
    let levels = panel.levels.iter().map(|(_, level)| *level);
    let y = Extent::over(&panel.y, of(|point| point.1).chain(levels), 0.06, 7)?;
    let mut chart = ChartBuilder::on(&plot)
        .margin(if page == Page::Wide { 12 } else { 6 })
        .margin_right(26)
        .x_label_area_size(X_LABEL_AREA)
        .y_label_area_size(if page == Page::Wide { 90 } else { 72 })
        .build_cartesian_2d(x, y)
        .map_err(failed)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(BLACK.mix(0.12))
        .label_style((FONT, page.font()))
        .axis_desc_style((FONT, fitting(page, &panel.y.text())))
        .x_desc(panel.x.text())
        .y_desc(panel.y.text())
        .x_label_formatter(&|value| x.text(*value))
        .y_label_formatter(&|value| y.text(*value))
        .draw()
        .map_err(failed)?;
    let colour = |index: usize| COLOURS[index % COLOURS.len()];
    for (index, series) in panel.series.iter().enumerate() {
        let colour = colour(index);
        let points: Vec<(f64, f64)> = placed(series, x, y);
        let hollow = series.style == Style::Hollow;
        let stroke = colour.stroke_width(2);
        if hollow {
            let dashes = DashedLineSeries::new(points.iter().copied(), 6, 4, stroke);
            chart.draw_series(dashes).map_err(failed)?;
        } else {
            let line = LineSeries::new(points.iter().copied(), stroke);
            chart.draw_series(line).map_err(failed)?;
        }
        if points.len() <= MARKED_POINTS {
            let mark = if hollow { stroke } else { colour.filled() };
            let marks = points.iter().map(|&at| Circle::new(at, 4, mark));
            chart.draw_series(marks).map_err(failed)?;
        }
        key(page, &legend, index, &series.name, colour, hollow)?;
    }
    for (index, (name, level)) in panel.levels.iter().enumerate() {
        let index = panel.series.len() + index;
        let colour = colour(index);
        if let Some(level) = y.place(*level) {
            let ends = [(x.low, level), (x.high, level)];
            let dashes = DashedLineSeries::new(ends, 6, 4, colour.stroke_width(2));
            chart.draw_series(dashes).map_err(failed)?;
        }
        key(page, &legend, index, name, colour, true)?;
    }
    Ok(())
}

/// The size of letters at which the label of an upright axis do not stand out of its panel.
fn fitting(page: Page, label: &str) -> u32 {
    let letters = u32::try_from(label.chars().count()).unwrap_or(u32::MAX);
    // A letter of a sans-serif font is two fifths of its size wide; below the axis stand the
    // label of the other one.
    let room = (page.panel_height() - X_LABEL_AREA) * 5 / 2;
    (page.font() + 1)
        .min(room / letters.max(1))
        .max(SMALLEST_FONT)
}

fn placed(series: &Series, x: Extent, y: Extent) -> Vec<(f64, f64)> {
    let points = series.points.iter();
    points
        .filter_map(|&(px, py)| Some((x.place(px)?, y.place(py)?)))
        .collect()
}

/// One line of the legend.
fn key(
    page: Page,
    legend: &Area<'_>,
    index: usize,
    name: &str,
    colour: RGBColor,
    dashed: bool,
) -> Result<(), BenchError> {
    let line = i32::try_from(LEGEND_LINE).unwrap_or(0);
    let (left, top) = if page == Page::Wide {
        (4, 24)
    } else {
        (14, 10)
    };
    let y = top + line * i32::try_from(index).unwrap_or(0);
    let dashes: &[(i32, i32)] = if dashed {
        &[(0, 6), (10, 16), (20, 26)]
    } else {
        &[(0, 26)]
    };
    for &(from, to) in dashes {
        let dash = PathElement::new([(left + from, y), (left + to, y)], colour.stroke_width(2));
        legend.draw(&dash).map_err(failed)?;
    }
    legend
        .draw(&Text::new(
            name.to_owned(),
            (left + 34, y - 7),
            (FONT, page.font() + 1),
        ))
        .map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_labels_of_an_axis_are_set_smaller() {
        assert_eq!(fitting(Page::Narrow, "loss"), Page::Narrow.font() + 1);
        let label = "computing, both parties (seconds, log)";
        assert!(fitting(Page::Narrow, label) < Page::Narrow.font());
        assert_eq!(fitting(Page::Wide, label), Page::Wide.font() + 1);
    }
}
