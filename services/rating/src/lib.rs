//! The rating platform's daemon (P0).
