//! `s3rec bench leakage` and `s3rec social leakage`: what releases tell of single links.

use s3rec_bench::plot::{self, Axis, Panel, Scaling, Series};
use s3rec_data::{IdTable, LinkSet};
use s3rec_leakage::audit::{AuditOptions, AuditReport, audit};
use s3rec_leakage::{AttackOptions, AttackRecord, Exposure, StatedMu, Study, StudyOptions, attack};
use s3rec_sparse::RatingMatrix;
use s3rec_spmm::noise_first::Sides;
use s3rec_spmm::noise_first::guarantee::Mu;
use serde::Serialize;

use super::records::{conclude, json, write};
use super::sets;
use crate::arguments::{
    LeakageArgs, MuChoice, SidesChoice, SocialLeakageArgs, link_options, links_source,
};
use crate::client::FileSource;
use crate::failure::Failure;
use crate::output::{Output, Table, count, note};

/// Runs of an audit that suffice to see that it works.
const QUICK_RUNS: u32 = 1_000;
/// μ that are attacked unless others are named, beside exact sums.
const USUAL: [f64; 4] = [4.0, 2.0, 1.0, 0.5];

/// What was studied, and what was found.
#[derive(Serialize)]
struct LeakageReport {
    /// m.
    users: usize,
    /// |O| of one-sided releases.
    opened: usize,
    /// Linked pairs among the common users.
    links: u64,
    /// How the rating platform's side was made.
    options: StudyOptions,
    /// Whether the rating platform's rows are random rather than learnt.
    synthetic: bool,
    attacks: Vec<AttackRecord>,
    audit: Option<AuditReport>,
}

/// Attacks on both platforms' data, and the audit of the product.
pub(super) fn leakage(arguments: &LeakageArgs, output: Output) -> Result<(), Failure> {
    let read = sets::read(&arguments.files)?;
    let ratings = &read.ratings;
    let (common, names): (Vec<u32>, Vec<&str>) = (0u32..)
        .zip(ratings.users.names())
        .filter(|(_, name)| read.links.users.find(name).is_some())
        .unzip();
    let social = social_matrix(&read.links, &names.into_iter().collect())?;
    let (users, items) = (ratings.users.len(), ratings.items.len());
    let matrix = RatingMatrix::from_ratings(users, items, &ratings.ratings);
    let matrix = matrix.map_err(s3rec_leakage::LeakageError::from)?;
    let options = StudyOptions {
        columns: arguments.rank as usize,
        soreg_columns: arguments.soreg_rank as usize,
        seed: arguments.seed,
        ..StudyOptions::default()
    };
    note("learning the rating platform's rows");
    let study = Study::of_ratings(&matrix, &common, social, options.clone())?;
    let mut exposures = exposures(&arguments.mu);
    if exposures.is_empty() {
        let mus = USUAL.iter().filter_map(|&mu| Mu::new(mu));
        exposures = std::iter::once(Exposure::Exact)
            .chain(mus.map(Exposure::Noised))
            .collect();
    } else if arguments.exact && !exposures.contains(&Exposure::Exact) {
        exposures.insert(0, Exposure::Exact);
    }
    let record = &arguments.record;
    let runs = match record.quick {
        true => arguments.audit_runs.min(QUICK_RUNS),
        false => arguments.audit_runs,
    };
    let attacks = attacked(&study, exposures, arguments.sides)?;
    let audited = match runs {
        0 => None,
        runs => {
            note(&format!(
                "auditing {} runs of the product",
                count(runs.into())
            ));
            Some(audit(&AuditOptions {
                mu: arguments.audit_mu,
                runs: runs as usize,
                seed: arguments.seed,
            })?)
        }
    };
    let report = report(&study, options, false, (attacks, audited));
    let drawings = drawings(&report)?;
    // The document goes to the file, the table to people.
    let shown = match arguments.file {
        Some(_) => Output::new(false),
        None => output,
    };
    let document = conclude("leakage", record, 1, report, shown, text)?;
    if let Some(path) = &arguments.file {
        write(path, &format!("{:#}\n", json(&document)?))?;
    }
    if let Some(directory) = &record.out {
        for (name, drawing) in drawings {
            write(
                &directory.join(format!("{}-{name}.svg", document.stem())),
                &drawing,
            )?;
        }
    }
    Ok(())
}

/// Attacks on the social platform's own links, under rows of random directions.
pub(super) fn own(arguments: &SocialLeakageArgs, output: Output) -> Result<(), Failure> {
    let source = FileSource {
        path: arguments.links.clone(),
        ..links_source(&arguments.text, &arguments.values, &arguments.columns)
    };
    let links = LinkSet::read(&source.path, &link_options(&source)?)?;
    let options = StudyOptions {
        columns: arguments.rank as usize,
        soreg_columns: arguments.rank as usize,
        seed: arguments.seed,
        ..StudyOptions::default()
    };
    let social = social_matrix(&links, &links.users)?;
    let study = Study::synthetic(social, arguments.opened_share, options.clone())?;
    let attacks = attacked(&study, exposures(&arguments.mu), arguments.sides)?;
    let report = report(&study, options, true, (attacks, None));
    output.value(&json(&report)?, || {
        format!(
            "{}\nThe rating platform's rows are random here, all users of the file are taken for \
             common, and what it knows of people from ratings is not in these figures: real \
             attackers start with more.",
            text(&report)
        )
    })
}

fn social_matrix(links: &LinkSet, users: &IdTable) -> Result<s3rec_sparse::SocialMatrix, Failure> {
    let social = links.social_matrix(users);
    Ok(social.map_err(s3rec_leakage::LeakageError::from)?)
}

fn exposures(mus: &[MuChoice]) -> Vec<Exposure> {
    let exposures = mus.iter().map(|mu| match mu {
        MuChoice::Exact => Exposure::Exact,
        MuChoice::Noised(mu) => Exposure::Noised(*mu),
    });
    exposures.collect()
}

fn attacked(
    study: &Study,
    exposures: Vec<Exposure>,
    sides: SidesChoice,
) -> Result<Vec<AttackRecord>, Failure> {
    let sides = match sides {
        SidesChoice::One => vec![Sides::One],
        SidesChoice::Two => vec![Sides::Two],
        SidesChoice::Both => vec![Sides::One, Sides::Two],
    };
    let options = AttackOptions { exposures, sides };
    Ok(attack(study, &options, |what| {
        note(&format!("attacking: {what}"))
    })?)
}

fn report(
    study: &Study,
    options: StudyOptions,
    synthetic: bool,
    (attacks, audit): (Vec<AttackRecord>, Option<AuditReport>),
) -> LeakageReport {
    LeakageReport {
        users: study.users(),
        opened: study.opened(),
        links: study.links(),
        options,
        synthetic,
        attacks,
        audit,
    }
}

fn said(mu: Option<&StatedMu>) -> String {
    match mu {
        None => "–".into(),
        Some(StatedMu::Noised(mu)) => format!("{mu}"),
        Some(StatedMu::Exact(word)) => word.clone(),
    }
}

fn text(report: &LeakageReport) -> String {
    let mut table = Table::new(
        "release | μ | attacker | knows | recall at precision 50 % | of all links | AUC | \
         advantage at FPR 0.001 | at most",
    );
    for attack in &report.attacks {
        let release = match attack.mu {
            None => format!("none ({} pairs)", attack.sides),
            Some(_) => attack.release.clone(),
        };
        let percent = |share: f64| format!("{:.1} %", 100.0 * share);
        table = table.row(&[
            release,
            said(attack.mu.as_ref()),
            attack.attacker.clone(),
            attack.knows.clone(),
            percent(attack.measures.recall_at_precision_50),
            percent(attack.recall_of_all_links),
            format!("{:.3}", attack.measures.auc),
            percent(attack.measures.advantage_at_fpr_1e3),
            attack.advantage_bound.map_or_else(|| "–".into(), percent),
        ]);
    }
    let mut text = format!(
        "{} common users, {} linked pairs; one-sided releases open {}\n{table}",
        count(report.users as u64),
        count(report.links),
        count(report.opened as u64),
    );
    if let Some(audit) = &report.audit {
        text.push_str(&format!(
            "\naudit from below, {} runs of the product: it states μ = {}, and costs at least \
             {:.2} with 95 % confidence",
            count(audit.runs),
            audit.mu_stated,
            audit.mu_lower
        ));
        for fault in &audit.faults {
            let found = if fault.is_found { "found" } else { "MISSED" };
            text.push_str(&format!(
                "\nwith the fault {:?} in a copy of its outputs: at least {:.2}, {found}",
                fault.fault, fault.mu_lower
            ));
        }
    }
    text
}

/// What an axis has room for.
fn label(attacker: &str, knows: &str) -> String {
    let told = match knows.split_once(", ") {
        None => "",
        Some((_, told)) if told.contains("fitted") => ", prior fitted",
        Some((_, told)) if told.contains("half") => ", half known",
        Some(_) => ", others known",
    };
    let attacker = match attacker {
        "prior-and-likelihood" => "likelihood",
        other => other,
    };
    format!("{attacker}{told} (share)")
}

/// For each kind of release the ROC curves of one kind of attacker by μ, and what μ allows.
fn drawings(report: &LeakageReport) -> Result<Vec<(String, String)>, Failure> {
    let mut drawings = Vec::new();
    for sides in ["one-sided", "two-sided"] {
        let of_sides = || {
            report
                .attacks
                .iter()
                .filter(|a| a.sides == sides && (a.release == sides || a.release == "none"))
        };
        let mut kinds: Vec<(&str, &str)> = Vec::new();
        for attack in of_sides().filter(|a| a.mu.is_some() && a.attacker != "matching") {
            let kind = (attack.attacker.as_str(), attack.knows.as_str());
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        let panels: Vec<Panel> = kinds
            .iter()
            .map(|&(attacker, knows)| {
                let is_prior = |attack: &AttackRecord| attack.mu.is_none() && attack.knows == knows;
                let curves = of_sides().filter(|attack| {
                    let is_kind = attack.attacker == attacker && attack.knows == knows;
                    (is_kind || is_prior(attack)) && !attack.measures.roc.is_empty()
                });
                let series = curves.map(|attack| {
                    let name = match &attack.mu {
                        None => "nothing opened".into(),
                        Some(StatedMu::Exact(_)) => "exact".into(),
                        Some(StatedMu::Noised(mu)) => format!("μ = {mu}"),
                    };
                    Series::new(&name, attack.measures.roc.clone())
                });
                Panel {
                    x: Axis::new("false alarms (share)", Scaling::Logarithmic),
                    y: Axis::new(&label(attacker, knows), Scaling::Linear),
                    series: series.collect(),
                    levels: Vec::new(),
                }
            })
            .filter(|panel| !panel.series.is_empty())
            .collect();
        if !panels.is_empty() {
            let title = format!("Links found against false alarms, {sides} sums");
            drawings.push((sides.to_owned(), plot::svg(&title, &panels)?));
        }
    }
    Ok(drawings)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// People in a ring who know the next three.
    fn links() -> s3rec_sparse::SocialMatrix {
        let ring = (0..150u32).flat_map(|a| (1..4).map(move |by| (a, (a + by) % 150)));
        s3rec_sparse::SocialMatrix::from_links(150, ring).unwrap()
    }

    #[test]
    fn a_study_has_a_table_and_drawings_and_the_keys_that_others_read() {
        let options = StudyOptions::default();
        let study = Study::synthetic(links(), 0.4, options.clone()).unwrap();
        let exposures = exposures(&[MuChoice::Exact, MuChoice::Noised(Mu::ONE)]);
        let attacks = attacked(&study, exposures, SidesChoice::Both).unwrap();
        let audited = audit(&AuditOptions {
            mu: Mu::ONE,
            runs: 60,
            seed: 0,
        })
        .unwrap();
        let report = report(&study, options, true, (attacks, Some(audited)));
        let document = json(&report).unwrap();
        for attack in document["attacks"].as_array().unwrap() {
            for key in [
                "attacker",
                "knows",
                "release",
                "mu",
                "recall_at_precision_50",
                "auc",
                "links",
            ] {
                assert!(attack.get(key).is_some(), "{key}: {attack}");
            }
            assert!(["one-sided", "two-sided"].contains(&attack["sides"].as_str().unwrap()));
        }
        for key in ["mu_stated", "mu_lower", "runs"] {
            assert!(document["audit"][key].is_number(), "{key}");
        }
        let text = text(&report);
        assert!(text.contains("audit from below, 60 runs") && text.contains("exact"));
        let drawings = drawings(&report).unwrap();
        assert_eq!(drawings.len(), 2);
        for (_, drawing) in drawings {
            assert!(drawing.contains("μ = 1") && drawing.contains("nothing opened"));
        }
    }
}
