//! `cargo xtask tidy`: rules that no compiler checks. A rule is a file in this folder and a line in the slice.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::Value;

mod conformance;
mod decisions;
mod dependencies;
mod lengths;
mod lints;
mod machine_paths;
mod misuses;
mod properties;
mod purity;
mod sql;
mod stubs;
mod test_switches;

/// A rule: a name, and a function that finds what breaks it.
type Check = (&'static str, fn(&Tree) -> Vec<Finding>);

const CHECKS: &[Check] = &[
    ("crates depend as ARCHITECTURE.md says", dependencies::check),
    ("pure crates stay pure", purity::check),
    ("every Misuse has a transcript", misuses::check),
    ("SQL lives in crates/store", sql::check),
    ("what is tested is what runs", test_switches::check),
    ("every crate has the workspace's lints", lints::check),
    ("files have at most 1,000 lines", lengths::check),
    ("no paths of a machine", machine_paths::check),
    ("nothing is left to do", stubs::check),
    ("decisions are numbered without gaps", decisions::check),
    ("the table of clauses is fresh", conformance::check),
    ("the table of properties is true", properties::check),
];

/// The checkout, read.
#[derive(Debug, Default)]
struct Tree {
    /// Every text file by its path from the root, with `/`.
    files: BTreeMap<String, String>,
    /// `packages` of `cargo metadata`.
    packages: Vec<Value>,
}

/// Where a rule is broken.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    file: String,
    /// From 1; none for the whole file.
    line: Option<usize>,
    what: String,
}

impl Finding {
    fn file(file: impl Into<String>, what: impl Into<String>) -> Self {
        Self { file: file.into(), line: None, what: what.into() }
    }

    fn line(file: impl Into<String>, line: usize, what: impl Into<String>) -> Self {
        Self { file: file.into(), line: Some(line), what: what.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.what),
            None => write!(f, "{}: {}", self.file, self.what),
        }
    }
}

/// Runs every check and shows all that they find.
pub(crate) fn run(root: &Path) -> Result<()> {
    let tree = Tree::read(root)?;
    let mut count = 0;
    for (name, check) in CHECKS {
        let findings = check(&tree);
        println!("{} {name}", if findings.is_empty() { "ok  " } else { "FAIL" });
        for finding in &findings {
            println!("     {finding}");
        }
        count += findings.len();
    }
    if count > 0 {
        bail!("tidy: {count} findings");
    }
    Ok(())
}

impl Tree {
    fn read(root: &Path) -> Result<Self> {
        let metadata = crate::run::output("cargo", &["metadata", "--format-version", "1", "--no-deps"])
            .context("`cargo metadata` failed")?;
        let mut metadata: Value = serde_json::from_str(&metadata)?;
        let packages = match metadata["packages"].take() {
            Value::Array(packages) => packages,
            _ => bail!("`cargo metadata` names no packages"),
        };
        let mut tree = Self { files: BTreeMap::new(), packages };
        tree.read_folder(root, "")?;
        Ok(tree)
    }

    fn read_folder(&mut self, folder: &Path, prefix: &str) -> Result<()> {
        for entry in std::fs::read_dir(folder).with_context(|| format!("{}", folder.display()))? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = format!("{prefix}{name}");
            if entry.file_type()?.is_dir() {
                if !["target", ".git", "corpus"].contains(&name.as_str()) {
                    self.read_folder(&entry.path(), &format!("{path}/"))?;
                }
            } else if let Ok(text) = std::fs::read_to_string(entry.path()) {
                self.files.insert(path, text);
            }
        }
        Ok(())
    }

    /// The Rust files under a folder, without those that only hold tests.
    fn product_code(&self, folder: &str) -> impl Iterator<Item = (&str, &str)> {
        self.files
            .iter()
            .filter(move |(path, _)| path.starts_with(folder) && path.ends_with(".rs") && !is_test_file(path))
            .map(|(path, text)| (path.as_str(), before_tests(text)))
    }

    /// Each package of the workspace under `crates/`, as ARCHITECTURE.md calls it.
    fn crates(&self) -> impl Iterator<Item = (String, &Value)> {
        self.packages.iter().filter_map(|package| Some((crate_name(package["name"].as_str()?)?, package)))
    }
}

/// `waxseal-mail` is `mail`, the binary's package `waxseal` is `server`; none for others.
fn crate_name(package: &str) -> Option<String> {
    match package {
        "waxseal" => Some("server".into()),
        _ => package.strip_prefix("waxseal-").map(String::from),
    }
}

/// Whether a file holds nothing but tests.
fn is_test_file(path: &str) -> bool {
    path.split('/').any(|part| ["tests", "tests.rs", "examples", "benches"].contains(&part))
        || path.starts_with("crates/testkit/")
}

/// The text before the first inline module of tests.
fn before_tests(text: &str) -> &str {
    let at = text
        .find("\n#[cfg(test)]\nmod tests {")
        .or_else(|| text.find("\n#[cfg(test)]\npub(crate) mod tests {"));
    &text[..at.unwrap_or(text.len())]
}

/// The numbers and texts of lines for which this holds.
fn lines_where<'a>(
    text: &'a str,
    holds: impl Fn(&str) -> bool + 'a,
) -> impl Iterator<Item = (usize, &'a str)> {
    text.lines().enumerate().map(|(index, line)| (index + 1, line)).filter(move |(_, line)| holds(line))
}

/// A package's name, and its dependencies with their kind.
#[cfg(test)]
type PackageOf<'a> = (&'a str, &'a [(&'a str, Option<&'a str>)]);

#[cfg(test)]
impl Tree {
    /// A tree for a test.
    fn of(files: &[(&str, &str)]) -> Self {
        let files = files.iter().map(|(path, text)| ((*path).into(), (*text).into())).collect();
        Self { files, packages: Vec::new() }
    }

    fn with_packages(mut self, packages: &[PackageOf]) -> Self {
        for (name, dependencies) in packages {
            let dependencies: Vec<Value> = dependencies
                .iter()
                .map(|(name, kind)| serde_json::json!({ "name": name, "kind": kind }))
                .collect();
            self.packages.push(serde_json::json!({ "name": name, "dependencies": dependencies }));
        }
        self
    }
}

/// What a check finds, a line each, for a test.
#[cfg(test)]
fn found(check: fn(&Tree) -> Vec<Finding>, tree: &Tree) -> Vec<String> {
    check(tree).iter().map(ToString::to_string).collect()
}
