//! What a probe finds besides its histograms.

use lab_record::probe::{ProbeHistogram, ProbeStacks};
use lab_record::table::{Cell, Column, Table};

/// The findings so far.
#[derive(Default)]
pub(crate) struct Found {
    /// Histograms that are not a map of their own.
    pub(crate) histograms: Vec<ProbeHistogram>,
    /// Rows.
    pub(crate) tables: Vec<Table>,
    /// Stacks, and the text of their file.
    pub(crate) folded: Vec<(ProbeStacks, String)>,
    /// Notes, in whole sentences.
    pub(crate) notes: Vec<String>,
    /// Whether the maps' histograms are meaningless and left out.
    pub(crate) without_times: bool,
    /// Whether an observed process died of a fault.
    pub(crate) died: bool,
}

impl Found {
    /// The rows of the one table of a probe, to add to; its columns are named with their units.
    pub(crate) fn rows(&mut self, name: &str, names: &[(&str, &str)]) -> &mut Vec<Vec<Cell>> {
        if self.tables.is_empty() {
            let (name, columns) = (name.to_owned(), columns(names));
            self.tables.push(Table { name, columns, rows: Vec::new() });
        }
        &mut self.tables[0].rows
    }
}

/// Columns by name and unit.
pub(crate) fn columns(names: &[(&str, &str)]) -> Vec<Column> {
    let column =
        |&(name, unit): &(&str, &str)| Column { name: name.to_owned(), unit: unit.to_owned() };
    names.iter().map(column).collect()
}
