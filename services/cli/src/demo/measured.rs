//! One training of the demonstration's kind over a given link, with nothing but its cost kept.

use std::time::Instant;

use s3rec_bench::shaped::Placement;
use s3rec_job::Party;
use s3rec_wire::v1;

use super::DemoArgs;
use super::conversation::Conversation;
use super::daemons::Daemons;
use super::files::Files;
use super::workspace::Workspace;
use crate::failure::Failure;

/// What a training over a link came to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct MeasuredTraining {
    /// From the start of the job to the stored model.
    pub(crate) seconds: f64,
    /// m.
    pub(crate) users: u64,
    /// P1's links.
    pub(crate) links: u64,
    /// Openings made.
    pub(crate) openings: u64,
    /// Payload before the first opening, both ways.
    pub(crate) offline_bytes: u64,
    /// Payload of all openings, both ways.
    pub(crate) online_bytes: u64,
    /// On the held-out ratings.
    pub(crate) rmse: f64,
}

/// Trains once. The rating platform reaches the social one at what `through` makes of its
/// address.
///
/// # Errors
/// As the demonstration.
pub(crate) async fn train_over(
    arguments: &DemoArgs,
    placement: Placement,
    through: impl FnOnce(&str) -> Result<String, Failure>,
) -> Result<MeasuredTraining, Failure> {
    arguments.check()?;
    let workspace = Workspace::create(arguments, placement)?;
    let mut daemons = Daemons::default();
    let outcome = async {
        let peer = daemons.start_social(&workspace).await?;
        daemons.start_rating(&workspace, &through(&peer)?).await?;
        converse(arguments, &workspace, &mut daemons).await
    }
    .await;
    daemons.stop().await;
    outcome
}

async fn converse(
    arguments: &DemoArgs,
    workspace: &Workspace,
    daemons: &mut Daemons,
) -> Result<MeasuredTraining, Failure> {
    let connection = |platform| workspace.connection(platform, daemons.operator_address(platform));
    let (rating, social) = (connection(Party::Rating), connection(Party::Social));
    let mut conversation = Conversation::open(&rating, &social).await?;
    let trained = tokio::select! {
        trained = train(&mut conversation, arguments, workspace.files()) => trained,
        early = daemons.unexpected_end() => Err(early),
    };
    match trained {
        Ok(measured) => Ok(measured),
        Err(failure) => {
            let failure = daemons.explain(failure).await;
            Err(conversation.survivors_words(failure).await)
        }
    }
}

async fn train(
    conversation: &mut Conversation,
    arguments: &DemoArgs,
    files: &Files,
) -> Result<MeasuredTraining, Failure> {
    let (_, links) = conversation.import(arguments, files).await?;
    conversation.agree(arguments, &links, &|_: &str| {}).await?;
    let started = Instant::now();
    conversation.train(true).await?;
    let seconds = started.elapsed().as_secs_f64();
    let report = conversation.report().await?;
    let bytes = |cost: Option<v1::Cost>| {
        let cost = cost.unwrap_or_default();
        cost.bytes_to_social + cost.bytes_to_rating
    };
    let disclosure = report.disclosure.unwrap_or_default();
    Ok(MeasuredTraining {
        seconds,
        users: disclosure.common_users.into(),
        links: links.links,
        openings: disclosure.openings.into(),
        offline_bytes: bytes(report.offline),
        online_bytes: bytes(report.online),
        rmse: report.quality.unwrap_or_default().rmse,
    })
}
