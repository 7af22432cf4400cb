//! docs/performance.md, written from the results. No date stands in it: its commit has one.

use std::fmt::Write;

use crate::machine::Machine;
use crate::results::{Measured, Results, Row, Section};
use crate::work::reading::MAILBOX;

const OURS: &str = "Waxseal";

/// The whole page.
pub fn page(results: &Results, machine: &Machine, command: &str) -> String {
    let rows = &results.rows;
    [
        head(machine, command),
        "## Mail that comes in\n\n".into(),
        MAIL.into(),
        rates(rows, Section::Mail),
        format!("## One IMAP command on {} messages of 4 KiB\n\n", number(Some(MAILBOX as f64))),
        COMMANDS.into(),
        commands(rows, "Median", |times| {
            median(times.get(1..).filter(|rest| !rest.is_empty()).unwrap_or(times))
        }),
        commands(rows, "The first time after the mailbox was filled", |times| times[0]),
        "## Sessions that read, append and sign in\n\n".into(),
        READING.into(),
        rates(rows, Section::Reading),
    ]
    .concat()
}

const MAIL: &str = "\
Waxseal beside Postfix. \"Take\": Postfix puts mail into its queue, on hold; Waxseal also files it into mailboxes, as it takes and files in one
commit. \"Take and file\" lasts until IMAP shows every message; Postfix hands them to Dovecot by LMTP. \"Take and relay\" lasts until the next hop has
every message; the latency is from the making of a message to its arrival there.

";

const COMMANDS: &str = "\
Milliseconds from the command to its tagged OK, in a session that is new for each, and in parentheses the processor time of the server for it.
\"Beside\": how many times as long Dovecot took. All servers must bring the same rows and numbers. STORE changes every message; Dovecot does not
wait for the disk at STORE, Waxseal does.

";

const READING: &str = "\
Passwords are remembered: each user has signed in before. CPU is the server's for one message or sign-in, memory that of all its processes at its
peak; what a waiting session costs is proved by `cargo xtask ci memory`.

";

fn head(machine: &Machine, command: &str) -> String {
    format!(
        "# Performance

Written by `{command}`; do not edit. [bench/README.md](../bench/README.md) says how it measures.

- Machine: {}, {} MiB of memory, {}.
- Data: {}, on {}.
- Programs: {}.

Servers take turns within every round of one run, so that drift of the machine meets all alike; figures are medians over the rounds. Load and
server share the machine, over loopback. CPU is the server's alone, with all its processes, and hardly depends on what else runs; where more than a
tenth of a processor was busy with something else, rates carry an asterisk.

All servers answer only after the mail is on stable storage. Postfix and Dovecot run with their own defaults for that (a sync of each queue file, and
`mail_fsync = optimized`); Waxseal has no setting that would weaken it. Flushes are those that the disk saw: a server that lets
several messages share one needs fewer than one a message.

",
        machine.processors,
        machine.memory_mib,
        machine.kernel,
        machine.filesystem,
        machine.disk,
        machine.programs.join(", "),
    )
}

/// A row for each work and server.
fn rates(rows: &[Row], section: Section) -> String {
    let mut text = String::from(
        "| work | server | a second | p50 ms | p99 ms | CPU s/1,000 | memory MiB | flushes each | Waxseal is |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    for (work, server) in pairs(rows, section) {
        let of =
            |server: &str, value: fn(&Measured) -> Option<f64>| middle(rows, section, work, server, value);
        let disturbed = of(server, |m| m.others).is_some_and(|others| others > 0.1);
        let beside = if server == OURS { String::new() } else { beside(&of, server) };
        let _ = writeln!(
            text,
            "| {work} | {server} | {}{} | {} | {} | {} | {} | {} | {beside} |",
            number(of(server, |m| m.per_second)),
            if disturbed { "*" } else { "" },
            number(of(server, |m| m.p50_ms)),
            number(of(server, |m| m.p99_ms)),
            number(of(server, |m| m.processor_ms)),
            number(of(server, |m| m.memory_kib).map(|kib| kib / 1024.0)),
            number(of(server, |m| m.flushes)),
        );
    }
    text + "\n"
}

/// How Waxseal compares with a server at the same work.
fn beside(of: &impl Fn(&str, fn(&Measured) -> Option<f64>) -> Option<f64>, server: &str) -> String {
    let ratio = |value: fn(&Measured) -> Option<f64>| Some(of(OURS, value)? / of(server, value)?);
    let rate = ratio(|m| m.per_second).map(|ratio| format!("{} times as fast", number(Some(ratio))));
    let processor = ratio(|m| m.processor_ms).filter(|ratio| ratio.is_finite());
    let processor = processor.map(|ratio| format!("{} of the CPU", number(Some(ratio))));
    rate.into_iter().chain(processor).collect::<Vec<_>>().join(", ")
}

/// A row for each command, a column for each server.
fn commands(rows: &[Row], title: &str, pick: impl Fn(&[f64]) -> f64) -> String {
    let servers = unique(rows.iter().filter(|row| row.section == Section::Command).map(|row| &*row.server));
    let peers = servers.iter().filter(|server| **server != OURS);
    let mut text = format!("| {title} | {OURS} |");
    for peer in peers.clone() {
        let _ = write!(text, " {peer} | beside |");
    }
    text += &format!("\n|---|---|{}\n", "---|---|".repeat(servers.len().saturating_sub(1)));
    for work in unique(rows.iter().filter(|row| row.section == Section::Command).map(|row| &*row.work)) {
        let cell = |server: &str, value: fn(&Measured) -> Option<f64>| {
            let values = values(rows, Section::Command, work, server, value);
            (!values.is_empty()).then(|| pick(&values))
        };
        let both = |server| {
            let (time, processor) = (cell(server, |m| m.p50_ms), cell(server, |m| m.processor_ms));
            format!("{} ({})", number(time), number(processor))
        };
        let _ = write!(text, "| {work} | {} |", both(OURS));
        for peer in peers.clone() {
            let ratio =
                cell(peer, |m| m.p50_ms).zip(cell(OURS, |m| m.p50_ms)).map(|(theirs, ours)| theirs / ours);
            let _ = write!(text, " {} | {} |", both(peer), number(ratio));
        }
        text.push('\n');
    }
    text + "\n"
}

fn pairs(rows: &[Row], section: Section) -> Vec<(&str, &str)> {
    let rows = rows.iter().filter(|row| row.section == section);
    let works = unique(rows.clone().map(|row| &*row.work));
    let of = |work| unique(rows.clone().filter(move |row| row.work == work).map(|row| &*row.server));
    works.into_iter().flat_map(|work| of(work).into_iter().map(move |server| (work, server))).collect()
}

/// In the order of their first appearance.
fn unique<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut all = Vec::new();
    for name in names {
        if !all.contains(&name) {
            all.push(name);
        }
    }
    all
}

fn values(
    rows: &[Row],
    section: Section,
    work: &str,
    server: &str,
    value: fn(&Measured) -> Option<f64>,
) -> Vec<f64> {
    let rows = rows.iter().filter(|row| row.section == section && row.work == work && row.server == server);
    rows.filter_map(|row| value(&row.measured)).collect()
}

fn middle(
    rows: &[Row],
    section: Section,
    work: &str,
    server: &str,
    value: fn(&Measured) -> Option<f64>,
) -> Option<f64> {
    let values = values(rows, section, work, server, value);
    (!values.is_empty()).then(|| median(&values))
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len().is_multiple_of(2) { (sorted[middle - 1] + sorted[middle]) / 2.0 } else { sorted[middle] }
}

/// Three digits that matter, thousands apart.
fn number(value: Option<f64>) -> String {
    let Some(value) = value.filter(|value| value.is_finite()) else { return String::new() };
    match value.abs() {
        0.0 => "0".into(),
        small if small < 1.0 => format!("{value:.2}"),
        small if small < 10.0 => format!("{value:.1}"),
        small if small < 1000.0 => format!("{value:.0}"),
        _ => {
            let whole = format!("{value:.0}");
            let (thousands, rest) = whole.split_at(whole.len() - 3);
            format!("{thousands},{rest}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(section: Section, work: &str, server: &str, measured: Measured) -> Row {
        Row { section, work: work.into(), server: server.into(), measured }
    }

    #[test]
    fn medians() {
        assert_eq!((median(&[3.0, 1.0, 2.0]), median(&[4.0, 1.0])), (2.0, 2.5));
    }

    #[test]
    fn numbers_have_three_digits() {
        let shown = [0.0, 0.123, 1.26, 12.6, 126.4, 12600.0].map(|value| number(Some(value)));
        assert_eq!(shown, ["0", "0.12", "1.3", "13", "126", "12,600"]);
        assert_eq!(number(None), "");
    }

    #[test]
    fn a_peer_is_compared_with_ours() {
        let measured = |per_second, processor_ms| Measured {
            per_second: Some(per_second),
            processor_ms: Some(processor_ms),
            ..Measured::default()
        };
        let rows = [
            row(Section::Mail, "take", OURS, measured(3000.0, 0.5)),
            row(Section::Mail, "take", "Postfix", measured(1000.0, 1.0)),
        ];
        let table = rates(&rows, Section::Mail);
        assert!(table.contains("| take | Waxseal | 3,000 |  |  | 0.50 |  |  |  |"), "{table}");
        assert!(table.contains("3.0 times as fast, 0.50 of the CPU |"), "{table}");
    }

    #[test]
    fn commands_stand_side_by_side() {
        let time = |ms| Measured { p50_ms: Some(ms), ..Measured::default() };
        let rows = [
            row(Section::Command, "SELECT", OURS, time(9.0)),
            row(Section::Command, "SELECT", "Dovecot", time(100.0)),
            row(Section::Command, "SELECT", OURS, time(2.0)),
            row(Section::Command, "SELECT", "Dovecot", time(4.0)),
        ];
        let first = commands(&rows, "First", |times| times[0]);
        assert!(first.contains("| First | Waxseal | Dovecot | beside |"), "{first}");
        assert!(first.contains("| SELECT | 9.0 () | 100 () | 11 |"), "{first}");
    }
}
