"""A day with Python's poplib: prints as JSON what each step was answered.

Arguments: JSON with host, pop3, pop3s, ca, address, password. The maildrop holds three emails.
"""

import json
import poplib
import ssl
import sys


def main():
    task = json.loads(sys.argv[1])
    context = ssl.create_default_context(cafile=task["ca"])
    told = []
    first = poplib.POP3(task["host"], task["pop3"])
    told.append(["capa", {name: arguments for name, arguments in sorted(first.capa().items())}])
    told.append(["stls", shown(first.stls(context))])
    told.append(["wrong", attempt(first.user, task["address"]), attempt(first.pass_, "wrong")])
    told.append(["right", attempt(first.user, task["address"]), attempt(first.pass_, task["password"])])
    told.append(["stat", first.stat()[0]])
    second = poplib.POP3_SSL(task["host"], task["pop3s"], context=context)
    told.append(["in use", attempt(second.user, task["address"]), attempt(second.pass_, task["password"])])
    second.close()
    told.append(["top", shown(first.top(2, 1)[1][-3:])])
    told.append(["no such", attempt(first.retr, 9), attempt(first.dele, 0), attempt(first.uidl, 4)])
    told.append(["dele", attempt(first.dele, 2), attempt(first.retr, 2), attempt(first.dele, 2), first.stat()[0]])
    told.append(["rset", attempt(first.rset), first.stat()[0]])
    unique = shown(first.uidl()[1])
    told.append(["dele and cut", attempt(first.dele, 1)])
    first.close()
    third = poplib.POP3_SSL(task["host"], task["pop3s"], context=context)
    third.user(task["address"])
    third.pass_(task["password"])
    told.append(["uidl as before", shown(third.uidl()[1]) == unique])
    told.append(["dele and quit", attempt(third.dele, 2), attempt(third.noop), attempt(third.quit)])
    fourth = poplib.POP3_SSL(task["host"], task["pop3s"], context=context)
    fourth.user(task["address"])
    fourth.pass_(task["password"])
    kept = [line.split()[1] for line in (unique[0], unique[2])]
    told.append(["uidl without it", [line.split()[1] for line in shown(fourth.uidl()[1])] == kept])
    fourth.quit()
    print(json.dumps(told))


def attempt(call, *arguments):
    try:
        return shown(call(*arguments))
    except poplib.error_proto as error:
        return ["refused", shown(error.args[0])]


def shown(value):
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, (tuple, list)):
        return [shown(item) for item in value]
    return value


main()
