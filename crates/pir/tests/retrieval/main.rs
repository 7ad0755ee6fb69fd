//! Private retrieval between both parties: what comes back, what it shows, what a hostile one may send.

mod fetch;
mod hostile;
mod privacy;
