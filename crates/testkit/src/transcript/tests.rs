use expect_test::{Expect, expect};

use super::*;

fn act(line: &str) -> Act {
    let text = format!("# t\nS: $a\n{line}\n{}", if line == "..." { "S: x" } else { "" });
    Transcript::parse(&text).unwrap().steps.remove(1).act
}

fn sent(line: &str) -> String {
    let Act::Send(pattern) = act(line) else { panic!("{line} sends nothing") };
    show(&pattern.fill(&Bindings::from([("a".into(), b"A".to_vec())])))
}

#[test]
fn what_the_client_sends() {
    for (line, expected) in [
        ("C: NOOP", r"NOOP\r\n"),
        ("C:", r"\r\n"),
        ("C: ", r"\r\n"),
        ("C:  x", r" x\r\n"),
        (r"C:\x20x", r" x\r\n"),
        ("C~ NO", "NO"),
        (r"C~ \r\n\t\0\x80\\\$a\*", r"\r\n\t\x00\x80\\$a*"),
        ("C: <$a> $Forwarded ü", r"<A> $Forwarded ü\r\n"),
        ("2C: a", r"a\r\n"),
    ] {
        assert_eq!(sent(line), expected, "{line}");
    }
    assert_eq!(act(r"C* 3 a\r\n"), Act::SendMany(3, b"a\r\n".to_vec()));
}

#[test]
fn other_lines() {
    for (line, expected) in [
        ("...", Act::AnyLines),
        ("S~", Act::ExpectSilence),
        ("S: <closed>", Act::ExpectClosed),
        ("tls", Act::Tls(None)),
        ("tls bob@example.org", Act::Tls(Some("bob@example.org".into()))),
        ("2tls cut", Act::TlsCut),
        ("deflate", Act::Deflate),
        ("close", Act::Close(Side::Both)),
        ("3close write", Act::Close(Side::Write)),
        ("wait 31m", Act::Wait(Duration::from_secs(1860))),
        ("stop", Act::Stop),
        ("then mail a@b 2", Act::Then(Check::Mail("a@b".into(), 2))),
        ("then story filed in", Act::Then(Check::Story(vec!["filed".into(), "in".into()]))),
    ] {
        assert_eq!(act(line), expected, "{line}");
    }
}

fn bound(pattern: &str, line: &str) -> Option<String> {
    let bindings = Bindings::from([("old".into(), b"seen".to_vec())]);
    let all = Pattern::parse_expected(pattern).unwrap().matches(line.as_bytes(), &bindings)?;
    Some(
        all.iter()
            .filter(|(name, _)| *name != "old")
            .map(|(name, value)| format!("{name}={} ", show(value)))
            .collect(),
    )
}

#[test]
fn lines_match_patterns() {
    for (pattern, line, expected) in [
        ("250 OK", "250 OK", Some("")),
        ("250 OK", "250 OK ", None),
        ("250 *", "250 OK", Some("")),
        ("250 *", "250", None),
        (r"a\*", "a*", Some("")),
        (r"a\*", "ab", None),
        (r"a\\*", r"a\b", Some("")),
        ("*", "", Some("")),
        ("[UIDVALIDITY $v] ok", "[UIDVALIDITY 17] ok", Some("v=17 ")),
        ("$x.$y *", "12.7 r", Some("x=12 y=7 ")),
        ("$x", "two words", None),
        ("$x", "", None),
        ("$x-$x", "ab-ab", Some("x=ab ")),
        ("$x-$x", "ab-ac", None),
        ("$old", "seen", Some("")),
        ("$old", "other", None),
    ] {
        assert_eq!(bound(pattern, line).as_deref(), expected, "{pattern} / {line}");
    }
}

fn error(text: &str, expected: Expect) {
    expected.assert_eq(&Transcript::parse(text).unwrap_err().to_string());
}

#[test]
fn errors_name_the_line_and_the_cure() {
    error("", expect!["line 1: nothing happens in this file"]);
    error("S: +OK", expect!["line 1: begin with a comment that says what is shown and names the clauses"]);
    error(
        "# t\nX: y",
        expect!["line 2: not a line of a transcript; the README beside the transcripts lists them"],
    );
    error(
        "# t\nC: $q",
        expect!["line 2: `$q` was not bound by an `S:` line before (a dollar sign itself is `\\$`)"],
    );
    error("# t\nC: \\q", expect![[r"line 2: an escape is one of `\r \n \t \0 \xHH \\ \$ \*`"]]);
    error(
        "# t\n...\nC: x",
        expect!["line 3: after `...` comes the `S:` line of the same client that ends it"],
    );
    error("# t\n...\n", expect!["line 2: after `...` comes the `S:` line that ends it"]);
    error("# t\nS: x\ngiven domain a", expect!["line 3: `given` stands before the first step"]);
    error("# t\nwait 5", expect!["line 2: a time is a number with s, m or h: `wait 31m`"]);
    error("# t\n2wait 5s", expect!["line 2: this line belongs to no client: write it without a number"]);
    error("# t\n10C: x", expect!["line 2: clients are numbered 1 to 9"]);
    error("# t\nthen mail a@b 1\nC: x", expect!["line 3: `then` lines stand at the end"]);
}

#[test]
fn the_fixture_and_the_misuses_are_collected() {
    let text = "# t\n# misuse: One, Two\ngiven account ann@a.example pw\ngiven domain b.example\n\
                given option tls required\ngiven client 2 pop3\nS: x\n# misuse: Three\n";
    let transcript = Transcript::parse(text).unwrap();
    assert_eq!(transcript.misuses, ["One", "Two", "Three"]);
    assert_eq!(transcript.fixture.options["tls"], "required");
    assert_eq!(transcript.fixture.clients[&2], Protocol::Pop3);
    assert!(transcript.fixture.is_ours("A.example") && transcript.fixture.is_ours("b.example"));
    assert!(!transcript.fixture.is_ours("c.example"));
}

proptest::proptest! {
    #[test]
    fn what_is_shown_can_be_sent(bytes: Vec<u8>) {
        let shown = show(&bytes).replace('$', "\\$");
        let pattern = Pattern::parse_sent(&shown).unwrap();
        proptest::prop_assert_eq!(pattern.fill(&Bindings::new()), bytes);
    }
}
