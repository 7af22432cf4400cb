// A day with the library imapflow: prints as JSON what each step was answered.
// Arguments: JSON with host, imaps, ca, address, password. Standard input: a content.
"use strict";

const fs = require("fs");
const { ImapFlow } = require("imapflow");

const task = JSON.parse(process.argv[2]);
const content = fs.readFileSync(0);
const told = [];
const tell = (name, value) => told.push([name, value]);

function client(more) {
    return new ImapFlow({
        host: "localhost",
        port: task.imaps,
        secure: true,
        tls: { ca: fs.readFileSync(task.ca) },
        auth: { user: task.address, pass: task.password },
        logger: false,
        ...more,
    });
}

async function main() {
    const one = client({ qresync: true });
    await one.connect();
    tell("enabled", [...one.enabled].sort());
    tell("compressed", Boolean(one._deflate));
    const boxes = await one.list({ statusQuery: { messages: true, unseen: true } });
    tell("list", boxes.map((box) => [box.path, box.specialUse || "", box.status.messages]).sort());
    tell("create", (await one.mailboxCreate(["Entwürfe", "日本語"])).path);
    const path = "Entwürfe/日本語";
    const first = await one.append(path, content, ["\\Flagged"], new Date("2001-02-03T04:05:06Z"));
    tell("append", [first.uid, Boolean(first.uidValidity)]);
    await one.append(path, content, []);
    await one.append(path, content, ["\\Seen"]);
    const opened = await one.mailboxOpen(path);
    const before = opened.highestModseq;
    tell("open", [opened.exists, opened.noModseq, Number(opened.highestModseq) > 0]);
    const row = await one.fetchOne("1", { uid: true, flags: true, envelope: true, internalDate: true, size: true });
    tell("fetch", [row.uid, [...row.flags], row.envelope.subject, row.internalDate.toISOString(), row.size]);
    const part = await one.fetchOne("1", { bodyStructure: true, source: true });
    tell("structure", part.bodyStructure.type);
    tell("same octets", part.source.equals(content));
    const download = await one.download("1", "1");
    const text = [];
    for await (const piece of download.content) text.push(piece);
    tell("download", Buffer.concat(text).toString());
    tell("search", await one.search({ header: { subject: "grüße" }, seen: false }, { uid: true }));
    tell("flags", await one.messageFlagsAdd("2", ["\\Answered", "custom"]));
    const since = [];
    for await (const row of one.fetch("1:*", { flags: true }, { changedSince: before })) since.push(row.uid);
    tell("changed since", since);

    const other = client({});
    await other.connect();
    await other.mailboxOpen(path);
    const events = [];
    one.on("exists", (event) => events.push(["exists", event.count]));
    one.on("expunge", (event) => events.push(["expunge", event.uid || event.seq, Boolean(event.vanished)]));
    one.on("flags", (event) => events.push(["flags", event.uid, [...event.flags].sort()]));
    const idle = one.idle();
    await other.messageFlagsAdd("1", ["\\Seen"], { uid: true });
    await other.append(path, content, []);
    await other.messageDelete("3", { uid: true });
    await until(() => events.length >= 4);
    tell("heard", events);
    await one.noop();
    await idle;
    const moved = await other.messageMove("2", "Archive", { uid: true });
    tell("move", [...moved.uidMap]);
    tell("status", await other.status("Archive", { messages: true, unseen: true, uidNext: true }));
    tell("rename", (await other.mailboxRename(["Entwürfe"], ["Notizen"])).newPath);
    tell("delete", (await other.mailboxDelete(["Notizen", "日本語"])).path);
    await other.logout();
    await one.logout();
    console.log(JSON.stringify(told));
}

async function until(ready) {
    for (let turn = 0; turn < 200; turn++) {
        if (ready()) return;
        await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error("nothing was heard for twenty seconds");
}

main().catch((error) => {
    console.error(error, JSON.stringify(told));
    process.exit(1);
});
