//! A probe's table, by the names of its columns.

use lab_kit::{Gap, Observation};
use lab_record::probe::{ProbeCell, ProbeTable};

/// Rows of one table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rows<'a>(&'a ProbeTable);

impl<'a> Rows<'a> {
    /// The table `name` of what a probe saw.
    ///
    /// # Errors
    /// It has none of this name.
    pub(crate) fn of(seen: &'a Observation<'_>, name: &str) -> Result<Self, Gap> {
        Ok(Self(seen.table(name)?))
    }

    /// The cells of the rows in which all of these columns hold these words or counts.
    ///
    /// # Errors
    /// There is no such column.
    pub(crate) fn with(self, cells: &[(&str, &str)]) -> Result<Vec<&'a [ProbeCell]>, Gap> {
        let wanted = cells
            .iter()
            .map(|(column, text)| Ok((self.column(column)?, *text)))
            .collect::<Result<Vec<_>, Gap>>()?;
        let fits = |row: &&[ProbeCell]| {
            wanted.iter().all(|(at, text)| row.get(*at).is_some_and(|cell| words(cell) == *text))
        };
        Ok(self.0.rows.iter().map(Vec::as_slice).filter(fits).collect())
    }

    /// The sum of a column over some of its rows.
    ///
    /// # Errors
    /// There is no such column, or it holds words.
    pub(crate) fn sum(self, rows: &[&[ProbeCell]], column: &str) -> Result<f64, Gap> {
        let at = self.column(column)?;
        let figure = |row: &&[ProbeCell]| match row.get(at) {
            Some(ProbeCell::Count(count)) => Ok(*count as f64),
            Some(ProbeCell::Signed(figure)) => Ok(*figure as f64),
            Some(ProbeCell::Number(figure)) => Ok(*figure),
            other => Err(Gap::Unavailable(format!("{column} is no figure: {other:?}"))),
        };
        rows.iter().map(figure).sum()
    }

    /// Where a column stands.
    ///
    /// # Errors
    /// There is none of this name.
    fn column(self, name: &str) -> Result<usize, Gap> {
        let at = self.0.columns.iter().position(|column| column.name == name);
        at.ok_or_else(|| Gap::Unavailable(format!("table {} has no column {name}", self.0.name)))
    }

    /// Rows whose words in a column begin so.
    ///
    /// # Errors
    /// There is no such column.
    pub(crate) fn beginning(self, column: &str, start: &str) -> Result<Vec<&'a [ProbeCell]>, Gap> {
        let at = self.column(column)?;
        let fits =
            |row: &&[ProbeCell]| row.get(at).is_some_and(|cell| words(cell).starts_with(start));
        Ok(self.0.rows.iter().map(Vec::as_slice).filter(fits).collect())
    }
}

fn words(cell: &ProbeCell) -> String {
    match cell {
        ProbeCell::Count(count) => count.to_string(),
        ProbeCell::Signed(figure) => figure.to_string(),
        ProbeCell::Number(figure) => figure.to_string(),
        ProbeCell::Text(text) => text.clone(),
    }
}
