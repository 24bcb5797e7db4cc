//! Queries that a person configured.

/// Checks that a query is one SELECT. The session that it runs in is read-only in any case; this
/// is for an error that comes early.
///
/// # Errors
/// What it is instead.
pub fn one_select(query: &str) -> Result<(), &'static str> {
    let body = query.trim().trim_end_matches(';');
    let first = body.split_whitespace().next().unwrap_or_default();
    if !first.eq_ignore_ascii_case("select") && !first.eq_ignore_ascii_case("with") {
        return Err("it is no SELECT");
    }
    if body.contains(';') {
        return Err("it is more than one statement");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_one_select() {
        for query in ["SELECT 1", " with a as (select 1) select * from a;", "select\n1;;"] {
            assert_eq!(one_select(query), Ok(()), "{query}");
        }
        for query in ["", "DELETE FROM a", "SELECT 1; DROP TABLE a"] {
            assert!(one_select(query).is_err(), "{query}");
        }
    }
}
