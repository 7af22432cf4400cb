//! One session, driven by calls: what `wire::drive` is without sockets.

use std::sync::Arc;
use std::time::{Duration, Instant};

use protocol::{ClientCertificate, End, Session, Step, TlsFacts, Upgrade};

use crate::fake::Side;

/// A connection, whatever it speaks. An error is a defect of the session.
pub(super) trait Connection {
    /// The client has connected; `tls`: with TLS from the first byte.
    fn begin(&mut self, now: Instant, tls: bool) -> Result<(), String>;
    /// The client has a certificate for this email.
    fn present(&mut self, email: &str);
    /// The client has sent this.
    fn receive(&mut self, now: Instant, bytes: &[u8]) -> Result<(), String>;
    /// The client makes a handshake.
    fn start_tls(&mut self, now: Instant) -> Result<(), String>;
    /// The client closes its side.
    fn half_close(&mut self, now: Instant) -> Result<(), String>;
    /// The connection breaks.
    fn cut(&mut self, now: Instant);
    /// The deadline has passed.
    fn woken(&mut self, now: Instant) -> Result<(), String>;
    /// The server stops.
    fn stopping(&mut self, now: Instant) -> Result<(), String>;
    /// News is told, if there is any.
    fn tell(&mut self, now: Instant) -> Result<(), String>;
    /// When [`woken`](Self::woken) is due; none if it is closed.
    fn deadline(&self) -> Option<Instant>;
    /// What the server sent since the last call.
    fn take_output(&mut self) -> Vec<u8>;
    /// Whether the server has closed.
    fn is_closed(&self) -> bool;
    /// Whether the server waits for a handshake, or for compressed input.
    fn awaits_handshake(&self) -> bool;
}

/// A session with the application that answers it.
pub(super) struct Link<S, A> {
    session: S,
    /// Dropped when the connection is over, as a handler is.
    side: Option<A>,
    phase: Phase,
    /// What the client sent and the session has not taken, because it did not read.
    input: Vec<u8>,
    /// The client will send nothing more.
    input_ended: bool,
    output: Vec<u8>,
    /// The session has asked for compression.
    compresses: bool,
    certificate: Option<Arc<ClientCertificate>>,
    until: Instant,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    Handshake,
    Closed,
}

/// A session that does not read for so long at most holds a reply back; one that would not for longer waits for an answer.
const HELD_MAX: Duration = Duration::from_secs(60);
/// A session that takes this many steps for one input will take steps for ever.
const STEPS_MAX: usize = 10_000_000;

impl<S: Session, A: Side<S>> Link<S, A> {
    pub(super) fn new(session: S, side: A, now: Instant) -> Self {
        Self {
            session,
            side: Some(side),
            phase: Phase::Open,
            input: Vec::new(),
            input_ended: false,
            output: Vec::new(),
            compresses: false,
            certificate: None,
            until: now,
        }
    }

    /// Does what the session says until it waits.
    fn pump(&mut self, now: Instant) -> Result<(), String> {
        for _ in 0..STEPS_MAX {
            if self.phase != Phase::Open {
                return Ok(());
            }
            match self.session.next() {
                Step::Send(bytes) => self.output.extend_from_slice(&bytes),
                Step::Ask(question) => {
                    let side = self.side.as_mut().expect("there until the connection is over");
                    let answer = side.decide(question);
                    self.session.answer(now, answer);
                }
                Step::Upgrade(Upgrade::Tls) => self.phase = Phase::Handshake,
                // Compression is the transport's affair, as records of TLS are: in memory there is none.
                Step::Upgrade(Upgrade::Deflate) => self.compresses = true,
                Step::Close => self.end(now, End::Closed),
                Step::Await { until, read } => {
                    self.until = until;
                    if !read && until.saturating_duration_since(now) <= HELD_MAX {
                        return Ok(());
                    }
                    if !read {
                        return Err("the session waits for an answer, but every question was answered".into());
                    }
                    if !self.read(now) {
                        return Ok(());
                    }
                }
            }
        }
        Err("the session does not come to rest".into())
    }

    /// Hands input to a session that reads. False: there is nothing.
    fn read(&mut self, now: Instant) -> bool {
        if !self.input.is_empty() {
            let input = std::mem::take(&mut self.input);
            self.session.receive(now, &input);
        } else if self.input_ended {
            self.end(now, End::HalfClosed);
        } else {
            return false;
        }
        true
    }

    fn end(&mut self, now: Instant, end: End) {
        if self.phase != Phase::Closed {
            self.phase = Phase::Closed;
            self.session.ended(now, end);
            self.side = None;
        }
    }

    fn secure(&mut self, now: Instant) {
        let facts = TlsFacts {
            version: "TLS1.3".into(),
            cipher: "TLS_AES_256_GCM_SHA384".into(),
            server_name: Some("mx.example".into()),
            verified: self.certificate.is_some(),
            certificate: self.certificate.clone(),
            exporter: Some(EXPORTER),
            end_point: None,
        };
        self.session.secured(now, facts);
    }
}

/// What sign-ins bind themselves to: there is no handshake that could yield it.
const EXPORTER: [u8; 32] = *b"thirty-two octets that are bound";

impl<S: Session, A: Side<S>> Connection for Link<S, A> {
    fn begin(&mut self, now: Instant, tls: bool) -> Result<(), String> {
        if tls {
            self.secure(now);
        }
        self.pump(now)
    }

    fn present(&mut self, email: &str) {
        let names = vec![email.to_owned()];
        self.certificate = Some(Arc::new(ClientCertificate { names, ..ClientCertificate::default() }));
    }

    fn receive(&mut self, now: Instant, bytes: &[u8]) -> Result<(), String> {
        match self.phase {
            Phase::Open => {
                self.input.extend_from_slice(bytes);
                self.pump(now)
            }
            // Clear text is no handshake.
            Phase::Handshake => {
                self.end(now, End::Cut);
                Ok(())
            }
            Phase::Closed => Ok(()),
        }
    }

    fn start_tls(&mut self, now: Instant) -> Result<(), String> {
        if self.phase != Phase::Handshake {
            return Err("the server does not wait for a handshake".into());
        }
        self.phase = Phase::Open;
        self.secure(now);
        self.pump(now)
    }

    fn half_close(&mut self, now: Instant) -> Result<(), String> {
        self.input_ended = true;
        if self.phase == Phase::Handshake {
            self.end(now, End::Cut);
        }
        self.pump(now)
    }

    fn cut(&mut self, now: Instant) {
        self.end(now, End::Cut);
    }

    fn woken(&mut self, now: Instant) -> Result<(), String> {
        let deadline = self.until;
        if self.phase == Phase::Handshake {
            self.end(now, End::Cut); // The driver gives a handshake no longer than this.
        }
        if self.phase == Phase::Open {
            self.session.woken(now);
            self.pump(now)?;
        }
        if self.phase == Phase::Open && self.until <= deadline {
            return Err("the session was woken and waits for the same moment again".into());
        }
        Ok(())
    }

    fn stopping(&mut self, now: Instant) -> Result<(), String> {
        if self.phase == Phase::Open {
            self.session.stopping(now);
            self.pump(now)?;
        }
        Ok(())
    }

    fn tell(&mut self, now: Instant) -> Result<(), String> {
        if let (Phase::Open, Some(news)) = (self.phase, self.side.as_mut().and_then(A::news)) {
            self.session.tell(now, news);
            self.pump(now)?;
        }
        Ok(())
    }

    fn deadline(&self) -> Option<Instant> {
        (self.phase != Phase::Closed).then_some(self.until)
    }

    fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    fn is_closed(&self) -> bool {
        self.phase == Phase::Closed
    }

    fn awaits_handshake(&self) -> bool {
        self.phase == Phase::Handshake || self.compresses
    }
}
