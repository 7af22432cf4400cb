//! A client that sends and never tries again.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use super::message::Message;

/// How the sending of a message ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Sent {
    /// The connection ended before the final dot was begun: the server cannot have taken it.
    Cut,
    /// The connection ended between the final dot and the reply: nobody knows (RFC 1047).
    InFlight,
    /// 250 after the final dot, with this queue id.
    Kept(String),
    /// Another reply.
    Refused(String),
}

/// A connection after EHLO.
pub(crate) struct Client {
    socket: BufReader<TcpStream>,
}

/// A reply takes longer only if the server hangs.
const REPLY_TIME_MAX: Duration = Duration::from_secs(60);
const PIECE_OCTETS: usize = 16 * 1024;
const END: &[u8] = b".\r\n";

impl Client {
    /// Connects and says EHLO.
    pub(crate) fn connect(port: u16) -> io::Result<Self> {
        let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(REPLY_TIME_MAX))?;
        let mut client = Self { socket: BufReader::new(socket) };
        client.expect("220")?;
        client.say("EHLO client.test\r\n")?;
        client.expect("250")?;
        Ok(client)
    }

    /// Sends a message, its commands pipelined (RFC 2920).
    pub(crate) fn send(&mut self, message: Message, sender: &str, recipients: &[&str]) -> Sent {
        match self.announce(sender, recipients).and_then(|refused| match refused {
            Some(reply) => Ok(Some(reply)),
            None => self.write_stuffed(&message.content()).map(|()| None),
        }) {
            Err(_) => return Sent::Cut,
            Ok(Some(reply)) => return Sent::Refused(reply),
            Ok(None) => {}
        }
        match self.socket.get_mut().write_all(END).and_then(|()| self.reply()) {
            Err(_) => Sent::InFlight,
            Ok(reply) => match reply.strip_prefix("250 2.0.0 ").and_then(|rest| rest.strip_suffix(" kept")) {
                Some(queue_id) => Sent::Kept(queue_id.to_owned()),
                None => Sent::Refused(reply),
            },
        }
    }

    /// MAIL, RCPT and DATA; a reply that was not expected.
    fn announce(&mut self, sender: &str, recipients: &[&str]) -> io::Result<Option<String>> {
        let mut commands = format!("MAIL FROM:<{sender}> BODY=8BITMIME\r\n");
        for recipient in recipients {
            commands.push_str(&format!("RCPT TO:<{recipient}>\r\n"));
        }
        commands.push_str("DATA\r\n");
        self.say(&commands)?;
        let mut refused = None;
        for _ in 0..=recipients.len() {
            let reply = self.reply()?;
            if !reply.starts_with("250") {
                refused.get_or_insert(reply);
            }
        }
        let reply = self.reply()?;
        if !reply.starts_with("354") {
            refused.get_or_insert(reply);
        }
        Ok(refused)
    }

    /// Content with dots doubled (RFC 5321 §4.5.2), without its end.
    fn write_stuffed(&mut self, content: &[u8]) -> io::Result<()> {
        let mut stuffed = Vec::with_capacity(content.len() + content.len() / 64);
        for line in content.split_inclusive(|&byte| byte == b'\n') {
            if line.starts_with(b".") {
                stuffed.push(b'.');
            }
            stuffed.extend_from_slice(line);
        }
        stuffed.chunks(PIECE_OCTETS).try_for_each(|piece| self.socket.get_mut().write_all(piece))
    }

    fn say(&mut self, text: &str) -> io::Result<()> {
        self.socket.get_mut().write_all(text.as_bytes())
    }

    fn expect(&mut self, code: &str) -> io::Result<()> {
        let reply = self.reply()?;
        if reply.starts_with(code) { Ok(()) } else { Err(io::Error::other(reply)) }
    }

    /// The last line of the next reply.
    fn reply(&mut self) -> io::Result<String> {
        loop {
            let mut line = String::new();
            if self.socket.read_line(&mut line)? == 0 || !line.ends_with('\n') {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if line.as_bytes().get(3) != Some(&b'-') {
                return Ok(line.trim_end().to_owned());
            }
        }
    }
}
