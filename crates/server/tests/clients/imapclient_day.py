"""A day with the library IMAPClient: prints as JSON what each step was answered.

Arguments: JSON with host, imap, imaps, ca, address, password. Standard input: a content. Its packages are in the folder that
the environment variable PYTHONPATH names.
"""

import json
import re
import ssl
import sys

import imapclient


def main():
    task = json.loads(sys.argv[1])
    content = sys.stdin.buffer.read()
    context = ssl.create_default_context(cafile=task["ca"])
    told = []

    def tell(name, value):
        told.append([name, plain(value)])

    with imapclient.IMAPClient("localhost", task["imaps"], ssl_context=context) as one:
        one.login(task["address"], task["password"])
        tell("folders", sorted(one.list_folders()))
        for use in (b"\\Sent", b"\\Trash", b"\\Junk", b"\\Drafts", b"\\Archive"):
            tell("special", [use, one.find_special_folder(use)])
        tell("namespace", one.namespace())
        tell("id", sorted(one.id_({"name": "test"})))
        one.create_folder("Entwürfe/日本語")
        tell("named", [name for _, _, name in one.list_folders("", "Entw*")])
        tell("enabled", one.enable("CONDSTORE"))
        one.select_folder("Entwürfe/日本語")
        tell("appended", one.append("Entwürfe/日本語", content, [imapclient.FLAGGED]))
        # Without flags this library writes two spaces.
        two = [{"msg": content, "flags": [imapclient.SEEN]}, {"msg": b"Subject: two\r\n\r\ntwo\r\n", "flags": []}]
        tell("appended together", one.multiappend("Entwürfe/日本語", two))
        rows = one.fetch("1:*", ["FLAGS", "RFC822.SIZE", "BODY.PEEK[]", "MODSEQ"])
        tell("same octets", [rows[uid][b"BODY[]"] == content for uid in sorted(rows)])
        tell("sizes", [rows[uid][b"RFC822.SIZE"] for uid in sorted(rows)])
        modseq = max(rows[uid][b"MODSEQ"][0] for uid in rows)
        tell("flags", one.add_flags([2], [imapclient.ANSWERED, "$Forwarded"]))
        changed = one.fetch("1:*", ["FLAGS"], [f"CHANGEDSINCE {modseq}"])
        tell("changed", sorted(changed))
        tell("found by subject", one.search(["SUBJECT", "grüße"], charset="UTF-8"))
        tell("found by flag", one.search(["UNSEEN", "NOT", "FLAGGED"]))
        tell("status", one.folder_status("INBOX", ["MESSAGES", "UIDNEXT", "UNSEEN"]))
        with imapclient.IMAPClient("localhost", task["imap"], ssl=False) as other:
            other.starttls(context)
            other.login(task["address"], task["password"])
            other.select_folder("Entwürfe/日本語")
            one.idle()
            other.set_flags([1], [imapclient.DELETED])
            other.uid_expunge([1])
            tell("idle", heard(one, 2))
            one.idle_done()
            other.move([3], "Archive")
        tell("after", [one.noop()[0], one.search("ALL")])
        one.rename_folder("Entwürfe", "Notizen")
        tell("renamed", sorted(name for _, _, name in one.list_folders()))
        one.delete_folder("Notizen/日本語")
        tell("subscribed", [name for _, _, name in one.list_sub_folders()])
    print(json.dumps(told, ensure_ascii=False))


def heard(client, count):
    """Untagged responses while in IDLE, until there are so many."""
    responses = []
    while len(responses) < count:
        more = client.idle_check(timeout=20)
        assert more, responses
        responses += more
    return responses


def plain(value):
    """As JSON has it; sets sorted, octets as text."""
    if isinstance(value, bytes):
        # UIDVALIDITY is another each time.
        return re.sub(r"APPENDUID \d+", "APPENDUID V", value.decode())
    if isinstance(value, dict):
        return {str(plain(key)): plain(item) for key, item in sorted(value.items(), key=str)}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted(plain(item) for item in value)
    return value


main()
