//! Spans of time as people say them: one number, one unit.

use mail::Timestamp;

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// Below, minutes are more telling than hours, and hours than days.
const TWO_HOURS: i64 = 2 * HOUR;
const TWO_DAYS: i64 = 2 * DAY;

/// How long ago it was: `12 min`.
pub(super) fn age(then: Timestamp, now: Timestamp) -> String {
    span(now.0.saturating_sub(then.0).max(0))
}

/// How long it takes until then: `in 12 min`, or `now`.
pub(super) fn until(then: Timestamp, now: Timestamp) -> String {
    match then.0.saturating_sub(now.0) {
        ..SECOND => "now".into(),
        left => format!("in {}", span(left)),
    }
}

/// `2026-11-22 15:42:52 UTC`.
pub(super) fn moment(at: Timestamp) -> String {
    let text = at.to_string().replace('T', " ");
    format!("{} UTC", text.split('.').next().unwrap_or(&text))
}

/// Rounded down, in a unit of which there is more than one or two.
fn span(millis: i64) -> String {
    let (unit, name) = match millis {
        _ if millis < MINUTE => (SECOND, "s"),
        _ if millis < TWO_HOURS => (MINUTE, "min"),
        _ if millis < TWO_DAYS => (HOUR, "h"),
        _ => (DAY, "d"),
    };
    format!("{} {name}", millis / unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_one_number_and_one_unit() {
        let now = Timestamp(1_795_359_600_000);
        for (millis, expected) in [
            (-5, "now"),
            (0, "now"),
            (999, "now"),
            (1000, "in 1 s"),
            (59_999, "in 59 s"),
            (MINUTE, "in 1 min"),
            (2 * HOUR - 1, "in 119 min"),
            (2 * HOUR, "in 2 h"),
            (2 * DAY - 1, "in 47 h"),
            (2 * DAY, "in 2 d"),
            (400 * DAY, "in 400 d"),
        ] {
            assert_eq!(until(Timestamp(now.0 + millis), now), expected);
        }
        assert_eq!(age(Timestamp(now.0 - 3 * HOUR), now), "3 h");
        assert_eq!(age(Timestamp(now.0 + 3), now), "0 s");
        assert_eq!(age(Timestamp(i64::MIN), now), format!("{} d", i64::MAX / DAY));
        assert_eq!(moment(now), "2026-11-22 15:00:00 UTC");
    }
}
