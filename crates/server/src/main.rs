//! The program `waxseal`.

use std::process::ExitCode;

use clap::Parser;

#[expect(clippy::print_stderr, reason = "the reason of a failure is for the person at the terminal")]
fn main() -> ExitCode {
    let cli = server::cli::Cli::parse();
    match server::run::run(cli) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("waxseal: {error:#}");
            ExitCode::FAILURE
        }
    }
}
