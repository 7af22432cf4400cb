//! SQL lives in `store`, and nowhere else.

use super::{Finding, Tree, lines_where};

/// How a statement begins in a string. IMAP's SELECT command is no statement: that word counts outside `protocol` only.
const STATEMENTS: [&str; 9] = [
    "\"INSERT INTO ",
    "\"INSERT OR ",
    "\"DELETE FROM ",
    "\"CREATE TABLE ",
    "\"CREATE INDEX ",
    "\"CREATE UNIQUE ",
    "\"ALTER TABLE ",
    "\"PRAGMA ",
    "\"WITH RECURSIVE ",
];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let elsewhere = tree.product_code("crates/").filter(|(path, _)| !path.starts_with("crates/store/"));
    elsewhere
        .flat_map(|(path, text)| {
            let selects = !path.starts_with("crates/protocol/");
            let is_sql = move |line: &str| {
                STATEMENTS.iter().any(|statement| line.contains(statement))
                    || selects && line.contains("\"SELECT ")
                    || line.contains("\"UPDATE ") && line.contains(" SET ")
            };
            lines_where(text, is_sql)
                .map(move |(line, _)| Finding::line(path, line, "SQL outside crates/store"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::found;
    use super::*;

    #[test]
    fn a_statement_outside_the_store_is_found() {
        let tree = Tree::of(&[
            ("crates/store/src/sql.rs", "\"SELECT uid FROM email\""),
            ("crates/protocol/src/imap/command.rs", "\"SELECT INBOX\", \"DELETE x\""),
            (
                "crates/admin/src/lib.rs",
                "let a = 1;\nquery(\"SELECT * FROM account\");\nquery(\"UPDATE a SET b = 1\");",
            ),
            ("crates/admin/tests/a.rs", "query(\"DELETE FROM account\")"),
        ]);
        let expected = [
            "crates/admin/src/lib.rs:2: SQL outside crates/store",
            "crates/admin/src/lib.rs:3: SQL outside crates/store",
        ];
        assert_eq!(found(check, &tree), expected);
    }
}
