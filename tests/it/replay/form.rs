//! The form of a replay in a terminal: edited, signed anew, to a gateway, parked messages, failed rows.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hookwatch::base::time::SystemClock;
use hookwatch::signature::{Scheme, Verifier};
use secrecy::SecretString;
use sqlx::{Connection as _, PgConnection};

use super::gateway::{Gateway, NEW_KEY, is_signed, journals};
use super::screen::{LIMIT, answer, console};
use super::world::{Shape, World};
use crate::support;
use crate::terminal::Terminal;

const RIGHT: &str = "\x1b[C";
const TAB: &str = "\t";

/// A configuration with a key for the world's provider.
fn configure(world: &World) -> PathBuf {
    let file = world.state.path().join("hookwatch.toml");
    let text = "[profile.desk.fire.secrets]\ntelnyx = { env = \"NEW_KEY\" }\n\
                [profile.desk.fire.schemes]\ntelnyx = \"standard-webhooks\"\n";
    std::fs::write(&file, text).unwrap();
    file
}

/// An editor that mends what it is given.
fn editor(folder: &Path) -> PathBuf {
    let file = folder.join("editor");
    std::fs::write(&file, "#!/bin/sh\nsed -i 's/timeout-0/mended-0/' \"$1\"\n").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o700)).unwrap();
    file
}

/// Goes to a row of the form: its label is where the cursor stands.
fn go_to(terminal: &mut Terminal, tabs: usize) {
    for _ in 0..tabs {
        terminal.press(TAB);
    }
}

/// The plan can be read for long enough, so that what is typed is an answer.
fn read() {
    std::thread::sleep(Duration::from_millis(350));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_letter_is_edited_signed_anew_and_replayed_with_a_reason_by_keys() {
    let world = World::new(Shape::default()).await;
    let database = support::database().await;
    world.bury(1, "timeout").await;
    let _worker = world.work(&database, None).await;
    let config = configure(&world);
    let editor = editor(world.state.path());
    let args = ["--config", config.to_str().unwrap(), "--profile", "desk"];
    let vars = [("NEW_KEY", NEW_KEY), ("EDITOR", editor.to_str().unwrap())];
    let mut terminal = console(&world, &args, &vars);
    terminal.see("1 letter");
    terminal.press("R");
    answer(&mut terminal, "Unlock changes", &["y"]);
    terminal.see("y says yes");
    // From Cancel: the button, the target, the key.
    go_to(&mut terminal, 3);
    terminal.press(RIGHT);
    terminal.see("anew with the key of telnyx, as standard-webhooks");
    go_to(&mut terminal, 1);
    terminal.press("\r");
    let form = terminal.see("+   \"id\": \"mended-0\"");
    assert!(form.contains("-   \"id\": \"timeout-0\""), "{form}");
    go_to(&mut terminal, 1);
    terminal.press("OPS-31 mended by hand");
    go_to(&mut terminal, 1);
    read();
    terminal.press("y");
    let report = terminal.wait("the report", LIMIT, |screen| screen.contains("done after"));
    assert!(!report.contains(&NEW_KEY[6..]), "{report}");

    let published = world.take_published().await;
    assert_eq!(published.len(), 1);
    let sent = &published[0];
    let payload = String::from_utf8_lossy(&sent.payload);
    assert!(
        payload.starts_with(r#"{"id":"mended-0","odd":"#) && !payload.contains('\n'),
        "{payload}"
    );
    let verifier = Verifier::new(&Scheme::StandardWebhooks, &SecretString::from(NEW_KEY)).unwrap();
    let header = |name: &str| sent.headers.get(name).map(async_nats::HeaderValue::as_str);
    let now = SystemClock::shared().now().at;
    let verdict = verifier.verify(&header, &sent.payload, "", now, Duration::from_mins(1));
    assert!(verdict.is_ok(), "{verdict:?}");
    assert_eq!(world.letters().await, 0);
    let (_, audit, _) = world.run("audit", &["--json"]).await;
    assert!(audit.contains("OPS-31 mended by hand"), "{audit}");
    assert!(!journals(&world).contains(&NEW_KEY[6..]), "the key is written nowhere");
    terminal.press("q");
    assert_eq!(terminal.end(LIMIT), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_goes_to_a_gateway_signed_anew_by_keys() {
    let world = World::new(Shape::default()).await;
    let gateway = Gateway::open().await;
    world.bury(12, "timeout").await;
    world.bury(3, "other").await;
    let config = configure(&world);
    let args = ["--config", config.to_str().unwrap(), "--profile", "desk"];
    let mut terminal = console(&world, &args, &[("NEW_KEY", NEW_KEY)]);
    terminal.see("15 letters");
    terminal.press("/reason=timeout\r");
    terminal.see("12 found");
    terminal.press("aR");
    answer(&mut terminal, "Unlock changes", &["y"]);
    terminal.see("Type the count to replay");
    // From the answer: Cancel, the button, the target.
    go_to(&mut terminal, 3);
    terminal.press(RIGHT);
    terminal.press(RIGHT);
    terminal.see("type the URL above");
    go_to(&mut terminal, 1);
    terminal.press(&gateway.url);
    go_to(&mut terminal, 1);
    terminal.see("not followed beyond its answer");
    terminal.press(RIGHT);
    terminal.see("anew with the key of telnyx");
    // Rate, canary, order, reason, the answer.
    go_to(&mut terminal, 5);
    answer(&mut terminal, "Type the count to replay", &["12", "\r", "\r"]);
    terminal.wait("the report", LIMIT, |screen| screen.contains("done after"));
    let seen = gateway.seen.lock().unwrap().clone();
    assert_eq!(seen.len(), 12);
    assert!(seen.iter().all(|(headers, body)| is_signed(headers, body)));
    assert!(world.take_published().await.is_empty(), "nothing went into the stream");
    assert_eq!(world.letters().await, 3, "those of another cause stay");
    terminal.press("q");
    assert_eq!(terminal.end(LIMIT), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parked_messages_and_failed_rows_are_put_back_by_keys() {
    let world = World::new(Shape::default()).await;
    let database = support::database().await;
    let mut connection = PgConnection::connect(&database).await.unwrap();
    let table = "CREATE TABLE rule_webhook_calls (call_id uuid PRIMARY KEY DEFAULT gen_random_uuid(), webhook_id text, \
                 payload jsonb, status text, retry_count int, next_retry_at timestamptz, response_status int, \
                 error_message text, scheduled_at timestamptz)";
    let failed = "INSERT INTO rule_webhook_calls (webhook_id, payload, status, retry_count, response_status, \
                  error_message, scheduled_at) SELECT 'crm', '{}', 'failed', 5, 500 + n, 'no', now() - n * interval '1 s' \
                  FROM generate_series(1, 3) n";
    for statement in [table, failed] {
        sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
    }
    world.park(2, "given-up", Duration::from_secs(30)).await;
    let mut terminal = console(&world, &["--postgres", &database], &[]);
    terminal.see("No dead letters");
    terminal.press("f");
    terminal.see("2 parked");
    terminal.press("aR");
    answer(&mut terminal, "Unlock changes", &["y"]);
    terminal.see("Type the count to replay");
    let _worker = world.work(&database, None).await;
    answer(&mut terminal, "Type the count to replay", &["2", "\r", "\r"]);
    terminal.wait("the report", LIMIT, |screen| screen.contains("done after"));
    assert_eq!(world.messages(&world.stream).await, 0, "processed, and gone");

    terminal.press("\x1b");
    terminal.wait("the report put away", LIMIT, |screen| !screen.contains("done after"));
    terminal.press("f");
    terminal.see("3 failed rows");
    // The latest stands first; the second is left alone.
    terminal.press(" ");
    terminal.press("j");
    terminal.press("j");
    terminal.press(" ");
    terminal.see("2 marked");
    terminal.press("R");
    answer(&mut terminal, "Type the count to retry", &["2", "\r", "\r"]);
    terminal.see("2 put back");
    terminal.see("1 failed rows");
    let pending: Vec<i32> = sqlx::query_scalar(
        "SELECT response_status FROM rule_webhook_calls WHERE status = 'pending' ORDER BY response_status",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    assert_eq!(pending, [501, 503]);
    let (_, audit, _) = world.run("audit", &["--json"]).await;
    assert_eq!(audit.matches("\"action\":\"retry\"").count(), 2, "{audit}");
    terminal.press("q");
    assert_eq!(terminal.end(LIMIT), 0);
}
