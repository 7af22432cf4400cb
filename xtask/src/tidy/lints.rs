//! Every package takes the workspace's lints, and these forbid `unsafe`.

use super::{Finding, Tree};

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let workspace = tree.files.get("Cargo.toml").map_or("", String::as_str);
    if !section(workspace, "[workspace.lints.rust]")
        .any(|line| line.replace(' ', "") == "unsafe_code=\"forbid\"")
    {
        findings.push(Finding::file(
            "Cargo.toml",
            "`[workspace.lints.rust]` must say `unsafe_code = \"forbid\"`",
        ));
    }
    let manifests =
        tree.files.iter().filter(|(path, _)| path.as_str() != "Cargo.toml" && path.ends_with("/Cargo.toml"));
    for (path, manifest) in manifests {
        if !section(manifest, "[lints]").any(|line| line.replace(' ', "") == "workspace=true") {
            findings.push(Finding::file(path, "`[lints]` must say `workspace = true`"));
        }
    }
    findings
}

/// The lines under a heading.
fn section<'a>(manifest: &'a str, heading: &'a str) -> impl Iterator<Item = &'a str> {
    let after = manifest.lines().map(str::trim).skip_while(move |line| *line != heading).skip(1);
    after.take_while(|line| !line.starts_with('['))
}

#[cfg(test)]
mod tests {
    use super::super::found;
    use super::*;

    #[test]
    fn a_package_without_the_lints_is_found() {
        let good = "[package]\nname = \"a\"\n\n[lints]\nworkspace = true\n";
        let bad = "[lints.rust]\nx = 1\n[dependencies]\nworkspace = true\n";
        let root = "[workspace.lints.rust]\nunsafe_code = \"forbid\"\n";
        let tree =
            Tree::of(&[("Cargo.toml", root), ("crates/a/Cargo.toml", good), ("crates/b/Cargo.toml", bad)]);
        assert_eq!(found(check, &tree), ["crates/b/Cargo.toml: `[lints]` must say `workspace = true`"]);
        let tree = Tree::of(&[("Cargo.toml", "[workspace.lints.rust]\nunsafe_code = \"warn\"\n")]);
        assert_eq!(check(&tree).len(), 1);
    }
}
