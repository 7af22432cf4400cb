//! Commands (RFC 3501 §6): one slice says which there are, when they are allowed and how they are read.

use mail::{Flag, MailboxPath, ModSeq, UidSet};

use super::fetch;
use super::limits::{FLAGS_MAX, ID_FIELD_MAX, ID_PAIRS_MAX, ID_VALUE_MAX};
use super::list::{self, Listing};
use super::names::Name;
use super::search;
use super::select::{self, Parameters};
use super::sequence::{self, Known, Numbers};
use super::server::StoreMode;
use super::status::{self, StatusItem};
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
    Authenticate {
        mechanism: String,
        initial: Option<String>,
    },
    Login {
        login: String,
        password: Password,
    },
    Namespace,
    Select {
        path: MailboxPath,
        access: Access,
        parameters: Parameters,
    },
    /// The special uses as they were written, without backslash.
    Create {
        name: Name,
        uses: Vec<String>,
    },
    Delete(Name),
    Rename(Name, Name),
    Subscribe(MailboxPath, bool),
    List(Listing),
    Status(MailboxPath, Vec<StatusItem>),
    Enable(Vec<String>),
    Compress,
    Idle,
    Check,
    Close,
    Unselect,
    Expunge(Option<UidSet>),
    Search(search::Program, Numbers),
    Fetch {
        uids: UidSet,
        request: Box<fetch::Request>,
        /// Those that vanished among these are asked for, too.
        vanished: Option<UidSet>,
        numbers: Numbers,
    },
    Store {
        uids: UidSet,
        store: Store,
        numbers: Numbers,
    },
    Copy {
        uids: UidSet,
        to: MailboxPath,
    },
    Move {
        uids: UidSet,
        to: MailboxPath,
    },
}

/// SELECT or EXAMINE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    ReadWrite,
    ReadOnly,
}

/// What STORE does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Store {
    pub(super) mode: StoreMode,
    pub(super) silent: bool,
    pub(super) flags: Vec<Flag>,
    /// RFC 7162 §3.1.3
    pub(super) unchanged_since: Option<ModSeq>,
}

/// In which states a command is valid (RFC 3501 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Allowed {
    Always,
    BeforeSignIn,
    AfterSignIn,
    Selected,
}

/// Reads what stands after a command's name, its space included.
type Read = fn(&mut Cursor<'_>, Known<'_>) -> Parsed<Command>;

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
    pub(super) fn read(&self, mut cursor: Cursor<'_>, known: Known<'_>) -> Parsed<Command> {
        let command = (self.read)(&mut cursor, known)?;
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
    entry("DELETE", Allowed::AfterSignIn, |cursor, _| name(cursor).map(Command::Delete)),
    entry("RENAME", Allowed::AfterSignIn, |cursor, _| Ok(Command::Rename(name(cursor)?, name(cursor)?))),
    entry("SUBSCRIBE", Allowed::AfterSignIn, |cursor, _| Ok(Command::Subscribe(argument(cursor)?, true))),
    entry("UNSUBSCRIBE", Allowed::AfterSignIn, |cursor, _| Ok(Command::Subscribe(argument(cursor)?, false))),
    entry("LIST", Allowed::AfterSignIn, |cursor, _| list::list(cursor).map(Command::List)),
    entry("LSUB", Allowed::AfterSignIn, |cursor, _| list::lsub(cursor).map(Command::List)),
    entry("STATUS", Allowed::AfterSignIn, status),
    // A complete one: its message is no literal. What is right goes through `message`.
    entry("APPEND", Allowed::AfterSignIn, |_, _| Err(Misuse::CommandSyntax)),
    entry("ENABLE", Allowed::AfterSignIn, enable),
    entry("COMPRESS", Allowed::AfterSignIn, compress),
    entry("IDLE", Allowed::AfterSignIn, |_, _| Ok(Command::Idle)),
    entry("CHECK", Allowed::Selected, |_, _| Ok(Command::Check)),
    entry("CLOSE", Allowed::Selected, |_, _| Ok(Command::Close)),
    entry("UNSELECT", Allowed::Selected, |_, _| Ok(Command::Unselect)),
    entry("EXPUNGE", Allowed::Selected, |_, _| Ok(Command::Expunge(None))),
    entry("UID EXPUNGE", Allowed::Selected, |cursor, known| {
        Ok(Command::Expunge(Some(set(cursor, known, Numbers::Uid)?)))
    }),
    still("SEARCH", |cursor, known| search(cursor, known, Numbers::Sequence)),
    still("FETCH", |cursor, known| fetch(cursor, known, Numbers::Sequence)),
    still("STORE", |cursor, known| store(cursor, known, Numbers::Sequence)),
    entry("UID SEARCH", Allowed::Selected, |cursor, known| search(cursor, known, Numbers::Uid)),
    entry("UID FETCH", Allowed::Selected, |cursor, known| fetch(cursor, known, Numbers::Uid)),
    entry("UID STORE", Allowed::Selected, |cursor, known| store(cursor, known, Numbers::Uid)),
    entry("COPY", Allowed::Selected, |cursor, known| copy(cursor, known, Numbers::Sequence)),
    entry("UID COPY", Allowed::Selected, |cursor, known| copy(cursor, known, Numbers::Uid)),
    entry("MOVE", Allowed::Selected, |cursor, known| move_(cursor, known, Numbers::Sequence)),
    entry("UID MOVE", Allowed::Selected, |cursor, known| move_(cursor, known, Numbers::Uid)),
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

/// ` mailbox`, with its spelling
fn name(cursor: &mut Cursor<'_>) -> Parsed<Name> {
    cursor.space()?;
    let text = cursor.text()?;
    cursor.names().name(text)
}

/// ` mailbox`
pub(super) fn argument(cursor: &mut Cursor<'_>) -> Parsed<MailboxPath> {
    cursor.space()?;
    let name = cursor.text()?;
    cursor.names().read(&name)
}

/// RFC 2971 §3.1: what the client says of itself is read and forgotten.
fn id(cursor: &mut Cursor<'_>, _: Known<'_>) -> Parsed<Command> {
    cursor.space()?;
    if cursor.eat_word("NIL") {
        return Ok(Command::Id);
    }
    cursor.expect(b'(')?;
    let mut pairs = 0;
    while !cursor.eat(b')') {
        let field = cursor.string()?;
        cursor.space()?;
        let value = cursor.nstring()?.unwrap_or_default();
        pairs += 1;
        // RFC 2971 §3.3: no client sends more.
        if pairs > ID_PAIRS_MAX || field.len() > ID_FIELD_MAX || value.len() > ID_VALUE_MAX {
            return Err(Misuse::TooManyItems);
        }
        if cursor.peek() != Some(b')') {
            cursor.space()?;
        }
    }
    Ok(Command::Id)
}

fn authenticate(cursor: &mut Cursor<'_>, _: Known<'_>) -> Parsed<Command> {
    cursor.space()?;
    let mechanism = cursor.atom()?.to_owned();
    // RFC 4959 §3: an initial response, or = for an empty one.
    let initial = match cursor.eat(b' ') {
        true => Some(cursor.some(|octet| octet.is_ascii_graphic())?.to_owned()),
        false => None,
    };
    Ok(Command::Authenticate { mechanism, initial })
}

fn login(cursor: &mut Cursor<'_>, _: Known<'_>) -> Parsed<Command> {
    cursor.space()?;
    let login = cursor.text()?;
    cursor.space()?;
    let password = Password(cursor.text()?);
    Ok(Command::Login { login, password })
}

fn select(cursor: &mut Cursor<'_>, access: Access) -> Parsed<Command> {
    Ok(Command::Select { path: argument(cursor)?, access, parameters: select::parameters(cursor)? })
}

/// ` CONDSTORE QRESYNC` (RFC 5161 §4)
fn enable(cursor: &mut Cursor<'_>, _: Known<'_>) -> Parsed<Command> {
    let mut words = Vec::new();
    while words.is_empty() || cursor.peek() == Some(b' ') {
        cursor.space()?;
        words.push(cursor.atom()?.to_owned());
        if words.len() > FLAGS_MAX {
            return Err(Misuse::TooManyItems);
        }
    }
    Ok(Command::Enable(words))
}

/// ` DEFLATE` (RFC 4978 §3)
fn compress(cursor: &mut Cursor<'_>, _: Known<'_>) -> Parsed<Command> {
    cursor.space()?;
    if cursor.eat_word("DEFLATE") { Ok(Command::Compress) } else { Err(Misuse::CommandSyntax) }
}

/// ` mailbox [(USE (\\Sent))]` (RFC 6154 §6, RFC 4466 §2.2)
fn create(cursor: &mut Cursor<'_>, _: Known<'_>) -> Parsed<Command> {
    cursor.space()?;
    let name = cursor.text()?;
    // RFC 3501 §6.3.3: a final separator says that names will be created below; it is no part of the name.
    let name = cursor.names().name(name.strip_suffix('/').unwrap_or(&name).to_owned())?;
    let mut uses = Vec::new();
    if cursor.eat(b' ') {
        cursor.expect(b'(')?;
        if !cursor.eat_word("USE") {
            return Err(Misuse::CommandSyntax);
        }
        cursor.space()?;
        uses = use_attributes(cursor)?;
        cursor.expect(b')')?;
    }
    Ok(Command::Create { name, uses })
}

/// `(\Sent \Trash)`, whether or not there are such.
fn use_attributes(cursor: &mut Cursor<'_>) -> Parsed<Vec<String>> {
    cursor.expect(b'(')?;
    let mut uses = Vec::new();
    while !cursor.eat(b')') {
        if !uses.is_empty() {
            cursor.space()?;
        }
        cursor.expect(b'\\')?;
        uses.push(cursor.atom()?.to_owned());
        if uses.len() > FLAGS_MAX {
            return Err(Misuse::TooManyItems);
        }
    }
    Ok(uses)
}

fn status(cursor: &mut Cursor<'_>, _: Known<'_>) -> Parsed<Command> {
    let path = argument(cursor)?;
    cursor.space()?;
    Ok(Command::Status(path, status::items(cursor)?))
}

/// ` sequence-set`
fn set(cursor: &mut Cursor<'_>, known: Known<'_>, numbers: Numbers) -> Parsed<UidSet> {
    cursor.space()?;
    sequence::parse(cursor, numbers, known)
}

fn search(cursor: &mut Cursor<'_>, known: Known<'_>, numbers: Numbers) -> Parsed<Command> {
    cursor.space()?;
    Ok(Command::Search(search::parse(cursor, known)?, numbers))
}

/// ` set items [(CHANGEDSINCE 99 VANISHED)]` (RFC 7162 §3.1.4.1, §3.2.6)
fn fetch(cursor: &mut Cursor<'_>, known: Known<'_>, numbers: Numbers) -> Parsed<Command> {
    let mut given = cursor.clone();
    let uids = set(cursor, known, numbers)?;
    cursor.space()?;
    let mut request = fetch::parse(cursor)?;
    let mut vanished = false;
    if cursor.eat(b' ') {
        (request.wants.changed_since, vanished) = fetch_modifiers(cursor)?;
        request.with_modseq();
    }
    if numbers == Numbers::Uid {
        request.with_uid();
    }
    let vanished = match (vanished, numbers) {
        (false, _) => None,
        // RFC 7162 §3.2.6: not with FETCH.
        (true, Numbers::Sequence) => return Err(Misuse::CommandSyntax),
        (true, Numbers::Uid) => {
            given.space()?;
            Some(sequence::given(&mut given, known)?)
        }
    };
    Ok(Command::Fetch { uids, request: Box::new(request), vanished, numbers })
}

/// `(CHANGEDSINCE 99 VANISHED)`
fn fetch_modifiers(cursor: &mut Cursor<'_>) -> Parsed<(Option<ModSeq>, bool)> {
    cursor.expect(b'(')?;
    let (mut since, mut vanished) = (None, false);
    loop {
        if cursor.eat_word("VANISHED") {
            vanished = true;
        } else if since.is_none() && cursor.eat_word("CHANGEDSINCE") {
            cursor.space()?;
            since = Some(cursor.modseq()?);
        } else {
            return Err(Misuse::CommandSyntax);
        }
        if cursor.eat(b')') {
            break;
        }
        cursor.space()?;
    }
    // RFC 7162 §3.2.6: VANISHED only together with CHANGEDSINCE.
    if since.is_some() { Ok((since, vanished)) } else { Err(Misuse::CommandSyntax) }
}

/// ` set [(UNCHANGEDSINCE 99)] +FLAGS.SILENT (flags)` (RFC 7162 §3.1.3)
fn store(cursor: &mut Cursor<'_>, known: Known<'_>, numbers: Numbers) -> Parsed<Command> {
    let uids = set(cursor, known, numbers)?;
    cursor.space()?;
    let unchanged_since = if cursor.peek() == Some(b'(') { Some(unchanged_since(cursor)?) } else { None };
    let mode = if cursor.eat(b'+') {
        StoreMode::Add
    } else if cursor.eat(b'-') {
        StoreMode::Remove
    } else {
        StoreMode::Set
    };
    let silent = match cursor.atom()?.to_ascii_uppercase().as_str() {
        "FLAGS" => false,
        "FLAGS.SILENT" => true,
        _ => return Err(Misuse::CommandSyntax),
    };
    cursor.space()?;
    let flags = if cursor.peek() == Some(b'(') { flag_list(cursor)? } else { flags(cursor)? };
    Ok(Command::Store { uids, store: Store { mode, silent, flags, unchanged_since }, numbers })
}

/// `(UNCHANGEDSINCE 99) `
fn unchanged_since(cursor: &mut Cursor<'_>) -> Parsed<ModSeq> {
    cursor.expect(b'(')?;
    if !cursor.eat_word("UNCHANGEDSINCE") {
        return Err(Misuse::CommandSyntax);
    }
    cursor.space()?;
    let since = cursor.modseq()?;
    cursor.expect(b')')?;
    cursor.space()?;
    Ok(since)
}

fn copy(cursor: &mut Cursor<'_>, known: Known<'_>, numbers: Numbers) -> Parsed<Command> {
    Ok(Command::Copy { uids: set(cursor, known, numbers)?, to: argument(cursor)? })
}

fn move_(cursor: &mut Cursor<'_>, known: Known<'_>, numbers: Numbers) -> Parsed<Command> {
    Ok(Command::Move { uids: set(cursor, known, numbers)?, to: argument(cursor)? })
}

/// `flag-list`
pub(super) fn flag_list(cursor: &mut Cursor<'_>) -> Parsed<Vec<Flag>> {
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
        let (map, saved) = (map(), UidSet::new());
        entry.read(cursor, Known { map: &map, saved: &saved }).map_err(Some)
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
        let select = |path, access, condstore| {
            let parameters = Parameters { condstore, ..Parameters::default() };
            Command::Select { path, access, parameters }
        };
        check("SELECT inbox", select(MailboxPath::inbox(), Access::ReadWrite, false));
        check("EXAMINE Entw&APw-rfe (CONDSTORE)", select(path("Entwürfe"), Access::ReadOnly, true));
        check("enable CONDSTORE x-y", Command::Enable(vec!["CONDSTORE".into(), "x-y".into()]));
        check("COMPRESS deflate", Command::Compress);
        let named = |text| Name { path: path(text), written: None };
        let create = |uses: &[&str]| Command::Create {
            name: named("a"),
            uses: uses.iter().map(|name| (*name).to_owned()).collect(),
        };
        check("CREATE a/", create(&[]));
        check("CREATE a (USE ())", create(&[]));
        check("CREATE a (use (\\Sent \\Own))", create(&["Sent", "Own"]));
        check("RENAME a \"b c\"", Command::Rename(named("a"), named("b c")));
        check("UNSUBSCRIBE a", Command::Subscribe(path("a"), false));
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
        let checked = |input: &str, mode, silent, flags: &[Flag], since: Option<u64>| {
            let (flags, unchanged_since) = (flags.to_vec(), since.map(ModSeq));
            let store = Store { mode, silent, flags, unchanged_since };
            let expected = Command::Store { uids: Uid(5).into(), store, numbers: Numbers::Sequence };
            assert_eq!(read(input), Ok(expected), "{input}");
        };
        let check = |input: &str, mode, silent, flags: &[Flag]| checked(input, mode, silent, flags, None);
        checked("STORE 1 (unchangedsince 7) FLAGS ()", StoreMode::Set, false, &[], Some(7));
        check("STORE 1 FLAGS ()", StoreMode::Set, false, &[]);
        check("STORE 1 +FLAGS (\\seen $A)", StoreMode::Add, false, &[Flag::Seen, Flag::Keyword("$A".into())]);
        check("STORE 1 -flags.silent \\Seen \\Seen", StoreMode::Remove, true, &[Flag::Seen]);
    }

    #[test]
    fn fetches_of_what_changed() {
        let check = |input: &str, since: u64, gone: Option<&str>| {
            let Ok(Command::Fetch { request, vanished, .. }) = read(input) else { panic!("{input}") };
            assert_eq!(request.wants.changed_since, Some(ModSeq(since)), "{input}");
            assert_eq!(vanished.map(|set| set.to_string()).as_deref(), gone, "{input}");
        };
        check("FETCH 1:* FLAGS (CHANGEDSINCE 5)", 5, None);
        check("UID FETCH 3:7 (FLAGS) (changedsince 5 vanished)", 5, Some("3:7"));
        check("UID FETCH 1:* FLAGS (VANISHED CHANGEDSINCE 5)", 5, Some("1:9"));
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
            "CREATE a (USE)",
            "CREATE a (USE (Sent))",
            "CREATE a (USE ( \\Sent))",
            "CREATE a (USE (\\Sent)",
            "CREATE a (COLOUR (\\Sent))",
            "STORE 1 FLAGS",
            "STORE 1 FLAGS (\\Recent)",
            "STORE 1 FOO ()",
            "STORE 1 FLAGS (a",
            "ID",
            "ID (\"a\")",
            "FETCH 1",
            "FETCH 1 FLAGS ()",
            "FETCH 1 FLAGS (CHANGEDSINCE)",
            "FETCH 1 FLAGS (CHANGEDSINCE 5 VANISHED)",
            "FETCH 1 FLAGS (CHANGEDSINCE 5 CHANGEDSINCE 5)",
            "UID FETCH 1 FLAGS (VANISHED)",
            "UID FETCH 1 FLAGS (CHANGEDSINCE 5",
            "UID FETCH 1 FLAGS (CHANGEDSINCE 9223372036854775808)",
            "STORE 1 () FLAGS ()",
            "STORE 1 (UNCHANGEDSINCE) FLAGS ()",
            "STORE 1 (UNCHANGEDSINCE 5)",
            "STORE 1 (CHANGEDSINCE 5) FLAGS ()",
            "ENABLE",
            "ENABLE ",
            "ENABLE  CONDSTORE",
            "COMPRESS",
            "COMPRESS LZW",
            "SELECT a ()",
            "COPY 1",
            "EXPUNGE 1",
            "APPEND INBOX x",
        ] {
            assert_eq!(read(wrong), Err(Some(Misuse::CommandSyntax)), "{wrong}");
        }
        for wrong in ["SELECT \"\"", "CREATE a//b", "CREATE \"%\"", "COPY 1 \"a\u{7f}\""] {
            assert_eq!(read(wrong), Err(Some(Misuse::MailboxName)), "{wrong}");
        }
        assert_eq!(read("FETCH 4 FLAGS"), Err(Some(Misuse::SequenceOutOfRange)));
        for many in [
            format!("ID ({})", ["\"a\" NIL"; ID_PAIRS_MAX + 1].join(" ")),
            format!("ID (\"{}\" NIL)", "a".repeat(ID_FIELD_MAX + 1)),
            format!("ID (\"a\" \"{}\")", "a".repeat(ID_VALUE_MAX + 1)),
        ] {
            assert_eq!(read(&many), Err(Some(Misuse::TooManyItems)));
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
