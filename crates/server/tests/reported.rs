//! What the sender of a message that cannot be delivered is told, word for word, and what the journal tells of it.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod outgoing;
mod stage;

use expect_test::expect;
use outgoing::{CONTENT, World, example_net};
use stage::network::Network;
use testkit::peer::{Do, Script, Stage as At};
use world::resolver::Zone;

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
          11-22 10:00:00  spool         1701 octets, Message-ID <QUEUE-ID-2@mx.example>
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
        Date: Sun, 22 Nov 2026 14:16:17 +0000
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
        Last-Attempt-Date: Sun, 22 Nov 2026 14:16:17 +0000
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
          11-22 10:00:00  deliver       example.net: <carol@example.net> deferred, next try 2026-11-22 14:16:17.766: mx1.example.net [192.0.2.1]:25: 451 4.3.0 no room for mail (in answer to RCPT)
          11-22 14:16:17  route         example.net: mx1.example.net [192.0.2.1]:25, mx2.example.net [192.0.2.2]:25
          11-22 14:16:17                because example.net names 2 mail exchangers
          11-22 14:16:17  attempt       number 2 for example.net at mx1.example.net [192.0.2.1]:25, no TLS: 451 4.3.0 no room for mail (in answer to RCPT)
                                        0.000  < 220 peer.example ready
                                        0.000  > EHLO mx.example
                                        0.000  < 250 peer.example / PIPELINING / SIZE 52428800 / 8BITMIME / ENHANCEDSTATUSCODES
                                        0.000  > MAIL FROM:<bob@example.org> SIZE=319
                                        0.000  > RCPT TO:<carol@example.net>
                                        0.000  > DATA
                                        0.000  < 250 2.1.0 sender taken
                                        0.000  < 451 4.3.0 no room for mail
                                        0.000  < 503 5.5.1 no recipients
          11-22 14:16:17  deliver       example.net: <carol@example.net> deferred, next try 2026-11-24 15:43:32.580: mx1.example.net [192.0.2.1]:25: 451 4.3.0 no room for mail (in answer to RCPT)
          11-22 14:16:17  notify        the sender is told that <carol@example.net> must wait, by report QUEUE-ID-2
          11-24 15:43:32  route         example.net: mx1.example.net [192.0.2.1]:25, mx2.example.net [192.0.2.2]:25
          11-24 15:43:32                because example.net names 2 mail exchangers
          11-24 15:43:32  attempt       number 3 for example.net at mx1.example.net [192.0.2.1]:25, no TLS: 451 4.3.0 no room for mail (in answer to RCPT)
                                        0.000  < 220 peer.example ready
                                        0.000  > EHLO mx.example
                                        0.000  < 250 peer.example / PIPELINING / SIZE 52428800 / 8BITMIME / ENHANCEDSTATUSCODES
                                        0.000  > MAIL FROM:<bob@example.org> SIZE=319
                                        0.000  > RCPT TO:<carol@example.net>
                                        0.000  > DATA
                                        0.000  < 250 2.1.0 sender taken
                                        0.000  < 451 4.3.0 no room for mail
                                        0.000  < 503 5.5.1 no recipients
          11-24 15:43:32  deliver       example.net: <carol@example.net> deferred, next try 2026-11-26 16:21:51.924: mx1.example.net [192.0.2.1]:25: 451 4.3.0 no room for mail (in answer to RCPT)
          11-26 16:21:51  route         example.net: mx1.example.net [192.0.2.1]:25, mx2.example.net [192.0.2.2]:25
          11-26 16:21:51                because example.net names 2 mail exchangers
          11-26 16:21:51  attempt       number 4 for example.net at mx1.example.net [192.0.2.1]:25, no TLS: 451 4.3.0 no room for mail (in answer to RCPT)
                                        0.000  < 220 peer.example ready
                                        0.000  > EHLO mx.example
                                        0.000  < 250 peer.example / PIPELINING / SIZE 52428800 / 8BITMIME / ENHANCEDSTATUSCODES
                                        0.000  > MAIL FROM:<bob@example.org> SIZE=319
                                        0.000  > RCPT TO:<carol@example.net>
                                        0.000  > DATA
                                        0.000  < 250 2.1.0 sender taken
                                        0.000  < 451 4.3.0 no room for mail
                                        0.000  < 503 5.5.1 no recipients
          11-26 16:21:51  deliver       example.net: <carol@example.net> deferred, next try 2026-11-27 10:00:00.000: mx1.example.net [192.0.2.1]:25: 451 4.3.0 no room for mail (in answer to RCPT)
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
          11-22 14:16:17  spool         1703 octets, Message-ID <QUEUE-ID-2@mx.example>
          11-22 14:16:17  enqueue       from <> to <bob@example.org>
          11-22 14:16:17  file          in INBOX of bob@example.org for <bob@example.org>
          11-22 14:16:17  end           made here, a report about the message QUEUE-ID-1
        QUEUE-ID-3
          11-27 10:00:00  spool         1815 octets, Message-ID <QUEUE-ID-3@mx.example>
          11-27 10:00:00  enqueue       from <> to <bob@example.org>
          11-27 10:00:00  file          in INBOX of bob@example.org for <bob@example.org>
          11-27 10:00:00  end           made here, a report about the message QUEUE-ID-1
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
          11-22 10:00:00  spool         1670 octets, Message-ID <QUEUE-ID-2@mx.example>
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
          11-22 10:00:00  spool         1650 octets, Message-ID <QUEUE-ID-2@mx.example>
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
          11-22 10:00:00  spool         1662 octets, Message-ID <QUEUE-ID-2@mx.example>
          11-22 10:00:00  enqueue       from <> to <eve@elsewhere.example>
          11-22 10:00:00  end           made here, a report about the message QUEUE-ID-1
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
          11-22 10:00:00  end           it could not be returned and is kept as badmail: QUEUE-ID-2-elsewhere.example.eml
    "#]].assert_eq(&world.trace("eve@elsewhere.example"));
    assert_eq!(forged.heard().concat().iter().filter(|line| line.starts_with("MAIL")).count(), 1);
    assert!(forged.heard().concat().iter().any(|line| line.starts_with("MAIL FROM:<>")));
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
          11-22 10:00:00  spool         1676 octets, Message-ID <QUEUE-ID-2@mx.example>
          11-22 10:00:00  enqueue       from <> to <bob@example.org>
          11-22 10:00:00  file          in INBOX of bob@example.org for <bob@example.org>
          11-22 10:00:00  end           made here, a report about the message QUEUE-ID-1
    "#]]);
    let report = world.maildrop(1).remove(0);
    assert!(report.contains("said: 550 5.1.1"), "{report}");
    for text in [told, report] {
        assert!(text.bytes().all(|octet| matches!(octet, b' '..=b'~' | b'\n')), "{text:?}");
    }
}
