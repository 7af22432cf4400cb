//! Mail that comes in: kept, filed until IMAP shows it, relayed until the next hop has it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::{Extent, SIZE};
use crate::load::imap;
use crate::load::sink::Sink;
use crate::load::source::{self, Plan, Sent};
use crate::meter::Meter;
use crate::results::{Measured, Results, Row, Section};
use crate::server::{Places, SINK, Server, Task, USERS, postfix, waxseal};

/// So long after the last 250 mail may still be on its way.
const ARRIVAL_MAX: Duration = Duration::from_secs(120);

/// One way to load a server.
struct Case {
    task: Task,
    sessions: u64,
    messages: u64,
    size: usize,
}

impl Case {
    fn name(&self) -> String {
        let what = match self.task {
            Task::Keep => "take",
            Task::File => "take and file into 100 mailboxes",
            Task::Relay => "take and relay",
        };
        let connections = if self.sessions == 1 { "connection" } else { "connections" };
        format!("{what}, {} KiB, {} {connections}", self.size / 1024, self.sessions)
    }
}

fn cases(extent: Extent) -> Vec<Case> {
    let messages = extent.messages;
    let case = |task, sessions| Case { task, sessions, messages, size: SIZE };
    let mut cases = vec![case(Task::Keep, 8), case(Task::Keep, 32)];
    if extent.all {
        cases.insert(0, Case { messages: messages / 4, ..case(Task::Keep, 1) });
        cases.push(Case { messages: messages / 4, size: 64 * 1024, ..case(Task::Keep, 8) });
    }
    cases.extend([case(Task::File, 8), case(Task::Relay, 8)]);
    cases
}

/// Measures every case, Waxseal and Postfix in turn.
pub async fn measure(places: &Places, extent: Extent, results: &mut Results) -> Result<()> {
    for case in cases(extent) {
        for _ in 0..extent.rounds {
            let ours = waxseal::start(places, case.task).await?;
            results.add(run(&ours, &case).await?)?;
            drop(ours);
            let theirs = postfix::start(places, case.task).await?;
            results.add(run(&theirs, &case).await?)?;
        }
    }
    Ok(())
}

async fn run(server: &Server, case: &Case) -> Result<Row> {
    let plan = Plan {
        address: server.smtp.clone().context("no SMTP")?,
        sessions: case.sessions,
        messages: case.messages,
        size: case.size,
        users: USERS,
    };
    let measured = match case.task {
        Task::Keep => kept(server, plan).await,
        Task::File => filed(server, plan).await,
        Task::Relay => relayed(server, plan).await,
    };
    let measured = measured.with_context(|| format!("{}: {}", server.name, case.name()))?;
    Ok(Row { section: Section::Mail, work: case.name(), server: server.name.clone(), measured })
}

async fn kept(server: &Server, plan: Plan) -> Result<Measured> {
    let meter = Meter::start(&server.groups, true)?;
    let sent = source::send(plan).await?;
    let end = sent.begun + sent.time;
    whole(&sent, end, meter)
}

async fn filed(server: &Server, plan: Plan) -> Result<Measured> {
    let (accounts, messages) = (server.accounts()?, plan.messages);
    let mut clients = Vec::new();
    for number in 1..=USERS {
        clients.push(accounts.sign_in(number).await?);
    }
    let meter = Meter::start(&server.groups, true)?;
    let sent = source::send(plan).await?;
    let end = imap::wait(&mut clients, messages, ARRIVAL_MAX).await?;
    whole(&sent, end, meter)
}

/// Latency is from the making of a message to its arrival at the sink.
async fn relayed(server: &Server, plan: Plan) -> Result<Measured> {
    let (sink, messages) = (Sink::listen(SINK).await?, plan.messages);
    let meter = Meter::start(&server.groups, true)?;
    let sent = source::send(plan).await?;
    let received = sink.wait(messages, ARRIVAL_MAX).await?;
    let mut measured = whole(&sent, received.last.context("nothing arrived")?, meter)?;
    measured.p50_ms = received.latency.quantile(0.5);
    measured.p99_ms = received.latency.quantile(0.99);
    Ok(measured)
}

/// From the first connection to `end`, when the last message was where it belongs.
fn whole(sent: &Sent, end: Instant, meter: Meter) -> Result<Measured> {
    let used = meter.stop()?;
    let messages = sent.accepted as f64;
    Ok(Measured {
        per_second: Some(messages / (end - sent.begun).as_secs_f64()),
        p50_ms: sent.latency.quantile(0.5),
        p99_ms: sent.latency.quantile(0.99),
        processor_ms: Some(used.processor_seconds * 1000.0 / messages),
        memory_kib: Some(used.pss_peak_kib as f64),
        flushes: Some(used.flushes as f64 / messages),
        others: Some(used.others),
    })
}
