//! Reading TOML with the lines in mind: each value that does not fit becomes a mistake, and reading goes on.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::path::PathBuf;
use std::str::FromStr;

use mail::{Address, Domain, printable};
use toml_edit::{Item, TableLike, Value};

use crate::keys::{KEYS, Section};
use crate::limits::QUOTED_CHARS_MAX;
use crate::mistake::{Mistake, nearest};
use crate::named_file::{FileKind, NamedFile};
use crate::values::{Word, Wrong};

/// The text that is read, and the mistakes and files found in it so far.
pub(crate) struct Reader<'t> {
    text: &'t str,
    pub(crate) mistakes: Vec<Mistake>,
    pub(crate) files: Vec<NamedFile>,
}

/// A table of the text.
pub(crate) struct Scope<'d> {
    /// How mistakes name it; empty at the top.
    pub(crate) place: String,
    /// Where it begins.
    pub(crate) line: usize,
    table: &'d dyn TableLike,
}

/// A value that was read, and where.
#[derive(Debug, Clone)]
pub(crate) struct Found<T> {
    pub(crate) value: T,
    pub(crate) line: usize,
    /// In which table.
    pub(crate) place: String,
    pub(crate) key: &'static str,
    /// As it stands in the text.
    pub(crate) written: String,
}

/// Reads one value.
pub(crate) type Read<T> = fn(&Value) -> Result<T, Wrong>;

impl<'t> Reader<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        Self { text, mistakes: Vec::new(), files: Vec::new() }
    }

    /// The line of an octet of the text.
    pub(crate) fn line(&self, span: Option<Range<usize>>) -> usize {
        line_at(self.text, span)
    }

    /// The line of a key of a table.
    pub(crate) fn line_of_key(&self, scope: &Scope<'_>, key: &str) -> usize {
        self.line(scope.table.key(key).and_then(toml_edit::Key::span))
    }

    /// Notes a mistake.
    pub(crate) fn mistake(&mut self, line: usize, place: &str, key: &str, wrong: Wrong) {
        let Wrong { problem: message, suggestion } = wrong;
        self.mistakes.push(Mistake { line, place: place.into(), key: key.into(), message, suggestion });
    }

    /// Notes a mistake in a value that was read.
    pub(crate) fn mistaken<T>(&mut self, found: &Found<T>, problem: &str) {
        let assigned = if found.written.is_empty() { String::new() } else { format!("= {} ", found.written) };
        let wrong = Wrong::new(format!("{} {assigned}{problem}", found.key));
        self.mistake(found.line, &found.place, found.key, wrong);
    }

    /// Keys of the table that none of the sections knows are mistakes.
    pub(crate) fn check_keys(&mut self, scope: &Scope<'_>, sections: &[Section]) {
        let known: Vec<&str> =
            KEYS.iter().filter(|key| sections.contains(&key.section)).map(|key| key.name).collect();
        for (name, _) in scope.table.iter().filter(|(name, _)| !known.contains(name)) {
            let line = self.line(scope.table.key(name).and_then(toml_edit::Key::span));
            let suggestion = nearest(name, known.iter().copied()).unwrap_or_default();
            let name = printable(name);
            self.mistake(line, &scope.place, &name, Wrong::near(format!("unknown key `{name}`"), suggestion));
        }
    }

    /// The value of a key, if it is there and fits.
    pub(crate) fn value<T>(
        &mut self,
        scope: &Scope<'_>,
        key: &'static str,
        read: Read<T>,
    ) -> Option<Found<T>> {
        let item = scope.table.get(key)?;
        let Some(value) = item.as_value() else {
            self.not_a_table(scope, key, item);
            return None;
        };
        match read(value) {
            Ok(read) => Some(self.found(scope, key, value, read)),
            Err(wrong) => {
                self.wrong(scope, key, value, wrong);
                None
            }
        }
    }

    /// The values of a list; one value alone is a list of one. What does not fit is left out, and a mistake.
    pub(crate) fn list<T>(
        &mut self,
        scope: &Scope<'_>,
        key: &'static str,
        read: Read<T>,
    ) -> Option<Found<Vec<T>>> {
        let list = self.each(scope, key, read)?;
        let whole = scope.table.get(key)?.as_value()?;
        Some(self.found(scope, key, whole, list.into_iter().map(|entry| entry.value).collect()))
    }

    /// The same, and each knows its line.
    pub(crate) fn each<T>(
        &mut self,
        scope: &Scope<'_>,
        key: &'static str,
        read: Read<T>,
    ) -> Option<Vec<Found<T>>> {
        let entries = self.entries(scope, key)?;
        let mut list = Vec::with_capacity(entries.len());
        for entry in entries {
            match read(entry) {
                Ok(read) => list.push(self.found(scope, key, entry, read)),
                Err(wrong) => self.wrong(scope, key, entry, wrong),
            }
        }
        Some(list)
    }

    /// The same for a list that must not be empty.
    pub(crate) fn some<T>(
        &mut self,
        scope: &Scope<'_>,
        key: &'static str,
        read: Read<T>,
        example: &str,
    ) -> Option<Vec<Found<T>>> {
        if self.entries(scope, key)?.is_empty() {
            let problem = format!("{key} = [] names none; such as {key} = {example}");
            self.mistake(self.line_of_key(scope, key), &scope.place, key, Wrong::new(problem));
        }
        self.each(scope, key, read)
    }

    /// A path, noted among the files.
    pub(crate) fn file(
        &mut self,
        scope: &Scope<'_>,
        key: &'static str,
        kind: FileKind,
    ) -> Option<Found<PathBuf>> {
        let found = self.value(scope, key, path)?;
        self.files.push(NamedFile::new(&found, kind));
        Some(found)
    }

    /// A list of paths, noted among the files.
    pub(crate) fn files(
        &mut self,
        scope: &Scope<'_>,
        key: &'static str,
        kind: FileKind,
    ) -> Option<Vec<Found<PathBuf>>> {
        let list = self.each(scope, key, path)?;
        self.files.extend(list.iter().map(|found| NamedFile::new(found, kind)));
        Some(list)
    }

    /// Notes the keys that a table cannot do without, if they are not there.
    pub(crate) fn needs(&mut self, scope: &Scope<'_>, keys: &[(&str, &str)]) {
        for (key, example) in keys.iter().filter(|(key, _)| !scope.has(key)) {
            let problem = format!("needs the key `{key}`, such as {key} = {example}");
            self.mistake(scope.line, &scope.place, key, Wrong::new(problem));
        }
    }

    /// The table under a key.
    pub(crate) fn table<'d>(
        &mut self,
        scope: &Scope<'d>,
        key: &'static str,
        place: String,
    ) -> Option<Scope<'d>> {
        let item = scope.table.get(key)?;
        let line = self.line_of_key(scope, key);
        match item.as_table_like() {
            Some(table) => Some(Scope { place, line, table }),
            None => {
                let written = self.written(item.span());
                self.mistake(line, &scope.place, key, Wrong::new(format!("{key} = {written} is no table")));
                None
            }
        }
    }

    /// The table under a key of this table, all of whose keys are of one section.
    pub(crate) fn subtable<'d>(
        &mut self,
        scope: &Scope<'d>,
        key: &'static str,
        section: Section,
    ) -> Option<Scope<'d>> {
        let place = if scope.place.is_empty() { format!("[{key}]") } else { scope.place.clone() };
        let table = self.table(scope, key, place)?;
        self.check_keys(&table, &[section]);
        Some(table)
    }

    /// The tables under a key: `[[key]]`, or a list of tables. None if the key is not there.
    pub(crate) fn tables<'d>(
        &mut self,
        scope: &Scope<'d>,
        key: &'static str,
        place: &str,
    ) -> Option<Vec<Scope<'d>>> {
        let item = scope.table.get(key)?;
        if let Item::ArrayOfTables(tables) = item {
            let scope = |table: &'d toml_edit::Table| Scope {
                place: place.to_owned(),
                line: self.line(table.span()),
                table,
            };
            return Some(tables.iter().map(scope).collect());
        }
        let entries: Vec<&Value> = item.as_array().map_or_else(Vec::new, |array| array.iter().collect());
        let scopes: Vec<Scope<'d>> = entries.iter().filter_map(|entry| self.entry(entry, place)).collect();
        if scopes.len() < entries.len() || item.as_array().is_none() {
            let problem = Wrong::new(format!("{key} is no list of tables"));
            self.mistake(self.line_of_key(scope, key), &scope.place, key, problem);
        }
        Some(scopes)
    }

    /// A table that stands as a value in a list.
    pub(crate) fn entry<'d>(&self, value: &'d Value, place: &str) -> Option<Scope<'d>> {
        let table = value.as_inline_table()?;
        Some(Scope { place: place.to_owned(), line: self.line(value.span()), table })
    }

    /// The values under a key, whatever they are; one alone is a list of one. None if the key is not there.
    pub(crate) fn entries<'d>(&mut self, scope: &Scope<'d>, key: &'static str) -> Option<Vec<&'d Value>> {
        let item = scope.table.get(key)?;
        match item.as_value() {
            Some(Value::Array(array)) => Some(array.iter().collect()),
            Some(value) => Some(vec![value]),
            None => {
                self.not_a_table(scope, key, item);
                None
            }
        }
    }

    /// Notes that a value does not fit.
    pub(crate) fn wrong(&mut self, scope: &Scope<'_>, key: &str, value: &Value, wrong: Wrong) {
        let written = self.written(value.span());
        let problem = format!("{key} = {written} {}", wrong.problem);
        self.mistake(self.line(value.span()), &scope.place, key, Wrong { problem, ..wrong });
    }

    fn not_a_table(&mut self, scope: &Scope<'_>, key: &str, item: &Item) {
        let span = item.span().or_else(|| scope.table.key(key).and_then(toml_edit::Key::span));
        self.mistake(
            self.line(span),
            &scope.place,
            key,
            Wrong::new(format!("{key} is a value, not a table")),
        );
    }

    fn found<T>(&self, scope: &Scope<'_>, key: &'static str, value: &Value, read: T) -> Found<T> {
        Found {
            value: read,
            line: self.line(value.span()),
            place: scope.place.clone(),
            key,
            written: self.written(value.span()),
        }
    }

    /// A part of the text, fit to be quoted.
    fn written(&self, span: Option<Range<usize>>) -> String {
        let text = span.and_then(|span| self.text.get(span)).unwrap_or_default();
        let mut quoted: String = text.chars().take(QUOTED_CHARS_MAX).collect();
        if quoted.len() < text.len() {
            quoted.push('…');
        }
        printable(quoted)
    }
}

/// The line of an octet of a text, from 1.
pub(crate) fn line_at(text: &str, span: Option<Range<usize>>) -> usize {
    let before = span.map_or(0, |span| span.start.min(text.len()));
    1 + text.as_bytes()[..before].iter().filter(|&&byte| byte == b'\n').count()
}

impl<T> Found<T> {
    /// Another value from the same place.
    pub(crate) fn map<U>(self, into: impl FnOnce(T) -> U) -> Found<U> {
        let Self { value, line, place, key, written } = self;
        Found { value: into(value), line, place, key, written }
    }
}

impl<'d> Scope<'d> {
    /// The whole text.
    pub(crate) fn top(table: &'d toml_edit::Table) -> Self {
        Self { place: String::new(), line: 1, table }
    }

    /// Names the table by the value of a key, or by the first of a list: `remote-domain "partner.example"`.
    pub(crate) fn name_by(&mut self, key: &str) {
        let value = self.table.get(key).and_then(Item::as_value);
        let first = value.and_then(|value| value.as_array().map_or(Some(value), |list| list.get(0)));
        if let Some(name) = first.and_then(Value::as_str) {
            let name: String = name.chars().take(QUOTED_CHARS_MAX).collect();
            self.place = format!("{} \"{}\"", self.place, printable(name));
        }
    }

    /// The keys that are there.
    pub(crate) fn keys(&self) -> Vec<&'d str> {
        self.table.iter().map(|(key, _)| key).collect()
    }

    /// Whether tables stand under the key, each with a header of its own: `[[key]]`.
    pub(crate) fn has_tables(&self, key: &str) -> bool {
        self.table.get(key).is_some_and(Item::is_array_of_tables)
    }

    /// Whether the key is there, however it reads.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }
}

/// Reads a type that parses its text.
pub(crate) fn parsed<T: FromStr<Err = Wrong>>(value: &Value) -> Result<T, Wrong> {
    as_written(value).parse()
}

/// Reads one of a few words. TOML's true and false are on and off.
pub(crate) fn word<T: Word>(value: &Value) -> Result<T, Wrong> {
    match value.as_bool() {
        Some(true) => T::from_word("on"),
        Some(false) => T::from_word("off"),
        None => T::from_word(&as_written(value)),
    }
}

/// Reads a number from 1 on.
pub(crate) fn count(value: &Value) -> Result<u32, Wrong> {
    let number = value.as_integer().and_then(|number| u32::try_from(number).ok());
    number.filter(|&number| number > 0).ok_or_else(|| Wrong::new("is no whole number from 1 on"))
}

/// Reads a number from 1 on, or `none`.
pub(crate) fn count_or_none(value: &Value) -> Result<Option<u32>, Wrong> {
    unless(value, "none", count)
}

/// Reads a number from 1 on, or `off`.
pub(crate) fn count_or_off(value: &Value) -> Result<Option<u32>, Wrong> {
    unless(value, "off", count)
}

/// Reads a type that parses its text, or `none`.
pub(crate) fn parsed_or_none<T: FromStr<Err = Wrong>>(value: &Value) -> Result<Option<T>, Wrong> {
    unless(value, "none", parsed)
}

/// Reads a type that parses its text, or `off`.
pub(crate) fn parsed_or_off<T: FromStr<Err = Wrong>>(value: &Value) -> Result<Option<T>, Wrong> {
    unless(value, "off", parsed)
}

/// Reads a value, or the word that stands for none. TOML's false is `off`.
fn unless<T>(value: &Value, word: &str, read: Read<T>) -> Result<Option<T>, Wrong> {
    if value.as_str() == Some(word) || value.as_bool() == Some(false) && word == "off" {
        return Ok(None);
    }
    read(value).map(Some).map_err(|Wrong { problem, suggestion }| {
        let near = value.as_str().and_then(|text| nearest(text, [word]));
        let suggestion = near.map_or(suggestion, str::to_owned);
        Wrong { problem: format!("{problem}, nor {word}"), suggestion }
    })
}

/// Reads a port.
pub(crate) fn port(value: &Value) -> Result<u16, Wrong> {
    let number = value.as_integer().and_then(|number| u16::try_from(number).ok());
    number.filter(|&number| number > 0).ok_or_else(|| Wrong::new("is no port from 1 to 65535"))
}

/// Reads the path of a file or directory.
pub(crate) fn path(value: &Value) -> Result<PathBuf, Wrong> {
    match value.as_str() {
        Some(text) if !text.is_empty() && !text.contains(char::is_control) => Ok(text.into()),
        _ => Err(Wrong::new("is no path of a file")),
    }
}

/// Reads an address and port; an IPv4-mapped address is the IPv4 address it means. The port, if there is one, is what a
/// lone address probably lacks.
pub(crate) fn socket_address(value: &Value, port: Option<u16>) -> Result<SocketAddr, Wrong> {
    let text = value.as_str().unwrap_or_default();
    match text.parse::<SocketAddr>() {
        Ok(address) => Ok(SocketAddr::new(address.ip().to_canonical(), address.port())),
        Err(_) => {
            let problem = "is no address and port such as \"[::]:25\" or \"192.0.2.10:25\"";
            let bare = text.trim_matches(['[', ']']).parse::<IpAddr>().ok();
            let likely = bare.zip(port).map(|(ip, port)| SocketAddr::new(ip, port).to_string());
            Err(Wrong::near(problem, likely.unwrap_or_default()))
        }
    }
}

/// Reads an address of a mailbox.
pub(crate) fn address(value: &Value) -> Result<Address, Wrong> {
    let text = value.as_str().unwrap_or_default();
    Address::parse(text).map_err(|_| Wrong::new("is no address such as \"postmaster@example.org\""))
}

/// Reads a domain name. An address has the form of one, and is none (RFC 1123 §2.1).
pub(crate) fn domain(value: &Value) -> Result<Domain, Wrong> {
    let text = value.as_str().filter(|text| text.parse::<Ipv4Addr>().is_err()).unwrap_or_default();
    Domain::parse(text).map_err(|_| Wrong::new("is no domain name such as \"mail.example.org\""))
}

/// Reads the name of a host. Who has but an address is told what to write: in EHLO an address would stand as a literal
/// (RFC 5321 §4.1.4), and tell nobody who we are.
pub(crate) fn host_name(value: &Value) -> Result<Domain, Wrong> {
    let text = value.as_str().unwrap_or_default().trim_end_matches('.');
    let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    if inner.strip_prefix("IPv6:").unwrap_or(inner).parse::<IpAddr>().is_ok() {
        let problem = "is an address and no name: write the name that the DNS has for this host, such as \
                       \"mail.example.org\"";
        return Err(Wrong::new(problem));
    }
    domain(value)
}

/// Reads a text that is not empty and has no control character.
pub(crate) fn text(value: &Value) -> Result<String, Wrong> {
    match value.as_str() {
        Some("") => Err(Wrong::new("is empty")),
        Some(text) if text.contains(char::is_control) => Err(Wrong::new("has control characters")),
        Some(text) => Ok(text.to_owned()),
        None => Err(Wrong::new("is no text in quotes")),
    }
}

/// Reads a line of printable ASCII.
pub(crate) fn line_of_text(value: &Value) -> Result<String, Wrong> {
    match value.as_str() {
        Some(text) if text.bytes().all(|b| b == b' ' || b.is_ascii_graphic()) => Ok(text.to_owned()),
        Some(_) => Err(Wrong::new("has characters that are not printable ASCII")),
        None => Err(Wrong::new("is no text in quotes")),
    }
}

/// A text without its quotes; a value of another type as it stands, so that its type's own words say what is wrong.
fn as_written(value: &Value) -> Cow<'_, str> {
    match value.as_str() {
        Some(text) => Cow::Borrowed(text),
        None => Cow::Owned(value.to_string().trim().to_owned()),
    }
}
