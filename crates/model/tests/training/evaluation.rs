//! What is called social is social: links that say something gain beyond rewired ones, links that
//! say nothing do not, and a term that harms is refused.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use s3rec_model::evaluate::{RankingSettings, Relevance, rewired};
use s3rec_model::{
    EvaluationData, EvaluationReport, EvaluationSettings, SolverSettings, Split, evaluate,
};
use s3rec_sparse::SocialMatrix;
use s3rec_testkit::learning::LearningProblem;

fn settings() -> SolverSettings {
    SolverSettings {
        rank: 5,
        openings: 4,
        warm_sweeps: 5,
        user_decay: 6.0,
        item_decay: 6.0,
        social_weight: 4.0,
        social_bias_weight: 4.0,
        activity_prior: true,
        ..SolverSettings::default()
    }
}

fn evaluated(
    problem: &LearningProblem,
    social: &SocialMatrix,
    settings: &EvaluationSettings,
) -> EvaluationReport {
    let splits: Vec<Split> = problem
        .folds
        .iter()
        .map(|(train, test)| Split {
            train: train.clone(),
            test: test.clone(),
        })
        .collect();
    let data = EvaluationData {
        users: problem.users,
        items: problem.items,
        scale: problem.scale,
        social,
        splits: &splits,
    };
    evaluate(&data, settings, &mut |_, _| {}).unwrap()
}

#[test]
fn links_that_say_something_gain_beyond_rewired_ones_and_others_do_not() {
    let problem = LearningProblem::synthetic(8).unwrap();
    let wanted = EvaluationSettings {
        solver: settings(),
        ranking: None,
        ..EvaluationSettings::default()
    };
    let report = evaluated(&problem, &problem.social, &wanted);
    let gain = report.social_gain.rmse.unwrap();
    assert!(
        gain.is_gain() && report.social_gain.ndcg_10.is_none(),
        "{gain:?}"
    );
    // Placebo less social, as the table has them; all of it and the rest add up.
    let quality = &report.quality;
    let by_hand = quality.placebo.rmse.mean - quality.social.rmse.mean;
    assert!((gain.mean - by_hand).abs() < 1e-12);
    let total = report.total_gain.rmse.unwrap().mean;
    let placebo = report.placebo_gain.rmse.unwrap().mean;
    assert!((total - placebo - gain.mean).abs() < 1e-12);
    assert!(report.choices.iter().all(|fold| !fold.social.refused));

    let noise = rewired(&problem.social, 77).unwrap();
    let report = evaluated(&problem, &noise, &wanted);
    let none = report.social_gain.rmse.unwrap();
    assert!(!none.is_gain() || none.mean < 0.1 * gain.mean, "{none:?}");
}

#[test]
fn a_term_that_harms_is_refused_with_a_word() {
    let problem = LearningProblem::synthetic(8).unwrap();
    let wanted = EvaluationSettings {
        solver: SolverSettings {
            social_weight: 1e4,
            social_bias_weight: 1e4,
            ..settings()
        },
        no_social: Some(settings()),
        ranking: None,
        ..EvaluationSettings::default()
    };
    let report = evaluated(&problem, &rewired(&problem.social, 3).unwrap(), &wanted);
    assert!(report.choices.iter().all(|fold| fold.social.refused));
    let quality = &report.quality;
    assert_eq!(quality.social.rmse, quality.no_social.rmse);
    assert_eq!(report.social_gain.rmse.unwrap().mean, 0.0);
    let said = report.warnings.join("\n");
    assert!(said.contains("refused in 5 of 5 folds"), "{said}");
    assert!(said.contains("no social gain"), "{said}");
}

#[test]
fn a_model_worse_than_its_baselines_is_said_to_be() {
    let problem = LearningProblem::synthetic(8).unwrap();
    // Hardly any decay: the factors learn the noise.
    let wanted = EvaluationSettings {
        solver: SolverSettings {
            rank: 30,
            user_decay: 1e-3,
            item_decay: 1e-3,
            ..settings()
        },
        ranking: None,
        ..EvaluationSettings::default()
    };
    let report = evaluated(&problem, &problem.social, &wanted);
    let quality = &report.quality;
    assert!(quality.no_social.rmse.mean > quality.biases.rmse.mean);
    let said = report.warnings.join("\n");
    assert!(
        said.contains("the model without links is worse than the biases"),
        "{said}"
    );
}

#[test]
fn lists_learn_how_much_popularity_counts_and_counts_make_everything_relevant() {
    let problem = LearningProblem::synthetic(8).unwrap();
    let ranking = |relevance| {
        Some(RankingSettings {
            relevance,
            ..RankingSettings::default()
        })
    };
    let wanted = |relevance, popularity_weight| EvaluationSettings {
        solver: SolverSettings {
            popularity_weight,
            ..settings()
        },
        ranking: ranking(relevance),
        ..EvaluationSettings::default()
    };
    let top = Relevance::TopShare(0.25);
    let learnt = evaluated(&problem, &problem.social, &wanted(top, None));
    let weights: Vec<f64> = learnt
        .choices
        .iter()
        .map(|fold| fold.social.popularity_weight.unwrap())
        .collect();
    let ndcg = |report: &EvaluationReport| report.quality.no_social.ranking.unwrap().ndcg.mean;
    for fixed in [0.0, 64.0] {
        let report = evaluated(&problem, &problem.social, &wanted(top, Some(fixed)));
        assert!(
            ndcg(&learnt) >= 0.97 * ndcg(&report),
            "{weights:?}: {} against {} with {fixed}",
            ndcg(&learnt),
            ndcg(&report)
        );
        assert_eq!(report.choices[0].social.popularity_weight, Some(fixed));
    }
    assert!(learnt.social_gain.ndcg_10.is_some());
    let every = evaluated(
        &problem,
        &problem.social,
        &wanted(Relevance::EveryHeldOut, None),
    );
    let recall = |report: &EvaluationReport| report.quality.social.ranking.unwrap().recall.mean;
    assert!(recall(&every) != recall(&learnt));
}
