//! The application's side of one IMAP connection.

use bytes::Bytes;
use mail::message::Part;
use mail::{Address, Flag, MailboxPath, ModSeq, Section, SectionText, Uid, UidSet};
use protocol::imap::{Answer, Copied, FetchWants, Mailbox as Listed, News, Question, StoreMode};
use protocol::sasl::SignIn;

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
}

/// Rows and octets of an answer: few, so that what happens between answers is played.
const ROWS_MAX: u64 = 2;
const PIECE_MAX: usize = 50;

impl ImapSide {
    /// For a new connection.
    pub fn new(fake: Shared) -> Self {
        Self { fake, account: None, selected: None, appending: None, content: Vec::new() }
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
        if let Question::Authenticate(credentials) = &question {
            let sign_in = fake.sign_in(credentials);
            if let SignIn::Accepted(address) = &sign_in {
                self.account = Some(address.clone());
            }
            return Answer::SignIn(sign_in);
        }
        let account = self.account.as_ref().and_then(|address| fake.accounts.get_mut(address));
        let Some(account) = account else { return Answer::Unavailable };
        match question {
            Question::Authenticate(_) => unreachable!("decided above"),
            Question::Mailboxes => Answer::Mailboxes(account.listing()),
            Question::Create(path) => account.create(path),
            Question::Delete(path) => account.delete(&path),
            Question::Rename(from, to) => account.rename(&from, to),
            Question::Subscribe(path, subscribed) => account.with(&path, |mailbox| {
                mailbox.subscribed = subscribed;
                Answer::Done
            }),
            Question::Status(path) => account.with(&path, |mailbox| Answer::Status(mailbox.status())),
            Question::Select(path) => self.select(account, path),
            Question::Unselect => {
                self.selected = None;
                Answer::Done
            }
            Question::AppendBegin { to, .. } => self.append(account, to),
            Question::AppendChunk(piece) => {
                self.content.extend_from_slice(&piece);
                Answer::Done
            }
            Question::AppendFinish { last, flags, date } => {
                self.content.extend_from_slice(&last);
                let email =
                    Email::new(std::mem::take(&mut self.content).into(), flags, date.unwrap_or(ARRIVAL));
                let Some(path) = self.appending.take() else { return Answer::Unavailable };
                account
                    .with(&path, |mailbox| Answer::Appended { validity: VALIDITY, uid: mailbox.file(email) })
            }
            Question::AppendAbandoned => {
                self.appending = None;
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

    fn append(&mut self, account: &mut Account, to: MailboxPath) -> Answer {
        self.content.clear();
        if !account.mailboxes.contains_key(&to) {
            return Answer::NoSuchMailbox;
        }
        self.appending = Some(to);
        Answer::Done
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
            Question::Read { uid, section, offset } => Answer::Content(read(mailbox, uid, &section, offset)),
            Question::Search(key) => Answer::Found(mailbox.search(&key)),
            Question::Store { uids, mode, flags } => {
                let chosen = mailbox.among(&uids);
                chosen.iter().for_each(|uid| mailbox.flag(*uid, mode, &flags));
                Answer::Stored(chosen.iter().map(|uid| mailbox.emails[uid].row(*uid)).collect())
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
    fn listing(&self) -> Vec<Listed> {
        let listed = |(path, mailbox): (&MailboxPath, &Mailbox)| Listed {
            path: path.clone(),
            subscribed: mailbox.subscribed,
            special_use: None,
            no_select: false,
        };
        self.mailboxes.iter().map(listed).collect()
    }

    fn with(&mut self, path: &MailboxPath, decide: impl FnOnce(&mut Mailbox) -> Answer) -> Answer {
        self.mailboxes.get_mut(path).map_or(Answer::NoSuchMailbox, decide)
    }

    /// RFC 3501 §6.3.3: the levels above are made too.
    fn create(&mut self, path: MailboxPath) -> Answer {
        if self.mailboxes.contains_key(&path) {
            return Answer::Exists;
        }
        let mut next = Some(path);
        while let Some(path) = next {
            next = path.parent();
            self.mailboxes.entry(path).or_default();
        }
        Answer::Done
    }

    fn delete(&mut self, path: &MailboxPath) -> Answer {
        if path.is_inbox() {
            return Answer::Cannot("INBOX stays");
        }
        self.mailboxes.remove(path).map_or(Answer::NoSuchMailbox, |_| Answer::Done)
    }

    fn rename(&mut self, from: &MailboxPath, to: MailboxPath) -> Answer {
        if self.mailboxes.contains_key(&to) {
            return Answer::Exists;
        }
        match self.mailboxes.remove(from) {
            Some(mailbox) => {
                self.create(to.clone());
                self.mailboxes.insert(to, mailbox);
                Answer::Done
            }
            None => Answer::NoSuchMailbox,
        }
    }
}

fn fetch(mailbox: &mut Mailbox, uids: &UidSet, wants: &FetchWants) -> Answer {
    let (now, rest) = uids.split_at(ROWS_MAX);
    let chosen = mailbox.among(&now);
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
        row.envelope = wants.envelope.then(|| Box::new(mail::message::envelope(&email.content)));
        row.structure = wants.structure.then(|| Box::new(mail::message::structure(&email.content)));
        row.sections = wants
            .sections
            .iter()
            .map(|wanted| partial(&email.content, &wanted.section, wanted.partial))
            .collect();
        row
    });
    Answer::Rows { rows: rows.collect(), rest }
}

/// The length of a section after `<offset.length>`, and its first octets.
fn partial(content: &Bytes, section: &Section, partial: Option<(u64, u64)>) -> Option<(u64, Bytes)> {
    let mut bytes = octets(content, section)?;
    if let Some((offset, length)) = partial {
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        let length = usize::try_from(length).unwrap_or(usize::MAX).min(bytes.len() - start);
        bytes = bytes.slice(start..start + length);
    }
    let length = bytes.len() as u64;
    bytes.truncate(PIECE_MAX);
    Some((length, bytes))
}

fn read(mailbox: &Mailbox, uid: Uid, section: &Section, offset: u64) -> Bytes {
    let bytes =
        mailbox.emails.get(&uid).and_then(|email| octets(&email.content, section)).unwrap_or_default();
    let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
    bytes.slice(start..bytes.len().min(start + PIECE_MAX))
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
