//! What a cell means. Screens name roles, themes give them colours.

/// Where a role's text must be readable: what the contrast test demands of a theme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text, on every fill: 4.5:1.
    Text,
    /// A background.
    Fill,
    /// Text on a background of its own: 4.5:1.
    Badge,
    /// Lines and areas that carry no text.
    Ornament,
}

macro_rules! roles {
    ($($(#[doc = $doc:literal])* $name:ident = $key:literal, $letter:literal, $kind:ident, $parent:expr;)*) => {
        /// What a cell means.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Role { $($(#[doc = $doc])* $name,)* }

        impl Role {
            /// Every role.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Its name in a theme.
            #[must_use]
            pub fn key(self) -> &'static str { match self { $(Self::$name => $key,)* } }

            /// Its letter in the second plane of a screen's snapshot.
            #[must_use]
            pub fn letter(self) -> char { match self { $(Self::$name => $letter,)* } }

            /// What it must be readable on.
            #[must_use]
            pub fn kind(self) -> Kind { match self { $(Self::$name => Kind::$kind,)* } }

            /// The role whose look it takes where a theme leaves it out.
            #[must_use]
            pub fn parent(self) -> Option<Self> { use Role as R; match self { $(Self::$name => $parent,)* } }

            /// What it is for.
            #[must_use]
            pub fn meaning(self) -> &'static str { match self { $(Self::$name => concat!($($doc),*).trim_ascii(),)* } }
        }
    };
}

roles! {
    /// The whole screen: its background, and the foreground of everything that names none.
    Background = "background", '.', Fill, None;
    /// The status line and the key line.
    Raised = "raised", '_', Fill, Some(R::Background);
    /// The row under the cursor.
    Selection = "selection", '=', Fill, Some(R::Raised);
    /// The area between ingest and processing.
    Gap = "chart-gap", '%', Fill, Some(R::Raised);

    /// Plain text.
    Text = "text", 't', Text, None;
    /// Labels, units and everything that may wait.
    Dim = "dim", 'd', Text, Some(R::Text);
    /// Numbers and sentences that matter.
    Strong = "strong", 's', Text, Some(R::Text);
    /// The one accent colour.
    Accent = "accent", 'a', Text, Some(R::Text);
    /// A panel's title.
    Title = "title", 'T', Text, Some(R::Strong);
    /// A panel's note on the right of its title.
    Note = "note", 'N', Text, Some(R::Dim);
    /// A column's heading.
    Heading = "heading", 'h', Text, Some(R::Dim);
    /// A key that can be pressed.
    Key = "key", 'k', Text, Some(R::Accent);
    /// What to do next.
    NextStep = "next-step", 'n', Text, Some(R::Accent);

    /// All is well.
    Ok = "ok", 'o', Text, Some(R::Text);
    /// Good to know.
    Info = "info", 'i', Text, Some(R::Dim);
    /// Look at it.
    Warning = "warning", 'w', Text, Some(R::Text);
    /// Act now.
    Critical = "critical", 'c', Text, Some(R::Warning);
    /// The last known value of a source that does not answer.
    Stale = "stale", 'z', Text, Some(R::Dim);
    /// Not known.
    Unknown = "unknown", 'u', Text, Some(R::Dim);

    /// A panel's frame, and the arrows of the flow.
    Border = "border", 'b', Ornament, Some(R::Dim);
    /// The frame of the focused panel.
    BorderFocused = "border-focused", 'f', Ornament, Some(R::Accent);
    /// The bar beside the row under the cursor, and scroll bars.
    Marker = "marker", 'm', Ornament, Some(R::Accent);
    /// Axes and ticks.
    ChartAxis = "chart-axis", 'x', Ornament, Some(R::Border);
    /// The line of ingest.
    ChartIngest = "chart-ingest", 'I', Ornament, Some(R::Accent);
    /// The line of processing.
    ChartProcessing = "chart-processing", 'P', Ornament, Some(R::Ok);
    /// The area of the backlog.
    ChartBacklog = "chart-backlog", 'B', Ornament, Some(R::Warning);
    /// A history in one row.
    Sparkline = "sparkline", 'S', Ornament, Some(R::ChartProcessing);

    /// A label with a background of its own: PLAYBACK, DEMO.
    Badge = "badge", 'D', Badge, None;
    /// LIVE.
    BadgeLive = "badge-live", 'L', Badge, Some(R::Badge);
    /// READ-ONLY, PAUSED.
    BadgeCaution = "badge-caution", 'C', Badge, Some(R::Badge);
    /// PROD, NO DATA.
    BadgeDanger = "badge-danger", 'X', Badge, Some(R::BadgeCaution);
}

impl Role {
    /// How many there are.
    pub const COUNT: usize = Self::ALL.len();

    /// Its place in [`Role::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The role of that name.
    #[must_use]
    pub fn parse(key: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|role| role.key() == key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_letters_are_unique() {
        for (i, a) in Role::ALL.iter().enumerate() {
            assert_eq!(a.index(), i);
            assert!(!a.meaning().is_empty());
            for b in &Role::ALL[i + 1..] {
                assert_ne!(a.key(), b.key());
                assert_ne!(a.letter(), b.letter(), "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn every_chain_of_parents_ends() {
        for role in Role::ALL {
            let chain = std::iter::successors(Some(*role), |role| role.parent()).take(Role::COUNT + 1);
            assert!(chain.count() <= Role::COUNT, "{role:?}");
        }
    }
}
