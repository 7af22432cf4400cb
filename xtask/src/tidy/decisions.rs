//! `docs/decisions/NNNN-title.md`, numbered from 0001 without gaps.

use super::{Finding, Tree};

const FOLDER: &str = "docs/decisions/";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut expected = 1;
    let names =
        tree.files.keys().filter_map(|path| path.strip_prefix(FOLDER)).filter(|name| *name != "README.md");
    for name in names {
        match number(name) {
            None => findings.push(Finding::file(format!("{FOLDER}{name}"), "is not named NNNN-title.md")),
            Some(number) => {
                if number != expected {
                    findings.push(Finding::file(
                        format!("{FOLDER}{name}"),
                        format!("number {expected:04} was expected"),
                    ));
                }
                expected = number + 1;
            }
        }
    }
    findings
}

fn number(name: &str) -> Option<u32> {
    let (number, title) = name.strip_suffix(".md")?.split_once('-')?;
    let digits = number.len() == 4 && number.bytes().all(|byte| byte.is_ascii_digit());
    if digits && !title.is_empty() { number.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::super::found;
    use super::*;

    #[test]
    fn gaps_doubles_and_other_names_are_found() {
        let files = ["0001-a.md", "0002-b.md", "0002-c.md", "0005-d.md", "6-e.md"]
            .map(|name| format!("{FOLDER}{name}"));
        let tree = Tree::of(&files.each_ref().map(|path| (path.as_str(), "")));
        let expected = [
            "docs/decisions/0002-c.md: number 0003 was expected",
            "docs/decisions/0005-d.md: number 0003 was expected",
            "docs/decisions/6-e.md: is not named NNNN-title.md",
        ];
        assert_eq!(found(check, &tree), expected);
    }
}
