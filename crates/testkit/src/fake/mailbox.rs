//! A mailbox in memory.

use std::collections::BTreeMap;

use bytes::Bytes;
use mail::{Flag, ModSeq, SearchKey, SpecialUse, Timestamp, Uid, UidSet};
use protocol::imap::{Changes, FetchRow, Selected, Status, StoreMode};

/// UIDVALIDITY of every mailbox here.
pub(super) const VALIDITY: u32 = 1;

/// INTERNALDATE of what comes by SMTP and from fixtures: 2026-11-22 10:00:00.
pub(super) const ARRIVAL: Timestamp = Timestamp(1_795_341_600_000);

/// Emails by UID, and what was done to them.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    pub(super) emails: BTreeMap<Uid, Email>,
    pub(super) vanished: Vec<(Uid, ModSeq)>,
    pub(super) last_uid: u32,
    pub(super) modseq: ModSeq,
    pub(super) special_use: Option<SpecialUse>,
}

#[derive(Debug, Clone)]
pub(super) struct Email {
    pub(super) content: Bytes,
    pub(super) flags: Vec<Flag>,
    pub(super) date: Timestamp,
    arrived: ModSeq,
    pub(super) modseq: ModSeq,
}

impl Email {
    pub(super) fn new(content: Bytes, flags: Vec<Flag>, date: Timestamp) -> Self {
        Self { content, flags, date, arrived: ModSeq(0), modseq: ModSeq(0) }
    }

    fn has(&self, flag: &Flag) -> bool {
        self.flags.contains(flag)
    }

    /// UID, flags and mod-sequence, which every row has.
    pub(super) fn row(&self, uid: Uid) -> FetchRow {
        FetchRow {
            uid,
            flags: self.flags.clone(),
            modseq: self.modseq,
            facts: None,
            envelope: None,
            structure: None,
            sections: Vec::new(),
            binary_sizes: Vec::new(),
        }
    }
}

impl Mailbox {
    pub(super) fn file(&mut self, email: Email) -> Uid {
        let now = self.tick();
        self.last_uid += 1;
        self.emails.insert(Uid(self.last_uid), Email { arrived: now, modseq: now, ..email });
        Uid(self.last_uid)
    }

    fn tick(&mut self) -> ModSeq {
        self.modseq.0 += 1;
        self.modseq
    }

    pub(super) fn remove(&mut self, uids: &[Uid]) {
        for uid in uids {
            if self.emails.remove(uid).is_some() {
                let now = self.tick();
                self.vanished.push((*uid, now));
            }
        }
    }

    pub(super) fn flag(&mut self, uid: Uid, mode: StoreMode, flags: &[Flag]) {
        let now = self.tick();
        let Some(email) = self.emails.get_mut(&uid) else { return };
        if mode == StoreMode::Set {
            email.flags.clear();
        }
        email.flags.retain(|flag| !flags.contains(flag));
        if mode != StoreMode::Remove {
            email.flags.extend_from_slice(flags);
        }
        let (bits, keywords) = Flag::to_bits(&email.flags);
        email.flags = Flag::from_bits(bits, keywords);
        email.modseq = now;
    }

    /// Those of these UIDs that are there.
    pub(super) fn among(&self, uids: &UidSet) -> Vec<Uid> {
        self.emails.keys().copied().filter(|uid| uids.contains(*uid)).collect()
    }

    pub(super) fn selected(&self) -> Selected {
        let unseen = self.emails.iter().find(|(_, email)| !email.has(&Flag::Seen));
        let mut keywords: Vec<Flag> = self.emails.values().flat_map(|email| email.flags.clone()).collect();
        keywords.retain(|flag| matches!(flag, Flag::Keyword(_)));
        keywords.sort();
        keywords.dedup();
        Selected {
            uids: self.emails.keys().copied().collect(),
            uid_validity: VALIDITY,
            uid_next: self.last_uid + 1,
            first_unseen: unseen.map(|(uid, _)| *uid),
            highest_modseq: self.modseq,
            keywords,
        }
    }

    pub(super) fn status(&self) -> Status {
        let count = |emails: usize| u32::try_from(emails).unwrap_or(u32::MAX);
        Status {
            messages: count(self.emails.len()),
            unseen: count(self.emails.values().filter(|email| !email.has(&Flag::Seen)).count()),
            uid_next: self.last_uid + 1,
            uid_validity: VALIDITY,
            highest_modseq: self.modseq,
            size: self.emails.values().map(|email| email.content.len() as u64).sum(),
            deleted: count(self.emails.values().filter(|email| email.has(&Flag::Deleted)).count()),
        }
    }

    pub(super) fn changes(&self, since: ModSeq) -> Changes {
        let new = |email: &Email| email.arrived > since;
        let flags = self.emails.iter().filter(|(_, email)| email.modseq > since && !new(email));
        Changes {
            highest_modseq: self.modseq,
            vanished: self.vanished.iter().filter(|(_, at)| *at > since).map(|(uid, _)| *uid).collect(),
            arrived: self.emails.iter().filter(|(_, email)| new(email)).map(|(uid, _)| *uid).collect(),
            flags: flags.map(|(uid, email)| email.row(*uid)).collect(),
            rest: UidSet::new(),
        }
    }

    /// Those that went after `since`.
    pub(super) fn vanished(&self, since: ModSeq, among: &UidSet) -> UidSet {
        let gone = self.vanished.iter().filter(|(_, at)| *at > since).map(|(uid, _)| *uid);
        gone.filter(|uid| among.contains(*uid)).collect()
    }

    pub(super) fn search(&self, key: &SearchKey) -> UidSet {
        self.emails.iter().filter(|(uid, email)| matches(key, **uid, email)).map(|(uid, _)| *uid).collect()
    }
}

/// Whether an email is what SEARCH looks for. Text is compared as it stands, encoded or not.
fn matches(key: &SearchKey, uid: Uid, email: &Email) -> bool {
    let text = String::from_utf8_lossy(&email.content).to_lowercase();
    let (header, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let size = email.content.len() as u64;
    match key {
        SearchKey::All => true,
        SearchKey::And(keys) => keys.iter().all(|key| matches(key, uid, email)),
        SearchKey::Or(left, right) => matches(left, uid, email) || matches(right, uid, email),
        SearchKey::Not(key) => !matches(key, uid, email),
        SearchKey::Uids(uids) => uids.contains(uid),
        SearchKey::Flag(flag) => email.has(flag),
        SearchKey::ModSeq(least) => email.modseq >= *least,
        SearchKey::Larger(octets) => size > *octets,
        SearchKey::Smaller(octets) => size < *octets,
        // Every sample was sent and came on one day.
        SearchKey::Before(day) | SearchKey::SentBefore(day) => ARRIVAL < *day,
        SearchKey::Since(day) | SearchKey::SentSince(day) => ARRIVAL >= *day,
        SearchKey::Header(name, value) => header.lines().any(|line| {
            let field = line.split_once(':');
            field.is_some_and(|(n, v)| n.eq_ignore_ascii_case(name) && v.contains(&value.to_lowercase()))
        }),
        SearchKey::Body(value) => body.contains(&value.to_lowercase()),
        SearchKey::Text(value) => text.contains(&value.to_lowercase()),
    }
}
