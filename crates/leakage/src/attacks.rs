//! Every attacker on every release.

use s3rec_sparse::OperatorKind;
use s3rec_spmm::noise_first::Sides;
use serde::{Deserialize, Serialize};

use crate::likelihood::{Scoring, prior_scores, scores};
use crate::matching::{FriendsPuzzle, MOST_PAIRED, Table, peel};
use crate::metrics::{FALSE_ALARMS, Measures, Scored};
use crate::prior::{Blind, Fitted, Known, Truth};
use crate::release::EXACT_UNIT;
use crate::{Exposure, LeakageError, Release, Study, openings, regression};

/// Users beyond which two-sided releases are not attacked: every row would have to be read for
/// every pair.
const MOST_TWO_SIDED: usize = 20_000;

/// Openings that an attacker who knows all other links is measured over.
const OPENINGS: u64 = 10;

fn openings(knows: &str, release: &Release) -> u64 {
    let pairs = release.judged.len() * release.uploaded().len();
    let is_small = pairs * 10 <= crate::release::MOST_PAIRS;
    let is_noised = release.exposure != Exposure::Exact;
    if knows == knows::OTHERS && is_noised && is_small {
        OPENINGS
    } else {
        1
    }
}

/// What to try.
#[derive(Clone, Debug, PartialEq)]
pub struct AttackOptions {
    /// Exact sums, noised ones.
    pub exposures: Vec<Exposure>,
    /// Which releases of friends' sums.
    pub sides: Vec<Sides>,
}

/// μ as records have it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum StatedMu {
    /// Of the noise.
    Noised(f64),
    /// `exact`.
    Exact(String),
}

/// One attacker on one release.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttackRecord {
    /// `matching`, `sparse-regression`, `likelihood`, `prior` or `prior-and-likelihood`.
    pub attacker: String,
    /// What it knows besides P0's own rows.
    pub knows: String,
    /// `one-sided` or `two-sided` friends' sums, an operator of the paper, or `none`.
    pub release: String,
    /// Whose pairs are judged: those in a release of these sides.
    pub sides: String,
    /// A number, `exact`, or null where nothing is opened.
    pub mu: Option<StatedMu>,
    /// Columns opened.
    pub columns: usize,
    /// Openings that the figures are over, each attacked by itself.
    pub openings: u64,
    /// Links that are in the release, whether judged or not.
    pub links_exposed: u64,
    /// Links among the common users.
    pub links_all: u64,
    /// Recall over all links, those in no release included: `recall_at_precision_50` times the
    /// share that is exposed.
    pub recall_of_all_links: f64,
    /// What the guarantee allows as `advantage_at_fpr_1e3` of whoever knows all other links; null
    /// for others, who may have priors, and without noise.
    pub advantage_bound: Option<f64>,
    /// How well it does.
    #[serde(flatten)]
    pub measures: Measures,
}

/// What attackers know besides X and the release.
mod knows {
    pub(super) const ROWS: &str = "P0's rows";
    pub(super) const OTHERS: &str = "P0's rows, all other links";
    pub(super) const TASTE: &str = "P0's rows and ratings, a prior fitted to the true links";
    pub(super) const HALF: &str = "P0's rows and ratings, half of all pairs";
    pub(super) const HALF_ROWS: &str = "P0's rows, half of all pairs";
}

/// Attacks every release that is asked for, saying what before each; pairs whose links are none
/// or all leave no record.
///
/// # Errors
/// Terms that the product refuses.
pub fn attack(
    study: &Study,
    options: &AttackOptions,
    mut progress: impl FnMut(&str),
) -> Result<Vec<AttackRecord>, LeakageError> {
    let mut records = Vec::new();
    for &sides in &options.sides {
        if sides == Sides::Two && study.users() > MOST_TWO_SIDED {
            progress("two-sided releases of so many users are left out");
            continue;
        }
        for (place, &exposure) in options.exposures.iter().enumerate() {
            let release = Release::open(study, sides, exposure)?;
            progress(&format!(
                "{} friends' sums, {}",
                word(sides),
                said(exposure)
            ));
            let mut attacked = Attacked {
                study,
                release: &release,
                records: &mut records,
            };
            if place == 0 {
                attacked.before();
            }
            attacked.after()?;
        }
    }
    let is_exact = options.exposures.contains(&Exposure::Exact);
    if is_exact && study.users() > MOST_PAIRED {
        progress("the paper's exact openings of so many users are left out");
    }
    if is_exact && study.users() <= MOST_PAIRED {
        for kind in [
            OperatorKind::Laplacian,
            OperatorKind::NormalizedLaplacian,
            OperatorKind::OutAverage,
        ] {
            progress(&format!("the exact opening of the paper, {kind}"));
            let scored = openings::scores(study, kind)?;
            records.extend(Measures::over(scored).map(|measures| AttackRecord {
                attacker: "matching".into(),
                knows: knows::ROWS.into(),
                release: kind.name().into(),
                sides: word(Sides::Two).into(),
                mu: Some(StatedMu::Exact("exact".into())),
                columns: study.soreg_rows.columns(),
                openings: 1,
                links_exposed: study.links(),
                links_all: study.links(),
                recall_of_all_links: measures.recall_at_precision_50,
                advantage_bound: None,
                measures,
            }));
        }
    }
    Ok(records)
}

struct Attacked<'a> {
    study: &'a Study,
    release: &'a Release,
    records: &'a mut Vec<AttackRecord>,
}

impl Attacked<'_> {
    /// Priors alone, nothing opened.
    fn before(&mut self) {
        let (study, release) = (self.study, self.release);
        if study.taste.is_some() {
            let prior = Fitted::new(study, release, Known::Nothing);
            self.note("prior", knows::TASTE, None, prior_scores(release, &prior));
        }
        let prior = Fitted::new(study, release, self.half());
        let knows = self.half_known();
        self.note("prior", knows, None, prior_scores(release, &prior));
    }

    /// What the release adds.
    fn after(&mut self) -> Result<(), LeakageError> {
        let (study, release) = (self.study, self.release);
        let mu = Some(match release.exposure {
            Exposure::Exact => StatedMu::Exact("exact".into()),
            Exposure::Noised(mu) => StatedMu::Noised(mu.value()),
        });
        if release.exposure == Exposure::Exact {
            self.note("matching", knows::ROWS, mu.clone(), matched(release));
        }
        let found = regression::scores(release);
        self.note("sparse-regression", knows::ROWS, mu.clone(), found);
        let found = scores(release, &Blind::new(release), Scoring::Posterior);
        self.note("likelihood", knows::ROWS, mu.clone(), found);
        self.note(
            "likelihood",
            knows::OTHERS,
            mu.clone(),
            self.others_known()?,
        );
        let both = "prior-and-likelihood";
        if study.taste.is_some() {
            let prior = Fitted::new(study, release, Known::Nothing);
            let found = scores(release, &prior, Scoring::Posterior);
            self.note(both, knows::TASTE, mu.clone(), found);
        }
        let prior = Fitted::new(study, release, self.half());
        let found = scores(release, &prior, Scoring::Posterior);
        self.note(both, self.half_known(), mu, found);
        Ok(())
    }

    /// By whoever knows all other links. Pairs of one row share its noise, and rows of people who
    /// are alike lie close, so that one opening says little of rare events: several are made.
    fn others_known(&self) -> Result<Vec<Scored>, LeakageError> {
        let release = self.release;
        let mut all = scores(release, &Truth(release), Scoring::Ratio);
        for number in 2..=openings(knows::OTHERS, release) {
            let again = Release::open_as(self.study, release.sides, release.exposure, number)?;
            all.extend(scores(&again, &Truth(&again), Scoring::Ratio));
        }
        Ok(all)
    }

    fn half(&self) -> Known {
        Known::Half {
            seed: self.study.options.seed,
        }
    }

    fn half_known(&self) -> &'static str {
        match self.study.taste {
            Some(_) => knows::HALF,
            None => knows::HALF_ROWS,
        }
    }

    fn note(&mut self, attacker: &str, knows: &str, mu: Option<StatedMu>, scored: Vec<Scored>) {
        let (study, release) = (self.study, self.release);
        let Some(mut measures) = Measures::over(scored) else {
            return;
        };
        let openings = match mu {
            Some(_) => openings(knows, release),
            None => 0,
        };
        measures.links /= openings.max(1);
        measures.pairs /= openings.max(1);
        let in_block = (0..release.block.rows()).map(|row| release.block.row(row).len() as u64);
        let in_block: u64 = in_block.sum();
        let links_exposed = match release.sides {
            Sides::One => in_block,
            Sides::Two => in_block / 2,
        };
        let bound = match release.exposure {
            Exposure::Noised(mu) if knows == knows::OTHERS => {
                Some(mu.power(FALSE_ALARMS) - FALSE_ALARMS)
            }
            _ => None,
        };
        let links_all = study.links();
        let share = links_exposed as f64 / links_all.max(1) as f64;
        self.records.push(AttackRecord {
            attacker: attacker.into(),
            knows: knows.into(),
            release: mu.as_ref().map_or("none", |_| word(release.sides)).into(),
            sides: word(release.sides).into(),
            mu,
            columns: release.rows.columns(),
            openings,
            links_exposed,
            links_all,
            recall_of_all_links: measures.recall_at_precision_50 * share,
            advantage_bound: bound,
            measures,
        });
    }
}

/// Pairs that matching finds score 1.
fn matched(release: &Release) -> Vec<Scored> {
    let table = Table::new(&release.rows, EXACT_UNIT, 4);
    let found = peel(&table, &FriendsPuzzle { release });
    let columns = release.uploaded().len();
    let mut scored = Vec::new();
    for &row in &release.judged {
        let mut scores = vec![0.0; columns];
        found[row]
            .iter()
            .for_each(|&column| scores[column as usize] = 1.0);
        scored.extend(release.judge(row, &scores));
    }
    scored
}

fn word(sides: Sides) -> &'static str {
    match sides {
        Sides::One => "one-sided",
        Sides::Two => "two-sided",
    }
}

fn said(exposure: Exposure) -> String {
    match exposure {
        Exposure::Exact => "exact".into(),
        Exposure::Noised(mu) => format!("μ = {}", mu.value()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StudyOptions;
    use crate::draws::{stream, unit};
    use s3rec_sparse::SocialMatrix;
    use s3rec_spmm::noise_first::guarantee::Mu;

    /// 300 people in circles of thirty, who know a sixth of their circle.
    fn study() -> Study {
        let mut rng = stream(2, 77);
        let pairs = (0..300u32).flat_map(|a| (0..a).map(move |b| (a, b)));
        let links = pairs.filter(|(a, b)| {
            let likely = if a / 30 == b / 30 { 0.17 } else { 0.002 };
            unit(&mut rng) < likely
        });
        let links: Vec<(u32, u32)> = links.collect();
        let social = SocialMatrix::from_links(300, links).unwrap();
        Study::synthetic(social, 0.4, StudyOptions::default()).unwrap()
    }

    fn of<'a>(records: &'a [AttackRecord], attacker: &str, knows: &str) -> Vec<&'a AttackRecord> {
        let is = |record: &&AttackRecord| record.attacker == attacker && record.knows == knows;
        records.iter().filter(is).collect()
    }

    /// Exact sums of few rows are found; noise leaves whoever knows all other links what the
    /// guarantee says, nearly all of it and no more; of others, who know more get further.
    #[test]
    fn attackers_get_what_noise_leaves_them() {
        let study = study();
        let mus = [4.0, 1.0].map(|mu| Exposure::Noised(Mu::new(mu).unwrap()));
        let options = AttackOptions {
            exposures: [vec![Exposure::Exact], mus.into()].concat(),
            sides: vec![Sides::One, Sides::Two],
        };
        let records = attack(&study, &options, |_| ()).unwrap();
        for record in of(&records, "matching", knows::ROWS) {
            // Its coefficients are not known: each row's are fitted.
            let least = match record.release == OperatorKind::NormalizedLaplacian.name() {
                true => 0.03,
                false => 0.3,
            };
            assert!(record.measures.recall_at_precision_50 > least, "{record:?}");
        }
        let others = of(&records, "likelihood", knows::OTHERS);
        assert_eq!(others.len(), 6);
        for record in others {
            let Some(StatedMu::Noised(mu)) = record.mu else {
                assert!(record.measures.auc > 0.999, "{record:?}");
                continue;
            };
            // Φ(μ/√2); both rows of a two-sided pair together are as wide as one of one-sided.
            let expected = Mu::new(mu / 2f64.sqrt()).unwrap().power(0.5);
            let error = 4.0 * 0.3 / (record.measures.links as f64).sqrt();
            let auc = record.measures.auc;
            assert!((auc - expected).abs() < error, "{expected} {record:?}");
            let bound = record.advantage_bound.unwrap();
            let links = (record.measures.links * record.openings) as f64;
            let error = 4.0 * (bound.max(0.01) / links).sqrt();
            assert!(
                record.measures.advantage_at_fpr_1e3 < bound + error,
                "{record:?}"
            );
        }
        for attacker in ["likelihood", "sparse-regression"] {
            let found = of(&records, attacker, knows::ROWS);
            let auc = |at: usize| found[at].measures.auc;
            assert!(auc(0) > auc(2) && auc(3) > auc(5), "{attacker}: {found:?}");
            assert!(found.iter().all(|record| record.measures.auc > 0.5));
        }
        let before = of(&records, "prior", knows::HALF_ROWS);
        let after = of(&records, "prior-and-likelihood", knows::HALF_ROWS);
        assert_eq!((before.len(), after.len()), (2, 6));
        for (before, after) in [(before[0], after[1]), (before[1], after[4])] {
            assert!(
                after.measures.auc > before.measures.auc,
                "{before:?} {after:?}"
            );
        }
        for operator in ["laplacian", "normalized-laplacian", "out-average"] {
            let found = records.iter().find(|record| record.release == operator);
            let found = &found.unwrap().measures;
            // What is found is linked: of pairs that are not, none is pointed at.
            assert!(found.recall_at_precision_50 > 0.03, "{operator}: {found:?}");
            assert!(
                found.roc.iter().all(|point| point.0 > 0.9),
                "{operator}: {found:?}"
            );
        }
    }
}
