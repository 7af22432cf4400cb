//! Runs a program and says what it was if it fails.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// Runs cargo in the checkout, with additional environment variables.
pub(crate) fn cargo(arguments: &[&str], environment: &[(&str, &str)]) -> Result<()> {
    program("cargo", arguments, environment)
}

/// Runs a program in the checkout; its output goes to the terminal.
pub(crate) fn program(name: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Result<()> {
    let mut command = Command::new(name);
    command.args(arguments).envs(environment.iter().copied()).current_dir(crate::root());
    let status = command.status().with_context(|| format!("`{name}` cannot be started"))?;
    if !status.success() {
        bail!("`{name} {}` failed ({status})", arguments.join(" "));
    }
    Ok(())
}

/// Whether a program can be started and says that all is well, quietly.
pub(crate) fn succeeds(name: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(name);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// What a program prints; none if it fails.
pub(crate) fn output(name: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(name).args(arguments).current_dir(crate::root()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
