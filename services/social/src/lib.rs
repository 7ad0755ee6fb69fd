//! The social platform's daemon (P1).
