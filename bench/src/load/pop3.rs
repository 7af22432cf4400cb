//! A POP3 client that reads a whole maildrop.

use std::fmt::Write;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::connection::Connection;

/// What a session read.
#[derive(Debug)]
pub struct Read {
    /// Messages.
    pub messages: u64,
    /// From the first RETR to the last line.
    pub time: Duration,
}

/// Signs in and reads every message, with so many RETR on their way at a time (RFC 2449 §6.6).
pub async fn read_all(address: &str, user: &str, password: &str, depth: u64) -> Result<Read> {
    let mut connection = Connection::open(address).await?;
    one_line(&mut connection).await?;
    for command in [format!("USER {user}\r\n"), format!("PASS {password}\r\n")] {
        connection.write(command.as_bytes()).await?;
        one_line(&mut connection).await?;
    }
    connection.write(b"STAT\r\n").await?;
    let stat = one_line(&mut connection).await?;
    let messages = stat.split(' ').nth(1).and_then(|count| count.parse().ok());
    let messages = messages.with_context(|| format!("no count: {stat}"))?;
    let begun = Instant::now();
    retrieve(&mut connection, messages, depth).await?;
    let time = begun.elapsed();
    connection.write(b"QUIT\r\n").await?;
    one_line(&mut connection).await?;
    Ok(Read { messages, time })
}

async fn retrieve(connection: &mut Connection, messages: u64, depth: u64) -> Result<()> {
    let mut asked = 0;
    for got in 0..messages {
        let mut commands = String::new();
        while asked < messages && asked - got < depth {
            asked += 1;
            write!(commands, "RETR {asked}\r\n")?;
        }
        if !commands.is_empty() {
            connection.write(commands.as_bytes()).await?;
        }
        one_line(connection).await?;
        while connection.line().await? != b".\r\n" {}
    }
    Ok(())
}

async fn one_line(connection: &mut Connection) -> Result<String> {
    let line = String::from_utf8_lossy(connection.line().await?).trim_end().to_owned();
    if !line.starts_with("+OK") {
        bail!("POP3: {line}");
    }
    Ok(line)
}
