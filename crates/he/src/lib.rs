//! The additive scheme behind the secure products: GLWE on tfhe, parameters, noise.
