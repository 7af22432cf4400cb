//! Python's smtplib, poplib and imaplib, and the library IMAPClient: small scripts, whose JSON is compared here.

use expect_test::{Expect, expect};
use serde_json::{Value, json};

use crate::account::{Account, assert_same, ended};
use crate::contents;
use crate::tools::{done, script};
use crate::trial::Trial;

/// Runs a script for an account; `more` is added to its task.
fn play(account: &Account<'_>, name: &str, more: Value, input: &[u8]) -> Value {
    let mut task = account.task();
    let fields = task.as_object_mut().expect("it is an object");
    fields.extend(more.as_object().cloned().unwrap_or_default());
    serde_json::from_slice(&done(script(name).arg(task.to_string()), input)).unwrap()
}

/// Compares what the steps were answered, one a line.
pub(crate) fn check(told: &Value, expected: Expect) {
    let text = told.as_array().expect("a list of steps").iter().map(|step| format!("{step}\n"));
    expected.assert_eq(&text.collect::<String>());
}

/// smtplib by every way in, with what is refused.
pub(crate) fn smtplib(trial: &Trial) {
    let account = Account::new(trial, "smtplib");
    let other = Account::new(trial, "smtplib-other");
    let content = contents::all().swap_remove(2).submitted();
    let told = play(&account, "smtp.py", json!({"other": other.address}), &content.sent);
    check(
        &told,
        expect![[r#"
            ["plain",[["8bitmime","binarymime","chunking","dsn","enhancedstatuscodes","expn","help","limits","pipelining","size","smtputf8","starttls"],{}]]
            ["starttls",[["8bitmime","binarymime","chunking","dsn","enhancedstatuscodes","expn","help","limits","pipelining","size","smtputf8"],{"nobody@example.org":[550,"5.1.1 no such recipient here"],"someone@example.net":[550,"5.7.1 relaying denied: this server takes mail for its own domains"]}]]
            ["login",[[235,"2.7.0 Signed in"],{"someone@example.net":[550,"5.7.1 relaying denied: this server sends no mail to other domains, even for those signed in"]}]]
            ["implicit",[[235,"2.7.0 Signed in"],{}]]
            ["wrong password","refused",[535,"5.7.8 User name or password is wrong"]]
            ["not signed in","refused",[530,"5.7.0 Sign in first","smtplib@example.org"]]
            ["commands",[[250,"mx.example.org"],[250,"2.0.0 OK"],[252,"2.1.5 not told to strangers; send the message and see"],[252,"2.1.5 not told to strangers; send the message and see"],[250,"2.1.0 sender noted"],[250,"2.0.0 OK"],[503,"5.5.1 MAIL comes first"],[503,"5.5.1 MAIL comes first"],[500,"5.5.1 Command not known"],[552,"5.3.4 The message is larger than we accept"],[214,"2.0.0 EHLO HELO STARTTLS AUTH MAIL RCPT DATA BDAT RSET NOOP VRFY VERB EXPN HELP QUIT"],[221,"2.0.0 Goodbye"]]]
        "#]],
    );
    let read = account.read("INBOX");
    assert_eq!(read.emails.len(), 4, "plain, starttls, login, implicit");
    for email in read.emails.iter().chain(&other.read("INBOX").emails) {
        assert_same("by smtplib", &ended(&content.sent), email.sent());
    }
}

/// imaplib: mailboxes, flags, searches, copies, and IDLE.
pub(crate) fn imaplib(trial: &Trial) {
    let account = Account::new(trial, "imaplib");
    let content = contents::all().swap_remove(0);
    check(
        &play(&account, "imap.py", json!({}), &content.sent),
        expect![[r#"
            ["capabilities",["AUTH=LOGIN","AUTH=PLAIN","AUTH=SCRAM-SHA-1","AUTH=SCRAM-SHA-1-PLUS","AUTH=SCRAM-SHA-256","AUTH=SCRAM-SHA-256-PLUS","ID","IMAP4REV1","IMAP4REV2","LITERAL+","SASL-IR"]]
            ["create","OK",["CREATE completed"]]
            ["create","NO",["[ALREADYEXISTS] There is such a mailbox already"]]
            ["create","OK",["CREATE completed"]]
            ["rename","NO",["[CANNOT] A mailbox cannot be moved below itself"]]
            ["rename","OK",["RENAME completed"]]
            ["subscribe","OK",["SUBSCRIBE completed"]]
            ["lsub","OK",["(\\HasNoChildren \\Archive) \"/\" Archive","(\\HasNoChildren \\Drafts) \"/\" Drafts","(\\HasNoChildren) \"/\" INBOX","(\\HasNoChildren) \"/\" Job/Old","(\\HasNoChildren \\Junk) \"/\" Junk","(\\HasNoChildren \\Sent) \"/\" Sent","(\\HasNoChildren \\Trash) \"/\" Trash"]]
            ["list","OK",["(\\HasNoChildren \\Archive) \"/\" Archive","(\\HasNoChildren \\Drafts) \"/\" Drafts","(\\HasNoChildren) \"/\" INBOX","(\\HasChildren) \"/\" Job","(\\HasNoChildren \\Junk) \"/\" Junk","(\\HasNoChildren \\Sent) \"/\" Sent","(\\HasNoChildren \\Trash) \"/\" Trash","(\\HasNoChildren) \"/\" &ZeVnLIqe-"]]
            ["append","OK",["[APPENDUID N 1] APPEND completed"]]
            ["append","NO",["[TRYCREATE] There is no such mailbox"]]
            ["status","OK",["Job/Old (MESSAGES 1 RECENT 0 UIDNEXT 2 UNSEEN 0)"]]
            ["fetch","error","command FETCH illegal in state AUTH, only allowed in states SELECTED"]
            ["select","OK",["1"]]
            ["fetch","OK",["1 (UID 1 FLAGS (\\Seen \\Draft) INTERNALDATE \" 3-Feb-2001 04:05:06 +0000\" RFC822.SIZE 87)"]]
            ["fetch","OK",["1 (ENVELOPE (NIL \"one of many\" ((NIL NIL \"a\" \"example.org\")) ((NIL NIL \"a\" \"example.org\")) ((NIL NIL \"a\" \"example.org\")) NIL NIL NIL NIL \"<1@client.example>\") BODYSTRUCTURE (\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 8 1 NIL NIL NIL NIL))"]]
            ["fetch","OK",[["1 (BODY[HEADER.FIELDS (SUBJECT)] {24}","Subject: one of many\r\n\r\n"],[" BODY[TEXT]<0> {5}","Hello"],")"]]
            ["store","OK",["1 (FLAGS (\\Seen))"]]
            ["store","OK",[null]]
            ["uid","OK",["1 (UID 1 FLAGS (\\Answered \\Seen custom))"]]
            ["search","OK",["1"]]
            ["search","OK",[""]]
            ["search","error","SEARCH command error: BAD [b'Syntax error in arguments']"]
            ["uid","OK",["1"]]
            ["copy","OK",["[COPYUID N 1 1] COPY completed"]]
            ["copy","NO",["[TRYCREATE] There is no such mailbox"]]
            ["store","OK",["1 (FLAGS (\\Answered \\Deleted \\Seen custom))"]]
            ["expunge","OK",["1"]]
            ["select","OK",["1"]]
            ["fetch","OK",["1 (UID 1 FLAGS (\\Answered \\Seen custom) INTERNALDATE \" 3-Feb-2001 04:05:06 +0000\")"]]
            ["uid","OK",[null]]
            ["noop","OK",["NOOP completed"]]
            ["close","OK",["CLOSE completed"]]
            ["delete","OK",["DELETE completed"]]
            ["delete","NO",["[CANNOT] INBOX stays"]]
            ["select","OK",["1"]]
            ["fetched",true]
            ["idle",["+","* 1 EXISTS","* 0 RECENT","* 1 FETCH (UID 2 FLAGS (\\Flagged))"," OK IDLE terminated"]]
        "#]],
    );
}

/// poplib: what is deleted goes at QUIT and only then; unique ids stay.
pub(crate) fn poplib(trial: &Trial) {
    let account = Account::new(trial, "poplib");
    let content = contents::all().swap_remove(1);
    for _ in 0..3 {
        play(&account, "deliver.py", json!({}), &content.sent);
    }
    check(
        &play(&account, "pop3.py", json!({}), b""),
        expect![[r#"
            ["capa",{"AUTH-RESP-CODE":[],"EXPIRE":["NEVER"],"IMPLEMENTATION":["Waxseal"],"LANG":[],"PIPELINING":[],"RESP-CODES":[],"SASL":["SCRAM-SHA-256","SCRAM-SHA-1","PLAIN","LOGIN"],"STLS":[],"TOP":[],"UIDL":[],"USER":[],"UTF8":["USER"]}]
            ["stls","+OK begin TLS"]
            ["wrong","+OK send PASS",["refused","-ERR [AUTH] wrong name or password"]]
            ["right","+OK send PASS","+OK maildrop has 3 messages (987 octets)"]
            ["stat",3]
            ["in use","+OK send PASS",["refused","-ERR [IN-USE] another session has this maildrop"]]
            ["top",["Message-ID: <1@client.example>","","."]]
            ["no such",["refused","-ERR no such message"],["refused","-ERR no such message"],["refused","-ERR no such message"]]
            ["dele","+OK message 2 is marked",["refused","-ERR the message is marked as deleted"],["refused","-ERR the message is marked as deleted"],2]
            ["rset","+OK no message is marked",3]
            ["dele and cut","+OK message 1 is marked"]
            ["uidl as before",true]
            ["dele and quit","+OK message 2 is marked","+OK","+OK goodbye"]
            ["uidl without it",true]
        "#]],
    );
}

/// IMAPClient: special folders, names, flags, several messages at once, what changed since, IDLE beside another connection.
pub(crate) fn imapclient(trial: &Trial) {
    let account = Account::new(trial, "imapclient");
    let told = play(&account, "imapclient_day.py", json!({}), LIBRARIES.as_bytes());
    check(
        &told,
        expect![[r#"
        ["folders",[[["\\HasNoChildren"],"/","INBOX"],[["\\HasNoChildren","\\Archive"],"/","Archive"],[["\\HasNoChildren","\\Drafts"],"/","Drafts"],[["\\HasNoChildren","\\Junk"],"/","Junk"],[["\\HasNoChildren","\\Sent"],"/","Sent"],[["\\HasNoChildren","\\Trash"],"/","Trash"]]]
        ["special",["\\Sent","Sent"]]
        ["special",["\\Trash","Trash"]]
        ["special",["\\Junk","Junk"]]
        ["special",["\\Drafts","Drafts"]]
        ["special",["\\Archive","Archive"]]
        ["namespace",[[["","/"]],null,null]]
        ["id",[["name","Waxseal"]]]
        ["named",["Entwürfe","Entwürfe/日本語"]]
        ["enabled",["CONDSTORE"]]
        ["appended","[APPENDUID V 1] APPEND completed"]
        ["appended together",["OK",["[APPENDUID V 2:3] APPEND completed"]]]
        ["same octets",[true,true,false]]
        ["sizes",[102,102,21]]
        ["flags",{"2":["\\Answered","\\Seen","$Forwarded"]}]
        ["changed",[2]]
        ["found by subject",[1,2]]
        ["found by flag",[3]]
        ["status",{"MESSAGES":0,"UIDNEXT":1,"UNSEEN":0}]
        ["idle",[[1,"FETCH",["UID",1,"FLAGS",["\\Deleted"],"MODSEQ",[6]]],[1,"EXPUNGE"]]]
        ["after",["NOOP completed",[2]]]
        ["renamed",["Archive","Drafts","INBOX","Junk","Notizen","Notizen/日本語","Sent","Trash"]]
        ["subscribed",["Archive","Drafts","INBOX","Junk","Sent","Trash"]]
    "#]],
    );
}

/// What the libraries append.
pub(crate) const LIBRARIES: &str = "From: <a@example.org>\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\
    Message-ID: <1@client.example>\r\n\r\nHello\r\n";
