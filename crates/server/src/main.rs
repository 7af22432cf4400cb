//! The program `waxseal`.

use std::process::ExitCode;

use clap::Parser;

#[expect(clippy::print_stderr, reason = "the reason of a failure is for the person at the terminal")]
fn main() -> ExitCode {
    let program = std::env::args().next().unwrap_or_default();
    if let Some(name) = server::sendmail::called_as(&program) {
        let arguments: Vec<String> = std::env::args_os().skip(1).map(lossy).collect();
        return server::sendmail::run(name, &arguments);
    }
    let cli = server::cli::Cli::parse();
    match server::run::run(cli) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("waxseal: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// An argument as text; what is no UTF-8 will be no address either.
fn lossy(argument: std::ffi::OsString) -> String {
    argument.to_string_lossy().into_owned()
}
