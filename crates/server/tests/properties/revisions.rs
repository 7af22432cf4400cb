//! The settings as revisions: shown, changed, compared, brought back; and what they would have decided.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use crate::harness::Place;

const COMMON: &str = "host-name = \"mx.here.example\"\nlog = { format = \"json\" }\n";
const INTERNET: &str =
    "[[virtual-server]]\nname = \"internet\"\nprotocol = \"smtp\"\nbind = \"127.0.0.1:0\"\n";

/// A server that has its settings from the revisions; the first was a file.
fn place() -> Place {
    let mut place = Place::start(&["ann"], INTERNET);
    place.stop();
    place.restart_from_revisions(1);
    place
}

fn text(more: &str) -> String {
    format!("{COMMON}{INTERNET}{more}")
}

/// Puts a text in force, and says what was said.
fn apply(place: &Place, text: &str, more: &[&str]) -> (bool, String) {
    let file = place.beside("new.toml");
    fs::write(&file, text).unwrap();
    let arguments = [&["settings", "apply", file.to_str().unwrap()], more].concat();
    said(place, &arguments)
}

fn said(place: &Place, arguments: &[&str]) -> (bool, String) {
    let output = place.try_command(arguments, "");
    let said = [&output.stdout[..], &output.stderr[..]].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

fn banner(place: &Place) -> String {
    place.client("internet").banner().trim_end().to_owned()
}

#[test]
fn settings_are_applied_compared_and_brought_back() {
    let place = place();
    let before = banner(&place);
    let (done, told) = apply(&place, &text("banner = \"one\"\n"), &["--reason", "for a try"]);
    assert!(done && told.contains("internet"), "{told}");
    assert_eq!(banner(&place), format!("{before} one"));
    let (done, shown) = said(&place, &["settings", "show"]);
    assert!(done && shown.ends_with("banner = \"one\"\n"), "{shown}");

    let (done, difference) = said(&place, &["settings", "diff"]);
    assert!(done && difference.contains("\n+banner = \"one\"\n"), "{difference}");
    let (done, history) = said(&place, &["settings", "history"]);
    let newest = history.lines().nth(1).unwrap_or_default().to_owned();
    assert!(done && newest.ends_with("for a try"), "{history}");
    // Where the name stands elsewhere than in passwd(5), it is the number.
    let author = |how: &str| {
        let output = Command::new("id").arg(how).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    assert!([author("-un"), author("-u")].iter().any(|author| newest.contains(author.as_str())), "{history}");

    let first = history.lines().last().unwrap_or_default().split(' ').next().unwrap().to_owned();
    let (done, told) = said(&place, &["settings", "rollback", &first]);
    assert!(done, "{told}");
    assert_eq!(banner(&place), before);
    let (done, history) = said(&place, &["settings", "history"]);
    assert!(done && history.contains(&format!("back to revision {first}")), "{history}");
}

#[test]
fn all_that_holds_is_shown_with_where_it_comes_from() {
    let place = place();
    let (done, whole) = said(&place, &["settings", "show", "--all"]);
    assert!(done && whole.contains("host-name = \"mx.here.example\"  # line 1\n"), "{whole}");
    assert!(whole.contains("message-size-limit = \"50 MiB\"  # default\n"), "{whole}");
}

#[test]
fn a_text_with_mistakes_changes_nothing_and_they_are_all_told() {
    let place = place();
    let before = banner(&place);
    let (done, told) = apply(&place, &text("baner = \"one\"\ntls = \"requird\"\n"), &[]);
    assert!(
        !done && told.contains("did you mean `banner`?") && told.contains("did you mean `required`?"),
        "{told}"
    );
    assert_eq!(banner(&place), before);
}

#[test]
fn settings_are_edited() {
    let place = place();
    let before = banner(&place);
    let editor = place.beside("editor");
    fs::write(&editor, "#!/bin/sh\necho 'banner = \"edited\"' >> \"$1\"\n").unwrap();
    fs::set_permissions(&editor, fs::Permissions::from_mode(0o755)).unwrap();
    let edit = |editor: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_waxseal"));
        command.args(["settings", "edit", "--reason", "by hand", "--data"]).arg(place.data());
        command.env("VISUAL", editor).output().unwrap()
    };
    let output = edit("true");
    assert!(output.status.success() && output.stdout.starts_with(b"Nothing was changed"), "{output:?}");
    let output = edit(editor.to_str().unwrap());
    assert!(output.status.success(), "{output:?}");
    assert_eq!(banner(&place), format!("{before} edited"));
    let (_, history) = said(&place, &["settings", "history"]);
    assert!(history.contains("by hand"), "{history}");
}

#[test]
fn a_server_that_is_down_shows_its_settings_and_changes_nothing() {
    let mut place = place();
    place.stop();
    let (done, shown) = said(&place, &["settings", "show"]);
    assert!(done && shown.contains("name = \"internet\""), "{shown}");
    assert!(said(&place, &["settings", "history"]).0);
    let (done, told) = apply(&place, &text(""), &[]);
    assert!(!done && told.contains("does not run"), "{told}");
}

#[test]
fn with_a_file_the_file_is_changed() {
    let place = Place::start(&[], INTERNET);
    let (done, told) = apply(&place, &text("banner = \"one\"\n"), &[]);
    assert!(!done && told.contains("settings.toml"), "{told}");
    let (done, told) = said(&place, &["settings", "rollback", "1"]);
    assert!(!done && told.contains("settings.toml"), "{told}");
}

#[test]
fn verdicts_that_would_change_are_told_and_nothing_is_changed() {
    let place = place();
    let mut client = place.client("internet");
    client.expect("EHLO client.example", "250 ");
    let letter = format!("Subject: x\r\n\r\n{}", "0123456789\r\n".repeat(10_000));
    let reply = client.send_message("joe@elsewhere.example", &["ann@here.example"], &letter);
    assert!(reply.starts_with("250"), "{reply}");

    let (done, told) = apply(&place, &text(""), &["--what-if"]);
    assert!(done && told.contains("0 would change"), "{told}");
    let (done, told) = apply(&place, &text("message-size-limit = \"64 KiB\"\n"), &["--what-if"]);
    assert!(done && told.contains("was: accepted\n") && told.contains("now: 552"), "{told}");
    let hello = place.client("internet").ask("EHLO client.example");
    assert!(hello.contains("SIZE 52428800"), "nothing was changed: {hello}");
}
