//! A platform examined from its own machine: what `s3rec doctor` and the console say of each thing,
//! whether it is well or how to mend it.

mod certificates;
mod local;

pub use certificates::{Certificate, certificates};
pub use local::examine;

/// How one thing was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Well.
    Ok,
    /// Not well; the finding says how to mend it.
    Wrong,
    /// Not to be seen from here, or not while something else is wrong.
    Skipped,
}

impl Verdict {
    /// `ok`, `wrong` or `skipped`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Wrong => "wrong",
            Self::Skipped => "skipped",
        }
    }
}

/// One line of the examination.
#[derive(Clone, Debug)]
pub struct Finding {
    /// What was looked at.
    pub check: &'static str,
    /// How it was found.
    pub verdict: Verdict,
    /// What was seen.
    pub detail: String,
    /// How to mend it; empty where nothing is wrong.
    pub remedy: String,
}

/// All lines, in the order in which they were examined.
#[derive(Debug, Default)]
pub struct Findings(Vec<Finding>);

impl Findings {
    /// It is well.
    pub fn ok(&mut self, check: &'static str, detail: impl Into<String>) {
        self.add(check, Verdict::Ok, detail.into(), String::new());
    }

    /// It is not well, and how to mend it.
    pub fn wrong(
        &mut self,
        check: &'static str,
        detail: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.add(check, Verdict::Wrong, detail.into(), remedy.into());
    }

    /// It was not looked at.
    pub fn skipped(&mut self, check: &'static str, why: impl Into<String>) {
        self.add(check, Verdict::Skipped, why.into(), String::new());
    }

    fn add(&mut self, check: &'static str, verdict: Verdict, detail: String, remedy: String) {
        self.0.push(Finding {
            check,
            verdict,
            detail,
            remedy,
        });
    }

    /// All lines.
    #[must_use]
    pub fn lines(&self) -> &[Finding] {
        &self.0
    }

    /// Lines that are wrong.
    #[must_use]
    pub fn wrongs(&self) -> usize {
        let wrong = |finding: &&Finding| finding.verdict == Verdict::Wrong;
        self.0.iter().filter(wrong).count()
    }
}
