//! `waxseal settings`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Where;

/// `waxseal settings`.
#[derive(Debug, Args)]
pub struct SettingsCommand {
    /// What to do.
    #[command(subcommand)]
    pub action: SettingsAction,
}

/// What to do with the settings.
#[derive(Debug, Subcommand)]
pub enum SettingsAction {
    /// Print the settings in force.
    Show {
        /// Another revision.
        revision: Option<i64>,
        /// Print all that holds, each value with where it comes from. It is itself a settings text of the same meaning.
        #[arg(long)]
        all: bool,
        /// Where and how.
        #[command(flatten)]
        place: Where,
    },
    /// Change the settings in force in an editor: $VISUAL, $EDITOR or vi.
    Edit {
        /// Why; kept with the revision.
        #[arg(long, default_value = "", hide_default_value = true)]
        reason: String,
        /// Where and how.
        #[command(flatten)]
        place: Where,
    },
    /// Put the text of a file in force. No connection is dropped; if it cannot be done, nothing changes.
    Apply {
        /// The settings.
        file: PathBuf,
        /// Why; kept with the revision.
        #[arg(long, default_value = "", hide_default_value = true)]
        reason: String,
        /// Change nothing: judge the mail of the journal by these settings, and tell which verdicts would change.
        #[arg(long)]
        what_if: bool,
        /// Where and how.
        #[command(flatten)]
        place: Where,
    },
    /// Print what differs between two revisions.
    Diff {
        /// The older: by default the one before the other.
        from: Option<i64>,
        /// The newer: by default the one in force.
        to: Option<i64>,
        /// Where and how.
        #[command(flatten)]
        place: Where,
    },
    /// Print the revisions: when, who, why.
    History {
        /// Where and how.
        #[command(flatten)]
        place: Where,
    },
    /// Put an earlier revision in force again.
    Rollback {
        /// Which.
        revision: i64,
        /// Why; kept with the revision.
        #[arg(long, default_value = "", hide_default_value = true)]
        reason: String,
        /// Where and how.
        #[command(flatten)]
        place: Where,
    },
    /// Tell what a settings text means, or every mistake in it. Looks at the files that it names, and asks no server.
    Check {
        /// The settings.
        file: PathBuf,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}
