//! Aligned columns for a terminal: the first column to the left, numbers to the right.

use std::fmt;

/// Rows of cells; every row has as many cells as the first.
#[derive(Debug, Default)]
pub(crate) struct Table(Vec<Vec<String>>);

const INDENT: &str = "  ";
const GAP: &str = "  ";

impl Table {
    /// A table that begins with these headings.
    pub(crate) fn new<const N: usize>(headings: [&str; N]) -> Self {
        Self(vec![headings.map(str::to_owned).to_vec()])
    }

    /// Adds one row.
    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.0.push(cells.to_vec());
    }

    fn widths(&self) -> Vec<usize> {
        let columns = self.0.first().map_or(0, Vec::len);
        let width_of =
            |column| self.0.iter().filter_map(|row| row.get(column)).map(|cell: &String| width(cell)).max();
        (0..columns).map(|column| width_of(column).unwrap_or(0)).collect()
    }

    /// A column is a column of numbers when every cell below its heading is one or empty.
    fn is_numeric(&self, column: usize) -> bool {
        let is_number = |cell: &String| cell.chars().all(|c| c.is_ascii_digit() || ",.%-".contains(c));
        self.0.iter().skip(1).filter_map(|row| row.get(column)).all(is_number)
    }
}

fn width(cell: &str) -> usize {
    cell.chars().count()
}

impl fmt::Display for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = self.widths();
        let numeric: Vec<bool> = (0..widths.len()).map(|column| self.is_numeric(column)).collect();
        for row in &self.0 {
            let mut line = String::new();
            for ((cell, width), is_numeric) in row.iter().zip(&widths).zip(&numeric) {
                line.push_str(if line.is_empty() { INDENT } else { GAP });
                let cell = if *is_numeric { format!("{cell:>width$}") } else { format!("{cell:<width$}") };
                line.push_str(&cell);
            }
            writeln!(formatter, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// `12345` as `12,345`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_left_and_numbers_right() {
        let mut table = Table::new(["answer", "times"]);
        table.row(["201 held".to_owned(), grouped(10_000)]);
        table.row(["409 sold-out".to_owned(), grouped(7)]);
        assert_eq!(
            table.to_string(),
            "  answer         times\n  201 held      10,000\n  409 sold-out       7\n"
        );
    }

    #[test]
    fn thousands_are_grouped() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_000), "1,000");
        assert_eq!(grouped(1_234_567), "1,234,567");
    }
}
