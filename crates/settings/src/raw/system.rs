//! What concerns the program as a whole.

use std::net::SocketAddr;
use std::path::PathBuf;

use mail::{Address, Domain};
use toml_edit::Value;

use crate::keys::Section;
use crate::named_file::FileKind;
use crate::read::{
    Found, Reader, Scope, address, count_or_off, host_name, parsed, parsed_or_off, path, socket_address,
    text, word,
};
use crate::resolved::Levels;
use crate::values::{Challenge, Size, Switch, TimeSpan, Url, Wrong};

/// All of it.
#[derive(Debug)]
pub(crate) struct RawSystem {
    pub(crate) user: Option<Found<String>>,
    pub(crate) confinement: Option<Found<Switch>>,
    pub(crate) acme: Option<RawAcme>,
    pub(crate) client_certificate_authorities: Vec<PathBuf>,
    pub(crate) sign_in: RawSignIn,
    pub(crate) oauth: Option<RawOAuth>,
    pub(crate) fetch: RawFetch,
    pub(crate) back_pressure: RawBackPressure,
    pub(crate) pickup: RawPickup,
}

/// `acme`
#[derive(Debug)]
pub(crate) struct RawAcme {
    pub(crate) line: usize,
    pub(crate) place: String,
    pub(crate) contact: Option<Found<Address>>,
    pub(crate) names: Option<Vec<Found<Domain>>>,
    pub(crate) directory: Option<Found<Url>>,
    pub(crate) challenge: Option<Found<Challenge>>,
    pub(crate) bindings: Option<Vec<Found<SocketAddr>>>,
    pub(crate) authorities: Vec<PathBuf>,
    pub(crate) renew_before: Option<Found<TimeSpan>>,
}

/// `sign-in`
#[derive(Debug, Default)]
pub(crate) struct RawSignIn {
    pub(crate) failures: Option<Found<Option<u32>>>,
    pub(crate) within: Option<Found<TimeSpan>>,
    pub(crate) ban: Option<Found<TimeSpan>>,
    pub(crate) delay: Option<Found<Option<TimeSpan>>>,
    pub(crate) delay_limit: Option<Found<TimeSpan>>,
    pub(crate) account_failures: Option<Found<Option<u32>>>,
}

/// `oauth`
#[derive(Debug)]
pub(crate) struct RawOAuth {
    pub(crate) line: usize,
    pub(crate) place: String,
    pub(crate) issuer: Option<Found<String>>,
    pub(crate) audience: Option<Found<String>>,
    pub(crate) scope: Option<Found<String>>,
    pub(crate) account_claim: Option<Found<String>>,
    pub(crate) keys: Option<Found<Url>>,
    pub(crate) introspection: Option<Found<Url>>,
    pub(crate) client: Option<Found<String>>,
    pub(crate) client_secret_file: Option<Found<PathBuf>>,
}

/// `fetch`
#[derive(Debug, Default)]
pub(crate) struct RawFetch {
    pub(crate) allow_private: Option<Found<Switch>>,
    pub(crate) authorities: Vec<PathBuf>,
}

/// `back-pressure`
#[derive(Debug, Default)]
pub(crate) struct RawBackPressure {
    pub(crate) disk: Option<Found<Option<Levels<Size>>>>,
    pub(crate) memory: Option<Found<Option<Levels<Size>>>>,
    pub(crate) queue: Option<Found<Option<Levels<u32>>>>,
}

/// `pickup`
#[derive(Debug, Default)]
pub(crate) struct RawPickup {
    pub(crate) directory: Option<Found<PathBuf>>,
    pub(crate) state: Option<Found<Switch>>,
}

/// Reads it; `tls` is the table of that name.
pub(super) fn system(reader: &mut Reader<'_>, top: &Scope<'_>, tls: Option<&Scope<'_>>) -> RawSystem {
    RawSystem {
        user: reader.value(top, "user", text),
        confinement: reader.value(top, "confinement", word),
        acme: tls.and_then(|tls| acme(reader, tls)),
        client_certificate_authorities: tls
            .map(|tls| authorities(reader, tls, "client-certificate-authorities"))
            .unwrap_or_default(),
        sign_in: sign_in(reader, top),
        oauth: oauth(reader, top),
        fetch: fetch(reader, top),
        back_pressure: back_pressure(reader, top),
        pickup: pickup(reader, top),
    }
}

fn authorities(reader: &mut Reader<'_>, scope: &Scope<'_>, key: &'static str) -> Vec<PathBuf> {
    let list = reader.files(scope, key, FileKind::Authorities).unwrap_or_default();
    list.into_iter().map(|found| found.value).collect()
}

fn acme(reader: &mut Reader<'_>, tls: &Scope<'_>) -> Option<RawAcme> {
    let table = reader.subtable(tls, "acme", Section::Acme)?;
    Some(RawAcme {
        line: table.line,
        contact: reader.value(&table, "contact", address),
        names: reader.some(&table, "names", host_name, "[\"mail.example.org\"]"),
        directory: reader.value(&table, "directory", parsed),
        challenge: reader.value(&table, "challenge", word),
        bindings: reader.some(&table, "bind", |value| socket_address(value, Some(80)), "\"[::]:80\""),
        authorities: authorities(reader, &table, "authorities"),
        renew_before: reader.value(&table, "renew-before", parsed),
        place: table.place,
    })
}

fn sign_in(reader: &mut Reader<'_>, top: &Scope<'_>) -> RawSignIn {
    let Some(table) = reader.subtable(top, "sign-in", Section::SignIn) else { return RawSignIn::default() };
    RawSignIn {
        failures: reader.value(&table, "failures", count_or_off),
        within: reader.value(&table, "within", parsed),
        ban: reader.value(&table, "ban", parsed),
        delay: reader.value(&table, "delay", parsed_or_off),
        delay_limit: reader.value(&table, "delay-limit", parsed),
        account_failures: reader.value(&table, "account-failures", count_or_off),
    }
}

fn oauth(reader: &mut Reader<'_>, top: &Scope<'_>) -> Option<RawOAuth> {
    let table = reader.subtable(top, "oauth", Section::OAuth)?;
    reader.needs(&table, &[("issuer", "\"https://auth.example.org\""), ("audience", "\"mail.example.org\"")]);
    Some(RawOAuth {
        line: table.line,
        issuer: reader.value(&table, "issuer", text),
        audience: reader.value(&table, "audience", text),
        scope: reader.value(&table, "scope", text),
        account_claim: reader.value(&table, "account-claim", text),
        keys: reader.value(&table, "keys", parsed),
        introspection: reader.value(&table, "introspection", parsed),
        client: reader.value(&table, "client", text),
        client_secret_file: reader.file(&table, "client-secret-file", FileKind::Password),
        place: table.place,
    })
}

fn fetch(reader: &mut Reader<'_>, top: &Scope<'_>) -> RawFetch {
    let Some(table) = reader.subtable(top, "fetch", Section::Fetch) else { return RawFetch::default() };
    RawFetch {
        allow_private: reader.value(&table, "allow-private", word),
        authorities: authorities(reader, &table, "authorities"),
    }
}

fn back_pressure(reader: &mut Reader<'_>, top: &Scope<'_>) -> RawBackPressure {
    let Some(table) = reader.subtable(top, "back-pressure", Section::BackPressure) else {
        return RawBackPressure::default();
    };
    RawBackPressure {
        disk: reader.value(&table, "disk", |value| levels(value, size, |slow, refuse| slow >= refuse)),
        memory: reader.value(&table, "memory", |value| levels(value, size, |slow, refuse| slow <= refuse)),
        queue: reader.value(&table, "queue", |value| levels(value, number, |slow, refuse| slow <= refuse)),
    }
}

fn size(value: &Value) -> Option<Size> {
    value.as_str()?.parse().ok()
}

fn number(value: &Value) -> Option<u32> {
    value.as_integer().and_then(|number| u32::try_from(number).ok())
}

/// Reads the level that slows and the one that refuses, or `off`.
fn levels<T: Copy>(
    value: &Value,
    read: fn(&Value) -> Option<T>,
    is_in_order: fn(T, T) -> bool,
) -> Result<Option<Levels<T>>, Wrong> {
    if value.as_str() == Some("off") || value.as_bool() == Some(false) {
        return Ok(None);
    }
    let list: Vec<Option<T>> = value.as_array().into_iter().flatten().map(read).collect();
    match list[..] {
        [Some(slow), Some(refuse)] if is_in_order(slow, refuse) => Ok(Some(Levels { slow, refuse })),
        [Some(_), Some(_)] => Err(Wrong::new("refuses before it slows: the first is the level that slows")),
        _ => {
            Err(Wrong::new("is no list of two levels, the one that slows and the one that refuses, nor off"))
        }
    }
}

fn pickup(reader: &mut Reader<'_>, top: &Scope<'_>) -> RawPickup {
    let Some(table) = reader.subtable(top, "pickup", Section::Pickup) else { return RawPickup::default() };
    RawPickup {
        directory: reader.value(&table, "directory", path),
        state: reader.value(&table, "state", word),
    }
}
