//! One profile live, or one recording.
