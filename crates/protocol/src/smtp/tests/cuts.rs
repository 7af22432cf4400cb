//! Where input is cut, and when the application decides, must not change the outcome.

use proptest::prelude::*;

use super::*;

/// All that can be seen of a connection.
type Seen = (String, Vec<String>, Vec<Vec<u8>>, bool, Outcome);

fn play(input: &[u8], ends: &[usize], secure: bool) -> Seen {
    play_with(input, ends, secure, true)
}

/// An application that is not prompt decides only when nothing else can happen.
fn play_with(input: &[u8], ends: &[usize], secure: bool, prompt: bool) -> Seen {
    let config = Config { message_size_max: 60, ..config() };
    let mut d = Dialogue::begin(config, secure.then(TlsFacts::default));
    d.prompt = prompt;
    let mut start = 0;
    for &end in ends {
        if !d.closed {
            d.send(&input[start..end]);
        }
        start = end;
    }
    while d.open.is_some() && !d.closed {
        d.answer();
        d.run();
    }
    let heard = d.hear();
    let (asked, contents, closed) = (d.asked.clone(), d.contents.clone(), d.closed);
    (heard, asked, contents, closed, d.end())
}

const DIALOGUES: &[&str] = &[
    "EHLO c\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n..a\r\n.b\r\n\r\n.\r\nQUIT\r\n",
    "EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<no@example.org>\r\nDATA\r\nRSET\r\nNOOP\r\nVRFY x\r\nQUIT\r\nNOOP\r\n",
    "HELO c\r\nMAIL FROM:<>\r\nRCPT TO:<b@example.org>\r\nDATA\r\na\n.\r\nMAIL\r\n.\r\nNOOP\r\n",
    "HELO c\r\nMAIL FROM:<>\r\nRCPT TO:<b@example.org>\r\nDATA\r\na\r.\r\r\n.\r\nNOOP\r\n",
    "HELO c\r\nMAIL FROM:<>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n0123456789012345678901234567890123456789\r\n\
     0123456789012345678901234567890123456789\n\r\n.\r\nNOOP\r\n",
    "HELO c\r\nMAIL FROM:<>\r\nRCPT TO:<b@example.org>\r\nBDAT 5\r\na\r\n.\rBDAT 9 LAST\r\n\nb.\r\n.\r\nxBDAT 2\r\nxxNOOP\r\n",
    "HELO c\r\nMAIL FROM:<> BODY=BINARYMIME\r\nRCPT TO:<b@example.org>\r\nBDAT 61\r\n0123456789012345678901234567890\
     123456789012345678901234567890BDAT 0\r\nBDAT 3 LAST\r\n\n\r\0DATA\r\nRSET\r\nBDAT 1 LAST\r\nQQUIT\r\n",
    "FOO\r\nNOOP\nQUIT\r\nNOOP\rQUIT\r\nNOOP\0\r\nGET / HTTP/1.0\r\nNOOP\r\n",
    "EHLO c\r\nAUTH PLAIN\r\nAGJvYkBleGFtcGxlLm9yZwBzZWNyZXQ=\r\nAUTH LOGIN\r\nMAIL FROM:<bob@example.org>\r\n",
    "EHLO c\r\nAUTH LOGIN\r\n*\r\nAUTH LOGIN\r\n=\r\nAUTH LOGIN\r\nx\ny\r\nNOOP\r\n",
];

#[test]
fn every_dialogue_cut_at_every_byte() {
    for input in DIALOGUES {
        for secure in [false, true] {
            let input = input.as_bytes();
            let whole = play(input, &[input.len()], secure);
            let bytes: Vec<_> = (1..=input.len()).collect();
            assert_eq!(play(input, &bytes, secure), whole);
            for cut in 0..input.len() {
                assert_eq!(play(input, &[cut, input.len()], secure), whole);
            }
        }
    }
}

proptest! {
    #[test]
    fn any_pieces_cut_anywhere(
        pieces in proptest::collection::vec(
            prop_oneof![
                Just("EHLO c\r\n"), Just("MAIL FROM:<a@example.com>\r\n"), Just("RCPT TO:<b@example.org>\r\n"),
                Just("DATA\r\n"), Just(".\r\n"), Just("\r\n.\r\n"), Just("\n"), Just("\r"), Just("x"), Just("\0"),
                Just("RSET\r\n"), Just("AUTH LOGIN\r\n"), Just("Ym9i\r\n"), Just("QUIT\r\n"), Just("FOO\r\n"),
                Just("BDAT 5\r\n"), Just("BDAT 7 LAST\r\n"), Just("BDAT 0 LAST\r\n"), Just("BDAT 70\r\n"),
            ],
            0..40,
        ),
        cuts in proptest::collection::vec(0..400_usize, 0..10),
        secure: bool,
    ) {
        let input = pieces.concat().into_bytes();
        let mut ends: Vec<_> = cuts.into_iter().map(|cut| cut.min(input.len())).collect();
        ends.push(input.len());
        ends.sort_unstable();
        let whole = play(&input, &[input.len()], secure);
        prop_assert_eq!(&play(&input, &ends, secure), &whole);
        prop_assert_eq!(&play_with(&input, &ends, secure, false), &whole);
    }

    #[test]
    fn no_input_panics(input in proptest::collection::vec(any::<u8>(), 0..400), secure: bool) {
        play(&input, &[input.len()], secure);
    }
}
