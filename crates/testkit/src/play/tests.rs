use std::collections::BTreeMap;

use expect_test::{Expect, expect};

use super::*;

/// A server that says back each line, closes after `BYE`, and says how many bytes it has if `cheats`.
#[derive(Default)]
struct Echo {
    input: BTreeMap<usize, Vec<u8>>,
    output: BTreeMap<usize, Vec<u8>>,
    closed: Vec<usize>,
    writes: Vec<usize>,
    cheats: bool,
}

impl Echo {
    fn say(&mut self, client: usize, text: &[u8]) {
        let output = self.output.entry(client).or_default();
        output.extend_from_slice(text);
        output.extend_from_slice(b"\r\n");
    }
}

impl Stage for Echo {
    fn open(&mut self, client: usize, _: Protocol, _: bool) -> Result<(), String> {
        self.say(client, b"hello");
        Ok(())
    }

    fn send(&mut self, client: usize, bytes: &[u8]) -> Result<(), String> {
        self.writes.push(bytes.len());
        let input = self.input.entry(client).or_default();
        input.extend_from_slice(bytes);
        let mut lines = Vec::new();
        while let Some(end) = input.windows(2).position(|two| two == b"\r\n") {
            lines.push(input.drain(..end + 2).take(end).collect::<Vec<u8>>());
        }
        if self.cheats {
            self.say(client, bytes.len().to_string().as_bytes());
        }
        for line in lines {
            if line == b"BYE" {
                self.closed.push(client);
            }
            self.say(client, &line);
        }
        Ok(())
    }

    fn read(&mut self, client: usize, _: Patience) -> Result<Arrived, String> {
        let output = std::mem::take(self.output.entry(client).or_default());
        Ok(match (output.is_empty(), self.closed.contains(&client)) {
            (false, _) => Arrived::Bytes(output),
            (true, true) => Arrived::Closed,
            (true, false) => Arrived::Nothing,
        })
    }

    fn start_tls(&mut self, _: usize) -> Result<(), String> {
        Err("no TLS here".into())
    }

    fn end_tls(&mut self, _: usize) -> Result<(), String> {
        Err("no TLS here".into())
    }

    fn close(&mut self, client: usize, _: Side) -> Result<(), String> {
        self.closed.push(client);
        Ok(())
    }

    fn wait(&mut self, time: Duration) -> Result<(), String> {
        self.say(1, time.as_secs().to_string().as_bytes());
        Ok(())
    }

    fn stop(&mut self) -> Result<(), String> {
        Ok(())
    }

    fn check(&mut self, check: &Check) -> Result<(), String> {
        if *check == Check::Mail("a@b".into(), 1) { Ok(()) } else { Err(format!("not so: {check:?}")) }
    }
}

fn run(lines: &str, cut: Cut, echo: &mut Echo) -> Result<Played, Box<Failure>> {
    let transcript = Transcript::parse(&format!("# t\nS: hello\n{lines}")).unwrap();
    play(&transcript, Protocol::Smtp, echo, cut)
}

#[test]
fn what_goes_as_written_passes() {
    for lines in [
        "C: a\nS: a",
        "C: a\nC: b\nS: a\nS: b",
        "C: a\nC: b\nC: c\n...\nS: c",
        "C: x17\nS: x$n\nC: <$n>\nS: <17>",
        "C~ a\nS~\nC~ b\\r\\n\nS: ab",
        "C* 3 ab\\r\\n\nS: ab\nS: ab\nS: ab",
        "2S: hello\n2C: a\n2S: a\nC: b\nS: b",
        "C: BYE\nS: BYE\nS: <closed>",
        "C: BYE\n...\nS: <closed>",
        "C: a\nclose",
        "wait 2m\nS: 120\nthen mail a@b 1",
        "C: \\x01\\xFF é\\t\nS: \\x01\\xFF é*",
    ] {
        if let Err(failure) = run(lines, Cut::Whole, &mut Echo::default()) {
            panic!("{lines}\n{failure}");
        }
    }
}

fn fails(lines: &str, expected: Expect) {
    expected.assert_eq(&run(lines, Cut::Whole, &mut Echo::default()).unwrap_err().render(false));
}

#[test]
fn a_failure_shows_line_difference_and_dialogue() {
    fails(
        "C: 250 ok\\x1b\n\nS: 250 okay",
        expect![[r#"
            line 5: S: 250 okay
              expected  250 okay
              got       250 ok\x1B
              alike     the first 6 octets
            the dialogue so far:
              S: hello
              C: 250 ok\x1b
              S: 250 ok\x1B
        "#]],
    );
    fails(
        "S: more",
        expect![[r#"
            line 3: S: more
            the server sent nothing
            the dialogue so far:
              S: hello
        "#]],
    );
    fails(
        "C: a",
        expect![[r#"
            line 3: C: a
            the server sent a line that the transcript does not have
            the dialogue so far:
              S: hello
              C: a
              S: a
        "#]],
    );
}

#[test]
fn what_does_not_go_as_written_fails() {
    for lines in [
        "C: a\nS~",
        "C: a\nS: <closed>",
        "S: <closed>",
        "C: BYE\nS: BYE\nS: more",
        "C: a\n...\nS: b",
        "C: a b\nS: $x",
        "tls",
        "2S: goodbye",
        "then mail a@b 2",
        "C: a\nthen mail a@b 1",
    ] {
        assert!(run(lines, Cut::Whole, &mut Echo::default()).is_err(), "{lines}");
    }
}

#[test]
fn lines_without_a_wait_between_them_leave_in_one_write_unless_cut() {
    let lines = "C: ab\nC~ c\nC: d\n...\nS: cd\nC: e\nS: e";
    for (cut, expected) in [
        (Cut::Whole, vec![8, 3]),
        (Cut::At(3), vec![3, 5, 3]),
        (Cut::At(9), vec![8, 1, 2]),
        (Cut::Everywhere, vec![1; 11]),
    ] {
        let mut echo = Echo::default();
        let played = run(lines, cut, &mut echo).unwrap();
        assert_eq!(echo.writes, expected, "{cut:?}");
        assert_eq!(played.output[&1], b"hello\r\nab\r\ncd\r\ne\r\n");
        assert_eq!(played.cut_points, [1, 2, 3, 4, 5, 6, 7, 9, 10]);
    }
}

#[test]
fn a_server_that_minds_where_it_was_cut_is_noticed() {
    let mut echo = Echo { cheats: true, ..Echo::default() };
    assert!(run("C: ab\nS: 4\nS: ab", Cut::Whole, &mut echo).is_ok());
    let mut echo = Echo { cheats: true, ..Echo::default() };
    assert!(run("C: ab\nS: 4\nS: ab", Cut::At(1), &mut echo).is_err());
}
