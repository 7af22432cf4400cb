//! `docs/properties.md`: each property is a key, or a command, that is there, and is shown by a test that is there.

use std::collections::{BTreeMap, BTreeSet};

use super::{Finding, Tree};

const PAGE: &str = "docs/properties.md";
const MANUAL: &str = "docs/settings.md";
const COMMANDS: &str = "crates/server/src/cli";
const TESTS: &str = "crates/server/tests/properties/";
/// The heading of the list of keys that no outside test shows, each with the reason.
const NOT_SHOWN: &str = "## Not shown from outside";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let (Some(page), Some(manual)) = (tree.files.get(PAGE), tree.files.get(MANUAL)) else {
        return vec![Finding::file(PAGE, "it or docs/settings.md is not there")];
    };
    let known = keys(manual);
    let (table, not_shown) = page.split_once(NOT_SHOWN).unwrap_or((page, ""));
    let mut findings = Vec::new();
    let mut named = BTreeSet::new();
    for (line, row) in rows(table) {
        let [_, settings, _, tests] = &row[..] else {
            findings.push(Finding::line(PAGE, line, "a row has four columns"));
            continue;
        };
        let mut wrong = |what: String| findings.push(Finding::line(PAGE, line, what));
        for key in quoted(settings) {
            match key.strip_prefix("waxseal ") {
                Some(command) if !is_command(tree, command) => wrong(format!("there is no command `{key}`")),
                Some(_) => {}
                None if !name(key, &known, &mut named) => {
                    wrong(format!("`{key}` is no key of docs/settings.md"))
                }
                None => {}
            }
        }
        let tests = quoted(tests);
        if tests.is_empty() {
            wrong("no test shows it: name one, or move its keys to the list at the end".into());
        }
        for test in tests.into_iter().filter(|test| !is_test(tree, test)) {
            wrong(format!("there is no test `{test}` below {TESTS}"));
        }
    }
    findings.extend(listed(not_shown, &known, &mut named));
    let of_servers = known.iter().filter(|key| key.starts_with("virtual-server."));
    let missing = of_servers.filter(|key| !named.contains(*key));
    findings.extend(missing.map(|key| Finding::file(PAGE, format!("it does not name the property `{key}`"))));
    findings
}

/// Notes what a key names: itself, or, as `virtual-server.errors.*`, all below it. Whether there is such a key.
fn name(key: &str, known: &BTreeSet<String>, named: &mut BTreeSet<String>) -> bool {
    match key.strip_suffix('*') {
        Some(prefix) => named.extend(known.iter().filter(|known| known.starts_with(prefix)).cloned()),
        None => named.extend(known.get(key).cloned()),
    }
    let is_below = |prefix: &str| known.iter().any(|known| known.starts_with(prefix));
    key.strip_suffix('*').map_or_else(|| known.contains(key), is_below)
}

/// The list of what is not shown: a key and why.
fn listed(text: &str, known: &BTreeSet<String>, named: &mut BTreeSet<String>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for line in text.lines().filter(|line| line.starts_with("- ")) {
        let (keys, reason) = line.split_once(": ").unwrap_or((line, ""));
        for key in quoted(keys) {
            if !name(key, known, named) {
                findings.push(Finding::file(PAGE, format!("`{key}` is no key of docs/settings.md")));
            }
        }
        if reason.trim().is_empty() {
            findings.push(Finding::file(PAGE, format!("no reason stands behind {keys}")));
        }
    }
    findings
}

/// The rows of all tables, without heads and rules, each with its line.
fn rows(text: &str) -> Vec<(usize, Vec<&str>)> {
    let mut rows = Vec::new();
    let mut is_head = true;
    for (line, text) in (1..).zip(text.lines()) {
        let Some(inner) = text.strip_prefix("| ").and_then(|text| text.trim_end().strip_suffix('|')) else {
            // Between two tables, and the rule below a head.
            is_head = !text.starts_with('|');
            continue;
        };
        if !is_head {
            rows.push((line, inner.split(" | ").collect()));
        }
    }
    rows
}

fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// Every key of the manual with the table that it stands in: `host-name`, `virtual-server.connections.limit`.
fn keys(manual: &str) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    let mut prefixes: Vec<String> = Vec::new();
    for line in manual.lines() {
        if let Some(title) = line.strip_prefix("### ") {
            prefixes = self::prefixes(title);
        } else if let Some(name) = line.strip_prefix("- **`").and_then(|rest| rest.split('`').next()) {
            keys.extend(prefixes.iter().map(|prefix| format!("{prefix}{name}")));
        }
    }
    keys
}

/// What stands before the keys of a section, by its title: `relay` of `[[virtual-server]]` is `virtual-server.relay.`
fn prefixes(title: &str) -> Vec<String> {
    let parts = quoted(title);
    let bare = |part: &str| part.trim_matches(['[', ']']).to_owned();
    // Where it stands is said of [defaults] as well, which is the same keys.
    let outer =
        |part: &&&str| part.starts_with('[') && !matches!(**part, "[defaults]" | "[[virtual-server.when]]");
    match parts.first() {
        None => vec![String::new()],
        Some(first) if first.starts_with('[') => vec![format!("{}.", bare(first))],
        Some(inner) => {
            let outers = parts.iter().filter(outer);
            outers.map(|outer| format!("{}.{inner}.", bare(outer))).collect()
        }
    }
}

/// Whether the command line knows the words: each is a variant, in its own spelling.
fn is_command(tree: &Tree, words: &str) -> bool {
    let sources = tree.files.iter().filter(|(path, _)| path.starts_with(COMMANDS));
    let sources: BTreeMap<_, _> = sources.collect();
    words.split(' ').take_while(|word| word.starts_with(|c: char| c.is_ascii_lowercase())).all(|word| {
        let parts = word.split('-').map(|part| part[..1].to_uppercase() + &part[1..]);
        let variant: String = parts.collect();
        let is_there = |text: &String| {
            ["(", " {", ","].iter().any(|after| text.contains(&format!("    {variant}{after}")))
        };
        sources.values().any(|text| is_there(text))
    })
}

/// Whether `module::function` is a test.
fn is_test(tree: &Tree, test: &str) -> bool {
    let Some((module, function)) = test.rsplit_once("::") else { return false };
    let text = tree.files.get(&format!("{TESTS}{}.rs", module.replace("::", "/")));
    text.is_some_and(|text| {
        let at = text.find(&format!("fn {function}()"));
        at.is_some_and(|at| text[..at].rsplit("}\n").next().is_some_and(|before| before.contains("#[test]")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: &str = "### At the top\n\n- **`host-name`**: a name.\n\n### `[[virtual-server]]`, `[[virtual-server.when]]`, \
        and `[defaults]` for all of them\n\n- **`banner`**: x\n\n### `connections` of `[[virtual-server]]` and `[defaults]`\n\n\
        - **`limit`**: x\n\n### `masquerade` of `[delivery]` and `[[remote-domain]]`\n\n- **`header`**: x\n";
    const HEAD: &str = "| property | setting | default | shown by |\n|---|---|---|---|\n";

    fn found_in(page: &str) -> Vec<String> {
        let files = [
            (PAGE, page),
            (MANUAL, SETTINGS),
            ("crates/server/src/cli.rs", "    Settings(SettingsCommand),\n"),
            ("crates/server/src/cli/settings.rs", "    History {\n"),
            ("crates/server/tests/properties/general.rs", "#[test]\nfn banner() {\n}\nfn helper() {\n}\n"),
        ];
        super::super::found(check, &Tree::of(&files))
    }

    #[test]
    fn keys_have_the_names_of_their_tables() {
        let expected = [
            "delivery.masquerade.header",
            "host-name",
            "remote-domain.masquerade.header",
            "virtual-server.banner",
            "virtual-server.connections.limit",
        ];
        assert_eq!(keys(SETTINGS).into_iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_whole_page_is_good() {
        let row =
            "| text | `virtual-server.banner`, `waxseal settings history` | none | `general::banner` |\n";
        let list = "## Not shown from outside\n\n- `virtual-server.connections.limit`: it is for machines.\n";
        assert!(found_in(&format!("{HEAD}{row}\n{list}")).is_empty());
    }

    #[test]
    fn what_is_not_there_is_found() {
        let rows =
            "| a | `virtual-server.baner` | none | `general::helper` |\n| b | `waxseal settings forget` |\n";
        let expected = [
            "docs/properties.md:3: `virtual-server.baner` is no key of docs/settings.md",
            "docs/properties.md:3: there is no test `general::helper` below crates/server/tests/properties/",
            "docs/properties.md:4: a row has four columns",
            "docs/properties.md: no reason stands behind - `virtual-server.banner`",
            "docs/properties.md: it does not name the property `virtual-server.connections.limit`",
        ];
        let list = "## Not shown from outside\n\n- `virtual-server.banner`\n";
        assert_eq!(found_in(&format!("{HEAD}{rows}\n{list}")), expected);
    }
}
