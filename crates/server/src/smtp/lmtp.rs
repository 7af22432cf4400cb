//! The end of content in LMTP (RFC 2033): each recipient has a reply of its own, and nothing waits in a queue.
//!
//! What can be filed is filed, in one commit. What cannot, although RCPT was accepted, gets 4yz and stays with the client,
//! which has a queue (§4.2: a positive reply takes the responsibility for that recipient alone).

use mail::{Reply, Timestamp};
use policy::Story;
use protocol::smtp::Answer;
use queue::ReceivedMessage;
use queue::accept::Recipient;
use store::{Error, NewContent};

use super::transaction::Transaction;
use crate::shared::Shared;

/// What becomes of the recipients of a message.
#[derive(Debug)]
pub(super) struct Filing {
    /// Those that are filed.
    pub(super) recipients: Vec<Recipient>,
    /// One reply for each that was accepted at RCPT, in their order.
    pub(super) replies: Vec<Reply>,
    /// The story, with its end.
    pub(super) story: Story,
}

/// Files the message for everybody for whom that is possible.
///
/// # Errors
/// The store's: nobody has got it, and its story has not been kept.
pub(super) async fn keep(
    shared: &Shared,
    mut transaction: Transaction,
    content: NewContent,
    now: Timestamp,
) -> Result<Answer, Error> {
    match file(shared, &transaction, content.clone(), now).await {
        // An account went between RCPT and now, and with it the others' mail would be refused.
        Err(Error::Conflict(_)) => transaction.resolve_again(&shared.directory).await?,
        done => return done,
    }
    file(shared, &transaction, content, now).await
}

async fn file(
    shared: &Shared,
    transaction: &Transaction,
    content: NewContent,
    now: Timestamp,
) -> Result<Answer, Error> {
    let Filing { recipients, replies, story } = transaction.file(now);
    if recipients.is_empty() {
        shared.tell_journal(story);
        return Ok(Answer::Replies(replies));
    }
    let received = ReceivedMessage {
        queue_id: transaction.queue_id,
        virtual_server: transaction.virtual_server(),
        reverse_path: transaction.reverse_path.clone(),
        parameters: transaction.parameters.clone(),
        content,
        recipients,
        at: now,
    };
    let commit = shared.reporter.accept(received, story).await?;
    let queued = super::handler::waiting(&commit);
    shared.store.commit(commit).await?;
    for (destination, due) in queued {
        shared.queue.due(&destination, due);
    }
    Ok(Answer::Replies(replies))
}
