//! The reference pipeline, built for real: gateway, JetStream, workers, Postgres.
