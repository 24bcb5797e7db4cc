//! The one integration test binary.

mod layering;
