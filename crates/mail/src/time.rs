//! Points in time as mail writes them. Always UTC, always shown as +0000; read with any zone.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01T00:00:00Z.
///
/// ```
/// let time = mail::Timestamp(1_795_359_600_000);
/// assert_eq!(time.rfc5322(), "Sun, 22 Nov 2026 15:00:00 +0000");
/// assert_eq!(time.imap(), "22-Nov-2026 15:00:00 +0000");
/// assert_eq!(time.to_string(), "2026-11-22T15:00:00.000Z");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Timestamp(pub i64);

/// What a Date field says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DateField {
    /// The point in time.
    pub at: Timestamp,
    /// The date and time as written, as if its zone were UTC: SENTBEFORE, SENTON and SENTSINCE disregard the zone (RFC 3501
    /// §6.4.4).
    pub as_written: Timestamp,
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const DAY_MS: i64 = 86_400_000;

/// A date and a time of day without a zone, in the proleptic Gregorian calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Civil {
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
    millisecond: i64,
}

impl Timestamp {
    /// As a Date field (RFC 5322 §3.3): `Sun, 22 Nov 2026 15:00:00 +0000`.
    pub fn rfc5322(self) -> String {
        let civil = self.civil();
        // 1970-01-01 was a Thursday.
        let weekday = WEEKDAYS[(self.0.div_euclid(DAY_MS) + 3).rem_euclid(7) as usize];
        let month = MONTHS[civil.month as usize - 1];
        let Civil { year, day, hour, minute, second, .. } = civil;
        format!("{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} +0000")
    }

    /// As IMAP's date-time without its quotes (RFC 3501 §9): `22-Nov-2026 15:00:00 +0000`, the day padded with a space.
    pub fn imap(self) -> String {
        let civil = self.civil();
        let month = MONTHS[civil.month as usize - 1];
        let Civil { year, day, hour, minute, second, .. } = civil;
        format!("{day:2}-{month}-{year:04} {hour:02}:{minute:02}:{second:02} +0000")
    }

    /// Reads IMAP's date-time (RFC 3501 §9), with or without its quotes.
    pub fn parse_imap(text: &str) -> Option<Self> {
        let text = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')).unwrap_or(text);
        let (date, rest) = text.trim_start_matches(' ').split_once(' ')?;
        let (time, zone) = rest.split_once(' ')?;
        let [hour, minute, second] = clock(time)?;
        let midnight = Self::parse_imap_date(date)?;
        let within = ((hour * 60 + minute) * 60 + second) * 1_000;
        Some(Self(midnight.0 + within - numeric_zone(zone)? * 60_000))
    }

    /// Reads IMAP's date (RFC 3501 §9), `22-Nov-2026`, with or without quotes, as its midnight in UTC.
    pub fn parse_imap_date(text: &str) -> Option<Self> {
        let text = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')).unwrap_or(text);
        let mut words = text.splitn(3, '-');
        let (day, month, year) = (words.next()?, words.next()?, words.next()?);
        if day.len() > 2 || year.len() != 4 {
            return None;
        }
        Civil::date(digits(year)?, month_number(month)?, digits(day)?).map(Civil::timestamp)
    }

    /// Reads a Date field's value leniently (RFC 5322 §3.3, §4.3): the day of the week, seconds and zone may be missing,
    /// comments are skipped, the year may have two or three digits, the month may be longer than three letters.
    pub fn parse_rfc5322(text: &str) -> Option<DateField> {
        let mut words = Words::new(text);
        let mut day = words.next()?;
        if day.starts_with(|c: char| c.is_ascii_alphabetic()) {
            day = words.next()?;
        }
        let month = month_number(words.next()?)?;
        let year = full_year(words.next()?)?;
        let [hour, minute, second] = clock(words.next().unwrap_or("00:00:00"))?;
        let date = Civil::date(year, month, digits(day)?)?;
        let as_written = Civil { hour, minute, second, ..date }.timestamp();
        let zone = words.next().map_or(0, zone_minutes);
        Some(DateField { at: Self(as_written.0 - zone * 60_000), as_written })
    }

    /// The midnight, UTC, at which this day began.
    pub fn day_start(self) -> Self {
        Self(self.0.div_euclid(DAY_MS) * DAY_MS)
    }

    /// This many days later.
    pub fn plus_days(self, days: i64) -> Self {
        Self(self.0.saturating_add(days.saturating_mul(DAY_MS)))
    }

    /// Days since 0000-03-01 fall into eras of 400 years with 146,097 days each, in which leap days come last.
    fn civil(self) -> Civil {
        let (days, within) = (self.0.div_euclid(DAY_MS), self.0.rem_euclid(DAY_MS));
        let shifted = days + 719_468;
        let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        Civil {
            year: year_of_era + era * 400 + i64::from(month <= 2),
            month,
            day: day_of_year - (153 * shifted_month + 2) / 5 + 1,
            hour: within / 3_600_000,
            minute: within / 60_000 % 60,
            second: within / 1_000 % 60,
            millisecond: within % 1_000,
        }
    }
}

impl Civil {
    /// Midnight of this day, if there is such a day.
    fn date(year: i64, month: i64, day: i64) -> Option<Self> {
        let civil = Self { year, month, day, hour: 0, minute: 0, second: 0, millisecond: 0 };
        // A day that does not exist comes back as another one.
        ((1..=31).contains(&day) && civil.timestamp().civil() == civil).then_some(civil)
    }

    /// The inverse of [`Timestamp::civil`].
    fn timestamp(self) -> Timestamp {
        let year = self.year - i64::from(self.month <= 2);
        let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let shifted_month = if self.month > 2 { self.month - 3 } else { self.month + 9 };
        let day_of_year = (153 * shifted_month + 2) / 5 + self.day - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        let days = era * 146_097 + day_of_era - 719_468;
        let within = ((self.hour * 60 + self.minute) * 60 + self.second) * 1_000 + self.millisecond;
        Timestamp(days * DAY_MS + within)
    }
}

impl fmt::Display for Timestamp {
    /// ISO 8601, for people and logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Civil { year, month, day, hour, minute, second, millisecond } = self.civil();
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millisecond:03}Z")
    }
}

/// The words of a Date field: separated by white space, commas and hyphens between date words, comments left out.
struct Words<'a> {
    rest: &'a str,
}

impl<'a> Words<'a> {
    fn new(text: &'a str) -> Self {
        Self { rest: text }
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let separates = |c: char| c.is_ascii_whitespace() || c == ',';
        loop {
            self.rest = self.rest.trim_start_matches(separates);
            if !self.rest.starts_with('(') {
                break;
            }
            self.rest = skip_comment(self.rest);
        }
        let end = self.rest.find(|c: char| separates(c) || c == '(').unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        (!word.is_empty()).then_some(word)
    }
}

fn skip_comment(text: &str) -> &str {
    let mut depth = 0usize;
    for (at, octet) in text.bytes().enumerate() {
        match octet {
            b'(' => depth += 1,
            b')' if depth == 1 => return &text[at + 1..],
            b')' => depth -= 1,
            _ => {}
        }
    }
    ""
}

fn digits(text: &str) -> Option<i64> {
    let fits = (1..=9).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    fits.then(|| text.parse().expect("nine digits fit"))
}

fn month_number(text: &str) -> Option<i64> {
    let start = text.get(..3)?;
    let place = MONTHS.iter().position(|month| month.eq_ignore_ascii_case(start))?;
    text.bytes().all(|b| b.is_ascii_alphabetic()).then_some(place as i64 + 1)
}

/// RFC 5322 §4.3: two digits below 50 are of this century, other two and all three digits count from 1900.
fn full_year(text: &str) -> Option<i64> {
    let year = digits(text)?;
    match text.len() {
        4 => Some(year),
        2 if year < 50 => Some(2000 + year),
        2 | 3 => Some(1900 + year),
        _ => None,
    }
}

/// `hh:mm` or `hh:mm:ss`. A leap second counts as the second before it.
fn clock(text: &str) -> Option<[i64; 3]> {
    let mut words = text.splitn(3, ':').map(digits);
    let (hour, minute, second) = (words.next()??, words.next()??, words.next().unwrap_or(Some(0))?);
    (hour < 24 && minute < 60 && second <= 60).then_some([hour, minute, second.min(59)])
}

/// `+hhmm` or `-hhmm` in minutes east of UTC.
fn numeric_zone(text: &str) -> Option<i64> {
    let (sign, figures) = match text.split_at_checked(1)? {
        ("+", figures) => (1, figures),
        ("-", figures) => (-1, figures),
        _ => return None,
    };
    let value = digits(figures).filter(|value| figures.len() == 4 && value % 100 < 60)?;
    Some(sign * (value / 100 * 60 + value % 100))
}

/// RFC 5322 §4.3: the North American names count; military letters and whatever is unknown mean no more than -0000.
fn zone_minutes(text: &str) -> i64 {
    numeric_zone(text).unwrap_or_else(|| match text.to_ascii_uppercase().as_str() {
        "EDT" => -4 * 60,
        "EST" | "CDT" => -5 * 60,
        "CST" | "MDT" => -6 * 60,
        "MST" | "PDT" => -7 * 60,
        "PST" => -8 * 60,
        _ => 0,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_are_written() {
        for (time, rfc5322, imap, iso) in [
            (0, "Thu, 01 Jan 1970 00:00:00 +0000", " 1-Jan-1970 00:00:00 +0000", "1970-01-01T00:00:00.000Z"),
            (-1, "Wed, 31 Dec 1969 23:59:59 +0000", "31-Dec-1969 23:59:59 +0000", "1969-12-31T23:59:59.999Z"),
            (
                951_782_400_000,
                "Tue, 29 Feb 2000 00:00:00 +0000",
                "29-Feb-2000 00:00:00 +0000",
                "2000-02-29T00:00:00.000Z",
            ),
            (
                1_795_359_600_123,
                "Sun, 22 Nov 2026 15:00:00 +0000",
                "22-Nov-2026 15:00:00 +0000",
                "2026-11-22T15:00:00.123Z",
            ),
        ] {
            let time = Timestamp(time);
            assert_eq!(
                (time.rfc5322(), time.imap(), time.to_string()),
                (rfc5322.into(), imap.into(), iso.into())
            );
        }
    }

    #[test]
    fn imap_times_are_read() {
        for (text, expected) in [
            ("22-Nov-2026 15:00:00 +0000", Some(1_795_359_600_000)),
            ("\"22-nov-2026 16:30:00 +0130\"", Some(1_795_359_600_000)),
            ("\" 1-Jan-1970 00:00:00 -0001\"", Some(60_000)),
            ("31-Feb-2026 15:00:00 +0000", None),
            ("22-Nov-2026 24:00:00 +0000", None),
            ("22-Nov-2026 15:00:00", None),
            ("22-Nov-2026 15:00:00 +00", None),
            ("22-Nov-26 15:00:00 +0000", None),
        ] {
            assert_eq!(Timestamp::parse_imap(text), expected.map(Timestamp), "{text}");
        }
        assert_eq!(Timestamp::parse_imap_date("2-Jan-1970"), Some(Timestamp(DAY_MS)));
        assert_eq!(Timestamp::parse_imap_date("\"02-JAN-1970\""), Some(Timestamp(DAY_MS)));
        assert_eq!(Timestamp::parse_imap_date("30-Feb-1970"), None);
        assert_eq!(Timestamp::parse_imap_date("0-Jan-1970"), None);
    }

    #[test]
    fn date_fields_are_read_leniently() {
        const AT: i64 = 1_795_359_600_000;
        for (text, at, zone_minutes) in [
            ("Sun, 22 Nov 2026 15:00:00 +0000", AT, 0),
            ("Sun, 22 Nov 2026 15:00:00 GMT", AT, 0),
            ("22 Nov 2026 15:00 +0000", AT, 0),
            ("22 Nov 26 10:00:00 EST", AT, -300),
            ("Sun , 22\r\n November 2026 (a (nested) one)17:00:00 +0200 (CEST)", AT, 120),
            ("22 Nov 126 15:00:00", AT, 0),
            ("22 Nov 2026", AT - 15 * 3_600_000, 0),
        ] {
            let read = Timestamp::parse_rfc5322(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(read.at, Timestamp(at), "{text}");
            assert_eq!(read.as_written, Timestamp(at + zone_minutes * 60_000), "{text}");
        }
        for text in
            ["", "yesterday", "22 Nov", "Sun, 40 Nov 2026", "22 Nov 2026 15:xx", "((((", "22 Növ 2026"]
        {
            assert_eq!(Timestamp::parse_rfc5322(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(seconds in -60_000_000_000i64..250_000_000_000) {
            let time = Timestamp(seconds * 1_000);
            prop_assert_eq!(Timestamp::parse_imap(&time.imap()), Some(time));
            let field = Timestamp::parse_rfc5322(&time.rfc5322());
            prop_assert_eq!(field, Some(DateField { at: time, as_written: time }));
            prop_assert_eq!(time.civil().timestamp(), time);
        }

        #[test]
        fn no_text_harms(text: String) {
            let _ = Timestamp::parse_rfc5322(&text);
            let _ = Timestamp::parse_imap(&text);
        }

        #[test]
        fn no_time_harms(time: i64) {
            prop_assert!(!Timestamp(time).rfc5322().is_empty());
            prop_assert!(!Timestamp(time).to_string().is_empty());
        }
    }
}
