-- The server's health. Durations and times in microseconds. What a role without pg_monitor may
-- not see of other roles' sessions (state, transaction start) makes a figure null, never smaller.
WITH sessions AS (
    SELECT pid, state, application_name, wait_event_type, query_start,
           -- The type is hidden too; user and database are not, and together mean a client.
           coalesce(backend_type = 'client backend', usesysid IS NOT NULL AND datid IS NOT NULL) AS is_client,
           CASE WHEN xact_start IS NOT NULL THEN clock_timestamp() - xact_start END AS transaction_age,
           query IS NOT DISTINCT FROM '<insufficient privilege>' AS hidden
    FROM pg_stat_activity
), clients AS (
    SELECT count(*) AS connections,
           count(*) FILTER (WHERE hidden) AS hidden,
           count(*) FILTER (WHERE state = 'active' AND pid <> pg_backend_pid()) AS active,
           count(*) FILTER (WHERE state LIKE 'idle in transaction%') AS idle_in_transaction,
           coalesce(max(transaction_age) FILTER (WHERE pid <> pg_backend_pid()), interval '0') AS longest_transaction
    FROM sessions
    WHERE is_client
), waiting AS (
    -- Asked for only when somebody waits, or may wait unseen. waitstart exists since 14.
    SELECT l.pid,
           clock_timestamp() - coalesce((to_jsonb(l) ->> 'waitstart')::timestamptz, s.query_start, clock_timestamp()) AS waited
    FROM pg_locks AS l
    JOIN sessions AS s ON s.pid = l.pid
    WHERE NOT l.granted AND EXISTS (SELECT FROM sessions WHERE wait_event_type = 'Lock' OR hidden)
    ORDER BY waited DESC
    LIMIT 10
)
SELECT json_build_object(
    'version', current_setting('server_version'),
    'started', (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint,
    'in_recovery', pg_is_in_recovery(),
    'max_connections', current_setting('max_connections')::bigint,
    'connections', c.connections,
    'hidden', c.hidden,
    'active', CASE WHEN c.hidden = 0 THEN c.active END,
    'idle_in_transaction', CASE WHEN c.hidden = 0 THEN c.idle_in_transaction END,
    'longest_transaction', CASE WHEN c.hidden = 0 THEN (extract(epoch FROM c.longest_transaction) * 1000000)::bigint END,
    'commits', d.xact_commit,
    'rollbacks', d.xact_rollback,
    'deadlocks', d.deadlocks,
    'blocked', (
        SELECT coalesce(json_agg(json_build_object(
            'pid', w.pid,
            'application', s.application_name,
            'waited', greatest(0, (extract(epoch FROM w.waited) * 1000000)::bigint),
            'blocking_pid', b.pid,
            'blocking_application', h.application_name,
            'blocking_state', h.state
        ) ORDER BY w.waited DESC), '[]')
        FROM waiting AS w
        JOIN sessions AS s ON s.pid = w.pid
        -- The first one only; 0 stands for a prepared transaction. None: the lock was got meanwhile.
        CROSS JOIN LATERAL (SELECT pids[1] AS pid FROM pg_blocking_pids(w.pid) AS pids WHERE cardinality(pids) > 0) AS b
        LEFT JOIN sessions AS h ON h.pid = b.pid
    )
)
FROM clients AS c
LEFT JOIN pg_stat_database AS d ON d.datname = current_database()
