"""A day with Python's imaplib: prints as JSON what each step was answered.

Arguments: JSON with host, imap, imaps, ca, address, password. Standard input: a content.
"""

import imaplib
import json
import re
import ssl
import sys
from datetime import datetime, timezone


def main():
    task = json.loads(sys.argv[1])
    content = sys.stdin.buffer.read()
    context = ssl.create_default_context(cafile=task["ca"])
    told = []
    with imaplib.IMAP4(task["host"], task["imap"]) as imap:
        imap.starttls(context)
        imap.login(task["address"], task["password"])
        told.append(["capabilities", sorted(imap.capabilities)])
        for name, arguments in steps(content):
            told.append([name, *answer(imap, name, arguments)])
        told.append(["fetched", fetched(imap) == content])
    with imaplib.IMAP4_SSL(task["host"], task["imaps"], ssl_context=context) as imap:
        imap.login(task["address"], task["password"])
        told.append(["idle", idle(imap, task, context)])
    print(json.dumps(told))


def steps(content):
    at = imaplib.Time2Internaldate(datetime(2001, 2, 3, 4, 5, 6, tzinfo=timezone.utc))
    return [
        ("create", ("Work",)),
        ("create", ("Work",)),
        ("create", ("&ZeVnLIqe-",)),
        ("rename", ("Work", "Work/Old")),
        ("rename", ("Work", "Job/Old")),
        ("subscribe", ("Job/Old",)),
        ("lsub", ('""', "*")),
        ("list", ('""', "%")),
        ("append", ("Job/Old", r"(\Seen \Draft)", at, content)),
        ("append", ("Nowhere", None, None, content)),
        ("status", ("Job/Old", "(MESSAGES RECENT UIDNEXT UNSEEN)")),
        ("fetch", ("1", "(FLAGS)")),
        ("select", ("Job/Old",)),
        ("fetch", ("1", "(UID FLAGS INTERNALDATE RFC822.SIZE)")),
        ("fetch", ("1", "(ENVELOPE BODYSTRUCTURE)")),
        ("fetch", ("1", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)] BODY.PEEK[TEXT]<0.5>)")),
        ("store", ("1", "-FLAGS", r"(\Draft)")),
        ("store", ("1", "+FLAGS.SILENT", r"(\Answered custom)")),
        ("uid", ("FETCH", "1:*", "(FLAGS)")),
        ("search", (None, "SEEN", "SUBJECT", '"one of"', "SINCE", "1-Jan-2001", "NOT", "DELETED")),
        ("search", (None, "OR", "UNSEEN", "LARGER", "1000000")),
        ("search", (None, "NONSENSE")),
        ("uid", ("SEARCH", "KEYWORD", "custom")),
        ("copy", ("1", "INBOX")),
        ("copy", ("1", "Nowhere")),
        ("store", ("1", "+FLAGS", r"(\Deleted)")),
        ("expunge", ()),
        ("select", ("INBOX",)),
        ("fetch", ("1", "(UID FLAGS INTERNALDATE)")),
        ("uid", ("MOVE", "1", "&ZeVnLIqe-")),
        ("noop", ()),
        ("close", ()),
        ("delete", ("Job/Old",)),
        ("delete", ("INBOX",)),
        ("select", ("&ZeVnLIqe-",)),
    ]


def answer(imap, name, arguments):
    """What came back; untagged news too, and tags gone, because they are random."""
    imap.untagged_responses.clear()
    try:
        kind, answered = getattr(imap, name)(*arguments)
    except imaplib.IMAP4.error as error:
        return ["error", re.sub(r"[A-Z]{4}\d+ ", "", str(error))]
    return [kind, [shown(item) for item in answered]]


def shown(item):
    if isinstance(item, tuple):
        return [shown(part) for part in item]
    return re.sub(r"UIDVALIDITY \d+|(?<=UID )\d{6,}", "N", item.decode()) if item is not None else None


def fetched(imap):
    try:
        return imap.fetch("1", "(BODY.PEEK[])")[1][0][1]
    except imaplib.IMAP4.error as error:
        return str(error)


def idle(imap, task, context):
    """News of another session's message, pushed while nothing is asked."""
    imap.select("INBOX")
    tag = imap._new_tag()
    imap.send(tag + b" IDLE\r\n")
    told = [imap.readline().decode()[:1]]
    with imaplib.IMAP4_SSL(task["host"], task["imaps"], ssl_context=context) as other:
        other.login(task["address"], task["password"])
        other.append("INBOX", None, None, b"Subject: news\r\n\r\n")
        told.append(imap.readline().decode().strip())
        other.select("INBOX")
        other.store("1", "+FLAGS", r"(\Flagged)")
        while "FETCH" not in told[-1]:
            told.append(imap.readline().decode().strip())
    imap.send(b"DONE\r\n")
    told.append(imap.readline().decode().strip().removeprefix(tag.decode()))
    return told


main()
