//! Channels between the platforms: in memory, gRPC, counting, faulty.
