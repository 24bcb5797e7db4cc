-- Which of these relations there are, where, and which of their columns the role may read.
-- $relations is replaced. Values are not touched.
SELECT json_build_object(
    'role', current_user,
    'found', coalesce(json_agg(json_build_object(
        'relation', c.relname,
        'schema', n.nspname,
        'usage', has_schema_privilege(n.oid, 'USAGE'),
        'visible', pg_table_is_visible(c.oid),
        'select', has_table_privilege(c.oid, 'SELECT'),
        'columns', (
            SELECT coalesce(json_agg(json_build_array(a.attname, has_column_privilege(c.oid, a.attnum, 'SELECT'))), '[]')
            FROM pg_attribute AS a
            WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        )
    ) ORDER BY c.relname, n.nspname), '[]')
)
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relname IN ($relations) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND NOT pg_is_other_temp_schema(n.oid)
