//! Exit codes of the commands that change something or send something.

/// All of it was done.
pub(super) const DONE: u8 = 0;
/// It ran, and a part was not done.
pub(super) const FAILED: u8 = 1;
/// Nothing was done.
pub(super) const REFUSED: u8 = 2;
/// Interrupted.
pub(super) const INTERRUPTED: u8 = 130;
