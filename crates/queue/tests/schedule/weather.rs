//! What peers do to an attempt, and how often each fault fired.

use std::collections::BTreeMap;
use std::time::Duration;

/// SplitMix64: the same seed, the same throws.
#[derive(Debug)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below this.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.throw() % end
    }

    pub(crate) fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.below(to - from + 1)
    }

    pub(crate) fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    pub(crate) fn duration(&mut self, from: Duration, to: Duration) -> Duration {
        let millis = |time: Duration| u64::try_from(time.as_millis()).expect("test times are short");
        Duration::from_millis(self.between(millis(from), millis(to)))
    }

    /// One of these.
    pub(crate) fn pick<T: Clone>(&mut self, of: &[T]) -> Option<T> {
        let len = u64::try_from(of.len()).expect("a length fits");
        (len > 0).then(|| of[usize::try_from(self.below(len)).expect("below a length")].clone())
    }
}

/// How the hosts of a site are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Fine,
    /// Connections are refused.
    Refusing,
    /// 4yz to everything.
    Deferring,
    /// No reply for minutes.
    Stalling,
    /// No reply ever.
    Vanished,
}

/// What happens in a storm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    ConnectionRefused,
    Deferred,
    RecipientDeferred,
    RecipientRefused,
    Stalled,
    Vanished,
    VanishedForEver,
    CameBack,
    LostReply,
    Crash,
    CrashAfterFinalDot,
    StoreOutage,
    StoreUnavailable,
    LeaseOfAnother,
    LeaseLostAfterFinalDot,
    SettlementLost,
    AttemptCut,
    SiteFull,
    WindowFull,
    Expired,
    DelayNotified,
    Held,
    Released,
    Forced,
    Deleted,
    DeletedWhileRunning,
    DestinationHeld,
    DestinationReleased,
}

/// Every fault, as the report lists them.
pub(crate) const FAULTS: [Fault; 28] = [
    Fault::ConnectionRefused,
    Fault::Deferred,
    Fault::RecipientDeferred,
    Fault::RecipientRefused,
    Fault::Stalled,
    Fault::Vanished,
    Fault::VanishedForEver,
    Fault::CameBack,
    Fault::LostReply,
    Fault::Crash,
    Fault::CrashAfterFinalDot,
    Fault::StoreOutage,
    Fault::StoreUnavailable,
    Fault::LeaseOfAnother,
    Fault::LeaseLostAfterFinalDot,
    Fault::SettlementLost,
    Fault::AttemptCut,
    Fault::SiteFull,
    Fault::WindowFull,
    Fault::Expired,
    Fault::DelayNotified,
    Fault::Held,
    Fault::Released,
    Fault::Forced,
    Fault::Deleted,
    Fault::DeletedWhileRunning,
    Fault::DestinationHeld,
    Fault::DestinationReleased,
];

/// How often each fault fired.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Fired(BTreeMap<Fault, u64>);

impl Fired {
    pub(crate) fn fire(&mut self, fault: Fault) {
        *self.0.entry(fault).or_default() += 1;
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (fault, times) in &other.0 {
            *self.0.entry(*fault).or_default() += times;
        }
    }

    pub(crate) fn times(&self, fault: Fault) -> u64 {
        self.0.get(&fault).copied().unwrap_or(0)
    }
}
