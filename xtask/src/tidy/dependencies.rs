//! The table in ARCHITECTURE.md against `cargo metadata`.

use std::collections::{BTreeMap, BTreeSet};

use super::{Finding, Tree, crate_name};

const PAGE: &str = "ARCHITECTURE.md";
const HEADER: &str = "| crate | may depend on |";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let Some(allowed) = tree.files.get(PAGE).and_then(|page| table(page)) else {
        return vec![Finding::file(PAGE, format!("there is no table with the header `{HEADER}`"))];
    };
    let mut findings = Vec::new();
    for (name, package) in tree.crates() {
        let manifest = format!("crates/{name}/Cargo.toml");
        if name == "testkit" {
            continue; // May use everything; see below who may use it.
        }
        let Some(allowed) = allowed.get(&name) else {
            findings.push(Finding::file(PAGE, format!("the table does not name the crate `{name}`")));
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let Some(needed) = dependency["name"].as_str().and_then(crate_name) else { continue };
            let for_tests = dependency["kind"].as_str() == Some("dev");
            if !for_tests && needed == "testkit" {
                findings.push(Finding::file(&manifest, "`testkit` may only be a dev-dependency"));
            } else if !for_tests && !allowed.permit(&needed) {
                findings.push(Finding::file(
                    &manifest,
                    format!("`{name}` may not depend on `{needed}` ({PAGE})"),
                ));
            }
        }
    }
    findings
}

/// What a crate may depend on.
enum Allowed {
    All,
    These(BTreeSet<String>),
}

impl Allowed {
    fn permit(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::These(names) => names.contains(name),
        }
    }
}

fn table(page: &str) -> Option<BTreeMap<String, Allowed>> {
    let rows = page
        .lines()
        .skip_while(|line| line.trim() != HEADER)
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let mut allowed = BTreeMap::new();
    for row in rows {
        let mut cells = row.trim_matches('|').split('|').map(str::trim);
        let (names, needs) = (cells.next()?, cells.next().unwrap_or_default());
        for name in names.split(',').map(str::trim) {
            let needs = match needs {
                "all of these" => Allowed::All,
                needs => Allowed::These(
                    needs.split([' ', ',']).filter(|n| !n.is_empty()).map(String::from).collect(),
                ),
            };
            allowed.insert(name.to_owned(), needs);
        }
    }
    (!allowed.is_empty()).then_some(allowed)
}

#[cfg(test)]
mod tests {
    use super::super::found;
    use super::*;

    const TABLE: &str = "x\n| crate | may depend on |\n|---|---|\n| mail | |\n| protocol, settings | mail |\n| server | all of these |\n\n| y |\n";

    #[test]
    fn only_what_the_table_allows() {
        let tree = Tree::of(&[(PAGE, TABLE)]).with_packages(&[
            ("waxseal-mail", &[("bytes", None), ("waxseal-testkit", Some("dev"))]),
            ("waxseal-protocol", &[("waxseal-mail", None)]),
            ("waxseal-settings", &[("waxseal-mail", None), ("waxseal-protocol", None)]),
            ("waxseal-web", &[]),
            ("waxseal", &[("waxseal-web", None), ("waxseal-testkit", None)]),
            ("waxseal-testkit", &[("waxseal-mail", None)]),
            ("xtask", &[("anyhow", None)]),
        ]);
        assert_eq!(
            found(check, &tree),
            [
                "crates/settings/Cargo.toml: `settings` may not depend on `protocol` (ARCHITECTURE.md)",
                "ARCHITECTURE.md: the table does not name the crate `web`",
                "crates/server/Cargo.toml: `testkit` may only be a dev-dependency",
            ]
        );
    }

    #[test]
    fn a_page_without_the_table_is_found() {
        assert_eq!(check(&Tree::of(&[(PAGE, "# Design")])).len(), 1);
    }
}
