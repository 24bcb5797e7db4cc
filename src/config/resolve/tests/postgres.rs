//! Connections to Postgres, and what may not be asked there.

use super::*;

#[test]
fn a_postgres_url_is_masked_and_completed() {
    let case = Case::new()
        .config("[profile.a.postgres]\nurl = 'postgres://app@db/x'\npassword_env = 'PW'\nstatement_timeout = '500ms'\npool = 2\n")
        .variable("PW", "hunter/2")
        .variable("PGPORT", "6432")
        .variable("PGPASSWORD", "another");
    let resolved = case.ok();
    let link = resolved.profile.postgres.as_ref().unwrap();
    assert_eq!(link.url.expose_secret(), "postgres://app:hunter%2F2@db/x?port=6432");
    assert_eq!(link.shown, "postgres://app:•••@db/x?port=6432");
    assert_eq!((link.statement_timeout, link.pool), (Duration::from_millis(500), 2));
    assert_eq!(value(&resolved, "postgres.login"), "user `app`, password from $PW");
    assert_eq!(origin(&resolved, "postgres.pgport"), "environment PGPORT");
    assert_eq!(resolved.profile.redactor.clean("hunter/2 hunter%2F2"), "••• •••");
}

#[test]
fn pg_variables_alone_describe_a_connection() {
    let case = Case::new()
        .variable("PGHOST", "db")
        .variable("PGDATABASE", "hooks")
        .variable("PGPASSWORD", "hunter2");
    let resolved = case.ok();
    assert_eq!(
        resolved.profile.postgres.as_ref().unwrap().url.expose_secret(),
        "postgres:///?host=db&dbname=hooks&password=hunter2"
    );
    assert_eq!(
        value(&resolved, "postgres.login"),
        "user of the system, password from $PGPASSWORD"
    );
    let problem = Case::new().variable("PGHOST", "db").variable("PGPORT", "x").problem();
    assert!(
        problem.starts_with("$PG*: the URL of `postgres.url` cannot be used: port is not"),
        "{problem}"
    );
    // A password alone describes none.
    assert!(
        Case::new()
            .variable("PGPASSWORD", "hunter2")
            .ok()
            .profile
            .postgres
            .is_none()
    );
}
