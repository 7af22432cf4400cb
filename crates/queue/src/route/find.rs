//! Asks the questions whose answers the rest of the module reads.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use mail::Host;
use world::resolver::{LookupError, Name};
use world::{Dice, Resolver};

use super::{Candidates, Families, Found, Route, Rules, exchangers, literal};

/// The route to a host. It takes as long as two lookups one after the other.
///
/// # Cancellation
/// Dropping the future forgets the questions.
pub async fn find(host: &Host, rules: &Rules, resolver: &Resolver, dice: &Dice) -> Route {
    let candidates = match host {
        Host::Literal(address) => literal(address, rules),
        Host::Domain(domain) => {
            let answer = resolver.mx(&Name::from(domain)).await;
            exchangers(domain, answer, rules, &mut || dice.throw())
        }
    };
    match candidates {
        Ok(candidates) => candidates.found(rules, resolver).await,
        Err(route) => *route,
    }
}

impl Candidates {
    /// Looks up the names and puts their addresses in.
    ///
    /// # Cancellation
    /// Dropping the future forgets the questions.
    pub async fn found(self, rules: &Rules, resolver: &Resolver) -> Route {
        let questions: Vec<_> =
            self.names().map(|name| Box::pin(look_up(name, rules.families, resolver))).collect();
        let found: BTreeMap<Name, Found> = all(questions).await.into_iter().collect();
        self.resolved(&found, rules)
    }
}

async fn look_up(name: &Name, families: Families, resolver: &Resolver) -> (Name, Found) {
    let a = async {
        if families == Families::Ipv6 { Err(LookupError::NoRecords) } else { resolver.a(name).await }
    };
    let aaaa = async {
        if families == Families::Ipv4 { Err(LookupError::NoRecords) } else { resolver.aaaa(name).await }
    };
    let (a, aaaa) = tokio::join!(a, aaaa);
    (name.clone(), Found { a, aaaa })
}

/// Waits for all at once. There are few: `EXCHANGERS_MAX` bounds them.
async fn all<T, F: Future<Output = T>>(mut waiting: Vec<Pin<Box<F>>>) -> Vec<T> {
    let mut done = Vec::with_capacity(waiting.len());
    poll_fn(move |cx| {
        waiting.retain_mut(|future| match future.as_mut().poll(cx) {
            Poll::Ready(value) => {
                done.push(value);
                false
            }
            Poll::Pending => true,
        });
        if waiting.is_empty() { Poll::Ready(std::mem::take(&mut done)) } else { Poll::Pending }
    })
    .await
}
