//! VERB: the hops of a message are told in lines 050 between the content and its 250, and the 250 comes within a minute.
//!
//! All of it happens in a simulated world.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod outgoing;
mod stage;

use std::time::Duration;

use outgoing::example_net;
use stage::memory::MemoryStage;
use stage::network::Network;
use stage::place::Place;
use testkit::peer::{Do, Script, Stage as At};
use testkit::{Cut, Protocol, Stage as _, Transcript, play};

/// Bob signs in where he is trusted, and asks to be told.
const TRUSTED: &str = "# A verbose client\ngiven account bob@example.org secret\n\
    given option authentication-without-tls on\ngiven option trusted on\ngiven client 1 submission\n";
const BEGINS: &str = "S: 220 *\nC: EHLO client.example\n...\nS: 250 *\n\
    C: AUTH PLAIN AGJvYkBleGFtcGxlLm9yZwBzZWNyZXQ=\nS: 235 *\nC: VERB\nS: 250 2.0.0 *\n";
const MESSAGE: &str = "C: MAIL FROM:<bob@example.org>\nS: 250 *\nC: RCPT TO:<carol@example.net>\nS: 250 *\nC: DATA\n\
    S: 354 *\nC: From: Bob <bob@example.org>\nC: Date: Sun, 22 Nov 2026 10:00:00 +0000\n\
    C: Message-ID: <plan@client.example>\nC:\nC: marked-body\nC: .\n";

struct World(MemoryStage);

impl World {
    fn new(network: &Network) -> Self {
        let transcript = Transcript::parse(&[TRUSTED, BEGINS].concat()).unwrap();
        Self(MemoryStage::within(Place::new(&transcript.fixture).unwrap(), network).unwrap())
    }

    /// What the client heard.
    fn play(&mut self, parts: &[&str]) -> String {
        let text = [&[TRUSTED], parts].concat().concat();
        let transcript = Transcript::parse(&text).unwrap();
        let mut played = play(&transcript, Protocol::Smtp, &mut self.0, Cut::Whole)
            .unwrap_or_else(|failure| panic!("{failure}"));
        String::from_utf8(played.output.remove(&1).unwrap()).unwrap()
    }

    fn story(&mut self) -> String {
        self.0.wait(Duration::from_secs(600)).unwrap();
        self.0.trace("carol@example.net").unwrap()
    }
}

/// The hops that were told, as the journal has them.
fn told(heard: &str) -> Vec<String> {
    heard.lines().filter_map(|line| line.strip_prefix("050 ")).map(str::to_owned).collect()
}

#[test]
fn each_hop_of_a_message_that_is_relayed_is_told() {
    let mut network = example_net();
    let host = network.host("192.0.2.1:25", Script::smtp());
    let mut world = World::new(&network);
    let heard =
        world.play(&[BEGINS, MESSAGE, "wait 2s\n...\nS: 250 2.0.0 *\nC: QUIT\nS: 221 *\nS: <closed>\n"]);
    let hops = told(&heard);
    for part in [
        "enqueue       from <bob@example.org> to <carol@example.net>",
        "route         example.net: mx1.example.net [192.0.2.1]:25",
        "because example.net names 2 mail exchangers",
        "attempt       number 1 for example.net at mx1.example.net [192.0.2.1]:25",
        "> EHLO mx.example",
        "> RCPT TO:<carol@example.net>",
        "< 250 2.0.0 taken",
        "deliver       example.net: <carol@example.net> relayed",
    ] {
        assert!(hops.iter().any(|hop| hop.contains(part)), "{part} is not told:\n{}", hops.join("\n"));
    }
    assert!(!heard.contains("marked"), "no content, no password");
    assert_eq!(host.taken().len(), 1);
    let story = world.story();
    let story: Vec<&str> = story.lines().skip(1).map(|line| line.trim_start_matches("  ")).collect();
    assert_eq!(hops, story, "what was told is the story, all of it");
}

#[test]
fn a_next_hop_that_stalls_does_not_hold_the_answer_for_longer_than_a_minute() {
    let mut network = example_net();
    network.host("192.0.2.1:25", Script::smtp().at(At::End, Do::Stall));
    let mut world = World::new(&network);
    let heard = world.play(&[
        BEGINS,
        MESSAGE,
        "S: 050 *\n...\nS: 050 $date $time  end           250 2.0.0 kept\nwait 59s\nS~\nwait 1s\nS: 250 2.0.0 *\n\
         C: NOOP\nS: 250 2.0.0 *\nclose\n",
    ]);
    assert!(told(&heard).iter().any(|hop| hop.contains("queued")), "{heard}");
    assert!(!heard.contains("relayed"));
}

#[test]
fn a_client_that_leaves_loses_nothing() {
    let mut network = example_net();
    let host = network.host("192.0.2.1:25", Script::smtp().at(At::End, Do::Delay(Duration::from_secs(20))));
    let mut world = World::new(&network);
    world.play(&[
        BEGINS,
        MESSAGE,
        "S: 050 *\n...\nS: 050 $date $time  end           250 2.0.0 kept\nwait 5s\nclose\n",
    ]);
    assert!(world.story().contains("relayed"));
    assert_eq!(host.taken().len(), 1);
}

#[test]
fn a_server_that_stops_answers_at_once() {
    let mut network = example_net();
    network.host("192.0.2.1:25", Script::smtp().at(At::End, Do::Stall));
    let mut world = World::new(&network);
    world.play(&[
        BEGINS,
        MESSAGE,
        "S: 050 *\n...\nS: 050 $date $time  end           250 2.0.0 kept\nwait 5s\nstop\nwait 1s\n\
         S: 250 2.0.0 *\nS: 421 4.3.2 *\nS: <closed>\n",
    ]);
}

#[test]
fn who_is_deferred_for_longer_is_not_waited_for() {
    let mut network = example_net();
    network.host("192.0.2.1:25", Script::smtp().at(At::Rcpt, Do::Reply("451 4.7.1 greylisted, come again")));
    let mut world = World::new(&network);
    let heard = world.play(&[
        BEGINS,
        MESSAGE,
        "wait 1s\n...\nS: 250 2.0.0 *\nC: VERB OFF\nS: 250 *\n",
        MESSAGE,
        "S: 250 2.0.0 *\nclose\n",
    ]);
    let hops = told(&heard);
    assert!(hops.last().is_some_and(|hop| hop.contains("deferred, next try")), "{hops:?}");
}

/// The last line of what is known when the message is ours.
const KEPT: &str = "S: 050 *\n...\nS: 050 $date $time  end           250 2.0.0 kept\n";

#[test]
fn hops_are_told_as_they_come_and_the_answer_follows_the_last() {
    let mut network = example_net();
    network.host("192.0.2.1:25", Script::smtp());
    network.host("192.0.2.3:25", Script::smtp().at(At::End, Do::Delay(Duration::from_secs(20))));
    let mut world = World::new(&network);
    let two = "C: RCPT TO:<carol@example.net>\nS: 250 *\nC: RCPT TO:<dan@[192.0.2.3]>\n";
    let message = MESSAGE.replace("C: RCPT TO:<carol@example.net>\n", two);
    world.play(&[
        BEGINS,
        &message,
        KEPT,
        "wait 1s\n...\nS: 050 $date $time  deliver       example.net: <carol@example.net> relayed: *\nS~\n",
        "wait 18s\nS~\n",
        "wait 2s\n...\nS: 050 $date $later  deliver       [192.0.2.3]: <dan@[192.0.2.3]> relayed: *\n",
        "S: 250 2.0.0 *\nC: QUIT\nS: 221 *\nS: <closed>\n",
    ]);
}

#[test]
fn a_deferral_that_comes_late_ends_the_waiting() {
    for secs in [0, 3, 30, 57] {
        let mut network = example_net();
        let slow = Script::smtp()
            .at(At::Ehlo, Do::Delay(Duration::from_secs(secs)))
            .at(At::Rcpt, Do::Reply("451 4.7.1 greylisted, come again"));
        network.host("192.0.2.1:25", slow);
        let mut world = World::new(&network);
        let heard = world.play(&[
            BEGINS,
            MESSAGE,
            KEPT,
            &if secs > 0 { format!("wait {}s\nS~\n", secs - 1) } else { String::new() },
            "wait 2s\n...\nS: 250 2.0.0 *\nclose\n",
        ]);
        let hops = told(&heard);
        assert!(hops.last().is_some_and(|hop| hop.contains("deferred, next try")), "{secs}: {hops:?}");
    }
}
