//! The repository knows no machine: no path of somebody's checkout or of a temporary folder, but in tests.

use super::{Finding, Tree, before_tests, is_test_file, lines_where};

/// Written in two parts, so that this file does not find itself.
const FOLDERS: [&str; 4] =
    [concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/wo", "rk/"), concat!("/tm", "p/")];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let files = tree.files.iter().filter(|(path, _)| !is_test_file(path) && !path.starts_with("tests/"));
    files
        .flat_map(|(path, text)| {
            let product = if path.ends_with(".rs") { before_tests(text) } else { text };
            lines_where(product, names_a_machine)
                .map(move |(line, _)| Finding::line(path, line, "a path of a machine"))
        })
        .collect()
}

/// Whether one of the folders stands at the beginning of a path.
fn names_a_machine(line: &str) -> bool {
    let inside_a_path = |before: &str| before.ends_with(|c: char| c.is_alphanumeric() || "._-/}".contains(c));
    FOLDERS.iter().any(|folder| line.match_indices(folder).any(|(at, _)| !inside_a_path(&line[..at])))
}

#[cfg(test)]
mod tests {
    use super::super::found;
    use super::*;

    #[test]
    fn a_path_of_a_machine_is_found_outside_tests() {
        let path = FOLDERS[3];
        let tree = Tree::of(&[
            ("docs/a.md", &format!("x\nsee `{path}notes`\n")),
            ("docs/b.md", &format!("https://example.org{path}x\n")),
            ("crates/a/src/lib.rs", &format!("fn a() {{}}\n\n#[cfg(test)]\nmod tests {{\n\"{path}x\"\n}}\n")),
            ("crates/a/tests/b.rs", &format!("\"{path}x\"")),
        ]);
        assert_eq!(found(check, &tree), ["docs/a.md:2: a path of a machine"]);
    }
}
