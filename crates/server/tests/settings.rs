//! `waxseal settings check`, as a person and a program see it.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory can be made"))
    }

    #[expect(clippy::disallowed_methods, reason = "a text to be checked is nothing that must survive")]
    fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, content).expect("the directory can be written");
        path
    }

    fn check(&self, text: &str, more: &[&str]) -> Output {
        let file = self.file("settings.toml", text);
        let mut command = Command::new(env!("CARGO_BIN_EXE_waxseal"));
        command.args(["settings", "check"]).arg(file).args(more).output().expect("the program starts")
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("what is printed is UTF-8")
}

#[test]
fn a_good_text_is_explained() {
    let place = Place::new();
    let output = place.check("host-name = 'mail.example.org'", &[]);
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let said = text(&output.stdout);
    assert!(said.contains("settings.toml is good.\n\nmail.example.org serves\n"), "{said}");
    assert!(said.contains("  internet: smtp on [::]:25 (TLS offered)\n    relays for nobody\n"), "{said}");

    let output = place.check("host-name = 'mail.example.org'", &["--json"]);
    let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said["mistakes"], serde_json::json!([]));
    assert_eq!(said["delivery"]["expiration_secs"], 432_000.0);
}

#[test]
fn all_mistakes_are_told_and_the_exit_code_says_so() {
    let place = Place::new();
    let written = "host-nam = 'mail.example.org'\n[delivery]\ncertificate-authorities = '/nonexistent'\n";
    let output = place.check(written, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    let said = text(&output.stderr).replace(&format!("{}/", place.0.path().display()), "");
    assert_eq!(
        said,
        "settings.toml:1: unknown key `host-nam`; did you mean `host-name`?\n\
         settings.toml:3: [delivery]: certificate-authorities = '/nonexistent' is not there\n\
         2 mistakes.\n"
    );

    let output = place.check(written, &["--json"]);
    assert_eq!(output.status.code(), Some(1));
    let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&said["mistakes"][0]["line"], &said["mistakes"][1]["line"]), (&1.into(), &3.into()));
    assert_eq!(said["mistakes"][0]["suggestion"], "host-name");
}

#[test]
fn what_cannot_be_read_is_told_as_json_too() {
    let place = Place::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_waxseal"));
    let output = command.args(["settings", "check", "/nonexistent.toml", "--json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stderr.is_empty(), "{output:?}");
    let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said["answer"], "refused");
    assert!(said["message"].as_str().unwrap().starts_with("cannot read /nonexistent.toml: "), "{said}");

    // What never ends is read no further than any text may go.
    let mut command = Command::new(env!("CARGO_BIN_EXE_waxseal"));
    let output = command.args(["settings", "check", "/dev/zero", "--json"]).output().unwrap();
    let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said["mistakes"][0]["message"], "longer than 1 MiB");

    let devices = "[delivery]\nsmart-host = 'relay.example.net:587'\n\
                   authentication = { user = 'us', password-file = '/dev/zero' }\n";
    let output = place.check(devices, &[]);
    let said = text(&output.stderr);
    assert!(said.contains("password-file = '/dev/zero' is no file, but a device, pipe or socket"), "{said}");
}

#[test]
fn serve_starts_nothing_with_mistakes() {
    let place = Place::new();
    let file = place.file("settings.toml", "[delivery]\nsmart-host = 'relay.example.net'\ntls = 'of'\n");
    let data = place.0.path().join("data");
    let mut serve = Command::new(env!("CARGO_BIN_EXE_waxseal"));
    let output = serve.args(["serve", "--settings"]).arg(file).arg("--data").arg(&data).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains("settings.toml:3: [delivery]: tls = 'of' is none of off, "), "{said}");
    assert!(said.ends_with("1 mistake; nothing was started\n"), "{said}");
    assert!(!data.exists());
}
