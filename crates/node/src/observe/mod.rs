//! What a daemon tells its operators' machines: metrics, liveness, readiness.
//!
//! Plain HTTP on an address of its own, off unless `[observability] listen` is set: it carries
//! counts, times and states, never data, ids or values, and answers nothing but GET.
//!
//! | route | 200 means |
//! |---|---|
//! | `/healthz` | the process answers; restart it when it does not |
//! | `/readyz` | keys are valid, the store answers, and the other platform has been met: jobs can run |
//! | `/metrics` | Prometheus text |

mod count;
mod http;
mod readiness;
mod scrape;

pub use count::{
    MeteredPhase, RefusedConnection, call_refused, called, connection_refused, connections,
    job_failed, meter, phase_spent, port_opened, reloaded, round_done, state_ended,
};
pub use http::serve;
pub use readiness::{Check, PeerSight, Reach, Readiness};
pub use scrape::{Observed, install};
