//! Does what the command line says.

mod command;
mod password;
mod serve;
mod show;

use std::process::ExitCode;

use anyhow::{Context, Result};
use settings::{LogFormat, LogLevel};
use tokio::runtime::Runtime;
use world::{Clock, Dice, Workers, World};

use crate::cli::{Cli, Command};
use crate::trial;

pub(crate) use show::print;

/// Runs one command to its end.
///
/// # Errors
/// Why it could not be done, for the person at the terminal.
pub fn run(cli: Cli) -> Result<ExitCode> {
    match cli.command {
        Command::Try(arguments) => {
            serve::log(LogLevel::Warn, LogFormat::Text);
            runtime()?.block_on(async {
                // A trial whose terminal is closed still removes what it made.
                let stop = serve::Stop::listen()?.with_hang_up()?;
                trial::run(arguments, real_world(), stop.told()).await
            })?;
        }
        Command::Serve(arguments) => {
            let settings = serve::settings(&arguments)?;
            serve::log(settings.log.level, settings.log.format);
            runtime()?.block_on(serve::run(arguments, settings, real_world()))?;
        }
        command => return command::run(command),
    }
    Ok(ExitCode::SUCCESS)
}

/// The real world: as many slow workers as processors, so that password hashing cannot starve mail of more than its share.
/// No network: what makes connections is not wired in yet.
fn real_world() -> World {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    World::without_network(Clock::Real, Dice::Real, Workers::threads(processors))
}

fn runtime() -> Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")
}
