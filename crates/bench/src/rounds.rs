//! What an opening buys: objective and held-out RMSE against openings, solver by solver, on one
//! fold over the clear product, and whether `als` needs as few as it should.

use s3rec_model::{Preset, SolverKind, SolverSettings};
use serde::{Deserialize, Serialize};

use crate::BenchError;
use crate::learning::LearningFold;
use crate::plot::{self, Axis, Panel, Scaling, Series};

/// How far to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoundsOptions {
    /// Openings of `gd` and `adam`.
    pub gradient_openings: u32,
    /// Openings of `als`.
    pub als_openings: u32,
}

impl Default for RoundsOptions {
    fn default() -> Self {
        Self {
            gradient_openings: 300,
            als_openings: 20,
        }
    }
}

/// The curves, and the bounds that they are held against.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoundsReport {
    /// m.
    pub users: usize,
    /// The settings; `solver` and `openings` vary.
    pub settings: SolverSettings,
    /// How far each solver went.
    pub options: RoundsOptions,
    /// Held-out RMSE of `als` without the social term.
    pub no_social_rmse: f64,
    /// One for each solver.
    pub curves: Vec<Curve>,
    /// What few openings must reach.
    pub bounds: Vec<Bound>,
}

/// One solver.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// Which.
    pub solver: SolverKind,
    /// From no opening on.
    pub points: Vec<Point>,
}

/// A solver's state after so many openings.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Openings consumed.
    pub openings: u32,
    /// The objective, social term included.
    pub objective: f64,
    /// RMSE on the ratings held out.
    pub rmse: f64,
}

/// A figure and what it must be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bound {
    /// What is bounded.
    pub what: String,
    /// What was found.
    pub actual: f64,
    /// The limit.
    pub limit: f64,
    /// Whether the limit is the most or the least.
    pub at_most: bool,
    /// Whether it is kept.
    pub met: bool,
}

/// Runs the three solvers on `fold` with the settings of `preset`.
///
/// # Errors
/// A setting that makes no sense.
pub fn measure(
    fold: &LearningFold,
    preset: &Preset,
    options: RoundsOptions,
    mut progress: impl FnMut(SolverKind),
) -> Result<RoundsReport, BenchError> {
    let settings = |solver, openings| SolverSettings {
        solver,
        openings,
        // The implicit prior exists for `als` alone; here all three minimise the same.
        implicit_ridge: None,
        ..preset.settings.clone()
    };
    let mut curves = Vec::new();
    for (solver, openings) in [
        (SolverKind::Gd, options.gradient_openings),
        (SolverKind::Adam, options.gradient_openings),
        (SolverKind::Als, options.als_openings),
    ] {
        progress(solver);
        curves.push(curve(fold, &settings(solver, openings))?);
    }
    let als = settings(SolverKind::Als, options.als_openings);
    let no_social_rmse = fold.rmse(&fold.without_social(&fold.matrix, &als)?)?;
    Ok(RoundsReport {
        users: fold.users(),
        bounds: bounds(&curves[1].points, &curves[2].points, no_social_rmse),
        settings: als,
        options,
        no_social_rmse,
        curves,
    })
}

/// A step reports the objective it starts from, so one opening more than wanted is made.
fn curve(fold: &LearningFold, settings: &SolverSettings) -> Result<Curve, BenchError> {
    let extended = SolverSettings {
        openings: settings.openings.saturating_add(1),
        ..settings.clone()
    };
    let mut solver = fold.social_solver(&fold.matrix, &extended)?;
    let mut points = Vec::new();
    while !solver.is_finished() {
        if !solver.wants_opening() {
            solver.step(None)?;
            continue;
        }
        let rmse = fold.rmse(solver.model())?;
        let product = fold.operator.multiply_real(solver.user_factors())?;
        let report = solver.step(Some(&product))?;
        points.push(Point {
            openings: report.openings.saturating_sub(1),
            objective: report.objective,
            rmse,
        });
    }
    Ok(Curve {
        solver: settings.solver,
        points,
    })
}

fn bounds(adam: &[Point], als: &[Point], no_social_rmse: f64) -> Vec<Bound> {
    let (Some(reference), Some(last)) = (adam.last(), als.last()) else {
        return Vec::new();
    };
    let within = |openings: u32| {
        als.iter()
            .filter(|point| point.openings <= openings)
            .map(|point| point.objective / reference.objective - 1.0)
            .fold(f64::INFINITY, f64::min)
    };
    let mut bounds: Vec<Bound> = [(10, 0.005), (20, 0.001)]
        .into_iter()
        .map(|(openings, limit)| Bound {
            what: format!(
                "objective of als after at most {openings} openings, relative to and less that \
                 of adam after {}",
                reference.openings
            ),
            actual: within(openings),
            limit,
            at_most: true,
            met: within(openings) <= limit,
        })
        .collect();
    if let Some(three) = als.iter().find(|point| point.openings == 3) {
        let kept = (no_social_rmse - three.rmse) / (no_social_rmse - last.rmse);
        bounds.push(Bound {
            what: format!(
                "share of the RMSE gain of als after {} openings that 3 keep",
                last.openings
            ),
            actual: kept,
            limit: 0.6,
            at_most: false,
            met: no_social_rmse > last.rmse && kept >= 0.6,
        });
    }
    bounds
}

impl RoundsReport {
    /// Openings after which `gd` is as low as `als` after `als_openings`, and whether it gets
    /// there: if not, they are all that it was given.
    #[must_use]
    pub fn gradient_openings_to_match(&self, als_openings: u64) -> Option<(u32, bool)> {
        let curve = |kind| self.curves.iter().find(|curve| curve.solver == kind);
        let (gd, als) = (curve(SolverKind::Gd)?, curve(SolverKind::Als)?);
        let target = als
            .points
            .iter()
            .filter(|point| u64::from(point.openings) <= als_openings)
            .map(|point| point.objective)
            .min_by(f64::total_cmp)?;
        let matching = gd.points.iter().find(|point| point.objective <= target);
        let last = gd.points.last()?;
        Some((matching.unwrap_or(last).openings, matching.is_some()))
    }

    /// Both curves against openings.
    ///
    /// # Errors
    /// [`BenchError::Plot`].
    pub fn svg(&self) -> Result<String, BenchError> {
        plot::svg(
            "What an opening buys: one fold, clear product",
            &self.panels(),
        )
    }

    pub(crate) fn panels(&self) -> Vec<Panel> {
        let lowest = self
            .curves
            .iter()
            .flat_map(|curve| curve.points.iter().map(|point| point.objective))
            .fold(f64::INFINITY, f64::min);
        let series = |value: &dyn Fn(&Point) -> f64| -> Vec<Series> {
            let points = |curve: &Curve| {
                let points = curve.points.iter();
                points.map(|p| (f64::from(p.openings), value(p))).collect()
            };
            self.curves
                .iter()
                .map(|curve| Series::new(curve.solver.name(), points(curve)))
                .collect()
        };
        let openings = Axis::new("openings (count)", Scaling::Logarithmic);
        vec![
            Panel {
                x: openings.clone(),
                y: Axis::new("objective above lowest (%)", Scaling::Logarithmic),
                series: series(&|p| (p.objective / lowest - 1.0) * 100.0),
                levels: Vec::new(),
            },
            Panel {
                x: openings,
                y: Axis::new("held-out RMSE (rating points)", Scaling::Linear),
                series: series(&|p| p.rmse),
                levels: vec![("als, no social term".to_owned(), self.no_social_rmse)],
            },
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured() -> RoundsReport {
        let preset = Preset::named("published").unwrap();
        let options = RoundsOptions {
            gradient_openings: 60,
            als_openings: 8,
        };
        measure(&LearningFold::synthetic(3), &preset, options, |_| {}).unwrap()
    }

    #[test]
    fn als_falls_with_every_opening_and_needs_fewer_than_adam() {
        let report = measured();
        let [gd, adam, als] = &report.curves[..] else {
            panic!("{} curves", report.curves.len());
        };
        for (curve, openings) in [(gd, 60), (adam, 60), (als, 8)] {
            let counted: Vec<u32> = curve.points.iter().map(|p| p.openings).collect();
            assert_eq!(counted, (0..=openings).collect::<Vec<_>>());
        }
        for pair in als.points.windows(2) {
            assert!(
                pair[1].objective <= pair[0].objective * (1.0 + 1e-9),
                "{pair:?}"
            );
        }
        let at = |curve: &Curve, openings: usize| curve.points[openings].objective;
        assert!(at(als, 3) < at(adam, 3) && at(als, 3) < at(gd, 3));
        assert_eq!(report.bounds.len(), 3);
        // As low as the start of als: gd is there at some opening, and not one before.
        let (gradient, reached) = report.gradient_openings_to_match(0).unwrap();
        let target = als.points[0].objective;
        assert_eq!(reached, gd.points[gradient as usize].objective <= target);
        assert!(gradient == 0 || gd.points[gradient as usize - 1].objective > target);
        assert!(report.gradient_openings_to_match(8).unwrap().0 >= gradient);
    }

    #[test]
    fn a_bound_that_is_missed_is_said_to_be() {
        let point = |openings, objective, rmse| Point {
            openings,
            objective,
            rmse,
        };
        let adam = [point(300, 100.0, 0.8)];
        let als = [
            point(3, 102.0, 0.89),
            point(10, 100.4, 0.85),
            point(20, 100.2, 0.8),
        ];
        let bounds = bounds(&adam, &als, 0.9);
        let met: Vec<bool> = bounds.iter().map(|bound| bound.met).collect();
        assert_eq!(met, [true, false, false]);
        assert!((bounds[2].actual - 0.1).abs() < 1e-9);
    }

    #[test]
    fn the_drawing_has_every_solver() {
        let drawing = measured().svg().unwrap();
        for word in ["gd", "adam", "als", "openings", "RMSE"] {
            assert!(drawing.contains(word), "{word}");
        }
    }
}
