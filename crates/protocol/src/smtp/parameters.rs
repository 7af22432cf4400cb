//! Parameters of MAIL and RCPT (RFC 5321 §4.1.2: `esmtp-keyword [= esmtp-value]`): one entry of a slice each.

use mail::{BodyType, MessageParameters, Notify, OriginalRecipient, RecipientParameters, Return, parameters};

use super::command::Refusal;
use super::replies::{self, Canned};
use super::server::Config;
use crate::misuse::Misuse;

/// What the parameters of MAIL said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct MailParameters {
    /// What travels with the message.
    pub(super) message: MessageParameters,
    pub(super) size: Option<u64>,
    pub(super) auth: Option<String>,
}

/// A parameter of a command whose parameters together are a `P`.
struct Parameter<P> {
    keyword: &'static str,
    /// Whether the extension that defines it is offered.
    offered: fn(&Config) -> bool,
    /// Takes the value, or says what it should be like.
    take: fn(Option<&str>, &mut P) -> Result<(), Canned>,
}

const MAIL_PARAMETERS: &[Parameter<MailParameters>] = &[
    // RFC 1870 §6: 1 to 20 digits. A number beyond 64 bits is larger than any limit.
    Parameter {
        keyword: "SIZE",
        offered: |config| config.keywords.size,
        take: |value, parameters| {
            let is_number = |value: &&str| {
                (1..=20).contains(&value.len()) && value.bytes().all(|octet| octet.is_ascii_digit())
            };
            let digits = value.filter(is_number).ok_or(replies::SIZE_SYNTAX)?;
            parameters.size = Some(digits.parse().unwrap_or(u64::MAX));
            Ok(())
        },
    },
    // RFC 6152 §2, RFC 3030 §3.
    Parameter {
        keyword: "BODY",
        offered: |config| config.keywords.eight_bit_mime || config.keywords.has_binarymime(),
        take: |value, parameters| {
            parameters.message.body = value.and_then(BodyType::parse).ok_or(replies::BODY_SYNTAX)?;
            Ok(())
        },
    },
    // RFC 6531 §3.4.
    Parameter {
        keyword: "SMTPUTF8",
        offered: |config| config.keywords.has_smtputf8(),
        take: |value, parameters| {
            parameters.message.utf8 = true;
            value.map_or(Ok(()), |_| Err(replies::SMTPUTF8_SYNTAX))
        },
    },
    // RFC 3461 §4.3.
    Parameter {
        keyword: "RET",
        offered: |config| config.keywords.dsn,
        take: |value, parameters| {
            parameters.message.ret = Some(value.and_then(Return::parse).ok_or(replies::RET_SYNTAX)?);
            Ok(())
        },
    },
    // RFC 3461 §4.4.
    Parameter {
        keyword: "ENVID",
        offered: |config| config.keywords.dsn,
        take: |value, parameters| {
            let id = value.and_then(parameters::envelope_id).ok_or(replies::ENVID_SYNTAX)?;
            parameters.message.envelope_id = Some(id);
            Ok(())
        },
    },
    // RFC 4954 §5: the original submitter, or `<>`, in xtext. It must be understood also before sign-in.
    Parameter {
        keyword: "AUTH",
        offered: |config| !config.auth.is_empty(),
        take: |value, parameters| {
            let submitter = value.and_then(parameters::xtext_decoded).ok_or(replies::SUBMITTER_SYNTAX)?;
            parameters.auth = Some(if submitter == "<>" { String::new() } else { submitter });
            Ok(())
        },
    },
];

const RCPT_PARAMETERS: &[Parameter<RecipientParameters>] = &[
    // RFC 3461 §4.1.
    Parameter {
        keyword: "NOTIFY",
        offered: |config| config.keywords.dsn,
        take: |value, parameters| {
            parameters.notify = Some(value.and_then(Notify::parse).ok_or(replies::NOTIFY_SYNTAX)?);
            Ok(())
        },
    },
    // RFC 3461 §4.2, RFC 6533 §3.
    Parameter {
        keyword: "ORCPT",
        offered: |config| config.keywords.dsn,
        take: |value, parameters| {
            let original = value.and_then(OriginalRecipient::parse).ok_or(replies::ORCPT_SYNTAX)?;
            parameters.original = Some(original);
            Ok(())
        },
    },
];

/// Reads the parameters of MAIL. An empty text has none.
pub(super) fn mail(text: &str, config: &Config) -> Result<MailParameters, Refusal> {
    let parameters = read(text, config, MAIL_PARAMETERS)?;
    let has_body = match parameters.message.body {
        BodyType::SevenBit => true,
        BodyType::EightBit => config.keywords.eight_bit_mime,
        BodyType::Binary => config.keywords.has_binarymime(),
    };
    if !has_body {
        return Err(Refusal::new(Misuse::UnknownParameter, replies::UNKNOWN_PARAMETER));
    }
    Ok(parameters)
}

/// Reads the parameters of RCPT.
pub(super) fn rcpt(text: &str, config: &Config) -> Result<RecipientParameters, Refusal> {
    read(text, config, RCPT_PARAMETERS)
}

fn read<P: Default>(text: &str, config: &Config, known: &[Parameter<P>]) -> Result<P, Refusal> {
    let mut parameters = P::default();
    let mut seen = Vec::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let (keyword, value) = match word.split_once('=') {
            Some((keyword, value)) => (keyword, Some(value)),
            None => (word, None),
        };
        let parameter = known
            .iter()
            .find(|known| known.keyword.eq_ignore_ascii_case(keyword) && (known.offered)(config))
            .ok_or_else(|| Refusal::new(Misuse::UnknownParameter, replies::UNKNOWN_PARAMETER))?;
        if seen.contains(&parameter.keyword) {
            return Err(Refusal::new(Misuse::ParameterSyntax, replies::PARAMETER_TWICE));
        }
        seen.push(parameter.keyword);
        (parameter.take)(value, &mut parameters)
            .map_err(|reply| Refusal::new(Misuse::ParameterSyntax, reply))?;
    }
    Ok(parameters)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smtp::Keywords;
    use crate::smtp::tests::config;

    fn code(refusal: Refusal) -> String {
        format!("{} {:?}", refusal.reply.code, refusal.misuse)
    }

    #[test]
    fn parameters_of_mail() {
        let check = |text: &str, expected: &str| {
            let found = mail(text, &config()).map(|MailParameters { message, size, auth }| {
                let MessageParameters { body, utf8, ret, envelope_id } = message;
                format!("{size:?} {body} {utf8} {ret:?} {envelope_id:?} {auth:?}")
            });
            assert_eq!(found.unwrap_or_else(code), expected, "{text:?}");
        };
        check("", "None 7BIT false None None None");
        check("SIZE=10 body=8bitmime", "Some(10) 8BITMIME false None None None");
        check("BODY=BinaryMime smtputf8", "None BINARYMIME true None None None");
        check("BODY=7BIT  AUTH=<>", "None 7BIT false None None Some(\"\")");
        check("AUTH=bob+2Bx+3D@example.org", "None 7BIT false None None Some(\"bob+x=@example.org\")");
        check("SIZE=99999999999999999999", "Some(18446744073709551615) 7BIT false None None None");
        check("RET=hdrs ENVID=QQ+2B314159", "None 7BIT false Some(Headers) Some(\"QQ+314159\") None");
        check("ret=FULL", "None 7BIT false Some(Full) None None");
    }

    #[test]
    fn malformed_parameters_of_mail() {
        let long = format!("ENVID={}", "x".repeat(101));
        for malformed in [
            "SIZE",
            "SIZE=",
            "SIZE=-1",
            "SIZE=1x",
            "SIZE=1 SIZE=1",
            "SIZE=111111111111111111111",
            "BODY",
            "BODY=9BIT",
            "BODY=",
            "AUTH",
            "AUTH=+",
            "AUTH=+2b",
            "AUTH=+00",
            "AUTH=a=b",
            "SMTPUTF8=",
            "SMTPUTF8=yes",
            "SMTPUTF8 SMTPUTF8",
            "RET",
            "RET=",
            "RET=ALL",
            "RET=FULL RET=FULL",
            "ENVID",
            "ENVID=",
            "ENVID=+",
            &long,
            "ENVID=a ENVID=b",
        ] {
            assert_eq!(
                mail(malformed, &config()).map_err(code),
                Err("501 ParameterSyntax".into()),
                "{malformed:?}"
            );
        }
        for unknown in ["NOTIFY=NEVER", "=", "SIZE=1 X"] {
            assert_eq!(
                mail(unknown, &config()).map_err(code),
                Err("555 UnknownParameter".into()),
                "{unknown:?}"
            );
        }
    }

    #[test]
    fn auth_is_known_only_where_it_is_offered() {
        let config = Config { auth: crate::sasl::Offer::NONE, ..config() };
        assert_eq!(mail("AUTH=<>", &config).map_err(|refusal| refusal.reply.code), Err(555));
    }

    #[test]
    fn what_is_switched_off_is_not_known() {
        let check = |keywords: Keywords, text: &str, taken: bool| {
            let config = Config { keywords, ..config() };
            let found = mail(text, &config).map(drop).map_err(code);
            assert_eq!(found, if taken { Ok(()) } else { Err("555 UnknownParameter".into()) }, "{text}");
        };
        let no_size = Keywords { size: false, ..Keywords::ALL };
        check(no_size, "SIZE=1", false);
        check(no_size, "BODY=8BITMIME", true);
        let no_dsn = Keywords { dsn: false, ..Keywords::ALL };
        check(no_dsn, "RET=FULL", false);
        check(no_dsn, "ENVID=x", false);
        let no_chunking = Keywords { chunking: false, ..Keywords::ALL };
        check(no_chunking, "BODY=BINARYMIME", false);
        check(no_chunking, "BODY=8BITMIME", true);
        let no_binary = Keywords { binarymime: false, ..Keywords::ALL };
        check(no_binary, "BODY=BINARYMIME", false);
        let no_eight = Keywords { eight_bit_mime: false, ..Keywords::ALL };
        check(no_eight, "BODY=8BITMIME", false);
        check(no_eight, "BODY=BINARYMIME", true);
        check(no_eight, "SMTPUTF8", false);
        check(Keywords { chunking: false, ..no_eight }, "BODY=7BIT", false);
        for text in ["NOTIFY=NEVER", "ORCPT=rfc822;a@b"] {
            let config = Config { keywords: no_dsn, ..config() };
            assert_eq!(rcpt(text, &config).map_err(code), Err("555 UnknownParameter".into()));
        }
    }

    #[test]
    fn parameters_of_rcpt() {
        let check = |text: &str, expected: &str| {
            let found = rcpt(text, &config()).map(|RecipientParameters { notify, original }| {
                let notify = notify.map(|notify| notify.to_string());
                let original = original.map(|original| format!("{};{}", original.kind, original.address));
                format!("{notify:?} {original:?}")
            });
            assert_eq!(found.unwrap_or_else(code), expected, "{text:?}");
        };
        check("", "None None");
        check("NOTIFY=NEVER", "Some(\"NEVER\") None");
        check(
            "notify=failure,Success ORCPT=RFC822;a+2Bb@c",
            "Some(\"SUCCESS,FAILURE\") Some(\"RFC822;a+b@c\")",
        );
        let long = format!("ORCPT=rfc822;{}", "x".repeat(494));
        for malformed in [
            "NOTIFY",
            "NOTIFY=",
            "NOTIFY=NEVER,DELAY",
            "NOTIFY=DELAY,DELAY",
            "NOTIFY=SOMETIMES",
            "NOTIFY=DELAY,",
            "NOTIFY=NEVER NOTIFY=NEVER",
            "ORCPT",
            "ORCPT=",
            "ORCPT=rfc822",
            "ORCPT=;a@b",
            "ORCPT=rfc822;a+2@b",
            &long,
        ] {
            check(malformed, "501 ParameterSyntax");
        }
        check("RET=FULL", "555 UnknownParameter");
    }
}
