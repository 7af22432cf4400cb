//! Plays one transcript in memory and shows the dialogue: `play FILE`. Exit code 1: it went differently.

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;

use testkit::{Cut, SessionStage, files, play};

fn main() -> ExitCode {
    let Some(path) = std::env::args().nth(1) else {
        eprintln!("usage: play FILE");
        return ExitCode::from(2);
    };
    match show(Path::new(&path), std::io::stdout().is_terminal()) {
        Ok(dialogue) => {
            print!("{dialogue}");
            ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("{path}: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn show(path: &Path, colour: bool) -> Result<String, String> {
    let file = files::read(path).map_err(|error| error.to_string())?;
    let transcript = file.transcript?;
    let mut stage = SessionStage::new(&transcript.fixture)?;
    let played =
        play(&transcript, file.protocol, &mut stage, Cut::Whole).map_err(|failure| failure.render(colour))?;
    Ok(format!("{}\n{}", transcript.title, played.dialogue.render(colour)))
}
