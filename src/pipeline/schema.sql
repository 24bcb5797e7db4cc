-- The reference pipeline's schema. Applied by every worker when it starts; each statement can be
-- repeated. Consoles only read; give their role no more than:
--   GRANT CONNECT ON DATABASE … TO hookwatch;
--   GRANT USAGE ON SCHEMA public TO hookwatch;
--   GRANT SELECT ON webhook_events, webhook_duplicates, webhook_attempts, webhook_recipients,
--                   webhook_counters, webhook_workers TO hookwatch;
--   GRANT pg_monitor TO hookwatch;  -- sessions of other roles and whom they block

-- The inbox: one row per webhook, whoever delivers it how often. The message that wrote the row
-- (a stream's creation time and sequence name it for ever) is told apart from a second one with
-- the same webhook: the first may be delivered again after a crash, the second is a duplicate.
CREATE TABLE IF NOT EXISTS webhook_events (
    webhook_id     text        PRIMARY KEY,
    provider       text        NOT NULL,
    event_type     text        NOT NULL,
    stream_seq     bigint      NOT NULL,
    stream_created timestamptz NOT NULL,
    received_at    timestamptz NOT NULL,
    processed_at   timestamptz NOT NULL DEFAULT now()
);

-- Messages whose webhook another message had written already. A row each, so that a duplicate
-- that is delivered again is not counted again.
CREATE TABLE IF NOT EXISTS webhook_duplicates (
    stream_created timestamptz NOT NULL,
    stream_seq     bigint      NOT NULL,
    webhook_id     text        NOT NULL,
    seen_at        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (stream_created, stream_seq)
);

-- Failed attempts at a message. Counted here and not by deliveries: those also grow when a
-- worker dies or loses its connection, which is not the message's fault. A success removes the
-- row; a dead letter's stays, with its last error.
CREATE TABLE IF NOT EXISTS webhook_attempts (
    stream_created timestamptz NOT NULL,
    stream_seq     bigint      NOT NULL,
    delivery       bigint      NOT NULL,
    attempts       integer     NOT NULL,
    error          text        NOT NULL,
    failed_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (stream_created, stream_seq)
);

-- What the webhooks are for: how often and by what each recipient was reached last. Room on the
-- pages keeps updates away from the index.
CREATE TABLE IF NOT EXISTS webhook_recipients (
    recipient       text        PRIMARY KEY,
    webhooks        bigint      NOT NULL,
    last_event_type text        NOT NULL,
    last_event_at   timestamptz NOT NULL
) WITH (fillfactor = 70);

-- What the workers did, counted in the transactions in which they did it. A row for each of a
-- worker's writers: on one row they would wait for each other's commits, which can share a sync.
CREATE TABLE IF NOT EXISTS webhook_counters (
    worker       text        NOT NULL,
    provider     text        NOT NULL,
    event_type   text        NOT NULL,
    rows_written bigint      NOT NULL DEFAULT 0,
    skipped      bigint      NOT NULL DEFAULT 0,
    updated_at   timestamptz NOT NULL DEFAULT now(),
    writer       smallint    NOT NULL DEFAULT 0,
    PRIMARY KEY (worker, provider, event_type, writer)
) WITH (fillfactor = 20);

-- The workers' heartbeats, one a second.
CREATE TABLE IF NOT EXISTS webhook_workers (
    worker       text        PRIMARY KEY,
    started_at   timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    version      text        NOT NULL,
    state        text        NOT NULL,
    processed    bigint      NOT NULL
) WITH (fillfactor = 20);
