//! Each request, on a store of its own.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod here;

use admin::{Request, Response, socket};
use expect_test::expect;
use mail::{MailboxPath, QueueId, Timestamp};
use message_auth::dkim::{Algorithm, KeyRecord};
use policy::{Story, What};
use store::{Change, Commit};
use world::Workers;

use here::{Here, here};

#[tokio::test(start_paused = true)]
async fn domains_come_and_go() {
    let here = Here::with_bob().await;
    here.check(
        &[
            r#"{"do":"domain-add","domain":"BÜCHER.example"}"#,
            r#"{"do":"domain-add","domain":"example.org"}"#,
            r#"{"do":"domain-add","domain":"no domain\u001b[2J"}"#,
            r#"{"do":"domain-list"}"#,
            r#"{"do":"domain-remove","domain":"example.org"}"#,
            r#"{"do":"domain-remove","domain":"bücher.example"}"#,
            r#"{"do":"domain-remove","domain":"bücher.example"}"#,
            r#"{"do":"alias-add","address":"b@example.org","targets":["bob@example.org"]}"#,
            r#"{"do":"account-remove","address":"bob@example.org"}"#,
            r#"{"do":"domain-remove","domain":"example.org"}"#,
            r#"{"do":"alias-remove","address":"B@example.org"}"#,
            r#"{"do":"domain-remove","domain":"example.org"}"#,
            r#"{"do":"domain-list"}"#,
        ],
        expect![[r#"
            {"do":"domain-add","domain":"BÜCHER.example"}
                {"answer":"dkim","said":"mail for xn--bcher-kva.example is received here now; add its accounts: waxseal account add NAME@xn--bcher-kva.example","domain":"xn--bcher-kva.example","records":[{"name":"rsa-20261122-…._domainkey.xn--bcher-kva.example","value":"v=DKIM1; k=rsa; p=…"},{"name":"ed25519-20261122-…._domainkey.xn--bcher-kva.example","value":"v=DKIM1; k=ed25519; p=…"}]}
            {"do":"domain-add","domain":"example.org"}
                {"answer":"refused","message":"the domain example.org is ours already","remedy":""}
            {"do":"domain-add","domain":"no domain\u001b[2J"}
                {"answer":"refused","message":"\"no domain\\x1b[2J\" is no domain name","remedy":"write it as example.org"}
            {"do":"domain-list"}
                {"answer":"domains","domains":[{"name":"example.org","accounts":1,"aliases":0},{"name":"xn--bcher-kva.example","accounts":0,"aliases":0}]}
            {"do":"domain-remove","domain":"example.org"}
                {"answer":"refused","message":"the domain example.org has accounts","remedy":"remove its accounts first: waxseal account remove bob@example.org"}
            {"do":"domain-remove","domain":"bücher.example"}
                {"answer":"done","said":"mail for xn--bcher-kva.example is refused now"}
            {"do":"domain-remove","domain":"bücher.example"}
                {"answer":"refused","message":"the domain xn--bcher-kva.example is not one of ours","remedy":"see the list: waxseal domain list"}
            {"do":"alias-add","address":"b@example.org","targets":["bob@example.org"]}
                {"answer":"done","said":"mail for b@example.org goes to bob@example.org now"}
            {"do":"account-remove","address":"bob@example.org"}
                {"answer":"done","said":"the account bob@example.org is gone, with its mailboxes and emails; aliases that still name it: b@example.org"}
            {"do":"domain-remove","domain":"example.org"}
                {"answer":"refused","message":"the domain example.org has aliases","remedy":"remove its aliases first: waxseal alias remove b@example.org"}
            {"do":"alias-remove","address":"B@example.org"}
                {"answer":"done","said":"the alias b@example.org is gone"}
            {"do":"domain-remove","domain":"example.org"}
                {"answer":"done","said":"mail for example.org is refused now"}
            {"do":"domain-list"}
                {"answer":"domains","domains":[]}
        "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn accounts_come_and_go() {
    let here = Here::with_bob().await;
    here.check(
        &[
            r#"{"do":"account-add","address":"Ann@Example.org","name":"Ann","password":{"given":"secret"}}"#,
            r#"{"do":"account-add","address":"ann@example.org","password":"generate"}"#,
            r#"{"do":"account-add","address":"eve@example.org","password":"generate"}"#,
            r#"{"do":"account-add","address":"eve@elsewhere.example","password":"generate"}"#,
            r#"{"do":"account-add","address":"eve@[192.0.2.1]","password":"generate"}"#,
            r#"{"do":"account-add","address":"eve","password":"generate"}"#,
            r#"{"do":"account-add","address":"tim@example.org","password":{"given":""}}"#,
            r#"{"do":"account-add","address":"tim@example.org","name":"\u0007","password":"generate"}"#,
            r#"{"do":"account-password","address":"EVE@example.org","password":{"given":"other"}}"#,
            r#"{"do":"account-password","address":"tim@example.org","password":"generate"}"#,
            r#"{"do":"account-remove","address":"ann@example.org"}"#,
            r#"{"do":"account-remove","address":"ann@example.org"}"#,
        ],
        expect![[r#"
            {"do":"account-add","address":"Ann@Example.org","name":"Ann","password":{"given":"secret"}}
                {"answer":"done","said":"the account ann@example.org is ready"}
            {"do":"account-add","address":"ann@example.org","password":"generate"}
                {"answer":"refused","message":"there is an account ann@example.org already","remedy":"for another password: waxseal account password ann@example.org"}
            {"do":"account-add","address":"eve@example.org","password":"generate"}
                {"answer":"password","address":"eve@example.org","password":"7dv45-pkbaq-9s87c-z4g5j"}
            {"do":"account-add","address":"eve@elsewhere.example","password":"generate"}
                {"answer":"refused","message":"the domain elsewhere.example is not one of ours","remedy":"add it first: waxseal domain add elsewhere.example"}
            {"do":"account-add","address":"eve@[192.0.2.1]","password":"generate"}
                {"answer":"refused","message":"eve@[192.0.2.1] has no domain","remedy":"write it as local-part@domain"}
            {"do":"account-add","address":"eve","password":"generate"}
                {"answer":"refused","message":"\"eve\" is no address: the address has no domain","remedy":"write it as local-part@domain"}
            {"do":"account-add","address":"tim@example.org","password":{"given":""}}
                {"answer":"refused","message":"the password is empty","remedy":"choose another one"}
            {"do":"account-add","address":"tim@example.org","name":"\u0007","password":"generate"}
                {"answer":"refused","message":"the name cannot be kept","remedy":"at most 255 octets, no control characters"}
            {"do":"account-password","address":"EVE@example.org","password":{"given":"other"}}
                {"answer":"done","said":"eve@example.org has a new password"}
            {"do":"account-password","address":"tim@example.org","password":"generate"}
                {"answer":"refused","message":"there is no account tim@example.org","remedy":"see the list: waxseal account list"}
            {"do":"account-remove","address":"ann@example.org"}
                {"answer":"done","said":"the account ann@example.org is gone, with its mailboxes and emails"}
            {"do":"account-remove","address":"ann@example.org"}
                {"answer":"refused","message":"there is no account ann@example.org","remedy":"see the list: waxseal account list"}
        "#]],
    )
    .await;
    let Response::Accounts { accounts } = here.admin.execute(Request::AccountList).await else { panic!() };
    let addresses: Vec<&str> = accounts.iter().map(|account| account.address.as_str()).collect();
    assert_eq!(addresses, ["bob@example.org", "eve@example.org"]);
}

#[tokio::test(start_paused = true)]
async fn a_new_account_has_its_mailboxes_and_can_sign_in() {
    let here = Here::with_bob().await;
    let account = here.store.account_by_address("bob@example.org").await.unwrap().unwrap();
    let mailboxes = here.store.mailboxes(account.id).await.unwrap();
    let paths: Vec<(&str, Option<&str>)> =
        mailboxes.iter().map(|mailbox| (mailbox.path.as_str(), mailbox.special_use.as_deref())).collect();
    let special = |name: &'static str| (name, Some(name));
    assert_eq!(
        paths,
        [
            special("Archive"),
            special("Drafts"),
            ("INBOX", None),
            special("Junk"),
            special("Sent"),
            special("Trash")
        ]
    );
    let subscribed = here.store.subscriptions(account.id).await.unwrap();
    assert!(subscribed.contains(&MailboxPath::inbox()) && subscribed.len() == 6);
    let credentials = directory::Credentials {
        login: "bob".into(),
        authorization: String::new(),
        password: directory::Password("secret".into()),
    };
    let origin =
        directory::Origin { peer: [192, 0, 2, 1].into(), trusted: false, service: directory::Scope::Imap };
    assert!(matches!(here.directory.sign_in(credentials, &origin).await, directory::SignIn::Accepted(_)));
}

#[tokio::test(start_paused = true)]
async fn aliases_come_and_go() {
    let here = Here::with_bob().await;
    here.check(
        &[
            r#"{"do":"alias-add","address":"info@example.org","targets":["Bob@example.org","bob@example.org"]}"#,
            r#"{"do":"alias-add","address":"info@example.org","targets":["bob@example.org"]}"#,
            r#"{"do":"alias-add","address":"bob@example.org","targets":["info@example.org"]}"#,
            r#"{"do":"alias-add","address":"self@example.org","targets":["self@example.org"]}"#,
            r#"{"do":"alias-add","address":"out@example.org","targets":["bob@elsewhere.example"]}"#,
            r#"{"do":"alias-add","address":"in@elsewhere.example","targets":["bob@example.org"]}"#,
            r#"{"do":"alias-add","address":"none@example.org","targets":[]}"#,
            r#"{"do":"alias-add","address":"more@example.org","targets":["info@example.org"]}"#,
            r#"{"do":"alias-list"}"#,
            r#"{"do":"alias-remove","address":"info@example.org"}"#,
            r#"{"do":"alias-remove","address":"info@example.org"}"#,
            r#"{"do":"alias-list"}"#,
        ],
        expect![[r#"
            {"do":"alias-add","address":"info@example.org","targets":["Bob@example.org","bob@example.org"]}
                {"answer":"done","said":"mail for info@example.org goes to bob@example.org now"}
            {"do":"alias-add","address":"info@example.org","targets":["bob@example.org"]}
                {"answer":"refused","message":"info@example.org is an alias already","remedy":"remove it first: waxseal alias remove info@example.org"}
            {"do":"alias-add","address":"bob@example.org","targets":["info@example.org"]}
                {"answer":"refused","message":"there is an account bob@example.org already","remedy":"for another password: waxseal account password bob@example.org"}
            {"do":"alias-add","address":"self@example.org","targets":["self@example.org"]}
                {"answer":"refused","message":"self@example.org leads to no account","remedy":"add it first: waxseal account add self@example.org"}
            {"do":"alias-add","address":"out@example.org","targets":["bob@elsewhere.example"]}
                {"answer":"refused","message":"bob@elsewhere.example has no mailbox here, and aliases lead to mailboxes here","remedy":"choose an address of an account"}
            {"do":"alias-add","address":"in@elsewhere.example","targets":["bob@example.org"]}
                {"answer":"refused","message":"the domain elsewhere.example is not one of ours","remedy":"add it first: waxseal domain add elsewhere.example"}
            {"do":"alias-add","address":"none@example.org","targets":[]}
                {"answer":"refused","message":"an alias leads to 1 to 999 addresses","remedy":"name them after the alias"}
            {"do":"alias-add","address":"more@example.org","targets":["info@example.org"]}
                {"answer":"done","said":"mail for more@example.org goes to info@example.org now"}
            {"do":"alias-list"}
                {"answer":"aliases","aliases":[{"address":"info@example.org","targets":["bob@example.org"]},{"address":"more@example.org","targets":["info@example.org"]}]}
            {"do":"alias-remove","address":"info@example.org"}
                {"answer":"done","said":"the alias info@example.org is gone"}
            {"do":"alias-remove","address":"info@example.org"}
                {"answer":"refused","message":"there is no alias info@example.org","remedy":"see the list: waxseal alias list"}
            {"do":"alias-list"}
                {"answer":"aliases","aliases":[{"address":"more@example.org","targets":["info@example.org"]}]}
        "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_domain_has_two_keys_and_tells_their_public_halves() {
    let here = here(Workers::Inline);
    let Response::Dkim { records, .. } = here.execute(r#"{"do":"domain-add","domain":"example.org"}"#).await
    else {
        panic!()
    };
    let algorithms =
        records.iter().map(|record| KeyRecord::parse(record.value.as_bytes()).unwrap().algorithm());
    let algorithms: Vec<_> = algorithms.collect();
    assert_eq!(algorithms, [Algorithm::Rsa, Algorithm::Ed25519]);
    let kept = here.store.dkim_keys("example.org").await.unwrap();
    assert_eq!(kept.len(), 2);
    for key in &kept {
        let name = format!("{}._domainkey.example.org", key.selector);
        let public = message_auth::dkim::SigningKey::from_pkcs8(&key.key).unwrap().record().text();
        assert!(records.iter().any(|record| record.name == name && record.value == public), "{name}");
    }
    let again = here.execute(r#"{"do":"domain-dkim","domain":"Example.ORG"}"#).await;
    let said = String::new();
    assert_eq!(again, Response::Dkim { said, domain: "example.org".into(), records });
    here.ask(r#"{"do":"domain-remove","domain":"example.org"}"#).await;
    assert!(here.store.dkim_keys("example.org").await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_domain_of_an_older_version_gets_keys_when_asked() {
    let here = here(Workers::Inline);
    let at = here.world.clock.wall();
    let changes = vec![Change::AddDomain { name: "example.org".into(), at }];
    here.store.commit(Commit { content: Vec::new(), changes }).await.unwrap();
    here.check(
        &[
            r#"{"do":"domain-dkim","domain":"example.org"}"#,
            r#"{"do":"domain-dkim","domain":"example.org","make":true}"#,
            r#"{"do":"domain-dkim","domain":"example.org","make":true}"#,
            r#"{"do":"domain-dkim","domain":"example.net"}"#,
        ],
        expect![[r#"
            {"do":"domain-dkim","domain":"example.org"}
                {"answer":"refused","message":"the domain example.org has no keys yet","remedy":"make them: waxseal domain dkim example.org --make"}
            {"do":"domain-dkim","domain":"example.org","make":true}
                {"answer":"dkim","said":"example.org has keys now","domain":"example.org","records":[{"name":"rsa-20261122-…._domainkey.example.org","value":"v=DKIM1; k=rsa; p=…"},{"name":"ed25519-20261122-…._domainkey.example.org","value":"v=DKIM1; k=ed25519; p=…"}]}
            {"do":"domain-dkim","domain":"example.org","make":true}
                {"answer":"refused","message":"the domain example.org has keys already","remedy":"see what to publish: waxseal domain dkim example.org"}
            {"do":"domain-dkim","domain":"example.net"}
                {"answer":"refused","message":"the domain example.net is not one of ours","remedy":"see the list: waxseal domain list"}
        "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_runs_is_shown() {
    let here = Here::with_bob().await;
    here.check(
        &[
            r#"{"do":"status"}"#,
            r#"{"do":"connection-list"}"#,
            r#"{"do":"connection-terminate","id":7}"#,
            r#"{"do":"connection-terminate","id":8}"#,
            r#"{"do":"store-check"}"#,
            r#"{"do":"store-check","repair":true}"#,
        ],
        expect![[r#"
            {"do":"status"}
                {"answer":"status","version":"0.1.0","domains":1,"accounts":1,"at":1795348800000,"queue":{"destinations":0,"deliveries":0,"held":0,"deleted":0,"oldest":null},"pressure":null,"virtual_servers":[{"name":"internet","protocol":"smtp","bindings":["[::]:25"],"state":"running","connections":1}]}
            {"do":"connection-list"}
                {"answer":"connections","connections":[{"id":7,"virtual_server":"internet","protocol":"smtp","peer":"192.0.2.1:4711","since":0,"account":"","tls":"","doing":"waits","received":0,"sent":0,"messages":0}]}
            {"do":"connection-terminate","id":7}
                {"answer":"done","said":"connection 7 is being ended"}
            {"do":"connection-terminate","id":8}
                {"answer":"refused","message":"there is no connection 8","remedy":"see the list: waxseal sessions"}
            {"do":"store-check"}
                {"answer":"checked","contents":0,"octets":0,"orphans":0,"faults":[],"repaired":false}
            {"do":"store-check","repair":true}
                {"answer":"checked","contents":0,"octets":0,"orphans":0,"faults":[],"repaired":true}
        "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn stories_are_found_by_id_message_id_and_address() {
    let here = Here::with_bob().await;
    let at = Timestamp(1_763_826_172_000);
    let mut story = Story::new(QueueId(77));
    story.hop(at, What::Spool { size: 5, message_id: Some("<One@example.org>".into()) });
    let recipients = vec!["Bob@example.org".to_owned()];
    story.hop(at, What::Enqueue { reverse_path: "eve\u{7}@x.example".into(), recipients });
    let changes = vec![story.explanation(at)];
    here.store.commit(Commit { content: Vec::new(), changes }).await.unwrap();
    let first = here.ask(r#"{"do":"trace","what":"000000000002d"}"#).await;
    expect![[r#"{"answer":"story","told":"000000000002D\n  2025-11-22 15:42:52.000  spool         5 octets, Message-ID <One@example.org>\n  2025-11-22 15:42:52.000  enqueue       from <eve\\x07@x.example> to <Bob@example.org>\n","records":[{"queue_id":"000000000002D","at":1763826172000,"story":{"hops":[{"at":1763826172000,"hop":"spool","message_id":"<One@example.org>","size":5},{"at":1763826172000,"hop":"enqueue","recipients":["Bob@example.org"],"reverse_path":"eve\u0007@x.example"}],"queue_id":"000000000002D","version":1}}]}"#]].assert_eq(&first);
    for what in ["<one@example.org>", "One@example.org", " bob@EXAMPLE.org ", "000000000002D"] {
        assert_eq!(here.ask(&format!(r#"{{"do":"trace","what":"{what}"}}"#)).await, first, "{what}");
    }
    here.check(&[r#"{"do":"trace","what":"nobody@example.org"}"#], expect![[r#"
        {"do":"trace","what":"nobody@example.org"}
            {"answer":"refused","message":"the journal knows nothing of nobody@example.org","remedy":"name a queue id, a Message-ID or an address of its envelope; old stories go after the time that [journal] keep says"}
    "#]]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_local_socket_carries_requests() {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::os::unix::fs::PermissionsExt;

    let here = here(Workers::threads(1));
    let path = here.dir.path().join("admin.socket");
    let call = |request: Request| {
        let path = path.clone();
        here.world.workers.run(move || socket::call(&path, &request).map_err(|error| error.to_string()))
    };
    assert_eq!(call(Request::DomainList).await, Err("the server does not run".into()));

    let (stop, stopped) = tokio::sync::watch::channel(false);
    let listener = socket::bind(&path).unwrap();
    let serving = here.world.workers.spawn(socket::serve(listener, here.admin.clone(), stopped));
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let added = call(Request::DomainAdd { domain: "example.org".into(), alias_of: None }).await;
    assert!(matches!(added, Ok(Response::Dkim { .. })), "{added:?}");
    let Ok(Response::Domains { domains }) = call(Request::DomainList).await else { panic!() };
    assert_eq!(domains[0].name, "example.org");

    let raw = |bytes: Vec<u8>| {
        let path = path.clone();
        here.world.workers.run(move || {
            let mut stream = std::os::unix::net::UnixStream::connect(path).unwrap();
            // The server may close before it has read all of a request that is too long.
            let _ = stream.write_all(&bytes);
            let _ = stream.shutdown(std::net::Shutdown::Write);
            let mut answer = String::new();
            let _ = stream.read_to_string(&mut answer);
            answer
        })
    };
    expect![[r#"
        {"answer":"refused","message":"this server does not understand the request (column 0)","remedy":"use the `waxseal` that runs as the server"}
        {"answer":"domains","domains":[{"name":"example.org","accounts":0,"aliases":0}]}
    "#]].assert_eq(
        &raw(b"{\"do\":\"account-add\",\"password\":{\"given\":5}}\n{\"do\":\"domain-list\"}\n".to_vec())
            .await,
    );
    expect![[r#"
        {"answer":"refused","message":"the request is too long, or has no end","remedy":""}
    "#]]
    .assert_eq(&raw(b"{\"do\":\"domain-list\"}".to_vec()).await);
    assert_eq!(raw(Vec::new()).await, "");
    let too_long = raw(vec![b' '; admin::limits::REQUEST_OCTETS_MAX + 2]).await;
    assert!(too_long.is_empty() || too_long.contains("too long"), "{too_long}");

    let path_of_idle = path.clone();
    let idle = here.world.workers.run(move || {
        let mut idle = BufReader::new(std::os::unix::net::UnixStream::connect(&path_of_idle).unwrap());
        idle.get_mut().write_all(b"{\"do\":\"domain-list\"}\n").unwrap();
        idle.read_line(&mut String::new()).unwrap();
        idle
    });
    let mut idle = idle.await;
    stop.send(true).unwrap();
    serving.await.unwrap();
    let ended = here.world.workers.run(move || idle.read(&mut [0; 1]).unwrap());
    assert_eq!(ended.await, 0, "connections end with it");
    assert_eq!(call(Request::DomainList).await, Err("the server does not run".into()));
    socket::bind(&path).expect("what an earlier run left is removed");
}

#[test]
fn no_password_is_shown() {
    let request: Request =
        serde_json::from_str(r#"{"do":"account-password","address":"a@b","password":{"given":"secret"}}"#)
            .unwrap();
    assert!(!format!("{request:?}").contains("secret"));
}
