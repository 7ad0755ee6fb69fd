//! What a page is made of, before it is a page: text, tables and drawings.

use crate::BenchError;
use crate::plot::{self, Axis, Bar, Page, Panel};

/// One heading with everything under it.
#[derive(Clone, Debug, Default)]
pub struct Section {
    /// Heading.
    pub title: String,
    /// Paragraphs before everything else.
    pub lead: Vec<String>,
    /// Tables and drawings in order.
    pub parts: Vec<Part>,
}

/// A table or a drawing.
#[derive(Clone, Debug)]
pub enum Part {
    /// Rows of text.
    Grid(Grid),
    /// A drawing.
    Figure(Figure),
    /// A paragraph.
    Text(String),
    /// A list of statements.
    List(Vec<String>),
}

/// A table: the first column names, the others hold figures.
#[derive(Clone, Debug, Default)]
pub struct Grid {
    /// Above it.
    pub caption: String,
    /// Column titles.
    pub titles: Vec<String>,
    /// Rows as long as the titles.
    pub rows: Vec<Vec<String>>,
}

impl Grid {
    /// A table without rows under such titles: `phase | time | bytes`.
    #[must_use]
    pub fn new(caption: &str, titles: &str) -> Self {
        Self {
            caption: caption.to_owned(),
            titles: titles
                .split('|')
                .map(|title| title.trim().to_owned())
                .collect(),
            rows: Vec::new(),
        }
    }
}

/// A drawing for both widths of page.
#[derive(Clone, Debug)]
pub struct Figure {
    /// Name of the SVG file.
    pub stem: String,
    /// Above it.
    pub title: String,
    /// Below it.
    pub caption: String,
    /// For a screen.
    pub wide: String,
    /// For a telephone.
    pub narrow: String,
}

impl Figure {
    /// Curves.
    ///
    /// # Errors
    /// [`BenchError::Plot`].
    pub fn curves(
        stem: &str,
        title: &str,
        caption: &str,
        panels: &[Panel],
    ) -> Result<Self, BenchError> {
        Ok(Self {
            stem: stem.to_owned(),
            title: title.to_owned(),
            caption: caption.to_owned(),
            wide: plot::svg_for(Page::Wide, title, panels)?,
            narrow: plot::svg_for(Page::Narrow, title, panels)?,
        })
    }

    /// Bars.
    ///
    /// # Errors
    /// [`BenchError::Plot`].
    pub fn bars(
        stem: &str,
        title: &str,
        caption: &str,
        axis: &Axis,
        bars: &[Bar],
    ) -> Result<Self, BenchError> {
        Ok(Self {
            stem: stem.to_owned(),
            title: title.to_owned(),
            caption: caption.to_owned(),
            wide: plot::bars(Page::Wide, title, axis, bars)?,
            narrow: plot::bars(Page::Narrow, title, axis, bars)?,
        })
    }
}

impl Section {
    /// With a heading and nothing under it.
    #[must_use]
    pub fn new(title: &str) -> Self {
        Self {
            title: title.to_owned(),
            ..Self::default()
        }
    }

    /// Adds a paragraph before everything else.
    #[must_use]
    pub fn lead(mut self, text: impl Into<String>) -> Self {
        self.lead.push(text.into());
        self
    }

    /// Adds a table, unless it is empty.
    #[must_use]
    pub fn grid(mut self, grid: Grid) -> Self {
        if !grid.rows.is_empty() {
            self.parts.push(Part::Grid(grid));
        }
        self
    }

    /// Adds a drawing.
    #[must_use]
    pub fn figure(mut self, figure: Figure) -> Self {
        self.parts.push(Part::Figure(figure));
        self
    }

    /// Adds a paragraph.
    #[must_use]
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.parts.push(Part::Text(text.into()));
        self
    }

    /// Adds statements, unless there are none.
    #[must_use]
    pub fn list(mut self, statements: Vec<String>) -> Self {
        if !statements.is_empty() {
            self.parts.push(Part::List(statements));
        }
        self
    }

    /// A name for links within the page.
    #[must_use]
    pub fn anchor(&self) -> String {
        let kept = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        self.title.to_lowercase().chars().map(kept).collect()
    }
}
