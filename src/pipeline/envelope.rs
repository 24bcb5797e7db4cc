//! The application headers of the pipeline's own. They survive a dead letter's copy and its
//! replay, unlike every `Nats-*` header.

/// The webhook's id, `<provider>-<the provider's id>`: the key that makes processing idempotent.
pub const ID: &str = "X-Webhook-Id";

/// When the gateway received it, RFC 3339.
pub const RECEIVED_AT: &str = "X-Webhook-Received-At";
