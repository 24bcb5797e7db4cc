//! What a recording says of the session that it was made of.

use crate::base::time::Moment;
use crate::model::Settings;
use crate::record::SessionInfo;

/// The description of a session of a model with these settings that began at `start`.
pub(super) fn info(settings: &Settings, start: Moment) -> SessionInfo {
    // Settings are plain data: they can be written.
    let json = serde_json::to_value(settings).unwrap_or_default();
    SessionInfo::new(&settings.profile, start, json)
}
