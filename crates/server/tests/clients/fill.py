"""Changes a mailbox by Python's imaplib: appends messages, sets flags, removes.

Standard input: JSON with host, imaps, ca, address, password, mailbox, and any of: append (a list of [flags, text]), store (a
list of [UIDs, operation, flags]), expunge (UIDs). Prints the UIDs that are there afterwards.
"""

import imaplib
import json
import ssl
import sys


def main():
    task = json.load(sys.stdin)
    context = ssl.create_default_context(cafile=task["ca"])
    imap = imaplib.IMAP4_SSL(task["host"], task["imaps"], ssl_context=context)
    imap.login(task["address"], task["password"])
    imap.create(task["mailbox"])
    for flags, text in task.get("append", []):
        check(imap.append(task["mailbox"], flags, None, text.encode()))
    check(imap.select(task["mailbox"]))
    for uids, operation, flags in task.get("store", []):
        check(imap.uid("STORE", uids, operation, flags))
    if task.get("expunge"):
        check(imap.uid("STORE", task["expunge"], "+FLAGS.SILENT", r"(\Deleted)"))
        check(imap.uid("EXPUNGE", task["expunge"]))
    uids = check(imap.uid("SEARCH", "ALL"))[0].split()
    print(json.dumps([int(uid) for uid in uids]))
    imap.logout()


def check(answer):
    kind, data = answer
    assert kind == "OK", data
    return data


main()
