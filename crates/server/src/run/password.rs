//! Where a new password comes from: a prompt, standard input, or the server makes one. Never an argument.

use std::io::{self, BufRead, IsTerminal};

use admin::{NewPassword, Secret};
use anyhow::{Context, Result, bail};

use crate::cli::PasswordSource;

/// The password for an account.
///
/// # Errors
/// Nothing was typed, or the two inputs differ.
pub(super) fn ask(source: &PasswordSource, address: &str) -> Result<NewPassword> {
    if source.generate {
        return Ok(NewPassword::Generate);
    }
    let password =
        if source.password_stdin || !io::stdin().is_terminal() { from_input()? } else { prompted(address)? };
    if password.is_empty() {
        bail!("no password was given; to have one made, say --generate");
    }
    Ok(NewPassword::Given(Secret(password)))
}

fn from_input() -> Result<String> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).context("cannot read the password from standard input")?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn prompted(address: &str) -> Result<String> {
    let password = rpassword::prompt_password(format!("Password for {address}: "))?;
    if rpassword::prompt_password("The same again: ")? != password {
        bail!("the two differ; nothing was changed");
    }
    Ok(password)
}
