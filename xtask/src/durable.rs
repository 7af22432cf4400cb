//! `cargo xtask ci durable`: what shows that 250 means kept. These tests run alone, because they load every core, and
//! print figures for people to see.

use anyhow::Result;

use crate::run;

/// Kills the server under load and compares with what it acknowledged.
pub(crate) fn crash() -> Result<()> {
    test("crash")
}

/// Kills the server while it sends mail on, and compares what it acknowledged with what arrived, was reported or waits.
pub(crate) fn crash_relay() -> Result<()> {
    test("crash_relay")
}

/// Reads the server's system calls: each 250 after its syncs.
pub(crate) fn sync_proof() -> Result<()> {
    test("sync_proof")
}

/// Changes the settings 500 times under load.
pub(crate) fn changes() -> Result<()> {
    test("changes")
}

/// Fills a small disk.
pub(crate) fn disk_full() -> Result<()> {
    test("disk_full")
}

fn test(name: &str) -> Result<()> {
    let arguments = ["test", "--quiet", "--package", "waxseal", "--test", name];
    run::cargo(&[&arguments[..], &["--", "--include-ignored", "--nocapture"]].concat(), &[])
}
