//! `cargo xtask ci memory`: what the server keeps in memory, measured in the process itself.

use anyhow::Result;

use crate::run;

/// Sends the largest messages through, all at once.
pub(crate) fn large_messages() -> Result<()> {
    test("memory")
}

/// Counts what connections cost that wait.
pub(crate) fn idle_connections() -> Result<()> {
    test("idle")
}

/// Lets very many slow clients in, and looks whether an honest one is served.
pub(crate) fn slow_clients() -> Result<()> {
    test("slow")
}

fn test(name: &str) -> Result<()> {
    let arguments = ["test", "--quiet", "--package", "waxseal", "--test", name];
    run::cargo(&[&arguments[..], &["--", "--include-ignored", "--nocapture"]].concat(), &[])
}
