-- The workers' heartbeats, the latest first when there are too many. Times in microseconds.
SELECT json_build_object(
    'now', (extract(epoch FROM clock_timestamp()) * 1000000)::bigint,
    'workers', coalesce(json_agg(json_build_object(
        'worker', worker,
        'started', CASE WHEN isfinite(started_at) THEN (extract(epoch FROM started_at) * 1000000)::bigint END,
        'last_seen', CASE WHEN isfinite(last_seen_at) THEN (extract(epoch FROM last_seen_at) * 1000000)::bigint END,
        'version', version,
        'state', state,
        'processed', processed
    )), '[]')
)
FROM (
    SELECT coalesce(worker::text, '') AS worker, started_at, last_seen_at,
           version::text AS version, state::text AS state, processed::numeric::bigint AS processed
    FROM webhook_workers
    ORDER BY last_seen_at DESC NULLS LAST
    LIMIT 10000
) AS workers
