//! A certificate that will soon be of no use: said in time, and not every few seconds.

use mail::Timestamp;
use wire::tls::Shown;

const DAY: i64 = 24 * 60 * 60 * 1000;

/// How long before the end it is said.
const WARNINGS: [i64; 5] = [14 * DAY, 7 * DAY, 3 * DAY, DAY, 0];

/// How many warnings are due. One that lives for a short time is not spoken of before three quarters of that are over.
pub(super) fn stage(shown: &Shown, now: Timestamp) -> usize {
    let quarter = shown.until.0.saturating_sub(shown.from.0).max(0) / 4;
    let left = shown.until.0.saturating_sub(now.0);
    WARNINGS.iter().filter(|before| left <= **before.min(&&quarter)).count()
}

/// What tells it from others.
pub(super) fn key(shown: &Shown) -> String {
    format!("{} {} {}", shown.subject, shown.names.join(" "), shown.until.0)
}

/// What is said of it.
pub(super) fn told(shown: &Shown, now: Timestamp) -> String {
    match shown.until.0.saturating_sub(now.0) {
        ..=0 => "has expired".to_owned(),
        left if left < 2 * DAY => "expires within two days".to_owned(),
        left => format!("expires in {} days", left / DAY),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_fourteen_days_before_and_more_often_later() {
        let shown = |life: i64| Shown {
            names: vec!["mx.example.org".into()],
            subject: String::new(),
            issuer: String::new(),
            from: Timestamp(0),
            until: Timestamp(life),
        };
        let year = shown(365 * DAY);
        for (left, due, says) in [
            (15, 0, "expires in 15 days"),
            (14, 1, "expires in 14 days"),
            (8, 1, "expires in 8 days"),
            (7, 2, "expires in 7 days"),
            (1, 4, "expires within two days"),
            (0, 5, "has expired"),
            (-3, 5, "has expired"),
        ] {
            let now = Timestamp((365 - left) * DAY);
            assert_eq!((stage(&year, now), told(&year, now)), (due, says.to_owned()), "{left}");
        }
        let short = shown(6 * DAY);
        assert_eq!(stage(&short, Timestamp(4 * DAY)), 0);
        assert_eq!(stage(&short, Timestamp(6 * DAY)), 5);
    }
}
