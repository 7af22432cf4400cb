//! Who can sign in by SCRAM, by which keys, and when there are any.
#![allow(clippy::unwrap_used, reason = "a test may")]

use directory::{
    Credentials, Directory, Kept, Origin, Password, Scope, ScramHash, ScramKeys, SignIn, Verifiers,
    hash_password,
};
use mail::Timestamp;
use store::{Change, Commit, Store};
use world::{Clock, Dice, Workers, World};

const HASHES: [ScramHash; 2] = [ScramHash::Sha256, ScramHash::Sha1];

/// `ann` keeps everything, `bob` argon2id alone; `old` is of an older store.
fn open(dir: &std::path::Path) -> (Directory, Store) {
    let world = World::without_network(Clock::Real, Dice::seeded(1), Workers::Inline);
    let store = Store::open(&dir.join("data"), &world, store::Options::default()).unwrap();
    (Directory::new(store.clone(), world), store)
}

async fn fill(store: &Store) {
    let dice = Dice::seeded(2);
    let account = |local: &str, Verifiers { secret, scram, .. }: Verifiers| Change::AddAccount {
        address: format!("{local}@a.example"),
        name: String::new(),
        secret,
        scram,
        at: Timestamp(0),
    };
    let changes = vec![
        Change::AddDomain { name: "a.example".into(), at: Timestamp(0) },
        account("ann", Verifiers::new(&dice, &password(), Kept::Argon2idAndScram).unwrap()),
        account("bob", Verifiers::new(&dice, &password(), Kept::Argon2idAlone).unwrap()),
        account(
            "old",
            Verifiers {
                secret: hash_password(&dice, &password()).unwrap(),
                scram: String::new(),
                cram: String::new(),
            },
        ),
    ];
    store.commit(Commit { content: Vec::new(), changes }).await.unwrap();
}

fn password() -> Password {
    Password("secret".into())
}

/// Whether they are keys of the password.
fn fit(hash: ScramHash, keys: &ScramKeys) -> bool {
    hash.keys(&password(), &keys.salt, keys.iterations.try_into().unwrap()) == *keys
}

/// For each login, whether it gets keys that fit.
async fn check(directory: &Directory, expected: &[(&str, bool)]) {
    for &(login, fits) in expected {
        for hash in HASHES {
            let keys = directory.scram_keys(login, hash).await.unwrap();
            assert_eq!(fit(hash, &keys), fits, "{login}");
            assert_eq!((keys.salt.len(), keys.iterations), (16, 15_000), "all look alike");
            assert_eq!(directory.scram_keys(login, hash).await.unwrap(), keys, "and stay so");
            let accepted = matches!(directory.proved(login, "", hash, &keys).await, SignIn::Accepted(_));
            assert_eq!(accepted, fits, "nobody is let in by invented keys");
        }
    }
}

async fn sign_in(directory: &Directory, login: &str, password: &str) -> bool {
    let (login, authorization) = (login.to_owned(), String::new());
    let credentials = Credentials { login, authorization, password: Password(password.into()) };
    let origin = Origin { peer: [192, 0, 2, 1].into(), trusted: true, service: Scope::Imap };
    matches!(directory.sign_in(credentials, &origin).await, SignIn::Accepted(_))
}

#[tokio::test]
async fn keys_are_kept_by_policy() {
    let dir = tempfile::tempdir().unwrap();
    let (directory, store) = open(dir.path());
    fill(&store).await;
    check(
        &directory,
        &[
            ("ann@a.example", true),
            ("Ann", true),
            ("bob@a.example", false),
            ("old@a.example", false),
            ("nobody@a.example", false),
            ("ann@elsewhere.example", false),
            ("no login at all", false),
        ],
    )
    .await;
    let ann = directory.scram_keys("ann", ScramHash::Sha256).await.unwrap();
    assert!(matches!(
        directory.proved("ann", "ann@a.example", ScramHash::Sha256, &ann).await,
        SignIn::Accepted(_)
    ));
    assert_eq!(directory.proved("ann", "bob", ScramHash::Sha256, &ann).await, SignIn::Refused);
    assert_eq!(directory.proved("bob", "", ScramHash::Sha256, &ann).await, SignIn::Refused);
}

#[tokio::test]
async fn an_older_account_gets_keys_when_its_password_is_shown() {
    let dir = tempfile::tempdir().unwrap();
    let (directory, store) = open(dir.path());
    fill(&store).await;
    assert!(!sign_in(&directory, "old", "wrong").await);
    check(&directory, &[("old", false)]).await;
    assert!(sign_in(&directory, "old", "secret").await);
    assert!(sign_in(&directory, "bob", "secret").await);
    check(&directory, &[("old", true), ("bob", false)]).await;
}

#[tokio::test]
async fn what_is_invented_outlives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let logins = ["nobody@a.example", "bob@a.example", "no login at all"];
    let mut seen = Vec::new();
    for _ in 0..2 {
        let (directory, store) = open(dir.path());
        if seen.is_empty() {
            fill(&store).await;
        }
        for login in logins {
            seen.push(directory.scram_keys(login, ScramHash::Sha1).await.unwrap());
        }
    }
    assert_eq!(seen[..3], seen[3..]);
}

#[tokio::test]
async fn a_proof_by_an_old_password_is_none() {
    let dir = tempfile::tempdir().unwrap();
    let (directory, store) = open(dir.path());
    fill(&store).await;
    let keys = directory.scram_keys("ann", ScramHash::Sha256).await.unwrap();
    let new = Verifiers::new(&Dice::seeded(3), &Password("other".into()), Kept::default()).unwrap();
    let account = store.account_by_address("ann@a.example").await.unwrap().unwrap().id;
    let Verifiers { secret, scram, .. } = new;
    let changes = vec![Change::SetSecret { account, secret, scram, at: Timestamp(1) }];
    store.commit(Commit { content: Vec::new(), changes }).await.unwrap();
    assert_eq!(directory.proved("ann", "", ScramHash::Sha256, &keys).await, SignIn::Refused);
}
