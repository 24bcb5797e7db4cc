//! The console on a recording: its own update and drawing, without a terminal.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::shot::Shot;
use crate::base::time::Moment;
use crate::console::app::{App, Msg, Options, draw, update};
use crate::console::command::Command;
use crate::console::screen::{Badge, Hits};
use crate::console::theme::Theme;
use crate::model::{Settings, View};
use crate::sample::Envelope;

/// The console on what a recording holds. The same samples, theme and size draw the same cells,
/// whatever the environment.
#[derive(Debug)]
pub struct Film<'a> {
    theme: &'a Theme,
    shot: Shot,
    app: Option<App>,
}

impl<'a> Film<'a> {
    /// A console that shows nothing yet.
    #[must_use]
    pub fn new(theme: &'a Theme, shot: Shot) -> Self {
        Self { theme, shot, app: None }
    }

    /// A session begins.
    pub fn begin(&mut self, settings: Settings, start: Moment) {
        let options = Options {
            badges: vec![Badge::Playback],
            ..Options::default()
        };
        let mut app = App::live(settings, options, start);
        let mut screens = Command::ALL.iter();
        if let Some(command) = screens.find(|command| command.target() == Some(self.shot.screen)) {
            app.run(*command, &Hits::default());
        }
        self.app = Some(app);
    }

    /// A sample.
    pub fn data(&mut self, envelope: Envelope) {
        self.tell(Msg::Data(envelope));
    }

    /// Figures are worked out.
    pub fn tick(&mut self, now: Moment) {
        self.tell(Msg::Tick(now));
    }

    fn tell(&mut self, msg: Msg) {
        if let Some(app) = &mut self.app {
            // What it wants done outside of itself (quit, copy) only follows from keys.
            update(app, msg, &Hits::default());
        }
    }

    /// The figures; `None` before the first session.
    #[must_use]
    pub fn view(&self) -> Option<&View> {
        self.app.as_ref().map(App::view)
    }

    /// The screen; `None` before the first session.
    #[must_use]
    pub fn frame(&self) -> Option<Buffer> {
        let app = self.app.as_ref()?;
        let area = Rect::new(0, 0, self.shot.size.0, self.shot.size.1);
        let mut buffer = Buffer::empty(area);
        draw(app, self.theme, area, &mut buffer);
        Some(buffer)
    }
}
