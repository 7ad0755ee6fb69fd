//! Rating and link readers, id tables, splits and synthetic graphs.
