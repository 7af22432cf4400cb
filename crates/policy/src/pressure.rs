//! Back-pressure: how much mail may come in while disk, memory or the queue run short.
//!
//! ```text
//! readings, once a second --> Pressure::next --> Free ◄──► Slow ◄──► Refusing
//!                                                take       each MAIL of a    MAIL gets
//!                                                           stranger waits    452 4.3.1
//! ```
//!
//! A level is entered at its threshold and left only when the reading is a tenth better, so that it does not flutter. The
//! level of the server is the worst of the three.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use settings::{BackPressure, Levels, Size};

/// The longest that a MAIL waits: a client allows five minutes for its reply (RFC 5321 §4.5.3.2.2), and connections that
/// wait cost memory themselves.
const DELAY_MAX: Duration = Duration::from_secs(5);
/// The shortest: less would slow nobody down.
const DELAY_MIN: Duration = Duration::from_millis(500);
/// A level is left when the reading is better than its threshold by this part of it.
const BETTER_BY: u64 = 10;

/// How much is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Everything.
    #[default]
    Free,
    /// Strangers are slowed down at MAIL.
    Slow,
    /// Nothing.
    Refusing,
}

/// What may run short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resource {
    /// Octets that are free where the data are.
    Disk,
    /// Octets of memory that the program has.
    Memory,
    /// Messages that wait in the queue.
    Queue,
}

/// What was measured; none: it could not be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Readings {
    /// Octets.
    pub disk: Option<u64>,
    /// Octets.
    pub memory: Option<u64>,
    /// Messages.
    pub queue: Option<u64>,
}

/// One resource at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gauge {
    /// Of what.
    pub resource: Resource,
    /// What that leads to.
    pub level: Level,
    /// What was measured.
    pub reading: u64,
    /// Where slowness begins.
    pub slow: u64,
    /// Where refusal begins.
    pub refuse: u64,
}

/// All resources that are looked at, at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pressure {
    gauges: Vec<Gauge>,
}

impl Pressure {
    /// What new readings make of it. A reading that could not be had leaves its resource as it was.
    #[must_use]
    pub fn next(&self, thresholds: &BackPressure, readings: &Readings) -> Self {
        let octets = |levels: Levels<Size>| (levels.slow.0, levels.refuse.0);
        let wanted = [
            (Resource::Disk, thresholds.disk.map(octets), readings.disk),
            (Resource::Memory, thresholds.memory.map(octets), readings.memory),
            (
                Resource::Queue,
                thresholds.queue.map(|levels| (levels.slow.into(), levels.refuse.into())),
                readings.queue,
            ),
        ];
        let gauges = wanted.into_iter().filter_map(|(resource, thresholds, reading)| {
            let before = self.gauges.iter().find(|gauge| gauge.resource == resource);
            let (slow, refuse) = thresholds?;
            let reading = reading.or(before.map(|gauge| gauge.reading))?;
            let gauge = Gauge { resource, level: Level::Free, reading, slow, refuse };
            Some(gauge.after(before.map_or(Level::Free, |gauge| gauge.level)))
        });
        Self { gauges: gauges.collect() }
    }

    /// The worst of all.
    pub fn level(&self) -> Level {
        self.worst().map_or(Level::Free, |gauge| gauge.level)
    }

    /// What makes it so, if anything runs short.
    pub fn worst(&self) -> Option<&Gauge> {
        let short = self.gauges.iter().filter(|gauge| gauge.level > Level::Free);
        short.max_by_key(|gauge| (gauge.level, gauge.delay()))
    }

    /// How long MAIL of a stranger waits.
    pub fn delay(&self) -> Duration {
        self.worst().map_or(Duration::ZERO, Gauge::delay)
    }

    /// Every resource that is looked at.
    pub fn gauges(&self) -> &[Gauge] {
        &self.gauges
    }
}

impl Gauge {
    fn less_is_worse(&self) -> bool {
        self.resource == Resource::Disk
    }

    /// Whether the reading has reached a threshold; to be called worse no longer, it must be better by a tenth.
    fn has_reached(&self, threshold: u64, was_there: bool) -> bool {
        let slack = if was_there { threshold / BETTER_BY } else { 0 };
        match self.less_is_worse() {
            true => self.reading < threshold.saturating_add(slack),
            false => self.reading > threshold.saturating_sub(slack),
        }
    }

    fn after(self, before: Level) -> Self {
        let level = if self.has_reached(self.refuse, before == Level::Refusing) {
            Level::Refusing
        } else if self.has_reached(self.slow, before >= Level::Slow) {
            Level::Slow
        } else {
            Level::Free
        };
        Self { level, ..self }
    }

    /// Grows from the one threshold to the other.
    fn delay(&self) -> Duration {
        if self.level == Level::Free {
            return Duration::ZERO;
        }
        let way = self.slow.abs_diff(self.refuse).max(1);
        let gone = match self.less_is_worse() {
            true => self.slow.saturating_sub(self.reading),
            false => self.reading.saturating_sub(self.slow),
        };
        let millis = u128::from(gone.min(way)) * DELAY_MAX.as_millis() / u128::from(way);
        Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX)).clamp(DELAY_MIN, DELAY_MAX)
    }
}

/// `disk: 512 MiB free, slow below 1 GiB, refusing below 64 MiB`.
impl fmt::Display for Gauge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { reading, slow, refuse, .. } = *self;
        match self.resource {
            Resource::Disk => {
                let (free, slow, refuse) = (rounded(reading), Size(slow), Size(refuse));
                write!(f, "disk: {free} free, slow below {slow}, refusing below {refuse}")
            }
            Resource::Memory => {
                let (used, slow, refuse) = (rounded(reading), Size(slow), Size(refuse));
                write!(f, "memory: {used}, slow above {slow}, refusing above {refuse}")
            }
            Resource::Queue => {
                write!(f, "queue: {reading} waiting, slow above {slow}, refusing above {refuse}")
            }
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Free => "free",
            Self::Slow => "slow",
            Self::Refusing => "refusing",
        })
    }
}

/// To whole mebibytes, as people read it.
fn rounded(octets: u64) -> String {
    const MEBIBYTE: u64 = 1 << 20;
    if octets < MEBIBYTE { Size(octets).to_string() } else { format!("{} MiB", octets / MEBIBYTE) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;
    const MIB: u64 = 1 << 20;

    fn thresholds() -> BackPressure {
        BackPressure {
            disk: Some(Levels { slow: Size(GIB), refuse: Size(64 * MIB) }),
            memory: Some(Levels { slow: Size(GIB), refuse: Size(2 * GIB) }),
            queue: Some(Levels { slow: 100, refuse: 200 }),
        }
    }

    fn queue(lengths: &[u64]) -> Vec<Level> {
        let mut pressure = Pressure::default();
        let mut levels = Vec::new();
        for &length in lengths {
            pressure = pressure.next(&thresholds(), &Readings { queue: Some(length), ..Readings::default() });
            levels.push(pressure.level());
        }
        levels
    }

    #[test]
    fn levels_are_left_later_than_they_are_entered() {
        use Level::{Free, Refusing, Slow};
        assert_eq!(queue(&[0, 100, 101, 99, 91, 90, 100]), [Free, Free, Slow, Slow, Slow, Free, Free]);
        assert_eq!(queue(&[201, 199, 181, 180, 91, 90]), [Refusing, Refusing, Refusing, Slow, Slow, Free]);
        assert_eq!(queue(&[1000, 0]), [Refusing, Free]);
    }

    #[test]
    fn of_the_disk_less_is_worse() {
        let level = |before: &Pressure, free| {
            let next = before.next(&thresholds(), &Readings { disk: Some(free), ..Readings::default() });
            (next.level(), next)
        };
        let (free, pressure) = level(&Pressure::default(), GIB);
        let (slow, pressure) = level(&pressure, GIB - 1);
        let (still, pressure) = level(&pressure, GIB + 1);
        let (refusing, pressure) = level(&pressure, 64 * MIB - 1);
        let (again, _) = level(&pressure, GIB + GIB / 5);
        assert_eq!(
            [free, slow, still, refusing, again],
            [Level::Free, Level::Slow, Level::Slow, Level::Refusing, Level::Free]
        );
    }

    #[test]
    fn the_worst_counts_and_says_why() {
        let readings = Readings { disk: Some(GIB / 2), memory: Some(3 * GIB), queue: Some(0) };
        let pressure = Pressure::default().next(&thresholds(), &readings);
        assert_eq!(pressure.level(), Level::Refusing);
        let worst = pressure.worst().unwrap().to_string();
        assert_eq!(worst, "memory: 3072 MiB, slow above 1 GiB, refusing above 2 GiB");
        let told: Vec<_> = pressure.gauges().iter().map(Gauge::to_string).collect();
        assert_eq!(told[0], "disk: 512 MiB free, slow below 1 GiB, refusing below 64 MiB");
        assert_eq!(told[2], "queue: 0 waiting, slow above 100, refusing above 200");
    }

    #[test]
    fn the_delay_grows_between_the_thresholds() {
        let delay = |length| {
            let readings = Readings { queue: Some(length), ..Readings::default() };
            Pressure::default().next(&thresholds(), &readings).delay().as_millis()
        };
        assert_eq!([delay(100), delay(101), delay(150), delay(200), delay(900)], [0, 500, 2500, 5000, 5000]);
    }

    #[test]
    fn what_is_not_measured_stays_as_it_was() {
        let slow = Pressure::default()
            .next(&thresholds(), &Readings { memory: Some(GIB + 1), ..Readings::default() });
        assert_eq!(slow.next(&thresholds(), &Readings::default()).level(), Level::Slow);
        let off = BackPressure { memory: None, ..thresholds() };
        assert_eq!(slow.next(&off, &Readings::default()), Pressure::default());
    }
}
