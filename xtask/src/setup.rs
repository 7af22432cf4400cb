//! `cargo xtask setup`: what the tests need beside the Rust tool chain. Nothing is skipped in silence.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::run;

/// A Debian package.
struct Package {
    name: &'static str,
    /// A program that it brings, a module of Perl, or a plugin of Cyrus SASL.
    program: &'static str,
    /// Why the tests need it.
    reason: &'static str,
}

const PACKAGES: &[Package] = &[
    Package { name: "curl", program: "curl", reason: "sends over SMTP and reads over POP3 and IMAP" },
    Package { name: "swaks", program: "swaks", reason: "speaks SMTP as administrators try it" },
    Package {
        name: "libnet-ssleay-perl",
        program: "Net::SSLeay",
        reason: "swaks asks for it to speak TLS, and Debian's swaks does not bring it",
    },
    Package { name: "mutt", program: "mutt", reason: "a mail program that reads IMAP and sends" },
    Package {
        name: "python3",
        program: "python3",
        reason: "smtplib, poplib and imaplib, clients that others wrote",
    },
    Package { name: "neomutt", program: "neomutt", reason: "comes back to a mailbox by QRESYNC" },
    Package { name: "isync", program: "mbsync", reason: "keeps a mailbox and a Maildir the same" },
    Package {
        name: "libsasl2-modules",
        program: "libscram.so",
        reason: "mbsync signs in by these plugins of Cyrus SASL",
    },
    Package { name: "offlineimap3", program: "offlineimap", reason: "does the same in another way" },
    Package { name: "fetchmail", program: "fetchmail", reason: "fetches over POP3" },
    Package { name: "gsasl", program: "gsasl", reason: "signs in by every mechanism of GNU SASL" },
    Package { name: "python3-pip", program: "pip3", reason: "installs IMAPClient" },
    Package { name: "nodejs", program: "node", reason: "runs imapflow and nodemailer" },
    Package { name: "npm", program: "npm", reason: "installs imapflow and nodemailer" },
    Package { name: "msmtp", program: "msmtp", reason: "submits mail for elsewhere" },
    Package {
        name: "postfix",
        program: "postfix",
        reason: "a next hop and a sender; its tests are for root, as its master is",
    },
    Package { name: "nmap", program: "nmap", reason: "looks for open relays as testers do" },
    Package { name: "pebble", program: "pebble", reason: "gives certificates by ACME" },
    Package { name: "testssl.sh", program: "testssl", reason: "looks for weaknesses of TLS" },
    Package { name: "strace", program: "strace", reason: "shows that each 250 follows its syncs" },
    Package { name: "postgresql", program: "initdb", reason: "the store's contract suite runs on it too" },
];

/// Where the lists of libraries of other languages stand.
const LIBRARIES: &str = "crates/server/tests/clients/packages";

/// Installs what is missing as root, else names it; then the libraries of other languages, and looks for cargo-nextest.
pub(crate) fn run() -> Result<()> {
    packages()?;
    libraries()?;
    nextest();
    Ok(())
}

fn packages() -> Result<()> {
    let missing: Vec<&Package> = PACKAGES.iter().filter(|package| !is_there(package.program)).collect();
    if missing.is_empty() {
        println!("every package that the tests need is there");
        return Ok(());
    }
    for package in &missing {
        println!("missing: {} ({})", package.name, package.reason);
    }
    let names: Vec<&str> = missing.iter().map(|package| package.name).collect();
    let install = install_arguments(&names);
    if !is_root() || !is_there("apt-get") {
        bail!("run this as root, then try again:\n    apt-get update && apt-get {}", install.join(" "));
    }
    let quiet = [("DEBIAN_FRONTEND", "noninteractive")];
    run::program("apt-get", &["update", "--quiet"], &quiet)?;
    run::program("apt-get", &install, &quiet)?;
    match missing.iter().find(|package| !is_there(package.program)) {
        Some(package) => {
            bail!("{} is installed, but there is no `{}`", package.name, package.program)
        }
        None => Ok(()),
    }
}

/// IMAPClient, imapflow and nodemailer, in the target directory; again when their lists have changed.
#[expect(clippy::disallowed_methods, reason = "a mark for the next run, not mail")]
fn libraries() -> Result<()> {
    let target = target_directory().join("clients");
    let lists = ["package.json", "requirements.txt"].map(|name| crate::root().join(LIBRARIES).join(name));
    let wanted = lists.iter().map(std::fs::read_to_string).collect::<Result<String, _>>()?;
    let installed = target.join("installed");
    if std::fs::read_to_string(&installed).is_ok_and(|had| had == wanted) {
        println!("the libraries that the tests drive are there");
        return Ok(());
    }
    std::fs::create_dir_all(&target)?;
    std::fs::copy(&lists[0], target.join("package.json"))?;
    let folder = target.to_string_lossy();
    run::program(
        "npm",
        &["install", "--prefix", &folder, "--no-package-lock", "--no-audit", "--no-fund"],
        &[],
    )?;
    let python = target.join("python");
    let list = lists[1].to_string_lossy();
    let pip =
        ["-m", "pip", "install", "--quiet", "--upgrade", "--target", &python.to_string_lossy(), "-r", &list];
    run::program("python3", &pip, &[])?;
    Ok(std::fs::write(installed, wanted)?)
}

fn target_directory() -> PathBuf {
    let set = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    crate::root().join(set)
}

fn install_arguments<'a>(names: &[&'a str]) -> Vec<&'a str> {
    [&["install", "--yes", "--quiet", "--no-install-recommends"], names].concat()
}

fn is_root() -> bool {
    run::output("id", &["-u"]).is_some_and(|id| id.trim() == "0")
}

/// Whether a program is in the search path, or where Debian keeps PostgreSQL's; a Perl module, whether Perl finds it; a
/// plugin, whether it is where Cyrus SASL looks.
fn is_there(program: &str) -> bool {
    if program.contains("::") {
        return run::succeeds("perl", &[&format!("-M{program}"), "-e1"]);
    }
    if program.ends_with(".so") {
        let libraries = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten();
        return libraries.into_iter().any(|of| of.path().join("sasl2").join(program).exists());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let postgresql = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let folders = std::env::split_paths(&path).chain(postgresql.map(|version| version.path().join("bin")));
    folders.chain([Path::new("/usr/sbin").into()]).any(|folder| folder.join(program).is_file())
}

/// The test runner. The same tests run without it, in fewer processes, so its absence is told and no more.
fn nextest() {
    if run::succeeds("cargo", &["nextest", "--version"]) {
        return;
    }
    println!("cargo-nextest is missing; building it takes some minutes, once");
    if let Err(error) = run::cargo(&["install", "cargo-nextest", "--locked"], &[]) {
        println!("note: {error:#}; the tests will run under `cargo test`");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_named_once_and_with_a_reason() {
        for (index, package) in PACKAGES.iter().enumerate() {
            assert!(!package.reason.is_empty());
            assert!(PACKAGES[..index].iter().all(|other| other.name != package.name), "{}", package.name);
        }
    }

    #[test]
    fn programs_are_found_in_the_search_path() {
        assert!(is_there("cargo") && is_there("sh"));
        assert!(!is_there("no-program-has-this-name"));
    }
}
