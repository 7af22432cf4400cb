//! The commands as a person types them: with the server running, through its socket, and with the server down.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

#[path = "cli/place.rs"]
mod place;
#[path = "clients/trial.rs"]
mod trial;
#[path = "cli/typist.rs"]
mod typist;

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use expect_test::expect;
use rustix::process::Signal;

use place::{Place, SETTINGS, put};
use trial::{PROGRAM, Trial, signal_to};
use typist::Typist;

/// What an administrator does on a first day, right and wrong.
fn first_day(place: &Place) -> String {
    let given = "a pass word of my own\n";
    [
        ("domain add example.org", ""),
        ("domain add Example.ORG", ""),
        ("domain add bad..name", ""),
        ("domain dkim example.org", ""),
        ("domain dkim example.org --make", ""),
        ("domain dkim example.net", ""),
        ("account add ann@example.org --name Ann --generate", ""),
        ("account add ann@example.org --generate", ""),
        ("account add bob@example.org --password-stdin", given),
        ("account add cid@example.org", given),
        ("account add dan@example.org --password-stdin", ""),
        ("account add eve@example.net --generate", ""),
        ("account add nonsense --generate", ""),
        ("account password bob@example.org --generate", ""),
        ("account password nobody@example.org --generate", ""),
        ("alias add office@example.org ann@example.org bob@example.org", ""),
        ("alias add office@example.org nobody@example.org", ""),
        ("alias add lost@example.org nobody@example.org", ""),
        ("domain list", ""),
        ("account list", ""),
        ("alias list", ""),
        ("domain list --json", ""),
        ("alias list --json", ""),
        ("account remove cid@example.org", ""),
        ("account remove cid@example.org --yes", ""),
        ("account remove cid@example.org --yes", ""),
        ("account remove bob@example.org --yes", ""),
        ("alias list", ""),
        ("alias remove office@example.org", ""),
        ("alias remove office@example.org", ""),
        ("domain remove example.org", ""),
        ("domain remove example.net", ""),
        ("trace ann@example.org", ""),
        ("trace ann@example.org --json", ""),
        ("queue list", ""),
        ("queue list example.net", ""),
        ("queue show 000000000002D", ""),
        ("queue delete", ""),
        ("queue delete --all", ""),
        ("queue delete --all --yes", ""),
        ("queue release --destination example.net --json", ""),
        ("store check", ""),
        ("store check --repair --json", ""),
    ]
    .into_iter()
    .map(|(line, input)| place.told(line, input))
    .collect()
}

#[test]
fn commands_say_the_same_with_the_server_running_and_down() {
    let (running, down) = (Place::new(), Place::new());
    let serving = running.serve();
    let told = first_day(&running);
    drop(serving);
    assert_eq!(told, first_day(&down));
    expect![[r#"
        $ waxseal domain add example.org
        mail for example.org is received here now; add its accounts: waxseal account add NAME@example.org

        What example.org sends is signed. For others to see that, its zone must have:

        SELECTOR._domainkey.DOMAIN. IN TXT (
            "v=DKIM1; k=rsa; p=KEY
        SELECTOR._domainkey.DOMAIN. IN TXT (
            "v=DKIM1; k=ed25519; p=KEY

        Where a form asks for a name and a value: waxseal domain dkim example.org --json
        [0]
        $ waxseal domain add Example.ORG
        waxseal: the domain example.org is ours already
        [1]
        $ waxseal domain add bad..name
        waxseal: "bad..name" is no domain name; write it as example.org
        [1]
        $ waxseal domain dkim example.org
        What example.org sends is signed. For others to see that, its zone must have:

        SELECTOR._domainkey.DOMAIN. IN TXT (
            "v=DKIM1; k=rsa; p=KEY
        SELECTOR._domainkey.DOMAIN. IN TXT (
            "v=DKIM1; k=ed25519; p=KEY

        Where a form asks for a name and a value: waxseal domain dkim example.org --json
        [0]
        $ waxseal domain dkim example.org --make
        waxseal: the domain example.org has keys already; see what to publish: waxseal domain dkim example.org
        [1]
        $ waxseal domain dkim example.net
        waxseal: the domain example.net is not one of ours; see the list: waxseal domain list
        [1]
        $ waxseal account add ann@example.org --name Ann --generate
        ann@example.org has the password PASSWORD
        [0]
        $ waxseal account add ann@example.org --generate
        waxseal: there is an account ann@example.org already; for another password: waxseal account password ann@example.org
        [1]
        $ waxseal account add bob@example.org --password-stdin
        the account bob@example.org is ready
        [0]
        $ waxseal account add cid@example.org
        the account cid@example.org is ready
        [0]
        $ waxseal account add dan@example.org --password-stdin
        waxseal: no password was given; to have one made, say --generate
        [1]
        $ waxseal account add eve@example.net --generate
        waxseal: the domain example.net is not one of ours; add it first: waxseal domain add example.net
        [1]
        $ waxseal account add nonsense --generate
        waxseal: "nonsense" is no address: the address has no domain; write it as local-part@domain
        [1]
        $ waxseal account password bob@example.org --generate
        bob@example.org has the password PASSWORD
        [0]
        $ waxseal account password nobody@example.org --generate
        waxseal: there is no account nobody@example.org; see the list: waxseal account list
        [1]
        $ waxseal alias add office@example.org ann@example.org bob@example.org
        mail for office@example.org goes to ann@example.org, bob@example.org now
        [0]
        $ waxseal alias add office@example.org nobody@example.org
        waxseal: office@example.org is an alias already; remove it first: waxseal alias remove office@example.org
        [1]
        $ waxseal alias add lost@example.org nobody@example.org
        waxseal: nobody@example.org leads to no account; add it first: waxseal account add nobody@example.org
        [1]
        $ waxseal domain list
        domain       accounts  aliases
        example.org  3         1
        [0]
        $ waxseal account list
        account          name  changed
        ann@example.org  Ann   TIME
        bob@example.org        TIME
        cid@example.org        TIME
        [0]
        $ waxseal alias list
        alias               means
        office@example.org  ann@example.org, bob@example.org
        [0]
        $ waxseal domain list --json
        {"answer":"domains","domains":[{"name":"example.org","accounts":3,"aliases":1}]}
        [0]
        $ waxseal alias list --json
        {"answer":"aliases","aliases":[{"address":"office@example.org","targets":["ann@example.org","bob@example.org"]}]}
        [0]
        $ waxseal account remove cid@example.org
        waxseal: this removes cid@example.org with all its mail, for ever; if that is meant, say --yes
        [1]
        $ waxseal account remove cid@example.org --yes
        the account cid@example.org is gone, with its mailboxes and emails
        [0]
        $ waxseal account remove cid@example.org --yes
        waxseal: there is no account cid@example.org; see the list: waxseal account list
        [1]
        $ waxseal account remove bob@example.org --yes
        the account bob@example.org is gone, with its mailboxes and emails; aliases that still name it: office@example.org
        [0]
        $ waxseal alias list
        alias               means
        office@example.org  ann@example.org, bob@example.org
        [0]
        $ waxseal alias remove office@example.org
        the alias office@example.org is gone
        [0]
        $ waxseal alias remove office@example.org
        waxseal: there is no alias office@example.org; see the list: waxseal alias list
        [1]
        $ waxseal domain remove example.org
        waxseal: the domain example.org has accounts; remove its accounts first: waxseal account remove ann@example.org
        [1]
        $ waxseal domain remove example.net
        waxseal: the domain example.net is not one of ours; see the list: waxseal domain list
        [1]
        $ waxseal trace ann@example.org
        waxseal: the journal knows nothing of ann@example.org; name a queue id, a Message-ID or an address of its envelope; old stories go after the time that [journal] keep says
        [1]
        $ waxseal trace ann@example.org --json
        {"answer":"refused","message":"the journal knows nothing of ann@example.org","remedy":"name a queue id, a Message-ID or an address of its envelope; old stories go after the time that [journal] keep says"}
        [1]
        $ waxseal queue list
        Nothing waits in the queue.
        [0]
        $ waxseal queue list example.net
        waxseal: nothing waits for example.net; see what waits: waxseal queue list
        [1]
        $ waxseal queue show 000000000002D
        waxseal: nothing of 000000000002D waits in the queue; what became of it: waxseal trace 000000000002D; what waits: waxseal queue list
        [1]
        $ waxseal queue delete
        error: the following required arguments were not provided:
          <QUEUE_ID|--destination <NAME>|--all>

        Usage: waxseal queue delete --data <DIR> <QUEUE_ID|--destination <NAME>|--all>

        For more information, try '--help'.
        [2]
        $ waxseal queue delete --all
        waxseal: this deletes all mail that waits in the queue, for ever; if that is meant, say --yes
        [1]
        $ waxseal queue delete --all --yes
        waxseal: nothing waits in the queue
        [1]
        $ waxseal queue release --destination example.net --json
        {"answer":"refused","message":"nothing waits for example.net","remedy":"see what waits: waxseal queue list"}
        [1]
        $ waxseal store check
        Contents verified: 0, with 0 octets.
        All is well.
        [0]
        $ waxseal store check --repair --json
        {"answer":"checked","contents":0,"octets":0,"orphans":0,"faults":[],"repaired":true}
        [0]
    "#]].assert_eq(&told);
}

/// Everybody here may send anywhere, and nothing leaves: nobody listens on the port of the smart host.
const NOTHING_LEAVES: &str =
    "relay = { allow = [\"127.0.0.0/8\"] }\n\n[delivery]\nsmart-host = \"127.0.0.1:1\"\n";

/// Waits until the first attempt at each of so many deliveries has failed; the queue id of the first.
#[expect(clippy::disallowed_methods, reason = "the server works in real time here")]
fn wait_for_attempts(place: &Place, destination: &str, count: usize) -> String {
    for _ in 0..200 {
        let output = place.run(&format!("queue list {destination} --json"), "").stdout;
        let listed: serde_json::Value = serde_json::from_slice(&output).unwrap();
        let rows = listed["deliveries"].as_array().cloned().unwrap_or_default();
        let tried = |row: &serde_json::Value| row["attempts"] == 1 && row["state"] == "retry";
        if rows.len() == count && rows.iter().all(tried) {
            return rows[0]["queue_id"].as_str().unwrap().to_owned();
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("nothing was attempted: {}", place.told(&format!("queue list {destination}"), ""));
}

/// When something happened, and how long it takes until something happens, is not the same twice; the shape of the screen is.
fn without_times(text: &str) -> String {
    let mut words: Vec<String> = text.split(' ').map(str::to_owned).collect();
    for at in 2..words.len() {
        let word = words[at].split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_owned();
        if word == "UTC" {
            (words[at - 2], words[at - 1]) = ("DATE".into(), "TIME".into());
        } else if ["s", "min", "h", "d"].contains(&word.as_str()) && words[at - 1].parse::<u64>().is_ok() {
            // Columns stay where they are.
            let missing = if words[at] == word { words[at - 1].len() - 1 } else { 0 };
            words[at - 1] = "N".into();
            words[at].push_str(&" ".repeat(missing));
        }
    }
    words.join(" ")
}

#[test]
fn what_waits_is_seen_held_tried_and_deleted() {
    let place = Place::new();
    let serving = place.serve_with(&format!("{SETTINGS}{NOTHING_LEAVES}"));
    for number in ["first", "second"] {
        let mut smtp = Typist::connect(serving.port);
        assert!(smtp.envelope("ann@example.org", "bob@example.net").starts_with("250"));
        assert!(smtp.ask("RCPT TO:<carol@example.net>").starts_with("250"));
        smtp.begin();
        let date = "Sun, 22 Nov 2026 15:00:00 +0000";
        let content = format!("From: ann@example.org\r\nDate: {date}\r\nSubject: {number}\r\n\r\nx\r\n.");
        assert!(smtp.ask(&content).starts_with("250"));
    }
    let first = wait_for_attempts(&place, "example.net", 2);
    let address = format!("127.0.0.1:{}", serving.port);
    let tell = |lines: &[&str]| -> String {
        let told = lines.iter().map(|line| place.told(&line.replace("FIRST", &first), ""));
        let told = told.collect::<String>().replace(&address, "127.0.0.1:0");
        without_times(&told.replace(&first, "FIRST_QUEUEID"))
    };
    let running = [
        "queue list",
        "queue hold FIRST",
        "queue show FIRST",
        "queue hold --destination example.net",
        "queue release FIRST",
        "status",
    ];
    expect![[r#"
        $ waxseal queue list
        destination  deliveries  held  oldest  next try   state
        example.net  2           0     N s     in N min   retry

        2 deliveries to 1 destination; the oldest has waited N s.
        [0]
        $ waxseal queue hold FIRST_QUEUEID
        FIRST_QUEUEID is on hold; to let it go: waxseal queue release FIRST_QUEUEID
        [0]
        $ waxseal queue show FIRST_QUEUEID
        FIRST_QUEUEID from <ann@example.org>, N s old
        accepted DATE TIME UTC, by virtual server "internet"

          From:       ann@example.org
          Subject:    first
          Date:       Sun, 22 Nov 2026 15:00:00 +0000
          Message-ID: <FIRST_QUEUEID@mx.example.org>

        to example.net: on hold until: waxseal queue release FIRST_QUEUEID
          <bob@example.net>
          <carol@example.net>
          1 attempt; the last: 4.4.1 [127.0.0.1]:1: the connection was refused

        What happened so far: waxseal trace FIRST_QUEUEID
        [0]
        $ waxseal queue hold --destination example.net
        mail for example.net is on hold, with 2 deliveries waiting now; to let it go: waxseal queue release --destination example.net
        [0]
        $ waxseal queue release FIRST_QUEUEID
        FIRST_QUEUEID is on hold no more, but its destination is: waxseal queue release --destination example.net
        [0]
        $ waxseal status
        waxseal 0.1.0: 0 domains, 0 accounts
        2 deliveries to 1 destination, 2 on hold; the oldest has waited N s.

        virtual server  protocol  state    connections  listens on
        internet        smtp      running  0            127.0.0.1:0

        certificate                issuer                      expires
        mx.example.org, localhost  CN=Waxseal local authority  DATE TIME UTC  in N d
        [0]
    "#]].assert_eq(&tell(&running));
    drop(serving);
    let down = [
        "queue list",
        "queue retry --all",
        "queue release --all",
        "queue retry FIRST",
        "queue delete --destination example.net",
        "queue list",
        "status",
    ];
    expect![[r#"
        $ waxseal queue list
        destination  deliveries  held  oldest  next try  state
        example.net  2           2     N s     -         frozen

        2 deliveries to 1 destination, 2 on hold; the oldest has waited N s.
        [0]
        $ waxseal queue retry --all
        waxseal: all of it is on hold; release it first: waxseal queue release --all
        [1]
        $ waxseal queue release --all
        released: 1 destination
        [0]
        $ waxseal queue retry FIRST_QUEUEID
        1 delivery is tried as soon as the server runs
        [0]
        $ waxseal queue delete --destination example.net
        2 deliveries are deleted as soon as the server runs; nobody is told
        [0]
        $ waxseal queue list
        destination  deliveries  held  oldest  next try  state
        example.net  2           0     -       -         deleted

        Nothing waits in the queue; 2 being deleted.
        [0]
        $ waxseal status
        waxseal 0.1.0: 0 domains, 0 accounts
        Nothing waits in the queue; 2 being deleted.
        [0]
    "#]]
    .assert_eq(&tell(&down));
    let _serving = place.serve_with(&format!("{SETTINGS}{NOTHING_LEAVES}"));
    wait_for_nothing(&place);
    let story = tell(&["trace FIRST"]);
    let last =
        "deliver       example.net: <bob@example.net>, <carol@example.net> deleted from the queue\n[0]\n";
    assert!(story.ends_with(last), "{story}");
}

/// Waits until the queue is empty.
#[expect(clippy::disallowed_methods, reason = "the server works in real time here")]
fn wait_for_nothing(place: &Place) {
    for _ in 0..200 {
        if place.told("queue list", "").contains("Nothing waits in the queue.") {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("something still waits: {}", place.told("queue list", ""));
}

#[test]
fn a_command_says_who_did_it() {
    let place = Place::new();
    let note = |output: Output| String::from_utf8(output.stderr).unwrap();
    let told = note(place.run("domain add example.org", ""));
    expect![[r#"
        (The server is not running: this command worked on its data directory itself.)
    "#]]
    .assert_eq(&told);
    let _serving = place.serve();
    assert_eq!(note(place.run("domain list", "")), "");
}

#[test]
fn a_directory_that_is_not_there_is_not_made_by_a_question() {
    let place = Place::new();
    let told = place.told("account list", "");
    assert!(!place.data().exists());
    put(&place.data(), "a file");
    expect![[r#"
        $ waxseal account list
        waxseal: there is no data directory DATA; name it with --data DIR
        [1]
        $ waxseal account list
        waxseal: DATA is not a directory; name the data directory with --data DIR
        [1]
    "#]]
    .assert_eq(&(told + &place.told("account list", "")));
}

#[test]
fn a_second_server_is_told_why_it_cannot_start() {
    let place = Place::new();
    let serving = place.serve();
    let file = place.directory.path().join("waxseal.toml");
    let told = place
        .told(&format!("serve --settings {}", file.display()), "")
        .replace(file.to_str().unwrap(), "FILE");
    expect![[r#"
        $ waxseal serve --settings FILE
        waxseal: cannot open the data: DATA is in use by process PID
        [1]
    "#]]
    .assert_eq(&told.replace(&serving.child.id().to_string(), "PID"));
}

#[test]
#[allow(clippy::disallowed_methods, reason = "another process is waited for, outside every world")]
fn who_finds_the_data_in_use_for_a_moment_waits_for_it() {
    let place = Place::new();
    place.run("domain add example.org", "");
    let world = world::World::simulated(mail::Timestamp(0), 1);
    for serves in [false, true] {
        let moment = server::serve::open_store(&place.data(), &world).unwrap();
        let let_go = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(500));
            drop(moment);
        });
        if serves {
            assert_ne!(place.serve().port, 0);
        } else {
            assert!(place.run("domain list", "").status.success());
        }
        let_go.join().unwrap();
    }
}

#[test]
fn every_mistake_of_the_settings_is_told_and_nothing_starts() {
    let place = Place::new();
    let file = place.directory.path().join("waxseal.toml");
    let text = "host-nam = \"mx.example.org\"\n\n[[virtual-server]]\nname = \"internet\"\nprotocol = \"smpt\"\n\
                bind = [\"127.0.0.1:99999\"]\nmessage-size-limit = \"many\"\n\n[[virtual-server]]\nname = \"internet\"\n\
                protocol = \"imap\"\nbind = [\"127.0.0.1:0\"]\n";
    put(&file, text);
    let told = place.told(&format!("serve --settings {}", file.display()), "");
    expect![[r#"
        $ waxseal serve --settings FILE
        waxseal: the settings cannot be used
        FILE:1: unknown key `host-nam`; did you mean `host-name`?
        FILE:5: virtual-server "internet": protocol = "smpt" is none of smtp, submission, submissions, lmtp, pop3, pop3s, imap, imaps; did you mean `smtp`?
        FILE:6: virtual-server "internet": bind = "127.0.0.1:99999" is no address and port such as "[::]:25" or "192.0.2.10:25"
        FILE:7: virtual-server "internet": message-size-limit = "many" is no size such as "50 MiB"
        4 mistakes; nothing was started
        [1]
    "#]].assert_eq(&told.replace(file.to_str().unwrap(), "FILE"));
    assert!(!place.data().exists());
    put(&file, &format!("{SETTINGS}\n{}", SETTINGS.split_once("\n\n").unwrap().1));
    let told = place.told(&format!("serve --settings {}", file.display()), "");
    expect![[r#"
        $ waxseal serve --settings FILE
        waxseal: the settings cannot be used
        FILE:8: virtual-server "internet": there is another of this name (line 3)
        1 mistake; nothing was started
        [1]
    "#]]
    .assert_eq(&told.replace(file.to_str().unwrap(), "FILE"));
    put(&file, "this is = = no TOML\n");
    let told = place.told(&format!("serve --settings {}", file.display()), "");
    expect![[r#"
        $ waxseal serve --settings FILE
        waxseal: the settings cannot be used
        FILE:1: key with no value, expected `=`
        1 mistake; nothing was started
        [1]
    "#]]
    .assert_eq(&told.replace(file.to_str().unwrap(), "FILE"));
}

#[test]
fn what_is_in_the_data_directory_is_for_its_owner() {
    let place = Place::new();
    let serving = place.serve();
    place.run("domain add example.org", "");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&place.data()), 0o700);
    assert_eq!(mode(&place.data().join("waxseal.sock")), 0o600);
    assert_eq!(mode(&place.data().join("tls/mx.example.org.key")), 0o600);
    drop(serving);
    assert!(!place.data().join("waxseal.sock").exists(), "a server that is down has no socket");
    let trial = Trial::start(&["--keep", place.directory.path().join("kept").to_str().unwrap()]);
    assert_eq!(mode(trial.data()), 0o711, "it was wider when it was made");
    assert!(fs::read_to_string(trial.ca()).unwrap().starts_with("-----BEGIN CERTIFICATE-----"));
    assert_eq!(mode(&trial.data().join("try.json")), 0o600);
}

/// Every message of a sample account, over POP3.
fn maildrop(trial: &Trial, account: usize) -> Vec<String> {
    let account = &trial.ready().accounts[account];
    let mut pop3 = Typist::connect(trial.port("pop3"));
    pop3.ask(&format!("USER {}", account.address));
    assert!(pop3.ask(&format!("PASS {}", account.password)).starts_with("+OK"));
    let stat = pop3.ask("STAT");
    let count: usize = stat.split(' ').nth(1).unwrap().parse().unwrap();
    let messages = (1..=count).map(|number| {
        assert!(pop3.ask(&format!("RETR {number}")).starts_with("+OK"));
        let lines = std::iter::from_fn(|| Some(pop3.line()).filter(|line| line != "."));
        lines.map(|line| line + "\n").collect()
    });
    let messages = messages.collect();
    assert!(pop3.ask("QUIT").starts_with("+OK"));
    messages
}

/// Waits for a message with these words, no longer than the seconds; how long it took.
#[expect(clippy::disallowed_methods, reason = "mail arrives in real time here")]
fn wait_for(trial: &Trial, account: usize, words: &str, seconds_max: u64) -> (Duration, String) {
    let began = std::time::Instant::now();
    loop {
        if let Some(message) = maildrop(trial, account).into_iter().find(|message| message.contains(words)) {
            return (began.elapsed(), message);
        }
        assert!(began.elapsed() < Duration::from_secs(seconds_max), "no message with {words:?} came");
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn sigterm_lets_a_transaction_end_and_tells_those_who_wait() {
    let place = Place::new();
    let mut serving = place.serve();
    place.run("domain add example.org", "");
    place.run("account add ann@example.org --generate", "");
    let mut idle = Typist::connect(serving.port);
    idle.ask("EHLO idle.example");
    let mut busy = Typist::connect(serving.port);
    busy.envelope("bob@example.net", "ann@example.org");
    busy.begin();
    signal_to(&serving.child, Signal::TERM);
    assert_eq!(idle.reply(), "421 4.3.2 The server is stopping, come again");
    let reply = busy.content("late");
    assert!(reply.starts_with("250 2.0.0 "), "{reply}");
    drop((idle, busy));
    assert_eq!(serving.end(), Some(0));
    let story = place.told("trace late@client.example", "");
    assert!(story.contains("INBOX of ann@example.org"), "{story}");
    assert!(place.told("store check", "").contains("All is well."));
}

#[test]
fn a_story_is_told_by_queue_id_message_id_and_address_running_and_down() {
    let place = Place::new();
    let serving = place.serve();
    place.run("domain add example.org", "");
    place.run("account add ann@example.org --generate", "");
    let mut smtp = Typist::connect(serving.port);
    smtp.envelope("bob@example.net", "Ann@Example.org");
    smtp.begin();
    let reply = smtp.content("story");
    let queue_id = reply.split(' ').nth(2).unwrap().to_owned();
    let names = [
        queue_id.as_str(),
        "story@client.example",
        "<story@client.example>",
        "ann@example.org",
        "bob@example.net",
    ];
    let stories = || names.map(|name| place.run(&format!("trace {name}"), "").stdout);
    let running = stories();
    assert!(running.iter().all(|story| story == &running[0]), "{running:?}");
    let client = smtp.address();
    drop(smtp);
    drop(serving);
    assert_eq!(stories(), running);
    let story = String::from_utf8(running[0].clone()).unwrap();
    assert!(story.starts_with(&queue_id), "{story}");
    // The times, which are the first two words of a line, are not the same twice.
    let hops = story
        .lines()
        .skip(1)
        .map(|line| line.split_whitespace().skip(2).collect::<Vec<_>>().join(" ") + "\n");
    expect![[r#"
        accept from CLIENT by virtual server "internet"
        speak EHLO client.example, no TLS
        judge sender <bob@example.net> accepted
        judge recipient <Ann@example.org> accepted
        because recipient: the recipient is ours (mailboxes 1)
        spool 57 octets, Message-ID <story@client.example>
        judge content accepted
        enqueue from <bob@example.net> to <Ann@example.org>
        file in INBOX of ann@example.org for <Ann@example.org>
        end 250 2.0.0 kept
    "#]]
    .assert_eq(&hops.collect::<String>().replace(&client, "CLIENT"));
}

#[test]
fn a_new_password_counts_at_once_and_the_old_one_no_more() {
    let place = Place::new();
    let trial = Trial::start(&["--keep", place.data().to_str().unwrap()]);
    let sign_in = |password: &str| {
        let mut pop3 = Typist::connect(trial.port("pop3"));
        pop3.ask("USER zoe@example.org");
        pop3.ask(&format!("PASS {password}"))
    };
    place.run("account add zoe@example.org --password-stdin", "correct horse\n");
    let first = [sign_in("correct horse"), sign_in("another")];
    let output = place.run("account password zoe@example.org --generate", "");
    let told = String::from_utf8(output.stdout).unwrap();
    let generated = told.trim().rsplit(' ').next().unwrap();
    let second = [sign_in("correct horse"), sign_in(generated)];
    place.run("account remove zoe@example.org --yes", "");
    let third = [sign_in(generated)];
    let replies = [&first[..], &second[..], &third[..]].map(|replies| replies.join("\n") + "\n").concat();
    expect![[r#"
        +OK maildrop has 0 messages (0 octets)
        -ERR [AUTH] wrong name or password
        -ERR [AUTH] wrong name or password
        +OK maildrop has 0 messages (0 octets)
        -ERR [AUTH] wrong name or password
    "#]]
    .assert_eq(&replies);
}

#[test]
fn readers_are_told_that_the_server_stops() {
    let mut trial = Trial::start(&[]);
    let [mut imap, mut idle] = [(), ()].map(|()| Typist::connect(trial.port("imap")));
    let account = &trial.ready().accounts[0];
    assert!(idle.ask(&format!("a LOGIN {} {}", account.address, account.password)).starts_with("a OK "));
    idle.say("b SELECT INBOX");
    while !idle.line().starts_with("b OK") {}
    assert!(idle.ask("c IDLE").starts_with("+ "));
    let mut pop3 = Typist::connect(trial.port("pop3"));
    assert_eq!(trial.end(Signal::TERM), Some(0));
    let told = [imap.line(), idle.line(), pop3.line()].map(|line| line + "\n").concat();
    expect![[r#"
        * BYE Server is shutting down
        * BYE Server is shutting down

    "#]]
    .assert_eq(&told);
}

#[test]
fn some_recipients_of_a_trial_fail_on_purpose() {
    let trial = Trial::start(&[]);
    let rcpt = |to: &str| Typist::connect(trial.port("smtp")).envelope("bob@example.org", to);
    let told =
        ["refused@example.org", "Deferred@example.org", "deferred@example.org", "deferred@example.org"]
            .map(|to| format!("{to} {}\n", rcpt(to)))
            .concat();
    expect![[r#"
        refused@example.org 550 5.1.1 no such recipient here
        Deferred@example.org 451 4.7.1 not yet; try again later
        deferred@example.org 451 4.7.1 not yet; try again later
        deferred@example.org 250 2.1.5 recipient noted
    "#]]
    .assert_eq(&told);
    let send = |to: &str, subject: &str| {
        let mut smtp = Typist::connect(trial.port("smtp"));
        assert_eq!(smtp.envelope("bob@example.org", to), "250 2.1.5 recipient noted");
        smtp.begin();
        assert!(smtp.content(subject).starts_with("250 2.0.0 "));
    };
    send("bounces@example.org", "bounced");
    let (_, report) = wait_for(&trial, 1, "bounced@client.example", 20);
    assert!(report.starts_with("Return-Path: <>\n"), "{report}");
    assert!(report.contains("Final-Recipient: rfc822; bounces@example.org"), "{report}");
    send("slow@example.org", "slow");
    let (after, message) = wait_for(&trial, 0, "Subject: slow", 60);
    assert!(after > Duration::from_secs(25), "it came after {after:?}");
    assert!(message.contains("Delivered-To: "), "{message}");
}

#[test]
fn a_trial_that_is_kept_has_the_same_mail_and_accounts() {
    let directory = tempfile::tempdir().unwrap();
    let keep = ["--keep", directory.path().to_str().unwrap()];
    let mut first = Trial::start(&keep);
    let mut smtp = Typist::connect(first.port("smtp"));
    smtp.envelope("ann@example.org", &first.ready().accounts[1].address);
    smtp.begin();
    smtp.content("kept");
    let (accounts, mail) = (first.ready().accounts.clone(), maildrop(&first, 1));
    assert_eq!(first.end(Signal::TERM), Some(0));
    let second = Trial::start(&keep);
    assert_eq!((second.ready().accounts.clone(), maildrop(&second, 1)), (accounts, mail));
}

#[test]
fn a_trial_leaves_nothing_behind() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let temporary = tempfile::tempdir().unwrap();
        let mut trial = Trial::start_in(temporary.path(), &[]);
        assert!(trial.data().starts_with(temporary.path()));
        assert_eq!(trial.end(signal), Some(0));
        assert_eq!(fs::read_dir(temporary.path()).unwrap().count(), 0);
    }
}

/// `try` as a person sees it: the screen, and the server that is behind it.
struct Shown {
    child: Child,
    screen: String,
}

impl Shown {
    fn start() -> Self {
        let mut command = Command::new(PROGRAM);
        command.arg("try").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut screen = String::new();
        while !screen.contains("Ctrl-C") {
            screen.push_str(&lines.next().expect("the screen ends with Ctrl-C").unwrap());
            screen.push('\n');
        }
        Self { child, screen }
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        signal_to(&self.child, Signal::INT);
        let _ = self.child.wait();
    }
}

/// What stands under a heading, up to the next line that is not indented.
fn under(screen: &str, heading: &str) -> String {
    let lines = screen.lines().skip_while(|line| *line != heading).skip(1);
    lines.take_while(|line| line.starts_with("  ")).map(|line| format!("{line}\n")).collect()
}

#[test]
fn the_commands_of_the_screen_work_pasted() {
    let shown = Shown::start();
    let screen = &shown.screen;
    let widest = screen.lines().filter(|line| !line.contains("/")).map(str::len).max();
    assert!(widest <= Some(80), "lines without a path fit 80 columns: {screen}");
    assert!((24..=40).contains(&screen.lines().count()), "{screen}");
    let paste = |heading: &str| {
        let command = under(screen, heading);
        let output = Command::new("bash").args(["-c", &command]).output().unwrap();
        let told = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(output.status.success(), "{command}\n{told}");
        told
    };
    assert_eq!(paste("Send a message:"), "");
    let read = paste("Read it:");
    assert!(
        read.ends_with("From: ann@example.org\r\nTo: bob@example.org\r\nSubject: Hello\r\n\r\nIt works.\r\n"),
        "{read}"
    );
    let story = paste("See what happened to it:");
    assert!(story.contains("INBOX of bob@example.org"), "{story}");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let place = Place::new();
    place.run("domain add example.org", "");
    let closed = format!("{PROGRAM} domain list --data {} 2>&1 >&-", place.data().display());
    let full = format!("set -o pipefail; {PROGRAM} domain list --data {} | true", place.data().display());
    for line in [closed, full] {
        let output = Command::new("bash").args(["-c", &line]).output().unwrap();
        let told = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(output.status.success() && !told.contains("panicked"), "{line}\n{told}");
    }
}
