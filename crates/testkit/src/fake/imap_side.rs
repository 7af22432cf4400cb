//! The application's side of one IMAP connection.

use bytes::Bytes;
use mail::message::{Part, TransferDecoder};
use mail::{Address, Flag, MailboxPath, ModSeq, Section, SectionText, Timestamp, Uid, UidSet};
use protocol::imap::{Answer, Copied, FetchWants, Form, News, Piece, Question, StoreMode, Wanted};
use protocol::sasl::{SignIn, Told};

use super::mailbox::{ARRIVAL, Email, Mailbox, VALIDITY};
use super::{Account, Shared};

/// The application's side of one IMAP connection.
#[derive(Debug)]
pub struct ImapSide {
    fake: Shared,
    account: Option<Address>,
    /// The selected mailbox, and up to where the session was told.
    selected: Option<(MailboxPath, ModSeq)>,
    appending: Option<MailboxPath>,
    content: Vec<u8>,
    /// Messages of an APPEND that are complete.
    waiting: Vec<Email>,
}

/// Rows and octets of an answer: few, so that what happens between answers is played.
const ROWS_MAX: u64 = 2;
const PIECE_MAX: usize = 50;

impl ImapSide {
    /// For a new connection.
    pub fn new(fake: Shared) -> Self {
        Self {
            fake,
            account: None,
            selected: None,
            appending: None,
            content: Vec::new(),
            waiting: Vec::new(),
        }
    }

    /// Whether the selected mailbox has changed since this was asked last.
    pub fn news(&mut self) -> Option<News> {
        let (path, told) = self.selected.as_mut()?;
        let fake = self.fake.borrow();
        let now = fake.accounts.get(self.account.as_ref()?)?.mailboxes.get(path)?.modseq;
        if *told == now {
            return None;
        }
        *told = now;
        Some(News)
    }

    /// Decides a question.
    pub fn decide(&mut self, question: Question) -> Answer {
        let shared = self.fake.clone();
        let mut fake = shared.borrow_mut();
        if let Question::Authenticate(ask) = &question {
            let told = fake.told(ask);
            if let Told::SignIn(SignIn::Accepted(address)) = &told {
                self.account = Some(address.clone());
            }
            return Answer::SignIn(told);
        }
        let account = self.account.as_ref().and_then(|address| fake.accounts.get_mut(address));
        let Some(account) = account else { return Answer::Unavailable };
        match question {
            Question::Authenticate(_) => unreachable!("decided above"),
            Question::Mailboxes => Answer::Mailboxes(account.listing()),
            Question::Create { path, special_use } => account.create(path, special_use),
            Question::Delete(path) => account.delete(&path),
            Question::Rename(from, to) => account.rename(&from, &to),
            Question::Subscribe(path, subscribed) => account.subscribe(path, subscribed),
            Question::Status(path) => account.with(&path, |mailbox| Answer::Status(mailbox.status())),
            Question::Select(path) => self.select(account, path),
            Question::Compress => Answer::Done,
            Question::Unselect => {
                self.selected = None;
                Answer::Done
            }
            Question::AppendBegin { to, first, .. } => self.append(account, to, first),
            Question::AppendChunk(piece) => {
                self.content.extend_from_slice(&piece);
                Answer::Done
            }
            Question::AppendNext { last, flags, date } => {
                self.message_ends(&last, flags, date);
                Answer::Done
            }
            Question::AppendFinish { last, flags, date } => {
                self.message_ends(&last, flags, date);
                let Some(path) = self.appending.take() else { return Answer::Unavailable };
                let emails = std::mem::take(&mut self.waiting);
                account.with(&path, |mailbox| Answer::Appended {
                    validity: VALIDITY,
                    uids: emails.into_iter().map(|email| mailbox.file(email)).collect(),
                })
            }
            Question::AppendAbandoned => {
                self.appending = None;
                self.waiting.clear();
                self.content.clear();
                Answer::Done
            }
            Question::Copy { uids, to } => self.copy(account, &uids, &to, false),
            Question::Move { uids, to } => self.copy(account, &uids, &to, true),
            other => self.in_selected(account, other),
        }
    }

    fn select(&mut self, account: &mut Account, path: MailboxPath) -> Answer {
        self.selected = None;
        let Some(mailbox) = account.mailboxes.get(&path) else { return Answer::NoSuchMailbox };
        self.selected = Some((path, mailbox.modseq));
        Answer::Selected(mailbox.selected())
    }

    fn append(&mut self, account: &mut Account, to: MailboxPath, first: bool) -> Answer {
        self.content.clear();
        if first {
            self.waiting.clear();
        }
        if !account.mailboxes.contains_key(&to) {
            return Answer::NoSuchMailbox;
        }
        self.appending = Some(to);
        Answer::Done
    }

    /// A message of APPEND is complete.
    fn message_ends(&mut self, last: &[u8], flags: Vec<Flag>, date: Option<Timestamp>) {
        self.content.extend_from_slice(last);
        let content = std::mem::take(&mut self.content).into();
        self.waiting.push(Email::new(content, flags, date.unwrap_or(ARRIVAL)));
    }

    fn copy(&self, account: &mut Account, uids: &UidSet, to: &MailboxPath, and_remove: bool) -> Answer {
        let Some((from, _)) = &self.selected else { return Answer::Unavailable };
        let Some(source) = account.mailboxes.get(from) else { return Answer::NoSuchMailbox };
        let chosen = source.among(uids);
        let emails: Vec<Email> = chosen.iter().map(|uid| source.emails[uid].clone()).collect();
        let Some(target) = account.mailboxes.get_mut(to) else { return Answer::NoSuchMailbox };
        let filed: UidSet = emails.into_iter().map(|email| target.file(email)).collect();
        if let (true, Some(source)) = (and_remove, account.mailboxes.get_mut(from)) {
            source.remove(&chosen);
        }
        Answer::Copied(Copied { validity: VALIDITY, source: chosen.into_iter().collect(), target: filed })
    }

    fn in_selected(&self, account: &mut Account, question: Question) -> Answer {
        let Some((path, _)) = &self.selected else { return Answer::Unavailable };
        let Some(mailbox) = account.mailboxes.get_mut(path) else { return Answer::NoSuchMailbox };
        match question {
            Question::Changes { since } => Answer::Changes(mailbox.changes(since)),
            Question::Fetch { uids, wants } => fetch(mailbox, &uids, &wants),
            Question::Vanished { since, among } => {
                Answer::Found { uids: mailbox.vanished(since, &among), modseq: None }
            }
            Question::Read { uid, section, form, offset } => {
                Answer::Content(read(mailbox, uid, &section, form, offset))
            }
            Question::Search { key, modseq } => {
                let uids = mailbox.search(&key);
                let highest = uids.iter().map(|uid| mailbox.emails[&uid].modseq).max();
                let modseq = if modseq { highest } else { None };
                Answer::Found { uids, modseq }
            }
            Question::Store { uids, mode, flags, unchanged_since } => {
                store(mailbox, &uids, (mode, &flags), unchanged_since)
            }
            Question::Expunge(among) => {
                let deleted = mailbox.emails.iter().filter(|(_, email)| email.flags.contains(&Flag::Deleted));
                let chosen: Vec<Uid> = deleted
                    .map(|(uid, _)| *uid)
                    .filter(|uid| among.as_ref().is_none_or(|set| set.contains(*uid)))
                    .collect();
                mailbox.remove(&chosen);
                Answer::Done
            }
            _ => Answer::Unavailable,
        }
    }
}

impl Account {
    fn with(&mut self, path: &MailboxPath, decide: impl FnOnce(&mut Mailbox) -> Answer) -> Answer {
        self.mailboxes.get_mut(path).map_or(Answer::NoSuchMailbox, decide)
    }
}

fn store(
    mailbox: &mut Mailbox,
    uids: &UidSet,
    (mode, flags): (StoreMode, &[Flag]),
    unchanged_since: Option<ModSeq>,
) -> Answer {
    let changed = |uid: &Uid| unchanged_since.is_some_and(|since| mailbox.emails[uid].modseq > since);
    let (modified, chosen): (Vec<Uid>, Vec<Uid>) = mailbox.among(uids).into_iter().partition(changed);
    chosen.iter().for_each(|uid| mailbox.flag(*uid, mode, flags));
    Answer::Stored {
        rows: chosen.iter().map(|uid| mailbox.emails[uid].row(*uid)).collect(),
        modified: modified.into_iter().collect(),
    }
}

fn fetch(mailbox: &mut Mailbox, uids: &UidSet, wants: &FetchWants) -> Answer {
    let (now, rest) = uids.split_at(ROWS_MAX);
    let mut chosen = mailbox.among(&now);
    chosen.retain(|uid| wants.changed_since.is_none_or(|since| mailbox.emails[uid].modseq > since));
    if wants.mark_seen {
        for uid in chosen
            .iter()
            .filter(|uid| !mailbox.emails[uid].flags.contains(&Flag::Seen))
            .copied()
            .collect::<Vec<_>>()
        {
            mailbox.flag(uid, StoreMode::Add, &[Flag::Seen]);
        }
    }
    let rows = chosen.iter().map(|uid| {
        let email = &mailbox.emails[uid];
        let mut row = email.row(*uid);
        row.facts = wants.facts.then_some((email.date, email.content.len() as u64));
        row.envelope = wants.envelope.then(|| std::sync::Arc::new(mail::message::envelope(&email.content)));
        row.structure =
            wants.structure.then(|| std::sync::Arc::new(mail::message::structure(&email.content)));
        row.sections = wants.sections.iter().map(|wanted| piece(&email.content, wanted)).collect();
        row.binary_sizes = wants.binary_sizes.iter().map(|part| decoded_size(&email.content, part)).collect();
        row
    });
    Answer::Rows { rows: rows.collect(), rest }
}

/// A section after `<offset.length>`, with its first octets.
fn piece(content: &Bytes, wanted: &Wanted) -> Piece {
    let mut bytes = match shown(content, &wanted.section, wanted.form) {
        Shown::Octets(bytes) => bytes,
        Shown::Missing => return Piece::Missing,
        Shown::Undecodable => return Piece::Undecodable,
    };
    if let Some((offset, length)) = wanted.partial {
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        let length = usize::try_from(length).unwrap_or(usize::MAX).min(bytes.len() - start);
        bytes = bytes.slice(start..start + length);
    }
    let length = bytes.len() as u64;
    bytes.truncate(PIECE_MAX);
    Piece::Octets { length, start: bytes }
}

fn read(mailbox: &Mailbox, uid: Uid, section: &Section, form: Form, offset: u64) -> Bytes {
    let shown = mailbox.emails.get(&uid).map(|email| shown(&email.content, section, form));
    let Some(Shown::Octets(bytes)) = shown else { return Bytes::new() };
    let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
    bytes.slice(start..bytes.len().min(start + PIECE_MAX))
}

/// What there is of a section.
enum Shown {
    Octets(Bytes),
    Missing,
    Undecodable,
}

fn shown(content: &Bytes, section: &Section, form: Form) -> Shown {
    let Some(bytes) = octets(content, section) else { return Shown::Missing };
    if form == Form::Raw || section.part.is_empty() {
        return Shown::Octets(bytes);
    }
    let root = mail::message::structure(content);
    let part = section.part.iter().try_fold(&root, |part, &number| child(part, number));
    match part.and_then(|part| TransferDecoder::named(&part.encoding)) {
        Some(decoder) => Shown::Octets(decoder.decode(&bytes).into()),
        None => Shown::Undecodable,
    }
}

fn decoded_size(content: &Bytes, part: &[u32]) -> Option<u64> {
    let section = Section { part: part.to_vec(), text: SectionText::Whole };
    match shown(content, &section, Form::Decoded) {
        Shown::Octets(bytes) => Some(bytes.len() as u64),
        Shown::Missing | Shown::Undecodable => None,
    }
}

/// A section's octets (RFC 3501 §6.4.5), for mail without messages inside.
fn octets(content: &Bytes, section: &Section) -> Option<Bytes> {
    let root = mail::message::structure(content);
    let part = section.part.iter().try_fold(&root, |part, &number| child(part, number))?;
    let whole = section.part.is_empty();
    Some(match &section.text {
        SectionText::Whole if whole => content.clone(),
        SectionText::Whole => content.slice(part.body.clone()),
        SectionText::Text if whole => content.slice(root.body.clone()),
        SectionText::Header if whole => content.slice(root.header.clone()),
        SectionText::HeaderFields(names) if whole => fields(&content[root.header.clone()], names, true),
        SectionText::HeaderFieldsNot(names) if whole => fields(&content[root.header.clone()], names, false),
        SectionText::Mime if !whole => content.slice(part.header.clone()),
        _ => return None,
    })
}

fn child(part: &Part, number: u32) -> Option<&Part> {
    if part.parts.is_empty() {
        return (number == 1).then_some(part);
    }
    part.parts.get(usize::try_from(number).ok()?.checked_sub(1)?)
}

fn fields(header: &[u8], names: &[String], keep: bool) -> Bytes {
    let mut kept = Vec::new();
    let mut keeping = false;
    for line in header.split_inclusive(|&byte| byte == b'\n') {
        if !line.starts_with(b" ") && !line.starts_with(b"\t") {
            let name = line.split(|&byte| byte == b':').next().unwrap_or_default();
            keeping =
                line == b"\r\n" || names.iter().any(|n| n.as_bytes().eq_ignore_ascii_case(name)) == keep;
        }
        if keeping {
            kept.extend_from_slice(line);
        }
    }
    kept.into()
}
