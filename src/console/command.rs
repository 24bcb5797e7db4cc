//! THE table of what can be done. Keys, help, key line, palette, keymap files and mouse derive
//! from it: a new command is one line here and one arm in [`App::run`](super::app::App).

use super::screen::id::Screen;

/// A chapter of the help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Chapter {
    /// Between screens.
    Screens,
    /// Within a screen.
    Panels,
    /// Rows of a table.
    Rows,
    /// The past: a recording, the last minutes, what is kept of now.
    Past,
    /// Test webhooks.
    Webhooks,
    /// Dead letters.
    Letters,
    /// What is shown, and how.
    Display,
    /// The console itself.
    Console,
}

impl Chapter {
    /// Every chapter, in the order of the help.
    pub const ALL: [Self; 8] = [
        Self::Screens,
        Self::Letters,
        Self::Webhooks,
        Self::Panels,
        Self::Rows,
        Self::Past,
        Self::Display,
        Self::Console,
    ];

    /// Its heading.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Screens => "Screens",
            Self::Panels => "Panels",
            Self::Rows => "Rows",
            Self::Past => "Past",
            Self::Webhooks => "Test webhooks",
            Self::Letters => "Dead letters",
            Self::Display => "Display",
            Self::Console => "Console",
        }
    }
}

/// What is on screen: now, or something that is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// A live session, or a picture of one.
    #[default]
    Live,
    /// A recording that is played.
    Recording,
    /// The last minutes of a live session, which goes on meanwhile.
    Rewind,
}

/// When a command can be run, if not always.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// On a live session only.
    Live,
    /// On what is over only. Its keys come before those that another command has there.
    Past,
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
    (@when) => { None };
    (@when $when:ident) => { Some(When::$when) };
    (@screens) => { None };
    (@screens $($screen:ident)+) => { Some(&[$(Screen::$screen),+]) };
    ($($chapter:ident { $(
        #[doc = $doc:literal]
        $name:ident = $id:literal $([$($key:literal),*])? $(, hint $label:literal / $rank:literal)? $(, on $($screen:ident)+)? $(, while $when:ident)?;
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

            /// When it can be run; `None`: always.
            #[must_use]
            pub fn when(self) -> Option<When> { match self { $($(Self::$name => commands!(@when $($when)?),)*)* } }
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
        /// Goes to the next of several profiles; `:profile NAME` to one of them.
        NextProfile = "next-profile" ["n", "`"];
        /// Goes to the profile before.
        PreviousProfile = "previous-profile" ["~"];
    }
    Panels {
        /// Goes to the next panel.
        FocusNext = "focus-next" ["tab"], hint "panel" / 3;
        /// Goes to the previous panel.
        FocusPrevious = "focus-previous" ["shift-tab"];
        /// Goes down by a row.
        ScrollDown = "scroll-down" ["j", "down"], hint "scroll" / 6;
        /// Goes up by a row.
        ScrollUp = "scroll-up" ["k", "up"], hint "scroll" / 6;
        /// Goes down by half a page.
        HalfPageDown = "half-page-down" ["ctrl-d", "pgdn"];
        /// Goes up by half a page.
        HalfPageUp = "half-page-up" ["ctrl-u", "pgup"];
        /// Goes to the top.
        ScrollTop = "scroll-top" ["g", "home"];
        /// Goes to the bottom.
        ScrollBottom = "scroll-bottom" ["G", "end"];
        /// Opens what is selected.
        Open = "open" ["enter"], hint "open" / 3;
        /// Gives the focused panel the whole screen, or back.
        Zoom = "zoom" ["z"], hint "zoom" / 5;
        /// Shows where the focused figure comes from: source, samples, age, formula.
        Why = "why" ["i"], hint "why" / 4;
        /// Copies a summary of what is focused to the clipboard (OSC 52).
        Copy = "copy" ["y"], hint "copy" / 6;
    }
    Rows {
        /// Shows only the rows that hold every word; `!word`: that do not hold it.
        Filter = "filter" ["/"], hint "filter" / 1, on Queues Workers Failures DeadLetters TestWebhooks Events;
        /// Sorts by the focused column; again: the other way round.
        Sort = "sort" ["s"], hint "sort" / 4, on Queues Workers Failures DeadLetters TestWebhooks Events;
        /// Goes to the column on the left.
        ColumnLeft = "column-left" ["left", "h"], on Queues Workers Failures DeadLetters TestWebhooks Events;
        /// Goes to the column on the right.
        ColumnRight = "column-right" ["right", "l"], on Queues Workers Failures DeadLetters TestWebhooks Events;
        /// Chooses which columns are shown.
        Columns = "columns" ["c"], hint "columns" / 6, on Queues Workers Failures DeadLetters TestWebhooks Events;
        /// Marks the row, or takes the mark off.
        Mark = "mark" ["space"], on Queues Workers Failures DeadLetters TestWebhooks Events;
    }
    Webhooks {
        /// Fires what the form says; in the history, that run again.
        Fire = "fire" ["f"], hint "fire" / 1, on TestWebhooks, while Live;
        /// Stops what is being fired; what was sent stays sent.
        StopFiring = "stop-firing" ["x"], hint "stop" / 4, on TestWebhooks;
        /// Edits the body in $VISUAL or $EDITOR.
        EditBody = "edit-body" ["e"], hint "body" / 3, on TestWebhooks;
        /// Follows the webhook to its row, or does not.
        Trace = "trace" ["F"], hint "trace" / 4, on TestWebhooks;
        /// Takes the field under the cursor back to what profile and template say.
        ResetField = "reset-field" ["u"], hint "undo" / 5, on TestWebhooks;
        /// Fires the template every 30 s and follows it, until it is stopped by the same key.
        Canary = "canary" ["C"], hint "canary" / 2, on TestWebhooks, while Live;
    }
    Past {
        /// Plays or pauses.
        PlayPause = "play-pause" ["space", "p"], hint "play" / 0, while Past;
        /// Goes back by 5 s.
        SkipBack = "skip-back" ["left"], hint "5 s" / 1, while Past;
        /// Goes forward by 5 s.
        SkipForward = "skip-forward" ["right"], hint "5 s" / 1, while Past;
        /// Goes back by a minute.
        MinuteBack = "minute-back" ["H", "ctrl-left"], hint "1 min" / 4, while Past;
        /// Goes forward by a minute.
        MinuteForward = "minute-forward" ["L", "ctrl-right"], hint "1 min" / 4, while Past;
        /// Goes one reading back and pauses; from live: into the last 15 minutes.
        StepBack = "step-back" [","], hint "step" / 5;
        /// Goes one reading forward and pauses.
        StepForward = "step-forward" ["."], hint "step" / 5;
        /// Plays slower, down to ½×.
        Slower = "slower" ["<"], hint "speed" / 3, while Past;
        /// Plays faster, up to 16×.
        Faster = "faster" [">"], hint "speed" / 3, while Past;
        /// Plays faster where nothing happens.
        IdleRamp = "idle-ramp" ["I"], while Past;
        /// Begins anew at the end.
        Loop = "loop" ["o"], while Past;
        /// Goes to the last marker before this moment.
        PreviousMarker = "previous-marker" ["["], hint "marker" / 4;
        /// Goes to the next marker.
        NextMarker = "next-marker" ["]"], hint "marker" / 4;
        /// Goes to the last alert before this moment.
        PreviousAlert = "previous-alert" ["{"], hint "alert" / 2;
        /// Goes to the next alert.
        NextAlert = "next-alert" ["}"], hint "alert" / 2;
        /// Goes to a time (14:03:22), an offset (90s, -10s) or a part (30%).
        Goto = "goto" ["t"], hint "goto" / 3;
        /// Goes to the beginning.
        Tenth0 = "tenth-0" ["0", "alt-0"], while Past;
        /// Goes to so many tenths of the length.
        Tenth1 = "tenth-1" ["alt-1"], while Past;
        /// Goes to so many tenths of the length.
        Tenth2 = "tenth-2" ["alt-2"], while Past;
        /// Goes to so many tenths of the length.
        Tenth3 = "tenth-3" ["alt-3"], while Past;
        /// Goes to so many tenths of the length.
        Tenth4 = "tenth-4" ["alt-4"], while Past;
        /// Goes to so many tenths of the length.
        Tenth5 = "tenth-5" ["alt-5"], while Past;
        /// Goes to so many tenths of the length.
        Tenth6 = "tenth-6" ["alt-6"], while Past;
        /// Goes to so many tenths of the length.
        Tenth7 = "tenth-7" ["alt-7"], while Past;
        /// Goes to so many tenths of the length.
        Tenth8 = "tenth-8" ["alt-8"], while Past;
        /// Goes to so many tenths of the length.
        Tenth9 = "tenth-9" ["alt-9"], while Past;
        /// Marks this moment with a text; a recording keeps it.
        Note = "note" ["m"], hint "mark" / 5;
        /// Lists markers and alerts; enter goes to one.
        Markers = "markers" ["'"], hint "marks" / 5, while Past;
        /// Remembers the figures of this moment, to compare another with.
        Pin = "pin" ["P"], on Overview Queues Workers Failures TestWebhooks Events;
        /// Compares the pinned moment (or the one shown) with now, largest change first.
        Compare = "compare" ["D"];
        /// Starts to record, or ends the recording.
        Record = "record" ["r"], hint "record" / 5, on Overview Queues Workers Failures TestWebhooks Events, while Live;
        /// Steps back into the last 15 minutes, or returns to live.
        Rewind = "rewind" ["R"], hint "rewind" / 5, on Overview Queues Workers Failures TestWebhooks Events;
        /// Saves the last 15 minutes as a recording.
        Save = "save" ["S"];
    }
    Letters {
        /// Replays the marked letters, else the one under the cursor or the group: draws a plan and asks first.
        Replay = "replay" ["R"], hint "replay" / 1, on DeadLetters, while Live;
        /// Puts them aside into the archive stream instead.
        Archive = "archive" ["A"], on DeadLetters, while Live;
        /// Writes them to a new file, a JSON object a line.
        ExportLetters = "export-letters" ["e"], hint "export" / 5, on DeadLetters, while Live;
        /// Marks every letter that the list means, or takes all marks off.
        MarkAll = "mark-all" ["a"], on DeadLetters, while Live;
        /// Groups by cause, provider, subject or hour.
        GroupBy = "group-by" ["b"], hint "group by" / 3, on DeadLetters, while Live;
        /// Shows the newest or the oldest first.
        Order = "order" ["o"], on DeadLetters, while Live;
        /// Shows copies, messages parked in the source stream, or failed rows in Postgres.
        Forms = "forms" ["f"], on DeadLetters, while Live;
        /// Reads everything afresh.
        Reload = "reload" ["r"], on DeadLetters, while Live;
        /// Shows the payload as a tree, as text or in hexadecimal.
        Look = "look" ["d"], hint "payload" / 4, on DeadLetters, while Live;
        /// Unlocks changes for 15 min, or locks them again.
        Unlock = "unlock" ["W"], on DeadLetters TestWebhooks, while Live;
        /// Pauses the replay, or lets it go on.
        PauseReplay = "pause-replay" ["P"], on DeadLetters, while Live;
        /// Ends the replay; what was sent is settled first.
        CancelReplay = "cancel-replay" ["X"], on DeadLetters, while Live;
        /// Goes on with a replay that was left unfinished.
        ResumeReplay = "resume-replay" ["u"], on DeadLetters, while Live;
        /// Replays at a higher rate.
        RateUp = "rate-up" ["+", "="], on DeadLetters, while Live;
        /// Replays at a lower rate.
        RateDown = "rate-down" ["-"], on DeadLetters, while Live;
    }
    Display {
        /// Lists the verdicts with their evidence; acknowledge and silence them there.
        Verdicts = "verdicts" ["v"], hint "verdicts" / 4;
        /// Acknowledges a verdict: known, until it clears.
        Acknowledge = "acknowledge" ["a"], on Overview;
        /// Silences a verdict for an hour.
        Silence = "silence" ["A"], on Overview;
        /// Asks how many workers would drain the backlog in time.
        WhatIf = "what-if" ["w"], hint "what if" / 6, on Overview Queues Workers;
        /// Holds the picture still; data goes on.
        Pause = "pause" ["p"], hint "pause" / 4, while Live;
        /// Charts over a longer time: 1, 5, 15 min, 1 h.
        RangeLonger = "range-longer" ["+", "="], hint "range" / 6, on Overview Queues Workers Failures;
        /// Charts over a shorter time.
        RangeShorter = "range-shorter" ["-"], hint "range" / 6, on Overview Queues Workers Failures;
        /// Shows moments in UTC or in local time.
        TimeZone = "time-zone" ["U"];
        /// Goes to the next theme.
        NextTheme = "next-theme" ["T"], hint "theme" / 6;
        /// Leaves the mouse to the terminal, to select text.
        Mouse = "mouse" ["M"];
        /// Draws the whole screen afresh.
        Redraw = "redraw" ["ctrl-l"];
    }
    Console {
        /// Runs a command by its name: completes, and remembers what was run.
        Palette = "palette" [":"], hint "command" / 1;
        /// Shows or hides this help.
        Help = "help" ["?", "f1"], hint "help" / 0;
        /// Shows the messages of this session.
        Messages = "messages" ["N"];
        /// Goes back one layer: popup, detail, filter, zoom, focus.
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
        self.screens().is_none_or(|screens| screens.contains(&screen))
    }

    /// Whether it can be run while that is on screen.
    #[must_use]
    pub fn fits(self, mode: Mode) -> bool {
        match self.when() {
            None => true,
            Some(When::Live) => mode == Mode::Live,
            Some(When::Past) => mode != Mode::Live,
        }
    }

    /// Whether it answers or changes something: a recording has nobody who could.
    #[must_use]
    pub fn acts(self) -> bool {
        matches!(
            self,
            Self::Acknowledge
                | Self::Silence
                | Self::Fire
                | Self::Canary
                | Self::Replay
                | Self::Archive
                | Self::ResumeReplay
                | Self::Unlock
        )
    }

    /// The tenth of a recording that it goes to.
    #[must_use]
    pub fn tenth(self) -> Option<u32> {
        Some(match self {
            Self::Tenth0 => 0,
            Self::Tenth1 => 1,
            Self::Tenth2 => 2,
            Self::Tenth3 => 3,
            Self::Tenth4 => 4,
            Self::Tenth5 => 5,
            Self::Tenth6 => 6,
            Self::Tenth7 => 7,
            Self::Tenth8 => 8,
            Self::Tenth9 => 9,
            _ => return None,
        })
    }

    /// Whether they do the same with another number, and share a row of the help.
    #[must_use]
    pub fn does_the_same(self, other: Self) -> bool {
        self.doc() == other.doc()
    }

    /// Whether some screen has both at a time: then they need different keys.
    #[must_use]
    pub fn meets(self, other: Self) -> bool {
        // What is of the past comes first there.
        let past = |command: Self| command.when() == Some(When::Past);
        if past(self) != past(other) {
            return false;
        }
        match (self.screens(), other.screens()) {
            (Some(ours), Some(theirs)) => ours.iter().any(|screen| theirs.contains(screen)),
            _ => true,
        }
    }

    /// The command of that name.
    #[must_use]
    pub fn parse(id: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|command| command.id() == id)
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
            let Some(target) = command.target() else { continue };
            assert!(command.applies(Screen::Overview), "{target:?}");
        }
    }

    #[test]
    fn commands_of_one_screen_have_keys_of_their_own() {
        for (at, a) in Command::ALL.iter().enumerate() {
            for b in &Command::ALL[at + 1..] {
                let shared = a.default_keys().iter().any(|key| b.default_keys().contains(key));
                assert!(!(shared && a.meets(*b)), "{} and {}", a.id(), b.id());
            }
        }
    }
}
