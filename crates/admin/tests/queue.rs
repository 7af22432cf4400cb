//! The queue as administrators see and change it. No runner works it here: what is told to one is looked at in the rows.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod here;

use admin::Response;
use bytes::Bytes;
use expect_test::expect;
use mail::{QueueId, Timestamp};
use store::change::QueueEntry;
use store::{Change, Commit, ContentRef, DOOMED, NewContent};
use world::Workers;

use here::{Here, NOON, here};

const MINUTE: i64 = 60_000;

const CONTENT: &[u8] =
    b"From: Ann <ann@example.org>\r\nSubject: =?utf-8?Q?Gr=C3=BC=C3=9Fe=07?=\r\n\r\nSubject: of the body\r\n";

fn minutes(count: i64) -> Timestamp {
    Timestamp(NOON.0 + count * MINUTE)
}

fn entry(id: u64, destination: &str, due: Timestamp) -> QueueEntry {
    QueueEntry {
        queue_id: QueueId(id),
        destination: destination.into(),
        virtual_server: "submission".into(),
        reverse_path: "ann@example.org".into(),
        parameters: mail::MessageParameters::default(),
        recipients: vec![format!("bob@{destination}").into()],
        content: ContentRef::New(0),
        prefix: Bytes::from_static(b"Received: here\r\n"),
        accepted: minutes(-90),
        due,
        attempts: 0,
        notified: false,
        held: false,
        last: String::new(),
    }
}

impl Here {
    async fn enqueue(&self, entries: Vec<QueueEntry>) {
        let content = vec![NewContent::Inline { label: Bytes::new(), bytes: Bytes::from_static(CONTENT) }];
        let changes = entries.into_iter().map(Change::Enqueue).collect();
        self.store.commit(Commit { content, changes }).await.unwrap();
    }

    /// Two messages for example.net, one of them for example.com, too.
    async fn with_mail() -> Self {
        let here = here(Workers::Inline);
        let last = "mx1.example.net said: 451 4.7.1 later\u{7}".to_owned();
        here.enqueue(vec![
            QueueEntry { attempts: 2, last, ..entry(77, "example.net", minutes(12)) },
            entry(77, "example.com", minutes(0)),
        ])
        .await;
        here.enqueue(vec![entry(78, "example.net", minutes(30))]).await;
        here
    }

    /// How each delivery stands in the store: its due in minutes from noon.
    async fn rows(&self) -> String {
        let rows = self.store.queue_page(None, None, 2000).await.unwrap();
        let due = |due: Timestamp| match due {
            DOOMED => "doomed".to_owned(),
            due => ((due.0 - NOON.0) / MINUTE).to_string(),
        };
        let row = |row: QueueEntry| {
            let held = if row.held { " held" } else { "" };
            format!("{} {} {}{held}\n", row.destination, row.queue_id, due(row.due))
        };
        rows.into_iter().map(row).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn what_waits_is_listed() {
    let here = Here::with_mail().await;
    here.check(
        &[
            r#"{"do":"queue-list"}"#,
            r#"{"do":"queue-list","limit":1}"#,
            r#"{"do":"queue-list","limit":1,"after":"example.com"}"#,
            r#"{"do":"queue-list","destination":"Example.NET"}"#,
            r#"{"do":"queue-list","destination":"example.net","limit":1}"#,
            r#"{"do":"queue-list","destination":"example.net","after":"000000000002d"}"#,
            r#"{"do":"queue-list","destination":"example.net","after":"x"}"#,
            r#"{"do":"queue-list","destination":"nowhere.example\u0007"}"#,
        ],
        expect![[r#"
            {"do":"queue-list"}
                {"answer":"destinations","at":1795348800000,"totals":{"destinations":2,"deliveries":3,"held":0,"deleted":0,"oldest":1795343400000},"destinations":[{"destination":"example.com","state":"ready","held":false,"deliveries":1,"held_deliveries":0,"deleted_deliveries":0,"oldest":1795343400000,"next_try":1795348800000},{"destination":"example.net","state":"retry","held":false,"deliveries":2,"held_deliveries":0,"deleted_deliveries":0,"oldest":1795343400000,"next_try":1795349520000}],"next":null}
            {"do":"queue-list","limit":1}
                {"answer":"destinations","at":1795348800000,"totals":{"destinations":2,"deliveries":3,"held":0,"deleted":0,"oldest":1795343400000},"destinations":[{"destination":"example.com","state":"ready","held":false,"deliveries":1,"held_deliveries":0,"deleted_deliveries":0,"oldest":1795343400000,"next_try":1795348800000}],"next":"example.com"}
            {"do":"queue-list","limit":1,"after":"example.com"}
                {"answer":"destinations","at":1795348800000,"totals":{"destinations":2,"deliveries":3,"held":0,"deleted":0,"oldest":1795343400000},"destinations":[{"destination":"example.net","state":"retry","held":false,"deliveries":2,"held_deliveries":0,"deleted_deliveries":0,"oldest":1795343400000,"next_try":1795349520000}],"next":null}
            {"do":"queue-list","destination":"Example.NET"}
                {"answer":"deliveries","at":1795348800000,"destination":{"destination":"example.net","state":"retry","held":false,"deliveries":2,"held_deliveries":0,"deleted_deliveries":0,"oldest":1795343400000,"next_try":1795349520000},"deliveries":[{"queue_id":"000000000002D","destination":"example.net","state":"retry","held":false,"destination_held":false,"reverse_path":"ann@example.org","recipients":["bob@example.net"],"accepted":1795343400000,"attempts":2,"next_try":1795349520000,"last":"mx1.example.net said: 451 4.7.1 later\u0007"},{"queue_id":"000000000002E","destination":"example.net","state":"scheduled","held":false,"destination_held":false,"reverse_path":"ann@example.org","recipients":["bob@example.net"],"accepted":1795343400000,"attempts":0,"next_try":1795350600000,"last":""}],"next":null}
            {"do":"queue-list","destination":"example.net","limit":1}
                {"answer":"deliveries","at":1795348800000,"destination":{"destination":"example.net","state":"retry","held":false,"deliveries":2,"held_deliveries":0,"deleted_deliveries":0,"oldest":1795343400000,"next_try":1795349520000},"deliveries":[{"queue_id":"000000000002D","destination":"example.net","state":"retry","held":false,"destination_held":false,"reverse_path":"ann@example.org","recipients":["bob@example.net"],"accepted":1795343400000,"attempts":2,"next_try":1795349520000,"last":"mx1.example.net said: 451 4.7.1 later\u0007"}],"next":"000000000002D"}
            {"do":"queue-list","destination":"example.net","after":"000000000002d"}
                {"answer":"deliveries","at":1795348800000,"destination":{"destination":"example.net","state":"retry","held":false,"deliveries":2,"held_deliveries":0,"deleted_deliveries":0,"oldest":1795343400000,"next_try":1795349520000},"deliveries":[{"queue_id":"000000000002E","destination":"example.net","state":"scheduled","held":false,"destination_held":false,"reverse_path":"ann@example.org","recipients":["bob@example.net"],"accepted":1795343400000,"attempts":0,"next_try":1795350600000,"last":""}],"next":null}
            {"do":"queue-list","destination":"example.net","after":"x"}
                {"answer":"refused","message":"\"x\" is no queue id","remedy":"it is 13 letters and digits, such as 000000000002D: waxseal queue list DESTINATION"}
            {"do":"queue-list","destination":"nowhere.example\u0007"}
                {"answer":"refused","message":"nothing waits for nowhere.example\\x07","remedy":"see what waits: waxseal queue list"}
        "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_message_is_shown_with_what_its_header_says() {
    let here = Here::with_mail().await;
    here.check(
        &[
            r#"{"do":"queue-show","queue_id":"000000000002d"}"#,
            r#"{"do":"queue-show","queue_id":"000000000002F"}"#,
            r#"{"do":"queue-show","queue_id":"one@example.org"}"#,
        ],
        expect![[r#"
            {"do":"queue-show","queue_id":"000000000002d"}
                {"answer":"queued-message","at":1795348800000,"message":{"queue_id":"000000000002D","virtual_server":"submission","reverse_path":"ann@example.org","accepted":1795343400000,"fields":[{"name":"From","value":"Ann <ann@example.org>"},{"name":"Subject","value":"Grüße\\x07"}],"deliveries":[{"queue_id":"000000000002D","destination":"example.com","state":"ready","held":false,"destination_held":false,"reverse_path":"ann@example.org","recipients":["bob@example.com"],"accepted":1795343400000,"attempts":0,"next_try":1795348800000,"last":""},{"queue_id":"000000000002D","destination":"example.net","state":"retry","held":false,"destination_held":false,"reverse_path":"ann@example.org","recipients":["bob@example.net"],"accepted":1795343400000,"attempts":2,"next_try":1795349520000,"last":"mx1.example.net said: 451 4.7.1 later\u0007"}]}}
            {"do":"queue-show","queue_id":"000000000002F"}
                {"answer":"refused","message":"nothing of 000000000002F waits in the queue","remedy":"what became of it: waxseal trace 000000000002F; what waits: waxseal queue list"}
            {"do":"queue-show","queue_id":"one@example.org"}
                {"answer":"refused","message":"\"one@example.org\" is no queue id","remedy":"it is 13 letters and digits, such as 000000000002D: waxseal queue list DESTINATION"}
        "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn one_message_is_held_tried_released_and_deleted() {
    let here = Here::with_mail().await;
    let id = r#"{"queue_id":"000000000002D"}"#;
    let requests = ["hold", "hold", "retry", "release", "release", "retry", "delete", "delete", "hold"];
    let mut all = String::new();
    for request in requests {
        let answer = here.ask(&format!(r#"{{"do":"queue-{request}","what":{id}}}"#)).await;
        all.push_str(&format!("{request}: {answer}\n{}", here.rows().await));
    }
    expect![[r#"
        hold: {"answer":"done","said":"000000000002D is on hold; to let it go: waxseal queue release 000000000002D"}
        example.com 000000000002D 0 held
        example.net 000000000002D 12 held
        example.net 000000000002E 30
        hold: {"answer":"done","said":"000000000002D is on hold already; to let it go: waxseal queue release 000000000002D"}
        example.com 000000000002D 0 held
        example.net 000000000002D 12 held
        example.net 000000000002E 30
        retry: {"answer":"refused","message":"all of it is on hold","remedy":"see how to release it: waxseal queue show 000000000002D"}
        example.com 000000000002D 0 held
        example.net 000000000002D 12 held
        example.net 000000000002E 30
        release: {"answer":"done","said":"000000000002D is on hold no more"}
        example.com 000000000002D 0
        example.net 000000000002D 12
        example.net 000000000002E 30
        release: {"answer":"refused","message":"000000000002D is not on hold","remedy":""}
        example.com 000000000002D 0
        example.net 000000000002D 12
        example.net 000000000002E 30
        retry: {"answer":"done","said":"2 deliveries are tried as soon as the server runs"}
        example.com 000000000002D 0
        example.net 000000000002D 0
        example.net 000000000002E 30
        delete: {"answer":"done","said":"2 deliveries are deleted as soon as the server runs; nobody is told"}
        example.com 000000000002D doomed
        example.net 000000000002D doomed
        example.net 000000000002E 30
        delete: {"answer":"done","said":"2 deliveries are deleted already, and to be taken away as soon as the server runs"}
        example.com 000000000002D doomed
        example.net 000000000002D doomed
        example.net 000000000002E 30
        hold: {"answer":"refused","message":"000000000002D is deleted already, and about to go","remedy":""}
        example.com 000000000002D doomed
        example.net 000000000002D doomed
        example.net 000000000002E 30
    "#]].assert_eq(&all);
    let told = here.execute(r#"{"do":"trace","what":"000000000002D"}"#).await;
    let Response::Story { told, .. } = told else { panic!() };
    expect![[r#"
        000000000002D
          2026-11-22 12:00:00.000  hold          example.com: an administrator put it on hold
          2026-11-22 12:00:00.000  hold          example.net: an administrator put it on hold
          2026-11-22 12:00:00.000  release       example.com: an administrator released it
          2026-11-22 12:00:00.000  release       example.net: an administrator released it
    "#]]
    .assert_eq(&told);
    here.check(
        &[
            r#"{"do":"queue-retry","what":{"queue_id":"000000000002F"}}"#,
            r#"{"do":"queue-hold","what":{"queue_id":"000000000002F"}}"#,
            r#"{"do":"queue-release","what":{"queue_id":"000000000002F"}}"#,
            r#"{"do":"queue-delete","what":{"queue_id":"nonsense"}}"#,
        ],
        expect![[r#"
            {"do":"queue-retry","what":{"queue_id":"000000000002F"}}
                {"answer":"refused","message":"nothing of 000000000002F waits in the queue","remedy":"what became of it: waxseal trace 000000000002F; what waits: waxseal queue list"}
            {"do":"queue-hold","what":{"queue_id":"000000000002F"}}
                {"answer":"refused","message":"nothing of 000000000002F waits in the queue","remedy":"what became of it: waxseal trace 000000000002F; what waits: waxseal queue list"}
            {"do":"queue-release","what":{"queue_id":"000000000002F"}}
                {"answer":"refused","message":"nothing of 000000000002F waits in the queue","remedy":"what became of it: waxseal trace 000000000002F; what waits: waxseal queue list"}
            {"do":"queue-delete","what":{"queue_id":"nonsense"}}
                {"answer":"refused","message":"\"nonsense\" is no queue id","remedy":"it is 13 letters and digits, such as 000000000002D: waxseal queue list DESTINATION"}
        "#]],
    )
    .await;
}

/// Nobody can call an attempt back, and the administrator who sees the mail go after all must not wonder.
#[tokio::test(start_paused = true)]
async fn a_hold_tells_of_an_attempt_that_may_be_under_way() {
    let here = Here::with_mail().await.with_runner();
    let lease = |destination: &str| Change::Lease {
        destination: destination.into(),
        node: "main".into(),
        until: minutes(5),
        now: NOON,
    };
    let changes = vec![lease("example.com"), lease("example.net")];
    here.store.commit(Commit { content: Vec::new(), changes }).await.unwrap();
    here.check(
        &[
            r#"{"do":"queue-hold","what":{"queue_id":"000000000002E"}}"#,
            r#"{"do":"queue-hold","what":{"queue_id":"000000000002D"}}"#,
            r#"{"do":"queue-hold","what":{"queue_id":"000000000002D"}}"#,
            r#"{"do":"queue-release","what":"all"}"#,
            r#"{"do":"queue-hold","what":{"destination":"example.net"}}"#,
            r#"{"do":"queue-hold","what":{"destination":"example.com"}}"#,
        ],
        expect![[r#"
            {"do":"queue-hold","what":{"queue_id":"000000000002E"}}
                {"answer":"done","said":"000000000002E is on hold; to let it go: waxseal queue release 000000000002E"}
            {"do":"queue-hold","what":{"queue_id":"000000000002D"}}
                {"answer":"done","said":"000000000002D is on hold, but an attempt that is under way goes on; to let it go: waxseal queue release 000000000002D"}
            {"do":"queue-hold","what":{"queue_id":"000000000002D"}}
                {"answer":"done","said":"000000000002D is on hold already; to let it go: waxseal queue release 000000000002D"}
            {"do":"queue-release","what":"all"}
                {"answer":"done","said":"released: 3 deliveries"}
            {"do":"queue-hold","what":{"destination":"example.net"}}
                {"answer":"done","said":"mail for example.net is on hold, with 2 deliveries waiting now; to let it go: waxseal queue release --destination example.net"}
            {"do":"queue-hold","what":{"destination":"example.com"}}
                {"answer":"done","said":"mail for example.com is on hold, with 1 delivery waiting now, but an attempt that is under way goes on; to let it go: waxseal queue release --destination example.com"}
        "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_is_deleted_waits_no_more() {
    let here = Here::with_mail().await;
    here.check(
        &[
            r#"{"do":"queue-delete","what":{"queue_id":"000000000002D"}}"#,
            r#"{"do":"queue-list"}"#,
            r#"{"do":"queue-delete","what":"all"}"#,
            r#"{"do":"queue-delete","what":{"destination":"example.net"}}"#,
            r#"{"do":"queue-hold","what":"all"}"#,
            r#"{"do":"queue-hold","what":{"destination":"example.com"}}"#,
            r#"{"do":"queue-list"}"#,
        ],
        expect![[r#"
            {"do":"queue-delete","what":{"queue_id":"000000000002D"}}
                {"answer":"done","said":"2 deliveries are deleted as soon as the server runs; nobody is told"}
            {"do":"queue-list"}
                {"answer":"destinations","at":1795348800000,"totals":{"destinations":1,"deliveries":1,"held":0,"deleted":2,"oldest":1795343400000},"destinations":[{"destination":"example.com","state":"deleted","held":false,"deliveries":0,"held_deliveries":0,"deleted_deliveries":1,"oldest":null,"next_try":null},{"destination":"example.net","state":"retry","held":false,"deliveries":1,"held_deliveries":0,"deleted_deliveries":1,"oldest":1795343400000,"next_try":1795350600000}],"next":null}
            {"do":"queue-delete","what":"all"}
                {"answer":"done","said":"1 delivery is deleted as soon as the server runs; nobody is told"}
            {"do":"queue-delete","what":{"destination":"example.net"}}
                {"answer":"done","said":"2 deliveries are deleted already, and to be taken away as soon as the server runs"}
            {"do":"queue-hold","what":"all"}
                {"answer":"refused","message":"nothing waits in the queue","remedy":""}
            {"do":"queue-hold","what":{"destination":"example.com"}}
                {"answer":"done","said":"mail for example.com is on hold, with nothing waiting now; to let it go: waxseal queue release --destination example.com"}
            {"do":"queue-list"}
                {"answer":"destinations","at":1795348800000,"totals":{"destinations":0,"deliveries":0,"held":0,"deleted":3,"oldest":null},"destinations":[{"destination":"example.com","state":"deleted","held":true,"deliveries":0,"held_deliveries":0,"deleted_deliveries":1,"oldest":null,"next_try":null},{"destination":"example.net","state":"deleted","held":false,"deliveries":0,"held_deliveries":0,"deleted_deliveries":2,"oldest":null,"next_try":null}],"next":null}
        "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_destination_is_held_tried_released_and_deleted() {
    let here = Here::with_mail().await;
    let requests = [
        r#""do":"queue-hold","what":{"destination":"Example.net"}"#,
        r#""do":"queue-hold","what":{"destination":"example.net"}"#,
        r#""do":"queue-hold","what":{"queue_id":"000000000002E"}"#,
        r#""do":"queue-retry","what":{"destination":"example.net"}"#,
        r#""do":"queue-retry","what":{"queue_id":"000000000002D"}"#,
        r#""do":"queue-release","what":{"queue_id":"000000000002D"}"#,
        r#""do":"queue-release","what":{"destination":"example.net"}"#,
        r#""do":"queue-release","what":{"destination":"example.net"}"#,
        r#""do":"queue-release","what":{"destination":"example.com"}"#,
        r#""do":"queue-delete","what":{"destination":"example.net"}"#,
        r#""do":"queue-retry","what":{"destination":"example.net"}"#,
        r#""do":"queue-hold","what":{"destination":"later.example"}"#,
        r#""do":"queue-list","destination":"later.example""#,
        r#""do":"queue-release","what":{"destination":"later.example"}"#,
        r#""do":"queue-hold","what":{"destination":"no such thing"}"#,
        r#""do":"queue-delete","what":{"destination":"later.example"}"#,
    ];
    let mut all = String::new();
    for request in requests {
        all.push_str(&format!("{request}\n    {}\n", here.ask(&format!("{{{request}}}")).await));
    }
    expect![[r#"
        "do":"queue-hold","what":{"destination":"Example.net"}
            {"answer":"done","said":"mail for example.net is on hold, with 2 deliveries waiting now; to let it go: waxseal queue release --destination example.net"}
        "do":"queue-hold","what":{"destination":"example.net"}
            {"answer":"done","said":"mail for example.net is on hold already"}
        "do":"queue-hold","what":{"queue_id":"000000000002E"}
            {"answer":"done","said":"000000000002E is on hold; to let it go: waxseal queue release 000000000002E"}
        "do":"queue-retry","what":{"destination":"example.net"}
            {"answer":"refused","message":"all of it is on hold","remedy":"see how to release it: waxseal queue list example.net"}
        "do":"queue-retry","what":{"queue_id":"000000000002D"}
            {"answer":"done","said":"1 delivery is tried as soon as the server runs; 1 delivery is left on hold"}
        "do":"queue-release","what":{"queue_id":"000000000002D"}
            {"answer":"refused","message":"000000000002D is not on hold by itself","remedy":"its destination is: waxseal queue release --destination example.net"}
        "do":"queue-release","what":{"destination":"example.net"}
            {"answer":"done","said":"mail for example.net is on hold no more, but 1 delivery is on hold by itself: waxseal queue list example.net"}
        "do":"queue-release","what":{"destination":"example.net"}
            {"answer":"refused","message":"mail for example.net is not on hold as a whole","remedy":"1 delivery is on hold by itself: waxseal queue list example.net"}
        "do":"queue-release","what":{"destination":"example.com"}
            {"answer":"refused","message":"mail for example.com is not on hold as a whole","remedy":""}
        "do":"queue-delete","what":{"destination":"example.net"}
            {"answer":"done","said":"2 deliveries are deleted as soon as the server runs; nobody is told"}
        "do":"queue-retry","what":{"destination":"example.net"}
            {"answer":"refused","message":"all of it is deleted already, and about to go","remedy":""}
        "do":"queue-hold","what":{"destination":"later.example"}
            {"answer":"done","said":"mail for later.example is on hold, with nothing waiting now; to let it go: waxseal queue release --destination later.example"}
        "do":"queue-list","destination":"later.example"
            {"answer":"deliveries","at":1795348800000,"destination":{"destination":"later.example","state":"frozen","held":true,"deliveries":0,"held_deliveries":0,"deleted_deliveries":0,"oldest":null,"next_try":null},"deliveries":[],"next":null}
        "do":"queue-release","what":{"destination":"later.example"}
            {"answer":"done","said":"mail for later.example is on hold no more"}
        "do":"queue-hold","what":{"destination":"no such thing"}
            {"answer":"refused","message":"nothing waits for no such thing","remedy":"see what waits: waxseal queue list"}
        "do":"queue-delete","what":{"destination":"later.example"}
            {"answer":"refused","message":"nothing waits for later.example","remedy":"see what waits: waxseal queue list"}
    "#]].assert_eq(&all);
    expect![[r#"
        example.com 000000000002D 0
        example.net 000000000002D doomed
        example.net 000000000002E doomed held
    "#]]
    .assert_eq(&here.rows().await);
}

#[tokio::test(start_paused = true)]
async fn everything_is_held_tried_released_and_deleted() {
    let here = Here::with_mail().await;
    here.ask(r#"{"do":"queue-hold","what":{"queue_id":"000000000002E"}}"#).await;
    let requests = ["retry", "hold", "hold", "release", "release", "delete", "delete"];
    let mut all = String::new();
    for request in requests {
        let answer = here.ask(&format!(r#"{{"do":"queue-{request}","what":"all"}}"#)).await;
        all.push_str(&format!("{request}: {answer}\n"));
    }
    expect![[r#"
        retry: {"answer":"done","said":"2 deliveries are tried as soon as the server runs; 1 delivery is left on hold"}
        hold: {"answer":"done","said":"mail for 2 destinations is on hold, with 3 deliveries waiting now; what comes for others still goes out; to let it go: waxseal queue release --all"}
        hold: {"answer":"done","said":"mail for 2 destinations is on hold, with 3 deliveries waiting now; what comes for others still goes out; to let it go: waxseal queue release --all"}
        release: {"answer":"done","said":"released: 2 destinations, 1 delivery"}
        release: {"answer":"refused","message":"nothing is on hold","remedy":""}
        delete: {"answer":"done","said":"3 deliveries are deleted as soon as the server runs; nobody is told"}
        delete: {"answer":"done","said":"3 deliveries are deleted already, and to be taken away as soon as the server runs"}
    "#]].assert_eq(&all);
    expect![[r#"
        example.com 000000000002D doomed
        example.net 000000000002D doomed
        example.net 000000000002E doomed
    "#]]
    .assert_eq(&here.rows().await);
}

#[tokio::test(start_paused = true)]
async fn nothing_can_be_done_to_an_empty_queue() {
    let here = here(Workers::Inline);
    for request in ["retry", "hold", "release", "delete"] {
        for what in [r#""all""#, r#"{"destination":"no where"}"#, r#"{"queue_id":"000000000002D"}"#] {
            let answer = here.execute(&format!(r#"{{"do":"queue-{request}","what":{what}}}"#)).await;
            assert!(answer.refusal().is_some(), "{request} {what}: {answer:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn more_than_one_commit_takes_is_changed() {
    let here = here(Workers::Inline);
    let count = 2 * admin::limits::QUEUE_CHANGES_MAX as u64 + 1;
    here.enqueue((0..count).map(|id| entry(id, "example.net", minutes(5))).collect()).await;
    let answer = here.execute(r#"{"do":"queue-delete","what":"all"}"#).await;
    let said = "1001 deliveries are deleted as soon as the server runs; nobody is told".to_owned();
    assert_eq!(answer, Response::Done { said });
    assert_eq!(here.rows().await.matches(" doomed\n").count() as u64, count);
}

/// Who removes an account is told of what nothing would release by its name any more.
#[tokio::test(start_paused = true)]
async fn what_is_on_hold_for_an_account_outlives_it() {
    for (id, waits) in [(77, true), (78, false)] {
        let here = Here::with_bob().await;
        let account = here.store.account_by_address("bob@example.org").await.unwrap().unwrap().id;
        here.enqueue(vec![QueueEntry { held: true, ..entry(77, "example.net", NOON) }]).await;
        let note = Change::NoteHeld { account, queue_id: QueueId(id) };
        here.store.commit(Commit { content: vec![], changes: vec![note] }).await.unwrap();
        let remove = admin::Request::AccountRemove { address: "bob@example.org".into() };
        let admin::Response::Done { said } = here.admin.execute(remove).await else { panic!("it is there") };
        let find = "waxseal queue find --sender bob@example.org --state frozen";
        assert_eq!(said.contains(find), waits, "{said}");
    }
}
