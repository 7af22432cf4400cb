//! What was measured: rows, kept as lines of JSON so that the page can be written again.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// Which table a row belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Section {
    /// Mail that comes in by SMTP.
    Mail,
    /// One IMAP command on a large mailbox.
    Command,
    /// IMAP and POP3 work that is counted by the second.
    Reading,
}

/// One run of one server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Its table.
    pub section: Section,
    /// What was done.
    pub work: String,
    /// By whom.
    pub server: String,
    /// What came out.
    pub measured: Measured,
}

/// What came out of one run; what makes no sense for a kind of work is not there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Messages, or whatever the work counts.
    pub per_second: Option<f64>,
    /// Median latency of one, or the time of the command, milliseconds.
    pub p50_ms: Option<f64>,
    /// Milliseconds.
    pub p99_ms: Option<f64>,
    /// Processor time of the server for one, milliseconds: seconds for a thousand.
    pub processor_ms: Option<f64>,
    /// Memory of the server at its peak, KiB.
    pub memory_kib: Option<f64>,
    /// Flushes of the disk for one.
    pub flushes: Option<f64>,
    /// Processors that neither the server nor the load kept busy.
    pub others: Option<f64>,
}

/// All rows of a run.
#[derive(Debug)]
pub struct Results {
    file: PathBuf,
    /// In the order in which they were measured.
    pub rows: Vec<Row>,
}

impl Results {
    /// Begins anew in this file.
    pub fn begin(file: &Path) -> Result<Self> {
        fs::write(file, "").with_context(|| file.display().to_string())?;
        Ok(Self { file: file.to_owned(), rows: Vec::new() })
    }

    /// Those of the last run.
    pub fn read(file: &Path) -> Result<Self> {
        let text = fs::read_to_string(file).with_context(|| format!("no results: {}", file.display()))?;
        let rows = text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
        Ok(Self { file: file.to_owned(), rows })
    }

    /// One more, kept and shown.
    pub fn add(&mut self, row: Row) -> Result<()> {
        let mut file = fs::OpenOptions::new().append(true).open(&self.file)?;
        writeln!(file, "{}", serde_json::to_string(&row)?)?;
        println!("{}", shown(&row));
        self.rows.push(row);
        Ok(())
    }
}

fn shown(row: &Row) -> String {
    let values = [
        ("/s", row.measured.per_second),
        (" ms", row.measured.p50_ms),
        (" ms p99", row.measured.p99_ms),
        (" CPU ms", row.measured.processor_ms),
        (" KiB", row.measured.memory_kib),
        (" flushes", row.measured.flushes),
        (" others", row.measured.others),
    ];
    let values = values.iter().filter_map(|(unit, value)| Some(format!("{:.3}{unit}", (*value)?)));
    format!("{:<52} {:<20} {}", row.work, row.server, values.collect::<Vec<_>>().join("  "))
}
