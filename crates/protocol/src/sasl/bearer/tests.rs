use super::super::{Binding, Exchange, Offer, Stop, encode};
use super::*;

fn begin(mechanism: &str, response: &str) -> Result<(Exchange, Progress), Stop> {
    let initial = encode(response.replace('^', "\u{1}"));
    Exchange::begin(mechanism.as_bytes(), Some(initial.as_bytes()), Offer::ALL, Binding::default())
}

/// `authorization token`, or the misuse.
fn check(mechanism: &str, response: &str, expected: &str) {
    let shown = match begin(mechanism, response) {
        Ok((_, Progress::Ask(Ask::Token(token)))) => format!("{} {}", token.authorization, token.token.0),
        Ok((_, other)) => format!("{other:?}"),
        Err(Stop::Misuse(misuse)) => misuse.name().to_owned(),
        Err(Stop::Cancelled) => "cancelled".to_owned(),
    };
    assert_eq!(shown, expected, "{mechanism} {response}");
}

#[test]
fn oauth_bearer() {
    let check = |response, expected| check("OAUTHBEARER", response, expected);
    let malformed = "SaslMalformed";
    // RFC 7628 §4.1.
    check(
        "n,a=user@example.com,^host=server.example.com^port=143^auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==^^",
        "user@example.com vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==",
    );
    check("n,,^auth=Bearer x^^", " x");
    check("y,,^auth=bEARER  x^^", " x");
    check("n,a=a=2Cb,^auth=Bearer x^unknown=y z^^", "a,b x");
    // RFC 7628 §4.3: the client asks what is needed.
    check("n,a=user@example.com,^host=server.example.com^port=143^auth=^^", "user@example.com ");
    for wrong in [
        "",
        "^",
        "n,,",
        "n,,^^",
        "n,,^auth=Bearer x^",
        "n,,auth=Bearer x^^",
        "n,,^host=h^^",
        "n,,^auth=Bearer^^",
        "n,,^auth=Bearer ^^",
        "n,,^auth=Basic x^^",
        "n,,^auth=Bearer x y^^",
        "n,,^auth=Bearer x^auth=Bearer y^^",
        "n,,^auth=Bearer x^^^",
        "n,,^^auth=Bearer x^^",
        "n,,^=y^auth=Bearer x^^",
        "n,,^a1=y^auth=Bearer x^^",
        "n,user=someuser@example.com,^auth=Bearer x^^",
        "n,a=,^auth=Bearer x^^",
        "n,a=b,c,^auth=Bearer x^^",
        "p=tls-exporter,,^auth=Bearer x^^",
        "x,,^auth=Bearer x^^",
        "n,,^auth=Bearer \u{e4}^^",
        "user=a^auth=Bearer x^^",
    ] {
        check(wrong, malformed);
    }
    check(&format!("n,,^auth=Bearer {}^^", "x".repeat(SASL_TOKEN_MAX + 1)), malformed);
}

#[test]
fn xoauth2() {
    let check = |response, expected| check("XOAUTH2", response, expected);
    // Google's example.
    check(
        "user=someuser@example.com^auth=Bearer ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg^^",
        "someuser@example.com ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg",
    );
    check("user=b\u{f6}b^auth=bearer x^^", "b\u{f6}b x");
    for wrong in [
        "",
        "^^",
        "auth=Bearer x^^",
        "user=^auth=Bearer x^^",
        "user=a^auth=Bearer x^",
        "n,a=a,^auth=Bearer x^^",
    ] {
        check(wrong, "SaslMalformed");
    }
}

#[test]
fn refusals_say_what_is_needed() {
    let discovery = Discovery {
        scope: Some("mail \"x\"".into()),
        openid_configuration: Some("https://issuer.example/.well-known/openid-configuration".into()),
    };
    for (mechanism, response, told, challenge) in [
        ("OAUTHBEARER", "n,,^auth=Bearer x^^", SignIn::Refused.into(), r#"{"status":"invalid_token"}"#),
        (
            "OAUTHBEARER",
            "n,,^auth=^^",
            Told::TokenRefused(discovery.clone()),
            r#"{"status":"invalid_token","scope":"mail \"x\"","openid-configuration":"https://issuer.example/.well-known/openid-configuration"}"#,
        ),
        (
            "XOAUTH2",
            "user=a^auth=Bearer x^^",
            Told::TokenRefused(discovery),
            r#"{"status":"401","schemes":"bearer","scope":"mail \"x\""}"#,
        ),
    ] {
        // Whatever the client says to that, it has failed.
        for line in ["AQ==", "", "*", "!"] {
            let (mut exchange, _) = begin(mechanism, response).unwrap();
            assert_eq!(exchange.told(told.clone()), Progress::Challenge(challenge.into()));
            assert_eq!(exchange.take(line.as_bytes()), Ok(Progress::Settled(SignIn::Refused)));
        }
    }
    for told in [SignIn::Unavailable, SignIn::Accepted("a@b.example".parse().unwrap())] {
        let (mut exchange, _) = begin("XOAUTH2", "user=a^auth=Bearer x^^").unwrap();
        assert_eq!(exchange.told(told.clone().into()), Progress::Settled(told));
    }
}

#[test]
fn tokens_are_not_printed_and_not_taken_in_clear_text() {
    let (_, asked) = begin("XOAUTH2", "user=a^auth=Bearer swordfish^^").unwrap();
    assert!(!format!("{asked:?}").contains("swordfish"));
    let clear = Offer::ALL.over(None);
    assert!(clear.mechanisms().all(|mechanism| !mechanism.name().contains("OAUTH")));
}

#[test]
fn json_strings() {
    assert_eq!(json("a\"b\\c\u{1}\u{7f}\u{e4}"), "\"a\\\"b\\\\c\\u0001\\u007f\u{e4}\"");
}
