//! A probe's table, by the names of its columns.

use lab_kit::{Gap, Observation};
use lab_record::table::{Cell, Table};

/// Rows of one table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rows<'a>(&'a Table);

/// The expected content of a cell, as it is printed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Says<'a> {
    /// Exactly this.
    Only(&'a str),
    /// Begins with this.
    First(&'a str),
}

impl<'a> Rows<'a> {
    /// The table `name` of what a probe saw.
    ///
    /// # Errors
    /// It has none of this name.
    pub(crate) fn of(seen: &'a Observation<'_>, name: &str) -> Result<Self, Gap> {
        Ok(Self(seen.table(name)?))
    }

    /// The rows in which all of these columns say these things.
    ///
    /// # Errors
    /// There is no such column.
    pub(crate) fn with(self, cells: &[(&str, Says<'_>)]) -> Result<Vec<&'a [Cell]>, Gap> {
        let wanted = cells
            .iter()
            .map(|(column, says)| Ok((self.column(column)?, *says)))
            .collect::<Result<Vec<_>, Gap>>()?;
        let fits = |row: &&[Cell]| {
            wanted.iter().all(|(at, says)| row.get(*at).is_some_and(|cell| says.fits(cell)))
        };
        Ok(self.0.rows.iter().map(Vec::as_slice).filter(fits).collect())
    }

    /// The sum of a column over some of its rows.
    ///
    /// # Errors
    /// There is no such column, or it holds words.
    pub(crate) fn sum(self, rows: &[&[Cell]], column: &str) -> Result<f64, Gap> {
        let at = self.column(column)?;
        let figure = |row: &&[Cell]| match row.get(at) {
            Some(Cell::Count(count)) => Ok(*count as f64),
            Some(Cell::Signed(figure)) => Ok(*figure as f64),
            Some(Cell::Number(figure)) => Ok(*figure),
            other => Err(Gap::Unavailable(format!("{column} is no figure: {other:?}"))),
        };
        rows.iter().map(figure).sum()
    }

    fn column(self, name: &str) -> Result<usize, Gap> {
        let at = self.0.columns.iter().position(|column| column.name == name);
        at.ok_or_else(|| Gap::Unavailable(format!("table {} has no column {name}", self.0.name)))
    }
}

impl Says<'_> {
    fn fits(self, cell: &Cell) -> bool {
        let text = match cell {
            Cell::Count(count) => count.to_string(),
            Cell::Signed(figure) => figure.to_string(),
            Cell::Number(figure) => figure.to_string(),
            Cell::Text(text) => text.clone(),
            Cell::Words(words) => words.join(" "),
        };
        match self {
            Self::Only(all) => text == all,
            Self::First(start) => text.starts_with(start),
        }
    }
}
