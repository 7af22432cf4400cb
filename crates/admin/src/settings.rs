//! The settings as they were and are: every text that came into force is a revision in the store, with who brought it and
//! why. The newest is what is in force, or comes into force when the server starts.

mod what_if;

use mail::Timestamp;
use serde::{Deserialize, Serialize};
use settings::Mistake;
use similar::TextDiff;
use store::{Change, Commit, Error, RevisionRecord, Store};

use crate::limits::REVISIONS_MAX;
use crate::running::{SettingsApplied, SettingsChange, SettingsSource};
use crate::{Admin, Caller, Refusal, Response};

pub use what_if::{ChangedVerdict, WhatIf};

/// A revision without its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevisionRow {
    /// Its number; the first is 1.
    pub number: i64,
    /// Since when.
    pub at: Timestamp,
    /// Who brought it: a Unix user, or `file`, `start`, `self-check`.
    pub author: String,
    /// Why; may be empty.
    pub reason: String,
}

impl RevisionRow {
    fn of(record: &RevisionRecord) -> Self {
        let RevisionRecord { number, at, author, reason, .. } = record;
        Self { number: *number, at: *at, author: mail::printable(author), reason: mail::printable(reason) }
    }
}

/// The newest revision; none before the first start.
///
/// # Errors
/// The store's.
pub async fn last(store: &Store) -> Result<Option<RevisionRecord>, Error> {
    Ok(store.revisions(None, 1).await?.pop())
}

/// Adds a revision and says its number. A text that is in force already is none: its number is said.
///
/// # Errors
/// The store's.
pub async fn add(store: &Store, at: Timestamp, change: &SettingsChange) -> Result<i64, Error> {
    loop {
        let last = last(store).await?;
        if let Some(same) = last.as_ref().filter(|last| last.text == change.text) {
            return Ok(same.number);
        }
        let number = last.map_or(1, |last| last.number + 1);
        let SettingsChange { text, author, reason } = change.clone();
        let changes = vec![Change::AddRevision { number, at, author, reason, text }];
        match store.commit(Commit { content: Vec::new(), changes }).await {
            Ok(_) => return Ok(number),
            // Somebody else was faster: ours is the next one.
            Err(Error::Conflict(_)) => {}
            Err(error) => return Err(error),
        }
    }
}

impl Admin {
    /// A revision with its text; without a number the newest.
    pub(crate) async fn settings_show(&self, number: Option<i64>) -> Result<Response, Refusal> {
        let record = self.revision(number).await?;
        let file = match self.running.settings_source() {
            SettingsSource::File(file) => Some(file),
            SettingsSource::Down | SettingsSource::Revisions => None,
        };
        Ok(Response::Settings { revision: RevisionRow::of(&record), file, text: record.text })
    }

    pub(crate) async fn settings_history(&self) -> Result<Response, Refusal> {
        let revisions = self.store.revisions(None, REVISIONS_MAX).await?;
        Ok(Response::SettingsHistory { revisions: revisions.iter().map(RevisionRow::of).collect() })
    }

    /// What differs between two revisions; by default between the newest and the one before, or the named one and the newest.
    pub(crate) async fn settings_diff(
        &self,
        from: Option<i64>,
        to: Option<i64>,
    ) -> Result<Response, Refusal> {
        let to = self.revision(to).await?;
        let from = match from.unwrap_or(to.number - 1) {
            // Before the first there was nothing.
            0 => RevisionRecord { number: 0, text: String::new(), ..to.clone() },
            number => self.revision(Some(number)).await?,
        };
        let names = (format!("revision {}", from.number), format!("revision {}", to.number));
        Ok(Response::SettingsDiff {
            from: from.number,
            to: to.number,
            difference: difference(&from.text, &to.text, &names.0, &names.1),
        })
    }

    /// The text comes into force, if it is good and what it names can be used.
    pub(crate) async fn settings_apply(
        &self,
        text: String,
        reason: String,
        based_on: Option<i64>,
        caller: &Caller,
    ) -> Result<Response, Refusal> {
        self.require_revisions()?;
        self.require_newest(based_on).await?;
        settings::resolve(&text).map_err(|mistakes| told(&mistakes))?;
        self.in_force(SettingsChange { text, author: caller.user.clone(), reason }).await
    }

    /// The text of an earlier revision comes into force again.
    pub(crate) async fn settings_rollback(
        &self,
        number: i64,
        reason: String,
        caller: &Caller,
    ) -> Result<Response, Refusal> {
        self.require_revisions()?;
        let text = self.revision(Some(number)).await?.text;
        let reason = if reason.is_empty() { format!("back to revision {number}") } else { reason };
        self.in_force(SettingsChange { text, author: caller.user.clone(), reason }).await
    }

    async fn in_force(&self, change: SettingsChange) -> Result<Response, Refusal> {
        match self.running.apply(change).await {
            Ok(applied) => Ok(Response::Done { said: said(&applied) }),
            Err(why) => Err(Refusal::new(why, "the settings in force are unchanged")),
        }
    }

    /// Refuses a change where the settings come from a file, which would be another master of the same thing, and where
    /// nothing runs.
    fn require_revisions(&self) -> Result<(), Refusal> {
        match self.running.settings_source() {
            SettingsSource::Revisions => Ok(()),
            SettingsSource::Down => {
                let remedy = "start it first: waxseal serve";
                Err(Refusal::new("the server does not run, so that nothing can try the settings", remedy))
            }
            SettingsSource::File(file) => {
                let message = format!("the settings are those of {file}, with which the server was started");
                Err(Refusal::new(message, format!("change {file}: the server notices it")))
            }
        }
    }

    /// Refuses a text that was made from an older one than is in force: somebody else's change would be lost.
    async fn require_newest(&self, based_on: Option<i64>) -> Result<(), Refusal> {
        let (Some(based_on), Some(last)) = (based_on, last(&self.store).await?) else { return Ok(()) };
        if based_on == last.number {
            return Ok(());
        }
        let author = mail::printable(&last.author);
        let message = format!("{author} has changed the settings meanwhile (revision {})", last.number);
        Err(Refusal::new(message, format!("see what: waxseal settings diff {based_on}")))
    }

    async fn revision(&self, number: Option<i64>) -> Result<RevisionRecord, Refusal> {
        let found = match number {
            Some(number) => self.store.revision(number).await?,
            None => last(&self.store).await?,
        };
        found.ok_or_else(|| match number {
            Some(number) => Refusal::new(
                format!("there is no revision {number}"),
                "see the list: waxseal settings history",
            ),
            None => Refusal::new("there are no settings yet", "the first start of the server makes them"),
        })
    }
}

/// All mistakes, a line each.
fn told(mistakes: &[Mistake]) -> Refusal {
    let lines: String = mistakes.iter().map(|mistake| format!("line {mistake}\n")).collect();
    let plural = if mistakes.len() == 1 { "mistake" } else { "mistakes" };
    Refusal::new(format!("{lines}{} {plural}", mistakes.len()), "the settings in force are unchanged")
}

fn said(applied: &SettingsApplied) -> String {
    let mut said = format!("revision {} is in force", applied.number);
    let lists = [("changed", &applied.changed), ("gone", &applied.removed)];
    for (what, names) in lists.into_iter().filter(|(_, names)| !names.is_empty()) {
        said.push_str(&format!("; {what}: {}", names.join(", ")));
    }
    if !applied.at_next_start.is_empty() {
        said.push_str(&format!("; from the next start on: {}", applied.at_next_start.join(", ")));
    }
    said
}

/// The unified difference of two texts; empty if they are the same.
pub fn difference(from: &str, to: &str, from_name: &str, to_name: &str) -> String {
    if from == to {
        return String::new();
    }
    TextDiff::from_lines(from, to).unified_diff().context_radius(3).header(from_name, to_name).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_unified() {
        let difference = difference("a = 1\nb = 2\n", "a = 1\nb = 3\n", "revision 1", "revision 2");
        expect_test::expect![[r"
            --- revision 1
            +++ revision 2
            @@ -1,2 +1,2 @@
             a = 1
            -b = 2
            +b = 3
        "]]
        .assert_eq(&difference);
    }

    #[test]
    fn what_was_applied_is_said() {
        let applied = SettingsApplied {
            number: 7,
            changed: vec!["internet".into(), "mailboxes".into()],
            removed: Vec::new(),
            at_next_start: vec!["log".into()],
        };
        assert_eq!(
            said(&applied),
            "revision 7 is in force; changed: internet, mailboxes; from the next start on: log"
        );
    }
}
