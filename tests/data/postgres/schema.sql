-- The tables of the reference pipeline that the console reads.
CREATE TABLE webhook_counters (
    worker text NOT NULL,
    provider text NOT NULL,
    event_type text NOT NULL,
    rows_written bigint NOT NULL DEFAULT 0,
    skipped bigint NOT NULL DEFAULT 0,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (worker, provider, event_type)
);
CREATE TABLE webhook_workers (
    worker text PRIMARY KEY,
    started_at timestamptz,
    last_seen_at timestamptz,
    version text,
    state text,
    processed bigint
);
