//! Several clients at one mailbox of one server, each with a connection of its own.

use std::collections::BTreeMap;

use testkit::play::{Arrived, Patience};
use testkit::transcript::Side;
use testkit::{Protocol, Stage, Transcript};

use super::belief::{Belief, Known, Mode, Reckoning};
use crate::stage::memory::MemoryStage;
use crate::stage::place::Place;

/// What a client follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Follows {
    /// RFC 3501 alone.
    Numbers,
    /// RFC 7162, mod-sequences.
    ModSeqs,
    /// RFC 7162, and comes back where it was.
    Qresync,
    /// RFC 9051, without mod-sequences.
    Rev2,
}

impl Follows {
    fn modseqs(self) -> bool {
        matches!(self, Self::ModSeqs | Self::Qresync)
    }
}

/// What a client does; `at` is a place in what it believes to be the mailbox.
#[derive(Debug, Clone)]
pub(crate) enum Wish {
    Noop,
    Search,
    UidSearch,
    Fetch(usize),
    FetchAll,
    UidFetch(usize),
    /// A FETCH that sets `\Seen`.
    Read(usize),
    Store {
        at: usize,
        by_uid: bool,
        mode: Mode,
        flag: &'static str,
        silent: bool,
        guarded: bool,
    },
    Expunge,
    UidExpunge(usize),
    Append,
    Copy(usize),
    Move(usize),
    Idle,
    /// The connection breaks, and the client comes back.
    Return,
}

/// A client with its connection.
struct Client {
    /// The connection's number.
    connection: usize,
    follows: Follows,
    belief: Belief,
    heard: Vec<u8>,
    idles: Option<String>,
    tags: usize,
}

/// The server and its clients.
pub(crate) struct Office {
    stage: MemoryStage,
    clients: Vec<Client>,
    /// Looks at what is true.
    witness: usize,
    connections: usize,
    mailboxes: usize,
    mailbox: String,
}

const FIXTURE: &str =
    "# Views\ngiven account bob@example.org secret\ngiven option authentication-without-tls on\n";

impl Office {
    pub(crate) fn new() -> Self {
        let fixture = Transcript::parse(&format!("{FIXTURE}C: x\n")).expect("a transcript").fixture;
        let stage = MemoryStage::new(Place::new(&fixture).expect("a place")).expect("a server");
        let mut office = Self {
            stage,
            clients: Vec::new(),
            witness: 0,
            connections: 0,
            mailboxes: 0,
            mailbox: String::new(),
        };
        let kinds = [Follows::Numbers, Follows::ModSeqs, Follows::Qresync, Follows::Rev2];
        for follows in kinds.into_iter().chain([Follows::ModSeqs]) {
            let client = Client {
                connection: 0,
                follows,
                belief: Belief::default(),
                heard: Vec::new(),
                idles: None,
                tags: 0,
            };
            office.clients.push(client);
            office.connect(office.clients.len() - 1);
        }
        office.witness = office.clients.len() - 1;
        office
    }

    /// A new mailbox, which all clients select.
    pub(crate) fn begin(&mut self) {
        for client in 0..self.clients.len() {
            self.wake(client);
        }
        self.mailboxes += 1;
        self.mailbox = format!("box{}", self.mailboxes);
        let create = format!("CREATE {}", self.mailbox);
        self.say(self.witness, &[create]);
        for client in 0..self.witness {
            self.select(client);
        }
    }

    fn connect(&mut self, client: usize) {
        self.connections += 1;
        let connection = self.connections;
        self.stage.open(connection, Protocol::Imap, false).expect("a connection");
        self.clients[client].connection = connection;
        self.clients[client].heard.clear();
        self.clients[client].idles = None;
        let mut words = vec!["LOGIN bob@example.org secret".to_owned()];
        match self.clients[client].follows {
            Follows::Numbers => {}
            Follows::ModSeqs => words.push("ENABLE CONDSTORE".into()),
            Follows::Qresync => words.push("ENABLE QRESYNC".into()),
            Follows::Rev2 => words.push("ENABLE IMAP4rev2".into()),
        }
        self.say(client, &words);
    }

    fn select(&mut self, client: usize) {
        let belief = &mut self.clients[client].belief;
        belief.select(false);
        let select = format!("SELECT {}", self.mailbox);
        self.say(client, &[select]);
        self.learn(client);
    }

    /// Breaks the connection; who can goes on from where it was.
    fn come_back(&mut self, client: usize) {
        let connection = self.clients[client].connection;
        self.stage.close(connection, Side::Both).expect("a connection");
        self.connect(client);
        if self.clients[client].follows != Follows::Qresync {
            return self.select(client);
        }
        let belief = &mut self.clients[client].belief;
        belief.select(true);
        let (validity, highest) = (belief.validity, belief.highest);
        let select = format!("SELECT {} (QRESYNC ({validity} {highest}))", self.mailbox);
        self.say(client, &[select]);
        self.learn(client);
    }

    /// Does these in one go; the octets are sent in pieces, between the first two of which somebody else does something.
    pub(crate) fn act(
        &mut self,
        client: usize,
        wishes: &[Wish],
        cuts: &[usize],
        meanwhile: Option<(usize, &Wish)>,
    ) {
        if matches!(wishes.first(), Some(Wish::Return)) {
            return self.come_back(client);
        }
        self.wake(client);
        let (mut text, mut last) = (String::new(), String::new());
        for (place, wish) in wishes.iter().enumerate() {
            last = self.tag(client);
            let idles = matches!(wish, Wish::Idle) && place + 1 == wishes.len();
            let said = if idles { "IDLE".into() } else { self.words(client, wish, &last, place == 0) };
            text.push_str(&format!("{last} {said}\r\n"));
            if idles {
                self.clients[client].idles = Some(last.clone());
            }
        }
        self.send_cut(client, text.as_bytes(), cuts, meanwhile);
        let until = if self.clients[client].idles.is_some() { "+".into() } else { last };
        self.hear_until(client, &until);
        if self.clients[client].idles.is_none() {
            self.learn(client);
        }
    }

    fn send_cut(
        &mut self,
        client: usize,
        text: &[u8],
        cuts: &[usize],
        mut meanwhile: Option<(usize, &Wish)>,
    ) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (text.len() + 1)).collect();
        cuts.sort_unstable();
        let mut from = 0;
        for until in cuts.into_iter().chain([text.len()]) {
            let connection = self.clients[client].connection;
            self.stage.send(connection, &text[from..until]).expect("a connection");
            from = until;
            if let Some((other, wish)) = meanwhile.take().filter(|(other, _)| *other != client) {
                self.act(other, std::slice::from_ref(wish), &[], None);
            }
        }
    }

    /// A wish in words. Behind others, sequence numbers may have moved (RFC 3501 §5.5): then only UIDs are said.
    fn words(&mut self, client: usize, wish: &Wish, tag: &str, first: bool) -> String {
        let followed = self.clients[client].follows.modseqs();
        let emails = &self.clients[client].belief.emails;
        let place = |at: usize| at.checked_rem(emails.len());
        let number = |at: usize| place(at).filter(|_| first).map(|at| at + 1);
        let uid = |at: usize| place(at).and_then(|at| emails[at].uid);
        let nothing = || "NOOP".to_owned();
        match *wish {
            Wish::Search if first => "SEARCH ALL".into(),
            Wish::UidSearch => "UID SEARCH ALL".into(),
            Wish::Fetch(at) => number(at).map_or_else(nothing, |number| format!("FETCH {number} (FLAGS)")),
            Wish::FetchAll if first && !emails.is_empty() => "FETCH 1:* (FLAGS)".into(),
            Wish::UidFetch(at) => uid(at).map_or_else(nothing, |uid| format!("UID FETCH {uid}:* (FLAGS)")),
            Wish::Read(at) => number(at).map_or_else(nothing, |number| format!("FETCH {number} (BODY[9])")),
            Wish::Store { at, by_uid, mode, flag, silent, guarded } => {
                let (Some(uid), number) = (uid(at), number(at).filter(|_| !by_uid)) else { return nothing() };
                let known = place(at).and_then(|at| emails[at].modseq).filter(|_| guarded && followed);
                let (command, name) = match number {
                    Some(number) => ("STORE", number.to_string()),
                    None => ("UID STORE", uid.to_string()),
                };
                let guard = known.map(|modseq| format!(" (UNCHANGEDSINCE {modseq})")).unwrap_or_default();
                let quiet = if silent { ".SILENT" } else { "" };
                if silent {
                    let reckoning = Reckoning { uid, mode, flag: flag.into(), number };
                    self.clients[client].belief.reckon(tag, reckoning);
                }
                format!("{command} {name}{guard} {}{quiet} ({flag})", mode.word())
            }
            Wish::Expunge => "EXPUNGE".into(),
            Wish::UidExpunge(at) => uid(at).map_or_else(nothing, |uid| format!("UID EXPUNGE {uid}")),
            Wish::Append => format!("APPEND {} {{9+}}\r\nX: y\r\n\r\nz", self.mailbox),
            Wish::Copy(at) => uid(at).map_or_else(nothing, |uid| format!("UID COPY {uid} {}", self.mailbox)),
            Wish::Move(at) => number(at).map_or_else(nothing, |number| format!("MOVE {number} Trash")),
            _ => nothing(),
        }
    }

    /// Ends IDLE.
    fn wake(&mut self, client: usize) {
        if let Some(tag) = self.clients[client].idles.take() {
            self.stage.send(self.clients[client].connection, b"DONE\r\n").expect("a connection");
            self.hear_until(client, &tag);
            self.learn(client);
        }
    }

    /// Asks for what EXISTS has counted.
    fn learn(&mut self, client: usize) {
        let Client { belief, follows, .. } = &self.clients[client];
        let unknown = |known: &Known| {
            let modseq = known.modseq.is_some() || !follows.modseqs();
            known.uid.is_none() || known.flags.is_none() || !modseq
        };
        let Some(first) = belief.emails.iter().position(unknown) else { return };
        let items = if follows.modseqs() { "(UID FLAGS MODSEQ)" } else { "(UID FLAGS)" };
        let fetch = format!("FETCH {}:{} {items}", first + 1, belief.emails.len());
        self.say(client, &[fetch]);
    }

    fn tag(&mut self, client: usize) -> String {
        self.clients[client].tags += 1;
        format!("t{}", self.clients[client].tags)
    }

    /// Says these, and hears the answers.
    fn say(&mut self, client: usize, commands: &[String]) {
        for command in commands {
            let tag = self.tag(client);
            let connection = self.clients[client].connection;
            self.stage.send(connection, format!("{tag} {command}\r\n").as_bytes()).expect("a connection");
            self.hear_until(client, &tag);
        }
    }

    /// Takes lines up to the one that begins with this word.
    fn hear_until(&mut self, client: usize, word: &str) {
        loop {
            while let Some(end) = self.clients[client].heard.windows(2).position(|two| two == b"\r\n") {
                let line: Vec<u8> = self.clients[client].heard.drain(..end + 2).collect();
                let line = String::from_utf8_lossy(&line[..end]).into_owned();
                self.clients[client].belief.hear(&line);
                if line.split(' ').next() == Some(word) {
                    return;
                }
            }
            match self.stage.read(self.clients[client].connection, Patience::Reply).expect("a connection") {
                Arrived::Bytes(bytes) => self.clients[client].heard.extend(bytes),
                other => panic!("client {client} waits for {word}: {other:?}"),
            }
        }
    }

    /// When all have been told all, each believes what is true.
    pub(crate) fn compare(&mut self) -> Result<(), String> {
        for client in 0..self.witness {
            self.wake(client);
            // What the first NOOP lets out may make another FETCH necessary, and news of that.
            for _ in 0..2 {
                self.say(client, &["NOOP".into()]);
                self.learn(client);
            }
        }
        self.select(self.witness);
        let truth: Vec<Known> = self.clients[self.witness].belief.emails.clone();
        let mut wrong = BTreeMap::new();
        for client in 0..self.witness {
            let Client { belief, follows, .. } = &self.clients[client];
            let told = |known: &Known| match follows {
                Follows::ModSeqs | Follows::Qresync => known.clone(),
                _ => Known { modseq: None, ..known.clone() },
            };
            let (believed, truth): (Vec<_>, Vec<_>) =
                (belief.emails.iter().map(told).collect(), truth.iter().map(told).collect());
            if believed != truth {
                wrong.insert(client, format!("{follows:?} believes {believed:#?}, true is {truth:#?}"));
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(format!("{wrong:#?}")) }
    }
}
