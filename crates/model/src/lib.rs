//! The recommender in the clear: objective, solvers, metrics.
