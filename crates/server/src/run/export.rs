//! `waxseal queue export`: a message that waits, piece by piece.

use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use admin::{Request, Response};
use anyhow::{Context, Result};
use base64::Engine as _;
use store::files::{NewFile, Readers};

use super::command::ask;
use super::show::show;
use crate::cli::Where;

/// Writes it to a file, or to standard output.
pub(super) fn run(queue_id: &str, to: Option<&Path>, place: &Where) -> Result<ExitCode> {
    let (mut file, mut offset) = (None, 0);
    loop {
        let answered = ask(&Request::QueueExport { queue_id: queue_id.to_owned(), offset }, place)?;
        let Response::ExportedPiece { piece, next } = &answered.response else {
            return show(&answered, place.json);
        };
        let octets =
            base64::engine::general_purpose::STANDARD.decode(piece).context("the answer is damaged")?;
        match (to, &mut file) {
            (None, _) => io::stdout().write_all(&octets)?,
            (Some(path), None) => {
                let mut new = create(path)?;
                new.write(&octets)?;
                file = Some(new);
            }
            (Some(_), Some(file)) => file.write(&octets)?,
        }
        match next {
            Some(next) => offset = *next,
            None => break,
        }
    }
    if let Some(file) = file {
        writeln!(io::stdout(), "{queue_id} is in {}", file.finish()?.display())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn create(path: &Path) -> Result<NewFile> {
    let name = path.file_name().and_then(|name| name.to_str()).context("this is no name of a file")?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    NewFile::create(directory, name, Readers::Owner)
        .with_context(|| format!("cannot write {}", path.display()))
}
