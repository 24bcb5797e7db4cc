//! Failed calls of a queue in Postgres are put back, by the function or by their status.

use sqlx::{Connection as _, PgConnection};

use super::world::{Shape, World};
use crate::support;

const TABLE: &str = "CREATE TABLE rule_webhook_calls (call_id uuid PRIMARY KEY DEFAULT gen_random_uuid(), \
     webhook_id int, payload jsonb, status text, retry_count int, next_retry_at timestamptz, response_status int, \
     error_message text, scheduled_at timestamptz DEFAULT now()); \
     INSERT INTO rule_webhook_calls (webhook_id, payload, status, retry_count, response_status, error_message) \
     SELECT n, '{}', CASE WHEN n <= 30 THEN 'failed' ELSE 'success' END, 3, 503, \
            CASE WHEN n <= 20 THEN 'HTTP 503 from crm' ELSE 'no route to host' END FROM generate_series(1, 40) n";
const FUNCTION: &str = "CREATE FUNCTION rule_webhook_retry(wanted uuid) RETURNS boolean LANGUAGE sql AS \
     $$ UPDATE rule_webhook_calls SET status = 'retrying' WHERE call_id = wanted RETURNING true $$";

async fn count(connection: &mut PgConnection, status: &'static str) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM rule_webhook_calls WHERE status = $1")
        .bind(status)
        .fetch_one(connection)
        .await
        .unwrap()
}

async fn run(world: &World, database: &str, more: &[&str]) -> (i32, String, String) {
    let arguments = [&["--postgres", database], more].concat();
    world.run("retry", &arguments).await
}

#[tokio::test]
async fn failed_calls_are_put_back_once_by_function_or_by_status() {
    let world = World::new(Shape::default()).await;
    for (function, becomes) in [(false, "pending"), (true, "retrying")] {
        let database = support::database().await;
        let mut connection = PgConnection::connect(&database).await.unwrap();
        sqlx::raw_sql(TABLE).execute(&mut connection).await.unwrap();
        if function {
            sqlx::raw_sql(FUNCTION).execute(&mut connection).await.unwrap();
        }
        let (code, out, err) = run(&world, &database, &["--reason-like", "http 503"]).await;
        assert_eq!((code, err.as_str()), (0, ""), "{out}");
        assert!(
            out.contains("20 failed calls") && out.contains("nothing was changed"),
            "{out}"
        );
        assert_eq!(out.contains("through rule_webhook_retry"), function, "{out}");
        let wrong = ["--reason-like", "503", "--write", "--yes", "19"];
        let (code, _, err) = run(&world, &database, &wrong).await;
        assert_eq!((code, count(&mut connection, "failed").await), (2, 30), "{err}");
        let right = [
            "--reason-like",
            "503",
            "--write",
            "--yes",
            "20",
            "--reason",
            "crm is back",
            "--json",
        ];
        let (code, out, err) = run(&world, &database, &right).await;
        assert_eq!((code, err.as_str()), (0, ""), "{out}");
        let report: serde_json::Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
        assert_eq!(report, serde_json::json!({ "report": { "retried": 20, "left": 0 } }));
        let counts = (
            count(&mut connection, becomes).await,
            count(&mut connection, "failed").await,
        );
        assert_eq!(counts, (20, 10), "those of another cause stay");
        assert_eq!(count(&mut connection, "success").await, 10);
    }
    let (_, audit, _) = world.run("audit", &["--json"]).await;
    assert_eq!(audit.matches("\"action\":\"retry\"").count(), 4, "{audit}");
    assert!(audit.contains("crm is back"), "{audit}");
}

#[tokio::test]
async fn a_call_in_other_hands_is_left_alone_and_a_missing_table_is_named() {
    let world = World::new(Shape::default()).await;
    let database = support::database().await;
    let (code, _, err) = run(&world, &database, &[]).await;
    assert_eq!(code, 2);
    assert!(err.contains("no table rule_webhook_calls"), "{err}");
    let mut connection = PgConnection::connect(&database).await.unwrap();
    sqlx::raw_sql(TABLE).execute(&mut connection).await.unwrap();
    let mut other = PgConnection::connect(&database).await.unwrap();
    let mut held = other.begin().await.unwrap();
    sqlx::query("SELECT 1 FROM rule_webhook_calls WHERE webhook_id = 1 FOR UPDATE")
        .execute(&mut *held)
        .await
        .unwrap();
    let (code, out, err) = run(&world, &database, &["--write", "--yes", "30"]).await;
    assert_eq!(code, 1, "{err}");
    assert!(
        out.contains("29 put back, 1 no longer failed or in other hands"),
        "{out}"
    );
    held.rollback().await.unwrap();
    assert_eq!(count(&mut connection, "failed").await, 1);
}

const BREAKS: &str = "CREATE FUNCTION rule_webhook_retry(wanted uuid) RETURNS boolean LANGUAGE plpgsql AS \
     $$ BEGIN RAISE 'no such webhook'; END $$";
const SLEEPS: &str = "CREATE FUNCTION rule_webhook_retry(wanted uuid) RETURNS boolean LANGUAGE sql AS \
     $$ SELECT true FROM pg_sleep(60) $$";

#[tokio::test]
async fn what_breaks_off_has_an_end_in_the_audit_log() {
    for (function, is_interrupted, outcome) in [(BREAKS, false, "failed: "), (SLEEPS, true, "cancelled")] {
        let world = World::new(Shape::default()).await;
        let database = support::database().await;
        let mut connection = PgConnection::connect(&database).await.unwrap();
        sqlx::raw_sql(TABLE).execute(&mut connection).await.unwrap();
        sqlx::raw_sql(function).execute(&mut connection).await.unwrap();
        let arguments = ["--postgres", &database, "--write", "--yes", "30"];
        let child = world.command("retry", &arguments).spawn().unwrap();
        if is_interrupted {
            let asleep = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'hookwatch' \
                 AND wait_event = 'PgSleep' AND datname = current_database()";
            while sqlx::query_scalar::<_, i64>(asleep)
                .fetch_one(&mut connection)
                .await
                .unwrap()
                == 0
            {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
            let pid = rustix::process::Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap()).unwrap();
            rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
        }
        let (code, out, err) = super::world::finish(child).await;
        assert_eq!(code, if is_interrupted { 130 } else { 1 }, "{out} {err}");
        let (_, audit, _) = world.run("audit", &["--json"]).await;
        let deeds: Vec<serde_json::Value> = audit.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let outcomes: Vec<&str> = deeds.iter().map(|deed| deed["outcome"].as_str().unwrap()).collect();
        assert_eq!(outcomes.len(), 2, "{audit}");
        assert!(outcomes[0] == "begun" && outcomes[1].starts_with(outcome), "{audit}");
        assert_eq!(count(&mut connection, "failed").await, 30, "nothing was changed");
    }
}
