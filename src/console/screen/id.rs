//! What screens, panels and rows are called.

/// The screens, by their keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Screen {
    /// `1`: flow, verdict, ledger.
    #[default]
    Overview,
    /// `2`: streams and consumers.
    Queues,
    /// `3`: workers.
    Workers,
    /// `4`: failures.
    Failures,
    /// `5`: dead letters.
    DeadLetters,
    /// `6`: test webhooks.
    TestWebhooks,
    /// `7`: events.
    Events,
}

impl Screen {
    /// Every screen, in the order of their keys.
    pub const ALL: [Self; 7] = [
        Self::Overview,
        Self::Queues,
        Self::Workers,
        Self::Failures,
        Self::DeadLetters,
        Self::TestWebhooks,
        Self::Events,
    ];

    /// Its name.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Queues => "Queues",
            Self::Workers => "Workers",
            Self::Failures => "Failures",
            Self::DeadLetters => "Dead letters",
            Self::TestWebhooks => "Test webhooks",
            Self::Events => "Events",
        }
    }
}

/// A panel: its name is unique among all screens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PanelId(pub &'static str);

/// A row of a screen's table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The screen.
    pub screen: Screen,
    /// Its panel.
    pub panel: PanelId,
    /// The row's key.
    pub row: String,
}
