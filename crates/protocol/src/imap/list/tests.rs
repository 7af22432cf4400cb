use super::*;
use crate::imap::syntax::{Cursor, Parsed};
use crate::misuse::Misuse;

fn path(name: &str) -> MailboxPath {
    MailboxPath::parse(name).unwrap()
}

fn parsed(input: &str) -> Parsed<Listing> {
    let mut cursor = Cursor::new(input.as_bytes());
    let listing = if cursor.eat_word("LSUB") {
        lsub(&mut cursor)?
    } else {
        cursor.eat_word("LIST");
        list(&mut cursor)?
    };
    cursor.end()?;
    Ok(listing)
}

/// A mailbox: `!` before its name means that it is subscribed, `?` that it is missing, `^` that it is a name only.
fn mailbox(text: &str) -> Mailbox {
    let name = text.trim_start_matches(['!', '?', '^']);
    let has = |mark| text[..text.len() - name.len()].contains(mark);
    Mailbox {
        path: path(name),
        subscribed: has('!'),
        special_use: (name == "Sent").then_some(SpecialUse::Sent),
        no_select: has('^'),
        missing: has('?'),
    }
}

/// Plays a command over these mailboxes.
#[track_caller]
fn check(mailboxes: &[&str], command: &str, expected: &[&str]) {
    let mut mailboxes: Vec<_> = mailboxes.iter().map(|text| mailbox(text)).collect();
    mailboxes.sort_by(|a, b| a.path.cmp(&b.path));
    let listing = parsed(command).unwrap();
    let mut out = Vec::new();
    if listing.patterns.is_none() {
        listing.write_separator(&mut out);
    }
    for row in listing.rows(&mailboxes) {
        listing.write(&row, NameForm::Utf7, &mut out);
        if row.status {
            out.extend_from_slice(b"STATUS\r\n");
        }
    }
    let text = String::from_utf8(out).unwrap();
    let lines: Vec<_> =
        text.lines().map(|line| line.trim_start_matches("* ").replace(r#" "/""#, "")).collect();
    assert_eq!(lines, expected, "{command}");
}

#[test]
fn plain_commands() {
    let mailboxes = ["!INBOX", "^a", "!a/b c", "Sent", "!?gone/deep"];
    check(&mailboxes, r#"LIST "" """#, &[r#"LIST (\Noselect) """#]);
    check(
        &mailboxes,
        r#"LIST "" *"#,
        &[
            r"LIST (\HasNoChildren) INBOX",
            r"LIST (\HasNoChildren \Sent) Sent",
            r"LIST (\NonExistent \Noselect \HasChildren) a",
            r#"LIST (\HasNoChildren) "a/b c""#,
        ],
    );
    check(
        &mailboxes,
        r#"LSUB "" *"#,
        &[
            r"LSUB (\HasNoChildren) INBOX",
            r#"LSUB (\HasNoChildren) "a/b c""#,
            r"LSUB (\HasNoChildren) gone/deep",
        ],
    );
    check(
        &mailboxes,
        r#"LSUB "" %"#,
        &[
            r"LSUB (\HasNoChildren) INBOX",
            r"LSUB (\Noselect \HasChildren) a",
            r"LSUB (\Noselect \HasNoChildren) gone",
        ],
    );
    check(&["!^a", "a/b"], r#"LSUB "" %"#, &[r"LSUB (\HasChildren) a"]);
}

/// RFC 5258 §5, examples 1 to 7.
#[test]
fn fruit() {
    let mailboxes = [
        "!INBOX",
        "Fruit",
        "Fruit/Apple",
        "!Fruit/Banana",
        "!?Fruit/Peach",
        "Tofu",
        "!Vegetable",
        "!Vegetable/Broccoli",
        "Vegetable/Corn",
    ];
    let subscribed = [
        r"LIST (\HasNoChildren \Subscribed) Fruit/Banana",
        r"LIST (\NonExistent \Noselect \HasNoChildren \Subscribed) Fruit/Peach",
        r"LIST (\HasNoChildren \Subscribed) INBOX",
        r"LIST (\HasChildren \Subscribed) Vegetable",
        r"LIST (\HasNoChildren \Subscribed) Vegetable/Broccoli",
    ];
    check(&mailboxes, r#"LIST (SUBSCRIBED) "" *"#, &subscribed);
    check(&mailboxes, r#"LIST (remote subscribed remote) "" *"#, &subscribed);
    check(
        &mailboxes,
        r#"LIST () "" % RETURN (CHILDREN)"#,
        &[
            r"LIST (\HasChildren) Fruit",
            r"LIST (\HasNoChildren) INBOX",
            r"LIST (\HasNoChildren) Tofu",
            r"LIST (\HasChildren) Vegetable",
        ],
    );
    check(
        &mailboxes,
        r#"LIST (REMOTE) Fruit/ * RETURN (SUBSCRIBED)"#,
        &[r"LIST (\HasNoChildren) Fruit/Apple", r"LIST (\HasNoChildren \Subscribed) Fruit/Banana"],
    );
    check(
        &mailboxes,
        r#"LIST "" ("INBOX" "" Tofu "T%")"#,
        &[r"LIST (\HasNoChildren) INBOX", r"LIST (\HasNoChildren) Tofu"],
    );
    check(&mailboxes, r#"LIST () "" """#, &[]);
    check(&mailboxes, r#"LIST "" "" RETURN ()"#, &[]);
}

/// RFC 5258 §5, example 8.
#[test]
fn foo() {
    let recursive = r#"LIST (SUBSCRIBED RECURSIVEMATCH) "" %"#;
    let childinfo = r#"("CHILDINFO" ("SUBSCRIBED"))"#;
    let with = |foo, baz, moo| ["INBOX", foo, "Foo/Bar", baz, moo];
    let baz = with("Foo", "!Foo/Baz", "Moo");
    check(&baz, r#"LIST (SUBSCRIBED) "" *"#, &[r"LIST (\HasNoChildren \Subscribed) Foo/Baz"]);
    check(&baz, r#"LIST (SUBSCRIBED) "" %"#, &[]);
    check(&baz, recursive, &[&format!(r"LIST (\HasChildren) Foo {childinfo}")]);
    check(
        &with("!Foo", "!Foo/Baz", "Moo"),
        recursive,
        &[&format!(r"LIST (\HasChildren \Subscribed) Foo {childinfo}")],
    );
    check(
        &["INBOX", "!?Foo/Baz"],
        recursive,
        &[&format!(r"LIST (\NonExistent \Noselect \HasNoChildren) Foo {childinfo}")],
    );
    check(&with("Foo", "Foo/Baz", "Moo"), recursive, &[]);
    check(
        &with("!Foo", "Foo/Baz", "!Moo"),
        recursive,
        &[r"LIST (\HasChildren \Subscribed) Foo", r"LIST (\HasNoChildren \Subscribed) Moo"],
    );
}

/// RFC 5258 §5, example 9: CHILDINFO whether or not the children match; no redundant rows (§3.5).
#[test]
fn childinfo() {
    check(
        &["INBOX", "foo2", "!foo2/bar1", "!foo2/bar2", "baz2", "!baz2/bar2", "!eps2", "!eps2/mamba", "^qux2"]
            .into_iter()
            .chain(["!qux2/bar2"])
            .collect::<Vec<_>>(),
        r#"LIST (RECURSIVEMATCH SUBSCRIBED) "" *2"#,
        &[
            r"LIST (\HasNoChildren \Subscribed) baz2/bar2",
            r#"LIST (\HasChildren \Subscribed) eps2 ("CHILDINFO" ("SUBSCRIBED"))"#,
            r#"LIST (\HasChildren) foo2 ("CHILDINFO" ("SUBSCRIBED"))"#,
            r"LIST (\HasNoChildren \Subscribed) foo2/bar2",
            r"LIST (\HasNoChildren \Subscribed) qux2/bar2",
        ],
    );
}

#[test]
fn special_uses_and_status() {
    let mailboxes = ["!INBOX", "^a", "!a/Sub", "Sent"];
    check(&mailboxes, r#"LIST (SPECIAL-USE) "" *"#, &[r"LIST (\HasNoChildren \Sent) Sent"]);
    check(&mailboxes, r#"LIST (SPECIAL-USE SUBSCRIBED) "" *"#, &[]);
    check(
        &mailboxes,
        r#"LIST "" % RETURN (SPECIAL-USE STATUS (MESSAGES))"#,
        &[
            r"LIST (\HasNoChildren) INBOX",
            "STATUS",
            r"LIST (\HasNoChildren \Sent) Sent",
            "STATUS",
            r"LIST (\NonExistent \Noselect \HasChildren) a",
        ],
    );
    // RFC 5819 §3
    check(
        &mailboxes,
        r#"LIST (SUBSCRIBED RECURSIVEMATCH) "" % RETURN (STATUS (MESSAGES))"#,
        &[
            r"LIST (\HasNoChildren \Subscribed) INBOX",
            "STATUS",
            r#"LIST (\NonExistent \Noselect \HasChildren) a ("CHILDINFO" ("SUBSCRIBED"))"#,
        ],
    );
}

#[test]
fn names_at_the_bound_have_no_inferiors() {
    let deep = ["a"; 32].join("/");
    check(&[&deep], &format!(r#"LIST "" {deep}"#), &[&format!(r"LIST (\Noinferiors) {deep}")]);
}

#[test]
fn commands_are_read() {
    let patterns = |input: &str| parsed(input).unwrap().patterns;
    assert_eq!(patterns(r#"LIST a/ "%""#), Some(vec!["a/%".into()]));
    assert_eq!(patterns(r#"LIST a """#), None);
    assert_eq!(patterns(r#"LSUB "" Entw&APw-*"#), Some(vec!["Entwü*".into()]));
    assert_eq!(patterns(r#"LIST a/ (b% "" c)"#), Some(vec!["a/b%".into(), "a/c".into()]));
    for wrong in [
        "LIST",
        r#"LIST """#,
        r#"LIST "" * "#,
        r#"LIST "" ()"#,
        r#"LIST "" (a"#,
        r#"LIST (SUBSCRIBED "" *"#,
        r#"LIST ( SUBSCRIBED) "" *"#,
        r#"LIST (RECURSIVEMATCH) "" *"#,
        r#"LIST (REMOTE RECURSIVEMATCH) "" *"#,
        r#"LIST (COLOUR) "" *"#,
        r#"LIST "" * RETURN"#,
        r#"LIST "" * RETURN CHILDREN"#,
        r#"LIST "" * RETURN (COLOUR)"#,
        r#"LIST "" * RETURN (STATUS)"#,
        r#"LIST "" * RETURN (STATUS ())"#,
        r#"LIST "" * RETURN (STATUS (COLOUR))"#,
        r#"LIST "" * (CHILDREN)"#,
        r#"LSUB "" (a b)"#,
        r#"LSUB (SUBSCRIBED) "" *"#,
        r#"LSUB "" * RETURN ()"#,
    ] {
        assert_eq!(parsed(wrong), Err(Misuse::CommandSyntax), "{wrong}");
    }
    let many = format!("LIST \"\" ({})", ["%"; 1025].join(" "));
    assert_eq!(parsed(&many), Err(Misuse::TooManyItems));
}
