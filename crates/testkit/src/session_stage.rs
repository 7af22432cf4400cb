//! Plays on a protocol session in memory, with the [fake application](crate::fake) and a clock that jumps.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::fake::{Fake, Shared};
use crate::play::{Arrived, Patience, Stage};
use crate::transcript::{Check, Fixture, Protocol, Side};

mod connect;
mod link;

use link::Connection;

/// Sessions in memory. One play, one thread.
pub struct SessionStage {
    fake: Shared,
    fixture: Fixture,
    now: Instant,
    connections: BTreeMap<usize, Box<dyn Connection>>,
    /// The emails of clients' certificates.
    presented: BTreeMap<usize, String>,
}

impl SessionStage {
    /// A stage with what a fixture gives. The error is a sentence about the fixture.
    #[expect(clippy::disallowed_methods, reason = "where virtual time begins; it is never read again")]
    pub fn new(fixture: &Fixture) -> Result<Self, String> {
        let fake = Rc::new(RefCell::new(Fake::new(fixture)?));
        Ok(Self {
            fake,
            fixture: fixture.clone(),
            now: Instant::now(),
            connections: BTreeMap::new(),
            presented: BTreeMap::new(),
        })
    }

    /// Tells every connection what the last event changed for it.
    fn tell(&mut self) -> Result<(), String> {
        let now = self.now;
        self.connections.values_mut().try_for_each(|connection| connection.tell(now))
    }

    fn connection(&mut self, client: usize) -> &mut dyn Connection {
        self.connections.get_mut(&client).expect("the player opens first").as_mut()
    }
}

impl Stage for SessionStage {
    fn open(&mut self, client: usize, protocol: Protocol, tls: bool) -> Result<(), String> {
        let mut connection = connect::connect(protocol, &self.fixture, &self.fake, self.now)?;
        if let Some(email) = self.presented.get(&client) {
            connection.present(email);
        }
        connection.begin(self.now, tls)?;
        self.connections.insert(client, connection);
        Ok(())
    }

    fn present(&mut self, client: usize, email: &str) -> Result<(), String> {
        self.presented.insert(client, email.to_owned());
        if let Some(connection) = self.connections.get_mut(&client) {
            connection.present(email);
        }
        Ok(())
    }

    fn send(&mut self, client: usize, bytes: &[u8]) -> Result<(), String> {
        let now = self.now;
        self.connection(client).receive(now, bytes)?;
        self.tell()
    }

    fn read(&mut self, client: usize, _: Patience) -> Result<Arrived, String> {
        let connection = self.connection(client);
        let output = connection.take_output();
        Ok(match (output.is_empty(), connection.is_closed()) {
            (false, _) => Arrived::Bytes(output),
            (true, true) => Arrived::Closed,
            (true, false) => Arrived::Nothing,
        })
    }

    fn start_tls(&mut self, client: usize) -> Result<(), String> {
        let now = self.now;
        self.connection(client).start_tls(now)
    }

    fn end_tls(&mut self, client: usize) -> Result<(), String> {
        let now = self.now;
        self.connection(client).cut(now);
        Ok(())
    }

    fn close(&mut self, client: usize, _: Side) -> Result<(), String> {
        let now = self.now;
        self.connection(client).half_close(now)
    }

    fn wait(&mut self, time: Duration) -> Result<(), String> {
        let end = self.now + time;
        let next_deadline = |stage: &Self| {
            stage
                .connections
                .iter()
                .filter_map(|(&client, c)| Some((c.deadline()?, client)))
                .min()
                .filter(|next| next.0 <= end)
        };
        while let Some((deadline, client)) = next_deadline(self) {
            self.now = self.now.max(deadline);
            let now = self.now;
            self.connection(client).woken(now)?;
            self.tell()?;
        }
        self.now = end;
        Ok(())
    }

    fn stop(&mut self) -> Result<(), String> {
        let now = self.now;
        self.connections.values_mut().try_for_each(|connection| connection.stopping(now))
    }

    fn check(&mut self, check: &Check) -> Result<(), String> {
        self.fake.borrow().check(check)
    }

    fn compresses(&self) -> bool {
        false
    }

    fn awaits_handshake(&self, client: usize) -> bool {
        self.connections.get(&client).is_some_and(|connection| connection.awaits_handshake())
    }
}
