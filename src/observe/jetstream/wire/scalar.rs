//! The parts that lenient answers are made of. None of them fails on a value of the wrong
//! type: it becomes `None`, so that one odd field does not cost the whole answer.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::base::time::Timestamp;

/// Any JSON value, reduced to what can be one figure or one word.
enum Scalar {
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Text(String),
    /// Null, a list or an object.
    Other,
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyScalar;
        impl<'de> Visitor<'de> for AnyScalar {
            type Value = Scalar;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any value")
            }
            fn visit_bool<E>(self, value: bool) -> Result<Scalar, E> {
                Ok(Scalar::Bool(value))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Scalar, E> {
                Ok(Scalar::Unsigned(value))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Scalar, E> {
                Ok(Scalar::Signed(value))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Scalar, E> {
                Ok(Scalar::Float(value))
            }
            fn visit_str<E>(self, value: &str) -> Result<Scalar, E> {
                Ok(Scalar::Text(value.to_owned()))
            }
            fn visit_string<E>(self, value: String) -> Result<Scalar, E> {
                Ok(Scalar::Text(value))
            }
            fn visit_unit<E>(self) -> Result<Scalar, E> {
                Ok(Scalar::Other)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Scalar, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Scalar::Other)
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Scalar::Other)
            }
        }
        deserializer.deserialize_any(AnyScalar)
    }
}

/// A count or a limit: an integer from 0, also when it was written as text or as `3.0`.
/// Negative numbers and 18446744073709551615 (the server's words for "unlimited" and for an
/// underflow) are `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count(pub(crate) Option<u64>);

impl<'de> Deserialize<'de> for Count {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole, not negative and below 2^63"
    )]
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = match Scalar::deserialize(deserializer)? {
            Scalar::Unsigned(value) => Some(value),
            Scalar::Signed(value) => u64::try_from(value).ok(),
            Scalar::Float(value) if value.fract() == 0.0 && (0.0..9.0e18).contains(&value) => Some(value as u64),
            Scalar::Text(text) => text.trim().parse().ok(),
            Scalar::Float(_) | Scalar::Bool(_) | Scalar::Other => None,
        };
        Ok(Self(value.filter(|value| *value != u64::MAX)))
    }
}

impl Count {
    /// The value when it limits anything: 0 is another of the server's words for "unlimited".
    pub(crate) fn limit(self) -> Option<u64> {
        self.0.filter(|value| *value > 0)
    }

    /// As nanoseconds.
    pub(crate) fn nanos(self) -> Option<Duration> {
        self.0.map(Duration::from_nanos)
    }
}

/// A time. Before 1970 there was no server: year 1 is Go's word for "never".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Time(pub(crate) Option<Timestamp>);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let time = match Scalar::deserialize(deserializer)? {
            Scalar::Text(text) => text.parse::<Timestamp>().ok(),
            _ => None,
        };
        Ok(Self(time.filter(|time| *time >= Timestamp::UNIX_EPOCH)))
    }
}

/// Text; empty text is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Text(pub(crate) Option<String>);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(match Scalar::deserialize(deserializer)? {
            Scalar::Text(text) if !text.is_empty() => Some(text),
            _ => None,
        }))
    }
}

/// A flag.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flag(pub(crate) Option<bool>);

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(match Scalar::deserialize(deserializer)? {
            Scalar::Bool(value) => Some(value),
            _ => None,
        }))
    }
}

impl Flag {
    /// Whether it is there and true.
    pub(crate) fn is_set(self) -> bool {
        self.0 == Some(true)
    }
}

/// What a visitor of lists and objects makes of every other value.
macro_rules! other_values_are {
    ($value:expr) => {
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("any value")
        }
        fn visit_bool<X>(self, _: bool) -> Result<Self::Value, X> {
            Ok($value)
        }
        fn visit_u64<X>(self, _: u64) -> Result<Self::Value, X> {
            Ok($value)
        }
        fn visit_i64<X>(self, _: i64) -> Result<Self::Value, X> {
            Ok($value)
        }
        fn visit_f64<X>(self, _: f64) -> Result<Self::Value, X> {
            Ok($value)
        }
        fn visit_str<X>(self, _: &str) -> Result<Self::Value, X> {
            Ok($value)
        }
        fn visit_unit<X>(self) -> Result<Self::Value, X> {
            Ok($value)
        }
    };
}

/// An object; anything else is `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Maybe<T>(pub(crate) Option<T>);

impl<T> Default for Maybe<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Maybe<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Object<T> {
            type Value = Maybe<T>;
            other_values_are!(Maybe(None));
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Maybe<T>, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Maybe(None))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Maybe<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(|value| Maybe(Some(value)))
            }
        }
        deserializer.deserialize_any(Object(PhantomData))
    }
}

/// A list; anything else is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Many<T>(pub(crate) Vec<T>);

impl<T> Default for Many<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Many<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        pairs_or_list(deserializer, |list: List<T, IgnoredAny>| match list {
            List::Elements(elements) => Self(elements),
            List::Entries(_) | List::Neither => Self(Vec::new()),
        })
    }
}

/// An object as pairs, in the order of the answer; anything else is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pairs<T>(pub(crate) Vec<(String, T)>);

impl<T> Default for Pairs<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Pairs<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        pairs_or_list(deserializer, |list: List<IgnoredAny, T>| match list {
            List::Entries(entries) => Self(entries),
            List::Elements(_) | List::Neither => Self(Vec::new()),
        })
    }
}

/// Names, as a list or as the keys of an object: servers have used both for `offline`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Names(pub(crate) Vec<String>);

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        pairs_or_list(deserializer, |list: List<Text, IgnoredAny>| match list {
            List::Elements(elements) => Self(elements.into_iter().filter_map(|text| text.0).collect()),
            List::Entries(entries) => Self(entries.into_iter().map(|(name, _)| name).collect()),
            List::Neither => Self(Vec::new()),
        })
    }
}

enum List<E, V> {
    Elements(Vec<E>),
    Entries(Vec<(String, V)>),
    Neither,
}

fn pairs_or_list<'de, D, E, V, T>(deserializer: D, build: impl FnOnce(List<E, V>) -> T) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    E: Deserialize<'de>,
    V: Deserialize<'de>,
{
    struct AnyList<E, V>(PhantomData<(E, V)>);
    impl<'de, E: Deserialize<'de>, V: Deserialize<'de>> Visitor<'de> for AnyList<E, V> {
        type Value = List<E, V>;
        other_values_are!(List::Neither);
        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            let mut elements = Vec::new();
            while let Some(element) = seq.next_element()? {
                elements.push(element);
            }
            Ok(List::Elements(elements))
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut entries = Vec::new();
            while let Some(entry) = map.next_entry()? {
                entries.push(entry);
            }
            Ok(List::Entries(entries))
        }
    }
    deserializer.deserialize_any(AnyList(PhantomData)).map(build)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(json: &str) -> Option<u64> {
        serde_json::from_str::<Count>(json).unwrap().0
    }

    #[test]
    fn unlimited_and_unreadable_counts_are_none_and_never_zero() {
        assert_eq!(count("7"), Some(7));
        assert_eq!(count("0"), Some(0));
        assert_eq!(count("\"12160\""), Some(12_160));
        assert_eq!(count("3.0"), Some(3));
        for odd in [
            "-1",
            "18446744073709551615",
            "3.5",
            "1e300",
            "null",
            "true",
            "\"x\"",
            "[1]",
            "{\"a\":1}",
        ] {
            assert_eq!(count(odd), None, "{odd}");
        }
    }

    #[test]
    fn year_one_is_never() {
        let time = |json: &str| serde_json::from_str::<Time>(json).unwrap().0;
        assert_eq!(time("\"0001-01-01T00:00:00Z\""), None);
        assert_eq!(time("\"yesterday\""), None);
        assert_eq!(time("17"), None);
        assert_eq!(
            time("\"2026-11-20T23:44:26.253567512Z\"").unwrap().to_string(),
            "2026-11-20T23:44:26.253567512Z"
        );
    }

    #[test]
    fn lists_and_objects_stand_in_for_each_other_without_failing() {
        let names = |json: &str| serde_json::from_str::<Names>(json).unwrap().0;
        assert_eq!(names("[\"a\",1,\"b\"]"), ["a", "b"]);
        assert_eq!(names("{\"a\":\"reason\"}"), ["a"]);
        assert!(names("null").is_empty() && names("5").is_empty());
        assert!(serde_json::from_str::<Many<Count>>("{\"a\":1}").unwrap().0.is_empty());
        assert!(serde_json::from_str::<Pairs<Count>>("[1]").unwrap().0.is_empty());
        assert_eq!(serde_json::from_str::<Maybe<Names>>("[1]").unwrap().0, None);
    }
}
