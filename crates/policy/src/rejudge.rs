//! The same facts under other settings.

use mail::{Domain, ForwardPath};
use settings::{DomainPattern, Protocol, RemoteDomain, Settings, VirtualServer};

use crate::facts::{ConnectionFacts, Facts, Magic, RelayFacts, Service, Standing};
use crate::gather;
use crate::judge::{Judgement, judge};
use crate::story::Stage;

/// Judges recorded facts as if these settings had been in force. What a setting gives is taken from them: who is trusted, who
/// may relay, how large a message may be, which domains are handed on. What the directory said, how the header was and how
/// busy the server was stays as it was.
pub fn rejudge(stage: Stage, facts: &Facts, server: &VirtualServer, settings: &Settings) -> Judgement {
    judge(stage, &under(facts, server, settings))
}

/// The virtual server that these facts belong to, as these settings have it for the client; none if it is gone.
pub fn server_of<'a>(facts: &Facts, settings: &'a Settings) -> Option<&'a VirtualServer> {
    let ConnectionFacts { peer, virtual_server, .. } = &facts.connection;
    let server = settings.virtual_servers.iter().find(|server| server.name == *virtual_server)?;
    Some(server.for_peer(*peer, None))
}

/// What policy is told of a protocol; POP3 and IMAP ask no policy.
pub fn service(protocol: Protocol) -> Service {
    match protocol {
        Protocol::Submission => Service::Submission,
        Protocol::Lmtp => Service::Lmtp,
        Protocol::Smtp | Protocol::Pop3 | Protocol::Imap => Service::Smtp,
    }
}

/// What the `relay` of a virtual server means for a peer.
pub fn relay(server: &VirtualServer, peer: std::net::IpAddr) -> RelayFacts {
    RelayFacts { network: server.relay.allows(peer), authenticated: server.relay.authenticated }
}

/// The largest message that a virtual server takes, octets.
pub fn size_max(server: &VirtualServer) -> u64 {
    let session_size_max = server.session_size_limit.map_or(u64::MAX, |size| size.0);
    server.message_size_limit.0.min(session_size_max)
}

fn under(facts: &Facts, server: &VirtualServer, settings: &Settings) -> Facts {
    let mut facts = facts.clone();
    let connection = &mut facts.connection;
    connection.trusted = settings.trusted_networks.contain(connection.peer);
    connection.service = service(server.protocol);
    connection.relay = relay(server, connection.peer);
    facts.account = facts.account.take().map(|account| account.under(server));
    if let Some(sender) = &mut facts.sender {
        sender.size_max = size_max(server);
        sender.rate = sender.rate.take().and_then(|rate| rate.under(server.message_rate));
    }
    if let Some(recipient) = &mut facts.recipient {
        let path = ForwardPath::parse(&format!("<{}>", recipient.recipient)).ok();
        if let Some(domain) = path.as_ref().and_then(ForwardPath::address).and_then(|it| it.domain()) {
            recipient.standing = standing(recipient.standing, domain, settings);
        }
        recipient.magic = magic(recipient.magic, path.as_ref(), server);
    }
    if let Some(content) = &mut facts.content {
        content.size_max = size_max(server);
        content.hops_max = Some(server.maximum_hop_count as usize);
    }
    facts
}

/// Domains that are handed on, or that anyone may send to, stand in the settings; all others in the directory.
fn standing(before: Standing, domain: &Domain, settings: &Settings) -> Standing {
    if settings.local_domains.iter().any(|local| local.domains.contains(domain)) {
        return Standing::HandedOn;
    }
    match before {
        Standing::HandedOn | Standing::NotLocal | Standing::RelayedTo => match relays_to(domain, settings) {
            true => Standing::RelayedTo,
            false => Standing::NotLocal,
        },
        before => before,
    }
}

/// Whether the most specific remote domain says so.
fn relays_to(domain: &Domain, settings: &Settings) -> bool {
    let fits = |remote: &RemoteDomain| {
        let patterns = remote.domains.iter().filter(|pattern| pattern.matches(domain));
        patterns.map(DomainPattern::specificity).max()
    };
    let best = settings.remote_domains.iter().filter_map(|remote| Some((fits(remote)?, remote)));
    best.max_by_key(|(fits, _)| *fits).is_some_and(|(_, remote)| remote.relay)
}

fn magic(before: Option<Magic>, path: Option<&ForwardPath>, server: &VirtualServer) -> Option<Magic> {
    server.magic_recipients.then(|| before.or_else(|| gather::magic(path?, |_| 0)))?
}

#[cfg(test)]
mod tests {
    use mail::{QueueId, Timestamp};

    use super::*;
    use crate::facts::{ContentFacts, HelloFacts, RecipientFacts, SenderFacts};
    use crate::story::{Story, What};

    fn settings(server: &str) -> Settings {
        let text = format!(
            "host-name = 'mx.example.org'\n[[virtual-server]]\nname = 'internet'\nprotocol = 'smtp'\nbind = '[::]:25'\n{server}"
        );
        settings::resolve(&text).unwrap()
    }

    /// A transaction as it was judged and kept: a neighbour sent 100,000 octets to a stranger, and to one of ours.
    fn kept() -> Story {
        let mut facts = Facts::new(ConnectionFacts {
            peer: "192.0.2.1".parse().unwrap(),
            virtual_server: "internet".into(),
            trusted: false,
            service: Service::Smtp,
            relay: RelayFacts { network: Some("192.0.2.0/24".into()), authenticated: false },
        });
        let mut story = Story::new(QueueId(7));
        story.hop(
            Timestamp(0),
            What::Accept { peer: "192.0.2.1:4321".parse().unwrap(), server: "internet".into(), name: None },
        );
        let hello =
            HelloFacts { name: "printer".into(), extended: true, tls: Some("TLS1.3".into()), account: None };
        story.hop(
            Timestamp(0),
            What::Speak {
                hello: hello.name.clone(),
                extended: true,
                tls: Some("TLS1.3 TLS13_AES_128_GCM_SHA256".into()),
                account: None,
            },
        );
        facts.hello = Some(hello);
        let mut note = |facts: &Facts, stage, subject: &str| {
            let hop = judge(stage, facts).into_hop(Timestamp(1), stage, subject, facts);
            story.hops.push(hop);
        };
        facts.sender = Some(SenderFacts {
            reverse_path: "ann@example.net".into(),
            size_announced: Some(100_000),
            size_max: 50 << 20,
            room: Some(1 << 40),
            ..SenderFacts::default()
        });
        note(&facts, Stage::Sender, "ann@example.net");
        for (recipient, standing) in
            [("bob@elsewhere.example", Standing::NotLocal), ("bob@example.org", Standing::Local(1))]
        {
            let recipient = RecipientFacts { recipient: recipient.into(), standing, magic: None };
            facts.recipient = Some(recipient.clone());
            note(&facts, Stage::Recipient, &recipient.recipient);
        }
        facts.content =
            Some(ContentFacts { size: 100_000, size_max: 50 << 20, received: 1, ..ContentFacts::default() });
        story.hop(Timestamp(2), What::Spool { size: 100_000, message_id: None });
        let hop = judge(Stage::Content, &facts).into_hop(Timestamp(2), Stage::Content, "", &facts);
        story.hops.push(hop);
        story
    }

    /// What the judgements of a story are under a virtual server with these lines: codes, or that it was accepted.
    fn check(server: &str, expected: [&str; 4]) {
        let settings = settings(server);
        let story = Story::from_json(&kept().to_json()).unwrap();
        let told = story.judged().into_iter().map(|judged| {
            let server = server_of(&judged.facts, &settings).unwrap();
            let judgement = rejudge(judged.stage, &judged.facts, server, &settings);
            judgement.reply().map_or("accepted".to_owned(), |reply| reply.code.to_string())
        });
        assert_eq!(told.collect::<Vec<_>>(), expected, "{server}");
    }

    #[test]
    fn what_was_judged_is_judged_by_other_settings() {
        check("relay = { allow = ['192.0.2.0/24'] }", ["accepted"; 4]);
        check("", ["accepted", "550", "accepted", "accepted"]);
        check("message-size-limit = '64 KiB'", ["552", "550", "accepted", "552"]);
        check(
            "relay = { allow = ['192.0.2.0/24'] }\n[[local-domain]]\ndomain = 'example.org'\nlmtp = '127.0.0.1:24'",
            ["accepted"; 4],
        );
        check("[[remote-domain]]\ndomain = '*.example'\nrelay = 'on'", ["accepted"; 4]);
        check("magic-recipients = 'on'", ["accepted", "550", "accepted", "accepted"]);
    }

    #[test]
    fn facts_come_back_as_they_were_but_for_what_settings_give() {
        let judged = kept().judged();
        let last = &judged.last().unwrap().facts;
        assert_eq!(last.hello.as_ref().unwrap().tls.as_deref(), Some("TLS1.3"));
        assert_eq!(last.sender.as_ref().unwrap().size_announced, Some(100_000));
        assert_eq!(last.recipient.as_ref().unwrap().recipient, "bob@example.org");
        let content = last.content.as_ref().unwrap();
        assert_eq!((content.size, content.size_max, content.received), (100_000, 0, 1));
        assert_eq!(judged.len(), 4);
    }

    #[test]
    fn facts_are_small() {
        let whole = kept();
        let mut bare = whole.clone();
        for hop in &mut bare.hops {
            if let What::Judge { facts, .. } = &mut hop.what {
                *facts = None;
            }
        }
        let grown = whole.to_json().len() - bare.to_json().len();
        assert!(grown < 200, "{grown} octets: {}", whole.to_json());
        assert!(bare.judged().is_empty(), "stories of before facts were kept");
    }
}
