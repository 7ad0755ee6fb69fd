//! Ring elements, fixed point, shares and seeded randomness.
