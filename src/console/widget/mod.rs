//! What screens are made of. Every widget draws through [`Canvas`].

mod canvas;
pub mod chart;
pub mod figure;
pub mod grid;
pub mod input;
mod panel;
pub mod table;
pub mod time;

pub use canvas::{Canvas, Line, Span, span, tidy, wrap};
pub use panel::{Frame, scroll_bar};
