//! Silence, and words that nobody asked for.

use super::*;

/// A connection on which all this was heard.
fn after(heard: &[&str]) -> Caller {
    let mut caller = Caller::new(policy(), vec![letter(&["bob"], "a\r\n")]);
    caller.run();
    heard.iter().for_each(|heard| caller.hear(format!("{heard}\r\n").as_bytes()));
    caller
}

const TO_CONTENT: [&str; 5] = ["220 mx", "250-mx\r\n250 PIPELINING", "250 a", "250 b", "354 c"];

/// RFC 5321 §4.5.3.2: each command has its own time.
#[test]
fn silence_ends_a_connection() {
    let check = |heard: usize, seconds: u64, seen: &str| {
        let mut caller = after(&TO_CONTENT[..heard]);
        let begun = caller.now;
        // A line that does not end moves no deadline.
        caller.now += Duration::from_secs(seconds - 1);
        caller.hear(b"250-");
        caller.wait();
        assert_eq!(caller.now - begun, Duration::from_secs(seconds), "{seen}");
        assert!(caller.closed);
        assert_eq!(caller.over(End::Closed).text(), seen);
    };
    let silent = "the peer did not answer in time";
    check(0, 300, &format!("none: 4.4.2 {silent} (at connecting)"));
    check(1, 300, &format!("none: 4.4.2 {silent} (at EHLO)"));
    check(2, 300, &format!("deferred 4.4.2 4.4.2 {silent} (at MAIL)"));
    check(3, 300, &format!("deferred 4.4.2 4.4.2 {silent} (at RCPT)"));
    check(4, 120, &format!("deferred 4.4.2 4.4.2 {silent} (at DATA)"));
    let unknown = "at the end of the content); the message may have arrived";
    check(5, 600, &format!("deferred 4.4.2 4.4.2 {silent} ({unknown}"));
}

#[test]
fn nobody_waits_long_for_the_answer_to_quit() {
    let mut caller = after(&TO_CONTENT);
    caller.hear(b"250 kept\r\n");
    let begun = caller.now;
    caller.wait();
    assert!(caller.closed && caller.now - begun == limits::QUIT_TIME);
    let seen = caller.over(End::Closed);
    assert_eq!((seen.text().as_str(), seen.summary.failure), ("delivered", None));
}

#[test]
fn where_tls_comes_first_the_banner_has_its_time_after_it() {
    let mut caller = Caller::new(policy(), Vec::new());
    let handshake = Duration::from_secs(20);
    caller.session.secured(caller.now + handshake, TlsFacts::default());
    caller.run();
    assert_eq!(caller.until - caller.now, handshake + limits::BANNER_TIME);
    caller.hear(b"220 mx\r\n");
    caller.hear(b"250-mx\r\n250 STARTTLS\r\n");
    assert_eq!(caller.sent, b"EHLO out.example.org\r\nQUIT\r\n", "no TLS in TLS");
}

/// What is pipelined is timed from when its reply is the next to come.
#[test]
fn each_reply_gives_the_next_its_time() {
    let mut caller = after(&TO_CONTENT[..2]);
    for reply in ["250 a\r\n", "250 b\r\n"] {
        caller.now += Duration::from_secs(299);
        caller.hear(reply.as_bytes());
    }
    assert_eq!(caller.until - caller.now, limits::DATA_TIME);
}

#[test]
fn a_word_in_the_content_ends_the_connection() {
    let check = |words: &str, seen: &str| {
        let mut session = after(&TO_CONTENT[..4]).session;
        // A test has no simulated clock to ask; only differences matter.
        #[allow(clippy::disallowed_methods)]
        let now = Instant::now();
        session.receive(now, b"354 c\r\n");
        assert_eq!(session.next(), Step::Ask(Question::Content { offset: 0 }));
        session.receive(now, words.as_bytes());
        assert_eq!(session.next(), Step::Close);
        let summary = session.ended(now, End::Closed);
        assert_eq!(word(&summary.report.unwrap().outcomes[0]), seen);
    };
    check("421 4.3.2 stopping\r\n", "deferred 4.3.2 421 4.3.2 stopping (in answer to the content)");
    check("552 5.3.4 too large\r\n", "failed 5.3.4 552 5.3.4 too large (in answer to the content)");
    let odd = "deferred 4.5.0 4.5.0 the peer's answer cannot be understood (at the content)";
    check("250 kept\r\n", odd);
    check("what\r\n", odd);
}

fn kept() -> Caller {
    let mut caller = Caller::new(policy(), Vec::new());
    caller.keeps = true;
    caller.run();
    caller.hear(b"220 mx\r\n");
    caller.hear(b"250 mx\r\n");
    caller.sent.clear();
    caller
}

#[test]
fn a_kept_connection_notices_that_the_peer_leaves() {
    let check = |words: &str, seen: &str| {
        let mut caller = kept();
        caller.hear(words.as_bytes());
        assert!(caller.closed);
        assert_eq!(caller.over(End::Closed).text(), seen);
    };
    check("421 4.4.2 idle\r\n", "none: 421 4.4.2 idle (in answer to the start of a transaction)");
    check(
        "250 what\r\n",
        "none: 4.5.0 the peer's answer cannot be understood (at the start of a transaction)",
    );
    let caller = kept();
    let text = caller.over(End::Cut).text();
    assert_eq!(text, "none: 4.4.2 the connection was lost (at the start of a transaction)");
}

#[test]
fn a_kept_connection_is_not_kept_for_ever() {
    let mut caller = kept();
    let begun = caller.now;
    caller.wait();
    assert_eq!(caller.now - begun, policy().idle);
    assert_eq!(caller.sent, b"QUIT\r\n");
    caller.hear(b"221 bye\r\n");
    assert!(caller.closed);
    assert_eq!(caller.over(End::Closed).text(), "none");
}

/// A transaction that comes when the connection is being closed is not lost: it is reported as not sent.
#[test]
fn a_transaction_that_comes_too_late_is_reported() {
    let mut caller = kept();
    caller.wait();
    let late = letter(&["bob"], "a\r\n").transaction;
    caller.session.answer(caller.now, Answer::Transaction(Box::new(late)));
    caller.run();
    assert_eq!(caller.sent, b"QUIT\r\n");
    assert!(caller.closed, "the message does not wait for the answer to QUIT");
    let text = caller.over(End::Closed).text();
    assert_eq!(text, "deferred 4.4.2 4.4.2 the connection was ended here (at the start of a transaction)");
}

#[test]
fn stopping_lets_a_transaction_end_and_begins_none() {
    let mut idle = kept();
    idle.session.stopping(idle.now);
    idle.run();
    assert_eq!(idle.sent, b"QUIT\r\n");
    let mut busy = after(&TO_CONTENT);
    busy.letters.push_back(letter(&["eve"], "b\r\n"));
    busy.session.stopping(busy.now);
    busy.sent.clear();
    busy.hear(b"250 kept\r\n");
    assert_eq!(busy.sent, b"QUIT\r\n");
    assert_eq!(busy.over(End::Cut).text(), "delivered");
    let mut slow = after(&TO_CONTENT);
    slow.session.stopping(slow.now);
    slow.run();
    let begun = slow.now;
    slow.wait();
    assert!(slow.closed && slow.now - begun == limits::STOPPING_GRACE);
    let text = slow.over(End::Closed).text();
    assert!(text.ends_with("(at the end of the content); the message may have arrived"), "{text}");
}

/// Before MAIL, and after QUIT, there is nothing to wait for.
#[test]
fn stopping_waits_for_no_peer_without_a_transaction() {
    let stopped = "4.4.2 the connection was ended here";
    for (heard, seen) in [
        (&[][..], format!("none: {stopped} (at connecting)")),
        (&TO_CONTENT[..1], format!("none: {stopped} (at EHLO)")),
        (&["220 mx", "250-mx\r\n250 STARTTLS"], format!("none: {stopped} (at STARTTLS)")),
    ] {
        let mut caller = after(heard);
        caller.session.stopping(caller.now);
        caller.run();
        assert!(caller.closed, "{heard:?}");
        assert_eq!(caller.over(End::Closed).text(), seen);
    }
    let mut idle = kept();
    idle.session.stopping(idle.now);
    idle.run();
    assert!(idle.closed && idle.sent == b"QUIT\r\n");
    let mut quitting = kept();
    quitting.wait();
    quitting.session.stopping(quitting.now);
    quitting.run();
    assert!(quitting.closed);
    assert_eq!(quitting.over(End::Closed).text(), "none");
}

/// While the application decides, the time is its own.
#[test]
fn our_own_time_does_not_count() {
    let mut session = after(&TO_CONTENT[..4]).session;
    #[allow(clippy::disallowed_methods)]
    let now = Instant::now();
    session.receive(now, b"354 c\r\n");
    assert_eq!(session.next(), Step::Ask(Question::Content { offset: 0 }));
    let Step::Await { until, .. } = session.next() else { panic!("it waits") };
    session.woken(until);
    assert!(matches!(session.next(), Step::Await { until: later, .. } if later > until));
}
