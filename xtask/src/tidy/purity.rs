//! `mail`, `protocol`, `sieve` and `settings` do no I/O, read no clock, draw no random numbers and do not log.

use super::{Finding, Tree, lines_where};

const PURE: [&str; 4] = ["mail", "protocol", "sieve", "settings"];

/// Packages that reach outside.
const IMPURE_PACKAGES: [&str; 10] = [
    "tokio",
    "tokio-rustls",
    "tracing",
    "log",
    "rusqlite",
    "getrandom",
    "rand",
    "socket2",
    "rustix",
    "waxseal-world",
];

/// Parts of the standard library that reach outside.
const IMPURE_PATHS: [&str; 9] = [
    "std::fs",
    "std::process",
    "std::thread",
    "std::env",
    "std::net::Tcp",
    "std::net::Udp",
    "std::io::stdin",
    "std::io::stdout",
    "SystemTime::now",
];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let pure = |name: &str| PURE.contains(&name);
    let mut findings = Vec::new();
    for (name, package) in tree.crates().filter(|(name, _)| pure(name)) {
        let dependencies = package["dependencies"].as_array().into_iter().flatten();
        for needed in
            dependencies.filter(|d| d["kind"].as_str() != Some("dev")).filter_map(|d| d["name"].as_str())
        {
            if IMPURE_PACKAGES.contains(&needed) {
                findings.push(Finding::file(
                    format!("crates/{name}/Cargo.toml"),
                    format!("`{needed}` is not pure"),
                ));
            }
        }
    }
    for name in PURE {
        for (path, text) in tree.product_code(&format!("crates/{name}/src/")) {
            let impure = |line: &str| {
                !line.trim_start().starts_with("//") && IMPURE_PATHS.iter().any(|p| line.contains(p))
            };
            findings.extend(
                lines_where(text, impure).map(|(line, _)| Finding::line(path, line, "reaches outside")),
            );
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::found;
    use super::*;

    #[test]
    fn a_pure_crate_that_reaches_outside_is_found() {
        let tree = Tree::of(&[
            (
                "crates/mail/src/lib.rs",
                "//! Not std::fs.\nuse std::fs;\n\n#[cfg(test)]\nmod tests {\n    use std::env;\n}\n",
            ),
            ("crates/mail/src/a/tests.rs", "use std::fs;\n"),
            ("crates/store/src/lib.rs", "use std::fs;\n"),
        ])
        .with_packages(&[
            ("waxseal-mail", &[("bytes", None), ("tokio", Some("dev"))]),
            ("waxseal-protocol", &[("tokio", None)]),
            ("waxseal-store", &[("rusqlite", None)]),
        ]);
        let expected =
            ["crates/protocol/Cargo.toml: `tokio` is not pure", "crates/mail/src/lib.rs:2: reaches outside"];
        assert_eq!(found(check, &tree), expected);
    }
}
