//! Where the peer's bytes are cut must not change what becomes of a message.

use proptest::prelude::*;

use super::scripted::{Cut, play};
use super::*;

const SCRIPTS: &[&[(&str, &str)]] = &[
    &[],
    &[("banner", "220-mx\r\n220 hello")],
    &[("EHLO", "250-mx\r\n250-STARTTLS\r\n250 PIPELINING")],
    &[("RCPT TO:<bob", "550 5.1.1 no"), ("RCPT TO:<eve", "452 4.5.3 enough")],
    &[("RCPT", "550-5.1.1 no\r\n550 5.1.1 such")],
    &[("RCPT TO:<eve", "452 4.5.3 enough")],
    &[("MAIL", "421 4.3.2 leaving")],
    &[("MAIL", "550 5.7.1 no"), ("RCPT", "503 5.5.1 no"), ("DATA", "503 5.5.1 no")],
    &[("DATA", "250 what")],
    &[(".", "250-2.0.0 a\r\n250 2.0.0 b")],
    &[(".", "what")],
    &[(".", "250-a\r\n251 b")],
    &[("RCPT", "25\n0")],
    &[("EHLO", "250-mx\n250 PIPELINING\r"), ("RCPT TO:<eve", "550-5.1.1 n\0o\n550 5.1.1 such\rone")],
    &[("EHLO", "500 what"), (".", "close")],
];

fn seen(script: &[(&str, &str)], dialect: Dialect, cut: Cut) -> (Seen, Vec<String>, String) {
    let letters = vec![letter(&["bob", "eve"], "a\r\n.b"), letter(&["eve"], "")];
    let (seen, peer) = play(script, Caller::new(Policy { dialect, ..policy() }, letters), cut);
    (seen, peer.lines, peer.content)
}

#[test]
fn every_script_octet_by_octet() {
    for script in SCRIPTS {
        for dialect in [Dialect::Smtp, Dialect::Lmtp] {
            let whole = seen(script, dialect, Cut::Whole);
            for octets in 1..8 {
                assert_eq!(seen(script, dialect, Cut::Every(octets)), whole, "{script:?}");
            }
        }
    }
}

/// Any answer to any command.
fn script() -> impl Strategy<Value = Vec<(&'static str, &'static str)>> {
    let command = proptest::sample::select(vec![
        "banner",
        "EHLO",
        "HELO",
        "STARTTLS",
        "MAIL",
        "RCPT TO:<bob",
        "RCPT",
        "DATA",
        ".",
        "RSET",
        "QUIT",
    ]);
    let answer = proptest::sample::select(vec![
        "250 2.0.0 yes",
        "250",
        "250-mx\r\n250 PIPELINING",
        "250-mx\r\n250-STARTTLS\r\n250 SIZE 2",
        "354 go on",
        "421 4.3.2 leaving",
        "451 4.3.0 later",
        "452 4.5.3 enough",
        "550-5.0.0 no\r\n550 5.0.0 no",
        "250-a\r\n550 b",
        "what\r\n250 yes",
        "250-mx\n250-PIPELINING\n250 SIZE 2000",
        "250 a\rb\0",
        "close",
        "silence",
    ]);
    proptest::collection::vec((command, answer), 0..5)
}

proptest! {
    #[test]
    fn any_script_cut_anywhere(script in script(), octets in 1..12_usize, lmtp: bool) {
        let dialect = if lmtp { Dialect::Lmtp } else { Dialect::Smtp };
        let whole = seen(&script, dialect, Cut::Whole);
        prop_assert_eq!(&seen(&script, dialect, Cut::Every(octets)), &whole);
        // Nothing is delivered but by a peer that said so after a final dot.
        let delivered = whole.0.reports.iter().flat_map(|report| &report.outcomes)
            .filter(|outcome| matches!(outcome, Outcome::Delivered(_)));
        for outcome in delivered {
            prop_assert_eq!(outcome.diagnostic().stage, Stage::End);
            prop_assert_eq!(outcome.diagnostic().reply.as_ref().map(|reply| reply.code / 100), Some(2));
        }
        // Every recipient of a transaction that was taken has one outcome.
        prop_assert_eq!(whole.0.reports.len(), whole.0.summary.transactions);
    }

    #[test]
    fn no_input_panics(pieces in proptest::collection::vec(
        prop_oneof![
            Just(&b"220 mx\r\n"[..]), Just(&b"250-mx\r\n"[..]), Just(&b"250 PIPELINING\r\n"[..]), Just(&b"354 go\r\n"[..]),
            Just(&b"250 yes\r\n"[..]), Just(&b"550 no\r\n"[..]), Just(&b"\xff"[..]), Just(&b"\r"[..]), Just(&b"\n"[..]),
        ], 0..30)
    ) {
        let mut caller = Caller::new(policy(), vec![letter(&["bob"], "a\r\n"), letter(&["eve"], "b\r\n")]);
        caller.run();
        for piece in pieces {
            if !caller.closed && !caller.upgrading {
                caller.hear(piece);
            }
        }
        caller.over(End::Cut);
    }
}
