//! The call that hands out a link for one log-in.

use std::sync::Arc;

use s3rec_node::process::now_unix_ms;
use s3rec_node::tls::Caller;
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1;
use s3rec_wire::v1::console_server::Console;
use tonic::{Request, Response, Status, async_trait};

use crate::logins::{LINK_FOR, Logins};

/// Hands out links to the console, or says that there is none.
pub struct Links {
    /// Where it is, and who is in; `None` where it is off.
    place: Option<(String, Arc<Logins>)>,
}

impl Links {
    /// To the console at `origin` (`https://host:port`).
    #[must_use]
    pub fn new(origin: String, logins: Arc<Logins>) -> Self {
        Self {
            place: Some((origin, logins)),
        }
    }

    /// For a daemon without a console.
    #[must_use]
    pub fn off() -> Self {
        Self { place: None }
    }

    fn open(&self, caller: Option<Caller>) -> Result<v1::OpenConsoleResponse, Fault> {
        let Some((origin, logins)) = &self.place else {
            let message = "this daemon has no console: console.listen is not set";
            return Err(Fault::new(Reason::Unsupported, message).remedied_by(
                "Set [console] listen = \"127.0.0.1:7300\" in its configuration, and start it again.",
            ));
        };
        let caller = caller.ok_or_else(|| {
            let message = "an operator's call came past the check of its caller";
            Fault::new(Reason::Bug, message)
        })?;
        let token = logins.link(caller).map_err(|error| {
            Fault::new(
                Reason::Bug,
                format!("the system has no randomness: {error}"),
            )
        })?;
        let seconds = i64::try_from(LINK_FOR.as_secs()).unwrap_or(0);
        Ok(v1::OpenConsoleResponse {
            link: format!("{origin}/login/{token}"),
            expires_unix_ms: now_unix_ms() + 1000 * seconds,
        })
    }
}

#[async_trait]
impl Console for Links {
    async fn open_console(
        &self,
        request: Request<v1::OpenConsoleRequest>,
    ) -> Result<Response<v1::OpenConsoleResponse>, Status> {
        let caller = request.extensions().get::<Caller>().cloned();
        Ok(Response::new(self.open(caller)?))
    }
}
