//! Nothing is left to do, and no code is left over from looking for a mistake.

use super::{Finding, Tree, lines_where};

/// Written in two parts, so that this file does not find itself.
const MACROS: [&str; 3] = [concat!("todo", "!("), concat!("unimplemented", "!("), concat!("dbg", "!(")];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let code = tree.files.iter().filter(|(path, _)| path.ends_with(".rs"));
    code.flat_map(|(path, text)| {
        let is_stub = |line: &str| MACROS.iter().any(|name| line.contains(name));
        lines_where(text, is_stub).map(move |(line, _)| Finding::line(path, line, "something is left to do"))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::super::found;
    use super::*;

    #[test]
    fn a_stub_is_found() {
        let stub = format!("fn a() {{\n    {})\n}}\n", MACROS[0]);
        let tree = Tree::of(&[("crates/a/src/lib.rs", &stub), ("crates/a/src/b.rs", "fn b() {}")]);
        assert_eq!(found(check, &tree), ["crates/a/src/lib.rs:2: something is left to do"]);
    }
}
