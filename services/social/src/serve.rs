//! Builds the daemon and serves both of its ports.

use std::sync::Arc;
use std::time::Duration;

use s3rec_node::audit::LogCalls;
use s3rec_node::config::{PeerSettings, SocialSettings};
use s3rec_node::daemon::{Daemon, DaemonError};
use s3rec_node::pki::CertificateRole;
use s3rec_node::retention;
use s3rec_node::server::{Port, PortLimits, add_health_and_reflection, stopped};
use s3rec_node::tls::{Admitted, Authorize, Identity};
use s3rec_wire::MAX_MESSAGE_BYTES;
use s3rec_wire::v1;
use s3rec_wire::v1::peer_server::PeerServer;
use s3rec_wire::v1::social_platform_server::SocialPlatformServer;
use tokio::sync::watch;
use tonic::service::RoutesBuilder;

use crate::absence;
use crate::console::Console;
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
    absence::take_up(&platform)?;

    // The people's port last: whoever finds its address written may rely on all.
    let observability = match settings.observability.listen {
        Some(listen) => Some(Port::bind("observability", listen, &settings.data_dir).await?),
        None => None,
    };
    let peer_port = Port::bind("peer", settings.peer.listen, &settings.data_dir).await?;
    let console = Console::bind(&settings).await?;
    let operator_port =
        Port::bind("operator", settings.operator.listen, &settings.data_dir).await?;
    let (operator, peer) = (operator_port.address(), peer_port.address());
    tracing::info!(%operator, %peer, name = settings.name, own_pin = %identity.own().pin, "serving");

    let mut operator_routes = RoutesBuilder::default();
    let asking = Authorize::unrevoked_or_itself(CertificateRole::SocialOperator, &identity);
    add_health_and_reflection::<SocialPlatformServer<OperatorService>>(
        &mut operator_routes,
        &asking,
    )
    .await?;
    let service = SocialPlatformServer::new(OperatorService::new(Arc::clone(&platform)))
        .max_decoding_message_size(MAX_MESSAGE_BYTES);
    let service = LogCalls::new(service, platform.audit.clone());
    let authorize = Authorize::unrevoked(CertificateRole::SocialOperator, &identity);
    let console = console.mount(&platform, service.clone(), &mut operator_routes);
    operator_routes.add_service(Admitted::new(service, authorize));

    let mut peer_routes = RoutesBuilder::default();
    let service = PeerServer::new(PeerService::new(Arc::clone(&platform)))
        .max_decoding_message_size(MAX_MESSAGE_BYTES);
    let authorize = Authorize::pinned(CertificateRole::Rating, &identity);
    peer_routes.add_service(Admitted::new(service, authorize));

    let drain = Duration::from_secs(settings.limits.drain_seconds);
    let reload_seconds = settings.limits.reload_seconds;
    let operator_limits = PortLimits::operators(&settings.limits);
    let peer_limits = PortLimits::peer(&settings.limits);
    Ok(Daemon::serving(operator, Some(peer), async move {
        if let Some(port) = observability {
            tokio::spawn(port.observe(
                Arc::new(platform.observed(v1::Role::Social, None)),
                stop.clone(),
            ));
        }
        if let Some(console) = console {
            tokio::spawn(console.serve(Arc::clone(&identity), stop.clone()));
        }
        let every = Duration::from_secs(reload_seconds.max(1));
        tokio::spawn(Arc::clone(&identity).follow(every, stop.clone()));
        let tidied = Arc::clone(&platform);
        tokio::spawn(retention::follow(
            move || {
                expiry::end_what_has_expired(&tidied);
                tidied.ended.look();
            },
            stop.clone(),
        ));
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
