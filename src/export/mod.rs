//! Screens and series as files.
