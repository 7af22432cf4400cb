//! One large mailbox read over IMAP and POP3, and what else sessions do: sign in, append, wait.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::{Extent, SIZE};
use crate::load::imap::{self, Appending, Done};
use crate::load::message::{RARE_WORD, SUBJECT_WORD};
use crate::load::{numbered, pop3};
use crate::meter::{Meter, Used};
use crate::results::{Measured, Results, Row, Section};
use crate::server::dovecot::{self, Format};
use crate::server::{PASSWORD, Places, Server, Task, USERS, waxseal};

/// Messages in the mailbox.
pub const MAILBOX: u64 = 10_000;
/// The first of those who append, behind the one with the large mailbox.
const APPENDING_USER: u64 = 21;
/// How long messages are read at random.
const AT_RANDOM: Duration = Duration::from_secs(3);

/// What a command must bring, so that nobody is fast by doing less.
#[derive(Debug, Clone, Copy)]
enum Brings {
    Mailbox,
    Rows,
    Found(u64),
    Nothing,
}

/// The commands that are timed.
fn commands() -> Vec<(&'static str, String, Brings)> {
    vec![
        ("SELECT", "SELECT INBOX".into(), Brings::Mailbox),
        ("FETCH of flags", "FETCH 1:* (UID FLAGS)".into(), Brings::Rows),
        (
            "FETCH of envelopes and sizes",
            "FETCH 1:* (UID FLAGS RFC822.SIZE ENVELOPE)".into(),
            Brings::Rows,
        ),
        (
            "FETCH of five header fields",
            "FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER.FIELDS (DATE FROM TO SUBJECT MESSAGE-ID)])"
                .into(),
            Brings::Rows,
        ),
        ("FETCH of structures", "FETCH 1:* (UID BODYSTRUCTURE)".into(), Brings::Rows),
        ("FETCH of all bodies", "FETCH 1:* (BODY.PEEK[])".into(), Brings::Rows),
        ("SEARCH for a flag", "SEARCH UNSEEN".into(), Brings::Found(MAILBOX)),
        (
            "SEARCH in a header field",
            format!("SEARCH HEADER Subject \"{SUBJECT_WORD}\""),
            Brings::Found(subjects_with_the_word()),
        ),
        ("SEARCH in bodies", format!("SEARCH BODY \"{RARE_WORD}\""), Brings::Found(MAILBOX / 100)),
        ("STORE of a flag on all", "STORE 1:* {sign}FLAGS.SILENT (\\Flagged)".into(), Brings::Nothing),
    ]
}

/// The words of a Subject follow from its number.
fn subjects_with_the_word() -> u64 {
    const WORDS: u64 = 27;
    const PLACE: u64 = 7;
    (0..MAILBOX).filter(|number| number % WORDS == PLACE || number / 7 % WORDS == PLACE).count() as u64
}

/// Fills the mailbox of every server, then measures them in turn.
pub async fn measure(places: &Places, extent: Extent, results: &mut Results) -> Result<()> {
    let mut servers = vec![waxseal::start(places, Task::File).await?];
    let formats = [Format::Maildir, Format::Single, Format::Multiple];
    for format in formats.into_iter().take(if extent.all { 3 } else { 2 }) {
        servers.push(dovecot::start(places, format).await?);
    }
    for server in &servers {
        let accounts = server.accounts()?;
        // Passwords that are remembered after the first sign-in are part of no figure.
        imap::sign_ins(&accounts, 4, USERS, USERS).await?;
        let what = Appending { first_user: 1, users: 1, sessions: 4, messages: MAILBOX, size: SIZE };
        let filled = imap::append(&accounts, what);
        let work = "APPEND of 10,000 to one mailbox, 4 sessions";
        results.add(counted(server, work, true, filled).await?)?;
    }
    for round in 0..extent.reading_rounds {
        for (work, command, brings) in commands() {
            for server in &servers {
                let row = timed(server, work, &command, brings, round).await;
                results.add(row.with_context(|| format!("{}: {work}", server.name))?)?;
            }
        }
    }
    for _ in 0..extent.rounds {
        for server in &servers {
            sessions(server, results).await.with_context(|| server.name.clone())?;
        }
    }
    Ok(())
}

/// One command in a session of its own, so that nothing is kept from the run before.
async fn timed(server: &Server, work: &str, command: &str, brings: Brings, round: u32) -> Result<Row> {
    let mut client = server.accounts()?.sign_in(1).await?;
    if !command.starts_with("SELECT") {
        client.command("SELECT INBOX").await?;
    }
    let command = command.replace("{sign}", if round.is_multiple_of(2) { "+" } else { "-" });
    let meter = Meter::start(&server.groups, false)?;
    let begun = Instant::now();
    let response = client.command(&command).await?;
    let time = begun.elapsed();
    let used = meter.stop()?;
    match brings {
        Brings::Mailbox => ensure!(response.exists == MAILBOX, "{} messages", response.exists),
        Brings::Rows => ensure!(response.fetched == MAILBOX, "{} rows", response.fetched),
        Brings::Found(count) => ensure!(response.found == count, "{} found, not {count}", response.found),
        Brings::Nothing => {}
    }
    client.command("LOGOUT").await?;
    let measured = Measured {
        p50_ms: Some(time.as_secs_f64() * 1000.0),
        processor_ms: Some(used.processor_seconds * 1000.0),
        ..Measured::default()
    };
    Ok(Row { section: Section::Command, work: work.into(), server: server.name.clone(), measured })
}

/// Everything that is counted by the second, and sessions that wait.
async fn sessions(server: &Server, results: &mut Results) -> Result<()> {
    let accounts = server.accounts()?;
    for sessions in [1, 16] {
        let work = format!("FETCH of a body at random, {}", several(sessions));
        let fetched = imap::fetch_at_random(&accounts, sessions, AT_RANDOM);
        results.add(counted(server, &work, false, fetched).await?)?;
    }
    for depth in [1, 32] {
        results.add(maildrop(server, depth).await?)?;
    }
    let signed_in = imap::sign_ins(&accounts, 16, 1500, USERS);
    results.add(counted(server, "sign in and out, 16 sessions", false, signed_in).await?)?;
    for (sessions, messages) in [(1, 300), (16, 1600)] {
        let work = format!("APPEND to mailboxes of their own, {}", several(sessions));
        let what = Appending { first_user: APPENDING_USER, users: sessions, sessions, messages, size: SIZE };
        let appended = imap::append(&accounts, what);
        results.add(counted(server, &work, true, appended).await?)?;
    }
    Ok(())
}

async fn counted(
    server: &Server,
    work: &str,
    writes: bool,
    done: impl Future<Output = Result<Done>>,
) -> Result<Row> {
    let meter = Meter::start(&server.groups, true)?;
    let done = done.await?;
    let mut measured = rate(done.count, done.time, meter.stop()?);
    measured.flushes = measured.flushes.filter(|_| writes);
    measured.p50_ms = done.latency.quantile(0.5);
    measured.p99_ms = done.latency.quantile(0.99);
    Ok(Row { section: Section::Reading, work: work.into(), server: server.name.clone(), measured })
}

async fn maildrop(server: &Server, depth: u64) -> Result<Row> {
    let address = server.pop3.clone().context("no POP3")?;
    let user = numbered("user{}@bench.test", 1);
    let meter = Meter::start(&server.groups, true)?;
    let read = pop3::read_all(&address, &user, PASSWORD, depth).await?;
    ensure!(read.messages == MAILBOX, "{} messages", read.messages);
    let mut measured = rate(read.messages, read.time, meter.stop()?);
    measured.flushes = None;
    let pace = if depth == 1 { "one at a time".into() } else { format!("{depth} on their way") };
    let work = format!("POP3 RETR of all, {pace}");
    Ok(Row { section: Section::Reading, work, server: server.name.clone(), measured })
}

fn rate(count: u64, time: Duration, used: Used) -> Measured {
    Measured {
        per_second: Some(count as f64 / time.as_secs_f64()),
        processor_ms: Some(used.processor_seconds * 1000.0 / count as f64),
        memory_kib: Some(used.pss_peak_kib as f64),
        flushes: Some(used.flushes as f64 / count as f64),
        others: Some(used.others),
        ..Measured::default()
    }
}

fn several(sessions: u64) -> String {
    if sessions == 1 { "one session".into() } else { format!("{sessions} sessions") }
}
