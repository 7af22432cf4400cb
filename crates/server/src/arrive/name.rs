//! What the DNS calls a client: the names of its address that lead back to it. Whoever has an address can write any name for
//! it; only who has the name, too, can write the way back.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use mail::Domain;
use tokio::sync::Semaphore;
use world::World;
use world::resolver::{LookupError, Name, Resolver};

use crate::limits::{CLIENT_NAME_LOOKUPS_MAX, CLIENT_NAME_TIME_MAX, CLIENT_NAMES_MAX};

/// Names servers could not be asked, or did not answer in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unknown;

/// The names of an address that are confirmed; none if it has none.
///
/// # Errors
/// The DNS does not say now.
pub(crate) async fn confirmed(world: &World, address: IpAddr) -> Result<Vec<Domain>, Unknown> {
    tokio::select! {
        biased;
        names = there_and_back(&world.resolver, address) => names,
        () = world.clock.sleep(CLIENT_NAME_TIME_MAX) => Err(Unknown),
    }
}

async fn there_and_back(resolver: &Resolver, address: IpAddr) -> Result<Vec<Domain>, Unknown> {
    let claimed = match resolver.ptr(&Name::reverse(address)).await {
        Ok(answer) => answer.records,
        Err(error) => return nothing(&error),
    };
    let mut names = Vec::new();
    for name in claimed.iter().take(CLIENT_NAMES_MAX) {
        let Ok(domain) = Domain::parse(name.as_str()) else { continue };
        if leads_to(resolver, name, address).await? {
            names.push(domain);
        }
    }
    Ok(names)
}

async fn leads_to(resolver: &Resolver, name: &Name, address: IpAddr) -> Result<bool, Unknown> {
    let found = match address {
        IpAddr::V4(address) => resolver.a(name).await.map(|answer| answer.records.contains(&address)),
        IpAddr::V6(address) => resolver.aaaa(name).await.map(|answer| answer.records.contains(&address)),
    };
    found.or_else(|error| nothing(&error))
}

/// What is certain not to be there is nothing; the rest may be there.
fn nothing<T: Default>(error: &LookupError) -> Result<T, Unknown> {
    match error {
        LookupError::NoSuchDomain | LookupError::NoRecords | LookupError::Malformed => Ok(T::default()),
        LookupError::Temporary(_) => Err(Unknown),
    }
}

/// The name of the client of one connection. It is looked up beside the session, which does not wait for it.
#[derive(Debug, Clone, Default)]
pub(crate) struct ClientName(Arc<OnceLock<Domain>>);

impl ClientName {
    /// As a peer that is believed has said it. What is no domain is no name.
    pub(crate) fn told(name: Option<&str>) -> Self {
        let told = Self::default();
        if let Some(domain) = name.and_then(|name| Domain::parse(name).ok()) {
            let _ = told.0.set(domain);
        }
        told
    }

    /// Begins to look. This machine is not looked up: the DNS does not know what it is called.
    pub(crate) fn look_up(lookups: &Lookups, world: &World, client: IpAddr) -> Self {
        let name = Self::default();
        if client.is_loopback() {
            return name;
        }
        // Where there are so many at once, who comes next goes without a name.
        let Ok(permit) = lookups.0.clone().try_acquire_owned() else { return name };
        let (found, of) = (Arc::downgrade(&name.0), world.clone());
        world.workers.spawn(async move {
            let names = confirmed(&of, client).await.unwrap_or_default();
            if let (Some(found), Some(first)) = (found.upgrade(), names.into_iter().next()) {
                let _ = found.set(first);
            }
            drop(permit);
        });
        name
    }

    /// What is known by now.
    pub(crate) fn known(&self) -> Option<&Domain> {
        self.0.get()
    }
}

/// How many names are looked up at a time.
#[derive(Debug)]
pub(crate) struct Lookups(Arc<Semaphore>);

impl Default for Lookups {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(CLIENT_NAME_LOOKUPS_MAX)))
    }
}
