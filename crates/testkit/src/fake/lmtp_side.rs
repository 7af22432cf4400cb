//! The application's side of one LMTP connection: that of SMTP, but each recipient has its own reply to the content.

use std::collections::BTreeSet;

use bytes::Bytes;
use mail::{Address, ForwardPath, Reply};
use protocol::smtp;

use super::{Shared, Side, SmtpSide, parse};

/// For one connection.
#[derive(Debug)]
pub struct LmtpSide {
    smtp: SmtpSide,
    /// To whom the open transaction goes, in the order of RCPT; none where nobody reads postmaster's mail.
    recipients: Vec<Option<Address>>,
    /// The mailbox that takes no more.
    full: Option<Address>,
}

impl LmtpSide {
    /// For a new connection. `full`: the address whose mailbox takes no more.
    pub fn new(fake: Shared, full: Option<&str>) -> Result<Self, String> {
        let full = full.map(parse).transpose()?;
        Ok(Self { smtp: SmtpSide::new(fake), recipients: Vec::new(), full })
    }

    fn recipient(&mut self, path: &ForwardPath) -> Reply {
        let resolved = self.smtp.fake.borrow().resolve(path);
        match resolved {
            Ok(address) => {
                self.recipients.push(address);
                Reply::new(250, (2, 1, 5), "Recipient taken")
            }
            Err(reply) => reply,
        }
    }

    fn finish(&mut self, last: &[u8]) -> Vec<Reply> {
        let mut content = std::mem::take(&mut self.smtp.content);
        content.extend_from_slice(last);
        let recipients = std::mem::take(&mut self.recipients);
        let filed: BTreeSet<_> =
            recipients.iter().flatten().filter(|it| Some(*it) != self.full.as_ref()).collect();
        self.file(&filed, content.into());
        let reply = |recipient: &Option<Address>| match recipient {
            Some(address) if Some(address) == self.full.as_ref() => {
                Reply::new(452, (4, 2, 2), "The mailbox is full")
            }
            _ => Reply::new(250, (2, 0, 0), "Kept"),
        };
        recipients.iter().map(reply).collect()
    }

    /// One email for each mailbox, also if it was named twice.
    fn file(&self, addresses: &BTreeSet<&Address>, content: Bytes) {
        let mut fake = self.smtp.fake.borrow_mut();
        for address in addresses {
            fake.accounts.get_mut(*address).expect("resolved to an account").file(content.clone());
        }
    }
}

impl Side<smtp::ServerSession> for LmtpSide {
    fn decide(&mut self, question: smtp::Question) -> smtp::Answer {
        use smtp::{Answer, Question};
        match question {
            Question::Recipient(recipient) => Answer::Reply(self.recipient(&recipient.path)),
            Question::Finish { last, .. } => Answer::Replies(self.finish(&last)),
            question => {
                if matches!(question, Question::Sender(_) | Question::Refused(_) | Question::Abandoned) {
                    self.recipients.clear();
                }
                self.smtp.decide(question)
            }
        }
    }
}
