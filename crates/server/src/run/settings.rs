//! `waxseal settings`: the settings in force and as they were; what a settings text means, or every mistake in it.

mod meaning;
mod revisions;

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::process::ExitCode;

use admin::{Refusal, Request, Response};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use settings::limits::TEXT_OCTETS_MAX;
use settings::{FileKind, Mistake, NamedFile, Settings};
use wire::Trust;
use wire::tls::{Certificates, Error as TlsError, Pem};

use super::command::ask;
use super::show::{print, show};
use crate::cli::{SettingsAction, SettingsCommand};
use crate::world;

/// Runs it. With `--json` every end of it is JSON.
///
/// # Errors
/// A file cannot be read; neither the server nor its data can be asked.
pub(super) fn run(command: SettingsCommand) -> Result<ExitCode> {
    let (request, place) = match command.action {
        SettingsAction::Check { file, json } => return check(&file, json),
        SettingsAction::Show { revision, all, place } => return revisions::print_text(revision, all, &place),
        SettingsAction::Edit { reason, place } => return revisions::edit(reason, &place),
        SettingsAction::Apply { file, reason, what_if, place } => {
            return revisions::apply(&file, reason, what_if, &place);
        }
        SettingsAction::Diff { from, to, place } => (Request::SettingsDiff { from, to }, place),
        SettingsAction::History { place } => (Request::SettingsHistory, place),
        SettingsAction::Rollback { revision, reason, place } => {
            (Request::SettingsRollback { number: revision, reason }, place)
        }
    };
    show(&ask(&request, &place)?, place.json)
}

/// Tells what a text means, or every mistake in it.
fn check(file: &Path, json: bool) -> Result<ExitCode> {
    let checked = match read(file) {
        Err(error) if json => {
            let refusal = Refusal { message: format!("{error:#}"), remedy: String::new() };
            print(&format!("{}\n", json!(Response::Refused(refusal))))?;
            return Ok(ExitCode::FAILURE);
        }
        checked => checked?,
    };
    match checked {
        Ok(settings) if json => print(&format!("{}\n", meaning::json(&settings)))?,
        Ok(settings) => print(&format!("{} is good.\n\n{}", file.display(), meaning::text(&settings)))?,
        Err(mistakes) => {
            refuse(file, &mistakes, json)?;
            return Ok(ExitCode::FAILURE);
        }
    }
    Ok(ExitCode::SUCCESS)
}

#[expect(clippy::print_stderr, reason = "mistakes are for the person at the terminal")]
fn refuse(file: &Path, mistakes: &[Mistake], json: bool) -> Result<()> {
    if json {
        let mistakes: Vec<Value> = mistakes.iter().map(mistake_json).collect();
        print(&format!("{}\n", json!({ "mistakes": mistakes })))?;
    } else {
        eprintln!("{}.", told(file, mistakes));
    }
    Ok(())
}

fn mistake_json(mistake: &Mistake) -> Value {
    let Mistake { line, place, key, message, suggestion } = mistake;
    json!({ "line": line, "place": place, "key": key, "message": message, "suggestion": suggestion })
}

/// A line for each mistake, `FILE:LINE: what is wrong`, and how many there are.
pub(crate) fn told(file: &Path, mistakes: &[Mistake]) -> String {
    let line = |mistake: &Mistake| format!("{}:{mistake}\n", file.display());
    let plural = if mistakes.len() == 1 { "mistake" } else { "mistakes" };
    format!("{}{} {plural}", mistakes.iter().map(line).collect::<String>(), mistakes.len())
}

/// The settings of a file whose named files can be used, or every mistake, by line.
///
/// # Errors
/// The file itself cannot be read.
pub(super) fn read(file: &Path) -> Result<Result<Settings, Vec<Mistake>>> {
    Ok(meaning(&text(file)?))
}

/// The text in a settings file.
///
/// # Errors
/// It cannot be read.
pub(crate) fn text(file: &Path) -> Result<String> {
    let mut bytes = Vec::new();
    // One octet more than a settings text may have, so that a longer one is a mistake, and one without end has one.
    let open = File::open(file).map(|open| open.take(TEXT_OCTETS_MAX as u64 + 1));
    open.and_then(|mut open| open.read_to_end(&mut bytes))
        .with_context(|| format!("cannot read {}", file.display()))?;
    String::from_utf8(bytes).with_context(|| format!("{} is not UTF-8", file.display()))
}

/// What a text means, if the files that it names can be used; or every mistake, by line.
pub(crate) fn meaning(text: &str) -> Result<Settings, Vec<Mistake>> {
    let mut mistakes = mistakes_of_files(&settings::files(text));
    match settings::resolve(text) {
        Ok(settings) if mistakes.is_empty() => Ok(settings),
        Ok(_) => Err(mistakes),
        Err(others) => {
            mistakes.extend(others);
            mistakes.sort();
            Err(mistakes)
        }
    }
}

fn mistakes_of_files(files: &[NamedFile]) -> Vec<Mistake> {
    let mut mistakes: Vec<Mistake> = Vec::new();
    for (place, file) in files.iter().enumerate() {
        let path = &file.path;
        let checked = match file.kind {
            FileKind::Certificate => {
                let key = files.get(place + 1).filter(|next| next.kind == FileKind::Key);
                let wrong = key.and_then(|key| certificate(file, key));
                mistakes.extend(wrong);
                world::readable(path).map(drop)
            }
            FileKind::Key => world::readable(path).map(drop),
            FileKind::Password => world::password(path).map(drop),
            FileKind::Authorities => authorities(path),
            FileKind::TrustAnchors => world::anchors(path),
            FileKind::ProtocolLog => can_be_written(path),
        };
        mistakes.extend(checked.err().map(|problem| file.mistake(&problem)));
    }
    mistakes.sort();
    mistakes
}

/// What is wrong with a certificate and its key that can both be read.
fn certificate(chain: &NamedFile, key: &NamedFile) -> Option<Mistake> {
    let pem = Pem { chain: world::readable(&chain.path).ok()?, key: world::readable(&key.path).ok()? };
    match Certificates::new(&[pem]).err()? {
        TlsError::Key { .. } => Some(key.mistake("is no private key in PEM form")),
        TlsError::Refused { .. } => {
            let problem = format!("is not the key of {}, or no key that TLS can use", chain.path.display());
            Some(key.mistake(&problem))
        }
        _ => Some(chain.mistake("has no certificate in PEM form")),
    }
}

fn authorities(path: &Path) -> Result<(), String> {
    let pem = world::readable(path)?;
    Trust::only(&[pem]).map(drop).map_err(|_| crate::delivery::NO_AUTHORITY.to_owned())
}

/// A log need not be there; its directory must.
fn can_be_written(path: &Path) -> Result<(), String> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !directory.is_dir() {
        return Err(format!("cannot be written: there is no directory {}", directory.display()));
    }
    if path.is_dir() { Err("is a directory".to_owned()) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
