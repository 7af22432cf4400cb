//! How values lie in columns.

use mail::{Flag, MailboxPath, MessageParameters, RecipientParameters, UidSet};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::change::QueuedRecipient;

/// Flags as bits and keywords, the latter separated by spaces: a keyword is an atom and holds none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct FlagColumns {
    pub(crate) bits: u8,
    pub(crate) keywords: String,
}

/// `\Seen`.
pub(crate) const SEEN: u8 = 1;
/// `\Deleted`.
const DELETED: u8 = 8;

impl FlagColumns {
    pub(crate) fn new(flags: &[Flag]) -> Self {
        let mut columns = Self::default();
        columns.add(flags);
        columns
    }

    pub(crate) fn add(&mut self, flags: &[Flag]) {
        for flag in flags {
            match flag {
                Flag::Keyword(name) => self.add_keyword(name),
                system => self.bits |= bit(system),
            }
        }
    }

    pub(crate) fn remove(&mut self, flags: &[Flag]) {
        for flag in flags {
            match flag {
                Flag::Keyword(name) => self.remove_keyword(name),
                system => self.bits &= !bit(system),
            }
        }
    }

    /// Replaces all flags; keywords that stay keep the way they were first written.
    pub(crate) fn set(&mut self, flags: &[Flag]) {
        let had = std::mem::take(self);
        for flag in flags {
            let kept = had.keywords.split(' ').find(|known| known.eq_ignore_ascii_case(&flag.to_string()));
            match kept {
                Some(known) if !known.is_empty() => self.add_keyword(known),
                _ => self.add(std::slice::from_ref(flag)),
            }
        }
    }

    pub(crate) fn flags(&self) -> Vec<Flag> {
        let system = Flag::SYSTEM.into_iter().filter(|(_, bit)| self.bits & bit != 0).map(|(flag, _)| flag);
        let keywords = self.keywords.split(' ').filter(|name| !name.is_empty());
        system.chain(keywords.map(|name| Flag::Keyword(name.to_owned()))).collect()
    }

    pub(crate) fn seen(&self) -> bool {
        self.bits & SEEN != 0
    }

    pub(crate) fn deleted(&self) -> bool {
        self.bits & DELETED != 0
    }

    fn has_keyword(&self, name: &str) -> bool {
        self.keywords.split(' ').any(|known| known.eq_ignore_ascii_case(name))
    }

    fn add_keyword(&mut self, name: &str) {
        if name.is_empty() || self.has_keyword(name) {
            return;
        }
        if !self.keywords.is_empty() {
            self.keywords.push(' ');
        }
        self.keywords.push_str(name);
    }

    fn remove_keyword(&mut self, name: &str) {
        let kept: Vec<&str> =
            self.keywords.split(' ').filter(|known| !known.eq_ignore_ascii_case(name)).collect();
        self.keywords = kept.join(" ");
    }
}

/// A system flag's bit; 0 for keywords.
pub(crate) fn bit(flag: &Flag) -> u8 {
    Flag::SYSTEM.iter().find(|(known, _)| known == flag).map_or(0, |(_, bit)| *bit)
}

/// Runs of UIDs as text: `1:5,7`.
pub(crate) fn uids_to_text(uids: &UidSet) -> String {
    let runs = uids.runs().iter();
    let words: Vec<String> =
        runs.map(|(a, b)| if a == b { a.to_string() } else { format!("{a}:{b}") }).collect();
    words.join(",")
}

/// The runs in such a text, appended.
pub(crate) fn runs_from_text(text: &str, runs: &mut Vec<(u32, u32)>) -> Result<(), Error> {
    for word in text.split(',').filter(|word| !word.is_empty()) {
        let (first, last) = word.split_once(':').unwrap_or((word, word));
        match (first.parse(), last.parse()) {
            (Ok(first), Ok(last)) => runs.push((first, last)),
            _ => return Err(Error::Corrupt(format!("no runs of UIDs: {text}"))),
        }
    }
    Ok(())
}

/// A path that was stored; it was checked when it came from its peer.
pub(crate) fn path_from_text(text: &str) -> Result<MailboxPath, Error> {
    serde_json::from_value(serde_json::Value::String(text.to_owned()))
        .map_err(|error| Error::Corrupt(format!("no path of a mailbox: {error}")))
}

/// Texts in one column.
pub(crate) fn list_to_text(list: &[String]) -> String {
    serde_json::to_string(list).expect("a list of strings is JSON")
}

/// The texts in such a column.
pub(crate) fn list_from_text(text: &str) -> Result<Vec<String>, Error> {
    serde_json::from_str(text).map_err(|error| Error::Corrupt(format!("no list: {error}")))
}

/// A recipient as it is written: one without parameters is its address alone, as in every row of schema 2.
#[derive(Serialize)]
#[serde(untagged)]
enum Written<'a> {
    Plain(&'a str),
    With {
        address: &'a str,
        #[serde(flatten)]
        parameters: &'a RecipientParameters,
    },
}

/// A recipient as it is read.
#[derive(Deserialize)]
#[serde(untagged)]
enum Read {
    Plain(String),
    With {
        address: String,
        #[serde(flatten)]
        parameters: RecipientParameters,
    },
}

/// Recipients in one column.
pub(crate) fn recipients_to_text(recipients: &[QueuedRecipient]) -> String {
    let written: Vec<Written<'_>> = recipients.iter().map(written).collect();
    serde_json::to_string(&written).expect("a list of recipients is JSON")
}

fn written(recipient: &QueuedRecipient) -> Written<'_> {
    let QueuedRecipient { address, parameters } = recipient;
    match parameters.is_default() {
        true => Written::Plain(address),
        false => Written::With { address, parameters },
    }
}

/// The recipients in such a column.
pub(crate) fn recipients_from_text(text: &str) -> Result<Vec<QueuedRecipient>, Error> {
    if !text.contains('{') {
        // All without parameters, as most are: nothing is tried twice.
        return Ok(list_from_text(text)?.into_iter().map(QueuedRecipient::from).collect());
    }
    let read = |read| match read {
        Read::Plain(address) => address.into(),
        Read::With { address, parameters } => QueuedRecipient { address, parameters },
    };
    let all: Result<Vec<Read>, _> = serde_json::from_str(text);
    let all = all.map_err(|error| Error::Corrupt(format!("no list of recipients: {error}")))?;
    Ok(all.into_iter().map(read).collect())
}

/// Parameters of a message; nothing, as almost always, is no text.
pub(crate) fn envelope_to_text(parameters: &MessageParameters) -> String {
    match parameters.is_default() {
        true => String::new(),
        false => serde_json::to_string(parameters).expect("parameters are JSON"),
    }
}

/// The parameters in such a column.
pub(crate) fn envelope_from_text(text: &str) -> Result<MessageParameters, Error> {
    if text.is_empty() {
        return Ok(MessageParameters::default());
    }
    serde_json::from_str(text).map_err(|error| Error::Corrupt(format!("no parameters: {error}")))
}

/// What stands after the last `@`: aliases and accounts belong to this domain.
pub(crate) fn domain_of(address: &str) -> &str {
    address.rsplit_once('@').map_or("", |(_, domain)| domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyword(name: &str) -> Flag {
        Flag::Keyword(name.into())
    }

    #[test]
    fn flags_survive_their_columns() {
        let flags = vec![Flag::Flagged, Flag::Seen, keyword("$Junk"), keyword("work")];
        assert_eq!(FlagColumns::new(&flags).flags(), flags);
        assert_eq!(FlagColumns::default().flags(), vec![]);
    }

    #[test]
    fn keywords_compare_without_case_and_keep_their_first_spelling() {
        let mut columns = FlagColumns::new(&[keyword("Work")]);
        columns.add(&[keyword("WORK"), keyword("home")]);
        assert_eq!(columns.keywords, "Work home");
        columns.set(&[keyword("work"), Flag::Seen]);
        assert_eq!((columns.keywords.as_str(), columns.seen()), ("Work", true));
        columns.remove(&[keyword("wORK"), Flag::Seen]);
        assert_eq!(columns, FlagColumns::default());
    }

    #[test]
    fn runs_survive_their_text() {
        let uids: UidSet = [1, 2, 3, 7].into_iter().map(mail::Uid).collect();
        let text = uids_to_text(&uids);
        assert_eq!(text, "1:3,7");
        let mut runs = Vec::new();
        runs_from_text(&text, &mut runs).unwrap();
        assert_eq!(runs, uids.runs());
        assert!(runs_from_text("1:x", &mut runs).is_err());
    }

    #[test]
    fn recipients_survive_their_column_and_those_of_schema_2_are_read() {
        let notify = Some(mail::Notify { success: true, ..mail::Notify::NEVER });
        let original = Some(mail::OriginalRecipient::of("jürgen@example.org"));
        let with = |address: &str, notify, original| QueuedRecipient {
            address: address.into(),
            parameters: RecipientParameters { notify, original },
        };
        let recipients = vec![
            "{a}@example.org".into(),
            with("b@example.org", notify, None),
            with("c@example.org", Some(mail::Notify::NEVER), original),
        ];
        let text = recipients_to_text(&recipients);
        assert_eq!(recipients_from_text(&text).unwrap(), recipients);
        assert_eq!(recipients_to_text(&recipients[..1]), r#"["{a}@example.org"]"#);
        assert_eq!(recipients_from_text(r#"["a@b"]"#).unwrap(), ["a@b".into()]);
        assert!(recipients_from_text(r#"[{"notify":{}}]"#).is_err());
    }

    #[test]
    fn parameters_survive_their_column() {
        let said = MessageParameters {
            body: mail::BodyType::Binary,
            utf8: true,
            ret: Some(mail::Return::Headers),
            envelope_id: Some("QQ 1".into()),
        };
        for (parameters, text) in [
            (MessageParameters::default(), ""),
            (said, r#"{"body":"BINARYMIME","utf8":true,"ret":"HDRS","envelope_id":"QQ 1"}"#),
        ] {
            assert_eq!(envelope_to_text(&parameters), text);
            assert_eq!(envelope_from_text(text).unwrap(), parameters);
        }
    }
}
