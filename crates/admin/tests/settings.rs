//! The settings as revisions, over the service layer.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod here;

use std::sync::{Arc, Mutex};

use admin::running::{Applying, SettingsApplied, SettingsChange, SettingsSource};
use admin::{Admin, Caller, ConnectionRow, Request, Response, Running, VirtualServerRow};
use expect_test::expect;
use here::{Here, NOON, here};
use store::Store;
use world::Workers;

/// A server that takes any settings, and notes them as the real one does.
#[derive(Debug)]
struct Taking {
    store: Store,
    source: SettingsSource,
    taken: Mutex<Vec<String>>,
}

impl Running for Taking {
    fn virtual_servers(&self) -> Vec<VirtualServerRow> {
        Vec::new()
    }

    fn connections(&self) -> Vec<ConnectionRow> {
        Vec::new()
    }

    fn terminate(&self, _id: u64) -> bool {
        false
    }

    fn settings_source(&self) -> SettingsSource {
        self.source.clone()
    }

    fn apply(&self, change: SettingsChange) -> Applying<'_> {
        Box::pin(async move {
            self.taken.lock().unwrap().push(change.text.clone());
            let number =
                admin::settings::add(&self.store, NOON, &change).await.map_err(|it| it.to_string())?;
            Ok(SettingsApplied {
                number,
                changed: Vec::new(),
                removed: Vec::new(),
                at_next_start: Vec::new(),
            })
        })
    }
}

fn service(here: &Here, source: SettingsSource) -> (Admin, Arc<Taking>) {
    let running = Arc::new(Taking { store: here.store.clone(), source, taken: Mutex::default() });
    let admin = Admin::new(here.store.clone(), here.directory.clone(), here.world.clone(), running.clone());
    (admin, running)
}

fn apply(text: &str, based_on: Option<i64>) -> Request {
    Request::SettingsApply { text: text.into(), reason: "a try".into(), based_on }
}

async fn told(admin: &Admin, request: Request) -> String {
    let anna = Caller { user: "anna".into(), uid: None };
    match admin.execute_by(request, &anna).await {
        Response::Refused(refusal) => format!("refused: {refusal}"),
        Response::Done { said } => said,
        Response::SettingsDiff { from, to, difference } => format!("{from}..{to}\n{difference}"),
        Response::Settings { revision, text, .. } => {
            format!("{} by {} ({}): {text}", revision.number, revision.author, revision.reason)
        }
        Response::SettingsHistory { revisions } => {
            let row = |row: &admin::settings::RevisionRow| {
                format!("{} {} {}\n", row.number, row.author, row.reason)
            };
            revisions.iter().map(row).collect()
        }
        other => panic!("{other:?}"),
    }
}

const ONE: &str = "host-name = \"a.example\"\n";
const TWO: &str = "host-name = \"b.example\"\n";

#[tokio::test(start_paused = true)]
async fn revisions_are_kept_compared_and_brought_back() {
    let here = here(Workers::Inline);
    let (admin, running) = service(&here, SettingsSource::Revisions);
    expect!["refused: there are no settings yet; the first start of the server makes them"]
        .assert_eq(&told(&admin, Request::SettingsShow { number: None }).await);
    assert_eq!(told(&admin, apply(ONE, None)).await, "revision 1 is in force");
    assert_eq!(told(&admin, apply(TWO, Some(1))).await, "revision 2 is in force");
    // The same text is no new revision.
    assert_eq!(told(&admin, apply(TWO, None)).await, "revision 2 is in force");
    expect![[r#"
        1..2
        --- revision 1
        +++ revision 2
        @@ -1 +1 @@
        -host-name = "a.example"
        +host-name = "b.example"
    "#]]
    .assert_eq(&told(&admin, Request::SettingsDiff { from: None, to: None }).await);
    let back = Request::SettingsRollback { number: 1, reason: String::new() };
    assert_eq!(told(&admin, back).await, "revision 3 is in force");
    expect![[r#"
        3 anna back to revision 1
        2 anna a try
        1 anna a try
    "#]]
    .assert_eq(&told(&admin, Request::SettingsHistory).await);
    assert_eq!(running.taken.lock().unwrap().last().map(String::as_str), Some(ONE));
    assert_eq!(
        told(&admin, Request::SettingsShow { number: Some(2) }).await,
        format!("2 by anna (a try): {TWO}")
    );
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_is_refused_and_reaches_no_server() {
    let here = here(Workers::Inline);
    let (admin, running) = service(&here, SettingsSource::Revisions);
    assert_eq!(told(&admin, apply(ONE, None)).await, "revision 1 is in force");
    assert_eq!(told(&admin, apply(TWO, None)).await, "revision 2 is in force");
    let refusals = [
        told(&admin, apply("hostname = 5\n[log]\nlevel = 'inf'\n", None)).await,
        told(&admin, apply(ONE, Some(1))).await,
        told(&admin, Request::SettingsRollback { number: 9, reason: String::new() }).await,
        told(&admin, Request::SettingsDiff { from: Some(7), to: None }).await,
    ];
    expect![[r#"
        refused: line 1: unknown key `hostname`; did you mean `host-name`?
        line 3: [log]: level = 'inf' is none of error, warn, info, debug, trace; did you mean `info`?
        2 mistakes; the settings in force are unchanged
        refused: anna has changed the settings meanwhile (revision 2); see what: waxseal settings diff 1
        refused: there is no revision 9; see the list: waxseal settings history
        refused: there is no revision 7; see the list: waxseal settings history"#]]
    .assert_eq(&refusals.join("\n"));
    assert_eq!(running.taken.lock().unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_file_has_no_second_master_and_a_server_that_is_down_tries_nothing() {
    let here = here(Workers::Inline);
    let (of_file, _) = service(&here, SettingsSource::File("/etc/waxseal.toml".into()));
    expect!["refused: the settings are those of /etc/waxseal.toml, with which the server was started; change /etc/waxseal.toml: the server notices it"].assert_eq(&told(&of_file, apply(ONE, None)).await);
    let (down, running) = service(&here, SettingsSource::Down);
    expect!["refused: the server does not run, so that nothing can try the settings; start it first: waxseal serve"].assert_eq(&told(&down, apply(ONE, None)).await);
    assert!(running.taken.lock().unwrap().is_empty());
}
