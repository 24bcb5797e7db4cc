-- Why a relation cannot be read: who asks, and every relation of its name. $relation is replaced.
SELECT json_build_object(
    'role', current_user,
    'found', coalesce(json_agg(json_build_object(
        'schema', n.nspname,
        'usage', has_schema_privilege(n.oid, 'USAGE'),
        'select', has_table_privilege(c.oid, 'SELECT')
    ) ORDER BY n.nspname) FILTER (WHERE n.oid IS NOT NULL), '[]')
)
FROM (SELECT) AS one
LEFT JOIN pg_class AS c ON c.relname = '$relation' AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
LEFT JOIN pg_namespace AS n ON n.oid = c.relnamespace
