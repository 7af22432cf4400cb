//! CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE (RFC 3501 §6.3.3 to §6.3.7; special uses, RFC 6154 §3).

use mail::{MailboxPath, SpecialUse};

use super::answered::failure;
use super::{Job, Missing, Poll, ServerSession, Then};
use crate::imap::command::Command;
use crate::imap::responses::Text;
use crate::imap::server::{Answer, Question};

impl ServerSession {
    pub(super) fn start_naming(&mut self, job: Job, command: Command) {
        let (done, question) = match command {
            Command::Create { path, uses } => return self.create(job, path, &uses),
            // RFC 3501 §6.3.4: INBOX may not be deleted.
            Command::Delete(path) if path.is_inbox() => {
                return self.complete(job, Text::no("CANNOT", "INBOX stays"), Poll::IfNews);
            }
            Command::Delete(path) => ("DELETE completed", Question::Delete(path)),
            Command::Rename(from, to) => ("RENAME completed", Question::Rename(from, to)),
            Command::Subscribe(path, true) => ("SUBSCRIBE completed", Question::Subscribe(path, true)),
            Command::Subscribe(path, false) => ("UNSUBSCRIBE completed", Question::Subscribe(path, false)),
            _ => unreachable!("start() sends no other command here"),
        };
        self.ask(job, Then::Plain { done, missing: Missing::NonExistent }, question);
    }

    fn create(&mut self, job: Job, path: MailboxPath, uses: &[String]) {
        match special_use(uses) {
            Ok(special_use) => {
                let then = Then::Created { with_use: special_use.is_some() };
                self.ask(job, then, Question::Create { path, special_use });
            }
            Err(text) => self.complete(job, text, Poll::IfNews),
        }
    }

    pub(super) fn created(&mut self, job: Job, with_use: bool, answer: &Answer) {
        let text = match answer {
            Answer::Done => Text::ok("CREATE completed"),
            Answer::Cannot(why) if with_use => Text::no("USEATTR", why),
            other => failure(other, Missing::NonExistent),
        };
        self.complete(job, text, Poll::IfNews);
    }
}

/// The one special use that is wished, if any. No mailbox here is a view of others, as `\All` and `\Flagged` would be.
fn special_use(uses: &[String]) -> Result<Option<SpecialUse>, Text> {
    let refusal = |why| Text::no("USEATTR", why);
    match uses {
        [] => Ok(None),
        [name] => match name.parse() {
            Ok(SpecialUse::All | SpecialUse::Flagged) | Err(()) => {
                Err(refusal("That special use is not supported"))
            }
            Ok(special_use) => Ok(Some(special_use)),
        },
        _ => Err(refusal("A mailbox has one special use")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_special_use_that_there_is() {
        let check = |uses: &[&str], expected: Result<Option<SpecialUse>, &str>| {
            let uses: Vec<_> = uses.iter().map(|name| (*name).to_owned()).collect();
            assert_eq!(special_use(&uses).map_err(|text| text.text), expected, "{uses:?}");
        };
        check(&[], Ok(None));
        check(&["sent"], Ok(Some(SpecialUse::Sent)));
        check(&["All"], Err("That special use is not supported"));
        check(&["Own"], Err("That special use is not supported"));
        check(&["Sent", "Trash"], Err("A mailbox has one special use"));
    }
}
