//! The console's dead letters in a terminal: read, narrowed, replayed by keys, refused.

use std::time::Duration;

use sqlx::{Connection as _, PgConnection};

use super::world::{Shape, World, rows};
use crate::support;
use crate::terminal::Terminal;

const LIMIT: Duration = Duration::from_secs(30);

/// The console on a world's dead letters.
fn console(world: &World, more: &[&str]) -> Terminal {
    let state = world.state.path().to_str().unwrap();
    let mut args = vec!["--nats", &world.url, "--stream", &world.stream, "--dlq", &world.dlq];
    args.extend(more);
    let vars = [("HOME", state), ("XDG_STATE_HOME", state), ("USER", "ann")];
    let mut terminal = Terminal::start(&args, &vars, 120, 40);
    terminal.see("hookwatch");
    terminal.press("5");
    terminal
}

/// Answers a question. Whoever types before it can be read has not answered it, so this waits for
/// just that time.
fn answer(terminal: &mut Terminal, question: &str, keys: &[&str]) {
    terminal.see(question);
    std::thread::sleep(Duration::from_millis(350));
    for key in keys {
        terminal.press(key);
    }
    terminal.wait("the question answered", LIMIT, |screen| {
        !screen.contains("[ Cancel ]") && !screen.contains("[ Replay ]")
    });
}

fn on_screen(screen: &str, text: &str) -> bool {
    screen.split_whitespace().collect::<Vec<_>>().join(" ").contains(text)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_letter_is_found_understood_and_replayed_by_keys() {
    let world = World::new(Shape::default()).await;
    let database = support::database().await;
    world.bury_each(30, "slow", |n| format!("timeout after {n} ms")).await;
    world.bury(12, "refused").await;
    let _worker = world.work(&database, None).await;
    let mut terminal = console(&world, &[]);
    terminal.wait("the groups", LIMIT, |screen| {
        on_screen(screen, "30 timeout after ‹n› ms") && on_screen(screen, "12 refused") && screen.contains("42 letters")
    });

    // The filter looks into payloads, too.
    terminal.press("/slow-17");
    terminal.see("1 found");
    terminal.press("\r");
    terminal.press("\r");
    let open = terminal.see("\"id\": \"slow-17\"");
    assert!(on_screen(&open, "why timeout after 17 ms"), "{open}");
    assert!(!open.contains('\u{202e}'), "{open}");

    terminal.press("R");
    answer(&mut terminal, "Unlock changes", &["y"]);
    answer(&mut terminal, "Replay 1 letter", &["y"]);
    terminal.wait("the report", LIMIT, |screen| screen.contains("done after"));
    let (count, seen) = rows(&database).await;
    assert_eq!((count, seen.get("slow-17")), (1, Some(&1)));
    assert_eq!(world.letters().await, 41);

    // The whole of a group: the count is typed, the rest stays as it is.
    terminal.press("\x1b");
    terminal.see("Causes");
    terminal.press("/");
    terminal.press("\x1b");
    terminal.wait("all letters again", LIMIT, |screen| screen.contains("41 letters"));
    terminal.press("/reason=refused\r");
    terminal.see("12 found");
    terminal.press("aR");
    answer(&mut terminal, "Type the count to replay", &["12", "\r", "\r"]);
    terminal.wait("the second report", LIMIT, |screen| {
        screen.contains("Replay 12 letters") && screen.contains("done after")
    });
    let (count, seen) = rows(&database).await;
    assert_eq!(count, 13);
    assert!(seen.keys().all(|id| id.starts_with("refused-") || id == "slow-17"));
    assert_eq!(world.letters().await, 29);

    // The command line knows of it, and who did it.
    let (code, out, _) = world.run("audit", &["--json"]).await;
    let deeds: Vec<serde_json::Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((code, deeds.len()), (0, 4), "{out}");
    assert!(deeds[3]["outcome"] == "done" && deeds[3]["who"].as_str().unwrap().starts_with("ann@"));
    terminal.press("q");
    assert_eq!(terminal.end(LIMIT), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_only_console_reads_and_replays_nothing() {
    let world = World::new(Shape::default()).await;
    world.bury(3, "gone").await;
    let mut terminal = console(&world, &["--read-only"]);
    terminal.see("3 letters");
    terminal.press("aR");
    terminal.see("read-only → change read_only");
    terminal.press("q");
    assert_eq!(terminal.end(LIMIT), 0);
    assert_eq!(world.letters().await, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_that_are_parked_and_rows_that_failed_are_shown_in_the_same_list() {
    let world = World::new(Shape::default()).await;
    let database = support::database().await;
    let mut connection = PgConnection::connect(&database).await.unwrap();
    let table = "CREATE TABLE rule_webhook_calls (call_id uuid, webhook_id text, payload jsonb, status text, \
                 retry_count int, response_status int, error_message text, scheduled_at timestamptz)";
    let failed = "INSERT INTO rule_webhook_calls SELECT gen_random_uuid(), 'crm', '{}', \
                  CASE n WHEN 3 THEN 'success' ELSE 'failed' END, 5, 503, 'upstream said no', now() \
                  FROM generate_series(1, 3) n";
    for statement in [table, failed] {
        sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
    }
    world.park(2, "given-up", Duration::from_secs(30)).await;
    world.bury(1, "gone").await;
    let mut terminal = console(&world, &["--postgres", &database]);
    terminal.see("1 letter");
    terminal.press("f");
    terminal.see("2 parked · shown only");
    terminal.press("f");
    terminal.wait("the failed rows", LIMIT, |screen| {
        screen.contains("2 failed rows · shown only") && screen.contains("HTTP 503: upstream")
    });
    sqlx::raw_sql("DROP TABLE rule_webhook_calls")
        .execute(&mut connection)
        .await
        .unwrap();
    terminal.press("r");
    terminal.wait("what is missing", LIMIT, |screen| {
        screen.contains("no table rule_webhook_calls") && !screen.contains("2 failed rows")
    });
    terminal.press("f");
    terminal.see("1 letter");
    terminal.press("q");
    assert_eq!(terminal.end(LIMIT), 0);
    assert_eq!(world.messages(&world.stream).await, 2, "shown, and nothing else");
}
