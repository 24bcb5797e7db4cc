//! The model as a whole, on hand-made envelopes and on a simulated pipeline.

mod answers;
mod figures;
mod folding;
mod stories;
mod witnesses;
