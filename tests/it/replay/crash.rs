//! Crashes at any moment.
