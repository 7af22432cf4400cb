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

fn local(delivery: &Delivery) -> Rules {
    Rules {
        retry: spans(&delivery.local.retry),
        then: delivery.local.then.map(TimeSpan::duration),
        notify_after: delivery.local.delay_notification.map(TimeSpan::duration),
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn terms(text: &str) -> Terms {
        Terms::new(&settings::resolve(&format!("host-name = \"mx.example.org\"\n{text}")).unwrap())
    }

    #[test]
    fn what_the_settings_say_is_what_the_schedule_does() {
        let terms = terms(
            r#"
            [delivery]
            retry = ["1 min", "then every 2 min"]
            delay-notification = "never"
            expiration = "1 h"
            connections = { limit = 20000, per-destination = 7 }
            [delivery.local]
            retry = ["3 min", "then every 3 min"]
            expiration = "30 min"
            [reports]
            copy-to = "postmaster@example.org"
            "#,
        );
        let rules = |retry: u32, then: u32, expire: u32| Rules {
            retry: vec![MINUTE * retry],
            then: Some(MINUTE * then),
            notify_after: None,
            expire_after: MINUTE * expire,
        };
        assert_eq!(terms.rules("example.net"), &rules(1, 2, 60));
        for local in ["local", "local/1"] {
            assert_eq!(terms.rules(local), &rules(3, 3, 30), "{local}");
        }
        assert_eq!(terms.rules("local."), &rules(1, 2, 60), "a domain that is called local");
        let Limits { attempts_max, destination_attempts_max, site_attempts_max, .. } = terms.limits;
        assert_eq!((attempts_max, destination_attempts_max, site_attempts_max), (20_000, 7, 7));
        assert!(terms.limits.window_deliveries_max > attempts_max);
        assert_eq!(terms.copy_reports_to.unwrap().to_string(), "postmaster@example.org");
    }

    #[test]
    fn without_a_word_about_it_senders_are_told_after_four_hours_and_mail_is_given_up_after_days() {
        let terms = terms("");
        assert_eq!(terms.outbound, Rules::default());
        assert_eq!((terms.local.notify_after, terms.local.retry.is_empty()), (Some(MINUTE * 240), false));
    }
}
