//! Who knows what became of letters in limbo: a configured query, asked once nobody else knows.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use hookwatch::act::journal::{Folder, How};
use hookwatch::act::replay::ReplayError;
use hookwatch::base::time::SystemClock;

use super::crash::{Breaking, RESUME, bench, drained, start};
use super::world::{Shape, World, rows};
use crate::support;

/// Letters that were all sent, all processed, and of which the journal knows only that they were
/// about to be sent, or half of them; the server's memory of ids does not reach back.
async fn in_limbo(world: &World, database: &str) {
    world.bury(40, "timeout").await;
    let worker = world.work(database, None).await;
    let counter = Arc::new(AtomicUsize::new(3));
    let journals = Folder::new(&world.state.path().join("hookwatch"), SystemClock::shared());
    // The first writes are the selection and the window, the next is what became of it.
    let breaking = journals.with_medium(move |file| {
        let left = counter.clone();
        Box::new(Breaking { file, left })
    });
    let how = How {
        canary: 0,
        ..How::default()
    };
    let outcome = start(world, bench(world, breaking), how).await;
    assert!(matches!(outcome, Err(ReplayError::Journal(_))), "{outcome:?}");
    drained(world).await;
    drop(worker);
    assert_eq!((world.letters().await, rows(database).await.0), (40, 40));
}

fn forgetful() -> Shape {
    Shape {
        window: Duration::from_millis(100),
        ..Shape::default()
    }
}

/// Resumes, with this configuration.
async fn resume(world: &World, database: &str, config: &str, more: &[&str]) -> (i32, String, String) {
    let file = world.state.path().join("hookwatch.toml");
    std::fs::write(&file, config).unwrap();
    let file = file.to_str().unwrap();
    world
        .run(
            "replay",
            &[RESUME, &["--config", file, "--postgres", database], more].concat(),
        )
        .await
}

const ASKS: &str = "[dead_letters]\nprocessed = 'SELECT 1 FROM webhooks WHERE id = $1'\n";

#[tokio::test]
async fn a_query_that_knows_them_settles_letters_in_limbo() {
    let world = World::new(forgetful()).await;
    let database = support::database().await;
    in_limbo(&world, &database).await;
    world.take_published().await;
    let (code, out, err) = resume(&world, &database, ASKS, &[]).await;
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(world.take_published().await.is_empty(), "not one was sent again");
    assert_eq!(world.letters().await, 0);
    assert!(rows(&database).await.1.values().all(|seen| *seen == 1));
}

#[tokio::test]
async fn without_it_they_are_in_doubt_and_it_settles_them_later() {
    let world = World::new(forgetful()).await;
    let database = support::database().await;
    in_limbo(&world, &database).await;
    world.take_published().await;
    let fails = "[dead_letters]\nprocessed = 'SELECT 1 FROM no_such_table WHERE id = $1'\n";
    let knows_none = "[dead_letters]\nprocessed = 'SELECT 1 WHERE false AND $1 = $2'\n";
    for (config, said) in [
        ("", "does not reach back\n"),
        (fails, "does not reach back\n"),
        (knows_none, "does not reach back\n"),
    ] {
        let (code, out, err) = resume(&world, &database, config, &[]).await;
        assert_eq!(code, 1, "{out} {err}");
        assert!(out.contains("20 in doubt") && out.contains(said), "{out}");
        assert_eq!(world.letters().await, 20, "of the others the journal knew");
    }
    // It is asked before a person's word is heard: what it knows is not sent again.
    let (code, out, err) = resume(&world, &database, ASKS, &["--in-doubt", "resend"]).await;
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(world.take_published().await.is_empty());
    assert_eq!(world.letters().await, 0);
}

#[tokio::test]
async fn what_it_said_stands_beside_the_doubt() {
    for (query, said) in [
        ("SELECT 1 FROM no_such_table WHERE id = $1", "cannot be asked: relation"),
        ("SELECT 1 WHERE false AND $1 = $2", "nor is it known as processed"),
        ("SELECT pg_sleep(9)::text || $1", "cannot be asked: canceling statement"),
    ] {
        let world = World::new(forgetful()).await;
        let database = support::database().await;
        in_limbo(&world, &database).await;
        let config = format!("[dead_letters]\nprocessed = '{query}'\n[postgres]\nstatement_timeout = '200ms'\n");
        let (code, out, err) = resume(&world, &database, &config, &[]).await;
        assert_eq!(code, 1, "{out} {err}");
        assert!(out.contains("20 in doubt") && out.contains(said), "{out}");
    }
}
