//! What concerns the program as a whole.

use std::net::{Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use mail::Domain;

use super::or;
use crate::limits::{HTTP_PORT, HTTPS_PORT};
use crate::raw::{RawAcme, RawBackPressure, RawFetch, RawOAuth, RawPickup, RawSignIn, RawSystem};
use crate::read::Reader;
use crate::resolved::{
    Acme, BackPressure, Fetch, Introspection, Levels, OAuth, Pickup, SignInLimits, TokenCheck, VirtualServer,
};
use crate::values::{Challenge, Size, Switch, TimeSpan, Wrong};

/// Where Let's Encrypt is asked.
pub(crate) const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// All of it.
pub(super) struct System {
    pub(super) user: Option<String>,
    pub(super) confinement: bool,
    pub(super) acme: Option<Acme>,
    pub(super) client_certificate_authorities: Vec<PathBuf>,
    pub(super) sign_in: SignInLimits,
    pub(super) oauth: Option<OAuth>,
    pub(super) fetch: Fetch,
    pub(super) back_pressure: BackPressure,
    pub(super) pickup: Pickup,
}

pub(super) fn resolve(
    reader: &mut Reader<'_>,
    raw: RawSystem,
    host_name: &Domain,
    servers: &[VirtualServer],
) -> System {
    System {
        user: raw.user.map(|found| found.value),
        confinement: or(raw.confinement, Switch(true)).0,
        acme: raw.acme.map(|raw| acme(reader, raw, host_name, servers)),
        client_certificate_authorities: raw.client_certificate_authorities,
        sign_in: sign_in(reader, raw.sign_in),
        oauth: raw.oauth.and_then(|raw| oauth(reader, raw)),
        fetch: fetch(raw.fetch),
        back_pressure: back_pressure(raw.back_pressure),
        pickup: pickup(raw.pickup),
    }
}

fn sign_in(reader: &mut Reader<'_>, raw: RawSignIn) -> SignInLimits {
    let limits = SignInLimits {
        failures: or(raw.failures, Some(10)),
        within: or(raw.within, TimeSpan::from_secs(10 * 60)),
        ban: or(raw.ban, TimeSpan::from_secs(60 * 60)),
        delay: or(raw.delay.clone(), Some(TimeSpan::from_secs(1))),
        delay_limit: or(raw.delay_limit.clone(), TimeSpan::from_secs(16)),
        account_failures: or(raw.account_failures, Some(50)),
    };
    if let Some(delay) = limits.delay.filter(|delay| *delay > limits.delay_limit) {
        if let Some(limit) = &raw.delay_limit {
            reader.mistaken(limit, &format!("is below the delay of {delay}"));
        } else if let Some(delay) = &raw.delay {
            reader.mistaken(delay, &format!("is above the delay-limit of {}", limits.delay_limit));
        }
    }
    limits
}

fn back_pressure(raw: RawBackPressure) -> BackPressure {
    BackPressure {
        disk: or(raw.disk, Some(Levels { slow: Size(1 << 30), refuse: Size(64 << 20) })),
        memory: or(raw.memory, Some(Levels { slow: Size(1 << 30), refuse: Size(2 << 30) })),
        queue: or(raw.queue, Some(Levels { slow: 50_000, refuse: 200_000 })),
    }
}

fn fetch(raw: RawFetch) -> Fetch {
    Fetch { allow_private: or(raw.allow_private, Switch(false)).0, authorities: raw.authorities }
}

fn pickup(raw: RawPickup) -> Pickup {
    Pickup { on: or(raw.state, Switch(true)).0, directory: raw.directory.map(|found| found.value) }
}

/// Certificates for these names: what is written, else our own.
fn acme(reader: &mut Reader<'_>, raw: RawAcme, host_name: &Domain, servers: &[VirtualServer]) -> Acme {
    let names = match raw.names {
        Some(names) => names.into_iter().map(|found| found.value).collect(),
        None => our_names(host_name, servers),
    };
    if names.iter().any(|name: &Domain| name.as_str() == "localhost") {
        let problem = "acme needs the name of this host: write host-name, or names, such as names = \
                       [\"mail.example.org\"]";
        reader.mistake(raw.line, &raw.place, "acme", Wrong::new(problem));
    }
    let challenge = or(raw.challenge, Challenge::Http01);
    let mut bindings: Vec<SocketAddr> = raw.bindings.into_iter().flatten().map(|found| found.value).collect();
    if bindings.is_empty() {
        let port = match challenge {
            Challenge::Http01 => HTTP_PORT,
            Challenge::TlsAlpn01 => HTTPS_PORT,
        };
        bindings.push(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)));
    }
    Acme {
        contact: raw.contact.map(|found| found.value),
        names,
        directory: or(raw.directory, LETS_ENCRYPT.parse().expect("it is a URL")),
        challenge,
        bindings,
        authorities: raw.authorities,
        renew_before: or(raw.renew_before, TimeSpan::from_secs(30 * 86_400)),
    }
}

/// The host's name and those of the virtual servers, each once.
fn our_names(host_name: &Domain, servers: &[VirtualServer]) -> Vec<Domain> {
    let mut names = vec![host_name.clone()];
    let whens = servers.iter().flat_map(|server| server.when.iter().map(|when| &*when.properties));
    for server in servers.iter().chain(whens) {
        if !names.contains(&server.host_name) {
            names.push(server.host_name.clone());
        }
    }
    names
}

/// None after a mistake, too.
fn oauth(reader: &mut Reader<'_>, mut raw: RawOAuth) -> Option<OAuth> {
    let check = token_check(reader, &mut raw);
    Some(OAuth {
        issuer: raw.issuer?.value,
        audience: raw.audience?.value,
        scope: raw.scope.map(|found| found.value),
        account_claim: or(raw.account_claim, "email".to_owned()),
        check: check?,
    })
}

fn token_check(reader: &mut Reader<'_>, raw: &mut RawOAuth) -> Option<TokenCheck> {
    let (client, secret) = (raw.client.take(), raw.client_secret_file.take());
    let introspection = match (raw.keys.take(), raw.introspection.take()) {
        (Some(_), Some(introspection)) => {
            reader.mistaken(&introspection, "stands beside keys: a token is checked one way");
            return None;
        }
        (Some(keys), None) => {
            let unused = [client.map(|found| found.map(drop)), secret.map(|found| found.map(drop))];
            for unused in unused.iter().flatten() {
                reader.mistaken(unused, "is used with introspection only");
            }
            return Some(TokenCheck::Keys(keys.value));
        }
        (None, None) => {
            let problem =
                "needs the key `keys` or `introspection`, such as keys = \"https://auth.example.org/keys\"";
            reader.mistake(raw.line, &raw.place, "keys", Wrong::new(problem));
            return None;
        }
        (None, Some(introspection)) => introspection,
    };
    let (Some(client), Some(secret)) = (client, secret) else {
        reader.mistaken(&introspection, "needs client and client-secret-file");
        return None;
    };
    Some(TokenCheck::Introspection(Introspection {
        url: introspection.value,
        client: client.value,
        client_secret_file: secret.value,
    }))
}
