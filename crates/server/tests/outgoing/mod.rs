//! A message that is submitted in a simulated world and leaves for its network.
#![allow(dead_code, reason = "each test program uses a part")]

use std::time::Duration;

use admin::{QueueSelection, Request, Response};
use expect_test::Expect;
use testkit::{Cut, Protocol, Stage, Transcript, play};
use world::resolver::Zone;

use crate::stage::memory::MemoryStage;
use crate::stage::network::Network;
use crate::stage::place::Place;
use crate::stage::telling::{dated, without_ids};

/// Bob has an account, signs in and submits.
const SUBMITS: &str = "given account bob@example.org secret\ngiven option authentication-without-tls on\n\
    given option may-send-as anyone\ngiven client 1 submission\ngiven client 2 pop3\n";
const SIGNS_IN: &str = "S: 220 *\nC: EHLO client.example\n...\nS: 250 *\n\
    C: AUTH PLAIN AGJvYkBleGFtcGxlLm9yZwBzZWNyZXQ=\nS: 235 *\nC: MAIL FROM:<bob@example.org>\nS: 250 *\n";
/// Its content, and the end of the connection.
pub(crate) const CONTENT: &str = "C: DATA\nS: 354 *\nC: From: Bob <bob@example.org>\nC: To: Carol <carol@example.net>\n\
    C: Subject: the plan\nC: Date: Sun, 22 Nov 2026 10:00:00 +0000\nC: Message-ID: <plan@client.example>\nC:\n\
    C: marked-body\nC: .\nS: 250 *\nC: QUIT\nS: 221 *\nS: <closed>\n";

/// A world in which Bob's message was submitted.
pub(crate) struct World(MemoryStage);

impl World {
    /// To these recipients, in this network, with these settings.
    pub(crate) fn with(network: &Network, recipients: &[&str], more: &str) -> Self {
        let recipients: String =
            recipients.iter().map(|recipient| format!("C: RCPT TO:<{recipient}>\nS: 250 *\n")).collect();
        let text = [SUBMITS, SIGNS_IN, &recipients, CONTENT].concat();
        Self::playing(network, &text, more)
    }

    /// With these commands of the envelope, each of which is accepted.
    pub(crate) fn asking(network: &Network, given: &str, mail: &str, recipients: &[&str]) -> Self {
        Self::asking_of(network, given, mail, recipients, CONTENT)
    }

    /// The same, of this content.
    pub(crate) fn asking_of(
        network: &Network,
        given: &str,
        mail: &str,
        recipients: &[&str],
        content: &str,
    ) -> Self {
        let signs_in = SIGNS_IN.replace("C: MAIL FROM:<bob@example.org>\n", &format!("C: {mail}\n"));
        let recipients: String =
            recipients.iter().map(|recipient| format!("C: RCPT TO:{recipient}\nS: 250 *\n")).collect();
        Self::playing(network, &[given, SUBMITS, &signs_in, &recipients, content].concat(), "")
    }

    /// To Carol, as binary content.
    pub(crate) fn binary(network: &Network) -> Self {
        let signs_in = SIGNS_IN.replace("<bob@example.org>\n", "<bob@example.org> BODY=BINARYMIME\n");
        let chunk = "C: RCPT TO:<carol@example.net>\nS: 250 *\nC: BDAT 40 LAST\nC~ From: bob@example.org\\r\\nSubject: x\\r\\n\\r\\na\\nb\nS: 250 *\n";
        let quits = "C: QUIT\nS: 221 *\nS: <closed>\n";
        Self::playing(network, &[SUBMITS, &signs_in, chunk, quits].concat(), "")
    }

    pub(crate) fn playing(network: &Network, text: &str, more: &str) -> Self {
        let transcript = Transcript::parse(&format!("# A story\n{text}")).unwrap();
        let place = Place::new(&transcript.fixture).unwrap().with_settings(more);
        let mut world = Self(MemoryStage::within(place, network).unwrap());
        world.play(&transcript);
        world.wait(1);
        world
    }

    /// Says what each client heard.
    fn play(&mut self, transcript: &Transcript) -> testkit::Played {
        play(transcript, Protocol::Smtp, &mut self.0, Cut::Whole)
            .unwrap_or_else(|failure| panic!("{failure}"))
    }

    pub(crate) fn wait(&mut self, secs: u64) {
        self.0.wait(Duration::from_secs(secs)).unwrap();
    }

    /// The stories of what this address sent or got.
    pub(crate) fn trace(&self, address: &str) -> String {
        dated(&self.0.trace(address).unwrap())
    }

    /// Compares the stories of everything that Bob sent or got.
    pub(crate) fn check(&self, expected: Expect) -> String {
        let told = self.0.trace("bob@example.org").unwrap();
        assert!(!told.contains("marked"), "no content, no password:\n{told}");
        expected.assert_eq(&dated(&told));
        told
    }

    /// What is done to the message.
    pub(crate) fn administer(&self, request: fn(QueueSelection) -> Request) {
        let told = self.0.trace("bob@example.org").unwrap();
        let queue_id = told.lines().next().unwrap().to_owned();
        let answer = self.0.administer(request(QueueSelection::QueueId(queue_id))).unwrap();
        assert!(!matches!(answer, Response::Refused(_)), "{answer:?}");
    }

    /// The messages in Bob's maildrop, with line ends as text has them.
    pub(crate) fn maildrop(&mut self, count: usize) -> Vec<String> {
        let retrieve = (1..=count).map(|number| format!("2C: RETR {number}\n2S: +OK *\n2...\n2S: .\n"));
        let text = format!(
            "# Bob reads\n{SUBMITS}2S: +OK *\n2C: USER bob@example.org\n2S: +OK *\n2C: PASS secret\n\
             2S: +OK maildrop has {count} messages *\n{}2C: QUIT\n2S: +OK *\n2S: <closed>\n",
            retrieve.collect::<String>()
        );
        self.read(&text, "bob@example.org")
    }

    /// The messages that the second client hears, whose sender this is.
    pub(crate) fn read(&mut self, text: &str, sender: &str) -> Vec<String> {
        let heard = self.play(&Transcript::parse(text).unwrap()).output.remove(&2).unwrap();
        let heard = String::from_utf8(heard).unwrap();
        let messages = heard.split(" octets\r\n").skip(1);
        let told = self.0.trace(sender).unwrap();
        let content = |rest: &str| rest.split_once("\r\n.\r\n").unwrap().0.replace("\r\n", "\n") + "\n";
        messages.map(|rest| without_ids(&told, &content(rest))).collect()
    }
}

/// One domain with two exchangers.
pub(crate) fn example_net() -> Network {
    let address = |text: &str| text.parse().unwrap();
    let zone = Zone::new()
        .mx("example.net", 10, "mx1.example.net")
        .mx("example.net", 20, "mx2.example.net")
        .address("mx1.example.net", address("192.0.2.1"))
        .address("mx2.example.net", address("192.0.2.2"));
    Network::new(zone)
}
