//! A verdict as it is shown.

use super::nested::{GROUPS, Nested, Served, WARM};
use super::weigh::{Measure, Observation, Weighed, edges, stratum, weigh};
use super::{FEWEST, VerdictTask};
use crate::evaluate::ndcg;
use serde::{Deserialize, Serialize};

/// Strata of noisy degree, at most.
const STRATA: usize = 6;
/// Fewest judged users of a stratum.
const FEWEST_IN_STRATUM: usize = 10;
/// Fewest users with few ratings to whom anything is weighted.
const FEWEST_FEW: f64 = 20.0;

/// Whether the friends' estimate was worth it. Stays at P0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// What the headline is about.
    pub task: VerdictTask,
    /// For whom.
    pub group: String,
    /// NDCG at the cutoff, or RMSE, without friends; null where nothing can be told.
    pub without: Option<f64>,
    /// The same with the friends' estimate.
    pub with: Option<f64>,
    /// Lower end of the 95 % interval of the gain, which is above 0 where friends help.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// Whether the whole interval lies above 0.
    pub worth_it: bool,
    /// The same in words.
    pub sentence: String,
    /// Everything behind it.
    pub details: VerdictDetails,
}

/// What a verdict was made from, and all groups.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VerdictDetails {
    /// k of NDCG@k.
    pub cutoff: usize,
    /// Users of O with fewer ratings than the threshold: whom it is for.
    pub few: usize,
    /// Those of them without any rating.
    pub cold: usize,
    /// Calibration users with ratings.
    pub calibration: usize,
    /// Standard deviation of the release's noise, in friends' rows.
    pub sigma: f64,
    /// Edges between the strata of noisy degree, in friends' rows.
    pub strata_edges: Vec<f64>,
    /// By lists.
    pub lists: Option<TaskVerdict>,
    /// By predicted ratings.
    pub ratings: Option<TaskVerdict>,
    /// What a reader should know.
    pub warnings: Vec<String>,
}

/// One task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskVerdict {
    /// `cold` and `k1` … `k4` together, weighted to the users who truly have so few ratings; `cold`
    /// as it was sampled where hardly anybody has.
    pub few: Option<Weighted>,
    /// Group by group: `cold`, `k1` … `k4`, `warm`.
    pub groups: Vec<GroupVerdict>,
}

/// Figures without and with friends.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Weighted {
    /// Users judged.
    pub users: usize,
    /// As many users of equal weight would tell as much.
    pub effective_users: f64,
    /// Without friends.
    pub without: f64,
    /// With the estimate.
    pub with: f64,
    /// Lower end of the 95 % interval of the gain.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Whether the whole interval lies above 0.
    pub worth_it: bool,
    /// Share of those it is weighted to whose stratum somebody was judged in.
    pub covered: f64,
}

/// One group of users.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupVerdict {
    /// `cold`, `k1` … `k4` or `warm`.
    pub group: String,
    /// Share of the judged who were served by the estimate, its gate being open.
    pub used: f64,
    /// As they were sampled.
    #[serde(flatten)]
    pub plain: Weighted,
    /// Weighted to the users with as many ratings, by noisy degree; null where there are none.
    pub reweighted: Option<Weighted>,
    /// By noisy degree.
    pub strata: Vec<StratumVerdict>,
}

/// One stratum of noisy degree.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StratumVerdict {
    /// From so many friends' rows.
    pub from: f64,
    /// Below so many; null for the last.
    pub below: Option<f64>,
    /// Share of the users with as many ratings who are in it.
    pub share: f64,
    /// Its figures.
    #[serde(flatten)]
    pub figures: Weighted,
}

impl From<Weighed> for Weighted {
    fn from(weighed: Weighed) -> Self {
        Self {
            users: weighed.users,
            effective_users: weighed.effective,
            without: weighed.without,
            with: weighed.with,
            low: weighed.gain.low,
            high: weighed.gain.high,
            worth_it: weighed.gain.is_gain(),
            covered: weighed.covered,
        }
    }
}

/// A judged user's sums, by group and stratum.
struct Sums {
    group: usize,
    stratum: usize,
    used: bool,
    observed: Observation,
}

/// What the figures are weighted to.
struct Towards {
    edges: Vec<f64>,
    /// Users with K ratings in each stratum, by K.
    few: Vec<Vec<f64>>,
}

impl Towards {
    fn of(nested: &Nested<'_>) -> Self {
        let opened = nested.opened;
        let known = |user: u32| opened.ratings.by_user(user as usize).0.len();
        let users = opened.sides.opened.iter().zip(nested.degrees);
        let few: Vec<(usize, f64)> = users
            .filter(|(user, _)| opened.sides.calibration.binary_search(user).is_err())
            .map(|(&user, &degree)| (known(user), degree))
            .filter(|(ratings, _)| *ratings < nested.settings.few_below.min(WARM))
            .collect();
        let place = |user: u32| opened.sides.opened.binary_search(&user).ok();
        let judged: Vec<f64> = nested
            .parts
            .iter()
            .filter_map(|(user, _)| Some(nested.degrees[place(*user)?]))
            .collect();
        let theirs: Vec<f64> = few.iter().map(|(_, degree)| *degree).collect();
        let edges = edges(&judged, &theirs, STRATA, FEWEST_IN_STRATUM);
        let mut counts = vec![vec![0.0; edges.len() + 1]; WARM];
        for (ratings, degree) in few {
            counts[ratings][stratum(&edges, degree)] += 1.0;
        }
        Self { edges, few: counts }
    }

    fn strata(&self) -> usize {
        self.edges.len() + 1
    }

    /// Whether there are enough of those it is for that figures are weighted to them.
    fn is_weighted(&self) -> bool {
        (0..WARM).map(|ratings| self.users(ratings)).sum::<f64>() >= FEWEST_FEW
    }

    fn users(&self, ratings: usize) -> f64 {
        self.few.get(ratings).map_or(0.0, |of| of.iter().sum())
    }
}

/// Nothing can be told.
pub(super) fn too_few(nested: &Nested<'_>) -> Verdict {
    let towards = Towards::of(nested);
    let text = format!(
        "nothing can be told: {} calibration users have ratings, {FEWEST} at least are needed; open \
         a larger share for calibration",
        nested.parts.len()
    );
    assemble(nested, &towards, (None, None), vec![], Some(text))
}

/// From what everybody was served.
pub(super) fn verdict(
    nested: &Nested<'_>,
    lists: &[Served<u32>],
    ratings: Option<&[Served<f64>]>,
) -> Verdict {
    let towards = Towards::of(nested);
    let cell = |row: usize| stratum(&towards.edges, nested.degrees[row]);
    let lists: Vec<Sums> = lists
        .iter()
        .map(|served| {
            let wanted: Vec<u32> = served.hidden.iter().map(|(item, _)| *item).collect();
            Sums {
                group: served.group,
                stratum: cell(served.row),
                used: served.used,
                observed: Observation {
                    user: served.user,
                    cell: 0,
                    count: 1.0,
                    without: ndcg(&served.without, &wanted),
                    with: ndcg(&served.with, &wanted),
                },
            }
        })
        .collect();
    let ratings: Option<Vec<Sums>> = ratings.map(|served| {
        let squares = |predicted: &[f64], hidden: &[(u32, f32)]| -> f64 {
            let pairs = predicted.iter().zip(hidden);
            pairs.map(|(p, (_, r))| (p - f64::from(*r)).powi(2)).sum()
        };
        let of = served.iter().map(|served| Sums {
            group: served.group,
            stratum: cell(served.row),
            used: served.used,
            observed: Observation {
                user: served.user,
                cell: 0,
                count: served.hidden.len() as f64,
                without: squares(&served.without, &served.hidden),
                with: squares(&served.with, &served.hidden),
            },
        });
        of.collect()
    });
    let lists = task(&lists, &towards, Measure::Gain);
    let ratings = ratings.map(|sums| task(&sums, &towards, Measure::RootError));
    let mut warnings = Vec::new();
    if !towards.is_weighted() {
        let few: f64 = (0..WARM).map(|ratings| towards.users(ratings)).sum();
        warnings.push(format!(
            "only {few} opened users truly have fewer than {} ratings: the headline is of calibration \
             users as if they had none, weighted to nobody",
            nested.settings.few_below.min(WARM)
        ));
    }
    let headline = match nested.settings.task {
        VerdictTask::Lists => lists.few,
        VerdictTask::Ratings => ratings.as_ref().and_then(|task| task.few),
    };
    if let Some(few) = headline.filter(|few| few.covered < 0.95) {
        warnings.push(format!(
            "weighted to {:.0} % of the users it is for; nobody like the others could be judged",
            100.0 * few.covered
        ));
    }
    if let Some(few) = headline.filter(|few| few.effective_users < 0.25 * few.users as f64) {
        warnings.push(format!(
            "the users it is for differ much from those it was judged by: {} were judged, worth {:.0}",
            few.users, few.effective_users
        ));
    }
    assemble(nested, &towards, (Some(lists), ratings), warnings, None)
}

fn assemble(
    nested: &Nested<'_>,
    towards: &Towards,
    (lists, ratings): (Option<TaskVerdict>, Option<TaskVerdict>),
    warnings: Vec<String>,
    nothing: Option<String>,
) -> Verdict {
    let settings = nested.settings;
    let below = settings.few_below.min(WARM);
    let group = match towards.is_weighted() {
        true => format!("users with fewer than {below} ratings"),
        false => "users without ratings".to_owned(),
    };
    let headline = match settings.task {
        VerdictTask::Lists => lists.as_ref().and_then(|task| task.few),
        VerdictTask::Ratings => ratings.as_ref().and_then(|task| task.few),
    };
    let measure = match settings.task {
        VerdictTask::Lists => format!("NDCG@{}", settings.cutoff),
        VerdictTask::Ratings => "RMSE".to_owned(),
    };
    let sentence = match (headline, nothing) {
        (_, Some(nothing)) => nothing,
        (None, None) => "nothing can be told: nobody could be judged".to_owned(),
        (Some(few), None) => {
            let (low, high) = (few.low, few.high);
            let figures = format!(
                "{group}: {measure} {:.4} → {:.4} (gain, 95 %: {low:+.4} to {high:+.4})",
                few.without, few.with
            );
            if few.worth_it {
                format!("worth it for {figures}")
            } else {
                format!("nothing gained for {figures}")
            }
        }
    };
    Verdict {
        task: settings.task,
        group,
        without: headline.map(|few| few.without),
        with: headline.map(|few| few.with),
        low: headline.map(|few| few.low),
        high: headline.map(|few| few.high),
        worth_it: headline.is_some_and(|few| few.worth_it),
        sentence,
        details: VerdictDetails {
            cutoff: settings.cutoff,
            few: count((0..WARM).map(|ratings| towards.users(ratings)).sum()),
            cold: count(towards.users(0)),
            calibration: nested.parts.len(),
            sigma: nested.opened.sigma,
            strata_edges: towards.edges.clone(),
            lists,
            ratings,
            warnings,
        },
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count of users"
)]
fn count(users: f64) -> usize {
    users as usize
}

fn task(sums: &[Sums], towards: &Towards, measure: Measure) -> TaskVerdict {
    let groups = (0..GROUPS).filter_map(|group| self::group(sums, group, towards, measure));
    TaskVerdict {
        few: few(sums, towards, measure),
        groups: groups.collect(),
    }
}

/// The headline: every number of ratings and stratum as often as among those it is for; where
/// there are hardly any, calibration users as if they had none.
fn few(sums: &[Sums], towards: &Towards, measure: Measure) -> Option<Weighted> {
    let strata = towards.strata();
    let weights: Vec<f64> = towards.few.iter().flatten().copied().collect();
    if !towards.is_weighted() {
        return group(sums, 0, towards, measure).map(|group| group.plain);
    }
    let observed: Vec<Observation> = sums
        .iter()
        .filter(|sums| sums.group < WARM)
        .map(|sums| Observation {
            cell: sums.group * strata + sums.stratum,
            ..sums.observed
        })
        .collect();
    weigh(&observed, &weights, measure).map(Weighted::from)
}

fn group(sums: &[Sums], group: usize, towards: &Towards, measure: Measure) -> Option<GroupVerdict> {
    let inside: Vec<&Sums> = sums.iter().filter(|sums| sums.group == group).collect();
    let plain: Vec<Observation> = inside.iter().map(|sums| sums.observed).collect();
    let by_stratum: Vec<Observation> = inside
        .iter()
        .map(|sums| Observation {
            cell: sums.stratum,
            ..sums.observed
        })
        .collect();
    let theirs = towards.few.get(group);
    let all = theirs.map_or(0.0, |of| of.iter().sum());
    let strata = (0..towards.strata()).filter_map(|cell| {
        let of = by_stratum.iter().filter(|o| o.cell == cell);
        let of: Vec<Observation> = of.map(|o| Observation { cell: 0, ..*o }).collect();
        let share = theirs.map_or(0.0, |of| of[cell]);
        Some(StratumVerdict {
            from: cell.checked_sub(1).map_or(0.0, |edge| towards.edges[edge]),
            below: towards.edges.get(cell).copied(),
            share: if all > 0.0 { share / all } else { 0.0 },
            figures: weigh(&of, &[1.0], measure)?.into(),
        })
    });
    let used = inside.iter().filter(|sums| sums.used).count();
    Some(GroupVerdict {
        group: name(group),
        used: used as f64 / inside.len().max(1) as f64,
        plain: weigh(&plain, &[1.0], measure)?.into(),
        reweighted: theirs
            .filter(|_| all > 0.0)
            .and_then(|weights| weigh(&by_stratum, weights, measure))
            .map(Weighted::from),
        strata: strata.collect(),
    })
}

fn name(group: usize) -> String {
    match group {
        0 => "cold".to_owned(),
        WARM => "warm".to_owned(),
        kept => format!("k{kept}"),
    }
}
