//! Seeded inputs, statistics and two-party pairs without I/O, for tests.
