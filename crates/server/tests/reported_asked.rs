//! What the sender of a message is told who asked to be told, or not to be: RFC 3461, word for word.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod outgoing;
mod stage;

use expect_test::expect;
use outgoing::{CONTENT, World, example_net};
use stage::network::Network;
use testkit::peer::{Do, Script};

const MAIL: &str = "MAIL FROM:<bob@example.org> RET=HDRS ENVID=QQ+2B314";

/// A network in which one exchanger of example.net does this.
fn exchanger(script: Script) -> Network {
    let mut network = example_net();
    network.host("192.0.2.1:25", script);
    network
}

/// RFC 3461 §5.2.2 (b): the next hop does not know of reports, so we make the last one that can be made.
#[test]
fn handed_on_to_a_host_that_does_not_report() {
    let network = exchanger(Script::smtp());
    let asked = "<carol@example.net> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;Carol+2Bx@example.com";
    let mut world = World::asking(&network, "", MAIL, &[asked, "<dan@example.net>"]);
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
          11-22 10:00:00  request       RET=HDRS, ENVID=QQ+314, <carol@example.net> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;Carol+x@example.com
          11-22 10:00:00  enqueue       from <bob@example.org> to <carol@example.net>, <dan@example.net>
          11-22 10:00:00  deliver       example.net: <carol@example.net>, <dan@example.net> queued
          11-22 10:00:00  end           250 2.0.0 kept
          11-22 10:00:00  route         example.net: mx1.example.net [192.0.2.1]:25, mx2.example.net [192.0.2.2]:25
          11-22 10:00:00                because example.net names 2 mail exchangers
          11-22 10:00:00  attempt       number 1 for example.net at mx1.example.net [192.0.2.1]:25, no TLS: relayed
                                        0.000  < 220 peer.example ready
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
          11-22 10:00:00  deliver       example.net: <carol@example.net>, <dan@example.net> relayed: mx1.example.net [192.0.2.1]:25: 250 2.0.0 taken (in answer to the end of the content)
          11-22 10:00:00  end           reported to <bob@example.org> by the message QUEUE-ID-2
        QUEUE-ID-2
          11-22 10:00:00  spool         1640 octets, Message-ID <QUEUE-ID-2@mx.example>
          11-22 10:00:00  enqueue       from <> to <bob@example.org>
          11-22 10:00:00  file          in INBOX of bob@example.org for <bob@example.org>
          11-22 10:00:00  end           made here, a report about the message QUEUE-ID-1
    "#]]);
    expect![[r#"
        Return-Path: <>
        Delivered-To: bob@example.org
        From: Mail Delivery System <postmaster@example.org>
        To: <bob@example.org>
        Subject: Your message was handed on
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

        Your message of Sun, 22 Nov 2026 10:00:00 +0000 was handed on for:

          carol@example.net
            mx1.example.net said: 250 2.0.0 taken

        You asked to be told. The host that took it does not report delivery. You may
        hear no more, unless it cannot be delivered.
        The administrator of mx.example finds it under the number QUEUE-ID-1.

        --report-QUEUE-ID-2
        Content-Type: message/delivery-status

        Original-Envelope-Id: QQ+314
        Reporting-MTA: dns; mx.example
        X-Queue-ID: QUEUE-ID-1
        Arrival-Date: Sun, 22 Nov 2026 10:00:00 +0000

        Original-Recipient: rfc822; Carol+x@example.com
        Final-Recipient: rfc822; carol@example.net
        Action: relayed
        Status: 2.0.0
        Remote-MTA: dns; mx1.example.net
        Diagnostic-Code: smtp; 250 2.0.0 taken
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

/// RFC 3461 §5.2.1: the next hop is told what was asked for, and nothing is left to us.
#[test]
fn handed_on_to_a_host_that_reports() {
    let network = exchanger(Script::smtp().offering("DSN"));
    let asked = "<carol@example.net> NOTIFY=SUCCESS ORCPT=rfc822;Carol+2Bx@example.com";
    let mut world = World::asking(&network, "", MAIL, &[asked, "<dan@example.net> NOTIFY=NEVER"]);
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
          11-22 10:00:00  request       RET=HDRS, ENVID=QQ+314, <carol@example.net> NOTIFY=SUCCESS ORCPT=rfc822;Carol+x@example.com, <dan@example.net> NOTIFY=NEVER
          11-22 10:00:00  enqueue       from <bob@example.org> to <carol@example.net>, <dan@example.net>
          11-22 10:00:00  deliver       example.net: <carol@example.net>, <dan@example.net> queued
          11-22 10:00:00  end           250 2.0.0 kept
          11-22 10:00:00  route         example.net: mx1.example.net [192.0.2.1]:25, mx2.example.net [192.0.2.2]:25
          11-22 10:00:00                because example.net names 2 mail exchangers
          11-22 10:00:00  attempt       number 1 for example.net at mx1.example.net [192.0.2.1]:25, no TLS: relayed
                                        0.000  < 220 peer.example ready
                                        0.000  > EHLO mx.example
                                        0.000  < 250 peer.example / PIPELINING / SIZE 52428800 / 8BITMIME / ENHANCEDSTATUSCODES / DSN
                                        0.000  > MAIL FROM:<bob@example.org> SIZE=293 RET=HDRS ENVID=QQ+2B314
                                        0.000  > RCPT TO:<carol@example.net> NOTIFY=SUCCESS ORCPT=rfc822;Carol+2Bx@example.com
                                        0.000  > RCPT TO:<dan@example.net> NOTIFY=NEVER
                                        0.000  > DATA
                                        0.000  < 250 2.1.0 sender taken
                                        0.000  < 250 2.1.5 recipient taken
                                        0.000  < 250 2.1.5 recipient taken
                                        0.000  < 354 go on
                                        0.000  > (content, 293 octets)
                                        0.000  < 250 2.0.0 taken
          11-22 10:00:00  deliver       example.net: <carol@example.net>, <dan@example.net> relayed: mx1.example.net [192.0.2.1]:25: 250 2.0.0 taken (in answer to the end of the content)
    "#]]);
    assert!(world.maildrop(0).is_empty());
}

/// RFC 3461 §5.2.3: delivery here is reported in the commit that makes it true.
#[test]
fn delivered_here() {
    let mut world = World::asking(&example_net(), "", MAIL, &["<bob@example.org> NOTIFY=SUCCESS"]);
    world.check(expect![[r#"
        QUEUE-ID-1
          11-22 10:00:00  accept        from 127.0.0.1:PORT by virtual server "submission"
          11-22 10:00:00  speak         EHLO client.example, no TLS, signed in as bob@example.org
          11-22 10:00:00  judge         sender <bob@example.org> accepted
          11-22 10:00:00  judge         recipient <bob@example.org> accepted
          11-22 10:00:00                because recipient: the recipient is ours (mailboxes 1)
          11-22 10:00:00  spool         168 octets, Message-ID <plan@client.example>
          11-22 10:00:00  judge         content accepted
          11-22 10:00:00  request       RET=HDRS, ENVID=QQ+314, <bob@example.org> NOTIFY=SUCCESS
          11-22 10:00:00  enqueue       from <bob@example.org> to <bob@example.org>
          11-22 10:00:00  file          in INBOX of bob@example.org for <bob@example.org>
          11-22 10:00:00  end           250 2.0.0 kept
          11-22 10:00:00  end           reported to <bob@example.org> by the message QUEUE-ID-2
        QUEUE-ID-2
          11-22 10:00:00  spool         1421 octets, Message-ID <QUEUE-ID-2@mx.example>
          11-22 10:00:00  enqueue       from <> to <bob@example.org>
          11-22 10:00:00  file          in INBOX of bob@example.org for <bob@example.org>
          11-22 10:00:00  end           made here, a report about the message QUEUE-ID-1
    "#]]);
    expect![[r#"
        Return-Path: <>
        Delivered-To: bob@example.org
        From: Mail Delivery System <postmaster@example.org>
        To: <bob@example.org>
        Subject: Your message was delivered
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

        Your message of Sun, 22 Nov 2026 10:00:00 +0000 was delivered to:

          bob@example.org

        You asked to be told. It need not have been read.
        The administrator of mx.example finds it under the number QUEUE-ID-1.

        --report-QUEUE-ID-2
        Content-Type: message/delivery-status

        Original-Envelope-Id: QQ+314
        Reporting-MTA: dns; mx.example
        X-Queue-ID: QUEUE-ID-1
        Arrival-Date: Sun, 22 Nov 2026 10:00:00 +0000

        Final-Recipient: rfc822; bob@example.org
        Action: delivered
        Status: 2.0.0
        Last-Attempt-Date: Sun, 22 Nov 2026 10:00:00 +0000

        --report-QUEUE-ID-2
        Content-Type: text/rfc822-headers

        Received: from client.example ([127.0.0.1])
         by mx.example with ESMTPA id QUEUE-ID-1
         for <bob@example.org>;
         Sun, 22 Nov 2026 10:00:00 +0000
        From: Bob <bob@example.org>
        To: Carol <carol@example.net>
        Subject: the plan
        Date: Sun, 22 Nov 2026 10:00:00 +0000
        Message-ID: <plan@client.example>

        --report-QUEUE-ID-2--
    "#]]
    .assert_eq(&world.maildrop(2)[1]);
}

/// What does not fit into memory comes back as its header, also of a message that is not kept yet.
#[test]
fn a_large_message_is_reported_by_its_header() {
    let large = CONTENT.replace("C: marked-body\n", &format!("C: {}\n", "x".repeat(70)).repeat(5_000));
    let script = Script::smtp().for_recipient("carol@example.net", Do::Reply("550 5.1.1 no such user"));
    let mail = "MAIL FROM:<bob@example.org> RET=FULL";
    let recipients = ["<bob@example.org> NOTIFY=SUCCESS", "<carol@example.net>"];
    let mut world = World::asking_of(&exchanger(script), "", mail, &recipients, &large);
    let reports = world.maildrop(3).split_off(1);
    for (report, action) in reports.iter().zip(["delivered", "failed"]) {
        assert!(report.contains(&format!("\nAction: {action}\n")), "{report}");
        let (_, header) = report.split_once("Content-Type: text/rfc822-headers\n").unwrap();
        assert!(header.contains("\nSubject: the plan\n") && !header.contains("xxx"), "{header}");
    }
}

/// RFC 3461 §5.2.7.3 (c): who is behind an address is not told.
#[test]
fn distributed_here() {
    let given = "given account ann@example.org secret\ngiven alias team@example.org ann@example.org,bob@example.org\n";
    let asked = "<team@example.org> NOTIFY=SUCCESS";
    let mut world = World::asking(&example_net(), given, "MAIL FROM:<bob@example.org>", &[asked]);
    world.check(expect![[r#"
        QUEUE-ID-1
          11-22 10:00:00  accept        from 127.0.0.1:PORT by virtual server "submission"
          11-22 10:00:00  speak         EHLO client.example, no TLS, signed in as bob@example.org
          11-22 10:00:00  judge         sender <bob@example.org> accepted
          11-22 10:00:00  judge         recipient <team@example.org> accepted
          11-22 10:00:00                because recipient: the recipient is ours (mailboxes 2)
          11-22 10:00:00  spool         168 octets, Message-ID <plan@client.example>
          11-22 10:00:00  judge         content accepted
          11-22 10:00:00  request       <team@example.org> NOTIFY=SUCCESS
          11-22 10:00:00  enqueue       from <bob@example.org> to <team@example.org>
          11-22 10:00:00  file          in INBOX of ann@example.org for <team@example.org>
          11-22 10:00:00  file          in INBOX of bob@example.org for <team@example.org>
          11-22 10:00:00  end           250 2.0.0 kept
          11-22 10:00:00  end           reported to <bob@example.org> by the message QUEUE-ID-2
        QUEUE-ID-2
          11-22 10:00:00  spool         1448 octets, Message-ID <QUEUE-ID-2@mx.example>
          11-22 10:00:00  enqueue       from <> to <bob@example.org>
          11-22 10:00:00  file          in INBOX of bob@example.org for <bob@example.org>
          11-22 10:00:00  end           made here, a report about the message QUEUE-ID-1
    "#]]);
    let report = world.maildrop(2).remove(1);
    expect![[r#"
        Return-Path: <>
        Delivered-To: bob@example.org
        From: Mail Delivery System <postmaster@example.org>
        To: <bob@example.org>
        Subject: Your message was distributed
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

        Your message of Sun, 22 Nov 2026 10:00:00 +0000 was delivered to everybody behind:

          team@example.org

        You asked to be told. The address stands for several mailboxes, which are not
        named.
        The administrator of mx.example finds it under the number QUEUE-ID-1.

        --report-QUEUE-ID-2
        Content-Type: message/delivery-status

        Reporting-MTA: dns; mx.example
        X-Queue-ID: QUEUE-ID-1
        Arrival-Date: Sun, 22 Nov 2026 10:00:00 +0000

        Final-Recipient: rfc822; team@example.org
        Action: expanded
        Status: 2.0.0
        Last-Attempt-Date: Sun, 22 Nov 2026 10:00:00 +0000

        --report-QUEUE-ID-2
        Content-Type: text/rfc822-headers

        Received: from client.example ([127.0.0.1])
         by mx.example with ESMTPA id QUEUE-ID-1
         for <team@example.org>;
         Sun, 22 Nov 2026 10:00:00 +0000
        From: Bob <bob@example.org>
        To: Carol <carol@example.net>
        Subject: the plan
        Date: Sun, 22 Nov 2026 10:00:00 +0000
        Message-ID: <plan@client.example>

        --report-QUEUE-ID-2--
    "#]]
    .assert_eq(&report);
    assert!(!report.contains("ann@"));
}

/// RFC 3461 §5.2.6 (b).
#[test]
fn nobody_is_told_who_does_not_want_to_be() {
    let refuses = Do::Reply("550 5.1.1 no such user");
    let script = Script::smtp();
    let script = ["carol@example.net", "dan@example.net", "eve@example.net"]
        .into_iter()
        .fold(script, |script, address| script.for_recipient(address, refuses));
    let recipients = [
        "<carol@example.net> NOTIFY=NEVER",
        "<dan@example.net> NOTIFY=SUCCESS,DELAY",
        "<eve@example.net> NOTIFY=FAILURE",
    ];
    let mut world = World::asking(&exchanger(script), "", "MAIL FROM:<bob@example.org>", &recipients);
    let told = world.trace("bob@example.org");
    for silent in ["carol", "dan"] {
        let discarded = format!("<{silent}@example.net> discarded without a report: ");
        assert!(
            told.contains(&discarded) || told.contains("<carol@example.net>, <dan@example.net> discarded"),
            "{told}"
        );
    }
    let report = world.maildrop(1).remove(0);
    let named: Vec<&str> = report.lines().filter(|line| line.starts_with("Final-Recipient")).collect();
    assert_eq!(named, ["Final-Recipient: rfc822; eve@example.net"]);
}

/// RFC 3461 §4.3, §6.2: all of the message comes back.
#[test]
fn returned_whole() {
    let script = Script::smtp().for_recipient("carol@example.net", Do::Reply("550 5.1.1 no such user"));
    let mail = "MAIL FROM:<bob@example.org> RET=FULL";
    let mut world = World::asking(&exchanger(script), "", mail, &["<carol@example.net>"]);
    let report = world.maildrop(1).remove(0);
    let (_, returned) = report.split_once("Content-Type: message/rfc822\n").unwrap();
    expect![[r#"

        Received: from client.example ([127.0.0.1])
         by mx.example with ESMTPA id QUEUE-ID-1
         for <carol@example.net>;
         Sun, 22 Nov 2026 10:00:00 +0000
        From: Bob <bob@example.org>
        To: Carol <carol@example.net>
        Subject: the plan
        Date: Sun, 22 Nov 2026 10:00:00 +0000
        Message-ID: <plan@client.example>

        marked-body

        --report-QUEUE-ID-2--
    "#]]
    .assert_eq(returned);
}

/// RFC 6152 §3, RFC 2046 §5.2.1: a report that returned 8-bit content could not be handed to a host without 8BITMIME, and would
/// be lost. So to others than our own such content goes back as its header.
#[test]
fn eight_bit_content_is_returned_whole_to_our_own_alone() {
    let content = CONTENT.replace("C: marked-body\n", "C: gr\u{fc}n\n");
    let refused = || Script::smtp().for_recipient("carol@example.net", Do::Reply("550 5.1.1 no such user"));
    let reported = |sender: &str, content: &str| {
        let mut network = exchanger(refused());
        let seven_bit = network.host("192.0.2.3:25", Script::smtp().without("8BITMIME"));
        let mail = format!("MAIL FROM:<{sender}> RET=FULL");
        let mut world = World::asking_of(&network, "", &mail, &["<carol@example.net>"], content);
        let ours = world.maildrop(usize::from(sender == "bob@example.org"));
        assert_eq!(seven_bit.complaints(), Vec::<String>::new());
        let theirs = seven_bit.taken().into_iter().map(|taken| String::from_utf8(taken.content).unwrap());
        ours.into_iter().chain(theirs).collect::<Vec<_>>().concat()
    };
    let ours = reported("bob@example.org", &content);
    let whole = "\nContent-Type: message/rfc822\nContent-Transfer-Encoding: 8bit\n\nReceived: ";
    assert!(ours.contains(whole) && ours.contains("\ngr\u{fc}n\n"), "{ours}");
    let theirs = reported("zoe@[192.0.2.3]", &content);
    assert!(theirs.contains("Subject: the plan\r\n") && theirs.contains("text/rfc822-headers"), "{theirs}");
    assert!(theirs.is_ascii() && !theirs.contains("message/rfc822"), "{theirs}");
    let theirs = reported("zoe@[192.0.2.3]", CONTENT);
    assert!(theirs.contains("message/rfc822") && theirs.contains("\r\nmarked-body\r\n"), "{theirs}");
}

/// RFC 3461 §5.2.5 (c): a sender that asks for nothing of the kind is not told of a delay.
#[test]
fn late_and_not_told() {
    let never = || Script::smtp().at(testkit::peer::Stage::Rcpt, Do::Reply("451 4.3.0 no room for mail"));
    let mail = "MAIL FROM:<bob@example.org>";
    let mut silent = World::asking(&exchanger(never()), "", mail, &["<carol@example.net> NOTIFY=FAILURE"]);
    silent.wait(30 * 3600);
    assert!(silent.maildrop(0).is_empty());
    let mut told = World::asking(&exchanger(never()), "", mail, &["<carol@example.net> NOTIFY=DELAY"]);
    told.wait(30 * 3600);
    assert!(told.maildrop(1)[0].contains("\nAction: delayed\n"));
}

/// RFC 6531 §3.2, RFC 6533: what needs SMTPUTF8 does not go without it, and is reported in UTF-8, encoded.
#[test]
fn utf8_where_it_is_not_taken() {
    let mail = "MAIL FROM:<bob@example.org> SMTPUTF8";
    let recipients = ["<r\u{e4}ksm\u{f6}rg\u{e5}s@example.net> NOTIFY=FAILURE", "<dan@example.net>"];
    let mut world = World::asking(&exchanger(Script::smtp()), "", mail, &recipients);
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
        Content-Type: text/plain; charset=utf-8
        Content-Transfer-Encoding: quoted-printable

        Your message of Sun, 22 Nov 2026 10:00:00 +0000 could not be delivered to:

          r=C3=A4ksm=C3=B6rg=C3=A5s@example.net
            mx1.example.net [192.0.2.1]:25: 5.6.7 an address or the header of the
            message is not ASCII, which the peer does not take (at the start of a
            transaction) (5.6.7)
            The other side cannot handle the form of the message. Send it as plain
            text.

        It will not be tried again for these recipients. The header of your message
        follows below.
        The administrator of mx.example finds it under the number QUEUE-ID-1.

        --report-QUEUE-ID-2
        Content-Type: message/global-delivery-status
        Content-Transfer-Encoding: quoted-printable

        Reporting-MTA: dns; mx.example
        X-Queue-ID: QUEUE-ID-1
        Arrival-Date: Sun, 22 Nov 2026 10:00:00 +0000

        Final-Recipient: utf-8; r=C3=A4ksm=C3=B6rg=C3=A5s@example.net
        Action: failed
        Status: 5.6.7
        Diagnostic-Code: X-Waxseal; mx1.example.net [192.0.2.1]:25: 5.6.7 an addres=
        s
         or the header of the message is not ASCII, which the peer does not take (a=
        t
         the start of a transaction)
        Last-Attempt-Date: Sun, 22 Nov 2026 10:00:00 +0000

        --report-QUEUE-ID-2
        Content-Type: text/rfc822-headers

        Received: from client.example ([127.0.0.1])
         by mx.example with UTF8SMTPA id QUEUE-ID-1;
         Sun, 22 Nov 2026 10:00:00 +0000
        From: Bob <bob@example.org>
        To: Carol <carol@example.net>
        Subject: the plan
        Date: Sun, 22 Nov 2026 10:00:00 +0000
        Message-ID: <plan@client.example>

        --report-QUEUE-ID-2--
    "#]]
    .assert_eq(&world.maildrop(1)[0]);
    let taken = exchanger(Script::smtp().offering("SMTPUTF8"));
    let mut world = World::asking(&taken, "", mail, &recipients);
    assert!(world.maildrop(0).is_empty());
    let told = world.trace("bob@example.org");
    assert!(told.contains(" SMTPUTF8\n") && told.contains(", no TLS: relayed\n"), "{told}");
}

/// RFC 6531 §3.2: a message goes only with SMTPUTF8 if the header of a part needs it.
#[test]
fn utf8_in_the_header_of_a_part() {
    let part = "C: --b\nC: Content-Type: text/plain; name=\"gr\u{fc}n\"\nC:\nC: marked-body\nC: --b--\n";
    let multipart = "C: Content-Type: multipart/mixed; boundary=b\nC:\n";
    let content =
        CONTENT.replace("C: marked-body\n", part).replace("C:\nC: --b", &format!("{multipart}C: --b"));
    let mail = "MAIL FROM:<bob@example.org> SMTPUTF8";
    let mut world =
        World::asking_of(&exchanger(Script::smtp()), "", mail, &["<carol@example.net>"], &content);
    assert!(world.maildrop(1)[0].contains("\nStatus: 5.6.7\n"));
    let takes = exchanger(Script::smtp().offering("SMTPUTF8"));
    let mut world = World::asking_of(&takes, "", mail, &["<carol@example.net>"], &content);
    assert!(world.maildrop(0).is_empty());
    let told = world.trace("bob@example.org");
    assert!(told.contains(" BODY=8BITMIME SMTPUTF8\n"), "{told}");
}

/// RFC 6533: to whom has an address in UTF-8, a report is UTF-8.
#[test]
fn a_sender_in_utf8_is_told_in_utf8() {
    let refused = Script::smtp()
        .offering("SMTPUTF8")
        .at(testkit::peer::Stage::Rcpt, Do::Reply("550 5.1.1 no such user"));
    let network = exchanger(refused);
    let login = "AGrDvHJnZW5AZXhhbXBsZS5vcmcAc2VjcmV0";
    let text = format!(
        "given account j\u{fc}rgen@example.org secret\ngiven option authentication-without-tls on\n\
         given option may-send-as anyone\ngiven client 1 submission\nS: 220 *\nC: EHLO client.example\n...\nS: 250 *\nC: AUTH PLAIN {login}\nS: 235 *\n\
         C: MAIL FROM:<j\u{fc}rgen@example.org> SMTPUTF8 RET=HDRS\nS: 250 *\n\
         C: RCPT TO:<r\u{e4}ca@example.net> ORCPT=utf-8;r\\\\x{{E4}}ca@example.com\nS: 250 *\n{CONTENT}"
    );
    let mut world = World::playing(&network, &text, "");
    let reads = format!(
        "# He reads\ngiven account j\u{fc}rgen@example.org secret\ngiven option authentication-without-tls on\n\
         given client 2 pop3\n2S: +OK *\n2C: UTF8\n2S: +OK *\n2C: AUTH PLAIN {login}\n2S: +OK *\n\
         2C: RETR 1\n2S: +OK *\n2...\n2S: .\n2C: QUIT\n2S: +OK *\n2S: <closed>\n"
    );
    expect![[r#"
        Return-Path: <>
        Delivered-To: jürgen@example.org
        From: Mail Delivery System <postmaster@example.org>
        To: <jürgen@example.org>
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
        Content-Type: text/plain; charset=utf-8
        Content-Transfer-Encoding: 8bit

        Your message of Sun, 22 Nov 2026 10:00:00 +0000 could not be delivered to:

          räca@example.net
            mx1.example.net said: 550 5.1.1 no such user
            Check the address for typing errors. The mailbox may no longer exist.

        It will not be tried again for these recipients. The header of your message
        follows below.
        The administrator of mx.example finds it under the number QUEUE-ID-1.

        --report-QUEUE-ID-2
        Content-Type: message/global-delivery-status
        Content-Transfer-Encoding: 8bit

        Reporting-MTA: dns; mx.example
        X-Queue-ID: QUEUE-ID-1
        Arrival-Date: Sun, 22 Nov 2026 10:00:00 +0000

        Original-Recipient: utf-8; räca@example.com
        Final-Recipient: utf-8; räca@example.net
        Action: failed
        Status: 5.1.1
        Remote-MTA: dns; mx1.example.net
        Diagnostic-Code: smtp; 550 5.1.1 no such user
        Last-Attempt-Date: Sun, 22 Nov 2026 10:00:00 +0000

        --report-QUEUE-ID-2
        Content-Type: message/global-headers
        Content-Transfer-Encoding: 8bit

        Received: from client.example ([127.0.0.1])
         by mx.example with UTF8SMTPA id QUEUE-ID-1
         for <räca@example.net>;
         Sun, 22 Nov 2026 10:00:00 +0000
        Sender: jürgen@example.org
        From: Bob <bob@example.org>
        To: Carol <carol@example.net>
        Subject: the plan
        Date: Sun, 22 Nov 2026 10:00:00 +0000
        Message-ID: <plan@client.example>

        --report-QUEUE-ID-2--
    "#]]
    .assert_eq(&world.read(&reads, "j\u{fc}rgen@example.org")[0]);
}

/// RFC 3030 §3: binary content goes by BDAT to who takes it, and comes back from others.
#[test]
fn binary_where_it_is_not_taken() {
    let mut network = example_net();
    let takes = network.host("192.0.2.1:25", Script::smtp().offering("CHUNKING").offering("BINARYMIME"));
    let mut world = World::binary(&network);
    assert!(world.maildrop(0).is_empty());
    let taken = takes.taken();
    assert!(taken[0].content.ends_with(b"\r\n\r\na\nb"), "{taken:?}");
    assert_eq!(takes.complaints(), Vec::<String>::new());

    let mut world = World::binary(&exchanger(Script::smtp().offering("CHUNKING")));
    let report = world.maildrop(1).remove(0);
    let code: Vec<&str> = report.lines().filter(|line| line.contains("5.6.3")).collect();
    expect![[r#"
            mx1.example.net [192.0.2.1]:25: 5.6.3 the message is binary, which the
            peer does not take (at the start of a transaction) (5.6.3)
        Status: 5.6.3
        Diagnostic-Code: X-Waxseal; mx1.example.net [192.0.2.1]:25: 5.6.3 the message"#]]
    .assert_eq(&code.join("\n"));
    assert!(world.trace("bob@example.org").contains("BODY=BINARYMIME"));
}
