//! Builds the daemon and serves both of its ports.

use std::sync::Arc;
use std::time::Duration;

use s3rec_console::{Console, Of, examined};
use s3rec_job::Party;
use s3rec_node::config::{PeerSettings, SocialSettings};
use s3rec_node::daemon::{Daemon, DaemonError};
use s3rec_node::pki::CertificateRole;
use s3rec_node::server::{Operators, Port, PortLimits, stopped};
use s3rec_node::tls::{Admitted, Authorize, Identity};
use s3rec_wire::MAX_MESSAGE_BYTES;
use s3rec_wire::v1::peer_server::PeerServer;
use s3rec_wire::v1::social_platform_server::SocialPlatformServer;
use tokio::sync::watch;
use tonic::service::RoutesBuilder;

use crate::absence;
use crate::expiry;
use crate::operator::OperatorService;
use crate::peer::PeerService;
use crate::platform::Platform;
use crate::witness;

/// Opens the store, listens, and serves until `stop` turns true.
///
/// # Errors
/// [`DaemonError`].
pub async fn start(
    settings: SocialSettings,
    stop: watch::Receiver<bool>,
) -> Result<Daemon, DaemonError> {
    let identity = Identity::load(
        &settings.tls,
        settings.operator.ca.as_deref(),
        settings.peer.pins()?,
        CertificateRole::Social,
    )?;
    let platform = Platform::open(&settings, Arc::clone(&identity))?;
    witness::hear(&platform)?;
    // Before a link is read: public times follow from it.
    let pace = platform.pace().share();
    tracing::info!(pace, "share of the stated time after which a-parts leave");
    absence::take_up(&platform)?;

    // The people's port last: whoever finds its address written may rely on all.
    let watched = settings.observability.listen;
    let observability = Port::bind_any("observability", watched, &settings.data_dir).await?;
    let peer_port = Port::bind("peer", settings.peer.listen, &settings.data_dir).await?;
    let console = Console::bind(&settings).await?;
    let operator_port =
        Port::bind("operator", settings.operator.listen, &settings.data_dir).await?;
    let (operator, peer) = (operator_port.address(), peer_port.address());
    tracing::info!(%operator, %peer, name = settings.name, own_pin = %identity.own().pin, "serving");

    let service = SocialPlatformServer::new(OperatorService::new(Arc::clone(&platform)))
        .max_decoding_message_size(MAX_MESSAGE_BYTES);
    let role = CertificateRole::SocialOperator;
    let mut operators = Operators::new(service, role, &identity, &platform.audit).await?;
    let observed = Arc::new(platform.observed(Party::Social, None));
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

    let mut peer_routes = RoutesBuilder::default();
    let service = PeerServer::new(PeerService::new(Arc::clone(&platform)))
        .max_decoding_message_size(MAX_MESSAGE_BYTES);
    let authorize = Authorize::pinned(CertificateRole::Rating, &identity);
    peer_routes.add_service(Admitted::new(service, authorize));

    let drain = Duration::from_secs(settings.limits.drain_seconds);
    let operator_limits = PortLimits::operators(&settings.limits);
    let peer_limits = PortLimits::peer(&settings.limits);
    Ok(Daemon::serving(operator, Some(peer), async move {
        if let Some(port) = observability {
            tokio::spawn(port.observe(observed, stop.clone()));
        }
        if let Some(console) = console {
            tokio::spawn(console.serve(Arc::clone(&identity), stop.clone()));
        }
        let tidied = Arc::clone(&platform);
        platform.tend(move || expiry::end_what_has_expired(&tidied), &stop);
        let presented = Arc::clone(&identity);
        let operators = move || Arc::clone(&presented.now().operators);
        let peers = move || Arc::clone(&identity.now().peers);
        let people = operator_port.serve(
            operators,
            operator_routes,
            operator_limits,
            stop.clone(),
            drain,
        );
        let resting = {
            let (platform, stop) = (Arc::clone(&platform), stop.clone());
            async move {
                stopped(stop).await;
                platform.stop();
                Ok(())
            }
        };
        let peer = peer_port.serve(peers, peer_routes, peer_limits, stop, drain);
        tokio::try_join!(people, peer, resting)?;
        tracing::info!("stopped");
        Ok(())
    }))
}
