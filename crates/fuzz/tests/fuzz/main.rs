//! The targets, in one program: each links the command and both daemons, which takes its time once.

mod approvals;
mod bytes;
mod corpus;
mod disk;
mod endpoints;
mod files;
mod friends;
mod models;
mod operators;
mod psi;
mod psi_vole;
mod settings;
mod wire;
