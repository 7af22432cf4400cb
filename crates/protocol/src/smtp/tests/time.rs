//! Deadlines (RFC 5321 §4.5.3.2.7), and the end of the server.

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn a_silent_client_is_told_so_and_closed() {
    let mut d = Dialogue::greeted(config());
    d.wait(4 * MINUTE);
    d.check("NOOP", "250 2.0.0");
    d.wait(4 * MINUTE);
    assert!(!d.closed);
    d.wait(MINUTE);
    assert_eq!(d.hear(), "421 4.4.2 Waited too long\n");
    assert!(d.closed);
    assert_eq!(d.end().misuses, ["TooSlow"]);
}

#[test]
fn a_byte_now_and_then_is_no_command() {
    let mut d = Dialogue::greeted(config());
    for _ in 0..5 {
        d.wait(MINUTE - Duration::from_secs(1));
        d.send("N");
    }
    d.wait(Duration::from_secs(5));
    assert!(d.closed);
}

#[test]
fn our_own_time_is_not_held_against_the_client() {
    let mut d = Dialogue::greeted(config());
    d.prompt = false;
    d.send("MAIL FROM:<a@example.com>\r\n");
    d.wait(20 * MINUTE);
    assert!(!d.closed);
    d.answer();
    d.run();
    assert_eq!(codes(&d.hear()), "250 2.1.0");
    d.wait(4 * MINUTE);
    assert!(!d.closed);
    d.wait(MINUTE);
    assert!(d.closed);
}

fn in_content() -> Dialogue {
    let mut d = Dialogue::greeted(Config { message_size_max: 1 << 30, ..config() });
    d.check("MAIL FROM:<a@example.com>\nRCPT TO:<bob@example.org>\nDATA", "250 2.1.0, 250 2.1.0, 354");
    d
}

#[test]
fn content_must_make_progress() {
    let mut d = in_content();
    for _ in 0..10 {
        d.wait(4 * MINUTE);
        d.send([b'x'; limits::SMTP_CONTENT_PROGRESS as usize]);
        assert!(!d.closed);
    }
    for _ in 0..5 {
        d.wait(MINUTE);
        d.send("x");
    }
    assert!(d.closed);
}

#[test]
fn content_must_end() {
    let mut d = in_content();
    let started = d.now;
    while !d.closed {
        d.wait(MINUTE);
        d.send([b'x'; limits::SMTP_CONTENT_PROGRESS as usize]);
    }
    assert_eq!(d.now - started, limits::SMTP_CONTENT_TIME_MAX);
    assert!(d.end().cut_in_transaction);
}

fn stop(d: &mut Dialogue) {
    d.session.stopping(d.now);
    d.run();
}

#[test]
fn a_server_that_stops_closes_idle_connections() {
    let mut d = Dialogue::greeted(config());
    stop(&mut d);
    assert_eq!(codes(&d.hear()), "421 4.3.2");
    assert!(d.closed);
}

#[test]
fn a_server_that_stops_lets_a_transaction_end() {
    let mut d = Dialogue::greeted(config());
    d.check("MAIL FROM:<a@example.com>", "250 2.1.0");
    stop(&mut d);
    d.check("RCPT TO:<bob@example.org>\nDATA", "250 2.1.0, 354");
    d.check("x\n.", "250 2.0.0, 421 4.3.2");
    assert!(d.closed);
    assert_eq!(d.end().messages, 1);
}

#[test]
fn a_server_that_stops_does_not_wait_for_ever() {
    let mut d = Dialogue::greeted(config());
    d.check("MAIL FROM:<a@example.com>", "250 2.1.0");
    stop(&mut d);
    d.wait(limits::SMTP_STOPPING_GRACE);
    assert_eq!(codes(&d.hear()), "421 4.3.2");
    assert!(d.closed);
}

#[test]
fn an_idle_session_holds_no_buffer() {
    let mut d = Dialogue::greeted(config());
    d.check("MAIL FROM:<a@example.com>\nRCPT TO:<bob@example.org>\nDATA", "250 2.1.0, 250 2.1.0, 354");
    d.check("x\n.", "250 2.0.0");
    assert!(d.session.lines.is_empty());
    assert_eq!((d.session.lines.capacity(), d.session.out.capacity()), (0, 0));
}
