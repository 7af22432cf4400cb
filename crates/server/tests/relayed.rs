//! What the journal tells of a message that leaves: routes, attempts and dialogues, and how each delivery ended.
//!
//! All of it happens in a simulated world, days of it in an instant.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod outgoing;
mod stage;

use admin::Request;
use expect_test::expect;
use outgoing::{World, example_net};
use stage::network::Network;
use testkit::peer::{Authority, Do, Identity, Script, Stage as At};
use world::resolver::Zone;

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
          11-22 10:00:00  deliver       example.net: <carol@example.net> deferred, next try 2026-11-22 10:15:58.972: mx1.example.net [192.0.2.1]:25: 451 4.7.1 greylisted, come again (in answer to RCPT)
          11-22 10:15:58  route         example.net: mx1.example.net [192.0.2.1]:25, mx2.example.net [192.0.2.2]:25
          11-22 10:15:58                because example.net names 2 mail exchangers
          11-22 10:15:58  attempt       number 2 for example.net at mx1.example.net [192.0.2.1]:25, no TLS: relayed
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
          11-22 10:15:58  deliver       example.net: <carol@example.net> relayed: mx1.example.net [192.0.2.1]:25: 250 2.0.0 taken (in answer to the end of the content)
    "#]]);
    assert_eq!(host.taken().len(), 1);
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
          11-22 10:00:00  spool         1663 octets, Message-ID <QUEUE-ID-2@mx.example>
          11-22 10:00:00  enqueue       from <> to <bob@example.org>
          11-22 10:00:00  file          in INBOX of bob@example.org for <bob@example.org>
          11-22 10:00:00  end           made here, a report about the message QUEUE-ID-1
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
          11-22 10:00:00  deliver       example.net: <carol@example.net> deferred, next try 2026-11-22 10:16:08.727: 4.4.1 mx1.example.net [192.0.2.1]:25: the connection was refused
        QUEUE-ID-2
          11-22 10:00:00  spool         1662 octets, Message-ID <QUEUE-ID-2@mx.example>
          11-22 10:00:00  enqueue       from <> to <bob@example.org>
          11-22 10:00:00  file          in INBOX of bob@example.org for <bob@example.org>
          11-22 10:00:00  end           made here, a report about the message QUEUE-ID-1
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
          11-22 10:00:00  deliver       example.net: <carol@example.net> deferred, next try 2026-11-22 10:15:58.972: mx1.example.net [192.0.2.1]:25: 451 4.7.1 later (in answer to RCPT)
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
    world.administer(|what| Request::QueueDelete { what, report: false });
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
          11-22 10:00:00  deliver       example.net: <carol@example.net> deferred, next try 2026-11-22 10:15:58.972: mx1.example.net [192.0.2.1]:25: 451 4.7.1 later (in answer to RCPT)
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
          11-22 10:00:00  spool         1859 octets, Message-ID <QUEUE-ID-2@mx.example>
          11-22 10:00:00  enqueue       from <> to <bob@example.org>
          11-22 10:00:00  file          in INBOX of bob@example.org for <bob@example.org>
          11-22 10:00:00  end           made here, a report about the message QUEUE-ID-1
    "#]]);
    assert!(inside.iter().all(|host| host.heard().is_empty()));
}
