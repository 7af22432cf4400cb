"""Sends standard input to an account over SMTP. Arguments: JSON with host, smtp, address."""

import json
import smtplib
import sys

task = json.loads(sys.argv[1])
with smtplib.SMTP(task["host"], task["smtp"], "client.example") as smtp:
    print(json.dumps(smtp.sendmail("sender@example.net", [task["address"]], sys.stdin.buffer.read())))
