//! Profiles: what to connect to, how, and with which limits. The environment is handed in as a map.

mod profile;

pub use profile::{
    Environment, Families, Family, HttpAuth, NatsAuth, NatsLink, Pipeline, PostgresLink, Profile, Target, Thresholds,
    Tls,
};
