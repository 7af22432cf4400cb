"""Sends by Python's smtplib and prints as JSON what the server answered.

Arguments: JSON with host, smtp, submission, submissions, ca, address, password, other. Standard input: the content.
"""

import json
import smtplib
import ssl
import sys


def main():
    task = json.loads(sys.argv[1])
    content = sys.stdin.buffer.read()
    context = ssl.create_default_context(cafile=task["ca"])
    told = []
    for way, send in WAYS.items():
        try:
            told.append([way, send(task, context, content)])
        except smtplib.SMTPException as error:
            told.append([way, "refused", shown(error.args)])
    print(json.dumps(told))


def shown(value):
    """Replies as text; what is in them stays in order."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, (tuple, list)):
        return [shown(item) for item in value]
    if isinstance(value, dict):
        return {key: shown(item) for key, item in value.items()}
    return value


def plain(task, context, content):
    with smtplib.SMTP(task["host"], task["smtp"], "client.example") as smtp:
        refused = smtp.sendmail(task["address"], [task["address"], task["other"]], content)
        return [sorted(smtp.esmtp_features), shown(refused)]


def starttls(task, context, content):
    with smtplib.SMTP(task["host"], task["smtp"], "client.example") as smtp:
        smtp.starttls(context=context)
        recipients = [task["address"], "nobody@example.org", "someone@example.net"]
        refused = smtp.sendmail(task["address"], recipients, content, ["BODY=8BITMIME"])
        return [sorted(smtp.esmtp_features), shown(refused)]


def login(task, context, content):
    with smtplib.SMTP(task["host"], task["submission"], "client.example") as smtp:
        smtp.starttls(context=context)
        smtp.ehlo_or_helo_if_needed()
        smtp.user, smtp.password = task["address"], task["password"]
        answer = smtp.auth("LOGIN", smtp.auth_login)
        recipients = [task["address"], "someone@example.net"]
        return [shown(answer), shown(smtp.sendmail(task["address"], recipients, content))]


def implicit(task, context, content):
    with smtplib.SMTP_SSL(task["host"], task["submissions"], "client.example", context=context) as smtp:
        answer = smtp.login(task["address"], task["password"])
        return [shown(answer), shown(smtp.sendmail(task["address"], [task["address"]], content))]


def wrong_password(task, context, content):
    with smtplib.SMTP_SSL(task["host"], task["submissions"], "client.example", context=context) as smtp:
        return shown(smtp.login(task["address"], "wrong"))


def not_signed_in(task, context, content):
    with smtplib.SMTP_SSL(task["host"], task["submissions"], "client.example", context=context) as smtp:
        return shown(smtp.sendmail(task["address"], [task["address"]], content))


def commands(task, context, content):
    with smtplib.SMTP(task["host"], task["smtp"], "client.example") as smtp:
        steps = [smtp.helo(), smtp.noop(), smtp.verify(task["address"]), smtp.expn("all"), smtp.mail(task["address"])]
        steps += [smtp.rset(), smtp.docmd("RCPT", f"TO:<{task['address']}>"), smtp.docmd("DATA"), smtp.docmd("TURN")]
        steps += [smtp.docmd("MAIL", "FROM:<> SIZE=99999999999"), smtp.docmd("HELP"), smtp.quit()]
        return shown(steps)


WAYS = {
    "plain": plain,
    "starttls": starttls,
    "login": login,
    "implicit": implicit,
    "wrong password": wrong_password,
    "not signed in": not_signed_in,
    "commands": commands,
}

main()
