//! What concerns the program as a whole.

use crate::resolved::{BackPressure, Levels, SignInLimits};
use crate::values::{Size, TimeSpan};

pub(super) fn sign_in() -> SignInLimits {
    SignInLimits {
        failures: Some(10),
        within: TimeSpan::from_secs(600),
        ban: TimeSpan::from_secs(3600),
        delay: Some(TimeSpan::from_secs(1)),
        delay_limit: TimeSpan::from_secs(16),
        account_failures: Some(50),
    }
}

pub(super) fn back_pressure() -> BackPressure {
    BackPressure {
        disk: Some(Levels { slow: Size(1 << 30), refuse: Size(64 << 20) }),
        memory: Some(Levels { slow: Size(1 << 30), refuse: Size(2 << 30) }),
        queue: Some(Levels { slow: 50_000, refuse: 200_000 }),
    }
}
