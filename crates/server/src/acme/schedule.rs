//! When a certificate is ordered: a pure function of what there is and what has failed.

use mail::Timestamp;

use super::Attempts;

/// The first pause after a failure.
const PAUSE_MILLIS: i64 = 5 * 60 * 1000;

/// The longest. Authorities lock out for an hour who fails five times within it, and want no more than some orders a day.
const PAUSE_MILLIS_MAX: i64 = 12 * 60 * 60 * 1000;

/// When a certificate that is good `from` then `until` then is renewed: so long before its end as the settings say, but not
/// before two thirds of its life are over, so that one of six days is not ordered anew all the time.
pub(crate) fn renewal(from: Timestamp, until: Timestamp, before_millis: i64) -> Timestamp {
    let third = until.0.saturating_sub(from.0).max(0) / 3;
    Timestamp(until.0.saturating_sub(before_millis.clamp(0, third)))
}

/// When to order next: when it is time to renew (`None`: at once, for there is none yet, or it is for other names), and not
/// before the pause after the last failure is over.
pub(crate) fn due(renewal: Option<Timestamp>, failed: Attempts) -> Timestamp {
    let wanted = renewal.unwrap_or(Timestamp(0));
    match failed.failures {
        0 => wanted,
        failures => wanted.max(Timestamp(failed.last.0.saturating_add(pause(failures)))),
    }
}

/// Twice as long after each failure.
fn pause(failures: u32) -> i64 {
    PAUSE_MILLIS.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(PAUSE_MILLIS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 60 * 60 * 1000;

    #[test]
    fn renewal_is_some_time_before_the_end() {
        for (life, before, at) in [
            (90 * DAY, 30 * DAY, 60 * DAY),
            (90 * DAY, 10 * DAY, 80 * DAY),
            (90 * DAY, 60 * DAY, 60 * DAY),
            (6 * DAY, 30 * DAY, 4 * DAY),
            (0, 30 * DAY, 0),
        ] {
            assert_eq!(renewal(Timestamp(1000), Timestamp(1000 + life), before), Timestamp(1000 + at));
        }
    }

    #[test]
    fn each_failure_is_followed_by_a_longer_pause() {
        let failed = |failures| Attempts { failures, last: Timestamp(DAY) };
        assert_eq!(due(None, failed(0)), Timestamp(0));
        assert_eq!(due(Some(Timestamp(7)), failed(0)), Timestamp(7));
        let mut last = 0;
        for failures in 1..40 {
            let pause = due(None, failed(failures)).0 - DAY;
            assert!(
                (PAUSE_MILLIS..=PAUSE_MILLIS_MAX).contains(&pause) && pause >= last,
                "{failures}: {pause}"
            );
            last = pause;
        }
        assert_eq!(last, PAUSE_MILLIS_MAX);
        assert_eq!(due(Some(Timestamp(30 * DAY)), failed(3)), Timestamp(30 * DAY));
    }
}
