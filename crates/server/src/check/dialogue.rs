//! What the check says and hears, in the words of each protocol.

use std::io;
use std::sync::Arc;

use settings::{Protocol, VirtualServer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use wire::Stream;
use wire::tls::{Towards, Trust, Verification};

use crate::limits::CHECK_REPLY_OCTETS_MAX;

/// A client that trusts nobody and wants nothing.
pub(super) struct Dialogue {
    /// Absent after a handshake that failed.
    stream: Option<Stream>,
    unread: Vec<u8>,
    protocol: Protocol,
    host_name: String,
}

/// How far a handshake came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Secured {
    /// To its end.
    Wholly,
    /// To the certificate that a client must show here, and we have none.
    NoFurther,
}

/// How the name of the check stands in EHLO (RFC 2606 §2).
const OUR_NAME: &str = "self-check.invalid";

impl Dialogue {
    pub(super) fn new(stream: Stream, properties: &VirtualServer) -> Self {
        let (protocol, host_name) = (properties.protocol, properties.host_name.as_str().to_owned());
        Self { stream: Some(stream), unread: Vec::new(), protocol, host_name }
    }

    /// Hears the greeting, which in SMTP says the name of the virtual server.
    pub(super) async fn greeting(&mut self) -> Result<(), String> {
        let line = self.line().await.map_err(|why| format!("did not greet: {why}"))?;
        let greets = match self.protocol {
            Protocol::Smtp | Protocol::Submission | Protocol::Lmtp => {
                line.starts_with("220")
                    && line[3..].trim_start_matches(['-', ' ']).starts_with(&self.host_name)
            }
            Protocol::Pop3 => line.starts_with("+OK"),
            Protocol::Imap => line.starts_with("* OK"),
        };
        if !greets {
            return Err(format!("greeted with {}", mail::printable(&line)));
        }
        let goes_on = line.starts_with("220-");
        while goes_on && self.line().await?.starts_with("220-") {}
        Ok(())
    }

    /// Asks what there is; whether TLS is.
    pub(super) async fn offers(&mut self) -> Result<bool, String> {
        let lines = match self.protocol {
            Protocol::Smtp | Protocol::Submission => self.ask(&format!("EHLO {OUR_NAME}")).await?,
            Protocol::Lmtp => self.ask(&format!("LHLO {OUR_NAME}")).await?,
            Protocol::Pop3 => self.ask("CAPA").await?,
            Protocol::Imap => self.ask("CAPABILITY").await?,
        };
        let keyword = if self.protocol == Protocol::Pop3 { "STLS" } else { "STARTTLS" };
        Ok(lines.iter().flat_map(|line| line.split([' ', '-'])).any(|word| word == keyword))
    }

    pub(super) async fn start_tls(&mut self) -> Result<(), String> {
        self.ask(if self.protocol == Protocol::Pop3 { "STLS" } else { "STARTTLS" }).await.map(drop)
    }

    /// Shakes hands. The certificate must be good for the name of the virtual server, whoever vouches for it: what it is
    /// trusted for is known to its clients alone.
    pub(super) async fn secure(&mut self, shows_certificate: bool) -> Result<Secured, String> {
        // A store of sessions of its own: one that is resumed shows no certificate.
        let trust = Trust::only(&[]).map_err(|error| error.to_string())?;
        let towards = Towards {
            trust: Arc::new(trust),
            name: self.host_name.clone(),
            verification: Verification::Name,
        };
        let stream = self.stream.take().expect("a dialogue that failed is over");
        match stream.secure_towards(&towards).await {
            Err(error) if is_of_certificate(&error) => {
                Err(format!("shows a certificate that is not good for {}: {error}", self.host_name))
            }
            // TLS 1.2 tells of it in the handshake, TLS 1.3 after it.
            _ if shows_certificate => Ok(Secured::NoFurther),
            Err(error) => Err(format!("the TLS handshake failed: {error}")),
            Ok((stream, _)) => {
                self.stream = Some(stream);
                Ok(Secured::Wholly)
            }
        }
    }

    /// POP3 has no NOOP before sign-in (RFC 1939 §4), and CAPA was asked.
    pub(super) async fn noop(&mut self) -> Result<(), String> {
        match self.protocol {
            Protocol::Pop3 => Ok(()),
            _ => self.ask("NOOP").await.map(drop),
        }
    }

    pub(super) async fn quit(&mut self) -> Result<(), String> {
        self.ask(if self.protocol == Protocol::Imap { "LOGOUT" } else { "QUIT" }).await.map(drop)
    }

    /// A command and its reply, which must be a good one.
    async fn ask(&mut self, command: &str) -> Result<Vec<String>, String> {
        let tag = if self.protocol == Protocol::Imap { "c " } else { "" };
        let said = format!("{tag}{command}\r\n");
        let stream = self.stream.as_mut().expect("a dialogue that failed is over");
        let written = async {
            stream.write_all(said.as_bytes()).await?;
            stream.flush().await
        };
        written.await.map_err(|error| format!("closed before {command}: {error}"))?;
        let mut lines = Vec::new();
        loop {
            let line = self.line().await.map_err(|why| format!("did not answer {command}: {why}"))?;
            let is_last = is_last(self.protocol, command, &line);
            lines.push(line);
            if is_last {
                break;
            }
        }
        // In POP3 the first line is the status, elsewhere the last.
        let status = if self.protocol == Protocol::Pop3 { &lines[0] } else { &lines[lines.len() - 1] };
        match status.starts_with(good(self.protocol)) {
            true => Ok(lines),
            false => Err(format!("answered {command} with {}", mail::printable(status))),
        }
    }

    async fn line(&mut self) -> Result<String, String> {
        loop {
            if let Some(end) = self.unread.iter().position(|&octet| octet == b'\n') {
                let line: Vec<u8> = self.unread.drain(..=end).collect();
                return Ok(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
            if self.unread.len() > CHECK_REPLY_OCTETS_MAX {
                return Err("the line has no end".into());
            }
            let mut chunk = [0; 1024];
            let stream = self.stream.as_mut().expect("a dialogue that failed is over");
            match stream.read(&mut chunk).await {
                Ok(0) => return Err("the connection was closed".into()),
                Ok(count) => self.unread.extend_from_slice(&chunk[..count]),
                Err(error) => return Err(error.to_string()),
            }
        }
    }
}

fn is_of_certificate(error: &io::Error) -> bool {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    matches!(tls, Some(rustls::Error::InvalidCertificate(_)))
}

fn is_last(protocol: Protocol, command: &str, line: &str) -> bool {
    match protocol {
        Protocol::Smtp | Protocol::Submission | Protocol::Lmtp => line.as_bytes().get(3) != Some(&b'-'),
        Protocol::Pop3 if command == "CAPA" => line == "." || line.starts_with("-ERR"),
        Protocol::Pop3 => true,
        Protocol::Imap => line.starts_with("c "),
    }
}

fn good(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Smtp | Protocol::Submission | Protocol::Lmtp => "2",
        Protocol::Pop3 => "+OK",
        Protocol::Imap => "c OK",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_end_where_their_protocol_says() {
        for (protocol, command, line, expected) in [
            (Protocol::Smtp, "EHLO", "250-PIPELINING", false),
            (Protocol::Smtp, "EHLO", "250 HELP", true),
            (Protocol::Pop3, "CAPA", "+OK", false),
            (Protocol::Pop3, "CAPA", ".", true),
            (Protocol::Pop3, "QUIT", "+OK", true),
            (Protocol::Imap, "NOOP", "* 1 EXISTS", false),
            (Protocol::Imap, "NOOP", "c OK done", true),
        ] {
            assert_eq!(is_last(protocol, command, line), expected, "{line}");
        }
    }
}
