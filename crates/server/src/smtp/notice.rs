//! A message to the administrator about what cannot wait until somebody looks.

use bytes::Bytes;
use directory::Resolution;
use mail::{Address, ForwardPath, MessageParameters, QueueId, RecipientParameters, ReversePath, Timestamp};
use policy::{Story, What};
use queue::ReceivedMessage;
use queue::accept::{Handover, Recipient};
use store::{Error, NewContent};

use crate::shared::Shared;

/// Tells that an account's mail is held, in the log and to postmaster. That postmaster cannot be told is no reason to
/// refuse the message: it is held, and `waxseal status` says so.
pub(super) async fn tell_of_hold(shared: &Shared, account: &Address, reason: &str, now: Timestamp) {
    tracing::warn!(%account, reason, "its messages are held; to let them go: waxseal account release");
    let text = format!(
        "Messages of {account} are accepted, and stay in the queue on hold.\r\n\r\n\
         Why: {reason}.\r\n\r\n\
         If that is as it should be, let them go, and the account go on:\r\n\r\n\
         \x20   waxseal account release {account}\r\n\r\n\
         If not, somebody has the password of the account. Change it, look at what waits, and remove it:\r\n\r\n\
         \x20   waxseal account password {account}\r\n\
         \x20   waxseal queue list\r\n"
    );
    let subject = format!("Mail of {account} is held");
    if let Err(error) = send(shared, &subject, &text, now).await {
        tracing::warn!(%error, "postmaster could not be told");
    }
}

async fn send(shared: &Shared, subject: &str, text: &str, now: Timestamp) -> Result<(), Error> {
    let Resolution::Recipients(administrators) = shared.directory.resolve(&ForwardPath::Postmaster).await?
    else {
        return Ok(());
    };
    let queue_id = shared.queue_ids.next(now);
    let content = content(&shared.host_name, queue_id, subject, text, now);
    let mut story = Story::new(queue_id);
    let named = administrators.iter().map(|one| one.address.to_string()).collect();
    story.hop(now, What::Enqueue { reverse_path: String::new(), recipients: named });
    let recipients = administrators.into_iter().map(|one| {
        story.filed(now, &one.address, &one.address);
        let handover = Handover::File { mailbox: one.inbox };
        let parameters = RecipientParameters::default();
        Recipient { named: one.address.clone(), address: one.address, parameters, handover }
    });
    let message = ReceivedMessage {
        queue_id,
        virtual_server: String::new(),
        reverse_path: ReversePath::Null,
        parameters: MessageParameters { utf8: !content.is_ascii(), ..MessageParameters::default() },
        recipients: recipients.collect(),
        content: NewContent::Inline { label: Bytes::new(), bytes: content },
        at: now,
    };
    let commit = shared.reporter.accept(message, story).await?;
    shared.store.commit(commit).await?;
    Ok(())
}

fn content(host_name: &str, queue_id: QueueId, subject: &str, text: &str, now: Timestamp) -> Bytes {
    let date = now.rfc5322();
    // RFC 3834 §5: nobody's holiday program answers it.
    let header = format!(
        "Date: {date}\r\nFrom: Mail server {host_name} <postmaster@{host_name}>\r\nTo: postmaster@{host_name}\r\n\
         Subject: {subject}\r\nMessage-ID: <{queue_id}@{host_name}>\r\nAuto-Submitted: auto-generated\r\n\
         MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    );
    (header + text).into()
}
