//! What is tested is what runs: `cfg(test)` may only stand over items that exist for tests alone, at the end of a file.

use super::{Finding, Tree};

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.product_code("crates/") {
        let lines: Vec<&str> = text.lines().collect();
        for (index, line) in lines.iter().enumerate() {
            let line = line.trim_start();
            let switches = line.contains("cfg!(test)")
                || line.contains("cfg_attr(test")
                || line.contains("cfg(not(test))");
            let over = lines[index + 1..].iter().map(|next| next.trim()).find(|next| !next.starts_with("#["));
            let alone =
                over.is_some_and(|next| next.starts_with("mod ") || next.starts_with("pub(crate) mod "));
            if !line.starts_with("//") && (switches || line.starts_with("#[cfg(test)]") && !alone) {
                findings.push(Finding::line(path, index + 1, "a switch between product and test"));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::found;
    use super::*;

    #[test]
    fn a_switch_is_found_and_a_module_of_tests_is_none() {
        let tree = Tree::of(&[
            (
                "crates/a/src/lib.rs",
                "fn a() {}\n\n#[cfg(test)]\nmod tests {\n    #[cfg(test)]\n    use x;\n}\n",
            ),
            ("crates/a/src/b.rs", "#[cfg(test)]\n#[allow(x)]\nmod tests;\n"),
            (
                "crates/a/src/c.rs",
                "fn f() {\n    if cfg!(test) {}\n}\n#[cfg(test)]\nfn g() {}\n#[cfg(not(test))]\nfn h() {}\n",
            ),
        ]);
        let what = "a switch between product and test";
        let expected = [2, 4, 6].map(|line| format!("crates/a/src/c.rs:{line}: {what}"));
        assert_eq!(found(check, &tree), expected);
    }
}
