//! Results for people: columns, aligned; the last one as wide as it is.

/// Prints to standard output.
#[expect(clippy::print_stdout, reason = "a command's result is what standard output is for")]
pub(crate) fn print(text: &str) {
    println!("{text}");
}

/// Lines of a table under a head.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let head: Vec<String> = head.iter().map(|&h| h.to_owned()).collect();
    let width = |column: usize| {
        let cells = std::iter::once(&head).chain(rows).filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    std::iter::once(&head).chain(rows).map(line).collect::<Vec<_>>().join("\n")
}

/// `name: value` lines, aligned; what is empty is left out.
pub(crate) fn fields(rows: &[(&str, String)]) -> String {
    let rows: Vec<_> = rows.iter().filter(|(_, value)| !value.is_empty()).collect();
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let indent = format!("\n{:1$}", "", width + 2);
    let line = |(name, value): &&(&str, String)| format!("{name:width$}  {}", value.replace('\n', &indent));
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [vec!["a".to_owned(), "long one".to_owned()], vec!["bcd".to_owned(), String::new()]];
        assert_eq!(table(&["N", "TEXT"], &rows), "N    TEXT\na    long one\nbcd");
    }

    #[test]
    fn fields_without_a_value_are_left_out() {
        let text = fields(&[("name", "x".into()), ("none", String::new()), ("longer", "1\n2".into())]);
        assert_eq!(text, "name    x\nlonger  1\n        2");
    }
}
