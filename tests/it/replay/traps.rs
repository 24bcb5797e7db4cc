//! The traps of deduplication and of full streams.
