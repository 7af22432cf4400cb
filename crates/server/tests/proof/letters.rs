//! Letters to others, which can be made again from their number: who sends them, to whom, and what the next hop is to
//! make of each recipient.
//!
//! ```text
//! taken-000123-0@one.test   is taken
//! later-000123-1@one.test   is refused for now when it is named first, and taken when it is named again
//! never-000123-1@two.test   is refused for good
//! ```

use super::chance::Chance;
use super::message::Message;
use super::server::DOMAIN;

/// How many accounts send.
pub(crate) const ACCOUNTS: u32 = 4;

/// What the next hop makes of a recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fate {
    Taken,
    Later,
    Never,
}

use Fate::{Later, Never, Taken};

const DOMAINS: [&str; 3] = ["one.test", "two.test", "three.test"];

/// Recipients by fate and domain, counted from the first one's; one shape as often as the other.
const SHAPES: [&[(Fate, usize)]; 8] = [
    &[(Taken, 0)],
    &[(Taken, 0)],
    &[(Taken, 0), (Taken, 1)],
    &[(Taken, 0), (Later, 0)],
    &[(Later, 0), (Taken, 1)],
    &[(Later, 0)],
    &[(Taken, 0), (Never, 0), (Later, 1)],
    &[(Never, 0), (Never, 1)],
];

/// From 1 to 300 KiB: most are small, and some cross the size from which content is staged.
pub(crate) fn message(number: u32) -> Message {
    let mut chance = chance(number, 1);
    let (from, to) = match chance.between(0, 100) {
        0..85 => (1, 8),
        85..97 => (8, 60),
        _ => (60, 300),
    };
    Message { number, octets: chance.between(from << 10, to << 10) as usize }
}

/// The account that sends it, and is told if it cannot be delivered.
pub(crate) fn sender(number: u32) -> String {
    format!("user{}@{DOMAIN}", number % ACCOUNTS)
}

/// To whom it goes.
pub(crate) fn recipients(number: u32) -> Vec<String> {
    let mut chance = chance(number, 2);
    let shape = SHAPES[chance.between(0, SHAPES.len() as u64) as usize];
    let first = chance.between(0, DOMAINS.len() as u64) as usize;
    let address = |(index, &(fate, domain)): (usize, &(Fate, usize))| {
        format!("{}-{number:06}-{index}@{}", fate.word(), DOMAINS[(first + domain) % DOMAINS.len()])
    };
    shape.iter().enumerate().map(address).collect()
}

/// The fate of a recipient and the number of the letter; none if it is none of ours.
pub(crate) fn read(recipient: &str) -> Option<(Fate, u32)> {
    let mut words = recipient.split('-');
    let fate = words.next()?;
    let fate = [Taken, Later, Never].into_iter().find(|known| known.word() == fate)?;
    let number = words.next()?.parse().ok()?;
    recipients(number).iter().any(|known| known == recipient).then_some((fate, number))
}

impl Fate {
    fn word(self) -> &'static str {
        match self {
            Taken => "taken",
            Later => "later",
            Never => "never",
        }
    }
}

fn chance(number: u32, purpose: u64) -> Chance {
    Chance::new(u64::from(number) << 8 | purpose)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recipients_are_read_as_they_are_written_and_no_others() {
        for number in 0..1_000 {
            let recipients = recipients(number);
            assert!(recipients.iter().all(|recipient| read(recipient).is_some_and(|(_, its)| its == number)));
        }
        let known = recipients(7).swap_remove(0);
        for unknown in
            ["", "taken", "taken-x-0@one.test", &known.replace("test", "example"), &format!("{known}.")]
        {
            assert_eq!(read(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn every_fate_is_met_alone_and_beside_others() {
        let fates = |number| recipients(number).iter().map(|one| read(one).unwrap().0).collect::<Vec<_>>();
        for shape in SHAPES {
            let wanted: Vec<Fate> = shape.iter().map(|(fate, _)| *fate).collect();
            assert!((0..200).any(|number| fates(number) == wanted), "{wanted:?}");
        }
    }
}
