//! Screens: each is a [`Page`], which draws a [`Scene`] onto a [`Stage`] and changes nothing.
//!
//! A screen is added by a folder with a type that is a [`Page`], and a line in `pages`.
//! Its tables are [`Rows`](super::widget::grid::Rows): sorting, filter, columns, marks, copying and `i` come with them.

pub mod dead_letters;
pub mod events;
pub mod failures;
pub mod fire;
pub mod help;
pub mod history;
mod hits;
pub mod id;
pub mod lanes;
pub mod overview;
mod page;
pub(super) mod pages;
pub mod popup;
pub mod queues;
mod scene;
mod stage;
pub mod status;
pub mod strip;
mod table;
pub mod workers;

pub use self::hits::{ChartHit, Hits, PanelHit, Spot};
pub use self::id::{PanelId, Place, Screen};
pub use self::page::{Opening, Page, absence, left_out};
pub use self::scene::{Badge, Scene, Tables};
pub use self::stage::Stage;
