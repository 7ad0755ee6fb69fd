//! One joint training as steps over the secure product and the model; the manual.
