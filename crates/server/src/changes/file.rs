//! The settings file is watched: what an editor writes there comes into force.

use std::path::Path;
use std::sync::Arc;

use admin::running::SettingsChange;
use tokio::sync::{Notify, watch};

use super::Changes;
use crate::limits::SETTINGS_PAUSE;
use crate::run::settings::text;

/// Looks at a file until told to stop: every moment, and at once when `now` is notified.
pub(crate) struct Watch {
    pub(crate) changes: Arc<Changes>,
    pub(crate) file: std::path::PathBuf,
    pub(crate) clock: world::Clock,
    pub(crate) now: Arc<Notify>,
}

/// What was found in a file, so that it is worked on once.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    Text(String),
    Unreadable(String),
}

/// What a look at the file asks for.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    Nothing,
    /// An editor may still be writing it.
    LookAgain,
    PutInForce,
}

impl Watch {
    /// Never ends but when told to stop.
    pub(crate) async fn run(self, mut stop: watch::Receiver<bool>) {
        // Not what is in the file now: that may have changed since the start read it.
        let mut done = Found::Text(self.changes.text.lock().await.clone());
        let mut before = None;
        loop {
            let at_once = tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return,
                () = self.now.notified() => true,
                () = self.clock.sleep(SETTINGS_PAUSE) => false,
            };
            let present = found(&self.file);
            match next(&done, before.as_ref(), &present, at_once) {
                Next::Nothing => before = None,
                Next::LookAgain => before = Some(present),
                Next::PutInForce => {
                    self.work_on(&present).await;
                    (done, before) = (present, None);
                }
            }
        }
    }

    async fn work_on(&self, found: &Found) {
        let file = self.file.display();
        let applied = match found {
            Found::Unreadable(why) => Err(why.clone()),
            Found::Text(text) => {
                let (author, reason) = ("file".to_owned(), String::new());
                self.changes.apply(SettingsChange { text: text.clone(), author, reason }).await
            }
        };
        match applied {
            Ok(applied) => {
                let revision = applied.number;
                tracing::info!(%file, revision, "the settings file has changed, and is in force");
            }
            Err(why) => {
                for line in why.lines() {
                    tracing::error!("{}", mail::printable(line));
                }
                tracing::error!(%file, "the settings file has changed, and is not in force; the settings are as before");
            }
        }
    }
}

fn found(file: &Path) -> Found {
    match text(file) {
        Ok(text) => Found::Text(text),
        Err(error) => Found::Unreadable(format!("{error:#}")),
    }
}

/// `done` was worked on, `before` was seen at the last look if it was another.
fn next(done: &Found, before: Option<&Found>, present: &Found, at_once: bool) -> Next {
    if present == done && !at_once {
        Next::Nothing
    } else if at_once || before == Some(present) {
        Next::PutInForce
    } else {
        Next::LookAgain
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Found {
        Found::Text(text.into())
    }

    #[test]
    fn a_text_comes_into_force_when_it_stays() {
        let (old, half, new) = (text("old"), text("ne"), text("new"));
        for (before, present, at_once, expected) in [
            (None, &old, false, Next::Nothing),
            (None, &half, false, Next::LookAgain),
            (Some(&half), &new, false, Next::LookAgain),
            (Some(&new), &new, false, Next::PutInForce),
            (None, &new, true, Next::PutInForce),
            // SIGHUP: the files that it names may have changed.
            (None, &old, true, Next::PutInForce),
        ] {
            assert_eq!(next(&old, before, present, at_once), expected, "{before:?} {present:?} {at_once}");
        }
    }
}
