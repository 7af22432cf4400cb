//! Every bound on what a reader can make us hold or do, with its reason.

/// Octets of sections that one answer holds: what a connection may have in memory unsent (the contract of sessions).
pub const ANSWER_OCTETS_MAX: usize = 64 * 1024;

/// Rows that one answer holds: enough that a listing is limited by disk and not by round trips.
pub const ANSWER_ROWS_MAX: usize = 256;

/// Octets of a header that are read to find its end, its envelope or its fields: what `mail` reads of it, and a piece more.
/// What lies behind counts as body; no honest header is a tenth of this.
pub const HEADER_OCTETS_MAX: usize = mail::limits::HEADER_OCTETS_MAX + ANSWER_OCTETS_MAX;

/// Octets of emails that are held at a time, by the whole process, while their text is searched. One that would take more
/// takes all of it and is alone.
pub const SEARCHING_OCTETS_MAX: u32 = 32 * 1024 * 1024;

/// Structures that an open mailbox remembers: a mail program reads the parts of one email one after the other, and
/// seldom of more than a few in turn.
pub const STRUCTURES_REMEMBERED_MAX: usize = 4;

/// Mailboxes of an account, and subscriptions: LIST and LSUB send them all.
pub const MAILBOXES_MAX: usize = 10_000;

/// UIDs that one commit changes, so that the writer's other guests need not wait long.
pub const UIDS_PER_COMMIT_MAX: u64 = 1_000;

/// Emails whose flags one commit changes: where system flags are added or removed, each takes a microsecond.
pub const FLAGS_PER_COMMIT_MAX: u64 = 10_000;

/// The longest start of a line that is held to see whether it is a Return-Path field: the name and some blanks.
pub const FIELD_NAME_OCTETS_MAX: usize = 64;

/// Emails up to here are decoded and searched at once rather than in turns with others: it takes less than the reply's way
/// through the network.
pub const SMALL_OCTETS_MAX: u64 = 64 * 1024;

/// Octets of memory that rolls take, by the whole process: the flags of a million emails whose keywords are alike. A roll that
/// takes more is alone.
pub const ROLLS_OCTETS_MAX: usize = 16 * 1024 * 1024;

/// Octets of memory that headers, envelopes and structures of emails take that were listed lately, by the whole process:
/// those of 20,000 usual emails.
pub const FACTS_OCTETS_MAX: usize = 32 * 1024 * 1024;

/// Emails whose facts are read together with those of one: POP3 and many mail programs read one after the other.
pub const FACTS_AHEAD: u32 = 64;

/// How often a change of names is decided anew when another session was faster.
pub const CONFLICTS_MAX: usize = 3;

/// Different keywords in a mailbox. SELECT sends them all, and each email's row holds its own.
pub const KEYWORDS_MAX: usize = 200;

/// Octets of small emails that one APPEND of many holds until its commit; what is more is staged.
pub const APPEND_HELD_OCTETS_MAX: usize = 1024 * 1024;

/// Emails of one APPEND (RFC 3502): their commit holds up the writer's other guests.
pub const APPENDED_TOGETHER_MAX: usize = 1_000;
