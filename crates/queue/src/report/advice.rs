//! What a sender can do about a failure, by enhanced code (RFC 3463).

use mail::EnhancedCode;

/// A sentence or two for somebody who knows nothing of mail servers.
pub(super) fn what_to_do(status: EnhancedCode) -> &'static str {
    match (status.1, status.2) {
        (1, 0 | 1 | 3 | 6) => "Check the address for typing errors. The mailbox may no longer exist.",
        (1, 2 | 10) | (4, 4) => "Check what stands after the @ for typing errors. No mail is taken there.",
        (1, 7 | 8) => "The other side does not accept the address that you send from.",
        (2, 2) => "The mailbox is full. Reach the recipient another way, or send it again later.",
        (2, 3) | (3, 4) => "The message is too large. Send less, or send the files another way.",
        (2, _) => "The mailbox cannot take mail now. Reach the recipient another way.",
        (4, 6) | (1, 5) => "The mail went in circles. Tell the administrator of the recipient's domain.",
        (4, 7) => {
            "The other side could not be reached, or put it off each time. Send it again later, or reach the recipient another way."
        }
        (6, _) => "The other side cannot handle the form of the message. Send it as plain text.",
        (7, _) => {
            "The other side refuses it by its own rules. Its words above may say why; its administrator knows more."
        }
        _ => "If its words above do not help you, ask the administrator of the recipient's domain.",
    }
}

/// That a message was tried for so long, with the code that says so.
pub(super) fn expired(millis: i64, status: EnhancedCode) -> String {
    const HOUR: i64 = 3_600_000;
    let (count, unit) = match millis / HOUR {
        0 => (millis / 60_000, "minute"),
        hours @ 1..48 => (hours, "hour"),
        hours => (hours / 24, "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!(
        "It was tried for {count} {unit}{plural} and is given up ({status}). The last attempt ended like this:"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_told_in_the_unit_that_people_would_use() {
        for (millis, expected) in [
            (59 * 60_000, "59 minutes"),
            (3_600_000, "1 hour"),
            (47 * 3_600_000, "47 hours"),
            (5 * 24 * 3_600_000 + 5, "5 days"),
        ] {
            let told = expired(millis, EnhancedCode(4, 4, 7));
            assert!(told.contains(&format!(" {expected} and is given up (4.4.7)")), "{told}");
        }
    }

    #[test]
    fn every_code_has_advice_in_ascii() {
        for subject in 0..9 {
            for detail in 0..30 {
                let advice = what_to_do(EnhancedCode(5, subject, detail));
                assert!(advice.is_ascii() && advice.ends_with('.'));
            }
        }
    }
}
