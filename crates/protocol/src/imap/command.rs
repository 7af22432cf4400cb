//! Commands (RFC 3501 §6): one slice says which there are, when they are allowed and how they are read.

use mail::{Flag, MailboxPath, SearchKey, Timestamp, UidSet};

use super::fetch;
use super::limits::{FLAGS_MAX, PATTERN_MAX};
use super::list::Listing;
use super::search;
use super::sequence::{self, Numbers};
use super::server::StoreMode;
use super::syntax::{Cursor, Parsed};
use crate::misuse::Misuse;
use crate::sasl::Password;

/// A command, read; sequence sets are UIDs already.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Command {
    Capability,
    Noop,
    Logout,
    Id,
    StartTls,
    Authenticate { mechanism: String, initial: Option<String> },
    Login { login: String, password: Password },
    Namespace,
    Select { path: MailboxPath, access: Access },
    Create(MailboxPath),
    Delete(MailboxPath),
    Rename(MailboxPath, MailboxPath),
    Subscribe(MailboxPath, bool),
    List(Listing),
    Status(MailboxPath, Vec<StatusItem>),
    Idle,
    Check,
    Close,
    Unselect,
    Expunge(Option<UidSet>),
    Search(SearchKey, Numbers),
    Fetch { uids: UidSet, request: Box<fetch::Request>, numbers: Numbers },
    Store { uids: UidSet, mode: StoreMode, silent: bool, flags: Vec<Flag>, numbers: Numbers },
    Copy { uids: UidSet, to: MailboxPath },
    Move { uids: UidSet, to: MailboxPath },
}

/// SELECT or EXAMINE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    ReadWrite,
    ReadOnly,
}

/// An item of STATUS (RFC 3501 §6.3.10; SIZE, RFC 8438).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StatusItem {
    Messages,
    Recent,
    UidNext,
    UidValidity,
    Unseen,
    Size,
}

impl StatusItem {
    /// Each with its name.
    pub(super) const ALL: [(Self, &'static str); 6] = [
        (Self::Messages, "MESSAGES"),
        (Self::Recent, "RECENT"),
        (Self::UidNext, "UIDNEXT"),
        (Self::UidValidity, "UIDVALIDITY"),
        (Self::Unseen, "UNSEEN"),
        (Self::Size, "SIZE"),
    ];
}

/// In which states a command is valid (RFC 3501 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Allowed {
    Always,
    BeforeSignIn,
    AfterSignIn,
    Selected,
}

/// Reads what stands after a command's name, its space included; the set holds the UIDs of the selected mailbox.
type Read = fn(&mut Cursor<'_>, &UidSet) -> Parsed<Command>;

/// A command that there is.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: &'static str,
    pub(super) allowed: Allowed,
    /// Whether sequence numbers may move while it is answered (RFC 3501 §7.4.1).
    pub(super) moves_numbers: bool,
    read: Read,
}

impl Entry {
    /// Reads its arguments, to the end of the command.
    pub(super) fn read(&self, mut cursor: Cursor<'_>, map: &UidSet) -> Parsed<Command> {
        let command = (self.read)(&mut cursor, map)?;
        cursor.end()?;
        Ok(command)
    }
}

const fn entry(name: &'static str, allowed: Allowed, read: Read) -> Entry {
    Entry { name, allowed, moves_numbers: true, read }
}

/// FETCH, STORE and SEARCH: numbers stand still.
const fn still(name: &'static str, read: Read) -> Entry {
    Entry { name, allowed: Allowed::Selected, moves_numbers: false, read }
}

/// All commands.
pub(super) const COMMANDS: &[Entry] = &[
    entry("CAPABILITY", Allowed::Always, |_, _| Ok(Command::Capability)),
    entry("NOOP", Allowed::Always, |_, _| Ok(Command::Noop)),
    entry("LOGOUT", Allowed::Always, |_, _| Ok(Command::Logout)),
    entry("ID", Allowed::Always, id),
    entry("STARTTLS", Allowed::BeforeSignIn, |_, _| Ok(Command::StartTls)),
    entry("AUTHENTICATE", Allowed::BeforeSignIn, authenticate),
    entry("LOGIN", Allowed::BeforeSignIn, login),
    entry("NAMESPACE", Allowed::AfterSignIn, |_, _| Ok(Command::Namespace)),
    entry("SELECT", Allowed::AfterSignIn, |cursor, _| select(cursor, Access::ReadWrite)),
    entry("EXAMINE", Allowed::AfterSignIn, |cursor, _| select(cursor, Access::ReadOnly)),
    entry("CREATE", Allowed::AfterSignIn, create),
    entry("DELETE", Allowed::AfterSignIn, |cursor, _| argument(cursor).map(Command::Delete)),
    entry("RENAME", Allowed::AfterSignIn, |cursor, _| {
        Ok(Command::Rename(argument(cursor)?, argument(cursor)?))
    }),
    entry("SUBSCRIBE", Allowed::AfterSignIn, |cursor, _| Ok(Command::Subscribe(argument(cursor)?, true))),
    entry("UNSUBSCRIBE", Allowed::AfterSignIn, |cursor, _| Ok(Command::Subscribe(argument(cursor)?, false))),
    entry("LIST", Allowed::AfterSignIn, |cursor, _| list(cursor, false)),
    entry("LSUB", Allowed::AfterSignIn, |cursor, _| list(cursor, true)),
    entry("STATUS", Allowed::AfterSignIn, status),
    // A complete one: its message is no literal. What is right goes through `append_head`.
    entry("APPEND", Allowed::AfterSignIn, |_, _| Err(Misuse::CommandSyntax)),
    entry("IDLE", Allowed::AfterSignIn, |_, _| Ok(Command::Idle)),
    entry("CHECK", Allowed::Selected, |_, _| Ok(Command::Check)),
    entry("CLOSE", Allowed::Selected, |_, _| Ok(Command::Close)),
    entry("UNSELECT", Allowed::Selected, |_, _| Ok(Command::Unselect)),
    entry("EXPUNGE", Allowed::Selected, |_, _| Ok(Command::Expunge(None))),
    entry("UID EXPUNGE", Allowed::Selected, |cursor, map| {
        Ok(Command::Expunge(Some(set(cursor, map, Numbers::Uid)?)))
    }),
    still("SEARCH", |cursor, map| search(cursor, map, Numbers::Sequence)),
    still("FETCH", |cursor, map| fetch(cursor, map, Numbers::Sequence)),
    still("STORE", |cursor, map| store(cursor, map, Numbers::Sequence)),
    entry("UID SEARCH", Allowed::Selected, |cursor, map| search(cursor, map, Numbers::Uid)),
    entry("UID FETCH", Allowed::Selected, |cursor, map| fetch(cursor, map, Numbers::Uid)),
    entry("UID STORE", Allowed::Selected, |cursor, map| store(cursor, map, Numbers::Uid)),
    entry("COPY", Allowed::Selected, |cursor, map| copy(cursor, map, Numbers::Sequence)),
    entry("UID COPY", Allowed::Selected, |cursor, map| copy(cursor, map, Numbers::Uid)),
    entry("MOVE", Allowed::Selected, |cursor, map| move_(cursor, map, Numbers::Sequence)),
    entry("UID MOVE", Allowed::Selected, |cursor, map| move_(cursor, map, Numbers::Uid)),
];

/// Reads a command's name; the cursor is then at its arguments. `None`: there is no such command.
pub(super) fn find(cursor: &mut Cursor<'_>) -> Option<&'static Entry> {
    let mut name = cursor.atom().ok()?.to_ascii_uppercase();
    if name == "UID" {
        cursor.space().ok()?;
        name = format!("UID {}", cursor.atom().ok()?.to_ascii_uppercase());
    }
    COMMANDS.iter().find(|entry| entry.name == name)
}

/// APPEND up to the literal with the message (RFC 3501 §6.3.11).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AppendHead {
    pub(super) to: MailboxPath,
    pub(super) flags: Vec<Flag>,
    pub(super) date: Option<Timestamp>,
}

/// Reads APPEND from a command that so far ends in a literal's announcement. `None`: it is another command, or the
/// literal is the mailbox's name.
pub(super) fn append_head(so_far: &[u8]) -> Option<Parsed<AppendHead>> {
    let mut cursor = Cursor::new(so_far);
    cursor.tag().ok()?;
    cursor.space().ok()?;
    if !cursor.eat_word("APPEND") {
        return None;
    }
    let mut name = cursor.clone();
    let is_name = name.space().is_ok() && name.peek() == Some(b'{') && name.string().is_err();
    if is_name { None } else { Some(append_arguments(&mut cursor)) }
}

fn append_arguments(cursor: &mut Cursor<'_>) -> Parsed<AppendHead> {
    let to = argument(cursor)?;
    cursor.space()?;
    let mut flags = Vec::new();
    if cursor.peek() == Some(b'(') {
        flags = flag_list(cursor)?;
        cursor.space()?;
    }
    let mut date = None;
    if cursor.peek() == Some(b'"') {
        date = Some(cursor.date_time()?);
        cursor.space()?;
    }
    if cursor.peek() == Some(b'{') { Ok(AppendHead { to, flags, date }) } else { Err(Misuse::CommandSyntax) }
}

/// ` mailbox`
fn argument(cursor: &mut Cursor<'_>) -> Parsed<MailboxPath> {
    cursor.space()?;
    let name = cursor.text()?;
    MailboxPath::parse_utf7(&name).map_err(|_| Misuse::MailboxName)
}

/// RFC 2971 §3.1: what the client says of itself is read and forgotten.
fn id(cursor: &mut Cursor<'_>, _: &UidSet) -> Parsed<Command> {
    cursor.space()?;
    if cursor.eat_word("NIL") {
        return Ok(Command::Id);
    }
    cursor.expect(b'(')?;
    while !cursor.eat(b')') {
        cursor.string()?;
        cursor.space()?;
        cursor.nstring()?;
        if cursor.peek() != Some(b')') {
            cursor.space()?;
        }
    }
    Ok(Command::Id)
}

fn authenticate(cursor: &mut Cursor<'_>, _: &UidSet) -> Parsed<Command> {
    cursor.space()?;
    let mechanism = cursor.atom()?.to_owned();
    // RFC 4959 §3: an initial response, or = for an empty one.
    let initial = match cursor.eat(b' ') {
        true => Some(cursor.some(|octet| octet.is_ascii_graphic())?.to_owned()),
        false => None,
    };
    Ok(Command::Authenticate { mechanism, initial })
}

fn login(cursor: &mut Cursor<'_>, _: &UidSet) -> Parsed<Command> {
    cursor.space()?;
    let login = cursor.text()?;
    cursor.space()?;
    let password = Password(cursor.text()?);
    Ok(Command::Login { login, password })
}

fn select(cursor: &mut Cursor<'_>, access: Access) -> Parsed<Command> {
    Ok(Command::Select { path: argument(cursor)?, access })
}

fn create(cursor: &mut Cursor<'_>, _: &UidSet) -> Parsed<Command> {
    cursor.space()?;
    let name = cursor.text()?;
    // RFC 3501 §6.3.3: a final separator says that names will be created below; it is no part of the name.
    let name = name.strip_suffix('/').unwrap_or(&name);
    MailboxPath::parse_utf7(name).map(Command::Create).map_err(|_| Misuse::MailboxName)
}

fn list(cursor: &mut Cursor<'_>, subscribed: bool) -> Parsed<Command> {
    cursor.space()?;
    let reference = cursor.text()?;
    cursor.space()?;
    let pattern = String::from_utf8(cursor.list_mailbox()?).map_err(|_| Misuse::CommandSyntax)?;
    if reference.len() + pattern.len() > PATTERN_MAX {
        return Err(Misuse::TooManyItems);
    }
    if pattern.is_empty() {
        return Ok(Command::List(Listing { subscribed, pattern: None }));
    }
    let joined = format!("{reference}{pattern}");
    // What is no modified UTF-7 is no mailbox's name and matches as it stands: nothing, or by its wildcards.
    let pattern = mail::mailbox::utf7_decode(&joined).unwrap_or(joined);
    Ok(Command::List(Listing { subscribed, pattern: Some(pattern) }))
}

fn status(cursor: &mut Cursor<'_>, _: &UidSet) -> Parsed<Command> {
    let path = argument(cursor)?;
    cursor.space()?;
    cursor.expect(b'(')?;
    let mut items = Vec::new();
    loop {
        let name = cursor.atom()?;
        let known = StatusItem::ALL.iter().find(|(_, known)| known.eq_ignore_ascii_case(name));
        let &(item, _) = known.ok_or(Misuse::CommandSyntax)?;
        if !items.contains(&item) {
            items.push(item);
        }
        if cursor.eat(b')') {
            return Ok(Command::Status(path, items));
        }
        cursor.space()?;
    }
}

/// ` sequence-set`
fn set(cursor: &mut Cursor<'_>, map: &UidSet, numbers: Numbers) -> Parsed<UidSet> {
    cursor.space()?;
    sequence::parse(cursor, numbers, map)
}

fn search(cursor: &mut Cursor<'_>, map: &UidSet, numbers: Numbers) -> Parsed<Command> {
    cursor.space()?;
    Ok(Command::Search(search::parse(cursor, map)?, numbers))
}

fn fetch(cursor: &mut Cursor<'_>, map: &UidSet, numbers: Numbers) -> Parsed<Command> {
    let uids = set(cursor, map, numbers)?;
    cursor.space()?;
    let mut request = fetch::parse(cursor)?;
    if numbers == Numbers::Uid {
        request.with_uid();
    }
    Ok(Command::Fetch { uids, request: Box::new(request), numbers })
}

fn store(cursor: &mut Cursor<'_>, map: &UidSet, numbers: Numbers) -> Parsed<Command> {
    let uids = set(cursor, map, numbers)?;
    cursor.space()?;
    let mode = match cursor.peek() {
        Some(b'+') => StoreMode::Add,
        Some(b'-') => StoreMode::Remove,
        _ => StoreMode::Set,
    };
    if mode != StoreMode::Set {
        cursor.expect(cursor.peek().unwrap_or_default())?;
    }
    let silent = match cursor.atom()?.to_ascii_uppercase().as_str() {
        "FLAGS" => false,
        "FLAGS.SILENT" => true,
        _ => return Err(Misuse::CommandSyntax),
    };
    cursor.space()?;
    let flags = if cursor.peek() == Some(b'(') { flag_list(cursor)? } else { flags(cursor)? };
    Ok(Command::Store { uids, mode, silent, flags, numbers })
}

fn copy(cursor: &mut Cursor<'_>, map: &UidSet, numbers: Numbers) -> Parsed<Command> {
    Ok(Command::Copy { uids: set(cursor, map, numbers)?, to: argument(cursor)? })
}

fn move_(cursor: &mut Cursor<'_>, map: &UidSet, numbers: Numbers) -> Parsed<Command> {
    Ok(Command::Move { uids: set(cursor, map, numbers)?, to: argument(cursor)? })
}

/// `flag-list`
fn flag_list(cursor: &mut Cursor<'_>) -> Parsed<Vec<Flag>> {
    cursor.expect(b'(')?;
    if cursor.eat(b')') {
        return Ok(Vec::new());
    }
    let flags = flags(cursor)?;
    cursor.expect(b')')?;
    Ok(flags)
}

/// `flag *(SP flag)`
fn flags(cursor: &mut Cursor<'_>) -> Parsed<Vec<Flag>> {
    let mut flags = Vec::new();
    loop {
        let word = cursor.some(|octet| super::syntax::is_atom_char(octet) || octet == b'\\')?;
        let flag = Flag::parse(word).map_err(|_| Misuse::CommandSyntax)?;
        if flags.len() == FLAGS_MAX {
            return Err(Misuse::TooManyItems);
        }
        if !flags.contains(&flag) {
            flags.push(flag);
        }
        if !cursor.eat(b' ') {
            return Ok(flags);
        }
    }
}

#[cfg(test)]
mod tests {
    use mail::Uid;

    use super::*;

    fn map() -> UidSet {
        [5, 6, 9].map(Uid).into_iter().collect()
    }

    fn read(input: &str) -> Result<Command, Option<Misuse>> {
        let mut cursor = Cursor::new(input.as_bytes());
        let entry = find(&mut cursor).ok_or(None)?;
        entry.read(cursor, &map()).map_err(Some)
    }

    fn path(name: &str) -> MailboxPath {
        MailboxPath::parse(name).unwrap()
    }

    #[test]
    fn commands() {
        let check = |input: &str, expected: Command| assert_eq!(read(input), Ok(expected), "{input}");
        check("noop", Command::Noop);
        check("ID NIL", Command::Id);
        check("ID (\"name\" \"x\" \"version\" NIL)", Command::Id);
        check("ID ()", Command::Id);
        check(
            "LOGIN {3}\r\nbob \"a b\"",
            Command::Login { login: "bob".into(), password: Password("a b".into()) },
        );
        check(
            "authenticate PLAIN =",
            Command::Authenticate { mechanism: "PLAIN".into(), initial: Some("=".into()) },
        );
        check("SELECT inbox", Command::Select { path: MailboxPath::inbox(), access: Access::ReadWrite });
        check("EXAMINE Entw&APw-rfe", Command::Select { path: path("Entwürfe"), access: Access::ReadOnly });
        check("CREATE a/", Command::Create(path("a")));
        check("RENAME a \"b c\"", Command::Rename(path("a"), path("b c")));
        check("UNSUBSCRIBE a", Command::Subscribe(path("a"), false));
        let listing = |subscribed, pattern: Option<&str>| {
            Command::List(Listing { subscribed, pattern: pattern.map(str::to_owned) })
        };
        check("LIST \"\" *", listing(false, Some("*")));
        check("LIST a/ \"%\"", listing(false, Some("a/%")));
        check("LIST a \"\"", listing(false, None));
        check("LSUB \"\" Entw&APw-*", listing(true, Some("Entwü*")));
        check(
            "STATUS a (messages UIDNEXT MESSAGES)",
            Command::Status(path("a"), vec![StatusItem::Messages, StatusItem::UidNext]),
        );
        check("UID EXPUNGE 6:20", Command::Expunge(Some([6, 9].map(Uid).into_iter().collect())));
        check("COPY 2 a", Command::Copy { uids: Uid(6).into(), to: path("a") });
        check("uid move 9 a", Command::Move { uids: Uid(9).into(), to: path("a") });
    }

    #[test]
    fn stores() {
        let check = |input: &str, mode, silent, flags: &[Flag]| {
            let expected = Command::Store {
                uids: Uid(5).into(),
                mode,
                silent,
                flags: flags.to_vec(),
                numbers: Numbers::Sequence,
            };
            assert_eq!(read(input), Ok(expected), "{input}");
        };
        check("STORE 1 FLAGS ()", StoreMode::Set, false, &[]);
        check("STORE 1 +FLAGS (\\seen $A)", StoreMode::Add, false, &[Flag::Seen, Flag::Keyword("$A".into())]);
        check("STORE 1 -flags.silent \\Seen \\Seen", StoreMode::Remove, true, &[Flag::Seen]);
    }

    #[test]
    fn what_is_no_command() {
        for unknown in ["", "FOO", "UID", "UID NOOP", "(NOOP)"] {
            assert_eq!(read(unknown), Err(None), "{unknown}");
        }
        for wrong in [
            "NOOP ",
            "NOOP x",
            "LOGIN bob",
            "LOGIN  bob x",
            "SELECT",
            "SELECT a b",
            "LIST \"\"",
            "STATUS a ()",
            "STATUS a MESSAGES",
            "STATUS a (FOO)",
            "STORE 1 FLAGS",
            "STORE 1 FLAGS (\\Recent)",
            "STORE 1 FOO ()",
            "STORE 1 FLAGS (a",
            "ID",
            "ID (\"a\")",
            "FETCH 1",
            "COPY 1",
            "EXPUNGE 1",
            "APPEND INBOX x",
        ] {
            assert_eq!(read(wrong), Err(Some(Misuse::CommandSyntax)), "{wrong}");
        }
        for wrong in ["SELECT \"\"", "CREATE a//b", "CREATE \"%\"", "SELECT &x", "COPY 1 \"a\u{7f}\""] {
            assert_eq!(read(wrong), Err(Some(Misuse::MailboxName)), "{wrong}");
        }
        assert_eq!(read("FETCH 4 FLAGS"), Err(Some(Misuse::SequenceOutOfRange)));
        let many = format!("LIST \"\" {}", "%".repeat(PATTERN_MAX + 1));
        assert_eq!(read(&many), Err(Some(Misuse::TooManyItems)));
    }

    #[test]
    fn appends() {
        let head = |input: &str| append_head(input.as_bytes());
        let plain = AppendHead { to: path("a"), flags: Vec::new(), date: None };
        assert_eq!(head("x APPEND a {3}"), Some(Ok(plain.clone())));
        assert_eq!(head("x append {1+}\r\na {3+}"), Some(Ok(plain)));
        assert_eq!(
            head("x APPEND a (\\Seen) \" 1-Jan-1970 00:00:01 +0000\" {3}"),
            Some(Ok(AppendHead { to: path("a"), flags: vec![Flag::Seen], date: Some(Timestamp(1000)) }))
        );
        assert_eq!(head("x APPEND {1}"), None);
        assert_eq!(head("x LOGIN {1}"), None);
        assert_eq!(head("{1}"), None);
        for wrong in ["x APPEND{3}", "x APPEND a{3}", "x APPEND a () \"yesterday\" {3}", "x APPEND a b {3}"] {
            assert_eq!(head(wrong), Some(Err(Misuse::CommandSyntax)), "{wrong}");
        }
    }

    #[test]
    fn names_differ() {
        let mut names: Vec<_> = COMMANDS.iter().map(|entry| entry.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), COMMANDS.len());
    }
}
