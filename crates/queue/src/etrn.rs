//! ETRN (RFC 1985): a client that was away asks for what waits for its domain.
//!
//! Mail for a `[[remote-domain]]` with `hold-until-etrn` is due when its time is over. ETRN makes all of it due now; it then
//! goes the domain's usual way, never over the connection that asked (RFC 1985 §6). What is not taken waits for the next
//! ETRN.

use std::net::IpAddr;

use mail::{Domain, Host, Timestamp};
use store::{Change, Commit, DOOMED, Error, QueueEntry, Store};

use crate::limits::ETRN_CHANGES_MAX;
use crate::{Handle, Properties};

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Etrn {
    /// So many messages are tried now.
    Started(usize),
    /// Nothing waits, or an administrator has put it on hold.
    Nothing,
    /// Mail for this domain does not wait for ETRN, or not for that of this client.
    NotAllowed,
}

impl Handle {
    /// Starts what waits for a domain, if this client may ask for it. When it returns, it is written down.
    ///
    /// # Errors
    /// The store's; some of it may have started.
    pub async fn etrn(
        &self,
        store: &Store,
        domain: &Domain,
        client: IpAddr,
        now: Timestamp,
    ) -> Result<Etrn, Error> {
        let properties = self.properties();
        let destinations = &properties.ours().destinations;
        if !destinations.collectors(domain).is_some_and(|networks| networks.contain(client)) {
            return Ok(Etrn::NotAllowed);
        }
        let destination = destinations.of(&Host::Domain(domain.clone()));
        if store.queue_destination(&destination).await?.is_some_and(|summary| summary.held) {
            return Ok(Etrn::Nothing);
        }
        let started = expedite_all(store, &destination, now).await?;
        if started == 0 {
            return Ok(Etrn::Nothing);
        }
        self.due(&destination, now);
        Ok(Etrn::Started(started))
    }
}

impl Handle {
    /// Starts what waited for ETRN by the properties of `before` and does not by those in force: nobody would ask for it.
    ///
    /// # Errors
    /// The store's; some of it may have started.
    pub async fn let_go(&self, store: &Store, before: &Properties, now: Timestamp) -> Result<(), Error> {
        let after = self.properties();
        let (before, after) = (&before.ours().destinations, &after.ours().destinations);
        if !before.collect_any() {
            return Ok(());
        }
        let mut last: Option<String> = None;
        loop {
            let page = store.queue_destinations(last.as_deref(), ETRN_CHANGES_MAX).await?;
            let Some(end) = page.last() else { return Ok(()) };
            last = Some(end.destination.clone());
            let names = page.iter().map(|summary| summary.destination.as_str());
            for name in names.filter(|name| before.is_collected(name) && !after.is_collected(name)) {
                expedite_all(store, name, now).await?;
                self.due(name, now);
            }
        }
    }
}

/// Makes everything of a destination due that is not on hold.
async fn expedite_all(store: &Store, destination: &str, now: Timestamp) -> Result<usize, Error> {
    let (mut after, mut started) = (None, 0);
    loop {
        let page = store.queue_page(after, Some(destination), ETRN_CHANGES_MAX).await?;
        let Some(last) = page.last() else { return Ok(started) };
        after = Some((last.destination.clone(), last.queue_id));
        let waiting: Vec<&QueueEntry> = page.iter().filter(|one| !one.held && one.due != DOOMED).collect();
        match expedite(store, &waiting, now).await {
            Ok(()) => started += waiting.len(),
            // One of them has gone since it was read.
            Err(Error::Conflict(_)) => {
                for one in waiting {
                    match expedite(store, &[one], now).await {
                        Ok(()) => started += 1,
                        Err(Error::Conflict(_)) => {}
                        Err(error) => return Err(error),
                    }
                }
            }
            Err(error) => return Err(error),
        }
    }
}

async fn expedite(store: &Store, entries: &[&QueueEntry], due: Timestamp) -> Result<(), Error> {
    let change = |entry: &&QueueEntry| {
        let (queue_id, destination) = (entry.queue_id, entry.destination.clone());
        Change::Expedite { queue_id, destination, due }
    };
    let changes = entries.iter().map(change).collect();
    store.commit(Commit { content: Vec::new(), changes }).await.map(drop)
}
