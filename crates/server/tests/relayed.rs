//! What the journal tells of a message that leaves: routes, attempts and dialogues, and how each delivery ended; and what
//! its sender is told in reports.
//!
//! All of it happens in a simulated world, days of it in an instant.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod stage;

use std::time::Duration;

use admin::{QueueSelection, Request, Response};
use expect_test::{Expect, expect};
use stage::memory::MemoryStage;
use stage::network::Network;
use stage::place::Place;
use stage::telling::{dated, without_ids};
use testkit::peer::{Authority, Do, Identity, Script, Stage as At};
use testkit::{Cut, Protocol, Stage, Transcript, play};
use world::resolver::Zone;

/// Bob has an account, signs in and submits.
const SUBMITS: &str = "given account bob@example.org secret\ngiven option authentication-without-tls on\n\
    given client 1 submission\ngiven client 2 pop3\n";
const SIGNS_IN: &str = "S: 220 *\nC: EHLO client.example\n...\nS: 250 *\n\
    C: AUTH PLAIN AGJvYkBleGFtcGxlLm9yZwBzZWNyZXQ=\nS: 235 *\nC: MAIL FROM:<bob@example.org>\nS: 250 *\n";
const CONTENT: &str = "C: DATA\nS: 354 *\nC: From: Bob <bob@example.org>\nC: To: Carol <carol@example.net>\n\
    C: Subject: the plan\nC: Date: Sun, 22 Nov 2026 10:00:00 +0000\nC: Message-ID: <plan@client.example>\nC:\n\
    C: marked-body\nC: .\nS: 250 *\nC: QUIT\nS: 221 *\nS: <closed>\n";

/// A world in which Bob's message was submitted.
struct World(MemoryStage);

impl World {
    /// To these recipients, in this network, with these settings.
    fn with(network: &Network, recipients: &[&str], more: &str) -> Self {
        let recipients: String =
            recipients.iter().map(|recipient| format!("C: RCPT TO:<{recipient}>\nS: 250 *\n")).collect();
        let text = [SUBMITS, SIGNS_IN, &recipients, CONTENT].concat();
        Self::playing(network, &text, more)
    }

    fn playing(network: &Network, text: &str, more: &str) -> Self {
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

    fn wait(&mut self, secs: u64) {
        self.0.wait(Duration::from_secs(secs)).unwrap();
    }

    /// Compares the stories of everything that Bob sent or got.
    fn check(&self, expected: Expect) -> String {
        let told = self.0.trace("bob@example.org").unwrap();
        assert!(!told.contains("marked"), "no content, no password:\n{told}");
        expected.assert_eq(&dated(&told));
        told
    }

    /// What is done to the message.
    fn administer(&self, request: fn(QueueSelection) -> Request) {
        let told = self.0.trace("bob@example.org").unwrap();
        let queue_id = told.lines().next().unwrap().to_owned();
        let answer = self.0.administer(request(QueueSelection::QueueId(queue_id))).unwrap();
        assert!(!matches!(answer, Response::Refused(_)), "{answer:?}");
    }

    /// The messages in Bob's maildrop, with line ends as text has them.
    fn maildrop(&mut self, count: usize) -> Vec<String> {
        let retrieve = (1..=count).map(|number| format!("2C: RETR {number}\n2S: +OK *\n2...\n2S: .\n"));
        let text = format!(
            "# Bob reads\n{SUBMITS}2S: +OK *\n2C: USER bob@example.org\n2S: +OK *\n2C: PASS secret\n\
             2S: +OK maildrop has {count} messages *\n{}2C: QUIT\n2S: +OK *\n2S: <closed>\n",
            retrieve.collect::<String>()
        );
        let heard = self.play(&Transcript::parse(&text).unwrap()).output.remove(&2).unwrap();
        let heard = String::from_utf8(heard).unwrap();
        let messages = heard.split(" octets\r\n").skip(1);
        let told = self.0.trace("bob@example.org").unwrap();
        let content = |rest: &str| rest.split_once("\r\n.\r\n").unwrap().0.replace("\r\n", "\n") + "\n";
        messages.map(|rest| without_ids(&told, &content(rest))).collect()
    }
}

/// One domain with two exchangers.
fn example_net() -> Network {
    let address = |text: &str| text.parse().unwrap();
    let zone = Zone::new()
        .mx("example.net", 10, "mx1.example.net")
        .mx("example.net", 20, "mx2.example.net")
        .address("mx1.example.net", address("192.0.2.1"))
        .address("mx2.example.net", address("192.0.2.2"));
    Network::new(zone)
}

#[test]
fn relayed() {
    let mut network = example_net();
    let second =
        network.host("192.0.2.2:25", Script::smtp().starttls(Identity::self_signed(&["mx2.example.net"])));
    let world = World::with(&network, &["carol@example.net", "dan@example.net"], "");
    world.check(expect![[r#"
        QUEUE-ID-1
          11-22 10:00:00  accept        from 127.0.0.1:PORT by virtual server "submission"
          11-22 10:00:00  speak         EHLO client.example, no TLS, signed in as bob@example.org
          11-22 10:00:00  judge         sender <bob@example.org> accepted
          11-22 10:00:00  judge         recipient <carol@example.net> accepted
          11-22 10:00:00                because relay: who signed in may send to other domains (signed-in bob@example.org)
          11-22 10:00:00  judge         recipient <dan@example.net> accepted
          11-22 10:00:00                because relay: who signed in may send to other domains (signed-in bob@example.org)
          11-22 10:00:00  spool         168 octets, Message-ID <plan@client.example>
          11-22 10:00:00  judge         content accepted
          11-22 10:00:00  enqueue       from <bob@example.org> to <carol@example.net>, <dan@example.net>
          11-22 10:00:00  deliver       example.net: <carol@example.net>, <dan@example.net> queued
          11-22 10:00:00  end           250 2.0.0 kept
          11-22 10:00:00  route         example.net: mx1.example.net [192.0.2.1]:25, mx2.example.net [192.0.2.2]:25
          11-22 10:00:00                because example.net names 2 mail exchangers
          11-22 10:00:00  attempt       number 1 for example.net at mx1.example.net [192.0.2.1]:25: the connection was refused
          11-22 10:00:00  attempt       number 1 for example.net at mx2.example.net [192.0.2.2]:25, TLS1.3: relayed
                                        0.000  < 220 peer.example ready
                                        0.000  > EHLO mx.example
                                        0.000  < 250 peer.example / PIPELINING / SIZE 52428800 / 8BITMIME / ENHANCEDSTATUSCODES / STARTTLS
                                        0.000  > STARTTLS
                                        0.000  < 220 2.0.0 go ahead
                                        0.000  > (TLS: TLS1.3 TLS_AES_256_GCM_SHA384)
                                        0.000  > EHLO mx.example
                                        0.000  < 250 peer.example / PIPELINING / SIZE 52428800 / 8BITMIME / ENHANCEDSTATUSCODES
                                        0.000  > MAIL FROM:<bob@example.org> SIZE=293
                                        0.000  > RCPT TO:<carol@example.net>
                                        0.000  > RCPT TO:<dan@example.net>
                                        0.000  > DATA
                                        0.000  < 250 2.1.0 sender taken
                                        0.000  < 250 2.1.5 recipient taken
                                        0.000  < 250 2.1.5 recipient taken
                                        0.000  < 354 go on
                                        0.000  > (content, 293 octets)
                                        0.000  < 250 2.0.0 taken
          11-22 10:00:00  deliver       example.net: <carol@example.net>, <dan@example.net> relayed: mx2.example.net [192.0.2.2]:25: 250 2.0.0 taken (in answer to the end of the content)
    "#]]);
    assert_eq!(second.taken().len(), 1);
    assert_eq!(second.complaints(), [""; 0]);
}

#[test]
fn deferred_then_relayed() {
    let mut network = example_net();
    let host = network.host(
        "192.0.2.1:25",
        Script::smtp().at(At::Rcpt, Do::Reply("451 4.7.1 greylisted, come again")).first(1),
    );
    let mut world = World::with(&network, &["carol@example.net"], "");
    assert_eq!(host.taken().len(), 0);
    world.wait(3600);
    world.check(expect![[r#"
        QUEUE-ID-1
          11-22 10:00:00  accept        from 127.0.0.1:PORT by virtual server "submission"
          11-22 10:00:00  speak         EHLO client.example, no TLS, signed in as bob@example.org
          11-22 10:00:00  judge         sender <bob@example.org> accepted
          11-22 10:00:00  judge         recipient <carol@example.net> accepted
          11-22 10:00:00                because relay: who signed in may send to other domains (signed-in bob@example.org)
          11-22 10:00:00  spool         168 octets, Message-ID <plan@client.example>
          11-22 10:00:00  judge         content accepted
          11-22 10:00:00  enqueue       from <bob@example.org> to <carol@example.net>
          11-22 10:00:00  deliver       example.net: <carol@example.net> queued
          11-22 10:00:00  end           250 2.0.0 kept
          11-22 10:00:00  route         example.net: mx1.example.net [192.0.2.1]:25, mx2.example.net [192.0.2.2]:25
          11-22 10:00:00                because example.net names 2 mail exchangers
          11-22 10:00:00  attempt       number 1 for example.net at mx1.example.net [192.0.2.1]:25, no TLS: 451 4.7.1 greylisted, come again (in answer to RCPT)
                                        0.000  < 220 peer.example ready
                                        0.000  > EHLO mx.example
                                        0.000  < 250 peer.example / PIPELINING / SIZE 52428800 / 8BITMIME / ENHANCEDSTATUSCODES
                                        0.000  > MAIL FROM:<bob@example.org> SIZE=319
                                        0.000  > RCPT TO:<carol@example.net>
                                        0.000  > DATA
                                        0.000  < 250 2.1.0 sender taken
                                        0.000  < 451 4.7.1 greylisted, come again
                                        0.000  < 503 5.5.1 no recipients
          11-22 10:00:00  deliver       example.net: <carol@example.net> deferred, next try 2026-11-22 10:15:08.065: mx1.example.net [192.0.2.1]:25: 451 4.7.1 greylisted, come again (in answer to RCPT)
          11-22 10:15:08  route         example.net: mx1.example.net [192.0.2.1]:25, mx2.example.net [192.0.2.2]:25
          11-22 10:15:08                because example.net names 2 mail exchangers
          11-22 10:15:08  attempt       number 2 for example.net at mx1.example.net [192.0.2.1]:25, no TLS: relayed
                                        0.000  < 220 peer.example ready
                                        0.000  > EHLO mx.example
                                        0.000  < 250 peer.example / PIPELINING / SIZE 52428800 / 8BITMIME / ENHANCEDSTATUSCODES
                                        0.000  > MAIL FROM:<bob@example.org> SIZE=319
                                        0.000  > RCPT TO:<carol@example.net>
                                        0.000  > DATA
                                        0.000  < 250 2.1.0 sender taken
                                        0.000  < 250 2.1.5 recipient taken
                                        0.000  < 354 go on
                                        0.000  > (content, 319 octets)
                                        0.000  < 250 2.0.0 taken
          11-22 10:15:08  deliver       example.net: <carol@example.net> relayed: mx1.example.net [192.0.2.1]:25: 250 2.0.0 taken (in answer to the end of the content)
    "#]]);
    assert_eq!(host.taken().len(), 1);
}

#[test]
fn bounced() {
    let mut network = example_net();
    network.host(
        "192.0.2.1:25",
        Script::smtp().for_recipient(
            "carol@example.net",
            Do::Reply("550-5.1.1 no such user\n550 5.1.1 see https://example.net/help"),
        ),
    );
    let mut world = World::with(&network, &["carol@example.net", "dan@example.net"], "");
    world.check(expect![[r#"
        QUEUE-ID-1
          11-22 10:00:00  accept        from 127.0.0.1:PORT by virtual server "submission"
          11-22 10:00:00  speak         EHLO client.example, no TLS, signed in as bob@example.org
          11-22 10:00:00  judge         sender <bob@example.org> accepted
          11-22 10:00:00  judge         recipient <carol@example.net> accepted
          11-22 10:00:00                because relay: who signed in may send to other domains (signed-in bob@example.org)
          11-22 10:00:00  judge         recipient <dan@example.net> accepted
          11-22 10:00:00                because relay: who signed in may send to other domains (signed-in bob@example.org)
          11-22 10:00:00  spool         168 octets, Message-ID <plan@client.example>
          11-22 10:00:00  judge         content accepted
          11-22 10:00:00  enqueue       from <bob@example.org> to <carol@example.net>, <dan@example.net>
          11-22 10:00:00  deliver       example.net: <carol@example.net>, <dan@example.net> queued
          11-22 10:00:00  end           250 2.0.0 kept
          11-22 10:00:00  route         example.net: mx1.example.net [192.0.2.1]:25, mx2.example.net [192.0.2.2]:25
          11-22 10:00:00                because example.net names 2 mail exchangers
          11-22 10:00:00  attempt       number 1 for example.net at mx1.example.net [192.0.2.1]:25, no TLS: relayed to 1 of 2; 550 5.1.1 no such user / see https://example.net/help (in answer to RCPT)
                                        0.000  < 220 peer.example ready
                                        0.000  > EHLO mx.example
                                        0.000  < 250 peer.example / PIPELINING / SIZE 52428800 / 8BITMIME / ENHANCEDSTATUSCODES
                                        0.000  > MAIL FROM:<bob@example.org> SIZE=293
                                        0.000  > RCPT TO:<carol@example.net>
                                        0.000  > RCPT TO:<dan@example.net>
                                        0.000  > DATA
                                        0.000  < 250 2.1.0 sender taken
                                        0.000  < 550 5.1.1 no such user / see https://example.net/help
                                        0.000  < 250 2.1.5 recipient taken
                                        0.000  < 354 go on
                                        0.000  > (content, 293 octets)
                                        0.000  < 250 2.0.0 taken
          11-22 10:00:00  deliver       example.net: <dan@example.net> relayed: mx1.example.net [192.0.2.1]:25: 250 2.0.0 taken (in answer to the end of the content)
          11-22 10:00:00  deliver       example.net: <carol@example.net> bounced: mx1.example.net [192.0.2.1]:25: 550 5.1.1 no such user / see https://example.net/help (in answer to RCPT)
          11-22 10:00:00  end           reported to <bob@example.org> by the message QUEUE-ID-2
        QUEUE-ID-2
          11-22 10:00:00  enqueue       from <> to <bob@example.org>
          11-22 10:00:00  file          in INBOX of bob@example.org for <bob@example.org>
    "#]]);
    expect![[r#"
        Return-Path: <>
        Delivered-To: bob@example.org
        From: Mail Delivery System <postmaster@example.org>
        To: <bob@example.org>
        Subject: Your message could not be delivered
        Date: Sun, 22 Nov 2026 10:00:00 +0000
        Message-ID: <QUEUE-ID-2@mx.example>
        In-Reply-To: <plan@client.example>
        References: <plan@client.example>
        Auto-Submitted: auto-replied
        MIME-Version: 1.0
        Content-Type: multipart/report; report-type=delivery-status;
         boundary="report-QUEUE-ID-2"

        --report-QUEUE-ID-2
        Content-Type: text/plain; charset=us-ascii

        Your message of Sun, 22 Nov 2026 10:00:00 +0000 could not be delivered to:

          carol@example.net
            mx1.example.net said: 550 5.1.1 no such user / see
            https://example.net/help
            Check the address for typing errors. The mailbox may no longer exist.

        It will not be tried again for these recipients. The header of your message
        follows below.
        The administrator of mx.example finds it under the number QUEUE-ID-1.

        --report-QUEUE-ID-2
        Content-Type: message/delivery-status

        Reporting-MTA: dns; mx.example
        X-Queue-ID: QUEUE-ID-1
        Arrival-Date: Sun, 22 Nov 2026 10:00:00 +0000

        Final-Recipient: rfc822; carol@example.net
        Action: failed
        Status: 5.1.1
        Remote-MTA: dns; mx1.example.net
        Diagnostic-Code: smtp; 550 5.1.1 no such user / see https://example.net/help
        Last-Attempt-Date: Sun, 22 Nov 2026 10:00:00 +0000

        --report-QUEUE-ID-2
        Content-Type: text/rfc822-headers

        Received: from client.example ([127.0.0.1])
         by mx.example with ESMTPA id QUEUE-ID-1;
         Sun, 22 Nov 2026 10:00:00 +0000
        From: Bob <bob@example.org>
        To: Carol <carol@example.net>
        Subject: the plan
        Date: Sun, 22 Nov 2026 10:00:00 +0000
        Message-ID: <plan@client.example>

        --report-QUEUE-ID-2--
    "#]]
    .assert_eq(&world.maildrop(1)[0]);
}

/// The settings' own words: a notification after 4 hours, an end after 5 days; each is told once.
#[test]
fn expired() {
    let mut network = example_net();
    let never = Script::smtp().at(At::Rcpt, Do::Reply("451 4.3.0 no room for mail"));
    network.host("192.0.2.1:25", never);
    let terms = "[delivery]\nretry = [\"4 h\", \"then every 48 h\"]\n";
    let mut world = World::with(&network, &["carol@example.net"], terms);
    world.wait(5 * 3600);
    let notification = world.maildrop(1).remove(0);
    expect![[r#"
        Return-Path: <>
        Delivered-To: bob@example.org
        From: Mail Delivery System <postmaster@example.org>
        To: <bob@example.org>
        Subject: Your message is late, and still on its way
        Date: Sun, 22 Nov 2026 14:02:04 +0000
        Message-ID: <QUEUE-ID-2@mx.example>
        In-Reply-To: <plan@client.example>
        References: <plan@client.example>
        Auto-Submitted: auto-replied
        MIME-Version: 1.0
        Content-Type: multipart/report; report-type=delivery-status;
         boundary="report-QUEUE-ID-2"

        --report-QUEUE-ID-2
        Content-Type: text/plain; charset=us-ascii

        Your message of Sun, 22 Nov 2026 10:00:00 +0000 has not yet been delivered to:

          carol@example.net
            mx1.example.net said: 451 4.3.0 no room for mail

        It is tried again until Fri, 27 Nov 2026 10:00:00 +0000. You need not send it
        again: if it cannot be delivered by then, you will be told.
        The administrator of mx.example finds it under the number QUEUE-ID-1.

        --report-QUEUE-ID-2
        Content-Type: message/delivery-status

        Reporting-MTA: dns; mx.example
        X-Queue-ID: QUEUE-ID-1
        Arrival-Date: Sun, 22 Nov 2026 10:00:00 +0000

        Final-Recipient: rfc822; carol@example.net
        Action: delayed
        Status: 4.3.0
        Remote-MTA: dns; mx1.example.net
        Diagnostic-Code: smtp; 451 4.3.0 no room for mail
        Last-Attempt-Date: Sun, 22 Nov 2026 14:02:04 +0000
        Will-Retry-Until: Fri, 27 Nov 2026 10:00:00 +0000

        --report-QUEUE-ID-2
        Content-Type: text/rfc822-headers

        Received: from client.example ([127.0.0.1])
         by mx.example with ESMTPA id QUEUE-ID-1
         for <carol@example.net>;
         Sun, 22 Nov 2026 10:00:00 +0000
        From: Bob <bob@example.org>
        To: Carol <carol@example.net>
        Subject: the plan
        Date: Sun, 22 Nov 2026 10:00:00 +0000
        Message-ID: <plan@client.example>

        --report-QUEUE-ID-2--
    "#]]
    .assert_eq(&notification);
    world.wait(114 * 3600);
    assert_eq!(world.maildrop(1).len(), 1);
    world.wait(2 * 3600);
    world.check(expect![[r#"
        QUEUE-ID-1
          11-22 10:00:00  accept        from 127.0.0.1:PORT by virtual server "submission"
          11-22 10:00:00  speak         EHLO client.example, no TLS, signed in as bob@example.org
          11-22 10:00:00  judge         sender <bob@example.org> accepted
          11-22 10:00:00  judge         recipient <carol@example.net> accepted
          11-22 10:00:00                because relay: who signed in may send to other domains (signed-in bob@example.org)
          11-22 10:00:00  spool         168 octets, Message-ID <plan@client.example>
          11-22 10:00:00  judge         content accepted
          11-22 10:00:00  enqueue       from <bob@example.org> to <carol@example.net>
          11-22 10:00:00  deliver       example.net: <carol@example.net> queued
          11-22 10:00:00  end           250 2.0.0 kept
          11-22 10:00:00  route         example.net: mx1.example.net [192.0.2.1]:25, mx2.example.net [192.0.2.2]:25
          11-22 10:00:00                because example.net names 2 mail exchangers
          11-22 10:00:00  attempt       number 1 for example.net at mx1.example.net [192.0.2.1]:25, no TLS: 451 4.3.0 no room for mail (in answer to RCPT)
                                        0.000  < 220 peer.example ready
                                        0.000  > EHLO mx.example
                                        0.000  < 250 peer.example / PIPELINING / SIZE 52428800 / 8BITMIME / ENHANCEDSTATUSCODES
                                        0.000  > MAIL FROM:<bob@example.org> SIZE=319
                                        0.000  > RCPT TO:<carol@example.net>
                                        0.000  > DATA
                                        0.000  < 250 2.1.0 sender taken
                                        0.000  < 451 4.3.0 no room for mail
                                        0.000  < 503 5.5.1 no recipients
          11-22 10:00:00  deliver       example.net: <carol@example.net> deferred, next try 2026-11-22 14:02:04.606: mx1.example.net [192.0.2.1]:25: 451 4.3.0 no room for mail (in answer to RCPT)
          11-22 14:02:04  route         example.net: mx1.example.net [192.0.2.1]:25, mx2.example.net [192.0.2.2]:25
          11-22 14:02:04                because example.net names 2 mail exchangers
          11-22 14:02:04  attempt       number 2 for example.net at mx1.example.net [192.0.2.1]:25, no TLS: 451 4.3.0 no room for mail (in answer to RCPT)
                                        0.000  < 220 peer.example ready
                                        0.000  > EHLO mx.example
                                        0.000  < 250 peer.example / PIPELINING / SIZE 52428800 / 8BITMIME / ENHANCEDSTATUSCODES
                                        0.000  > MAIL FROM:<bob@example.org> SIZE=319
                                        0.000  > RCPT TO:<carol@example.net>
                                        0.000  > DATA
                                        0.000  < 250 2.1.0 sender taken
                                        0.000  < 451 4.3.0 no room for mail
                                        0.000  < 503 5.5.1 no recipients
          11-22 14:02:04  deliver       example.net: <carol@example.net> deferred, next try 2026-11-24 19:55:30.734: mx1.example.net [192.0.2.1]:25: 451 4.3.0 no room for mail (in answer to RCPT)
          11-22 14:02:04  notify        the sender is told that <carol@example.net> must wait, by report QUEUE-ID-2
          11-24 19:55:30  route         example.net: mx1.example.net [192.0.2.1]:25, mx2.example.net [192.0.2.2]:25
          11-24 19:55:30                because example.net names 2 mail exchangers
          11-24 19:55:30  attempt       number 3 for example.net at mx1.example.net [192.0.2.1]:25, no TLS: 451 4.3.0 no room for mail (in answer to RCPT)
                                        0.000  < 220 peer.example ready
                                        0.000  > EHLO mx.example
                                        0.000  < 250 peer.example / PIPELINING / SIZE 52428800 / 8BITMIME / ENHANCEDSTATUSCODES
                                        0.000  > MAIL FROM:<bob@example.org> SIZE=319
                                        0.000  > RCPT TO:<carol@example.net>
                                        0.000  > DATA
                                        0.000  < 250 2.1.0 sender taken
                                        0.000  < 451 4.3.0 no room for mail
                                        0.000  < 503 5.5.1 no recipients
          11-24 19:55:30  deliver       example.net: <carol@example.net> deferred, next try 2026-11-26 21:19:07.416: mx1.example.net [192.0.2.1]:25: 451 4.3.0 no room for mail (in answer to RCPT)
          11-26 21:19:07  route         example.net: mx1.example.net [192.0.2.1]:25, mx2.example.net [192.0.2.2]:25
          11-26 21:19:07                because example.net names 2 mail exchangers
          11-26 21:19:07  attempt       number 4 for example.net at mx1.example.net [192.0.2.1]:25, no TLS: 451 4.3.0 no room for mail (in answer to RCPT)
                                        0.000  < 220 peer.example ready
                                        0.000  > EHLO mx.example
                                        0.000  < 250 peer.example / PIPELINING / SIZE 52428800 / 8BITMIME / ENHANCEDSTATUSCODES
                                        0.000  > MAIL FROM:<bob@example.org> SIZE=319
                                        0.000  > RCPT TO:<carol@example.net>
                                        0.000  > DATA
                                        0.000  < 250 2.1.0 sender taken
                                        0.000  < 451 4.3.0 no room for mail
                                        0.000  < 503 5.5.1 no recipients
          11-26 21:19:07  deliver       example.net: <carol@example.net> deferred, next try 2026-11-27 10:00:00.000: mx1.example.net [192.0.2.1]:25: 451 4.3.0 no room for mail (in answer to RCPT)
          11-27 10:00:00  route         example.net: mx1.example.net [192.0.2.1]:25, mx2.example.net [192.0.2.2]:25
          11-27 10:00:00                because example.net names 2 mail exchangers
          11-27 10:00:00  attempt       number 5 for example.net at mx1.example.net [192.0.2.1]:25, no TLS: 451 4.3.0 no room for mail (in answer to RCPT)
                                        0.000  < 220 peer.example ready
                                        0.000  > EHLO mx.example
                                        0.000  < 250 peer.example / PIPELINING / SIZE 52428800 / 8BITMIME / ENHANCEDSTATUSCODES
                                        0.000  > MAIL FROM:<bob@example.org> SIZE=319
                                        0.000  > RCPT TO:<carol@example.net>
                                        0.000  > DATA
                                        0.000  < 250 2.1.0 sender taken
                                        0.000  < 451 4.3.0 no room for mail
                                        0.000  < 503 5.5.1 no recipients
          11-27 10:00:00  deliver       example.net: <carol@example.net> expired: mx1.example.net [192.0.2.1]:25: 451 4.3.0 no room for mail (in answer to RCPT)
          11-27 10:00:00  end           reported to <bob@example.org> by the message QUEUE-ID-3
        QUEUE-ID-2
          11-22 14:02:04  enqueue       from <> to <bob@example.org>
          11-22 14:02:04  file          in INBOX of bob@example.org for <bob@example.org>
        QUEUE-ID-3
          11-27 10:00:00  enqueue       from <> to <bob@example.org>
          11-27 10:00:00  file          in INBOX of bob@example.org for <bob@example.org>
    "#]]);
    let all = world.maildrop(2);
    assert_eq!(all[0], notification);
    expect![[r#"
        Return-Path: <>
        Delivered-To: bob@example.org
        From: Mail Delivery System <postmaster@example.org>
        To: <bob@example.org>
        Subject: Your message could not be delivered
        Date: Fri, 27 Nov 2026 10:00:00 +0000
        Message-ID: <QUEUE-ID-3@mx.example>
        In-Reply-To: <plan@client.example>
        References: <plan@client.example>
        Auto-Submitted: auto-replied
        MIME-Version: 1.0
        Content-Type: multipart/report; report-type=delivery-status;
         boundary="report-QUEUE-ID-3"

        --report-QUEUE-ID-3
        Content-Type: text/plain; charset=us-ascii

        Your message of Sun, 22 Nov 2026 10:00:00 +0000 could not be delivered to:

          carol@example.net
            It was tried for 5 days and is given up (4.4.7). The last attempt ended
            like this:
            mx1.example.net said: 451 4.3.0 no room for mail
            The other side could not be reached, or put it off each time. Send it
            again later, or reach the recipient another way.

        It will not be tried again for these recipients. The header of your message
        follows below.
        The administrator of mx.example finds it under the number QUEUE-ID-1.

        --report-QUEUE-ID-3
        Content-Type: message/delivery-status

        Reporting-MTA: dns; mx.example
        X-Queue-ID: QUEUE-ID-1
        Arrival-Date: Sun, 22 Nov 2026 10:00:00 +0000

        Final-Recipient: rfc822; carol@example.net
        Action: failed
        Status: 4.4.7
        Remote-MTA: dns; mx1.example.net
        Diagnostic-Code: smtp; 451 4.3.0 no room for mail
        Last-Attempt-Date: Fri, 27 Nov 2026 10:00:00 +0000

        --report-QUEUE-ID-3
        Content-Type: text/rfc822-headers

        Received: from client.example ([127.0.0.1])
         by mx.example with ESMTPA id QUEUE-ID-1
         for <carol@example.net>;
         Sun, 22 Nov 2026 10:00:00 +0000
        From: Bob <bob@example.org>
        To: Carol <carol@example.net>
        Subject: the plan
        Date: Sun, 22 Nov 2026 10:00:00 +0000
        Message-ID: <plan@client.example>

        --report-QUEUE-ID-3--
    "#]]
    .assert_eq(&all[1]);
}

#[test]
fn handed_on_by_lmtp_to_one_and_refused_for_another() {
    let mut network = Network::new(Zone::new());
    let full = Do::Reply("552 5.2.2 the mailbox is full");
    let host = network.host("127.0.0.1:2424", Script::lmtp().content_for("erin@lists.example.org", full));
    let handed_on = "[[local-domain]]\ndomain = \"lists.example.org\"\nlmtp = \"127.0.0.1:2424\"\n";
    let recipients = ["dan@lists.example.org", "erin@lists.example.org"];
    let mut world = World::with(&network, &recipients, handed_on);
    world.check(expect![[r#"
        QUEUE-ID-1
          11-22 10:00:00  accept        from 127.0.0.1:PORT by virtual server "submission"
          11-22 10:00:00  speak         EHLO client.example, no TLS, signed in as bob@example.org
          11-22 10:00:00  judge         sender <bob@example.org> accepted
          11-22 10:00:00  judge         recipient <dan@lists.example.org> accepted
          11-22 10:00:00                because recipient: the domain is ours, and the server that has its mailboxes will say who is known
          11-22 10:00:00  judge         recipient <erin@lists.example.org> accepted
          11-22 10:00:00                because recipient: the domain is ours, and the server that has its mailboxes will say who is known
          11-22 10:00:00  spool         168 octets, Message-ID <plan@client.example>
          11-22 10:00:00  judge         content accepted
          11-22 10:00:00  enqueue       from <bob@example.org> to <dan@lists.example.org>, <erin@lists.example.org>
          11-22 10:00:00  deliver       lists.example.org: <dan@lists.example.org>, <erin@lists.example.org> queued
          11-22 10:00:00  end           250 2.0.0 kept
          11-22 10:00:00  route         lists.example.org: [127.0.0.1]:2424
          11-22 10:00:00                because the settings say where this mail goes
          11-22 10:00:00  attempt       number 1 for lists.example.org at [127.0.0.1]:2424, no TLS: relayed to 1 of 2; 552 5.2.2 the mailbox is full (in answer to the end of the content)
                                        0.000  < 220 peer.example ready
                                        0.000  > LHLO mx.example
                                        0.000  < 250 peer.example / PIPELINING / SIZE 52428800 / 8BITMIME / ENHANCEDSTATUSCODES
                                        0.000  > MAIL FROM:<bob@example.org> SIZE=293
                                        0.000  > RCPT TO:<dan@lists.example.org>
                                        0.000  > RCPT TO:<erin@lists.example.org>
                                        0.000  > DATA
                                        0.000  < 250 2.1.0 sender taken
                                        0.000  < 250 2.1.5 recipient taken
                                        0.000  < 250 2.1.5 recipient taken
                                        0.000  < 354 go on
                                        0.000  > (content, 293 octets)
                                        0.000  < 250 2.0.0 taken
                                        0.000  < 552 5.2.2 the mailbox is full
          11-22 10:00:00  deliver       lists.example.org: <dan@lists.example.org> relayed: [127.0.0.1]:2424: 250 2.0.0 taken (in answer to the end of the content)
          11-22 10:00:00  deliver       lists.example.org: <erin@lists.example.org> bounced: [127.0.0.1]:2424: 552 5.2.2 the mailbox is full (in answer to the end of the content)
          11-22 10:00:00  end           reported to <bob@example.org> by the message QUEUE-ID-2
        QUEUE-ID-2
          11-22 10:00:00  enqueue       from <> to <bob@example.org>
          11-22 10:00:00  file          in INBOX of bob@example.org for <bob@example.org>
    "#]]);
    expect![[r#"
        Return-Path: <>
        Delivered-To: bob@example.org
        From: Mail Delivery System <postmaster@example.org>
        To: <bob@example.org>
        Subject: Your message could not be delivered
        Date: Sun, 22 Nov 2026 10:00:00 +0000
        Message-ID: <QUEUE-ID-2@mx.example>
        In-Reply-To: <plan@client.example>
        References: <plan@client.example>
        Auto-Submitted: auto-replied
        MIME-Version: 1.0
        Content-Type: multipart/report; report-type=delivery-status;
         boundary="report-QUEUE-ID-2"

        --report-QUEUE-ID-2
        Content-Type: text/plain; charset=us-ascii

        Your message of Sun, 22 Nov 2026 10:00:00 +0000 could not be delivered to:

          erin@lists.example.org
            [127.0.0.1] said: 552 5.2.2 the mailbox is full
            The mailbox is full. Reach the recipient another way, or send it again
            later.

        It will not be tried again for these recipients. The header of your message
        follows below.
        The administrator of mx.example finds it under the number QUEUE-ID-1.

        --report-QUEUE-ID-2
        Content-Type: message/delivery-status

        Reporting-MTA: dns; mx.example
        X-Queue-ID: QUEUE-ID-1
        Arrival-Date: Sun, 22 Nov 2026 10:00:00 +0000

        Final-Recipient: rfc822; erin@lists.example.org
        Action: failed
        Status: 5.2.2
        Remote-MTA: dns; [127.0.0.1]
        Diagnostic-Code: smtp; 552 5.2.2 the mailbox is full
        Last-Attempt-Date: Sun, 22 Nov 2026 10:00:00 +0000

        --report-QUEUE-ID-2
        Content-Type: text/rfc822-headers

        Received: from client.example ([127.0.0.1])
         by mx.example with ESMTPA id QUEUE-ID-1;
         Sun, 22 Nov 2026 10:00:00 +0000
        From: Bob <bob@example.org>
        To: Carol <carol@example.net>
        Subject: the plan
        Date: Sun, 22 Nov 2026 10:00:00 +0000
        Message-ID: <plan@client.example>

        --report-QUEUE-ID-2--
    "#]]
    .assert_eq(&world.maildrop(1)[0]);
    assert_eq!(host.taken().len(), 1);
    assert_eq!(host.complaints(), [""; 0]);
}

#[test]
fn to_a_domain_that_takes_no_mail() {
    let network = Network::new(Zone::new().mx("example.net", 0, "."));
    let mut world = World::with(&network, &["carol@example.net"], "");
    world.check(expect![[r#"
        QUEUE-ID-1
          11-22 10:00:00  accept        from 127.0.0.1:PORT by virtual server "submission"
          11-22 10:00:00  speak         EHLO client.example, no TLS, signed in as bob@example.org
          11-22 10:00:00  judge         sender <bob@example.org> accepted
          11-22 10:00:00  judge         recipient <carol@example.net> accepted
          11-22 10:00:00                because relay: who signed in may send to other domains (signed-in bob@example.org)
          11-22 10:00:00  spool         168 octets, Message-ID <plan@client.example>
          11-22 10:00:00  judge         content accepted
          11-22 10:00:00  enqueue       from <bob@example.org> to <carol@example.net>
          11-22 10:00:00  deliver       example.net: <carol@example.net> queued
          11-22 10:00:00  end           250 2.0.0 kept
          11-22 10:00:00  route         example.net: no way
          11-22 10:00:00                because the domain example.net takes no mail (null MX)
          11-22 10:00:00  deliver       example.net: <carol@example.net> bounced: 5.1.10 the domain example.net takes no mail (null MX)
          11-22 10:00:00  end           reported to <bob@example.org> by the message QUEUE-ID-2
        QUEUE-ID-2
          11-22 10:00:00  enqueue       from <> to <bob@example.org>
          11-22 10:00:00  file          in INBOX of bob@example.org for <bob@example.org>
    "#]]);
    expect![[r#"
        Return-Path: <>
        Delivered-To: bob@example.org
        From: Mail Delivery System <postmaster@example.org>
        To: <bob@example.org>
        Subject: Your message could not be delivered
        Date: Sun, 22 Nov 2026 10:00:00 +0000
        Message-ID: <QUEUE-ID-2@mx.example>
        In-Reply-To: <plan@client.example>
        References: <plan@client.example>
        Auto-Submitted: auto-replied
        MIME-Version: 1.0
        Content-Type: multipart/report; report-type=delivery-status;
         boundary="report-QUEUE-ID-2"

        --report-QUEUE-ID-2
        Content-Type: text/plain; charset=us-ascii

        Your message of Sun, 22 Nov 2026 10:00:00 +0000 could not be delivered to:

          carol@example.net
            the domain example.net takes no mail (null MX) (5.1.10)
            Check what stands after the @ for typing errors. No mail is taken there.

        It will not be tried again for these recipients. The header of your message
        follows below.
        The administrator of mx.example finds it under the number QUEUE-ID-1.

        --report-QUEUE-ID-2
        Content-Type: message/delivery-status

        Reporting-MTA: dns; mx.example
        X-Queue-ID: QUEUE-ID-1
        Arrival-Date: Sun, 22 Nov 2026 10:00:00 +0000

        Final-Recipient: rfc822; carol@example.net
        Action: failed
        Status: 5.1.10
        Diagnostic-Code: X-Waxseal; the domain example.net takes no mail (null MX)
        Last-Attempt-Date: Sun, 22 Nov 2026 10:00:00 +0000

        --report-QUEUE-ID-2
        Content-Type: text/rfc822-headers

        Received: from client.example ([127.0.0.1])
         by mx.example with ESMTPA id QUEUE-ID-1
         for <carol@example.net>;
         Sun, 22 Nov 2026 10:00:00 +0000
        From: Bob <bob@example.org>
        To: Carol <carol@example.net>
        Subject: the plan
        Date: Sun, 22 Nov 2026 10:00:00 +0000
        Message-ID: <plan@client.example>

        --report-QUEUE-ID-2--
    "#]]
    .assert_eq(&world.maildrop(1)[0]);
}

#[test]
fn to_a_domain_that_does_not_exist() {
    let network = Network::new(Zone::new());
    let mut world = World::with(&network, &["carol@exmaple.net"], "");
    world.check(expect![[r#"
        QUEUE-ID-1
          11-22 10:00:00  accept        from 127.0.0.1:PORT by virtual server "submission"
          11-22 10:00:00  speak         EHLO client.example, no TLS, signed in as bob@example.org
          11-22 10:00:00  judge         sender <bob@example.org> accepted
          11-22 10:00:00  judge         recipient <carol@exmaple.net> accepted
          11-22 10:00:00                because relay: who signed in may send to other domains (signed-in bob@example.org)
          11-22 10:00:00  spool         168 octets, Message-ID <plan@client.example>
          11-22 10:00:00  judge         content accepted
          11-22 10:00:00  enqueue       from <bob@example.org> to <carol@exmaple.net>
          11-22 10:00:00  deliver       exmaple.net: <carol@exmaple.net> queued
          11-22 10:00:00  end           250 2.0.0 kept
          11-22 10:00:00  route         exmaple.net: no way
          11-22 10:00:00                because the domain exmaple.net does not exist
          11-22 10:00:00  deliver       exmaple.net: <carol@exmaple.net> bounced: 5.1.2 the domain exmaple.net does not exist
          11-22 10:00:00  end           reported to <bob@example.org> by the message QUEUE-ID-2
        QUEUE-ID-2
          11-22 10:00:00  enqueue       from <> to <bob@example.org>
          11-22 10:00:00  file          in INBOX of bob@example.org for <bob@example.org>
    "#]]);
    expect![[r#"
        Return-Path: <>
        Delivered-To: bob@example.org
        From: Mail Delivery System <postmaster@example.org>
        To: <bob@example.org>
        Subject: Your message could not be delivered
        Date: Sun, 22 Nov 2026 10:00:00 +0000
        Message-ID: <QUEUE-ID-2@mx.example>
        In-Reply-To: <plan@client.example>
        References: <plan@client.example>
        Auto-Submitted: auto-replied
        MIME-Version: 1.0
        Content-Type: multipart/report; report-type=delivery-status;
         boundary="report-QUEUE-ID-2"

        --report-QUEUE-ID-2
        Content-Type: text/plain; charset=us-ascii

        Your message of Sun, 22 Nov 2026 10:00:00 +0000 could not be delivered to:

          carol@exmaple.net
            the domain exmaple.net does not exist (5.1.2)
            Check what stands after the @ for typing errors. No mail is taken there.

        It will not be tried again for these recipients. The header of your message
        follows below.
        The administrator of mx.example finds it under the number QUEUE-ID-1.

        --report-QUEUE-ID-2
        Content-Type: message/delivery-status

        Reporting-MTA: dns; mx.example
        X-Queue-ID: QUEUE-ID-1
        Arrival-Date: Sun, 22 Nov 2026 10:00:00 +0000

        Final-Recipient: rfc822; carol@exmaple.net
        Action: failed
        Status: 5.1.2
        Diagnostic-Code: X-Waxseal; the domain exmaple.net does not exist
        Last-Attempt-Date: Sun, 22 Nov 2026 10:00:00 +0000

        --report-QUEUE-ID-2
        Content-Type: text/rfc822-headers

        Received: from client.example ([127.0.0.1])
         by mx.example with ESMTPA id QUEUE-ID-1
         for <carol@exmaple.net>;
         Sun, 22 Nov 2026 10:00:00 +0000
        From: Bob <bob@example.org>
        To: Carol <carol@example.net>
        Subject: the plan
        Date: Sun, 22 Nov 2026 10:00:00 +0000
        Message-ID: <plan@client.example>

        --report-QUEUE-ID-2--
    "#]]
    .assert_eq(&world.maildrop(1)[0]);
}

/// RFC 5321 §5.1: from the exchangers of a list that names us, only those that are better than we are.
#[test]
fn to_exchangers_among_which_we_are() {
    let address = |text: &str| text.parse().unwrap();
    let zone = Zone::new()
        .mx("example.net", 10, "mx1.example.net")
        .mx("example.net", 20, "mx.example")
        .mx("example.net", 30, "mx3.example.net")
        .address("mx1.example.net", address("192.0.2.1"))
        .address("mx.example", address("192.0.2.20"))
        .address("mx3.example.net", address("192.0.2.3"))
        .mx("loop.example", 10, "mx.example");
    let mut network = Network::new(zone);
    let worse = network.host("192.0.2.3:25", Script::smtp());
    let world = World::with(&network, &["carol@example.net", "dan@loop.example"], "");
    world.check(expect![[r#"
        QUEUE-ID-1
          11-22 10:00:00  accept        from 127.0.0.1:PORT by virtual server "submission"
          11-22 10:00:00  speak         EHLO client.example, no TLS, signed in as bob@example.org
          11-22 10:00:00  judge         sender <bob@example.org> accepted
          11-22 10:00:00  judge         recipient <carol@example.net> accepted
          11-22 10:00:00                because relay: who signed in may send to other domains (signed-in bob@example.org)
          11-22 10:00:00  judge         recipient <dan@loop.example> accepted
          11-22 10:00:00                because relay: who signed in may send to other domains (signed-in bob@example.org)
          11-22 10:00:00  spool         168 octets, Message-ID <plan@client.example>
          11-22 10:00:00  judge         content accepted
          11-22 10:00:00  enqueue       from <bob@example.org> to <carol@example.net>, <dan@loop.example>
          11-22 10:00:00  deliver       example.net: <carol@example.net> queued
          11-22 10:00:00  deliver       loop.example: <dan@loop.example> queued
          11-22 10:00:00  end           250 2.0.0 kept
          11-22 10:00:00  route         loop.example: no way
          11-22 10:00:00                because loop.example names one mail exchanger
          11-22 10:00:00                because we are mx.example, so hosts of preference 10 and above are left out
          11-22 10:00:00                because loop.example is none of our domains; if it should be: waxseal domain add loop.example
          11-22 10:00:00                because mail for loop.example would come back to this server
          11-22 10:00:00  deliver       loop.example: <dan@loop.example> bounced: 5.4.6 mail for loop.example would come back to this server
          11-22 10:00:00  end           reported to <bob@example.org> by the message QUEUE-ID-2
          11-22 10:00:00  route         example.net: mx1.example.net [192.0.2.1]:25
          11-22 10:00:00                because example.net names 3 mail exchangers
          11-22 10:00:00                because we are mx.example, so hosts of preference 20 and above are left out
          11-22 10:00:00  attempt       number 1 for example.net at mx1.example.net [192.0.2.1]:25: the connection was refused
          11-22 10:00:00  deliver       example.net: <carol@example.net> deferred, next try 2026-11-22 10:15:56.566: 4.4.1 mx1.example.net [192.0.2.1]:25: the connection was refused
        QUEUE-ID-2
          11-22 10:00:00  enqueue       from <> to <bob@example.org>
          11-22 10:00:00  file          in INBOX of bob@example.org for <bob@example.org>
    "#]]);
    assert_eq!(worse.heard(), [[""; 0]; 0]);
}

#[test]
fn held_and_released() {
    let mut network = example_net();
    let host =
        network.host("192.0.2.1:25", Script::smtp().at(At::Rcpt, Do::Reply("451 4.7.1 later")).first(1));
    let mut world = World::with(&network, &["carol@example.net"], "");
    world.administer(|what| Request::QueueHold { what });
    world.wait(3600);
    assert_eq!(host.heard().len(), 1);
    world.administer(|what| Request::QueueRelease { what });
    world.wait(1);
    world.check(expect![[r#"
        QUEUE-ID-1
          11-22 10:00:00  accept        from 127.0.0.1:PORT by virtual server "submission"
          11-22 10:00:00  speak         EHLO client.example, no TLS, signed in as bob@example.org
          11-22 10:00:00  judge         sender <bob@example.org> accepted
          11-22 10:00:00  judge         recipient <carol@example.net> accepted
          11-22 10:00:00                because relay: who signed in may send to other domains (signed-in bob@example.org)
          11-22 10:00:00  spool         168 octets, Message-ID <plan@client.example>
          11-22 10:00:00  judge         content accepted
          11-22 10:00:00  enqueue       from <bob@example.org> to <carol@example.net>
          11-22 10:00:00  deliver       example.net: <carol@example.net> queued
          11-22 10:00:00  end           250 2.0.0 kept
          11-22 10:00:00  route         example.net: mx1.example.net [192.0.2.1]:25, mx2.example.net [192.0.2.2]:25
          11-22 10:00:00                because example.net names 2 mail exchangers
          11-22 10:00:00  attempt       number 1 for example.net at mx1.example.net [192.0.2.1]:25, no TLS: 451 4.7.1 later (in answer to RCPT)
                                        0.000  < 220 peer.example ready
                                        0.000  > EHLO mx.example
                                        0.000  < 250 peer.example / PIPELINING / SIZE 52428800 / 8BITMIME / ENHANCEDSTATUSCODES
                                        0.000  > MAIL FROM:<bob@example.org> SIZE=319
                                        0.000  > RCPT TO:<carol@example.net>
                                        0.000  > DATA
                                        0.000  < 250 2.1.0 sender taken
                                        0.000  < 451 4.7.1 later
                                        0.000  < 503 5.5.1 no recipients
          11-22 10:00:00  deliver       example.net: <carol@example.net> deferred, next try 2026-11-22 10:15:08.065: mx1.example.net [192.0.2.1]:25: 451 4.7.1 later (in answer to RCPT)
          11-22 10:00:01  hold          example.net: an administrator put it on hold
          11-22 11:00:01  release       example.net: an administrator released it
          11-22 11:00:01  route         example.net: mx1.example.net [192.0.2.1]:25, mx2.example.net [192.0.2.2]:25
          11-22 11:00:01                because example.net names 2 mail exchangers
          11-22 11:00:01  attempt       number 2 for example.net at mx1.example.net [192.0.2.1]:25, no TLS: relayed
                                        0.000  < 220 peer.example ready
                                        0.000  > EHLO mx.example
                                        0.000  < 250 peer.example / PIPELINING / SIZE 52428800 / 8BITMIME / ENHANCEDSTATUSCODES
                                        0.000  > MAIL FROM:<bob@example.org> SIZE=319
                                        0.000  > RCPT TO:<carol@example.net>
                                        0.000  > DATA
                                        0.000  < 250 2.1.0 sender taken
                                        0.000  < 250 2.1.5 recipient taken
                                        0.000  < 354 go on
                                        0.000  > (content, 319 octets)
                                        0.000  < 250 2.0.0 taken
          11-22 11:00:01  deliver       example.net: <carol@example.net> relayed: mx1.example.net [192.0.2.1]:25: 250 2.0.0 taken (in answer to the end of the content)
    "#]]);
    assert_eq!(host.taken().len(), 1);
}

#[test]
fn held_and_deleted() {
    let mut network = example_net();
    let host =
        network.host("192.0.2.1:25", Script::smtp().at(At::Rcpt, Do::Reply("451 4.7.1 later")).first(1));
    let mut world = World::with(&network, &["carol@example.net"], "");
    world.administer(|what| Request::QueueHold { what });
    world.wait(60);
    world.administer(|what| Request::QueueDelete { what });
    world.wait(3600);
    world.check(expect![[r#"
        QUEUE-ID-1
          11-22 10:00:00  accept        from 127.0.0.1:PORT by virtual server "submission"
          11-22 10:00:00  speak         EHLO client.example, no TLS, signed in as bob@example.org
          11-22 10:00:00  judge         sender <bob@example.org> accepted
          11-22 10:00:00  judge         recipient <carol@example.net> accepted
          11-22 10:00:00                because relay: who signed in may send to other domains (signed-in bob@example.org)
          11-22 10:00:00  spool         168 octets, Message-ID <plan@client.example>
          11-22 10:00:00  judge         content accepted
          11-22 10:00:00  enqueue       from <bob@example.org> to <carol@example.net>
          11-22 10:00:00  deliver       example.net: <carol@example.net> queued
          11-22 10:00:00  end           250 2.0.0 kept
          11-22 10:00:00  route         example.net: mx1.example.net [192.0.2.1]:25, mx2.example.net [192.0.2.2]:25
          11-22 10:00:00                because example.net names 2 mail exchangers
          11-22 10:00:00  attempt       number 1 for example.net at mx1.example.net [192.0.2.1]:25, no TLS: 451 4.7.1 later (in answer to RCPT)
                                        0.000  < 220 peer.example ready
                                        0.000  > EHLO mx.example
                                        0.000  < 250 peer.example / PIPELINING / SIZE 52428800 / 8BITMIME / ENHANCEDSTATUSCODES
                                        0.000  > MAIL FROM:<bob@example.org> SIZE=319
                                        0.000  > RCPT TO:<carol@example.net>
                                        0.000  > DATA
                                        0.000  < 250 2.1.0 sender taken
                                        0.000  < 451 4.7.1 later
                                        0.000  < 503 5.5.1 no recipients
          11-22 10:00:00  deliver       example.net: <carol@example.net> deferred, next try 2026-11-22 10:15:08.065: mx1.example.net [192.0.2.1]:25: 451 4.7.1 later (in answer to RCPT)
          11-22 10:00:01  hold          example.net: an administrator put it on hold
          11-22 10:01:01  deliver       example.net: <carol@example.net> deleted from the queue
    "#]]);
    assert_eq!(host.taken().len(), 0);
    assert_eq!(world.maildrop(0).len(), 0);
}

#[test]
fn by_a_smart_host_that_knows_us() {
    let secrets = tempfile::tempdir().unwrap();
    let file = secrets.path().join("password");
    #[expect(clippy::disallowed_methods, reason = "it need not survive anything")]
    std::fs::write(&file, "marked-password\n").unwrap();
    let authority = Authority::new();
    let pem = secrets.path().join("authority.pem");
    #[expect(clippy::disallowed_methods, reason = "it need not survive anything")]
    std::fs::write(&pem, authority.pem()).unwrap();
    let zone = Zone::new().address("relay.example", "192.0.2.9".parse().unwrap());
    let mut network = Network::new(zone);
    let script =
        Script::smtp().starttls(authority.certify(&["relay.example"])).account("us", "marked-password");
    let host = network.host("192.0.2.9:587", script);
    let settings = format!(
        "[delivery]\nsmart-host = \"relay.example:587\"\ncertificate-authorities = {pem:?}\n\
         tls = \"verified\"\nauthentication = {{ user = \"us\", password-file = {file:?} }}\n"
    );
    let world = World::with(&network, &["carol@example.net"], &settings);
    let told = world.check(expect![[r#"
        QUEUE-ID-1
          11-22 10:00:00  accept        from 127.0.0.1:PORT by virtual server "submission"
          11-22 10:00:00  speak         EHLO client.example, no TLS, signed in as bob@example.org
          11-22 10:00:00  judge         sender <bob@example.org> accepted
          11-22 10:00:00  judge         recipient <carol@example.net> accepted
          11-22 10:00:00                because relay: who signed in may send to other domains (signed-in bob@example.org)
          11-22 10:00:00  spool         168 octets, Message-ID <plan@client.example>
          11-22 10:00:00  judge         content accepted
          11-22 10:00:00  enqueue       from <bob@example.org> to <carol@example.net>
          11-22 10:00:00  deliver       example.net: <carol@example.net> queued
          11-22 10:00:00  end           250 2.0.0 kept
          11-22 10:00:00  route         example.net: relay.example [192.0.2.9]:587
          11-22 10:00:00                because the settings say where this mail goes
          11-22 10:00:00  attempt       number 1 for example.net at relay.example [192.0.2.9]:587, TLS1.3: relayed
                                        0.000  < 220 peer.example ready
                                        0.000  > EHLO mx.example
                                        0.000  < 250 peer.example / PIPELINING / SIZE 52428800 / 8BITMIME / ENHANCEDSTATUSCODES / STARTTLS / AUTH PLAIN LOGIN
                                        0.000  > STARTTLS
                                        0.000  < 220 2.0.0 go ahead
                                        0.000  > (TLS: TLS1.3 TLS_AES_256_GCM_SHA384, certificate verified)
                                        0.000  > EHLO mx.example
                                        0.000  < 250 peer.example / PIPELINING / SIZE 52428800 / 8BITMIME / ENHANCEDSTATUSCODES / AUTH PLAIN LOGIN
                                        0.000  > AUTH PLAIN (secret)
                                        0.000  < 235 2.7.0 welcome
                                        0.000  > MAIL FROM:<bob@example.org> SIZE=319
                                        0.000  > RCPT TO:<carol@example.net>
                                        0.000  > DATA
                                        0.000  < 250 2.1.0 sender taken
                                        0.000  < 250 2.1.5 recipient taken
                                        0.000  < 354 go on
                                        0.000  > (content, 319 octets)
                                        0.000  < 250 2.0.0 taken
          11-22 10:00:00  deliver       example.net: <carol@example.net> relayed: relay.example [192.0.2.9]:587: 250 2.0.0 taken (in answer to the end of the content)
    "#]]);
    assert!(!told.contains("bWFya2Vk") && !told.contains("AHVzAG1hcmtl"), "nor as SASL has it:\n{told}");
    assert_eq!(host.taken()[0].signed_in.as_deref(), Some("us"));
}

/// RFC 5321 §4.5.5 and §6.1: about a report that cannot be delivered, nobody is told.
#[test]
fn a_report_that_cannot_be_delivered_ends_there() {
    let address = |text: &str| text.parse().unwrap();
    let zone = Zone::new()
        .mx("example.net", 10, "mx.example.net")
        .address("mx.example.net", address("192.0.2.1"))
        .mx("elsewhere.example", 10, "mx.elsewhere.example")
        .address("mx.elsewhere.example", address("192.0.2.4"));
    let mut network = Network::new(zone);
    network.host("192.0.2.1:25", Script::smtp().at(At::Rcpt, Do::Reply("550 5.1.1 no such user")));
    let forged = network.host("192.0.2.4:25", Script::smtp().at(At::Rcpt, Do::Reply("550 5.1.1 nor here")));
    let text = "given option relay-allow 127.0.0.0/8\ngiven account bob@example.org secret\n\
        S: 220 *\nC: EHLO client.example\n...\nS: 250 *\nC: MAIL FROM:<eve@elsewhere.example>\nS: 250 *\n\
        C: RCPT TO:<carol@example.net>\nS: 250 *\n";
    let mut world = World::playing(&network, &[text, CONTENT].concat(), "");
    world.wait(10 * 60);
    expect![[r#"
        QUEUE-ID-1
          11-22 10:00:00  accept        from 127.0.0.1:PORT by virtual server "smtp"
          11-22 10:00:00  speak         EHLO client.example, no TLS
          11-22 10:00:00  judge         sender <eve@elsewhere.example> accepted
          11-22 10:00:00  judge         recipient <carol@example.net> accepted
          11-22 10:00:00                because relay: the client is in a network that may send to other domains (network 127.0.0.0/8)
          11-22 10:00:00  spool         168 octets, Message-ID <plan@client.example>
          11-22 10:00:00  judge         content accepted
          11-22 10:00:00  enqueue       from <eve@elsewhere.example> to <carol@example.net>
          11-22 10:00:00  deliver       example.net: <carol@example.net> queued
          11-22 10:00:00  end           250 2.0.0 kept
          11-22 10:00:00  route         example.net: mx.example.net [192.0.2.1]:25
          11-22 10:00:00                because example.net names one mail exchanger
          11-22 10:00:00  attempt       number 1 for example.net at mx.example.net [192.0.2.1]:25, no TLS: 550 5.1.1 no such user (in answer to RCPT)
                                        0.000  < 220 peer.example ready
                                        0.000  > EHLO mx.example
                                        0.000  < 250 peer.example / PIPELINING / SIZE 52428800 / 8BITMIME / ENHANCEDSTATUSCODES
                                        0.000  > MAIL FROM:<eve@elsewhere.example> SIZE=318
                                        0.000  > RCPT TO:<carol@example.net>
                                        0.000  > DATA
                                        0.000  < 250 2.1.0 sender taken
                                        0.000  < 550 5.1.1 no such user
                                        0.000  < 503 5.5.1 no recipients
          11-22 10:00:00  deliver       example.net: <carol@example.net> bounced: mx.example.net [192.0.2.1]:25: 550 5.1.1 no such user (in answer to RCPT)
          11-22 10:00:00  end           reported to <eve@elsewhere.example> by the message QUEUE-ID-2
        QUEUE-ID-2
          11-22 10:00:00  enqueue       from <> to <eve@elsewhere.example>
          11-22 10:00:00  route         elsewhere.example: mx.elsewhere.example [192.0.2.4]:25
          11-22 10:00:00                because elsewhere.example names one mail exchanger
          11-22 10:00:00  attempt       number 1 for elsewhere.example at mx.elsewhere.example [192.0.2.4]:25, no TLS: 550 5.1.1 nor here (in answer to RCPT)
                                        0.000  < 220 peer.example ready
                                        0.000  > EHLO mx.example
                                        0.000  < 250 peer.example / PIPELINING / SIZE 52428800 / 8BITMIME / ENHANCEDSTATUSCODES
                                        0.000  > MAIL FROM:<> SIZE=1662
                                        0.000  > RCPT TO:<eve@elsewhere.example>
                                        0.000  > DATA
                                        0.000  < 250 2.1.0 sender taken
                                        0.000  < 550 5.1.1 nor here
                                        0.000  < 503 5.5.1 no recipients
          11-22 10:00:00  deliver       elsewhere.example: <eve@elsewhere.example> discarded without a report: mx.elsewhere.example [192.0.2.4]:25: 550 5.1.1 nor here (in answer to RCPT)
    "#]].assert_eq(&dated(&world.0.trace("eve@elsewhere.example").unwrap()));
    assert_eq!(forged.heard().concat().iter().filter(|line| line.starts_with("MAIL")).count(), 1);
    assert!(forged.heard().concat().iter().any(|line| line.starts_with("MAIL FROM:<>")));
}

/// What a stranger's name server says does not make us speak to our own machine, or to its neighbours.
#[test]
fn to_exchangers_that_are_inside() {
    let address = |text: &str| text.parse().unwrap();
    let zone = Zone::new()
        .mx("example.net", 10, "mx1.example.net")
        .mx("example.net", 20, "mx2.example.net")
        .address("mx1.example.net", address("127.0.0.1"))
        .address("mx1.example.net", address("::1"))
        .address("mx2.example.net", address("192.168.0.1"));
    let mut network = Network::new(zone);
    let inside: Vec<_> =
        ["127.0.0.1:25", "[::1]:25", "192.168.0.1:25"].map(|at| network.host(at, Script::smtp())).into();
    let world = World::with(&network, &["carol@example.net"], "");
    world.check(expect![[r#"
        QUEUE-ID-1
          11-22 10:00:00  accept        from 127.0.0.1:PORT by virtual server "submission"
          11-22 10:00:00  speak         EHLO client.example, no TLS, signed in as bob@example.org
          11-22 10:00:00  judge         sender <bob@example.org> accepted
          11-22 10:00:00  judge         recipient <carol@example.net> accepted
          11-22 10:00:00                because relay: who signed in may send to other domains (signed-in bob@example.org)
          11-22 10:00:00  spool         168 octets, Message-ID <plan@client.example>
          11-22 10:00:00  judge         content accepted
          11-22 10:00:00  enqueue       from <bob@example.org> to <carol@example.net>
          11-22 10:00:00  deliver       example.net: <carol@example.net> queued
          11-22 10:00:00  end           250 2.0.0 kept
          11-22 10:00:00  route         example.net: no way
          11-22 10:00:00                because example.net names 2 mail exchangers
          11-22 10:00:00                because ::1 of mx1.example.net is left out: it means this machine
          11-22 10:00:00                because 127.0.0.1 of mx1.example.net is left out: it means this machine
          11-22 10:00:00                because 192.168.0.1 of mx2.example.net is left out: it is an address of a private network
          11-22 10:00:00                because none of the mail exchangers of example.net can be used: 192.168.0.1 of mx2.example.net is left out: it is an address of a private network
          11-22 10:00:00  deliver       example.net: <carol@example.net> bounced: 5.4.4 none of the mail exchangers of example.net can be used: 192.168.0.1 of mx2.example.net is left out: it is an address of a private network
          11-22 10:00:00  end           reported to <bob@example.org> by the message QUEUE-ID-2
        QUEUE-ID-2
          11-22 10:00:00  enqueue       from <> to <bob@example.org>
          11-22 10:00:00  file          in INBOX of bob@example.org for <bob@example.org>
    "#]]);
    assert!(inside.iter().all(|host| host.heard().is_empty()));
}

#[test]
fn what_a_next_hop_says_does_nothing_to_who_reads_it() {
    let mut network = example_net();
    let says = "550-5.1.1 \u{1b}[2J\u{7}gone\n550 5.1.1 \u{202e}b\u{fc}\u{85}";
    network.host(
        "192.0.2.1:25",
        Script::smtp()
            .at(At::Banner, Do::Reply("220 \u{1b}]0;hello\u{7} ESMTP"))
            .at(At::Rcpt, Do::Reply(says)),
    );
    let mut world = World::with(&network, &["carol@example.net"], "");
    let told = world.check(expect![[r#"
        QUEUE-ID-1
          11-22 10:00:00  accept        from 127.0.0.1:PORT by virtual server "submission"
          11-22 10:00:00  speak         EHLO client.example, no TLS, signed in as bob@example.org
          11-22 10:00:00  judge         sender <bob@example.org> accepted
          11-22 10:00:00  judge         recipient <carol@example.net> accepted
          11-22 10:00:00                because relay: who signed in may send to other domains (signed-in bob@example.org)
          11-22 10:00:00  spool         168 octets, Message-ID <plan@client.example>
          11-22 10:00:00  judge         content accepted
          11-22 10:00:00  enqueue       from <bob@example.org> to <carol@example.net>
          11-22 10:00:00  deliver       example.net: <carol@example.net> queued
          11-22 10:00:00  end           250 2.0.0 kept
          11-22 10:00:00  route         example.net: mx1.example.net [192.0.2.1]:25, mx2.example.net [192.0.2.2]:25
          11-22 10:00:00                because example.net names 2 mail exchangers
          11-22 10:00:00  attempt       number 1 for example.net at mx1.example.net [192.0.2.1]:25, no TLS: 550 5.1.1 ?[2J?gone / ???b???? (in answer to RCPT)
                                        0.000  < 220 ?]0;hello? ESMTP
                                        0.000  > EHLO mx.example
                                        0.000  < 250 peer.example / PIPELINING / SIZE 52428800 / 8BITMIME / ENHANCEDSTATUSCODES
                                        0.000  > MAIL FROM:<bob@example.org> SIZE=319
                                        0.000  > RCPT TO:<carol@example.net>
                                        0.000  > DATA
                                        0.000  < 250 2.1.0 sender taken
                                        0.000  < 550 5.1.1 ?[2J?gone / ???b????
                                        0.000  < 503 5.5.1 no recipients
          11-22 10:00:00  deliver       example.net: <carol@example.net> bounced: mx1.example.net [192.0.2.1]:25: 550 5.1.1 ?[2J?gone / ???b???? (in answer to RCPT)
          11-22 10:00:00  end           reported to <bob@example.org> by the message QUEUE-ID-2
        QUEUE-ID-2
          11-22 10:00:00  enqueue       from <> to <bob@example.org>
          11-22 10:00:00  file          in INBOX of bob@example.org for <bob@example.org>
    "#]]);
    let report = world.maildrop(1).remove(0);
    assert!(report.contains("said: 550 5.1.1"), "{report}");
    for text in [told, report] {
        assert!(text.bytes().all(|octet| matches!(octet, b' '..=b'~' | b'\n')), "{text:?}");
    }
}
