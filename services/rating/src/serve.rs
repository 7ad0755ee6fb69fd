//! Builds the daemon and serves its port.

use std::sync::Arc;
use std::time::Duration;

use s3rec_console::{Console, Of, examined};
use s3rec_job::Party;
use s3rec_node::config::{PeerSettings, RatingSettings};
use s3rec_node::daemon::{Daemon, DaemonError};
use s3rec_node::observe::{Observed, Reach};
use s3rec_node::pki::CertificateRole;
use s3rec_node::server::{Operators, Port, PortLimits};
use s3rec_node::tls::Identity;
use s3rec_wire::MAX_MESSAGE_BYTES;
use s3rec_wire::v1::rating_platform_server::RatingPlatformServer;
use tokio::sync::watch;

use crate::brought;
use crate::connection::PeerConnection;
use crate::decisions;
use crate::expiry;
use crate::jobs;
use crate::operator::OperatorService;
use crate::platform::Platform;

/// Opens the store, listens, and serves until `stop` turns true.
///
/// # Errors
/// [`DaemonError`].
pub async fn start(
    settings: RatingSettings,
    stop: watch::Receiver<bool>,
) -> Result<Daemon, DaemonError> {
    let identity = Identity::load(
        &settings.tls,
        settings.operator.ca.as_deref(),
        settings.peer.pins()?,
        CertificateRole::Rating,
    )?;
    let own_pin = identity.own().pin;
    let platform = Platform::open(&settings, Arc::clone(&identity))?;
    brought::hear(&platform)?;
    jobs::take_up(&platform)?;

    let watched = settings.observability.listen;
    let observability = Port::bind_any("observability", watched, &settings.data_dir).await?;
    let console = Console::bind(&settings).await?;
    // The people's port last: whoever finds its address written may rely on all.
    let operator_port =
        Port::bind("operator", settings.operator.listen, &settings.data_dir).await?;
    let operator = operator_port.address();
    tracing::info!(%operator, peer = settings.peer.address, name = settings.name, %own_pin, "serving");

    let service = RatingPlatformServer::new(OperatorService::new(Arc::clone(&platform)))
        .max_decoding_message_size(MAX_MESSAGE_BYTES);
    let role = CertificateRole::RatingOperator;
    let mut operators = Operators::new(service, role, &identity, &platform.audit).await?;
    let observed = Arc::new(observed(&platform));
    let console = console.mount(
        Of {
            people: role,
            identity: &identity,
            audit: &platform.audit,
            data_dir: &platform.data_dir,
            examine: examined(&settings, &observed),
        },
        &mut operators,
    );
    let operator_routes = operators.into_routes();

    let drain = Duration::from_secs(settings.limits.drain_seconds);
    let limits = PortLimits::operators(&settings.limits);
    Ok(Daemon::serving(operator, None, async move {
        if let Some(port) = observability {
            tokio::spawn(port.observe(observed, stop.clone()));
        }
        if let Some(console) = console {
            tokio::spawn(console.serve(Arc::clone(&identity), stop.clone()));
        }
        tokio::spawn(decisions::follow(Arc::clone(&platform), stop.clone()));
        let tidied = Arc::clone(&platform);
        platform.tend(move || expiry::end_what_has_expired(&tidied), &stop);
        let operators = move || Arc::clone(&identity.now().operators);
        let people = operator_port.serve(operators, operator_routes, limits, stop.clone(), drain);
        let jobs = platform.drain(stop, drain);
        tokio::join!(people, jobs).0?;
        tracing::info!("stopped");
        Ok(())
    }))
}

/// Where metrics and readiness are looked up.
fn observed(platform: &Arc<Platform>) -> Observed {
    let reaching = Arc::clone(platform);
    let reach: Reach = Box::new(move || {
        let platform = Arc::clone(&reaching);
        Box::pin(async move { PeerConnection::open(&platform).await.map(drop) })
    });
    platform.observed(Party::Rating, Some(reach))
}
