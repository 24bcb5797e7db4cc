//! The real binary in a pseudo-terminal: keys in, screen out.

use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// A terminal with the program under test in it.
pub(crate) struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
    keys: Box<dyn Write + Send>,
    shared: Arc<Shared>,
    reader: Option<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    parser: vt100::Parser,
    ended: bool,
}

impl Terminal {
    /// Starts the binary with `args` at `columns` × `rows`, with a clean environment plus `vars`.
    pub(crate) fn start(args: &[&str], vars: &[(&str, &str)], columns: u16, rows: u16) -> Self {
        Self::start_program(Path::new(env!("CARGO_BIN_EXE_hookwatch")), args, vars, columns, rows)
    }

    pub(crate) fn start_program(program: &Path, args: &[&str], vars: &[(&str, &str)], columns: u16, rows: u16) -> Self {
        let pair = native_pty_system().openpty(size(columns, rows)).unwrap();
        let mut command = CommandBuilder::new(program);
        command.args(args);
        command.env_clear();
        for (name, value) in [
            ("TERM", "xterm-256color"),
            ("LANG", "C.UTF-8"),
            ("COLORTERM", "truecolor"),
        ] {
            command.env(name, value);
        }
        for name in ["PATH", "TMPDIR", "LLVM_PROFILE_FILE"] {
            #[expect(clippy::disallowed_methods, reason = "a test hands its own environment on")]
            if let Ok(value) = std::env::var(name) {
                command.env(name, value);
            }
        }
        for (name, value) in vars {
            command.env(name, value);
        }
        command.cwd(std::env::temp_dir());
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                parser: vt100::Parser::new(number(rows), number(columns), 0),
                ended: false,
            }),
            changed: Condvar::new(),
        });
        let mut output = pair.master.try_clone_reader().unwrap();
        let reader = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                let mut bytes = [0; 8_192];
                loop {
                    let read = output.read(&mut bytes).unwrap_or(0);
                    let mut state = shared.state.lock().unwrap();
                    if read == 0 {
                        state.ended = true;
                    } else {
                        state.parser.process(&bytes[..read]);
                    }
                    drop(state);
                    shared.changed.notify_all();
                    if read == 0 {
                        return;
                    }
                }
            }
        });
        Self {
            child,
            keys: pair.master.take_writer().unwrap(),
            master: pair.master,
            shared,
            reader: Some(reader),
        }
    }

    /// The program's process id.
    #[allow(dead_code, reason = "the console's bench uses it")]
    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.process_id()
    }

    /// Types.
    pub(crate) fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// Resizes the terminal.
    pub(crate) fn resize(&mut self, columns: u16, rows: u16) {
        self.shared
            .state
            .lock()
            .unwrap()
            .parser
            .set_size(number(rows), number(columns));
        self.master.resize(size(columns, rows)).unwrap();
    }

    /// Whether the program is on the alternate screen, and whether the cursor is hidden.
    pub(crate) fn modes(&self) -> (bool, bool) {
        let state = self.shared.state.lock().unwrap();
        (
            state.parser.screen().alternate_screen(),
            state.parser.screen().hide_cursor(),
        )
    }

    /// Waits until the screen is as `wanted` says; fails with the screen when it is not within `limit`.
    #[track_caller]
    pub(crate) fn wait(&self, what: &str, limit: Duration, wanted: impl Fn(&str) -> bool) -> String {
        let end = now() + limit;
        let mut state = self.shared.state.lock().unwrap();
        loop {
            let text = state.parser.screen().contents();
            if wanted(&text) {
                return text;
            }
            let left = end.saturating_duration_since(now());
            assert!(
                !left.is_zero() && !state.ended,
                "{} ({what}); the screen:\n{text}",
                if state.ended {
                    "the program ended first"
                } else {
                    "not seen in time"
                },
            );
            state = self.shared.changed.wait_timeout(state, left).unwrap().0;
        }
    }

    /// Waits until `text` is on screen.
    #[track_caller]
    pub(crate) fn see(&self, text: &str) -> String {
        self.wait(&format!("looking for `{text}`"), Duration::from_secs(20), |screen| {
            screen.contains(text)
        })
    }

    /// Waits for the program to end; its exit code.
    #[track_caller]
    pub(crate) fn end(mut self, limit: Duration) -> u32 {
        let end = now() + limit;
        let mut state = self.shared.state.lock().unwrap();
        while !state.ended {
            let left = end.saturating_duration_since(now());
            assert!(
                !left.is_zero(),
                "still running; the screen:\n{}",
                state.parser.screen().contents()
            );
            state = self.shared.changed.wait_timeout(state, left).unwrap().0;
        }
        drop(state);
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        self.child.wait().unwrap().exit_code()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Only our own child, by its handle; one that has ended is left alone.
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

fn size(columns: u16, rows: u16) -> PtySize {
    PtySize {
        rows,
        cols: columns,
        pixel_width: 0,
        pixel_height: 0,
    }
}

fn number(n: u16) -> NonZeroU16 {
    NonZeroU16::new(n).unwrap()
}

#[expect(clippy::disallowed_methods, reason = "a test's own deadline")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
