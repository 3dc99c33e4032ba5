//! A latency heat map by the rules of `trace2heatmap.pl` (Gregg, 2013): a column for each second,
//! rows of equal height, and a shade that grows with the count of events in a cell.

use lab_record::Grid;

/// The side of a cell in pixels.
pub(crate) const BOX: usize = 8;

/// Counts of events in columns of a second and rows of equal height, the lowest first.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct HeatMap {
    columns: Vec<Vec<u64>>,
    /// The height of a row in µs.
    pub(crate) row_us: f64,
}

/// What a cell holds: how many events, or only that there was one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cell {
    Count,
    Mark,
}

impl HeatMap {
    /// The map of events (second, µs) with this many rows up to `max_us`. Those above it are left
    /// out.
    pub(crate) fn of(events: &[(f64, f64)], rows: usize, max_us: f64, cell: Cell) -> Self {
        let row_us = max_us / rows as f64;
        let seconds = events.iter().fold(0.0, |most: f64, (at, _)| most.max(*at)) as usize + 1;
        let mut columns = vec![vec![0; rows]; seconds];
        for (at, us) in events.iter().filter(|(_, us)| *us <= max_us) {
            let held = &mut columns[*at as usize][((us / row_us) as usize).min(rows - 1)];
            *held = if cell == Cell::Count { *held + 1 } else { 1 };
        }
        Self { columns, row_us }
    }

    fn most(&self) -> u64 {
        self.columns.iter().flatten().copied().max().unwrap_or_default()
    }

    /// The number of rows that hold what lies between the two quantiles of all events.
    pub(crate) fn rows_between(&self, [low, high]: [f64; 2]) -> usize {
        let sum = |row: usize| self.columns.iter().map(|column| column[row]).sum();
        let all: Vec<u64> = (0..self.columns[0].len()).map(sum).collect();
        row_of(&all, high) - row_of(&all, low) + 1
    }

    /// A percentile of each column in µs: the upper edge of the row in which the count from below
    /// reaches it.
    pub(crate) fn percentiles(&self, quantile: f64) -> Vec<f64> {
        let edge = |column: &Vec<u64>| (row_of(column, quantile) + 1) as f64 * self.row_us;
        self.columns.iter().map(edge).collect()
    }

    /// The map as a grid, the highest row on top.
    pub(crate) fn grid(&self) -> Grid {
        let seconds = self.columns.len();
        let row = |row: usize| {
            let counts = self.columns.iter().map(|column| column[row] as f64).collect();
            (format!("{:.2} ms", (row + 1) as f64 * self.row_us / 1e3), counts)
        };
        Grid {
            unit: "events".into(),
            starts_s: (0..seconds).map(|second| second as f64).collect(),
            end_s: seconds as f64,
            rows: (0..self.columns[0].len()).rev().map(row).collect(),
        }
    }

    /// The map as a picture; cells without events are not drawn.
    pub(crate) fn svg(&self, shade: fn(u64, u64) -> [u8; 3]) -> String {
        let (rows, most) = (self.columns[0].len(), self.most());
        let (width, height) = (BOX * self.columns.len(), BOX * rows);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\">\n"
        );
        for (second, column) in self.columns.iter().enumerate() {
            for (row, count) in column.iter().enumerate().filter(|(_, count)| **count > 0) {
                let (x, y) = (BOX * second, BOX * (rows - 1 - row));
                let [red, green, blue] = shade(*count, most);
                svg += &format!(
                    "<rect x=\"{x}\" y=\"{y}\" width=\"{BOX}\" height=\"{BOX}\" \
                     fill=\"rgb({red},{green},{blue})\"><title>{count}</title></rect>\n"
                );
            }
        }
        svg + "</svg>\n"
    }
}

/// The row in which the count from below reaches this share of all.
fn row_of(counts: &[u64], quantile: f64) -> usize {
    let wanted = quantile * counts.iter().sum::<u64>() as f64;
    let mut below = 0;
    let reaches = |count: &u64| {
        below += count;
        below as f64 >= wanted
    };
    counts.iter().position(reaches).unwrap_or(counts.len() - 1)
}

/// The source's shade: from nearly white to red, in proportion to the count.
pub(crate) fn linear(count: u64, most: u64) -> [u8; 3] {
    colour(count as f64 / most as f64)
}

/// The shade of this project's latency heat maps: by the logarithm of the count.
pub(crate) fn logarithmic(count: u64, most: u64) -> [u8; 3] {
    colour(libm::log(count as f64) / libm::log(most.max(2) as f64))
}

fn colour(share: f64) -> [u8; 3] {
    let part = |most: f64| (most - most * share).round() as u8;
    [255, part(240.0), part(220.0)]
}

/// A cell as it was drawn: place in pixels, colour, and count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Drawn {
    pub(crate) x: usize,
    pub(crate) y: usize,
    pub(crate) colour: [usize; 3],
    pub(crate) count: u64,
}

/// The cells of a picture that [`HeatMap::svg`] drew.
pub(crate) fn cells(svg: &str) -> Vec<Drawn> {
    let numbers = |line: &str| -> Vec<usize> {
        line.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect()
    };
    let cell = |line: &str| match numbers(line)[..] {
        [x, y, BOX, BOX, red, green, blue, count] => {
            Some(Drawn { x, y, colour: [red, green, blue], count: count as u64 })
        }
        _ => None,
    };
    svg.lines().filter_map(cell).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_is_drawn_with_a_box_for_each_cell_that_has_events() {
        let events = [(0.1, 10.0), (0.2, 10.0), (0.3, 100.0), (1.5, 55.0), (1.6, 500.0)];
        let map = HeatMap::of(&events, 10, 100.0, Cell::Count);
        let drawn = |x, y, colour, count| Drawn { x, y, colour, count };
        let [half, whole] = [[255, 120, 110], [255, 0, 0]];
        assert_eq!(
            cells(&map.svg(linear)),
            [drawn(0, 64, whole, 2), drawn(0, 0, half, 1), drawn(8, 32, half, 1)]
        );
        assert_eq!(map.percentiles(0.5), [20.0, 60.0]);
        assert_eq!(map.rows_between([0.0, 1.0]), 10);
    }
}
