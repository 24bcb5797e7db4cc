//! Moments and spans as a person reads them, in UTC or local time.

use jiff::tz::TimeZone;

use crate::base::time::Timestamp;

/// In which zone moments are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    /// The zone.
    pub zone: TimeZone,
    /// Its name beside the clock.
    pub name: String,
}

impl Zone {
    /// UTC.
    #[must_use]
    pub fn utc() -> Self {
        Self {
            zone: TimeZone::UTC,
            name: "UTC".to_owned(),
        }
    }

    /// The zone of the place, named by its abbreviation at `now`.
    #[must_use]
    pub fn local(zone: TimeZone, now: Timestamp) -> Self {
        let name = zone.to_offset_info(now).abbreviation().to_owned();
        Self { zone, name }
    }

    /// `14:03:22`.
    #[must_use]
    pub fn clock(&self, at: Timestamp) -> String {
        at.to_zoned(self.zone.clone()).strftime("%H:%M:%S").to_string()
    }

    /// `14:03`, with the date when it is not that of `now`: `07-30 14:03`.
    #[must_use]
    pub fn minute(&self, at: Timestamp, now: Timestamp) -> String {
        let (at, now) = (at.to_zoned(self.zone.clone()), now.to_zoned(self.zone.clone()));
        let format = if at.date() == now.date() {
            "%H:%M"
        } else {
            "%m-%d %H:%M"
        };
        at.strftime(format).to_string()
    }

    /// Seconds that the zone's clock is ahead of UTC at a moment.
    #[must_use]
    pub fn offset(&self, at: Timestamp) -> i64 {
        i64::from(self.zone.to_offset(at).seconds())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_of_another_day_shows_its_date() {
        let now: Timestamp = "2026-07-31T14:03:22Z".parse().unwrap();
        let zone = Zone::utc();
        assert_eq!(zone.clock(now), "14:03:22");
        assert_eq!(zone.minute("2026-07-31T13:58:00Z".parse().unwrap(), now), "13:58");
        assert_eq!(zone.minute("2026-07-30T13:58:00Z".parse().unwrap(), now), "07-30 13:58");
    }

    #[test]
    fn local_time_carries_its_zone() {
        let now: Timestamp = "2026-07-31T14:03:22Z".parse().unwrap();
        let zone = Zone::local(TimeZone::fixed(jiff::tz::offset(2)), now);
        assert_eq!((zone.clock(now).as_str(), zone.name.as_str()), ("16:03:22", "+02"));
        assert_eq!(zone.offset(now), 7200);
    }
}
