//! A file is read in one sitting.

use super::{Finding, Tree};

const LINES_MAX: usize = 1000;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let code = tree.files.iter().filter(|(path, _)| path.ends_with(".rs"));
    code.map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > LINES_MAX)
        .map(|(path, lines)| Finding::file(path, format!("{lines} lines")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::found;
    use super::*;

    #[test]
    fn a_long_file_is_found() {
        let tree = Tree::of(&[
            ("a.rs", &"x\n".repeat(1000)),
            ("b.rs", &"x\n".repeat(1001)),
            ("c.md", &"x\n".repeat(2000)),
        ]);
        assert_eq!(found(check, &tree), ["b.rs: 1001 lines"]);
    }
}
