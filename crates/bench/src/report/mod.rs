//! Every record of a directory as one page: HTML that needs no network, the drawings as SVG
//! files, and Markdown.
//!
//! | module | what |
//! |---|---|
//! | `collection` | the records that a directory holds |
//! | `section` | text, tables and drawings, before they are a page |
//! | `products`, `intersection`, `links`, `scale`, `learning`, `published`, `summary` | records as sections |
//! | `training` | one joint training as sections |
//! | `page`, `markdown` | sections as a page |

mod collection;
mod intersection;
mod learning;
mod links;
mod markdown;
mod page;
mod products;
mod published;
mod scale;
mod section;
mod summary;
mod training;

use std::path::{Path, PathBuf};

pub use collection::Collection;
pub use section::{Figure, Grid, Part, Section};
pub use training::{Round, Training};

use crate::headline::Headline;
use crate::{BenchError, Machine};

/// A page before it is written.
#[derive(Clone, Debug)]
pub struct Report {
    /// At the top.
    pub title: String,
    /// What it comes to, in a sentence under the title; empty for none.
    pub headline: String,
    /// Where and when it was measured.
    pub origin: Vec<String>,
    /// In order.
    pub sections: Vec<Section>,
}

impl Report {
    /// Of all benchmarks of `collection`.
    ///
    /// # Errors
    /// [`BenchError::Plot`].
    pub fn of_benchmarks(collection: &Collection) -> Result<Self, BenchError> {
        let mut sections = vec![summary::section(collection)];
        sections.extend(products::sections(collection)?);
        sections.extend(intersection::section(collection)?);
        sections.extend(published::section(collection));
        sections.extend(links::section(collection)?);
        sections.extend(scale::section(collection)?);
        sections.extend(learning::sections(collection)?);
        Ok(Self {
            title: "s3rec benchmarks".to_owned(),
            headline: String::new(),
            origin: collection.origin(),
            sections,
        })
    }

    /// Of one joint training.
    ///
    /// # Errors
    /// [`BenchError::Plot`].
    pub fn of_training(training: &Training) -> Result<Self, BenchError> {
        Ok(Self {
            title: "s3rec: one joint training".to_owned(),
            headline: String::new(),
            origin: vec![described(&Machine::here())],
            sections: training::sections(training)?,
        })
    }

    /// The page as HTML.
    #[must_use]
    pub fn html(&self) -> String {
        let top = (&self.title[..], &self.headline[..]);
        page::html(top, &self.origin, &self.sections)
    }

    /// The page as Markdown.
    #[must_use]
    pub fn markdown(&self) -> String {
        let top = (&self.title[..], &self.headline[..]);
        markdown::markdown(top, &self.origin, &self.sections)
    }

    /// Writes `report.html`, `report.md` and an SVG file for each drawing; says where the page is.
    ///
    /// # Errors
    /// [`BenchError::File`].
    pub fn write(&self, directory: &Path) -> Result<PathBuf, BenchError> {
        let write = |name: &str, text: &str| {
            let path = directory.join(name);
            match std::fs::write(&path, text) {
                Ok(()) => Ok(path),
                Err(source) => Err(BenchError::File { path, source }),
            }
        };
        std::fs::create_dir_all(directory).map_err(|source| BenchError::File {
            path: directory.to_owned(),
            source,
        })?;
        for section in &self.sections {
            for part in &section.parts {
                if let Part::Figure(figure) = part {
                    write(&format!("{}.svg", figure.stem), &figure.wide)?;
                }
            }
        }
        write("report.md", &self.markdown())?;
        write("report.html", &self.html())
    }
}

/// The two ratios of a collection, for the command to print.
#[must_use]
pub fn headline(collection: &Collection) -> Option<Headline> {
    summary::headline(collection)
}

/// The ratios as sentences, one line each.
#[must_use]
pub fn headline_sentences(headline: &Headline) -> Vec<String> {
    summary::sentences(headline)
}

/// A machine in one line.
fn described(machine: &Machine) -> String {
    let build = if machine.debug_build {
        ", a build that is not fully optimised"
    } else {
        ""
    };
    format!(
        "{}, {} cores used, {:.0} GiB of memory, Linux {}; s3rec {} at {}{build}",
        machine.processor,
        machine.cores,
        machine.memory_bytes as f64 / f64::from(1 << 30),
        machine.kernel,
        machine.version,
        machine.commit,
    )
}
