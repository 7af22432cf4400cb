//! Random changes against a model that fits on a page: UIDs, flags, counters and news of changes agree at every step.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::collections::BTreeMap;

use mail::{Flag, ModSeq, Uid, UidSet};
use proptest::prelude::*;
use store::{Applied, Change, Commit, FlagMode, MailboxRecord, Options, Store};
use support::*;
use world::{Workers, World};

const MAILBOXES: usize = 2;

/// One step, in small numbers; what they mean depends on what is there.
#[derive(Debug, Clone)]
enum Step {
    File { mailbox: usize, size: usize, seen: bool },
    Copy { from: usize, first: u32, last: u32, to: usize },
    Flags { mailbox: usize, first: u32, last: u32, mode: u8, flag: u8 },
    Expunge { mailbox: usize, first: u32, last: u32, only_deleted: bool },
    Conflict { mailbox: usize },
}

fn step() -> impl Strategy<Value = Step> {
    let mailbox = 0..MAILBOXES;
    let run = (1u32..12, 0u32..4).prop_map(|(first, more)| (first, first + more));
    prop_oneof![
        4 => (mailbox.clone(), 0usize..50, any::<bool>())
            .prop_map(|(mailbox, size, seen)| Step::File { mailbox, size, seen }),
        1 => (mailbox.clone(), run.clone(), mailbox.clone())
            .prop_map(|(from, (first, last), to)| Step::Copy { from, first, last, to }),
        3 => (mailbox.clone(), run.clone(), 0u8..3, 0u8..3)
            .prop_map(|(mailbox, (first, last), mode, flag)| Step::Flags { mailbox, first, last, mode, flag }),
        2 => (mailbox.clone(), run, any::<bool>())
            .prop_map(|(mailbox, (first, last), only_deleted)| Step::Expunge { mailbox, first, last, only_deleted }),
        1 => mailbox.prop_map(|mailbox| Step::Conflict { mailbox }),
    ]
}

/// A mailbox as the model sees it: size and flags by UID.
#[derive(Debug, Clone, Default, PartialEq)]
struct Model {
    emails: BTreeMap<u32, (u64, Vec<Flag>)>,
    uid_next: u32,
}

impl Model {
    fn add(&mut self, size: u64, flags: Vec<Flag>) {
        self.uid_next += 1;
        self.emails.insert(self.uid_next, (size, flags));
    }

    fn counters(&self) -> (u32, u32, u32, u64, u32) {
        let unseen = self.emails.values().filter(|(_, flags)| !flags.contains(&Flag::Seen)).count();
        let deleted = self.emails.values().filter(|(_, flags)| flags.contains(&Flag::Deleted)).count();
        let size = self.emails.values().map(|(size, _)| size).sum();
        (self.emails.len() as u32, unseen as u32, deleted as u32, size, self.uid_next + 1)
    }
}

fn flag(number: u8) -> Flag {
    [Flag::Seen, Flag::Deleted, Flag::Keyword("work".into())][usize::from(number)].clone()
}

fn mode(number: u8) -> FlagMode {
    [FlagMode::Set, FlagMode::Add, FlagMode::Remove][usize::from(number)]
}

/// What the step asks of the store.
fn commit(step: &Step, ids: &[i64]) -> Commit {
    let (content, changes) = match step {
        Step::File { mailbox, size, seen } => {
            let mut change = file(ids[*mailbox], 0);
            if let Change::File { flags, .. } = &mut change
                && *seen
            {
                flags.push(Flag::Seen);
            }
            (vec![inline("m", vec![b'x'; *size])], vec![change])
        }
        Step::Copy { from, first, last, to } => {
            (vec![], vec![Change::Copy { from: ids[*from], uids: uids(*first..=*last), to: ids[*to] }])
        }
        Step::Flags { mailbox, first, last, mode: how, flag: which } => {
            let (mailbox, uids, flags) = (ids[*mailbox], uids(*first..=*last), vec![flag(*which)]);
            (
                vec![],
                vec![Change::SetFlags {
                    mailbox,
                    uids,
                    mode: mode(*how),
                    flags,
                    unless_modified_after: None,
                }],
            )
        }
        Step::Expunge { mailbox, first, last, only_deleted } => {
            let (mailbox, uids) = (ids[*mailbox], uids(*first..=*last));
            (vec![], vec![Change::Expunge { mailbox, uids, only_deleted: *only_deleted }])
        }
        // The first change would do; the second has no mailbox.
        Step::Conflict { mailbox } => (vec![inline("m", "x")], vec![file(ids[*mailbox], 0), file(-1, 0)]),
    };
    Commit { content, changes }
}

/// What the step does in the model.
fn apply(models: &mut [Model], step: &Step) {
    const PREFIX_OCTETS: u64 = 17;
    match step {
        Step::File { mailbox, size, seen } => {
            let flags = if *seen { vec![Flag::Seen] } else { vec![] };
            models[*mailbox].add(*size as u64 + PREFIX_OCTETS, flags);
        }
        Step::Copy { from, first, last, to } => {
            let found: Vec<_> =
                models[*from].emails.range(first..=last).map(|(_, email)| email.clone()).collect();
            found.into_iter().for_each(|(size, flags)| models[*to].add(size, flags));
        }
        Step::Flags { mailbox, first, last, mode: how, flag: which } => {
            for (_, (_, flags)) in models[*mailbox].emails.range_mut(first..=last) {
                let which = flag(*which);
                match mode(*how) {
                    FlagMode::Set => *flags = vec![which],
                    FlagMode::Add if !flags.contains(&which) => flags.push(which),
                    FlagMode::Add => {}
                    FlagMode::Remove => flags.retain(|flag| *flag != which),
                }
                // As the store shows them: `\Deleted` before `\Seen` before keywords.
                flags.sort_by_key(|flag| (flag == &Flag::Seen, matches!(flag, Flag::Keyword(_))));
                flags.sort_by_key(|flag| matches!(flag, Flag::Keyword(_)));
            }
        }
        Step::Expunge { mailbox, first, last, only_deleted } => {
            models[*mailbox].emails.retain(|uid, (_, flags)| {
                !(first..=last).contains(&uid) || (*only_deleted && !flags.contains(&Flag::Deleted))
            })
        }
        Step::Conflict { .. } => {}
    }
}

/// What a client knows that follows the mailbox by asking what changed.
#[derive(Default)]
struct Follower {
    known: BTreeMap<u32, Vec<Flag>>,
    seen: ModSeq,
}

impl Follower {
    async fn follow(&mut self, store: &Store, mailbox: i64) {
        let new_from = self.known.keys().last().map_or(1, |last| last + 1);
        let changes = store.changed_since(mailbox, self.seen, new_from, 2).await.unwrap().unwrap();
        let vanished = store.vanished_since(mailbox, self.seen).await.unwrap().unwrap();
        assert_eq!(vanished, changes.vanished);
        for uid in changes.vanished.iter() {
            self.known.remove(&uid.0);
        }
        assert!(changes.changed.len() <= 2 && changes.arrived.first().is_none_or(|uid| uid.0 >= new_from));
        let rest = changes.rest.union(&changes.arrived);
        let changed: UidSet = changes.changed.iter().map(|email| email.uid).collect();
        let flags = store.flags_since(mailbox, Some(self.seen)).await.unwrap().unwrap();
        assert_eq!((flags.vanished, flags.mailbox.highest_modseq), (vanished, changes.highest_modseq));
        let known: UidSet = flags.rows.iter().map(|row| row.uid).collect();
        assert_eq!(known, rest.union(&changed));
        for row in flags.rows {
            self.known.insert(row.uid.0, row.flags());
        }
        self.seen = changes.highest_modseq;
    }
}

async fn run(steps: Vec<Step>) {
    let dir = tempfile::tempdir().unwrap();
    let world = World { workers: Workers::Inline, ..world() };
    let store = Store::open(dir.path(), &world, Options::default()).unwrap();
    let (_, ids) = account(&store, "a@example.org", &["INBOX", "Work"]).await;
    let mut models = vec![Model::default(); MAILBOXES];
    let mut followers: Vec<Follower> = (0..MAILBOXES).map(|_| Follower::default()).collect();
    for (number, step) in steps.iter().enumerate() {
        let result = store.commit(commit(step, &ids)).await;
        assert_eq!(result.is_err(), matches!(step, Step::Conflict { .. }), "{result:?}");
        apply(&mut models, step);
        for (index, model) in models.iter().enumerate() {
            compare(&store, ids[index], model, result.as_ref().map_or(&[][..], |receipt| &receipt.results))
                .await;
            // Some follow each step, some every third.
            if index == 0 || number % 3 == 2 || number + 1 == steps.len() {
                followers[index].follow(&store, ids[index]).await;
                let flags = model.emails.iter().map(|(uid, (_, flags))| (*uid, flags.clone())).collect();
                assert_eq!(followers[index].known, flags);
            }
        }
    }
    let report = store.check(false, None).await.unwrap();
    assert!(report.is_clean(), "{report:?}");
}

async fn compare(store: &Store, mailbox: i64, model: &Model, results: &[Applied]) {
    let (record, uids) = store.uids(mailbox).await.unwrap().unwrap();
    let MailboxRecord { messages, unseen, deleted, size, uid_next, .. } = record;
    assert_eq!((messages, unseen, deleted, size, uid_next), model.counters(), "after {results:?}");
    assert_eq!(uids, model.emails.keys().map(|uid| Uid(*uid)).collect::<UidSet>());
    let emails = store.emails(mailbox, &uids, 1000).await.unwrap();
    let rows: BTreeMap<u32, (u64, Vec<Flag>)> =
        emails.into_iter().map(|email| (email.uid.0, (email.size, email.flags))).collect();
    assert_eq!(rows, model.emails);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_store_does_what_the_model_does(steps in prop::collection::vec(step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(run(steps));
    }
}
