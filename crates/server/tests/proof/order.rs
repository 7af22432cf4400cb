//! Whether each 250 was written after what it promises was on stable storage.
//!
//! ```text
//! content written to a segment -> the segment synced -> records written to the log of SQLite -> that log synced -> 250
//! a segment made               -> its directory synced                                                          -> 250
//! ```
//!
//! `->`: the left ended before the right began.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::message::{Message, numbers_in};
use super::trace::Call;

/// A step that was missing or came late.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Late {
    ContentWritten,
    ContentSynced,
    SegmentNamed,
    RecordsWritten,
    RecordsSynced,
    /// Records were written before their content was synced.
    ContentFirst,
    /// There is no such reply.
    Reply,
}

impl fmt::Display for Late {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ContentWritten => "250 before its content was written",
            Self::ContentSynced => "250 before its content was synced",
            Self::SegmentNamed => "250 before the name of its segment was synced",
            Self::RecordsWritten => "250 before its records were written",
            Self::RecordsSynced => "250 before its records were synced",
            Self::ContentFirst => "records written before their content was synced",
            Self::Reply => "no 250 in the trace",
        })
    }
}

/// When something began and ended, in lines of the trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    begin: usize,
    end: usize,
}

/// Content of one message in one write.
#[derive(Debug)]
struct Written {
    segment: String,
    span: Span,
    /// Marks of the message in it.
    marks: usize,
}

/// What a trace shows, as far as order goes.
#[derive(Debug, Default)]
pub(crate) struct Order {
    content: BTreeMap<u32, Vec<Written>>,
    /// The first transaction that names a message.
    records: BTreeMap<u32, Span>,
    /// Syncs that succeeded, by file.
    syncs: BTreeMap<String, Vec<Span>>,
    /// Segments that were made.
    made: BTreeMap<String, Span>,
    /// The log of SQLite, and its transaction under way.
    log: String,
    transaction: Transaction,
    /// Replies by queue id.
    replies: BTreeMap<String, Span>,
}

/// Frames of SQLite's log up to one that commits (<https://sqlite.org/fileformat2.html#walformat>).
#[derive(Debug, Default)]
struct Transaction {
    begin: Option<usize>,
    names: BTreeSet<u32>,
    /// The frame whose page comes next is the last.
    commits: bool,
}

const FRAME_HEADER_OCTETS: usize = 24;
const LOG_HEADER_OCTETS: usize = 32;

impl Order {
    /// Takes the next call.
    pub(crate) fn take(&mut self, call: &Call) {
        let span = Span { begin: call.begin, end: call.end };
        match &*call.name {
            "fsync" | "fdatasync" if call.result == Some(0) => {
                self.syncs.entry(call.file.clone()).or_default().push(span);
            }
            "openat" if call.file.ends_with(".seg") && call.arguments.contains("O_CREAT") => {
                self.made.insert(call.file.clone(), span);
            }
            "fsync" | "fdatasync" | "openat" => {}
            _ if call.file.ends_with(".seg") => self.content(call, span),
            _ if call.file.ends_with("-wal") => self.records(call, span),
            _ if call.file.contains(":[") => self.replies(call, span),
            _ => {}
        }
    }

    fn content(&mut self, call: &Call, span: Span) {
        let mut marks = BTreeMap::<u32, usize>::new();
        numbers_in(&call.bytes).for_each(|number| *marks.entry(number).or_default() += 1);
        for (number, marks) in marks {
            let written = Written { segment: call.file.clone(), span, marks };
            self.content.entry(number).or_default().push(written);
        }
    }

    fn records(&mut self, call: &Call, span: Span) {
        self.log.clone_from(&call.file);
        if call.bytes.len() == LOG_HEADER_OCTETS {
            return;
        }
        self.transaction.begin.get_or_insert(span.begin);
        if call.bytes.len() == FRAME_HEADER_OCTETS {
            // The size of the database after the commit; zero in a frame that commits nothing.
            self.transaction.commits = call.bytes[4..8] != [0; 4];
            return;
        }
        self.transaction.names.extend(numbers_in(&call.bytes));
        if self.transaction.commits {
            let done = std::mem::take(&mut self.transaction);
            let span = Span { begin: done.begin.unwrap_or(span.begin), end: span.end };
            for number in done.names {
                self.records.entry(number).or_insert(span);
            }
        }
    }

    fn replies(&mut self, call: &Call, span: Span) {
        let text = String::from_utf8_lossy(&call.bytes);
        for line in text.lines() {
            let queue_id = line.strip_prefix("250 2.0.0 ").and_then(|rest| rest.strip_suffix(" kept"));
            if let Some(queue_id) = queue_id {
                self.replies.insert(queue_id.to_owned(), span);
            }
        }
    }

    /// What is wrong with the order of a message that was acknowledged with this queue id, and the lines that show it.
    pub(crate) fn judge(&self, message: Message, queue_id: &str) -> Result<(), (Late, String)> {
        let none = Vec::new();
        let content = self.content.get(&message.number).unwrap_or(&none);
        let records = self.records.get(&message.number);
        let Some(reply) = self.replies.get(queue_id) else {
            return Err((Late::Reply, String::new()));
        };
        self.first_fault(message, content, records, reply).map_or(Ok(()), |late| {
            let spans: Vec<_> = content.iter().map(|written| written.span).collect();
            let syncs = content.first().and_then(|written| self.sync_after(&written.segment, written.span));
            let log_sync = records.and_then(|records| self.sync_after(&self.log, *records));
            let lines = format!(
                "lines of the trace: 250 {reply:?}; content {spans:?}, first synced {syncs:?}; records {records:?}, \
                 synced {log_sync:?}"
            );
            Err((late, lines))
        })
    }

    fn first_fault(
        &self,
        message: Message,
        content: &[Written],
        records: Option<&Span>,
        reply: &Span,
    ) -> Option<Late> {
        let complete = is_complete(message, content) && content.iter().all(|it| it.span.end < reply.begin);
        if !complete {
            return Some(Late::ContentWritten);
        }
        let synced = content.iter().map(|it| self.sync_after(&it.segment, it.span));
        let Some(content_synced) = synced.map(|sync| sync.map(|sync| sync.end)).max_by(latest).flatten()
        else {
            return Some(Late::ContentSynced);
        };
        let named = content.iter().all(|it| self.is_named(&it.segment, reply));
        let Some(records) = records.filter(|records| records.end < reply.begin) else {
            return Some(Late::RecordsWritten);
        };
        let records_synced = self.sync_after(&self.log, *records).is_some_and(|sync| sync.end < reply.begin);
        [
            (content_synced < reply.begin, Late::ContentSynced),
            (named, Late::SegmentNamed),
            (records_synced, Late::RecordsSynced),
            (content_synced < records.begin, Late::ContentFirst),
        ]
        .into_iter()
        .find_map(|(holds, late)| (!holds).then_some(late))
    }

    /// The sync of a file that was the first to end among those which began after this.
    fn sync_after(&self, file: &str, span: Span) -> Option<Span> {
        let syncs = self.syncs.get(file).into_iter().flatten();
        syncs.filter(|sync| sync.begin > span.end).min_by_key(|sync| sync.end).copied()
    }

    /// A segment is found after a power cut only if its directory was synced after it was made.
    fn is_named(&self, segment: &str, reply: &Span) -> bool {
        let Some(made) = self.made.get(segment) else { return false };
        let directory = segment.rsplit_once('/').map_or("", |(directory, _)| directory);
        self.sync_after(directory, *made).is_some_and(|sync| sync.end < reply.begin)
    }
}

/// None, a sync that never came, is later than any.
fn latest(one: &Option<usize>, other: &Option<usize>) -> std::cmp::Ordering {
    let key = |end: &Option<usize>| (end.is_none(), *end);
    key(one).cmp(&key(other))
}

/// Whether every mark of the content was written. One may be cut where two chunks meet.
fn is_complete(message: Message, content: &[Written]) -> bool {
    let expected = numbers_in(&message.content()).count();
    let written: usize = content.iter().map(|it| it.marks).sum();
    !content.is_empty() && written + content.len() > expected
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proof::trace;

    const SEGMENT: &str = r#"1 1 openat(3</d>, "1.seg", O_RDWR|O_CREAT|O_EXCL, 0600) = 14</d/1.seg>"#;
    const DIRECTORY: &str = "1 1 fsync(15</d>) = 0";
    const CONTENT: &str = r#"1 1 pwrite64(14</d/1.seg>, "MARKS", 9, 64) = 9"#;
    const CONTENT_SYNC: &str = "1 1 fdatasync(14</d/1.seg>) = 0";
    const FRAME: &str = r#"1 1 pwrite64(12</w-wal>, "\0\0\0\2\0\0\0\30\345\237\22%\322X\327\343&\341\366\344Y$\301\244", 24, 32) = 24"#;
    const PAGE: &str = r#"1 1 pwrite64(12</w-wal>, "page proof-000007@client.test page", 34, 56) = 34"#;
    const LOG_SYNC: &str = "1 1 fsync(12</w-wal>) = 0";
    const REPLY: &str =
        r#"1 1 sendto(21<socket:[9]>, "250 2.1.5 x\r\n250 2.0.0 Q kept\r\n", 31, 0, NULL, 0) = 31"#;
    const GOOD: [&str; 8] = [SEGMENT, DIRECTORY, CONTENT, CONTENT_SYNC, FRAME, PAGE, LOG_SYNC, REPLY];

    fn judge(lines: &[&str]) -> Option<Late> {
        let message = Message { number: 7, octets: 400 };
        let marks = "proof-000007 ".repeat(numbers_in(&message.content()).count());
        let trace = lines.join("\n").replace("MARKS", &marks);
        let mut order = Order::default();
        trace::read(trace.as_bytes(), |call| order.take(&call)).expect("the lines are well formed");
        order.judge(message, "Q").err().map(|(late, _)| late)
    }

    #[test]
    fn the_right_order_is_right() {
        assert_eq!(judge(&GOOD), None);
    }

    #[test]
    fn whatever_is_left_out_is_missed() {
        let missed: Vec<_> = (0..GOOD.len())
            .map(|left_out| {
                let mut lines = GOOD.to_vec();
                lines.remove(left_out);
                judge(&lines)
            })
            .collect();
        let expected = [
            Late::SegmentNamed,
            Late::SegmentNamed,
            Late::ContentWritten,
            Late::ContentSynced,
            Late::RecordsWritten,
            Late::RecordsWritten,
            Late::RecordsSynced,
            Late::Reply,
        ];
        assert_eq!(missed, expected.map(Some));
    }

    #[test]
    fn what_ends_after_the_reply_began_is_late() {
        let reply_first = [SEGMENT, DIRECTORY, CONTENT, CONTENT_SYNC, FRAME, PAGE, REPLY, LOG_SYNC];
        assert_eq!(judge(&reply_first), Some(Late::RecordsSynced));
        let failed = LOG_SYNC.replace("= 0", "= -1 EIO (Input/output error)");
        assert_eq!(judge(&[&GOOD[..6], &[&failed, REPLY]].concat()), Some(Late::RecordsSynced));
        let begun = "2 1 fsync(12</w-wal> <unfinished ...>";
        let ended = "2 1 <... fsync resumed>) = 0";
        assert_eq!(judge(&[&GOOD[..6], &[begun, ended, REPLY]].concat()), None);
        assert_eq!(judge(&[&GOOD[..6], &[begun, REPLY, ended]].concat()), Some(Late::RecordsSynced));
        let too_early = [&GOOD[..5], &[begun, PAGE, ended, REPLY]].concat();
        assert_eq!(judge(&too_early), Some(Late::RecordsSynced), "that sync may have missed the page");
        let records_first = [SEGMENT, DIRECTORY, CONTENT, FRAME, PAGE, LOG_SYNC, CONTENT_SYNC, REPLY];
        assert_eq!(judge(&records_first), Some(Late::ContentFirst));
    }

    #[test]
    fn half_of_a_content_is_not_enough() {
        let half = r#"1 1 pwrite64(14</d/1.seg>, "proof-000007", 9, 64) = 9"#;
        let lines = [SEGMENT, DIRECTORY, half, CONTENT_SYNC, FRAME, PAGE, LOG_SYNC, REPLY];
        assert_eq!(judge(&lines), Some(Late::ContentWritten));
    }
}
