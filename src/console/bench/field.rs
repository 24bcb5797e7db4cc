//! The rows of a form: what they are called, and what may be typed there.

/// A row of the form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    /// The URL.
    Target,
    /// How it is signed.
    Scheme,
    /// Where the key is.
    Secret,
    /// Whether it is followed.
    Trace,
    /// How many.
    Count,
    /// How many a second.
    Rate,
    /// For how long.
    Lasts,
    /// Requests in flight.
    Concurrency,
    /// Which attack.
    Variant,
    /// What must hold.
    Expect,
    /// A field of the body, by its path.
    Body(String),
}

impl Field {
    /// The rows that every form has, in order.
    pub(super) const COMMON: [Self; 10] = [
        Self::Target,
        Self::Scheme,
        Self::Secret,
        Self::Trace,
        Self::Count,
        Self::Rate,
        Self::Lasts,
        Self::Concurrency,
        Self::Variant,
        Self::Expect,
    ];

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Target => "target",
            Self::Scheme => "scheme",
            Self::Secret => "secret",
            Self::Trace => "trace",
            Self::Count => "count",
            Self::Rate => "rate",
            Self::Lasts => "for",
            Self::Concurrency => "concurrency",
            Self::Variant => "variant",
            Self::Expect => "expect",
            Self::Body(path) => path,
        }
    }

    /// What it is known by among the rows: a body's field may be called `target`, too.
    #[must_use]
    pub fn key(&self) -> String {
        match self {
            Self::Body(path) => format!("body {path}"),
            other => other.name().to_owned(),
        }
    }

    /// What may be typed there.
    #[must_use]
    pub fn help(&self) -> &'static str {
        match self {
            Self::Target => "a URL; empty: the profile's",
            Self::Scheme => "a signature scheme; empty: the template's",
            Self::Secret => "$VARIABLE or /path/of/a/file that holds the key; empty: the profile's",
            Self::Count => "how many webhooks; empty: one",
            Self::Rate => "webhooks a second; empty: as fast as they are answered",
            Self::Lasts => "how long, like 30s; empty: until the count is reached",
            Self::Concurrency => "requests in flight at most",
            Self::Expect => "2xx, 401, p99<200ms, header:NAME=VALUE, $.json.path=VALUE",
            Self::Body(_) => "a text or JSON; {{uuid}} {{now}} {{seq}} {{int 1 9}} {{choice a|b}} {{hex 8}}",
            Self::Trace | Self::Variant => "",
        }
    }
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Somebody set it here.
    Edited,
    /// The profile.
    Profile,
    /// The template.
    Template,
    /// Nobody said otherwise.
    Usual,
}

impl Origin {
    /// In a word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Edited => "edited",
            Self::Profile => "profile",
            // The usual case need not be said.
            Self::Template | Self::Usual => "",
        }
    }
}
