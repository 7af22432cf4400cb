//! What the runner takes from the settings.

use std::sync::Arc;

use mail::Address;
use settings::{Delivery, Settings, TimeSpan};

use crate::accept::LOCAL;
use crate::schedule::{Limits, Rules};
use crate::{Destinations, limits};

/// What the runner takes from the settings.
#[derive(Debug, Clone)]
pub struct Terms {
    /// Our name in reports.
    pub host_name: String,
    /// When what goes elsewhere is tried again, told of, given up.
    pub outbound: Rules,
    /// The same for mailboxes here.
    pub local: Rules,
    /// How much at once.
    pub limits: Limits,
    /// Who gets a copy of each failure report.
    pub copy_reports_to: Option<Address>,
    /// Which way reports go.
    pub destinations: Arc<Destinations>,
}

impl Terms {
    /// What these settings say.
    pub fn new(settings: &Settings) -> Self {
        Self {
            host_name: settings.host_name.as_str().to_owned(),
            outbound: outbound(&settings.delivery),
            local: local(&settings.delivery),
            limits: bounds(&settings.delivery),
            copy_reports_to: settings.reports.copy_to.clone(),
            destinations: Arc::new(Destinations::new(settings)),
        }
    }

    /// The rules of a destination.
    pub fn rules(&self, destination: &str) -> &Rules {
        if is_local(destination) { &self.local } else { &self.outbound }
    }
}

/// Whether mail of this destination goes into mailboxes here.
pub(crate) fn is_local(destination: &str) -> bool {
    // A message with several due times has a destination for each.
    destination.strip_prefix(LOCAL).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn outbound(delivery: &Delivery) -> Rules {
    Rules {
        retry: spans(&delivery.retry),
        then: delivery.then.map(TimeSpan::duration),
        notify_after: delivery.delay_notification.map(TimeSpan::duration),
        expire_after: delivery.expiration.duration(),
    }
}

/// A mailbox here that cannot be reached is our own trouble: its sender is told when it is over.
fn local(delivery: &Delivery) -> Rules {
    Rules {
        retry: spans(&delivery.local.retry),
        then: delivery.local.then.map(TimeSpan::duration),
        notify_after: None,
        expire_after: delivery.local.expiration.duration(),
    }
}

fn spans(spans: &[TimeSpan]) -> Vec<std::time::Duration> {
    spans.iter().map(|span| span.duration()).collect()
}

fn bounds(delivery: &Delivery) -> Limits {
    let at_least_one = |count: u32| usize::try_from(count).unwrap_or(usize::MAX).max(1);
    let attempts_max = at_least_one(delivery.connections.limit);
    let per_destination = at_least_one(delivery.connections.per_destination);
    Limits {
        attempts_max,
        destination_attempts_max: per_destination,
        site_attempts_max: per_destination,
        // More than can be under way, or the window would be the limit.
        window_deliveries_max: limits::WINDOW_DELIVERIES_MAX.max(attempts_max.saturating_mul(2)),
        // The store is asked for twice as long: `leases`.
        lease: limits::LEASE / 2,
        ..Limits::default()
    }
}
