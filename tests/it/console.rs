//! The console end to end, on a pipeline of its own.

use std::time::Duration;

use crate::terminal::Terminal;

const LIMIT: Duration = Duration::from_secs(30);

#[test]
fn the_demo_shows_moving_numbers_resizes_and_gives_the_terminal_back() {
    let folder = tempfile::tempdir().unwrap();
    open_to_all(folder.path());
    let mut terminal = Terminal::start(&["demo"], &[("TMPDIR", folder.path().to_str().unwrap())], 120, 40);
    terminal.wait("a line that balances", LIMIT, |screen| {
        screen.contains("balanced: nothing lost, nothing doubled") || screen.contains("✔ received")
    });
    assert!(terminal.modes().0, "on the alternate screen");
    // Its own gateway is the target of test webhooks, with the keys at hand.
    // In one burst: faster than anything is drawn.
    terminal.press("6/telnyx.message.sent\r");
    terminal.see("$TELNYX_SIGNING_KEY");
    terminal.press("f");
    unlock(&mut terminal);
    terminal.see("●  in stream");
    terminal.press("1");
    terminal.resize(20, 5);
    terminal.wait("what it needs", LIMIT, |screen| {
        screen.contains("60") && screen.contains("16")
    });
    terminal.resize(80, 24);
    terminal.see("Flow");
    terminal.press("?");
    terminal.see("quit");
    terminal.press("?");
    terminal.wait("the help closed", LIMIT, |screen| !screen.contains("esc closes"));
    terminal.press("q");
    assert_eq!(terminal.end(LIMIT), 0);
    let left: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    assert!(left.is_empty(), "left behind: {left:?}");
}

/// Says yes to unlocking, once it can be read.
fn unlock(terminal: &mut Terminal) {
    terminal.see("Unlock changes");
    std::thread::sleep(Duration::from_millis(350));
    terminal.press("y");
}

fn open_to_all(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).unwrap();
}
