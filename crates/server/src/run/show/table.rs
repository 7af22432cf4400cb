//! Rows in columns.

/// Rows in columns, the widest entry of each deciding.
pub(super) fn table<T>(head: &[&str], rows: &[T], columns: impl Fn(&T) -> Vec<String>) -> String {
    let mut lines: Vec<Vec<String>> = vec![head.iter().map(|&title| title.to_owned()).collect()];
    lines.extend(rows.iter().map(columns));
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let mut text = String::new();
    for line in &lines {
        let cells: Vec<String> =
            line.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}")).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// Text from strangers, escaped, and cut where it would be too wide.
pub(super) fn clipped(text: &str, width: usize) -> String {
    let text = mail::printable(text);
    match text.chars().count() > width {
        true => text.chars().take(width - 1).chain(['…']).collect(),
        false => text,
    }
}

/// `1 delivery`, `2 deliveries`.
pub(super) fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
