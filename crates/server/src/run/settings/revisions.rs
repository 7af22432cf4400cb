//! The revisions of the settings: asks the administration for them, and brings new ones.

use std::cell::Cell;
use std::fs::{self, DirBuilder};
use std::io::{self, BufRead as _, IsTerminal as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use admin::{Refusal, Request, Response};
use anyhow::{Context, Result, bail};

use super::{refuse, told};
use crate::cli::Where;
use crate::files::write_private;
use crate::run::command::ask;
use crate::run::show::{Answered, print, show};

/// Prints a revision; `all` also what it leaves unsaid.
pub(super) fn print_text(revision: Option<i64>, all: bool, place: &Where) -> Result<ExitCode> {
    let answered = ask(&Request::SettingsShow { number: revision }, place)?;
    let Response::Settings { text, .. } = &answered.response else { return show(&answered, place.json) };
    if !all || place.json {
        return show(&answered, place.json);
    }
    match settings::explain(text) {
        Ok(whole) => print(&whole)?,
        Err(mistakes) => bail!("{}", told(Path::new("settings"), &mistakes)),
    }
    Ok(ExitCode::SUCCESS)
}

/// Puts the text of a file in force, or tells what it would have changed.
pub(super) fn apply(file: &Path, reason: String, what_if: bool, place: &Where) -> Result<ExitCode> {
    let text = super::text(file)?;
    if let Err(mistakes) = settings::resolve(&text) {
        refuse(file, &mistakes, place.json)?;
        return Ok(ExitCode::FAILURE);
    }
    let request = match what_if {
        true => Request::SettingsWhatIf { text },
        false => Request::SettingsApply { text, reason, based_on: None },
    };
    show(&ask(&request, place)?, place.json)
}

/// Lets a person change the text in force.
pub(super) fn edit(reason: String, place: &Where) -> Result<ExitCode> {
    let answered = ask(&Request::SettingsShow { number: None }, place)?;
    let Response::Settings { revision, file, text } = &answered.response else {
        return show(&answered, place.json);
    };
    if let Some(file) = file {
        let message = format!("the settings are those of {file}, with which the server was started");
        return show(
            &refused(&answered, message, format!("change {file}: the server notices it")),
            place.json,
        );
    }
    if !answered.by_server {
        let message = "the server does not run, so that nothing can try the settings".to_owned();
        return show(&refused(&answered, message, "start it first: waxseal serve".to_owned()), place.json);
    }
    let draft = Draft::new(text)?;
    let Some(changed) = draft.edited(text)? else { return Ok(ExitCode::FAILURE) };
    if changed == *text {
        print("Nothing was changed.\n")?;
        return Ok(ExitCode::SUCCESS);
    }
    let request = Request::SettingsApply { text: changed, reason, based_on: Some(revision.number) };
    let answered = ask(&request, place)?;
    if matches!(answered.response, Response::Refused(_)) {
        draft.keep();
    }
    show(&answered, place.json)
}

fn refused(answered: &Answered, message: String, remedy: String) -> Answered {
    Answered { response: Response::Refused(Refusal { message, remedy }), by_server: answered.by_server }
}

/// A text on its way through an editor, in a directory that nobody else can read or has prepared.
struct Draft {
    directory: PathBuf,
    file: PathBuf,
    is_kept: Cell<bool>,
}

impl Draft {
    fn new(text: &str) -> Result<Self> {
        let directory = std::env::temp_dir().join(format!("waxseal-settings-{}", std::process::id()));
        let made = DirBuilder::new().mode(0o700).create(&directory);
        made.with_context(|| format!("cannot make {}", directory.display()))?;
        let draft = Self { file: directory.join("settings.toml"), directory, is_kept: Cell::new(false) };
        write_private(&draft.file, text.as_bytes())
            .with_context(|| format!("cannot write {}", draft.file.display()))?;
        Ok(draft)
    }

    /// What the editor leaves, once it has no mistakes; none if the person gives up.
    fn edited(&self, before: &str) -> Result<Option<String>> {
        loop {
            open_editor(&self.file)?;
            let text = super::text(&self.file)?;
            let Err(mistakes) = settings::resolve(&text) else { return Ok(Some(text)) };
            refuse(&self.file, &mistakes, false)?;
            if text == before || !wants_again()? {
                self.keep();
                return Ok(None);
            }
        }
    }

    /// Leaves the file where it is, and says where.
    #[expect(clippy::print_stderr, reason = "it is for the person at the terminal")]
    fn keep(&self) {
        self.is_kept.set(true);
        eprintln!("What you wrote is kept in {}.", self.file.display());
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.is_kept.get() {
            // What an editor leaves beside it goes as well. If it cannot go, it is private, and in a temporary place.
            let _ = fs::remove_dir_all(&self.directory);
        }
    }
}

/// The variables may hold a program with arguments, as they do for other programs.
fn open_editor(file: &Path) -> Result<()> {
    let chosen =
        ["VISUAL", "EDITOR"].iter().find_map(|name| std::env::var(name).ok().filter(|it| !it.is_empty()));
    let editor = chosen.unwrap_or_else(|| "vi".to_owned());
    let status =
        Command::new("/bin/sh").arg("-c").arg(format!("{editor} \"$1\"")).arg("sh").arg(file).status();
    let status = status.with_context(|| format!("cannot start {editor}"))?;
    if !status.success() {
        bail!("the editor {editor} ended with {status}; nothing was changed");
    }
    Ok(())
}

#[expect(clippy::print_stderr, reason = "it asks the person at the terminal")]
fn wants_again() -> Result<bool> {
    if !io::stdin().is_terminal() {
        return Ok(false);
    }
    eprintln!("Edit it again? [Y/n]");
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(!answer.trim_start().to_lowercase().starts_with('n'))
}
