// Submits by the library nodemailer: prints as JSON what each step was answered.
// Arguments: JSON with host, submission, submissions, ca, address, password.
"use strict";

const fs = require("fs");
const nodemailer = require("nodemailer");

const task = JSON.parse(process.argv[2]);
const told = [];

function transport(more) {
    return nodemailer.createTransport({
        host: "localhost",
        name: "client.example",
        tls: { ca: fs.readFileSync(task.ca) },
        auth: { user: task.address, pass: task.password },
        ...more,
    });
}

const message = {
    from: { name: "Jörg", address: task.address },
    to: task.address,
    subject: "Grüße von nodemailer",
    messageId: "<nodemailer@client.example>",
    date: new Date("2026-11-22T10:00:00Z"),
    text: "Hello.\n.\n..\nGrüße\n",
    html: "<p>Grüße</p>",
    attachments: [{ filename: "octets.bin", content: Buffer.from([...Array(4096).keys()].map((n) => n % 256)) }],
};

async function send(name, options, more) {
    const mailer = transport(options);
    try {
        const sent = await mailer.sendMail({ ...message, ...more });
        told.push([name, sent.accepted, sent.rejected, sent.response.replace(/ \S+ kept$/, " ID kept")]);
    } catch (error) {
        told.push([name, error.code, error.responseCode || 0, error.response || error.message]);
    }
    mailer.close();
}

async function main() {
    const starttls = { port: task.submission, secure: false, requireTLS: true };
    const implicit = { port: task.submissions, secure: true };
    await send("starttls", { ...starttls, authMethod: "PLAIN" }, {});
    await send("implicit", { ...implicit, authMethod: "LOGIN" }, {});
    await send("pool", { ...implicit, pool: true }, {});
    await send("dsn", implicit, { dsn: { id: "envelope+1", return: "headers", notify: ["success", "failure"], recipient: task.address } });
    await send("wrong password", { ...implicit, auth: { user: task.address, pass: "wrong" } }, {});
    await send("no such recipient", implicit, { to: "nobody@example.org" });
    await send("utf-8 address", implicit, { to: "jörg@example.org" });
    console.log(JSON.stringify(told));
}

main();
