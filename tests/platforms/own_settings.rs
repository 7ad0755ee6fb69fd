//! What stays at the rating platform: its local settings, and why it stopped.

use crate::joint_training::oracle;
use crate::pair::{Pair, default_request};
use s3rec_model::Preset;
use s3rec_wire::convert::settings::to_wire;
use s3rec_wire::v1;
use s3rec_wire::v1::JobState;

#[tokio::test(flavor = "multi_thread")]
async fn a_preset_is_trained_whole_and_its_local_part_stays_here() {
    let mut pair = Pair::start().await;
    pair.import().await;
    let preset = Preset::named("ciao").unwrap();
    let mut request = default_request(0);
    request.model = Some(to_wire(&preset.settings, preset.operator, None));
    let (job, events) = pair.run(request.clone()).await;
    let last = events.last().unwrap();
    assert_eq!(last.state(), JobState::Finished, "{}", last.message);

    let listed = v1::ListProposalsRequest::default();
    let listed = pair.social.list_proposals(listed).await.unwrap();
    let shown = listed.into_inner().proposals.remove(0).model.unwrap();
    let (rank, rounds) = (preset.settings.rank, preset.settings.openings);
    assert!(shown.local.is_none());
    assert_eq!((shown.rank as usize, shown.rounds), (rank, rounds));
    let models = v1::ListModelsRequest {};
    let models = pair.rating.list_models(models).await.unwrap();
    let model = models.into_inner().models.remove(0);
    assert_eq!(model.settings, request.model);

    let oracle = oracle(&request);
    let (users, _) = pair.model(&job).await;
    let rank = preset.settings.rank;
    let clear = (0..oracle.users.rows()).flat_map(|row| oracle.users.row(row)[..rank].to_vec());
    let apart = users.iter().zip(clear).map(|(a, b)| (a - b).abs());
    let largest = apart.fold(0.0, f64::max);
    assert!(largest > 0.0 && largest < 1e-3, "{largest}");
}

#[tokio::test(flavor = "multi_thread")]
async fn training_that_stalls_stops_below_its_rounds() {
    let mut pair = Pair::start().await;
    pair.import().await;
    let mut request = default_request(9);
    // No opening lowers the objective by half: the second is the last.
    request.model.as_mut().unwrap().local = Some(v1::LocalSettings {
        stop: Some(v1::StopRule {
            patience: 1000,
            objective_tolerance: 0.5,
        }),
        ..v1::LocalSettings::default()
    });
    let (job, events) = pair.run(request).await;
    let last = events.last().unwrap();
    assert_eq!(last.state(), JobState::Finished, "{}", last.message);
    assert_eq!(pair.social_end(&job).await.state(), JobState::Finished);

    let rating = pair.seen().await.disclosures.remove(0);
    let social = pair.shown().await.disclosures.remove(0);
    for counted in [rating, social] {
        assert_eq!(
            (counted.openings, counted.opened_columns),
            (2, 8),
            "{counted:?}"
        );
    }
    // P0's reason is its own: P1 has the number of openings and nothing else.
    let watch = v1::WatchProposalRequest { job_id: job };
    let mut seen = pair
        .social
        .watch_proposal(watch)
        .await
        .unwrap()
        .into_inner();
    while let Some(event) = seen.message().await.unwrap() {
        assert_eq!(event.training, None);
        assert!(!event.message.contains("stall"), "{}", event.message);
    }
}
