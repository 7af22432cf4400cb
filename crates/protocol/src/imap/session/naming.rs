//! CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE (RFC 3501 §6.3.3 to §6.3.7; special uses, RFC 6154 §3).

use mail::{MailboxPath, SpecialUse};

use super::refusals::{Missing, failure};
use super::{Job, Poll, ServerSession, Then};
use crate::imap::command::Command;
use crate::imap::names::{Name, NameForm};
use crate::imap::responses::{Text, Writer};
use crate::imap::server::{Answer, Question};

/// What is said when a name was made, changed or removed.
pub(super) struct Naming {
    done: &'static str,
    /// The code of a refusal that is about names.
    refused: &'static str,
    /// How the name is spelt here, if the client spells it otherwise: a LIST response.
    spelt: Vec<u8>,
}

impl ServerSession {
    pub(super) fn start_naming(&mut self, job: Job, command: Command) {
        let mut refused = "CANNOT";
        let (done, question, spelt) = match command {
            Command::Create { name, uses } => return self.create(job, name, &uses),
            // RFC 3501 §6.3.4: INBOX may not be deleted.
            Command::Delete(name) if name.path.is_inbox() => {
                return self.complete(job, Text::no("CANNOT", "INBOX stays"), Poll::IfNews);
            }
            Command::Delete(name) => {
                // RFC 9051 §6.3.5: what is no mailbox itself cannot be removed while mailboxes lie below it.
                refused = "HASCHILDREN";
                let spelt = self.spelt(r"\NonExistent", &name.path, name.written.as_deref());
                ("DELETE completed", Question::Delete(name.path), spelt)
            }
            Command::Rename(from, to) => {
                // RFC 9051 §6.3.6: whichever of the two was spelt otherwise.
                let differs = from.written.is_some() || to.written.is_some();
                let old = from.written.as_deref().unwrap_or(from.path.as_str());
                let spelt = self.spelt("", &to.path, differs.then_some(old));
                ("RENAME completed", Question::Rename(from.path, to.path), spelt)
            }
            Command::Subscribe(path, true) => {
                ("SUBSCRIBE completed", Question::Subscribe(path, true), Vec::new())
            }
            Command::Subscribe(path, false) => {
                ("UNSUBSCRIBE completed", Question::Subscribe(path, false), Vec::new())
            }
            _ => unreachable!("start() sends no other command here"),
        };
        self.ask(job, Then::Named(Naming { done, refused, spelt }), question);
    }

    fn create(&mut self, job: Job, name: Name, uses: &[String]) {
        match special_use(uses) {
            Ok(special_use) => {
                let spelt = self.spelt("", &name.path, name.written.as_deref());
                let refused = if special_use.is_some() { "USEATTR" } else { "CANNOT" };
                let then = Then::Named(Naming { done: "CREATE completed", refused, spelt });
                self.ask(job, then, Question::Create { path: name.path, special_use });
            }
            Err(text) => self.complete(job, text, Poll::IfNews),
        }
    }

    /// RFC 9051 §6.3.9.7: a name that is kept otherwise than it was written is told, to clients that know OLDNAME.
    fn spelt(&self, attributes: &str, path: &MailboxPath, written: Option<&str>) -> Vec<u8> {
        let mut out = Vec::new();
        if let Some(written) = written.filter(|_| self.enabled.rev2) {
            let mut writer = Writer::new(&mut out);
            writer.raw("* LIST (").raw(attributes).raw(r#") "/" "#).mailbox(path, NameForm::Utf8);
            writer.raw(r#" ("OLDNAME" ("#).utf8(written).raw("))").end();
        }
        out
    }

    pub(super) fn named(&mut self, job: Job, naming: &Naming, answer: &Answer) {
        let text = match answer {
            Answer::Done => {
                self.out.extend_from_slice(&naming.spelt);
                Text::ok(naming.done)
            }
            Answer::Cannot(why) => Text::no(naming.refused, why),
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
