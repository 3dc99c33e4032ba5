//! A table of figures and words, as a probe writes it and the runner prints it.

use serde::{Deserialize, Serialize};

/// Rows under named columns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// What its rows are.
    pub name: String,
    /// The columns.
    pub columns: Vec<Column>,
    /// A cell for each column.
    pub rows: Vec<Vec<Cell>>,
}

/// A column's heading.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// What its cells are.
    pub name: String,
    /// The unit of its figures: `ns`, `s`; empty for counts and words.
    pub unit: String,
}

/// A figure or a word.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
#[expect(missing_docs, reason = "named by their types")]
pub enum Cell {
    Count(u64),
    Signed(i64),
    Number(f64),
    Text(String),
    Words(Vec<String>),
}
