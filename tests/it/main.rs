//! The one integration test binary.

mod lab;
mod layering;
mod support;
