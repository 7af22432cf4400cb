// Signs in by the library nodemailer, and sends nothing.
// Arguments: JSON with port, ca, address, mechanism and secret.
"use strict";

const fs = require("fs");
const nodemailer = require("nodemailer");

const task = JSON.parse(process.argv[2]);
const byToken = task.mechanism === "XOAUTH2";

const mailer = nodemailer.createTransport({
    host: "localhost",
    port: task.port,
    secure: true,
    name: "client.example",
    tls: { ca: fs.readFileSync(task.ca) },
    authMethod: byToken ? undefined : task.mechanism,
    auth: byToken
        ? { type: "OAuth2", user: task.address, accessToken: task.secret }
        : { user: task.address, pass: task.secret },
});

mailer.verify().then(
    () => process.exit(0),
    (error) => {
        console.error(error.message);
        process.exit(1);
    },
);
