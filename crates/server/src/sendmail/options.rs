//! The command line of sendmail, as programs have written it for decades. Pure.
//!
//! Letters stand alone or together (`-ti`), a value follows in the same word or in the next one. What has no meaning here is
//! taken and does nothing, because a program that sends mail must not fail for it.

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Mode {
    /// Send what comes on standard input.
    #[default]
    Deliver,
    /// `-bs`: speak SMTP on standard input and output.
    Smtp,
    /// `-bp`, mailq: print the queue.
    Queue,
    /// `-bi`, newaliases: aliases are in the server's store, so there is nothing to be made anew.
    Aliases,
    /// `-q`: try what waits now.
    Flush,
    /// `-bv`: say whether the addresses can be used.
    Verify,
}

/// A command line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Options {
    pub(super) mode: Mode,
    /// `-t`: recipients stand in the header.
    pub(super) by_header: bool,
    /// `-i`, `-oi`: a dot alone is a line like others.
    pub(super) dots: bool,
    /// `-f`, `-r`: the envelope's sender; `Some("")` and `<>` for none.
    pub(super) sender: Option<String>,
    /// `-F`: the sender's name.
    pub(super) name: Option<String>,
    /// `-N`, `-R`, `-V` (RFC 3461).
    pub(super) notify: Option<String>,
    pub(super) ret: Option<String>,
    pub(super) envelope_id: Option<String>,
    /// `-v`.
    pub(super) verbose: bool,
    pub(super) recipients: Vec<String>,
    /// `--data`, `--pickup`, `--settings`: ours.
    pub(super) data: Option<String>,
    pub(super) pickup: Option<String>,
    pub(super) settings: Option<String>,
}

/// Letters with a value.
const VALUED: &str = "ABCDFLMNORVXbefhmopr";
/// Of those, the ones whose value stands in the same word or is not there.
const ATTACHED: &str = "emo";

impl Options {
    /// Reads a command line, without the program's name.
    ///
    /// # Errors
    /// In words.
    pub(super) fn parse(program: &str, arguments: &[String]) -> Result<Self, String> {
        let mode = match program {
            "mailq" => Mode::Queue,
            "newaliases" => Mode::Aliases,
            _ => Mode::Deliver,
        };
        let mut options = Self { mode, ..Self::default() };
        let mut rest = arguments.iter();
        while let Some(word) = rest.next() {
            if word == "--" {
                options.recipients.extend(rest.cloned());
                break;
            }
            if let Some(long) = word.strip_prefix("--") {
                options.long(long, &mut rest)?;
            } else if let Some(letters) = word.strip_prefix('-').filter(|letters| !letters.is_empty()) {
                options.letters(letters, &mut rest)?;
            } else {
                options.recipients.push(word.clone());
            }
        }
        Ok(options)
    }

    fn long<'a>(&mut self, word: &str, rest: &mut impl Iterator<Item = &'a String>) -> Result<(), String> {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (word, None),
        };
        let place = match name {
            "data" => &mut self.data,
            "pickup" => &mut self.pickup,
            "settings" => &mut self.settings,
            _ => return Err(format!("unknown option --{name}")),
        };
        *place = Some(value.or_else(|| rest.next().cloned()).ok_or(format!("--{name} needs a value"))?);
        Ok(())
    }

    fn letters<'a>(
        &mut self,
        letters: &str,
        rest: &mut impl Iterator<Item = &'a String>,
    ) -> Result<(), String> {
        for (at, letter) in letters.char_indices() {
            let behind = &letters[at + letter.len_utf8()..];
            // `-q30m`, `-d0.1`: what follows in the word belongs to it.
            if "qdI".contains(letter) {
                match letter {
                    'q' => self.mode = Mode::Flush,
                    'I' => self.mode = Mode::Aliases,
                    _ => {}
                }
                return Ok(());
            }
            if !VALUED.contains(letter) {
                self.letter(letter)?;
                continue;
            }
            let value = match behind {
                "" if ATTACHED.contains(letter) => String::new(),
                "" => rest.next().cloned().ok_or(format!("-{letter} needs a value"))?,
                value => value.to_owned(),
            };
            return self.valued(letter, value);
        }
        Ok(())
    }

    fn letter(&mut self, letter: char) -> Result<(), String> {
        match letter {
            't' => self.by_header = true,
            'i' => self.dots = true,
            'v' => self.verbose = true,
            // Submission as such, aliases and senders of old, 7 bits: nothing of it means anything here.
            'G' | 'U' | 's' | 'n' | 'x' | 'c' | 'w' | 'E' | 'T' => {}
            _ => return Err(format!("unknown option -{letter}")),
        }
        Ok(())
    }

    fn valued(&mut self, letter: char, value: String) -> Result<(), String> {
        match letter {
            'f' | 'r' => self.sender = Some(value),
            'F' => self.name = Some(value),
            'N' => self.notify = Some(value),
            'R' => self.ret = Some(value),
            'V' => self.envelope_id = Some(value),
            'C' => self.settings = Some(value),
            'o' if value == "i" => self.dots = true,
            'O' if value.eq_ignore_ascii_case("IgnoreDots")
                || value.eq_ignore_ascii_case("IgnoreDots=true") =>
            {
                self.dots = true;
            }
            'b' => self.mode = mode(&value)?,
            _ => {}
        }
        Ok(())
    }
}

fn mode(value: &str) -> Result<Mode, String> {
    match value {
        "m" | "a" => Ok(Mode::Deliver),
        "s" => Ok(Mode::Smtp),
        "p" => Ok(Mode::Queue),
        "i" => Ok(Mode::Aliases),
        "v" => Ok(Mode::Verify),
        "d" | "D" => Err("-bd is not for here: the server is `waxseal serve`".into()),
        _ => Err(format!("unknown mode -b{value}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        let words: Vec<String> = line.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect();
        Options::parse("sendmail", &words)
    }

    #[test]
    fn programs_say_it_in_their_ways() {
        let none = Options::default();
        let to = |recipients: &[&str]| recipients.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
        for (line, expected) in [
            // mutt
            (
                "-oem -oi -f ann@a.example -- bob@b.example",
                Options {
                    dots: true,
                    sender: Some("ann@a.example".into()),
                    recipients: to(&["bob@b.example"]),
                    ..none.clone()
                },
            ),
            // PHP
            (
                "-t -i -fann@a.example",
                Options { by_header: true, dots: true, sender: Some("ann@a.example".into()), ..none.clone() },
            ),
            // cron
            (
                "-FCronDaemon -i -B8BITMIME -oem root",
                Options {
                    name: Some("CronDaemon".into()),
                    dots: true,
                    recipients: to(&["root"]),
                    ..none.clone()
                },
            ),
            // s-nail
            (
                "-i -r ann@a.example bob@b.example",
                Options {
                    dots: true,
                    sender: Some("ann@a.example".into()),
                    recipients: to(&["bob@b.example"]),
                    ..none.clone()
                },
            ),
            (
                "-ti -N never -R hdrs -V id -- -x",
                Options {
                    by_header: true,
                    dots: true,
                    notify: Some("never".into()),
                    ret: Some("hdrs".into()),
                    envelope_id: Some("id".into()),
                    recipients: to(&["-x"]),
                    ..none.clone()
                },
            ),
            (
                "-f <> -bm -v -G bob@b.example",
                Options {
                    sender: Some("<>".into()),
                    verbose: true,
                    recipients: to(&["bob@b.example"]),
                    ..none.clone()
                },
            ),
            ("-bs", Options { mode: Mode::Smtp, ..none.clone() }),
            ("-bp", Options { mode: Mode::Queue, ..none.clone() }),
            ("-bi", Options { mode: Mode::Aliases, ..none.clone() }),
            ("-q30m", Options { mode: Mode::Flush, ..none.clone() }),
            (
                "-O IgnoreDots=true -C /etc/s --pickup=/p --data /d x",
                Options {
                    dots: true,
                    settings: Some("/etc/s".into()),
                    pickup: Some("/p".into()),
                    data: Some("/d".into()),
                    recipients: to(&["x"]),
                    ..none.clone()
                },
            ),
        ] {
            assert_eq!(parse(line), Ok(expected), "{line}");
        }
        for wrong in ["-bd", "-bx", "-f", "-Z", "--no"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(Options::parse("mailq", &[]).unwrap().mode, Mode::Queue);
        assert_eq!(Options::parse("newaliases", &[]).unwrap().mode, Mode::Aliases);
    }
}
