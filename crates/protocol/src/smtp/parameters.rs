//! Parameters of MAIL and RCPT (RFC 5321 §4.1.2: `esmtp-keyword [= esmtp-value]`): one entry of the slice each.

use super::command::Refusal;
use super::replies;
use super::server::Config;
use crate::misuse::Misuse;

/// What the parameters of MAIL said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct MailParameters {
    pub(super) size: Option<u64>,
    pub(super) eight_bit: bool,
    pub(super) auth: Option<String>,
}

/// A parameter of MAIL.
struct MailParameter {
    keyword: &'static str,
    /// Whether the extension that defines it is offered.
    offered: fn(&Config) -> bool,
    /// Takes the value; `None` if it is malformed.
    take: fn(&str, &mut MailParameters) -> Option<()>,
}

const MAIL_PARAMETERS: &[MailParameter] = &[
    // RFC 1870 §6: 1 to 20 digits. A number beyond 64 bits is larger than any limit.
    MailParameter {
        keyword: "SIZE",
        offered: |_| true,
        take: |value, parameters| {
            let digits = (1..=20).contains(&value.len()) && value.bytes().all(|octet| octet.is_ascii_digit());
            parameters.size = digits.then(|| value.parse().unwrap_or(u64::MAX));
            parameters.size.map(|_| ())
        },
    },
    // RFC 6152 §2.
    MailParameter {
        keyword: "BODY",
        offered: |_| true,
        take: |value, parameters| {
            parameters.eight_bit = value.eq_ignore_ascii_case("8BITMIME");
            (parameters.eight_bit || value.eq_ignore_ascii_case("7BIT")).then_some(())
        },
    },
    // RFC 4954 §5: the original submitter, or `<>`, in xtext. It must be understood also before sign-in.
    MailParameter {
        keyword: "AUTH",
        offered: |config| !config.auth.is_empty(),
        take: |value, parameters| {
            let submitter = xtext(value)?;
            parameters.auth = Some(if submitter == "<>" { String::new() } else { submitter });
            Some(())
        },
    },
];

/// Reads the parameters of MAIL. An empty text has none.
pub(super) fn mail(text: &str, config: &Config) -> Result<MailParameters, Refusal> {
    let mut parameters = MailParameters::default();
    let mut seen: [bool; MAIL_PARAMETERS.len()] = Default::default();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let (keyword, value) = word.split_once('=').unwrap_or((word, ""));
        let place = MAIL_PARAMETERS
            .iter()
            .position(|known| known.keyword.eq_ignore_ascii_case(keyword) && (known.offered)(config))
            .ok_or_else(unknown)?;
        let twice = std::mem::replace(&mut seen[place], true);
        if twice || (MAIL_PARAMETERS[place].take)(value, &mut parameters).is_none() {
            return Err(Refusal::new(Misuse::ParameterSyntax, replies::PARAMETER_SYNTAX));
        }
    }
    Ok(parameters)
}

/// Reads the parameters of RCPT: there is none yet.
pub(super) fn rcpt(text: &str) -> Result<(), Refusal> {
    if text.is_empty() { Ok(()) } else { Err(unknown()) }
}

/// RFC 5321 §4.1.1.11.
fn unknown() -> Refusal {
    Refusal::new(Misuse::UnknownParameter, replies::UNKNOWN_PARAMETER)
}

/// Decodes xtext (RFC 3461 §4): `+HH` stands for an octet. What is decoded must be printable ASCII.
fn xtext(value: &str) -> Option<String> {
    let mut decoded = String::new();
    let mut rest = value.as_bytes();
    while let [first, tail @ ..] = rest {
        let (octet, tail) = match (first, tail) {
            (b'+', [high, low, tail @ ..]) => (upper_hex(*high)? * 16 + upper_hex(*low)?, tail),
            (b'+' | b'=', _) => return None,
            (octet, tail) => (*octet, tail),
        };
        if !matches!(octet, b' '..=b'~') {
            return None;
        }
        decoded.push(char::from(octet));
        rest = tail;
    }
    (!decoded.is_empty()).then_some(decoded)
}

fn upper_hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smtp::tests::config;

    #[test]
    fn parameters_of_mail() {
        let check = |text: &str, expected: &str| {
            let found = match mail(text, &config()) {
                Ok(found) => format!("{:?} {} {:?}", found.size, found.eight_bit, found.auth),
                Err(refusal) => format!("{} {:?}", refusal.reply.code, refusal.misuse),
            };
            assert_eq!(found, expected, "{text:?}");
        };
        check("", "None false None");
        check("SIZE=10 body=8bitmime", "Some(10) true None");
        check("BODY=7BIT  AUTH=<>", "None false Some(\"\")");
        check("AUTH=bob+2Bx+3D@example.org", "None false Some(\"bob+x=@example.org\")");
        check("SIZE=99999999999999999999", "Some(18446744073709551615) false None");
        for malformed in
            ["SIZE", "SIZE=", "SIZE=-1", "SIZE=1x", "SIZE=1 SIZE=1", "SIZE=111111111111111111111"]
        {
            check(malformed, "501 ParameterSyntax");
        }
        for malformed in ["BODY", "BODY=9BIT", "AUTH", "AUTH=+", "AUTH=+2b", "AUTH=+00", "AUTH=a=b"] {
            check(malformed, "501 ParameterSyntax");
        }
        for unknown in ["RET=FULL", "SMTPUTF8", "=", "SIZE=1 X"] {
            check(unknown, "555 UnknownParameter");
        }
    }

    #[test]
    fn auth_is_known_only_where_it_is_offered() {
        let config = Config { auth: crate::sasl::Offer::NONE, ..config() };
        assert_eq!(mail("AUTH=<>", &config).map_err(|refusal| refusal.reply.code), Err(555));
    }
}
