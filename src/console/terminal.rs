//! The terminal: taken, given back, and given back whatever happens.
//!
//! A frame is one write inside a synchronized update, of the cells that changed since the last.
//! Nothing is written when this is dropped but what gives the terminal back, so a panic in the
//! middle of a frame leaves no half of it behind.

use std::io::{self, IsTerminal as _, Write as _};
use std::panic::PanicHookInfo;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, Once, PoisonError};
use std::thread::ThreadId;

use base64::Engine as _;
use crossterm::terminal::{disable_raw_mode, enable_raw_mode};
use ratatui::backend::{Backend as _, CrosstermBackend};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

/// Why there is no terminal to draw on.
#[derive(Debug, thiserror::Error)]
pub enum TerminalError {
    /// Input or output is a file or a pipe.
    #[error("draw on standard {0}: it is not a terminal → run `hookwatch snapshot` or `hookwatch check` instead")]
    NotATerminal(&'static str),
    /// The terminal refused.
    #[error("{operation} the terminal: {source}")]
    Io {
        /// What was tried.
        operation: &'static str,
        /// Why it failed.
        source: io::Error,
    },
}

impl TerminalError {
    fn io(operation: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { operation, source }
    }
}

/// Alternate screen, no cursor, bracketed paste, focus reports.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[?2004h\x1b[?1004h\x1b[2J";

/// Everything that [`ENTER`], [`MOUSE`] and a frame that was cut short may have left behind.
const LEAVE: &str = "\x1b[?2026l\x1b[?1006l\x1b[?1002l\x1b[?1000l\x1b[?1004l\x1b[?2004l\x1b[0m\x1b[?25h\x1b[?1049l";

/// Clicks, wheel and drags in extended coordinates; no movement without a button: it would
/// flood the loop.
const MOUSE: [&str; 2] = ["\x1b[?1006l\x1b[?1002l\x1b[?1000l", "\x1b[?1000h\x1b[?1002h\x1b[?1006h"];

/// Begin and end of a synchronized update: terminals that know it show the frame as a whole.
const FRAME: [&[u8]; 2] = [b"\x1b[?2026h", b"\x1b[?2026l"];

/// The longest text that is put on the clipboard, bytes: terminals drop longer sequences.
const CLIPBOARD: usize = 74_000;

/// Whether the terminal is ours now.
static ENTERED: AtomicBool = AtomicBool::new(false);

/// The thread that took it: only its panics end the console.
static OWNER: Mutex<Option<ThreadId>> = Mutex::new(None);

/// What other threads said when they panicked, to be shown when the terminal is given back.
static OVERHEARD: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// The terminal while it is ours.
#[derive(Debug)]
pub struct Terminal {
    shown: Buffer,
    next: Buffer,
    out: Vec<u8>,
    mouse: bool,
}

impl Terminal {
    /// Takes the terminal.
    ///
    /// # Errors
    /// When input or output is none, or it refuses.
    pub fn enter(mouse: bool) -> Result<Self, TerminalError> {
        for (stream, is_terminal) in [
            ("input", io::stdin().is_terminal()),
            ("output", io::stdout().is_terminal()),
        ] {
            if !is_terminal {
                return Err(TerminalError::NotATerminal(stream));
            }
        }
        // Colours are chosen by theme and depth. crossterm's own reading of NO_COLOR would turn
        // every colour into a reset of all attributes.
        crossterm::style::force_color_output(true);
        install_hook();
        let mut terminal = Self {
            shown: Buffer::empty(Rect::ZERO),
            next: Buffer::empty(Rect::ZERO),
            out: Vec::with_capacity(64 * 1024),
            mouse,
        };
        terminal.resume()?;
        Ok(terminal)
    }

    /// Takes the terminal again after [`Terminal::leave`], or after somebody else had it.
    ///
    /// # Errors
    /// When it refuses.
    pub fn resume(&mut self) -> Result<(), TerminalError> {
        *OWNER.lock().unwrap_or_else(PoisonError::into_inner) = Some(std::thread::current().id());
        ENTERED.store(true, Ordering::SeqCst);
        enable_raw_mode().map_err(TerminalError::io("switch to raw mode"))?;
        let modes = format!("{ENTER}{}", MOUSE[usize::from(self.mouse)]);
        write(modes.as_bytes()).map_err(TerminalError::io("write to"))?;
        self.shown = Buffer::empty(Rect::ZERO);
        Ok(())
    }

    /// Gives the terminal back.
    pub fn leave(&mut self) {
        restore();
    }

    /// Draws a frame: `paint` sets every cell of the buffer and says where the cursor stands.
    ///
    /// # Errors
    /// When the terminal cannot be written to.
    pub fn draw<T>(
        &mut self,
        paint: impl FnOnce(Rect, &mut Buffer) -> (T, Option<Position>),
    ) -> Result<T, TerminalError> {
        let (width, height) = crossterm::terminal::size().map_err(TerminalError::io("ask the size of"))?;
        let area = Rect::new(0, 0, width, height);
        self.out.extend_from_slice(FRAME[0]);
        if self.shown.area != area {
            self.shown = Buffer::empty(area);
            self.next = Buffer::empty(area);
            self.out.extend_from_slice(b"\x1b[0m\x1b[2J");
        }
        let (result, cursor) = paint(area, &mut self.next);
        let drawn = CrosstermBackend::new(&mut self.out).draw(self.shown.diff(&self.next).into_iter());
        drawn.map_err(TerminalError::io("draw on"))?;
        match cursor {
            Some(Position { x, y }) => {
                let place = format!("\x1b[{};{}H\x1b[?25h", y.saturating_add(1), x.saturating_add(1));
                self.out.extend_from_slice(place.as_bytes());
            }
            None => self.out.extend_from_slice(b"\x1b[?25l"),
        }
        self.out.extend_from_slice(FRAME[1]);
        std::mem::swap(&mut self.shown, &mut self.next);
        let written = write(&self.out);
        self.out.clear();
        written.map_err(TerminalError::io("write to"))?;
        Ok(result)
    }

    /// Draws every cell in the next frame.
    pub fn forget(&mut self) {
        self.shown = Buffer::empty(Rect::ZERO);
    }

    /// Takes the mouse, or leaves it to the terminal.
    ///
    /// # Errors
    /// When the terminal cannot be written to.
    pub fn set_mouse(&mut self, on: bool) -> Result<(), TerminalError> {
        self.mouse = on;
        write(MOUSE[usize::from(on)].as_bytes()).map_err(TerminalError::io("write to"))
    }

    /// Sends what is no part of a frame: a bell, a notification.
    ///
    /// # Errors
    /// When the terminal cannot be written to.
    pub fn send(&mut self, sequences: &str) -> Result<(), TerminalError> {
        if sequences.is_empty() {
            return Ok(());
        }
        write(sequences.as_bytes()).map_err(TerminalError::io("write to"))
    }

    /// Puts text on the clipboard of the person's own machine (OSC 52), cut to what terminals take.
    ///
    /// # Errors
    /// When the terminal cannot be written to.
    pub fn copy(&mut self, text: &str) -> Result<(), TerminalError> {
        let text = &text[..text.floor_char_boundary(CLIPBOARD)];
        let encoded = base64::engine::general_purpose::STANDARD.encode(text);
        write(format!("\x1b]52;c;{encoded}\x07").as_bytes()).map_err(TerminalError::io("write to"))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.leave();
    }
}

fn write(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()
}

/// Gives the terminal back, once however often it is called. A terminal that is gone (SIGHUP)
/// cannot be told anything, and need not be.
fn restore() {
    if ENTERED.swap(false, Ordering::SeqCst) {
        let told = write(LEAVE.as_bytes());
        let cooked = disable_raw_mode();
        if let Err(error) = told.and(cooked) {
            tracing::debug!(%error, "give the terminal back");
        }
        let overheard = std::mem::take(&mut *OVERHEARD.lock().unwrap_or_else(PoisonError::into_inner));
        let mut stderr = io::stderr().lock();
        for message in overheard {
            if writeln!(stderr, "{message}").is_err() {
                return;
            }
        }
    }
}

/// Before anybody else's hook: a panic of the console gives the terminal back first, so that the
/// message can be read. A panic of another thread (a source's task, which its supervisor survives)
/// must not tear the screen: its message waits until the terminal is given back.
fn install_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let owner = *OWNER.lock().unwrap_or_else(PoisonError::into_inner);
            if !ENTERED.load(Ordering::SeqCst) || owner == Some(std::thread::current().id()) {
                restore();
                previous(info);
            } else {
                overhear(info);
            }
        }));
    });
}

fn overhear(info: &PanicHookInfo<'_>) {
    let message = info.to_string();
    tracing::error!(%message, "a task panicked");
    let mut overheard = OVERHEARD.lock().unwrap_or_else(PoisonError::into_inner);
    if overheard.len() < 20 {
        overheard.push(message);
    }
}
