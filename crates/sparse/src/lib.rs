//! Social operators as sparse matrices: patterns, bounds and ring kernels over sprs.
