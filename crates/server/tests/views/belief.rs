//! What a client believes of its mailbox: what it was told (RFC 3501 §7), and what it reckons of its own silent STOREs.

use std::collections::{BTreeMap, BTreeSet};

/// Flags as words.
pub(crate) type Flags = BTreeSet<String>;

/// What is known of an email; nothing, when EXISTS has counted it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) uid: Option<u32>,
    pub(crate) flags: Option<Flags>,
    pub(crate) modseq: Option<u64>,
}

/// A STORE whose outcome the client reckons.
#[derive(Debug, Clone)]
pub(crate) struct Reckoning {
    pub(crate) uid: u32,
    pub(crate) mode: Mode,
    pub(crate) flag: String,
    /// It was said by UID; else by this number.
    pub(crate) number: Option<usize>,
}

/// What STORE does to a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Set,
    Add,
    Remove,
}

impl Mode {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Set => "FLAGS",
            Self::Add => "+FLAGS",
            Self::Remove => "-FLAGS",
        }
    }
}

/// A mailbox as a client believes it to be.
#[derive(Debug, Default)]
pub(crate) struct Belief {
    /// By sequence number.
    pub(crate) emails: Vec<Known>,
    pub(crate) validity: u64,
    /// The mailbox's mod-sequence, as RFC 7162 §6 reckons it.
    pub(crate) highest: u64,
    /// The highest of an email since the last tagged response.
    shown: u64,
    /// HIGHESTMODSEQ since the last tagged response.
    told: Option<u64>,
    /// Whose flags were told since the last tagged response.
    flags_told: BTreeSet<u32>,
    /// EXISTS of a SELECT that resumes: what is known goes before what is new.
    resumed: Option<usize>,
    /// By tag.
    reckonings: BTreeMap<String, Reckoning>,
}

impl Belief {
    /// SELECT is being said. What the client `keeps` is what it has the UID of.
    pub(crate) fn select(&mut self, keeps: bool) {
        self.emails.retain(|known| keeps && known.uid.is_some());
        self.resumed = Some(0);
        self.reckonings.clear();
        (self.shown, self.told) = (0, None);
    }

    pub(crate) fn reckon(&mut self, tag: &str, reckoning: Reckoning) {
        self.reckonings.insert(tag.into(), reckoning);
    }

    /// Takes a line that the server has sent.
    pub(crate) fn hear(&mut self, line: &str) {
        self.codes(line);
        let Some(rest) = line.strip_prefix("* ") else {
            if let Some((tag, rest)) = line.split_once(' ').filter(|(tag, _)| *tag != "+") {
                self.tagged(tag, rest);
            }
            return;
        };
        if let Some(uids) = rest.strip_prefix("VANISHED (EARLIER) ") {
            let gone = numbers(uids);
            self.emails.retain(|known| known.uid.is_none_or(|uid| !gone.contains(&uid)));
        } else if let Some(uids) = rest.strip_prefix("VANISHED ") {
            for uid in numbers(uids) {
                // RFC 7162 §3.2.10.2: only what the client counts.
                let at = self.place_of(uid).unwrap_or_else(|| panic!("{uid} is not counted: {line}"));
                self.emails.remove(at);
            }
        } else if let Some((number, rest)) = rest.split_once(' ')
            && let Ok(number) = number.parse()
        {
            self.numbered(number, rest, line);
        }
    }

    /// Where this UID stands, or must stand if it was counted and not told.
    fn place_of(&self, uid: u32) -> Option<usize> {
        let known = self.emails.iter().position(|known| known.uid == Some(uid));
        known.or_else(|| {
            let above = self.emails.iter().position(|known| known.uid.is_some_and(|other| other > uid));
            let last = above.unwrap_or(self.emails.len()).checked_sub(1)?;
            self.emails[last].uid.is_none().then_some(last)
        })
    }

    fn codes(&mut self, line: &str) {
        let code = |name: &str| {
            let at = line.find(&format!("[{name} "))? + name.len() + 2;
            line[at..].split(']').next()?.parse().ok()
        };
        self.told = code("HIGHESTMODSEQ").or(self.told);
        self.validity = code("UIDVALIDITY").unwrap_or(self.validity);
    }

    fn numbered(&mut self, number: usize, rest: &str, line: &str) {
        match rest.split(' ').next() {
            Some("EXISTS") if self.resumed.is_some() => self.resumed = Some(number),
            Some("EXISTS") => {
                assert!(number >= self.emails.len(), "EXISTS never shrinks a mailbox: {line}");
                self.emails.resize(number, Known::default());
            }
            Some("EXPUNGE") => {
                assert!((1..=self.emails.len()).contains(&number), "no such number: {line}");
                self.emails.remove(number - 1);
            }
            Some("FETCH") => {
                self.resume();
                let Some(known) = number.checked_sub(1).and_then(|at| self.emails.get_mut(at)) else {
                    panic!("no such number: {line}")
                };
                let uid = item(rest, "UID ", ' ').and_then(|uid| uid.trim_end_matches(')').parse().ok());
                assert!(uid.is_none() || known.uid.is_none() || uid == known.uid, "another email: {line}");
                known.uid = uid.or(known.uid);
                if let Some(flags) = item(rest, "FLAGS (", ')') {
                    known.flags =
                        Some(flags.split(' ').filter(|word| !word.is_empty()).map(Into::into).collect());
                    self.flags_told.extend(known.uid);
                }
                if let Some(modseq) = item(rest, "MODSEQ (", ')').and_then(|modseq| modseq.parse().ok()) {
                    known.modseq = Some(modseq);
                    self.shown = self.shown.max(modseq);
                }
            }
            _ => {}
        }
    }

    /// What was kept is less than EXISTS says by what has arrived.
    fn resume(&mut self) {
        if let Some(count) = self.resumed.take() {
            assert!(count >= self.emails.len(), "{count} are there, {} are believed", self.emails.len());
            self.emails.resize(count, Known::default());
        }
    }

    fn tagged(&mut self, tag: &str, rest: &str) {
        assert!(!rest.starts_with("BAD"), "{tag} {rest}");
        self.resume();
        // RFC 7162 §6: the code counts, even if a higher mod-sequence was seen.
        self.highest = self.told.take().unwrap_or(self.highest.max(self.shown));
        self.shown = 0;
        if let Some(reckoning) = self.reckonings.remove(tag) {
            self.settle(&reckoning, rest);
        }
        self.flags_told.clear();
    }

    /// A silent STORE was answered: what it did, but for what was said to be otherwise.
    fn settle(&mut self, reckoning: &Reckoning, answer: &str) {
        let kept = item(answer, "[MODIFIED ", ']').map(numbers).unwrap_or_default();
        let name =
            reckoning.number.map_or(reckoning.uid, |number| u32::try_from(number).expect("few emails"));
        if kept.contains(&name) || self.flags_told.contains(&reckoning.uid) {
            return;
        }
        let known = self.emails.iter_mut().find(|known| known.uid == Some(reckoning.uid));
        let Some(flags) = known.and_then(|known| known.flags.as_mut()) else { return };
        match reckoning.mode {
            Mode::Set => *flags = [reckoning.flag.clone()].into(),
            Mode::Add => _ = flags.insert(reckoning.flag.clone()),
            Mode::Remove => _ = flags.remove(&reckoning.flag),
        }
    }
}

/// What stands between a name and an end.
fn item<'a>(text: &'a str, name: &str, end: char) -> Option<&'a str> {
    let at = text.find(name)? + name.len();
    text[at..].split(end).next()
}

/// `1:3,5`
fn numbers(set: &str) -> BTreeSet<u32> {
    let range = |range: &str| {
        let (first, last) = range.split_once(':').unwrap_or((range, range));
        first.parse::<u32>().expect("a number")..=last.parse().expect("a number")
    };
    set.split(',').flat_map(range).collect()
}
