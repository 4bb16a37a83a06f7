//! Rows of an answer with their columns in line.

use crate::path::portable::for_display;

/// A line for each row; the columns in `right` end in line, all others begin in line.
pub fn table(rows: &[Vec<String>], right: &[usize]) -> Vec<String> {
    // A name with a line break would look like two rows.
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|cell| for_display(cell)).collect()).collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    rows.iter().map(|row| line(row, &widths, right)).collect()
}

fn line(row: &[String], widths: &[usize], right: &[usize]) -> String {
    let mut line = String::new();
    for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
        let space = " ".repeat(width.saturating_sub(cell.chars().count()));
        line.push_str(if column > 0 { "  " } else { "" });
        line.push_str(&if right.contains(&column) { space + cell } else { format!("{cell}{space}") });
    }
    line.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_in_line() {
        let rows = [vec!["name", "n", "who"], vec!["longer", "1,000", ""], vec!["é", "7", "a\nn"]];
        let rows: Vec<Vec<String>> = rows.into_iter().map(|row| row.into_iter().map(str::to_owned).collect()).collect();
        assert_eq!(table(&rows, &[1]), ["name        n  who", "longer  1,000", "é           7  a\\nn"]);
        assert!(table(&[], &[]).is_empty());
    }
}
