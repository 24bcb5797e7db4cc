//! Which lines of a page are wanted: decided by name, before anything is parsed.

use std::collections::HashSet;

use crate::config::Families;

/// What [`Families::of`] takes off a sample name to find its family.
const SUFFIXES: [&str; 4] = ["_bucket", "_sum", "_count", "_total"];

/// The names of wanted samples and families, ready to be asked once a line.
#[derive(Debug)]
pub struct Wanted {
    /// Whether a wanted name begins with this byte: tells most lines apart without hashing.
    first: [bool; 256],
    /// Names as configured.
    configured: HashSet<Box<[u8]>>,
    /// Names of samples.
    samples: HashSet<Box<[u8]>>,
    /// Names that a `# TYPE` line of a wanted family may have: `OpenMetrics` leaves `_total` off.
    families: HashSet<Box<[u8]>>,
}

impl Wanted {
    /// The names of `families`.
    #[must_use]
    pub fn new(families: &Families) -> Self {
        let boxed = |name: &str| Box::from(name.as_bytes());
        let names = || families.names.keys().map(|name| &**name);
        let suffixed = names().flat_map(|name| SUFFIXES.map(|suffix| boxed(&format!("{name}{suffix}"))));
        let mut first = [false; 256];
        for byte in names().filter_map(|name| name.bytes().next()) {
            first[usize::from(byte)] = true;
        }
        Self {
            first,
            configured: names().map(boxed).collect(),
            samples: names().map(boxed).chain(suffixed).collect(),
            families: names()
                .map(boxed)
                .chain(names().filter_map(|name| name.strip_suffix("_total")).map(boxed))
                .collect(),
        }
    }

    fn may_begin(&self, name: &[u8]) -> bool {
        name.first().is_some_and(|&byte| self.first[usize::from(byte)])
    }

    /// Whether samples of this name are wanted.
    pub(super) fn sample(&self, name: &[u8]) -> bool {
        self.may_begin(name) && self.samples.contains(name)
    }

    /// Whether a `# TYPE` line of this name tells about wanted samples.
    pub(super) fn family(&self, name: &[u8]) -> bool {
        self.may_begin(name) && (self.families.contains(name) || self.samples.contains(name))
    }

    /// Whether a family of exactly this name is configured.
    pub(super) fn is_configured(&self, name: &str) -> bool {
        self.configured.contains(name.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_wanted_exactly_when_it_has_a_meaning() {
        let families = Families::default();
        let wanted = Wanted::new(&families);
        let suffixes = ["", "_bucket", "_sum", "_count", "_total", "_created", "_total_sum", "x"];
        for name in families
            .names
            .keys()
            .map(|name| &**name)
            .chain(["webhook_batch", "up", ""])
        {
            for suffix in suffixes {
                let name = format!("{name}{suffix}");
                assert_eq!(wanted.sample(name.as_bytes()), families.of(&name).is_some(), "{name}");
            }
        }
    }

    #[test]
    fn an_openmetrics_counter_is_declared_without_its_ending() {
        let wanted = Wanted::new(&Families::default());
        assert!(wanted.family(b"webhook_received"));
        assert!(wanted.family(b"webhook_received_total"));
        assert!(wanted.family(b"webhook_batch_size"));
        assert!(!wanted.family(b"webhook"));
        assert!(!wanted.sample(b"webhook_received"));
    }
}
