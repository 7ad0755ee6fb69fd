//! Horizontal bars on a logarithmic axis: a few named quantities that differ by powers of ten.

use plotters::prelude::*;

use super::extent::Extent;
use super::{Axis, COLOURS, FONT, Page, drawing, failed};
use crate::BenchError;

const BAR_HEIGHT: i32 = 20;
const ROW_HEIGHT: i32 = 30;
const AXIS_HEIGHT: i32 = 46;
/// Room behind the longest bar for its label.
const WORDS_WIDTH: i32 = 110;

/// One bar.
#[derive(Clone, Debug)]
pub struct Bar {
    /// Before it.
    pub name: String,
    /// Its length.
    pub value: f64,
    /// Behind it.
    pub label: String,
    /// Bars of one group share a colour.
    pub group: usize,
    /// Hollow: computed rather than measured.
    pub hollow: bool,
}

/// Draws `bars` one below the other along `axis`.
///
/// # Errors
/// [`BenchError::Plot`] when none has a place on the axis.
pub fn bars(page: Page, title: &str, axis: &Axis, bars: &[Bar]) -> Result<String, BenchError> {
    let narrow = page == Page::Narrow;
    // On a narrow page the name stands above its bar.
    let (left, row_height) = if narrow {
        (10, ROW_HEIGHT + 18)
    } else {
        (150, ROW_HEIGHT)
    };
    let width = i32::try_from(page.width()).unwrap_or(i32::MAX);
    let right = width - if narrow { 86 } else { WORDS_WIDTH };
    let count = i32::try_from(bars.len()).unwrap_or(0);
    let bottom = row_height * count + 6;
    let values = bars.iter().map(|bar| bar.value);
    let extent = Extent::over(axis, values, 0.06, if narrow { 5 } else { 9 })?;
    let place = |value: f64| {
        let share = (value - extent.low) / (extent.high - extent.low);
        #[expect(clippy::cast_possible_truncation, reason = "a pixel of the page")]
        let pixel = (f64::from(right - left) * share.clamp(0.0, 1.0)) as i32;
        left + pixel
    };
    let height = u32::try_from(bottom + AXIS_HEIGHT).unwrap_or(u32::MAX);
    drawing(page, title, height, |area| {
        let font = (FONT, page.font());
        for tick in extent.ticks() {
            let x = place(tick);
            area.draw(&PathElement::new([(x, 0), (x, bottom)], BLACK.mix(0.15)))
                .map_err(failed)?;
            let text = extent.text(tick);
            let shift = 4 * i32::try_from(text.chars().count()).unwrap_or(0);
            area.draw(&Text::new(text, (x - shift, bottom + 5), font))
                .map_err(failed)?;
        }
        let label = Text::new(axis.text(), (left, bottom + 25), (FONT, page.font() + 1));
        area.draw(&label).map_err(failed)?;
        for (index, bar) in bars.iter().enumerate() {
            let top = row_height * i32::try_from(index).unwrap_or(0);
            let (name_at, bar_top) = if narrow {
                ((left, top + 4), top + 20)
            } else {
                ((10, top + 7), top + 5)
            };
            area.draw(&Text::new(bar.name.clone(), name_at, font))
                .map_err(failed)?;
            let Some(end) = extent.place(bar.value).map(place) else {
                continue;
            };
            let colour = COLOURS[bar.group % COLOURS.len()];
            let corners = [(left, bar_top), (end.max(left + 2), bar_top + BAR_HEIGHT)];
            let style = if bar.hollow {
                colour.stroke_width(2)
            } else {
                colour.filled()
            };
            area.draw(&Rectangle::new(corners, style)).map_err(failed)?;
            let label = Text::new(bar.label.clone(), (end.max(left) + 6, bar_top + 3), font);
            area.draw(&label).map_err(failed)?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bar_is_named_and_measured() {
        let bar = |name: &str, value: f64, hollow| Bar {
            name: name.to_owned(),
            value,
            label: format!("{value} B"),
            group: 0,
            hollow,
        };
        let axis = Axis::bytes("bytes of a training");
        for page in [Page::Wide, Page::Narrow] {
            let drawing = bars(
                page,
                "t",
                &axis,
                &[bar("he", 1e6, false), bar("ssmm", 1e9, true)],
            );
            let drawing = drawing.unwrap();
            for word in ["he", "ssmm", "1000000000 B", "bytes of a training (log)"] {
                assert!(drawing.contains(word), "{word}");
            }
            let hollow = |line: &&str| line.starts_with("<rect") && line.contains("fill=\"none\"");
            assert_eq!(drawing.lines().filter(hollow).count(), 1, "{drawing}");
        }
        assert!(bars(Page::Wide, "t", &axis, &[]).is_err());
    }
}
