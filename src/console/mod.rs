//! The screen: state, update, draw.
