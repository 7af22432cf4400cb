//! The IMAP server session.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mail::{Flag, MailboxPath, ModSeq, SearchKey, Section, SpecialUse, Timestamp, Uid, UidSet};

use crate::sasl::{Ask, Offer, Told};

/// What a virtual server lets this session do. Shared by its connections.
#[derive(Debug, Clone)]
pub struct Config {
    /// In the greeting.
    pub host_name: String,
    /// Autologout after sign-in (RFC 3501 §5.4 asks for 30 minutes at least).
    pub timeout: Duration,
    /// Idle time before sign-in.
    pub timeout_before_sign_in: Duration,
    /// Whether STARTTLS is offered.
    pub starttls: bool,
    /// The peer is in a network of `authentication-without-tls`; else LOGINDISABLED is announced before TLS.
    pub auth_without_tls: bool,
    /// What AUTHENTICATE offers. LOGIN is taken if any of it shows the password.
    pub auth: Offer,
    /// Wrong passwords after which the connection ends.
    pub sign_in_failures_max: usize,
    /// The largest literal of APPEND, octets; more is refused by its announced size.
    pub append_size_max: u64,
}

/// "The selected mailbox has changed": merges; the session asks what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct News;

/// What the application decides for an IMAP session.
#[derive(Debug, Clone, PartialEq)]
pub enum Question {
    /// LOGIN or AUTHENTICATE. Answered by [`Answer::SignIn`].
    Authenticate(Ask),
    /// LIST or LSUB: every mailbox of the account, sorted; the session matches the pattern. [`Answer::Mailboxes`].
    Mailboxes,
    /// CREATE. [`Answer::Done`], [`Answer::Exists`]; [`Answer::Cannot`] also if another mailbox has the special use.
    Create {
        /// Its path.
        path: MailboxPath,
        /// CREATE-SPECIAL-USE (RFC 6154 §3).
        special_use: Option<SpecialUse>,
    },
    /// DELETE. [`Answer::Done`], [`Answer::NoSuchMailbox`].
    Delete(MailboxPath),
    /// RENAME; of INBOX it moves the emails (RFC 3501 §6.3.5). [`Answer::Done`] and errors.
    Rename(MailboxPath, MailboxPath),
    /// SUBSCRIBE (true), UNSUBSCRIBE (false). [`Answer::Done`].
    Subscribe(MailboxPath, bool),
    /// STATUS. [`Answer::Status`].
    Status(MailboxPath),
    /// SELECT, EXAMINE: news of this mailbox come from now on. [`Answer::Selected`].
    Select(MailboxPath),
    /// COMPRESS: is there room for another connection that compresses? [`Answer::Done`], [`Answer::Unavailable`].
    Compress,
    /// CLOSE, UNSELECT or another SELECT: no more news. [`Answer::Done`].
    Unselect,
    /// What changed in the selected mailbox after `since`? [`Answer::Changes`].
    Changes {
        /// What the session has seen.
        since: ModSeq,
    },
    /// Which emails of the selected mailbox are gone since? [`Answer::Found`]: perhaps more than those, for whom the
    /// server does not remember when they went, but never fewer (RFC 7162 §3.2.5.1, §3.2.6).
    Vanished {
        /// What the client has seen.
        since: ModSeq,
        /// Only among these.
        among: UidSet,
    },
    /// FETCH of these, in ascending order; an answer holds at most 64 KiB or 256 rows, the session asks for the rest.
    /// [`Answer::Rows`].
    Fetch {
        /// Which emails.
        uids: UidSet,
        /// What of them.
        wants: FetchWants,
    },
    /// A section that was longer than an answer, from this offset on. [`Answer::Content`].
    Read {
        /// Which email.
        uid: Uid,
        /// Which section.
        section: Section,
        /// In which form.
        form: Form,
        /// Octets of the section, in this form, to skip.
        offset: u64,
    },
    /// SEARCH among the emails of the selected mailbox; sequence sets were made UIDs. [`Answer::Found`].
    Search {
        /// Which emails.
        key: SearchKey,
        /// Whether the highest mod-sequence among the found is asked for (RFC 7162 §3.1.5).
        modseq: bool,
    },
    /// STORE. [`Answer::Stored`]: flags as they are afterwards.
    Store {
        /// Which emails.
        uids: UidSet,
        /// Set, add or remove.
        mode: StoreMode,
        /// Which flags.
        flags: Vec<Flag>,
        /// UNCHANGEDSINCE (RFC 7162 §3.1.3): emails whose mod-sequence is higher are left as they are.
        unchanged_since: Option<ModSeq>,
    },
    /// COPY into a mailbox. [`Answer::Copied`].
    Copy {
        /// Which emails.
        uids: UidSet,
        /// Where to.
        to: MailboxPath,
    },
    /// MOVE (RFC 6851): copied and gone from here, in one step. [`Answer::Copied`]; the session then asks for changes.
    Move {
        /// Which emails.
        uids: UidSet,
        /// Where to.
        to: MailboxPath,
    },
    /// EXPUNGE, UID EXPUNGE, CLOSE: remove what is `\Deleted`, among these if some are named. [`Answer::Done`]; the
    /// session then asks for changes.
    Expunge(Option<UidSet>),
    /// APPEND begins: does the mailbox exist, is there room for this many octets? Asked before the literal's
    /// continuation. [`Answer::Done`] or an error.
    AppendBegin {
        /// Where to.
        to: MailboxPath,
        /// The literal's announced size, octets.
        size: u64,
        /// The command's first message; else one more of the same command (RFC 3502).
        first: bool,
    },
    /// A piece of the literal, at most 64 KiB. [`Answer::Done`].
    AppendChunk(Bytes),
    /// The literal is complete, and another message of the same command follows: it will begin with
    /// [`Question::AppendBegin`], not `first`. [`Answer::Done`].
    AppendNext {
        /// The last piece; the whole content if it is small.
        last: Bytes,
        /// Flags to set.
        flags: Vec<Flag>,
        /// INTERNALDATE; now if none.
        date: Option<Timestamp>,
    },
    /// The command's last literal is complete; file all of its messages durably, in one step. [`Answer::Appended`].
    AppendFinish {
        /// The last piece; the whole content if it is small.
        last: Bytes,
        /// Flags to set.
        flags: Vec<Flag>,
        /// INTERNALDATE; now if none.
        date: Option<Timestamp>,
    },
    /// The APPEND under way was broken off: drop what was taken. [`Answer::Done`].
    AppendAbandoned,
}

/// How the application decided.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// The answer to [`Question::Authenticate`].
    SignIn(Told),
    /// Done, durably.
    Done,
    /// Every mailbox of the account.
    Mailboxes(Vec<Mailbox>),
    /// STATUS of one.
    Status(Status),
    /// The mailbox is open.
    Selected(Selected),
    /// What changed.
    Changes(Changes),
    /// Rows in ascending order of UID; `wanted` UIDs up to the last row that are not there are gone. `rest`: what was
    /// not looked at yet.
    Rows {
        /// The rows.
        rows: Vec<FetchRow>,
        /// Ask again with these; empty at the end.
        rest: UidSet,
    },
    /// A piece of a section; empty at and after its end.
    Content(Bytes),
    /// What SEARCH found, or what vanished.
    Found {
        /// Which emails.
        uids: UidSet,
        /// The highest mod-sequence among them, if it was asked for and any was found.
        modseq: Option<ModSeq>,
    },
    /// What STORE did.
    Stored {
        /// Flags as they are now, and the mod-sequence of the change, of those that were asked for and are there, but
        /// for `modified`.
        rows: Vec<FetchRow>,
        /// Those that were left as they are, because they changed after `unchanged_since`.
        modified: UidSet,
    },
    /// COPYUID (RFC 4315).
    Copied(Copied),
    /// APPENDUID (RFC 4315).
    Appended {
        /// The mailbox's UIDVALIDITY.
        validity: u32,
        /// The new emails, in the order of the command.
        uids: UidSet,
    },
    /// There is no such mailbox (`[NONEXISTENT]`, `[TRYCREATE]` where the RFC asks for it).
    NoSuchMailbox,
    /// There is one already (`[ALREADYEXISTS]`).
    Exists,
    /// It cannot be done, for a reason the user can understand (`[CANNOT]`).
    Cannot(&'static str),
    /// Too large or no room (`[OVERQUOTA]`, `[TOOBIG]`).
    TooBig,
    /// The server could not; nothing was changed (`[UNAVAILABLE]`).
    Unavailable,
}

/// A mailbox in LIST.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox {
    /// Its path.
    pub path: MailboxPath,
    /// Whether it is subscribed.
    pub subscribed: bool,
    /// Its special use (RFC 6154).
    pub special_use: Option<SpecialUse>,
    /// A name only, because mailboxes lie below it: `\Noselect`.
    pub no_select: bool,
    /// A subscription alone: there is neither a mailbox of this name nor one below it (RFC 3501 §6.3.6, §6.3.9).
    pub missing: bool,
}

/// The items of STATUS.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Status {
    /// Emails.
    pub messages: u32,
    /// Emails without `\Seen`.
    pub unseen: u32,
    /// The next UID.
    pub uid_next: u32,
    /// UIDVALIDITY.
    pub uid_validity: u32,
    /// HIGHESTMODSEQ.
    pub highest_modseq: ModSeq,
    /// SIZE, octets.
    pub size: u64,
    /// Emails with `\Deleted` (RFC 9051 §6.3.11).
    pub deleted: u32,
}

/// What SELECT opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selected {
    /// Every UID, ascending: the sequence map.
    pub uids: UidSet,
    /// UIDVALIDITY.
    pub uid_validity: u32,
    /// The next UID.
    pub uid_next: u32,
    /// The first email without `\Seen`.
    pub first_unseen: Option<Uid>,
    /// Everything up to here is in `uids`.
    pub highest_modseq: ModSeq,
    /// Keywords in use, for FLAGS.
    pub keywords: Vec<Flag>,
}

/// What changed in the selected mailbox.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Changes {
    /// Everything up to here is told.
    pub highest_modseq: ModSeq,
    /// Emails gone.
    pub vanished: UidSet,
    /// Emails new.
    pub arrived: UidSet,
    /// Emails whose flags changed (new ones are not among them), at most 256.
    pub flags: Vec<FetchRow>,
    /// More emails whose flags changed: the session asks for them by [`Question::Fetch`].
    pub rest: UidSet,
}

/// Set, add or remove flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreMode {
    /// FLAGS
    Set,
    /// +FLAGS
    Add,
    /// -FLAGS
    Remove,
}

/// COPYUID: source and target UIDs pairwise, ascending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// The target's UIDVALIDITY.
    pub validity: u32,
    /// From.
    pub source: UidSet,
    /// To.
    pub target: UidSet,
}

/// What FETCH wants beside UID, FLAGS and mod-sequence, which every row has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FetchWants {
    /// INTERNALDATE or RFC822.SIZE.
    pub facts: bool,
    /// ENVELOPE.
    pub envelope: bool,
    /// BODY or BODYSTRUCTURE.
    pub structure: bool,
    /// BODY[...] and its like, in the order of the command.
    pub sections: Vec<Wanted>,
    /// Some section is not a PEEK: `\Seen` is set in the same step and the row shows it.
    pub mark_seen: bool,
    /// CHANGEDSINCE (RFC 7162 §3.1.4.1): only emails with a higher mod-sequence, for the rest of the wishes as well.
    pub changed_since: Option<ModSeq>,
    /// `BINARY.SIZE[part]` (RFC 3516 §4.3), in the order of the command.
    pub binary_sizes: Vec<Vec<u32>>,
}

/// One `BODY[section]<partial>` or `BINARY[part]<partial>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Which section.
    pub section: Section,
    /// `<offset.length>`, octets of the form.
    pub partial: Option<(u64, u64)>,
    /// In which form.
    pub form: Form,
}

/// How a section is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Form {
    /// As it stands in the message: BODY.
    #[default]
    Raw,
    /// Its content transfer encoding undone: BINARY (RFC 3516 §4.2).
    Decoded,
}

/// What there is of a wanted section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// There is no such part.
    Missing,
    /// Its content transfer encoding is unknown or broken: `[UNKNOWN-CTE]` (RFC 3516 §4.3).
    Undecodable,
    /// Its octets.
    Octets {
        /// All of them, after `partial`.
        length: u64,
        /// As many as fit; the rest is asked for by [`Question::Read`].
        start: Bytes,
    },
}

/// One email's answer to FETCH.
#[derive(Debug, Clone, PartialEq)]
pub struct FetchRow {
    /// Its UID.
    pub uid: Uid,
    /// Its flags.
    pub flags: Vec<Flag>,
    /// Its mod-sequence.
    pub modseq: ModSeq,
    /// INTERNALDATE and RFC822.SIZE.
    pub facts: Option<(Timestamp, u64)>,
    /// ENVELOPE.
    pub envelope: Option<Arc<mail::message::EnvelopeFields>>,
    /// BODY or BODYSTRUCTURE.
    pub structure: Option<Arc<mail::message::Part>>,
    /// For each wanted section what there is of it.
    pub sections: Vec<Piece>,
    /// For each of `binary_sizes` the decoded size, octets. `None`: no such part, or it cannot be decoded.
    pub binary_sizes: Vec<Option<u64>>,
}

/// What is known when the connection is over.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    /// Commands that were answered.
    pub commands: usize,
    /// Ways in which the peer erred, by name, in order; at most 16.
    pub misuses: Vec<&'static str>,
}
