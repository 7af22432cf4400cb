//! A TCP connection that is read line by line.

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What is read ahead; a longer line makes it grow.
const BUFFER_OCTETS: usize = 64 * 1024;

/// A connection and what was read ahead.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// What was read and not consumed yet.
    unread: std::ops::Range<usize>,
    /// Octets read so far.
    pub octets_read: u64,
}

impl Connection {
    /// Connects.
    pub async fn open(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).await.with_context(|| address.to_owned())?;
        Self::over(stream)
    }

    /// Over a stream that is there.
    pub fn over(stream: TcpStream) -> Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: vec![0; BUFFER_OCTETS], unread: 0..0, octets_read: 0 })
    }

    /// Writes all of it.
    pub async fn write(&mut self, octets: &[u8]) -> Result<()> {
        Ok(self.stream.write_all(octets).await?)
    }

    /// Reads more; an error at the end of the stream.
    pub async fn read_more(&mut self) -> Result<()> {
        if self.unread.is_empty() {
            self.unread = 0..0;
        } else if self.unread.end == self.buffer.len() {
            self.make_room();
        }
        let count = self.stream.read(&mut self.buffer[self.unread.end..]).await?;
        if count == 0 {
            bail!("the server closed the connection");
        }
        self.unread.end += count;
        self.octets_read += count as u64;
        Ok(())
    }

    fn make_room(&mut self) {
        if self.unread.start == 0 {
            self.buffer.resize(self.buffer.len() * 2, 0);
        } else {
            self.buffer.copy_within(self.unread.clone(), 0);
            self.unread = 0..self.unread.len();
        }
    }

    /// What was read and not consumed yet.
    pub fn unread(&self) -> &[u8] {
        &self.buffer[self.unread.clone()]
    }

    /// The next line with its line end.
    pub async fn line(&mut self) -> Result<&[u8]> {
        let mut looked_at = 0;
        loop {
            if let Some(at) = memchr::memchr(b'\n', &self.unread()[looked_at..]) {
                let begin = self.unread.start;
                self.unread.start += looked_at + at + 1;
                return Ok(&self.buffer[begin..self.unread.start]);
            }
            looked_at = self.unread.len();
            self.read_more().await?;
        }
    }

    /// Passes over this many octets.
    pub async fn skip(&mut self, mut count: usize) -> Result<()> {
        while count > self.unread.len() {
            count -= self.unread.len();
            self.unread.start = self.unread.end;
            self.read_more().await?;
        }
        self.unread.start += count;
        Ok(())
    }

    /// An SMTP reply: its code and its last line.
    pub async fn reply(&mut self) -> Result<(u16, String)> {
        loop {
            let line = self.line().await?;
            let text = String::from_utf8_lossy(line).trim_end().to_owned();
            if line.get(3) != Some(&b'-') {
                let code = text.get(..3).and_then(|code| code.parse().ok());
                return Ok((code.with_context(|| format!("no reply: {text}"))?, text));
            }
        }
    }

    /// An SMTP reply that must be of this class (2: done).
    pub async fn expect(&mut self, class: u16) -> Result<()> {
        match self.reply().await? {
            (code, _) if code / 100 == class => Ok(()),
            (_, text) => bail!("{text}"),
        }
    }
}
