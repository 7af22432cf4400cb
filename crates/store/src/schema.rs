//! The schema, numbered. An older program refuses a newer schema; a newer program brings an older one up to date.

use world::Dice;

use crate::Error;
use crate::sql::{self, Sql, values};

/// What this program writes.
pub(crate) const VERSION: i64 = 4;

/// Steps from nothing to [`VERSION`]; the n-th leads to version n + 1. A step that was released is never edited.
const STEPS: [&str; VERSION as usize] = [FIRST, LEASES, ENVELOPES_KEYS_COUNTS, RIGHTS_AND_LIMITS];

const FIRST: &str = "
-- Numbers of the store itself: schema, ids given out, marks.
CREATE TABLE state (name TEXT NOT NULL PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID, STRICT;

CREATE TABLE domains (name TEXT NOT NULL PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID, STRICT;
CREATE TABLE accounts (
    id INTEGER PRIMARY KEY, address TEXT NOT NULL UNIQUE, domain TEXT NOT NULL, name TEXT NOT NULL,
    secret TEXT NOT NULL, changed INTEGER NOT NULL) STRICT;
CREATE INDEX accounts_domain ON accounts (domain);
CREATE TABLE aliases (
    address TEXT NOT NULL PRIMARY KEY, domain TEXT NOT NULL, targets TEXT NOT NULL, at INTEGER NOT NULL) STRICT;
CREATE INDEX aliases_domain ON aliases (domain);

-- What changes with every email is apart from what hardly ever does: a thousand tallies are ten pages.
CREATE TABLE mailboxes (
    id INTEGER PRIMARY KEY, account INTEGER NOT NULL, path TEXT NOT NULL, uid_validity INTEGER NOT NULL,
    special_use TEXT, UNIQUE (account, path)) STRICT;
CREATE TABLE tallies (
    mailbox INTEGER PRIMARY KEY, uid_next INTEGER NOT NULL, modseq INTEGER NOT NULL, messages INTEGER NOT NULL,
    unseen INTEGER NOT NULL, size INTEGER NOT NULL, history INTEGER NOT NULL) STRICT;
CREATE TABLE subscriptions (
    account INTEGER NOT NULL, path TEXT NOT NULL, PRIMARY KEY (account, path)) WITHOUT ROWID, STRICT;
CREATE TABLE emails (
    mailbox INTEGER NOT NULL, uid INTEGER NOT NULL, modseq INTEGER NOT NULL, flags INTEGER NOT NULL,
    keywords TEXT NOT NULL, date INTEGER NOT NULL, size INTEGER NOT NULL, segment INTEGER NOT NULL,
    start INTEGER NOT NULL, prefix BLOB NOT NULL, PRIMARY KEY (mailbox, uid)) WITHOUT ROWID, STRICT;
-- What happened to emails after they were filed: flags (0) and removals (1), as runs of UIDs.
CREATE TABLE history (
    mailbox INTEGER NOT NULL, modseq INTEGER NOT NULL, kind INTEGER NOT NULL, uids TEXT NOT NULL,
    PRIMARY KEY (mailbox, modseq)) WITHOUT ROWID, STRICT;

CREATE TABLE content (
    segment INTEGER NOT NULL, start INTEGER NOT NULL, size INTEGER NOT NULL, refs INTEGER NOT NULL,
    PRIMARY KEY (segment, start)) WITHOUT ROWID, STRICT;
CREATE TABLE freed (
    at INTEGER NOT NULL, segment INTEGER NOT NULL, start INTEGER NOT NULL,
    PRIMARY KEY (at, segment, start)) WITHOUT ROWID, STRICT;
-- Live octets, and up to where nothing waits for its commit.
CREATE TABLE segments (segment INTEGER PRIMARY KEY, live INTEGER NOT NULL, settled INTEGER NOT NULL) STRICT;

CREATE TABLE queue (
    queue_id INTEGER NOT NULL, destination TEXT NOT NULL, reverse_path TEXT NOT NULL, recipients TEXT NOT NULL,
    segment INTEGER NOT NULL, start INTEGER NOT NULL, prefix BLOB NOT NULL, accepted INTEGER NOT NULL,
    due INTEGER NOT NULL, attempts INTEGER NOT NULL, last TEXT NOT NULL,
    PRIMARY KEY (queue_id, destination)) WITHOUT ROWID, STRICT;
CREATE INDEX queue_due ON queue (due);

CREATE TABLE journal (
    seq INTEGER PRIMARY KEY, queue_id INTEGER NOT NULL, at INTEGER NOT NULL, story TEXT NOT NULL) STRICT;
CREATE INDEX journal_queue_id ON journal (queue_id);
CREATE TABLE journal_keys (
    key TEXT NOT NULL, queue_id INTEGER NOT NULL, PRIMARY KEY (key, queue_id)) WITHOUT ROWID, STRICT;
CREATE INDEX journal_keys_queue_id ON journal_keys (queue_id);
";

/// Deliveries by destination, destinations with leases, keys that sign.
const LEASES: &str = "
ALTER TABLE queue RENAME TO queue_before;
-- Clustered by destination: a draw reads neighbours.
CREATE TABLE queue (
    destination TEXT NOT NULL, queue_id INTEGER NOT NULL, virtual_server TEXT NOT NULL, reverse_path TEXT NOT NULL,
    recipients TEXT NOT NULL, segment INTEGER NOT NULL, start INTEGER NOT NULL, prefix BLOB NOT NULL,
    accepted INTEGER NOT NULL, due INTEGER NOT NULL, attempts INTEGER NOT NULL, notified INTEGER NOT NULL,
    held INTEGER NOT NULL, last TEXT NOT NULL, PRIMARY KEY (destination, queue_id)) WITHOUT ROWID, STRICT;
-- The second due time of a message to local was called local.1, which could be a domain.
INSERT INTO queue SELECT
    CASE WHEN substr(destination, 1, 6) = 'local.' AND ltrim(substr(destination, 7), '0123456789') = ''
    THEN 'local/' || substr(destination, 7) ELSE destination END,
    queue_id, '', reverse_path, recipients, segment, start, prefix, accepted, due, attempts, 0, 0, last
    FROM queue_before;
DROP TABLE queue_before;
CREATE INDEX queue_due ON queue (destination, held, due, queue_id);

-- Whoever works a destination leases it; nobody has no name. What waits there is due at next_due at the earliest: entries
-- that are on hold do not count, unless they are doomed. Null: nothing waits.
CREATE TABLE destinations (
    name TEXT NOT NULL PRIMARY KEY, next_due INTEGER, held INTEGER NOT NULL, node TEXT NOT NULL,
    leased_until INTEGER NOT NULL) WITHOUT ROWID, STRICT;
CREATE INDEX destinations_due ON destinations (held, next_due, name);
INSERT INTO destinations SELECT destination, MIN(due), 0, '', 0 FROM queue GROUP BY destination;

CREATE TABLE dkim_keys (
    domain TEXT NOT NULL, selector TEXT NOT NULL, algorithm TEXT NOT NULL, key BLOB NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (domain, selector)) WITHOUT ROWID, STRICT;
";

/// What envelopes say beside their addresses; what SCRAM needs of a password; how many emails are marked as deleted.
const ENVELOPES_KEYS_COUNTS: &str = "
ALTER TABLE queue ADD COLUMN envelope TEXT NOT NULL DEFAULT '';
ALTER TABLE accounts ADD COLUMN scram TEXT NOT NULL DEFAULT '';
ALTER TABLE tallies ADD COLUMN deleted INTEGER NOT NULL DEFAULT 0;
UPDATE tallies SET deleted =
    (SELECT COUNT(*) FROM emails WHERE emails.mailbox = tallies.mailbox AND (emails.flags & 8) <> 0);
";

/// What accounts may do and did, what networks may not, settings as they were, small secrets of the program.
const RIGHTS_AND_LIMITS: &str = "
ALTER TABLE accounts ADD COLUMN cram TEXT NOT NULL DEFAULT '';
ALTER TABLE domains ADD COLUMN alias_of TEXT NOT NULL DEFAULT '';

CREATE TABLE app_passwords (
    id INTEGER PRIMARY KEY, account INTEGER NOT NULL, name TEXT NOT NULL, secret TEXT NOT NULL, scope TEXT NOT NULL,
    created INTEGER NOT NULL, expires INTEGER, last_used INTEGER, UNIQUE (account, name)) STRICT;
-- An address, or @ and a domain.
CREATE TABLE send_as (
    account INTEGER NOT NULL, address TEXT NOT NULL, PRIMARY KEY (account, address)) WITHOUT ROWID, STRICT;
CREATE TABLE certificates_of (
    name TEXT NOT NULL, account INTEGER NOT NULL, PRIMARY KEY (name, account)) WITHOUT ROWID, STRICT;
CREATE INDEX certificates_of_account ON certificates_of (account);

-- What accounts sent, by hours since 1970, and whom they wrote to.
CREATE TABLE sending (
    account INTEGER NOT NULL, hour INTEGER NOT NULL, messages INTEGER NOT NULL, recipients INTEGER NOT NULL,
    PRIMARY KEY (account, hour)) WITHOUT ROWID, STRICT;
CREATE TABLE correspondents (
    account INTEGER NOT NULL, address TEXT NOT NULL, first INTEGER NOT NULL,
    PRIMARY KEY (account, address)) WITHOUT ROWID, STRICT;
CREATE INDEX correspondents_first ON correspondents (account, first);
-- Accounts whose messages stay on hold, and those messages.
CREATE TABLE holds (account INTEGER PRIMARY KEY, since INTEGER NOT NULL, reason TEXT NOT NULL) STRICT;
CREATE TABLE held_messages (
    account INTEGER NOT NULL, queue_id INTEGER NOT NULL, PRIMARY KEY (account, queue_id)) WITHOUT ROWID, STRICT;

CREATE TABLE bans (
    network TEXT NOT NULL PRIMARY KEY, until INTEGER NOT NULL, reason TEXT NOT NULL) WITHOUT ROWID, STRICT;
CREATE INDEX bans_until ON bans (until);
CREATE TABLE revisions (
    number INTEGER PRIMARY KEY, at INTEGER NOT NULL, author TEXT NOT NULL, reason TEXT NOT NULL,
    text TEXT NOT NULL) STRICT;
CREATE TABLE kept (name TEXT NOT NULL PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID, STRICT;
";

/// Brings the schema to [`VERSION`].
///
/// # Errors
/// `Err(Ok(found))` when the schema is newer than this program.
pub(crate) fn prepare(sql: &mut dyn Sql) -> Result<(), Outdated> {
    let found = version(sql)?;
    if found > VERSION {
        return Err(Outdated::Newer(found));
    }
    for (step, text) in STEPS.iter().enumerate().skip(usize::try_from(found).unwrap_or(0)) {
        upgrade(sql, text, step as i64 + 1)?;
    }
    Ok(())
}

/// Why the schema could not be used.
#[derive(Debug)]
pub(crate) enum Outdated {
    /// This program is older than the schema, whose number this is.
    Newer(i64),
    /// It could not be read or written.
    Failed(Error),
}

impl<E: Into<Error>> From<E> for Outdated {
    fn from(error: E) -> Self {
        Outdated::Failed(error.into())
    }
}

fn version(sql: &mut dyn Sql) -> Result<i64, Error> {
    let there = sql.dialect().has_state();
    if sql::number(sql, there, &[])? == 0 {
        return Ok(0);
    }
    sql::number(sql, "SELECT value FROM state WHERE name = 'schema'", &[])
}

fn upgrade(sql: &mut dyn Sql, text: &str, to: i64) -> Result<(), Error> {
    let dialect = sql.dialect();
    sql.script(dialect.begin())?;
    sql.script(&dialect.schema(text))?;
    set_state(sql, "schema", to)?;
    Ok(sql.script("COMMIT")?)
}

/// One of the store's own numbers; 0 if it was never set.
pub(crate) fn state(sql: &mut dyn Sql, name: &str) -> Result<i64, Error> {
    sql::number(sql, "SELECT value FROM state WHERE name = ?1", values![name])
}

/// Sets one of the store's own numbers.
pub(crate) fn set_state(sql: &mut dyn Sql, name: &str, value: i64) -> Result<(), Error> {
    sql.execute(
        "INSERT INTO state (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        values![name, value],
    )?;
    Ok(())
}

/// The store's secret, made with it. It lies in the state, in four numbers.
pub(crate) fn secret(sql: &mut dyn Sql, dice: &Dice) -> Result<[u8; 32], Error> {
    const NAMES: [&str; 4] = ["secret_0", "secret_1", "secret_2", "secret_3"];
    let mut secret = [0; 32];
    for (name, octets) in NAMES.into_iter().zip(secret.chunks_exact_mut(8)) {
        let mut value = state(sql, name)?;
        if value == 0 {
            let mut drawn = [0; 8];
            dice.fill(&mut drawn);
            // Another node may open the same store just now: what was drawn first is the secret of all.
            let text = "INSERT INTO state (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING";
            sql.execute(text, values![name, i64::from_be_bytes(drawn)])?;
            value = state(sql, name)?;
        }
        octets.copy_from_slice(&value.to_be_bytes());
    }
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_released_step_is_as_it_was_released() {
        let released = [
            "7f7bafec1ee83939dad45d79ef89a801ff33802ddb185bd2bd98258c83bf2c48",
            "525cf350bee83271f3bb8b414723c359f6b094c59f29b27181f1aaf0ec4f3df8",
            "1463ebc30c6acb46339174f3c09b7e0bbe9ae5deebcf048f4cac4a04abe50db0",
        ];
        for (step, hash) in STEPS.iter().zip(released) {
            assert_eq!(blake3::hash(step.as_bytes()).to_hex().as_str(), hash, "write another step instead");
        }
    }
}
