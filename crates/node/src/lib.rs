//! What both daemons share: configuration, TLS, store, health, shutdown.
