//! The story of a message.

use mail::QueueId;
use policy::story;
use store::read::JournalRecord;

use crate::limits::TRACE_MESSAGES_MAX;
use crate::response::{Refusal, Response, StoryRow};
use crate::service::Admin;

impl Admin {
    /// What 13 letters and digits mean is tried as a queue id first: a Message-ID or address has an `@`.
    pub(crate) async fn trace(&self, what: &str) -> Result<Response, Refusal> {
        let records = match what.trim().parse::<QueueId>() {
            Ok(queue_id) => self.store.story(queue_id).await?,
            Err(()) => self.stories(&story::key(what)).await?,
        };
        if records.is_empty() {
            let remedy = "name a queue id, a Message-ID or an address of its envelope; old stories go after the time \
                          that [journal] keep says";
            return Err(Refusal::new(format!("the journal knows nothing of {what}"), remedy));
        }
        Ok(Response::Story { told: story::tell(&records), records: records.into_iter().map(row).collect() })
    }

    async fn stories(&self, key: &str) -> Result<Vec<JournalRecord>, Refusal> {
        let mut records = Vec::new();
        for queue_id in self.store.stories_by_key(key, TRACE_MESSAGES_MAX).await? {
            records.extend(self.store.story(queue_id).await?);
        }
        Ok(records)
    }
}

fn row(record: JournalRecord) -> StoryRow {
    StoryRow {
        queue_id: record.queue_id.to_string(),
        at: record.at,
        story: serde_json::from_str(&record.story).unwrap_or_default(),
    }
}
