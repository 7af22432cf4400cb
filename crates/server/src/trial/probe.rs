//! The probe of `waxseal try`: a message through the whole path, as any mail program would send and read it.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use world::World;

use super::screen::{Probe, SampleAccount};

/// Longer than this, and the probe has failed.
const TIME_MAX: Duration = Duration::from_secs(20);

/// Sends a message to the account over SMTP and reads it over POP3.
///
/// # Errors
/// What the server answered instead of what it should, or the connection's error.
pub(super) async fn run(
    world: &World,
    smtp: SocketAddr,
    pop3: SocketAddr,
    to: &SampleAccount,
) -> io::Result<Probe> {
    let began = world.clock.now();
    let mark = format!("{:016x}", world.dice.throw());
    let sent_and_read = async {
        send(smtp, &to.address, &mark).await?;
        read(pop3, to, &mark).await
    };
    let timed = tokio::select! {
        biased;
        arrived = sent_and_read => arrived,
        () = world.clock.sleep(TIME_MAX) => Err(io::Error::other(format!("no answer for {} seconds", TIME_MAX.as_secs()))),
    };
    let milliseconds = u64::try_from(world.clock.now().duration_since(began).as_millis()).unwrap_or(u64::MAX);
    timed.map(|arrived| Probe { arrived, milliseconds })
}

async fn send(smtp: SocketAddr, to: &str, mark: &str) -> io::Result<()> {
    let mut dialogue = Dialogue::open(smtp).await?;
    dialogue.expect("220").await?;
    let body = format!(
        "From: <{to}>\r\nTo: <{to}>\r\nSubject: The probe arrived\r\nMessage-ID: <{mark}@probe.invalid>\r\n\r\n\
         This message was sent by the server to itself, by SMTP, when it started. Mark: {mark}\r\n."
    );
    let steps = [
        ("EHLO probe.invalid", "250 "),
        (&format!("MAIL FROM:<{to}>"), "250 "),
        (&format!("RCPT TO:<{to}>"), "250 "),
    ];
    for (command, reply) in steps {
        dialogue.say(command).await?;
        dialogue.expect(reply).await?;
    }
    for (command, reply) in [("DATA", "354"), (&body, "250 "), ("QUIT", "221")] {
        dialogue.say(command).await?;
        dialogue.expect(reply).await?;
    }
    Ok(())
}

/// Whether the newest email of the maildrop holds the mark.
async fn read(pop3: SocketAddr, account: &SampleAccount, mark: &str) -> io::Result<bool> {
    let mut dialogue = Dialogue::open(pop3).await?;
    dialogue.expect("+OK").await?;
    for command in [format!("USER {}", account.address), format!("PASS {}", account.password), "STAT".into()]
    {
        dialogue.say(&command).await?;
        dialogue.expect("+OK").await?;
    }
    let count = dialogue.last.split(' ').nth(1).unwrap_or("0").to_owned();
    dialogue.say(&format!("RETR {count}")).await?;
    dialogue.expect("+OK").await?;
    let mut found = false;
    while dialogue.line().await? != "." {
        found |= dialogue.last.contains(mark);
    }
    dialogue.say("QUIT").await?;
    dialogue.expect("+OK").await?;
    Ok(found)
}

struct Dialogue {
    stream: BufReader<TcpStream>,
    said: String,
    last: String,
}

impl Dialogue {
    async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = BufReader::new(world::net::connect(address).await?);
        Ok(Self { stream, said: "connecting".into(), last: String::new() })
    }

    async fn say(&mut self, line: &str) -> io::Result<()> {
        // A password is not repeated in an error.
        self.said =
            if line.starts_with("PASS ") { "PASS".into() } else { line.lines().next().unwrap_or("").into() };
        self.stream.get_mut().write_all(format!("{line}\r\n").as_bytes()).await
    }

    async fn line(&mut self) -> io::Result<&str> {
        self.last.clear();
        if self.stream.read_line(&mut self.last).await? == 0 {
            return Err(io::Error::other(format!("the server closed the connection after {}", self.said)));
        }
        self.last.truncate(self.last.trim_end().len());
        Ok(&self.last)
    }

    /// Reads lines up to the last of a reply, which must start as expected.
    async fn expect(&mut self, start: &str) -> io::Result<()> {
        while self.line().await?.get(3..4) == Some("-") {}
        if self.last.starts_with(start) {
            return Ok(());
        }
        Err(io::Error::other(format!("{} was answered: {}", self.said, mail::printable(&self.last))))
    }
}
