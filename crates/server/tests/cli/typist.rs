//! SMTP and POP3 as a person would type them.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A client that types lines.
pub(crate) struct Typist {
    stream: BufReader<TcpStream>,
}

impl Typist {
    /// Connects and reads the greeting.
    pub(crate) fn connect(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let mut typist = Self { stream: BufReader::new(stream) };
        typist.reply();
        typist
    }

    /// Its own end of the connection.
    pub(crate) fn address(&self) -> String {
        self.stream.get_ref().local_addr().unwrap().to_string()
    }

    /// A line without its end; empty at the end of the connection.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        let _ = self.stream.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// The last line of a reply.
    pub(crate) fn reply(&mut self) -> String {
        loop {
            let line = self.line();
            if line.as_bytes().get(3) != Some(&b'-') {
                return line;
            }
        }
    }

    pub(crate) fn say(&mut self, line: &str) {
        self.stream.get_mut().write_all(format!("{line}\r\n").as_bytes()).unwrap();
    }

    pub(crate) fn ask(&mut self, line: &str) -> String {
        self.say(line);
        self.reply()
    }

    /// EHLO, MAIL, RCPT; the answer to RCPT.
    pub(crate) fn envelope(&mut self, from: &str, to: &str) -> String {
        self.ask("EHLO client.example");
        assert_eq!(self.ask(&format!("MAIL FROM:<{from}>")), "250 2.1.0 sender noted");
        self.ask(&format!("RCPT TO:<{to}>"))
    }

    /// DATA.
    pub(crate) fn begin(&mut self) {
        assert!(self.ask("DATA").starts_with("354 "));
    }

    /// A message; the answer to its end.
    pub(crate) fn content(&mut self, subject: &str) -> String {
        self.ask(&format!("Subject: {subject}\r\nMessage-ID: <{subject}@client.example>\r\n\r\nx\r\n."))
    }
}
