//! Figures and Markdown as people read them, for whoever writes either.

pub mod markdown;
pub mod quantity;
