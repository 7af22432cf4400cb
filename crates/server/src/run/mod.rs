//! Does what the command line says.

mod command;
mod dns;
mod doctor;
mod export;
mod password;
mod rights;
mod serve;
pub(crate) mod settings;
mod setup;
mod show;

use std::process::ExitCode;

use ::settings::{LogFormat, LogLevel};
use anyhow::{Context, Result};
use tokio::runtime::Runtime;
use world::World;

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
                // A trial never sends to strangers.
                trial::run(arguments, crate::world::without_network(), stop.told()).await
            })?;
        }
        Command::Serve(arguments) => {
            let serve::Found { start, complaint } = serve::settings(&arguments)?;
            serve::log(start.settings.log.level, start.settings.log.format);
            complaint.into_iter().for_each(|complaint| tracing::error!("{complaint}"));
            let settled = serve::settle(&arguments, &start.settings)?;
            runtime()?.block_on(async {
                let world = crate::world::real(&start.settings)?;
                serve::run(arguments, start, settled, world).await
            })?;
        }
        Command::Settings(command) => return settings::run(command),
        Command::Setup(command) => return setup::run(command),
        Command::Dns(command) => return dns::run(command),
        Command::Doctor(command) => return doctor::run(command),
        Command::Sendmail { arguments } => return Ok(crate::sendmail::run("sendmail", &arguments)),
        command => return command::run(command),
    }
    Ok(ExitCode::SUCCESS)
}

/// Asks the running server, or does it here, and prints the answer.
///
/// # Errors
/// Neither can be done.
pub(crate) fn answer(request: &admin::Request, place: &crate::cli::Where) -> Result<ExitCode> {
    show::show(&command::ask(request, place)?, place.json)
}

/// The world of commands that do their work themselves.
fn real_world() -> World {
    crate::world::without_network()
}

fn runtime() -> Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")
}
