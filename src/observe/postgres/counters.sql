-- The pipeline's counters, per provider: [provider, rows written, skipped].
-- Summed as numeric, so that any number type will do and no sum overflows on its way.
SELECT coalesce(json_agg(json_build_array(provider, rows_written, skipped)), '[]')
FROM (
    SELECT coalesce(provider::text, '') AS provider,
           sum(rows_written::numeric)::bigint AS rows_written,
           sum(skipped::numeric)::bigint AS skipped
    FROM webhook_counters
    GROUP BY 1
    LIMIT 10001
) AS counters
