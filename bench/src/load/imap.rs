//! An IMAP client that sends commands and counts what comes back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::connection::Connection;
use super::latency::Latency;
use super::message::{Messages, draw};
use super::numbered;

/// Whose mailboxes, and where.
#[derive(Debug, Clone)]
pub struct Accounts {
    /// The server.
    pub address: String,
    /// `user{}@bench.test`.
    pub user: String,
    /// The same for all.
    pub password: String,
}

impl Accounts {
    /// A connection, signed in as this user.
    pub async fn sign_in(&self, number: u64) -> Result<Client> {
        let mut connection = Connection::open(&self.address).await?;
        connection.line().await?;
        let mut client = Client { connection, tag: 0 };
        client.command(&format!("LOGIN {} {}", numbered(&self.user, number), self.password)).await?;
        Ok(client)
    }
}

/// A connection that is signed in.
#[derive(Debug)]
pub struct Client {
    connection: Connection,
    tag: u32,
}

/// What a command brought.
#[derive(Debug, Default)]
pub struct Response {
    /// FETCH responses.
    pub fetched: u64,
    /// Numbers in a SEARCH response.
    pub found: u64,
    /// EXISTS.
    pub exists: u64,
    /// The last other untagged line, if it is short.
    pub line: String,
}

impl Client {
    /// Sends a command and waits for its OK.
    pub async fn command(&mut self, line: &str) -> Result<Response> {
        self.tag += 1;
        let tag = format!("t{} ", self.tag);
        self.connection.write(format!("{tag}{line}\r\n").as_bytes()).await?;
        self.response(&tag).await.with_context(|| line.split(' ').next().unwrap_or_default().to_owned())
    }

    async fn response(&mut self, tag: &str) -> Result<Response> {
        let mut response = Response::default();
        let mut begins = true;
        loop {
            let line = self.connection.line().await?;
            if begins {
                if let Some(status) = line.strip_prefix(tag.as_bytes()) {
                    if status.starts_with(b"OK") {
                        return Ok(response);
                    }
                    bail!("{}", String::from_utf8_lossy(status).trim_end());
                }
                response.count(line);
            }
            let literal = literal(line);
            begins = literal.is_none();
            if let Some(octets) = literal {
                self.connection.skip(octets).await?;
            }
        }
    }

    /// APPEND to INBOX, with a literal that waits for no answer (RFC 7888).
    pub async fn append(&mut self, message: &[u8]) -> Result<()> {
        self.tag += 1;
        let tag = format!("t{} ", self.tag);
        let mut command = format!("{tag}APPEND INBOX {{{}+}}\r\n", message.len()).into_bytes();
        command.extend_from_slice(message);
        command.extend_from_slice(b"\r\n");
        self.connection.write(&command).await?;
        self.response(&tag).await.map(drop)
    }

    /// How many messages are in INBOX.
    pub async fn messages(&mut self) -> Result<u64> {
        let line = self.command("STATUS INBOX (MESSAGES)").await?.line;
        let count = line.rsplit("MESSAGES ").next().and_then(|rest| rest.trim_end_matches(')').parse().ok());
        count.with_context(|| format!("no count: {line}"))
    }
}

impl Response {
    fn count(&mut self, line: &[u8]) {
        const SHORT: usize = 512;
        let Some(rest) = line.strip_prefix(b"* ") else { return };
        let digits = rest.iter().take_while(|octet| octet.is_ascii_digit()).count();
        match &rest[digits..] {
            word if digits > 0 && word.starts_with(b" FETCH") => self.fetched += 1,
            word if digits > 0 && word.starts_with(b" EXISTS") => {
                let number = std::str::from_utf8(&rest[..digits]).ok().and_then(|digits| digits.parse().ok());
                self.exists = number.unwrap_or(0);
            }
            word if word.starts_with(b"SEARCH") => {
                self.found = word.iter().filter(|&&octet| octet == b' ').count() as u64;
            }
            word if word.len() < SHORT => self.line = String::from_utf8_lossy(word).trim_end().to_owned(),
            _ => {}
        }
    }
}

/// The length of the literal that a line announces at its end.
fn literal(line: &[u8]) -> Option<usize> {
    let line = line.strip_suffix(b"}\r\n")?;
    let open = memchr::memrchr(b'{', line)?;
    std::str::from_utf8(&line[open + 1..]).ok()?.parse().ok()
}

/// How often something was done by several sessions.
#[derive(Debug)]
pub struct Done {
    /// By all sessions.
    pub count: u64,
    /// From the first beginning to the last end.
    pub time: Duration,
    /// Of one.
    pub latency: Latency,
}

/// What is appended.
#[derive(Debug, Clone, Copy)]
pub struct Appending {
    /// The first user whose INBOX is appended to.
    pub first_user: u64,
    /// How many users take turns among the sessions.
    pub users: u64,
    /// Sessions.
    pub sessions: u64,
    /// Messages of all sessions together.
    pub messages: u64,
    /// Octets of a message.
    pub size: usize,
}

/// Each session appends one message after the other until all are there.
pub async fn append(accounts: &Accounts, what: Appending) -> Result<Done> {
    let content = Arc::new(Messages::of(what.size));
    let next = Arc::new(AtomicU64::new(0));
    together(what.sessions, |session| {
        let (accounts, content, next) = (accounts.clone(), content.clone(), next.clone());
        async move {
            let user = what.first_user + session % what.users;
            let mut client = accounts.sign_in(user).await?;
            let to = numbered(&accounts.user, user);
            let (mut latency, mut message) = (Latency::default(), Vec::new());
            loop {
                let number = next.fetch_add(1, Relaxed);
                if number >= what.messages {
                    client.command("LOGOUT").await?;
                    return Ok(latency);
                }
                message.clear();
                content.write(number, "sender@bench.example", &to, &mut message);
                let begun = Instant::now();
                client.append(&message).await?;
                latency.add(begun.elapsed());
            }
        }
    })
    .await
}

/// Sessions of the first user read one whole message after the other, drawn at random, for so long.
pub async fn fetch_at_random(accounts: &Accounts, sessions: u64, time: Duration) -> Result<Done> {
    together(sessions, |session| {
        let accounts = accounts.clone();
        async move {
            let mut client = accounts.sign_in(1).await?;
            let exists = client.command("SELECT INBOX").await?.exists.max(1);
            let mut latency = Latency::default();
            let mut chance = 0x1234_5678_9ABC_DEF1 ^ (session + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let begun = Instant::now();
            while begun.elapsed() < time {
                let number = draw(&mut chance) % exists + 1;
                let begun = Instant::now();
                client.command(&format!("FETCH {number} (BODY.PEEK[])")).await?;
                latency.add(begun.elapsed());
            }
            client.command("LOGOUT").await?;
            Ok(latency)
        }
    })
    .await
}

/// Connects, signs in and out again, so often; users take turns.
pub async fn sign_ins(accounts: &Accounts, sessions: u64, count: u64, users: u64) -> Result<Done> {
    let next = Arc::new(AtomicU64::new(0));
    together(sessions, |_| {
        let (accounts, next) = (accounts.clone(), next.clone());
        async move {
            let mut latency = Latency::default();
            loop {
                let number = next.fetch_add(1, Relaxed);
                if number >= count {
                    return Ok(latency);
                }
                let begun = Instant::now();
                accounts.sign_in(number % users + 1).await?.command("LOGOUT").await?;
                latency.add(begun.elapsed());
            }
        }
    })
    .await
}

/// Looks until the mailboxes of these users hold so many messages together; when that was.
pub async fn wait(clients: &mut [Client], messages: u64, time_max: Duration) -> Result<Instant> {
    let until = Instant::now() + time_max;
    let share = messages / clients.len() as u64;
    for client in &mut *clients {
        while client.messages().await? < share && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }
    let mut filed = 0;
    for client in &mut *clients {
        filed += client.messages().await?;
    }
    if filed < messages {
        bail!("{filed} of {messages} messages were filed in {time_max:?}");
    }
    Ok(Instant::now())
}

async fn together<F>(sessions: u64, session: impl Fn(u64) -> F) -> Result<Done>
where
    F: Future<Output = Result<Latency>> + Send + 'static,
{
    let begun = Instant::now();
    let tasks: Vec<_> = (0..sessions).map(|number| tokio::spawn(session(number))).collect();
    let mut latency = Latency::default();
    for task in tasks {
        latency.merge(task.await??);
    }
    Ok(Done { count: latency.count(), time: begun.elapsed(), latency })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals() {
        assert_eq!(literal(b"* 1 FETCH (BODY[] {12}\r\n"), Some(12));
        assert_eq!(literal(b"* 1 FETCH (FLAGS ())\r\n"), None);
        assert_eq!(literal(b"* OK {x}\r\n"), None);
    }

    #[test]
    fn responses_are_counted() {
        let mut response = Response::default();
        for line in [
            "* 10 EXISTS\r\n",
            "* 3 FETCH (UID 3)\r\n",
            "* SEARCH 1 2 3\r\n",
            "* STATUS INBOX (MESSAGES 7)\r\n",
        ] {
            response.count(line.as_bytes());
        }
        assert_eq!((response.exists, response.fetched, response.found), (10, 1, 3));
        assert_eq!(response.line, "STATUS INBOX (MESSAGES 7)");
    }
}
