//! Limits over all data sets together: what the same people's links come to under several names.

use s3rec_job::{Account, counting};
use serde::Deserialize;

use super::rule::Refusal;
use super::spelling;
use crate::budgets::{Budget, Limit};

/// `[all_data_sets]`: asked beside the rule of a job's own data set, whatever name it was imported
/// under. Like a rule's, each limit must be written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct InAll {
    most_intersections: u32,
    most_ids_asked: u64,
    most_columns: u64,
    most_values: u64,
    most_stocks: u32,
    /// Largest zCDP ρ of all noised openings together.
    #[serde(deserialize_with = "spelling::limit")]
    most_rho: f64,
}

impl InAll {
    /// Whether all data sets together may come to that much.
    pub(crate) fn permits(&self, all: &Account) -> Result<(), Refusal> {
        let refuse = |field, most: String, would: String| {
            let why =
                format!("{field} = {most} of all data sets together would be exceeded: {would}");
            Err(Refusal { field, why })
        };
        let mut counts = self.counts(all).into_iter();
        if let Some((field, would, most)) = counts.find(|(_, is, most)| is > most) {
            return refuse(field, most.to_string(), would.to_string());
        }
        let rho = counting::rho_of(all.counters.nano_rho);
        match rho > self.most_rho {
            true => refuse("most_rho", self.most_rho.to_string(), format!("{rho:.4}")),
            false => Ok(()),
        }
    }

    /// For people: what is left.
    pub(crate) fn left(&self, all: &Account) -> String {
        let counts = self.counts(all);
        let left = counts
            .map(|(field, is, most)| format!("{} of {field} = {most}", most.saturating_sub(is)));
        format!(
            "left under [all_data_sets] of the policy: {}; ρ {:.4} of {}",
            left.join(", "),
            counting::rho_of(all.counters.nano_rho),
            self.most_rho
        )
    }

    /// The limits, what is spent of each, and what it would come to.
    pub(crate) fn budgets(&self, now: &Account, planned: &Account) -> Vec<Budget> {
        let limits = [
            Limit::Intersections,
            Limit::IdsAsked,
            Limit::Columns,
            Limit::Values,
            Limit::Uploads,
        ];
        let counts = self.counts(now).into_iter().zip(self.counts(planned));
        let mut budgets: Vec<Budget> = limits
            .into_iter()
            .zip(counts)
            .map(|(limit, ((_, spent, most), (_, planned, _)))| Budget {
                limit,
                spent: spent as f64,
                planned: planned as f64,
                most: most as f64,
            })
            .collect();
        budgets.push(Budget {
            limit: Limit::Rho,
            spent: counting::rho_of(now.counters.nano_rho),
            planned: counting::rho_of(planned.counters.nano_rho),
            most: self.most_rho,
        });
        budgets
    }

    /// By field: what it would be, and the most it may be.
    fn counts(&self, all: &Account) -> [(&'static str, u64, u64); 5] {
        let (counters, shown) = (all.counters, all.shown.unwrap_or_default());
        [
            (
                "most_intersections",
                shown.intersections.into(),
                self.most_intersections.into(),
            ),
            ("most_ids_asked", shown.ids_asked, self.most_ids_asked),
            ("most_columns", counters.opened_columns, self.most_columns),
            ("most_values", counters.opened_values, self.most_values),
            (
                "most_stocks",
                counters.stocks.into(),
                self.most_stocks.into(),
            ),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::tests::spent;

    const LIMITS: &str = "most_intersections = 5
most_ids_asked = 6000
most_columns = 100
most_values = 8000
most_stocks = 2
most_rho = 0.25
";

    #[test]
    fn each_limit_is_kept_to_the_last_and_must_be_written() {
        let all = spent();
        let limits = |text: &str| toml::from_str::<InAll>(text);
        let refused = |text: &str| limits(text).unwrap().permits(&all).err();
        assert!(refused(LIMITS).is_none());
        for line in LIMITS.lines() {
            let (field, most) = line.split_once(" = ").unwrap();
            let less = match most.parse::<u64>() {
                Ok(most) => (most - 1).to_string(),
                Err(_) => "0.249".into(),
            };
            let refusal = refused(&LIMITS.replace(line, &format!("{field} = {less}"))).unwrap();
            assert_eq!(refusal.field, field);
            let named = format!("{field} = {less} of all data sets");
            assert!(refusal.why.contains(&named), "{}", refusal.why);
            let missing = limits(&LIMITS.replace(line, "")).unwrap_err().to_string();
            assert!(missing.contains(field), "{missing}");
        }
        assert!(limits(&LIMITS.replace("0.25", "inf")).is_err());
        let wider = LIMITS.replace("100", "130").replace("0.25", "1.5");
        let left = limits(&wider).unwrap().left(&all);
        for words in [
            "30 of most_columns = 130",
            "0 of most_stocks = 2",
            "ρ 0.2500 of 1.5",
        ] {
            assert!(left.contains(words), "{left}");
        }
    }
}
