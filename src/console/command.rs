//! THE table of what can be done. Keys, help, key line and mouse derive from it, and so will
//! palette, keymap files and the manual page: a new command is one line here and one arm in
//! [`App::run`](super::app::App).

use super::screen::Screen;

/// A chapter of the help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Chapter {
    /// Between screens.
    Screens,
    /// Within a screen.
    Panels,
    /// What is shown, and how.
    Display,
    /// The console itself.
    Console,
}

impl Chapter {
    /// Every chapter, in the order of the help.
    pub const ALL: [Self; 4] = [Self::Screens, Self::Panels, Self::Display, Self::Console];

    /// Its heading.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Screens => "Screens",
            Self::Panels => "Panels",
            Self::Display => "Display",
            Self::Console => "Console",
        }
    }
}

/// How a command stands in the key line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hint {
    /// What it does, in a word. Neighbours in the table with the same label share one hint.
    pub label: &'static str,
    /// Hints of the highest rank are left out first where there is no room; 0 never is.
    pub rank: u8,
}

macro_rules! commands {
    (@hint) => { None };
    (@hint $label:literal $rank:literal) => { Some(Hint { label: $label, rank: $rank }) };
    (@screens) => { None };
    (@screens $($screen:ident)+) => { Some(&[$(Screen::$screen),+]) };
    ($($chapter:ident { $(
        #[doc = $doc:literal]
        $name:ident = $id:literal $([$($key:literal),*])? $(, hint $label:literal / $rank:literal)? $(, on $($screen:ident)+)?;
    )* })*) => {
        /// Something that can be done.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Command { $($(#[doc = $doc] $name,)*)* }

        impl Command {
            /// Every command, in the order of the help and of the key line.
            pub const ALL: &[Self] = &[$($(Self::$name,)*)*];

            /// Its name in keymaps and in the palette.
            #[must_use]
            pub fn id(self) -> &'static str { match self { $($(Self::$name => $id,)*)* } }

            /// Its keys, unless a keymap says otherwise.
            #[must_use]
            pub fn default_keys(self) -> &'static [&'static str] { match self { $($(Self::$name => &[$($($key),*)?],)*)* } }

            /// Its chapter of the help.
            #[must_use]
            pub fn chapter(self) -> Chapter { match self { $($(Self::$name => Chapter::$chapter,)*)* } }

            /// What it does, in one sentence.
            #[must_use]
            pub fn doc(self) -> &'static str { match self { $($(Self::$name => $doc.trim_ascii(),)*)* } }

            /// How it stands in the key line; `None`: not at all.
            #[must_use]
            pub fn hint(self) -> Option<Hint> { match self { $($(Self::$name => commands!(@hint $($label $rank)?),)*)* } }

            /// The screens that have it; `None`: all.
            #[must_use]
            pub fn screens(self) -> Option<&'static [Screen]> { match self { $($(Self::$name => commands!(@screens $($($screen)+)?),)*)* } }
        }
    };
}

commands! {
    Screens {
        /// Overview: flow, verdict, ledger.
        ShowOverview = "show-overview" ["1"], hint "screens" / 2;
        /// Queues: streams and consumers.
        ShowQueues = "show-queues" ["2"], hint "screens" / 2;
        /// Workers.
        ShowWorkers = "show-workers" ["3"], hint "screens" / 2;
        /// Failures.
        ShowFailures = "show-failures" ["4"], hint "screens" / 2;
        /// Dead letters.
        ShowDeadLetters = "show-dead-letters" ["5"], hint "screens" / 2;
        /// Test webhooks.
        ShowTestWebhooks = "show-test-webhooks" ["6"], hint "screens" / 2;
        /// Events.
        ShowEvents = "show-events" ["7"], hint "screens" / 2;
    }
    Panels {
        /// Goes to the next panel.
        FocusNext = "focus-next" ["tab"], hint "panel" / 2;
        /// Goes to the previous panel.
        FocusPrevious = "focus-previous" ["shift-tab"];
        /// Scrolls down by a row.
        ScrollDown = "scroll-down" ["j", "down"], hint "scroll" / 5;
        /// Scrolls up by a row.
        ScrollUp = "scroll-up" ["k", "up"], hint "scroll" / 5;
        /// Scrolls down by half a page.
        HalfPageDown = "half-page-down" ["ctrl-d", "pgdn"];
        /// Scrolls up by half a page.
        HalfPageUp = "half-page-up" ["ctrl-u", "pgup"];
        /// Scrolls to the top.
        ScrollTop = "scroll-top" ["g", "home"];
        /// Scrolls to the bottom.
        ScrollBottom = "scroll-bottom" ["G", "end"];
        /// Gives the focused panel the whole screen, or back.
        Zoom = "zoom" ["z"], hint "zoom" / 3;
        /// Copies the verdicts to the clipboard (OSC 52).
        Copy = "copy" ["y"], hint "copy" / 6, on Overview;
    }
    Display {
        /// Holds the picture still; data goes on.
        Pause = "pause" ["p"], hint "pause" / 2;
        /// Charts over a longer time: 1, 5, 15 min, 1 h.
        RangeLonger = "range-longer" ["+", "="], hint "range" / 4, on Overview;
        /// Charts over a shorter time.
        RangeShorter = "range-shorter" ["-"], hint "range" / 4, on Overview;
        /// Shows moments in UTC or in local time.
        TimeZone = "time-zone" ["U"];
        /// Goes to the next theme.
        NextTheme = "next-theme" ["T"], hint "theme" / 4;
        /// Leaves the mouse to the terminal, to select text.
        Mouse = "mouse" ["M"];
        /// Draws the whole screen afresh.
        Redraw = "redraw" ["ctrl-l"];
    }
    Console {
        /// Shows or hides this help.
        Help = "help" ["?", "f1"], hint "help" / 0;
        /// Goes back one layer: help, zoom, focus.
        Back = "back" ["esc"];
        /// Suspends the console; `fg` brings it back.
        Suspend = "suspend" ["ctrl-z"];
        /// Ends the console. What it watches goes on.
        Quit = "quit" ["q", "ctrl-c"], hint "quit" / 0;
    }
}

impl Command {
    /// Whether a screen has it.
    #[must_use]
    pub fn applies(self, screen: Screen) -> bool {
        let exists = self.target().is_none_or(Screen::exists);
        exists && self.screens().is_none_or(|screens| screens.contains(&screen))
    }

    /// The screen that it goes to.
    #[must_use]
    pub fn target(self) -> Option<Screen> {
        Some(match self {
            Self::ShowOverview => Screen::Overview,
            Self::ShowQueues => Screen::Queues,
            Self::ShowWorkers => Screen::Workers,
            Self::ShowFailures => Screen::Failures,
            Self::ShowDeadLetters => Screen::DeadLetters,
            Self::ShowTestWebhooks => Screen::TestWebhooks,
            Self::ShowEvents => Screen::Events,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_and_every_command_is_explained() {
        for (i, a) in Command::ALL.iter().enumerate() {
            assert!(a.doc().ends_with('.'), "{}", a.id());
            assert!(Command::ALL[i + 1..].iter().all(|b| a.id() != b.id()), "{}", a.id());
        }
    }

    #[test]
    fn a_screen_that_is_not_there_is_not_offered() {
        assert!(Command::ShowOverview.applies(Screen::Overview));
        for command in Command::ALL {
            assert_eq!(
                command.target().is_some_and(|screen| !screen.exists()),
                !command.applies(Screen::Overview),
                "{}",
                command.id()
            );
        }
    }
}
