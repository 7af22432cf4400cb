//! A table that answers instead of the DNS, and weather over it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::limits::{ALIASES_MAX, LOOKUP_TIMEOUT};
use super::{Answer, Data, Kind, LookupError, Mx, Name, Security, Trouble};
use crate::Clock;

/// A resolver that knows a table. It keeps nothing: a change is seen by the next question.
#[derive(Debug, Clone)]
pub struct Simulated {
    clock: Clock,
    sky: Arc<Mutex<Sky>>,
}

#[derive(Debug)]
struct Sky {
    zone: Zone,
    weather: BTreeMap<Name, Weather>,
}

/// What happens to questions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Weather {
    /// They are answered from the table at once.
    Clear,
    /// Nothing comes back, and the asker gives up.
    Nothing,
    /// SERVFAIL.
    ServFail,
    /// They are answered after this long, unless the asker has given up by then.
    Slow(Duration),
    /// They are answered from another table.
    Changed(Zone),
}

/// Records by name. Nothing but these names, and those above them, exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    records: BTreeMap<Name, Vec<Entry>>,
    ttl: Duration,
    security: Security,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Entry {
    Data(Data),
    Alias(Name),
}

impl Default for Zone {
    fn default() -> Self {
        let ttl = Duration::from_secs(300);
        Self { records: BTreeMap::new(), ttl, security: Security::Indeterminate }
    }
}

/// Each function that adds a record panics when a name is none: tables are written by hand.
impl Zone {
    /// Nothing exists. Records live five minutes and are not signed.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a mail exchanger; `.` says that there is no mail.
    pub fn mx(self, name: &str, preference: u16, exchanger: &str) -> Self {
        self.add(name, Entry::Data(Data::Mx(Mx { preference, exchanger: written(exchanger) })))
    }

    /// Adds an A or AAAA record.
    pub fn address(self, name: &str, address: IpAddr) -> Self {
        let data = match address {
            IpAddr::V4(v4) => Data::A(v4),
            IpAddr::V6(v6) => Data::Aaaa(v6),
        };
        self.add(name, Entry::Data(data))
    }

    /// Adds a text.
    pub fn txt(self, name: &str, text: &str) -> Self {
        self.add(name, Entry::Data(Data::Txt(text.into())))
    }

    /// Adds the name of an address.
    pub fn ptr(self, address: IpAddr, name: &str) -> Self {
        let data = Data::Ptr(written(name));
        self.add(Name::reverse(address).as_str(), Entry::Data(data))
    }

    /// Makes a name the alias of another.
    pub fn alias(self, name: &str, target: &str) -> Self {
        self.add(name, Entry::Alias(written(target)))
    }

    /// Says how long answers may be kept.
    pub fn ttl(self, ttl: Duration) -> Self {
        Self { ttl, ..self }
    }

    /// Says what validation finds.
    pub fn security(self, security: Security) -> Self {
        Self { security, ..self }
    }

    fn add(mut self, name: &str, entry: Entry) -> Self {
        self.records.entry(written(name)).or_default().push(entry);
        self
    }

    fn answer(&self, asked: &Name, kind: Kind) -> Result<Answer<Data>, LookupError> {
        let mut name = asked;
        for _ in 0..=ALIASES_MAX {
            let Some(entries) = self.records.get(name) else {
                let below = self.records.keys().any(|known| known.is_within(name));
                return Err(if below { LookupError::NoRecords } else { LookupError::NoSuchDomain });
            };
            let alias = entries.iter().find_map(|entry| match entry {
                Entry::Alias(target) => Some(target),
                Entry::Data(_) => None,
            });
            let Some(target) = alias else { return self.records_of(name, entries, kind) };
            name = target;
        }
        Err(LookupError::Temporary(Trouble::ServerFailed))
    }

    fn records_of(&self, name: &Name, entries: &[Entry], kind: Kind) -> Result<Answer<Data>, LookupError> {
        let fitting = |entry: &Entry| match entry {
            Entry::Data(data) if data.kind() == kind => Some(data.clone()),
            _ => None,
        };
        let records: Vec<Data> = entries.iter().filter_map(fitting).collect();
        if records.is_empty() {
            return Err(LookupError::NoRecords);
        }
        Ok(Answer { records, name: name.clone(), ttl: self.ttl, security: self.security })
    }
}

fn written(name: &str) -> Name {
    Name::parse(name).expect("a table is written with names")
}

impl Simulated {
    /// A resolver that knows this table, under a clear sky.
    pub fn new(clock: Clock, zone: Zone) -> Self {
        Self { clock, sky: Arc::new(Mutex::new(Sky { zone, weather: BTreeMap::new() })) }
    }

    /// Puts another table in place of the one that is known.
    pub fn change(&self, zone: Zone) {
        self.sky.lock().expect("no holder panics").zone = zone;
    }

    /// Sets the weather over a domain and all below it, where nothing closer says otherwise. The root means everything.
    pub fn set_weather(&self, domain: &Name, weather: Weather) {
        self.sky.lock().expect("no holder panics").weather.insert(domain.clone(), weather);
    }

    pub(super) async fn ask(&self, name: &Name, kind: Kind) -> Result<Answer<Data>, LookupError> {
        let (answer, delay) = self.sky.lock().expect("no holder panics").look(name, kind);
        if !delay.is_zero() {
            self.clock.sleep(delay.min(LOOKUP_TIMEOUT)).await;
        }
        if delay >= LOOKUP_TIMEOUT { Err(LookupError::Temporary(Trouble::TimedOut)) } else { answer }
    }
}

impl Sky {
    /// What will be answered, and after how long.
    fn look(&self, name: &Name, kind: Kind) -> (Result<Answer<Data>, LookupError>, Duration) {
        let over = self.weather.iter().filter(|(domain, _)| name.is_within(domain));
        let closest = over.max_by_key(|(domain, _)| domain.as_str().len());
        match closest.map_or(&Weather::Clear, |(_, weather)| weather) {
            Weather::Clear => (self.zone.answer(name, kind), Duration::ZERO),
            Weather::Nothing => (Err(LookupError::Temporary(Trouble::TimedOut)), LOOKUP_TIMEOUT),
            Weather::ServFail => (Err(LookupError::Temporary(Trouble::ServerFailed)), Duration::ZERO),
            Weather::Slow(delay) => (self.zone.answer(name, kind), *delay),
            Weather::Changed(zone) => (zone.answer(name, kind), Duration::ZERO),
        }
    }
}

#[cfg(test)]
mod tests {
    use mail::Timestamp;

    use super::super::Resolver;
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    fn table() -> Zone {
        Zone::new()
            .mx("example.org", 10, "mx.example.org")
            .address("mx.example.org", "192.0.2.1".parse().unwrap())
            .address("mx.example.org", "2001:db8::1".parse().unwrap())
            .alias("www.example.org", "mx.example.org")
            .alias("loop.example.org", "loop.example.org")
            .alias("lost.example.org", "gone.example.org")
            .txt("deep.below.example.org", "v=spf1 -all")
            .ptr("192.0.2.1".parse().unwrap(), "mx.example.org")
            .security(Security::Secure)
    }

    #[tokio::test(start_paused = true)]
    async fn the_table_answers_as_the_dns_does() {
        let simulated = Simulated::new(Clock::simulated(Timestamp(0)), table());
        let resolver = Resolver::Simulated(simulated);
        let mx = resolver.mx(&name("example.org")).await.unwrap();
        assert_eq!(mx.records, [Mx { preference: 10, exchanger: name("mx.example.org") }]);
        assert_eq!((mx.ttl, mx.security), (Duration::from_secs(300), Security::Secure));
        let alias = resolver.aaaa(&name("www.example.org")).await.unwrap();
        assert_eq!((alias.name.as_str(), alias.records.len()), ("mx.example.org", 1));
        assert_eq!(resolver.txt(&name("deep.below.example.org")).await.unwrap().records, [b"v=spf1 -all"]);
        let ptr = resolver.ptr(&Name::reverse("192.0.2.1".parse().unwrap())).await.unwrap();
        assert_eq!(ptr.records, [name("mx.example.org")]);
        for (asked, expected) in [
            ("gone.example.org", LookupError::NoSuchDomain),
            ("lost.example.org", LookupError::NoSuchDomain),
            ("below.example.org", LookupError::NoRecords),
            ("example.org", LookupError::NoRecords),
            ("loop.example.org", LookupError::Temporary(Trouble::ServerFailed)),
        ] {
            assert_eq!(resolver.a(&name(asked)).await.unwrap_err(), expected, "{asked}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_weather_closest_to_a_name_wins() {
        let clock = Clock::simulated(Timestamp(0));
        let simulated = Simulated::new(clock.clone(), table());
        let resolver = Resolver::Simulated(simulated.clone());
        let timed_out = Err(LookupError::Temporary(Trouble::TimedOut));
        let moved = Zone::new().address("mx.example.org", "192.0.2.2".parse().unwrap());
        simulated.set_weather(&Name::root(), Weather::Nothing);
        for (weather, expected, seconds) in [
            (Weather::Clear, Ok("192.0.2.1"), 0),
            (Weather::ServFail, Err(LookupError::Temporary(Trouble::ServerFailed)), 0),
            (Weather::Slow(Duration::from_secs(3)), Ok("192.0.2.1"), 3),
            (Weather::Slow(Duration::from_secs(3600)), timed_out.clone(), 20),
            (Weather::Nothing, timed_out, 20),
            (Weather::Changed(moved), Ok("192.0.2.2"), 0),
        ] {
            simulated.set_weather(&name("example.org"), weather.clone());
            let began = clock.now();
            let found = resolver.a(&name("mx.example.org")).await.map(|a| a.records[0].to_string());
            assert_eq!(found.as_deref().map_err(Clone::clone), expected, "{weather:?}");
            assert_eq!((clock.now() - began).as_secs(), seconds, "{weather:?}");
        }
        let elsewhere = resolver.a(&name("example.com")).await;
        assert_eq!(elsewhere.unwrap_err(), LookupError::Temporary(Trouble::TimedOut));
        simulated.change(Zone::new());
        simulated.set_weather(&name("example.org"), Weather::Clear);
        assert_eq!(resolver.a(&name("mx.example.org")).await.unwrap_err(), LookupError::NoSuchDomain);
    }
}
