//! What may be wrong with a webhook on purpose: the attacks that a gateway has to refuse.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// A way to send a webhook.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Variant {
    /// As the provider would send it.
    #[default]
    Valid,
    /// Signed with another key.
    WrongSignature,
    /// Changed after it was signed.
    TamperedBody,
    /// Signed long ago.
    StaleTimestamp,
    /// Without the signature's headers.
    MissingHeader,
    /// Properly signed, but cut off: no JSON.
    MalformedJson,
    /// Properly signed, but larger than a webhook has any reason to be.
    Oversized,
    /// The run's first webhook again, freshly signed: what a retry looks like, and a replay.
    ReplayedId,
    /// Properly signed, but its body comes in drips.
    SlowBody,
}

impl Variant {
    /// Every variant once.
    pub const ALL: [Self; 9] = [
        Self::Valid,
        Self::WrongSignature,
        Self::TamperedBody,
        Self::StaleTimestamp,
        Self::MissingHeader,
        Self::MalformedJson,
        Self::Oversized,
        Self::ReplayedId,
        Self::SlowBody,
    ];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::WrongSignature => "wrong-signature",
            Self::TamperedBody => "tampered-body",
            Self::StaleTimestamp => "stale-timestamp",
            Self::MissingHeader => "missing-header",
            Self::MalformedJson => "malformed-json",
            Self::Oversized => "oversized",
            Self::ReplayedId => "replayed-id",
            Self::SlowBody => "slow-body",
        }
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no variant's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "variant {0:?} is not known → use one of {names}",
    names = Variant::ALL.map(Variant::name).join(", ")
)]
pub struct UnknownVariant(String);

impl FromStr for Variant {
    type Err = UnknownVariant;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|variant| variant.name() == text)
            .ok_or_else(|| UnknownVariant(crate::base::text::safe(text).into_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_and_listed_when_one_is_unknown() {
        let error = "huge".parse::<Variant>().unwrap_err().to_string();
        for variant in Variant::ALL {
            assert_eq!(variant.to_string().parse(), Ok(variant));
            assert!(error.contains(variant.name()), "{error}");
        }
    }
}
