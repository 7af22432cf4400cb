//! What would have been decided otherwise: the facts of recorded stories, judged by other settings.

use mail::Timestamp;
use policy::{Judged, Judgement, Ruling, Stage, Story, Verdict, rejudge, server_of};
use serde::{Deserialize, Serialize};
use settings::Settings;

use super::told;
use crate::limits::{CHANGED_VERDICTS_MAX, JUDGED_STORIES_MAX};
use crate::{Admin, Refusal, Response};

/// A verdict that other settings would change. Text from peers has its control characters escaped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangedVerdict {
    /// Of which message.
    pub queue_id: String,
    /// When it was judged.
    pub at: Timestamp,
    /// What was judged: `sender`, `recipient`, `content`.
    pub stage: String,
    /// The reverse-path (empty for null), the recipient; nothing for content.
    pub subject: String,
    /// How it was: `accepted`, or the reply.
    pub before: String,
    /// How it would be.
    pub after: String,
    /// Why; empty where nothing speaks against it.
    pub reasons: Vec<String>,
}

/// What became of the recorded facts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct WhatIf {
    /// Since when there are stories that were looked at; none if there are none.
    pub since: Option<Timestamp>,
    /// Verdicts that were judged anew.
    pub judged: u64,
    /// Verdicts of virtual servers that the settings do not have.
    pub without_server: u64,
    /// Those that change, the newest message first.
    pub changed: Vec<ChangedVerdict>,
    /// How many more change than are listed.
    pub unlisted: u64,
}

impl Admin {
    /// Judges what the journal has by a settings text. Nothing changes.
    pub(crate) async fn settings_what_if(&self, text: &str) -> Result<Response, Refusal> {
        let settings = settings::resolve(text).map_err(|mistakes| told(&mistakes))?;
        let now = Timestamp(i64::MAX);
        let records = self.store.stories(Timestamp(0), now, JUDGED_STORIES_MAX).await?;
        let mut found = WhatIf { since: records.last().map(|record| record.at), ..WhatIf::default() };
        for record in records {
            // What another version wrote is not understood, and not judged.
            let Ok(story) = Story::from_json(&record.story) else { continue };
            for judged in story.judged() {
                found.add(&record.queue_id.to_string(), judged, &settings);
            }
        }
        Ok(Response::SettingsWhatIf(found))
    }
}

impl WhatIf {
    fn add(&mut self, queue_id: &str, judged: Judged, settings: &Settings) {
        let Some(server) = server_of(&judged.facts, settings) else {
            self.without_server += 1;
            return;
        };
        self.judged += 1;
        let judgement = rejudge(judged.stage, &judged.facts, server, settings);
        let (before, after) = (ruled(judged.verdict, &judged.reply), words(&judgement));
        if before == after {
            return;
        }
        if self.changed.len() >= CHANGED_VERDICTS_MAX {
            self.unlisted += 1;
            return;
        }
        self.changed.push(ChangedVerdict {
            queue_id: queue_id.to_owned(),
            at: judged.at,
            stage: stage(judged.stage).to_owned(),
            subject: mail::printable(&judged.subject),
            before,
            after,
            reasons: judgement.reasons.iter().map(|reason| mail::printable(reason.to_string())).collect(),
        });
    }
}

fn stage(stage: Stage) -> &'static str {
    match stage {
        Stage::Connection => "connection",
        Stage::Hello => "hello",
        Stage::Sender => "sender",
        Stage::Recipient => "recipient",
        Stage::Content => "content",
    }
}

/// `accepted`, or the reply as it was given.
fn ruled(ruling: Ruling, reply: &str) -> String {
    match ruling {
        Ruling::Accept => "accepted".to_owned(),
        Ruling::Refuse | Ruling::Defer => mail::printable(reply),
    }
}

fn words(judgement: &Judgement) -> String {
    match &judgement.verdict {
        Verdict::Accept => "accepted".to_owned(),
        Verdict::Refuse(reply) | Verdict::Defer(reply) => mail::printable(reply.to_string()),
    }
}
