//! End to end: the daemons and the command as a user runs them.
