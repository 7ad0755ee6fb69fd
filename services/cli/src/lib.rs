//! The command s3rec: keys, demo, and clients for the people at both platforms.
