"""Reads all mail of one account over POP3 and IMAP, by Python's own clients.

Arguments: JSON with host, pop3s, imaps, ca, address, password, mailbox, directory. Writes DIRECTORY/N.pop3 and
DIRECTORY/N.imap, N from 1, and prints JSON: UIDVALIDITY and, in order, UID, flags and POP3's unique id of each email.
"""

import imaplib
import json
import poplib
import re
import ssl
import sys

# Longer lines than a peer may send; it is the server's word that is compared here.
poplib._MAXLINE = 1 << 20


def main():
    task = json.loads(sys.argv[1])
    context = ssl.create_default_context(cafile=task["ca"])
    imap = imaplib.IMAP4_SSL(task["host"], task["imaps"], ssl_context=context)
    imap.login(task["address"], task["password"])
    _, [count] = imap.select(task["mailbox"], readonly=True)
    _, [validity] = imap.response("UIDVALIDITY")
    emails = [read_imap(imap, number, task["directory"]) for number in range(1, int(count) + 1)]
    imap.logout()
    if task["mailbox"] == "INBOX":
        read_pop3(task, context, emails)
    print(json.dumps({"validity": int(validity), "emails": emails}))


def read_imap(imap, number, directory):
    _, [(facts, content), rest] = imap.fetch(str(number), "(UID FLAGS BODY.PEEK[])")
    with open(f"{directory}/{number}.imap", "wb") as file:
        file.write(content)
    uid = re.search(rb"UID (\d+)", facts + rest)
    flags = imaplib.ParseFlags(facts + rest)
    return {"uid": int(uid[1]), "flags": sorted(flag.decode() for flag in flags)}


def read_pop3(task, context, emails):
    pop3 = poplib.POP3_SSL(task["host"], task["pop3s"], context=context)
    pop3.user(task["address"])
    pop3.pass_(task["password"])
    _, listing, _ = pop3.uidl()
    for number, line in enumerate(listing, 1):
        shown, unique = line.split()
        assert int(shown) == number, line
        _, lines, _ = pop3.retr(number)
        with open(f"{task['directory']}/{number}.pop3", "wb") as file:
            file.write(b"".join(line + b"\r\n" for line in lines))
        emails[number - 1]["unique"] = unique.decode()
    pop3.quit()
    assert len(listing) == len(emails), "POP3 and IMAP list the same mail"


main()
