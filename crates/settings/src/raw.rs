//! The settings as written: what is not there is none, and each value knows its line.

mod delivery;
mod inherit;
mod properties;
mod server;
mod system;

use mail::Domain;

pub(crate) use delivery::{
    RawDelivery, RawLocalDomain, RawNext, RawOutboundConnections, RawRemoteDomain, RawRetry,
};
pub(crate) use inherit::Inherit;
pub(crate) use properties::{RawConnectionControl, RawKeywords, RawProperties, RawProtocolLog};
pub(crate) use server::{RawBinding, RawServer, RawWhen, WHEN, virtual_servers};
pub(crate) use system::{RawAcme, RawBackPressure, RawFetch, RawOAuth, RawPickup, RawSignIn, RawSystem};

use crate::keys::Section;
use crate::named_file::FileKind;
use crate::read::{Found, Reader, Scope, host_name, parsed, word};
use crate::resolved::{CertificateFiles, Reports};
use crate::values::{LogFormat, LogLevel, Network, Size, TimeSpan, Wrong};

/// All settings.
#[derive(Debug)]
pub(crate) struct Raw {
    pub(crate) host_name: Option<Found<Domain>>,
    pub(crate) certificates: Vec<CertificateFiles>,
    pub(crate) system: RawSystem,
    pub(crate) trusted_networks: Option<Found<Vec<Network>>>,
    pub(crate) authentication_without_tls: Option<Found<Vec<Network>>>,
    pub(crate) defaults: RawProperties,
    pub(crate) virtual_servers: Option<Vec<RawServer>>,
    pub(crate) delivery: RawDelivery,
    pub(crate) remote_domains: Vec<RawRemoteDomain>,
    pub(crate) local_domains: Vec<RawLocalDomain>,
    pub(crate) reports: Reports,
    pub(crate) journal_keep: Option<Found<TimeSpan>>,
    pub(crate) journal_size_limit: Option<Found<Size>>,
    pub(crate) log_level: Option<Found<LogLevel>>,
    pub(crate) log_format: Option<Found<LogFormat>>,
}

/// Reads the whole text.
pub(crate) fn settings(reader: &mut Reader<'_>, top: &Scope<'_>) -> Raw {
    reader.check_keys(top, &[Section::Top]);
    let (journal_keep, journal_size_limit) = journal(reader, top);
    let (log_level, log_format) = log(reader, top);
    let tls = reader.subtable(top, "tls", Section::Tls);
    Raw {
        host_name: reader.value(top, "host-name", host_name),
        certificates: tls.as_ref().map(|tls| certificates(reader, tls)).unwrap_or_default(),
        system: system::system(reader, top, tls.as_ref()),
        trusted_networks: reader.list(top, "trusted-networks", parsed),
        authentication_without_tls: reader.list(top, "authentication-without-tls", parsed),
        defaults: server::defaults(reader, top),
        virtual_servers: virtual_servers(reader, top),
        delivery: delivery::delivery(reader, top),
        remote_domains: delivery::remote_domains(reader, top),
        local_domains: delivery::local_domains(reader, top),
        reports: delivery::reports(reader, top),
        journal_keep,
        journal_size_limit,
        log_level,
        log_format,
    }
}

fn certificates(reader: &mut Reader<'_>, tls: &Scope<'_>) -> Vec<CertificateFiles> {
    let entries = reader.tables(tls, "certificates", "[tls] certificates").unwrap_or_default();
    entries.iter().filter_map(|entry| certificate(reader, entry)).collect()
}

fn certificate(reader: &mut Reader<'_>, scope: &Scope<'_>) -> Option<CertificateFiles> {
    reader.check_keys(scope, &[Section::Certificate]);
    for key in ["certificate", "key"] {
        if !scope.has(key) {
            let problem = format!("needs a {key}, the path of a PEM file");
            reader.mistake(scope.line, &scope.place, key, Wrong::new(problem));
        }
    }
    let certificate = reader.file(scope, "certificate", FileKind::Certificate);
    let key = reader.file(scope, "key", FileKind::Key);
    Some(CertificateFiles { certificate: certificate?.value, key: key?.value })
}

fn journal(reader: &mut Reader<'_>, top: &Scope<'_>) -> (Option<Found<TimeSpan>>, Option<Found<Size>>) {
    let Some(scope) = reader.subtable(top, "journal", Section::Journal) else { return (None, None) };
    (reader.value(&scope, "keep", parsed), reader.value(&scope, "size-limit", parsed))
}

fn log(reader: &mut Reader<'_>, top: &Scope<'_>) -> (Option<Found<LogLevel>>, Option<Found<LogFormat>>) {
    let Some(scope) = reader.subtable(top, "log", Section::Log) else { return (None, None) };
    (reader.value(&scope, "level", word), reader.value(&scope, "format", word))
}
