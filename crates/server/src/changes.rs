//! Changes of the settings while the server runs: put in force, tried out, recorded, and undone where they broke something.
//!
//! ```text
//! text --> mistakes? --> in force --> self-check of what changed --good--> a revision
//!                                            '--bad--> the old settings again, and both are revisions
//! ```

pub(crate) mod file;

use std::path::PathBuf;
use std::sync::Arc;

use admin::running::{SettingsApplied, SettingsChange, SettingsSource};
use anyhow::Context;
use settings::Settings;
use tokio::sync::Mutex;

use crate::check::{Failure, check};
use crate::files;
use crate::run::settings::{meaning, told};
use crate::serve::socket_path;
use crate::virtual_servers::VirtualServers;

/// Where the settings of a server come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file, which is watched.
    File(PathBuf),
    /// The revisions in the store.
    Revisions,
}

/// Who changes the settings goes through here, one after the other.
#[derive(Debug)]
pub(crate) struct Changes {
    virtual_servers: Arc<VirtualServers>,
    source: Source,
    data: PathBuf,
    /// What is in force.
    text: Mutex<String>,
}

/// The text of the revision in force, for a start that cannot ask the store yet: which user to become, how to log.
pub(crate) fn copy_of(data: &std::path::Path) -> PathBuf {
    data.join("settings.toml")
}

impl Changes {
    /// `text` is what is in force.
    pub(crate) fn new(
        virtual_servers: Arc<VirtualServers>,
        source: Source,
        data: PathBuf,
        text: String,
    ) -> Self {
        Self { virtual_servers, source, data, text: Mutex::new(text) }
    }

    /// The file that is watched, if one is.
    pub(crate) fn file(&self) -> Option<PathBuf> {
        match &self.source {
            Source::File(file) => Some(file.clone()),
            Source::Revisions => None,
        }
    }

    pub(crate) fn source(&self) -> SettingsSource {
        match &self.source {
            Source::File(file) => SettingsSource::File(file.display().to_string()),
            Source::Revisions => SettingsSource::Revisions,
        }
    }

    /// Records what the server was started with, if it is not what was last in force.
    ///
    /// # Errors
    /// The store's, and those of the data directory.
    pub(crate) async fn record_start(&self) -> anyhow::Result<()> {
        let text = self.text.lock().await.clone();
        let author = match self.source {
            Source::File(_) => "file",
            Source::Revisions => "start",
        };
        let change = SettingsChange { text, author: author.into(), reason: String::new() };
        self.record(&change).await.context("the settings cannot be recorded")?;
        Ok(())
    }

    /// Puts a text in force, sees whether the virtual servers that changed still do what a client expects, and records it.
    ///
    /// # Errors
    /// Why it is not in force: in words, with what to look at. The settings are then as they were.
    pub(crate) async fn apply(&self, change: SettingsChange) -> Result<SettingsApplied, String> {
        let mut text = self.text.lock().await;
        let settings = meaning(&change.text).map_err(|mistakes| self.in_words(&mistakes))?;
        let old = self.virtual_servers.view().settings.clone();
        let failed_before = self.check(&crate::apply::plan(&old, &settings).changed).await;
        let applied = self.virtual_servers.apply(settings).await.map_err(|error| format!("{error:#}"))?;
        let mut failures = self.check(&applied.changed).await;
        // What was so before is not the fault of this change.
        failures.retain(|failure| !failed_before.contains(failure));
        if !failures.is_empty() && self.virtual_servers.is_closed().await {
            // It failed because nothing answers any more. Nothing is recorded: the next start begins with the old settings, or
            // with what is in the file.
            return Err("the server stops; the change was not tried out".into());
        }
        if !failures.is_empty() {
            return Err(self.undo(change, &text, &old, &failures).await);
        }
        tracing::info!(
            author = %mail::printable(&change.author),
            reason = %mail::printable(&change.reason),
            difference = %differing_lines(&text, &change.text),
            "other settings are in force"
        );
        let recorded = self.record(&change).await;
        *text = change.text;
        self.let_operators_in();
        self.virtual_servers.tell().await;
        let number =
            recorded.map_err(|error| format!("it is in force, but cannot be recorded: {error:#}"))?;
        let at_next_start = applied.at_next_start.into_iter().map(str::to_owned).collect();
        Ok(SettingsApplied { number, changed: applied.changed, removed: applied.removed, at_next_start })
    }

    async fn check(&self, names: &[String]) -> Vec<Failure> {
        let shared = &self.virtual_servers.shared;
        let mut failures = Vec::new();
        for service in &self.virtual_servers.view().services {
            if names.contains(&service.name) {
                failures.extend(check(&shared.world, &shared.checks, service).await);
            }
        }
        failures
    }

    /// Puts the old settings in force again; says why.
    async fn undo(
        &self,
        change: SettingsChange,
        text: &str,
        old: &Arc<Settings>,
        failures: &[Failure],
    ) -> String {
        let failures: Vec<_> = failures
            .iter()
            .map(|Failure { virtual_server, what }| format!("{virtual_server}: {what}"))
            .collect();
        let why = format!("the self-check failed: {}", failures.join("; "));
        tracing::error!(
            author = %mail::printable(&change.author),
            %why,
            difference = %differing_lines(text, &change.text),
            "other settings were in force and are undone"
        );
        let undone = self.virtual_servers.apply((**old).clone()).await;
        let author = "self-check".into();
        let back = SettingsChange { text: text.to_owned(), author, reason: format!("undone: {why}") };
        for change in [change, back] {
            if let Err(error) = self.record(&change).await {
                tracing::error!(error = %format_args!("{error:#}"), "a revision of the settings cannot be recorded");
            }
        }
        match undone {
            Ok(_) => format!("undone, for {why}"),
            Err(error) => {
                tracing::error!(error = %format_args!("{error:#}"), "the old settings cannot be put in force again");
                format!("{why}; and the old settings cannot be put in force again: {error:#}")
            }
        }
    }

    /// Lets the operators of virtual servers reach the local socket, or nobody but administrators where there are none.
    pub(crate) fn let_operators_in(&self) {
        let view = self.virtual_servers.view();
        let operators = view.settings.virtual_servers.iter().any(|server| !server.operators.is_empty());
        if let Err(error) = admin::socket::let_in(&socket_path(&self.data), operators) {
            tracing::error!(%error, "the rights of the local socket cannot be set");
        }
    }

    async fn record(&self, change: &SettingsChange) -> anyhow::Result<i64> {
        let shared = &self.virtual_servers.shared;
        let number = admin::settings::add(&shared.store, shared.world.clock.wall(), change).await?;
        files::write_private(&copy_of(&self.data), change.text.as_bytes())?;
        Ok(number)
    }

    fn in_words(&self, mistakes: &[settings::Mistake]) -> String {
        match &self.source {
            Source::File(file) => told(file, mistakes),
            Source::Revisions => told(std::path::Path::new("settings"), mistakes),
        }
    }
}

/// The lines that differ, in one.
fn differing_lines(from: &str, to: &str) -> String {
    let difference = admin::settings::difference(from, to, "", "");
    let differs =
        |line: &&str| line.starts_with(['-', '+']) && !line.starts_with("---") && !line.starts_with("+++");
    let lines: Vec<_> = difference.lines().filter(differs).map(mail::printable).collect();
    if lines.is_empty() { "none".to_owned() } else { lines.join(" | ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Otherwise a change that came late would open doors behind which nobody waits for who comes in.
    #[tokio::test(start_paused = true)]
    async fn a_server_that_stops_changes_nothing() {
        let place = tempfile::tempdir().unwrap();
        let text = "host-name = 'mx.example.org'".to_owned();
        let settings = settings::resolve(&text).unwrap();
        let start = crate::serve::Start { settings, text: text.clone(), source: Source::Revisions };
        let world = world::World::simulated(mail::Timestamp(0), 1);
        let server = crate::serve::Server::start_with(place.path(), start, world).await.unwrap();
        let administration = server.admin().clone();
        server.stop().await;
        let text = format!("{text}\npickup = {{ state = 'off' }}");
        let change = admin::Request::SettingsApply { text, reason: String::new(), based_on: None };
        let response = administration.execute(change).await;
        let admin::Response::Refused(refusal) = response else { panic!("{response:?}") };
        assert_eq!(refusal.message, "the server stops");
    }

    #[test]
    fn the_lines_that_differ_are_told() {
        assert_eq!(differing_lines("a = 1\nb = 2\n", "a = 1\nb = 3\nc = 4\n"), "-b = 2 | +b = 3 | +c = 4");
        assert_eq!(differing_lines("a = 1\n", "a = 1\n"), "none");
    }
}
