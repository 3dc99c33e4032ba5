//! Figures and Markdown as people read them.

pub mod markdown;
pub mod program;
pub mod quantity;
pub mod terminal;
