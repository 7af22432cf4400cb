//! The content log: the segments of one directory, the one that grows, and what was staged and waits for its commit.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use mail::Timestamp;
use world::Dice;

use crate::Options;
use crate::content::{ContentId, Orphan, Staged};
use crate::disk::Disk;
use crate::limits::{CHUNK_OCTETS, OPEN_SEGMENTS_MAX};
use crate::segment::{self, HEADER_OCTETS, Key, Kind};

/// The segments of a directory.
#[derive(Debug)]
pub(crate) struct Log {
    dir: PathBuf,
    dice: Dice,
    disk: Disk,
    segment_octets_max: u64,
    growing: Mutex<Growing>,
    /// Files that readers use, by number.
    open: Mutex<BTreeMap<u32, Arc<Segment>>>,
    /// Content staged in this run and not yet committed.
    staged: Mutex<BTreeMap<ContentId, Waiting>>,
}

/// An open segment.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) number: u32,
    pub(crate) file: File,
    key: Key,
}

/// The segment that small content is appended to.
#[derive(Debug)]
struct Growing {
    segment: Arc<Segment>,
    /// Where the next record begins.
    tail: u64,
    /// The number of the next segment.
    next: u32,
    /// Written since the last sync.
    unsynced: bool,
}

/// Staged content that no commit has named yet.
#[derive(Debug)]
struct Waiting {
    segment: Arc<Segment>,
    since: Timestamp,
    /// Where its record ends, in a segment that it shares; where the first begins, in one of its own.
    end: u64,
    /// Nobody can commit it any more.
    abandoned: bool,
}

impl Log {
    /// Opens the log in `dir`; a new segment begins. `mark` is the lowest number that was never used, as far as the
    /// records know.
    pub(crate) fn open(dir: &Path, mark: u32, dice: Dice, options: &Options) -> io::Result<Self> {
        let next = numbers(dir)?.last().map_or(0, |&last| last + 1).max(mark).max(1);
        let segment = Arc::new(create(dir, next, &dice)?);
        let growing = Growing { segment, tail: HEADER_OCTETS, next: next + 1, unsynced: true };
        let log = Self {
            dir: dir.to_owned(),
            dice,
            disk: options.disk.clone(),
            segment_octets_max: options.segment_octets_max,
            growing: Mutex::new(growing),
            open: Mutex::default(),
            staged: Mutex::default(),
        };
        log.sync_directory()?;
        Ok(log)
    }

    /// Writes small contents, each as one record, with one write; nothing is synced yet.
    pub(crate) fn append(&self, contents: &[(&[u8], &[u8])]) -> io::Result<Vec<ContentId>> {
        let mut growing = lock(&self.growing);
        if growing.tail > self.segment_octets_max {
            self.rotate(&mut growing)?;
        }
        let (number, key, begin) = (growing.segment.number, growing.segment.key, growing.tail);
        let mut buffer = Vec::new();
        let mut ids = Vec::with_capacity(contents.len());
        for (label, payload) in contents {
            let offset = begin + buffer.len() as u64;
            segment::encode(&mut buffer, &key, offset, (Kind::Whole, 0), label, payload);
            ids.push(ContentId { segment: number, offset });
        }
        // After a failure the tail stays where it was: the next record overwrites what was half written.
        self.disk.write_at(&growing.segment.file, &buffer, begin)?;
        growing.tail += buffer.len() as u64;
        growing.unsynced = true;
        Ok(ids)
    }

    /// Brings to stable storage what was appended, and these staged contents.
    pub(crate) fn sync(&self, staged: &BTreeSet<ContentId>) -> io::Result<()> {
        let (growing, unsynced) = {
            let mut growing = lock(&self.growing);
            // What is appended from here on has a commit to come, which syncs again.
            (growing.segment.clone(), std::mem::take(&mut growing.unsynced))
        };
        if unsynced {
            self.disk.sync(&growing.file)?;
        }
        let mut apart = self.staged_segments(staged);
        apart.retain(|number, _| *number != growing.number);
        for segment in apart.values() {
            self.disk.sync(&segment.file)?;
        }
        if !apart.is_empty() {
            // A file is there after a crash only if its name is (the file itself was just synced).
            self.sync_directory()?;
        }
        Ok(())
    }

    fn growing_number(&self) -> u32 {
        lock(&self.growing).segment.number
    }

    /// The segments that these staged contents lie in.
    fn staged_segments(&self, staged: &BTreeSet<ContentId>) -> BTreeMap<u32, Arc<Segment>> {
        if staged.is_empty() {
            return BTreeMap::new();
        }
        let waiting = lock(&self.staged);
        let found = staged.iter().filter_map(|id| waiting.get(id));
        found.map(|waiting| (waiting.segment.number, waiting.segment.clone())).collect()
    }

    /// The next segment begins. The full one is synced first: nobody will look at it again.
    fn rotate(&self, growing: &mut Growing) -> io::Result<()> {
        self.disk.sync(&growing.segment.file)?;
        // A number that failed half way is not tried again: its file may be there.
        growing.next += 1;
        growing.segment = Arc::new(create(&self.dir, growing.next - 1, &self.dice)?);
        self.sync_directory()?;
        growing.tail = HEADER_OCTETS;
        Ok(())
    }

    /// A segment of its own for large content.
    pub(crate) fn begin_large(&self) -> io::Result<Arc<Segment>> {
        let number = {
            let mut growing = lock(&self.growing);
            growing.next += 1;
            growing.next - 1
        };
        Ok(Arc::new(create(&self.dir, number, &self.dice)?))
    }

    /// Writes the n-th chunk of large content at its place.
    pub(crate) fn write_chunk(
        &self,
        segment: &Segment,
        (kind, number): (Kind, u64),
        label: &[u8],
        payload: &[u8],
    ) -> io::Result<()> {
        let record = (segment::RECORD_OCTETS + CHUNK_OCTETS) as u64;
        let offset = HEADER_OCTETS + if number == 0 { 0 } else { number * record + label.len() as u64 };
        let label = if number == 0 { label } else { &[] };
        let mut buffer = Vec::new();
        segment::encode(&mut buffer, &segment.key, offset, (kind, number), label, payload);
        self.disk.write_at(&segment.file, &buffer, offset)
    }

    /// Notes staged content that its commit will name.
    pub(crate) fn stage_large(&self, segment: Arc<Segment>, size: u64, since: Timestamp) -> Staged {
        let id = ContentId { segment: segment.number, offset: HEADER_OCTETS };
        lock(&self.staged).insert(id, Waiting { segment, since, end: HEADER_OCTETS, abandoned: false });
        Staged { id, size }
    }

    /// Small staged content, as one record of the growing segment.
    pub(crate) fn stage_small(&self, label: &[u8], payload: &[u8], since: Timestamp) -> io::Result<Staged> {
        let id = self.append(&[(label, payload)])?.remove(0);
        let segment = self.segment(id.segment)?;
        let end = id.offset + (segment::RECORD_OCTETS + label.len() + payload.len()) as u64;
        lock(&self.staged).insert(id, Waiting { segment, since, end, abandoned: false });
        Ok(Staged { id, size: payload.len() as u64 })
    }

    /// Notes that a segment of its own will never be finished.
    pub(crate) fn abandon(&self, segment: Arc<Segment>, since: Timestamp) {
        let id = ContentId { segment: segment.number, offset: HEADER_OCTETS };
        lock(&self.staged).insert(id, Waiting { segment, since, end: HEADER_OCTETS, abandoned: true });
    }

    /// Where this staged content ends, if it is free to be committed.
    pub(crate) fn staged_end(&self, staged: &Staged) -> Option<u64> {
        lock(&self.staged).get(&staged.id).filter(|waiting| !waiting.abandoned).map(|waiting| waiting.end)
    }

    /// Notes that these belong to records now.
    pub(crate) fn committed(&self, ids: impl IntoIterator<Item = ContentId>) {
        let mut staged = lock(&self.staged);
        for id in ids {
            staged.remove(&id);
        }
    }

    /// Forgets staged content that was abandoned, or that nobody committed before `before`. Segments of their own are
    /// removed.
    pub(crate) fn sweep(&self, before: Timestamp) -> io::Result<usize> {
        let dropped: Vec<Waiting> = {
            let mut staged = lock(&self.staged);
            let ids: Vec<ContentId> = staged
                .iter()
                .filter(|(_, it)| it.abandoned || it.since < before)
                .map(|(id, _)| *id)
                .collect();
            ids.iter().filter_map(|id| staged.remove(id)).collect()
        };
        let growing = self.growing_number();
        for waiting in &dropped {
            let number = waiting.segment.number;
            if number != growing && self.is_large(&waiting.segment)? {
                self.remove(number)?;
            }
        }
        Ok(dropped.len())
    }

    /// Whether a segment holds one large content alone.
    fn is_large(&self, segment: &Segment) -> io::Result<bool> {
        Ok(segment::header_at(&segment.file, HEADER_OCTETS)?.is_none_or(|first| first.kind != Kind::Whole))
    }

    /// Up to where a segment holds nothing that waits for its commit, if `end` is where its committed content ends.
    pub(crate) fn settled_until(&self, number: u32, end: u64) -> u64 {
        let (from, to) =
            (ContentId { segment: number, offset: 0 }, ContentId { segment: number, offset: end });
        lock(&self.staged).range(from..to).next().map_or(end, |(id, _)| id.offset)
    }

    /// Segments from here on may hold content that no record names yet: where the next start begins to look.
    pub(crate) fn unsettled_from(&self) -> u32 {
        let growing = self.growing_number();
        lock(&self.staged).keys().next().map_or(growing, |first| first.segment.min(growing))
    }

    /// Whether nothing more is written to this segment, and nothing in it waits for its commit.
    pub(crate) fn is_settled(&self, number: u32) -> bool {
        let (from, to) =
            (ContentId { segment: number, offset: 0 }, ContentId { segment: number, offset: u64::MAX });
        number != self.growing_number() && lock(&self.staged).range(from..=to).next().is_none()
    }

    /// The lowest number that was never used.
    pub(crate) fn next_number(&self) -> u32 {
        lock(&self.growing).next
    }

    /// An open segment.
    pub(crate) fn segment(&self, number: u32) -> io::Result<Arc<Segment>> {
        {
            let growing = lock(&self.growing);
            if growing.segment.number == number {
                return Ok(growing.segment.clone());
            }
        }
        let mut open = lock(&self.open);
        if let Some(segment) = open.get(&number) {
            return Ok(segment.clone());
        }
        let file = OpenOptions::new().read(true).write(true).open(path(&self.dir, number))?;
        let key = segment::read_segment_header(&file, number)?;
        let segment = Arc::new(Segment { number, file, key });
        while open.len() >= OPEN_SEGMENTS_MAX {
            open.pop_first();
        }
        open.insert(number, segment.clone());
        Ok(segment)
    }

    /// At most `max` octets of content from `skip` on.
    pub(crate) fn read(&self, id: ContentId, skip: u64, max: usize) -> io::Result<Bytes> {
        let segment = self.segment(id.segment)?;
        segment::read(&segment.file, &segment.key, id.offset, skip, max)
    }

    /// The same without waiting for a disk or another thread; none where that is not possible.
    pub(crate) fn read_now(&self, id: ContentId, skip: u64, max: usize) -> Option<Bytes> {
        let segment = self.segment_now(id.segment)?;
        segment::read_now(&segment.file, &segment.key, id.offset, skip, max)
    }

    /// A segment that is open and not being changed at this moment.
    fn segment_now(&self, number: u32) -> Option<Arc<Segment>> {
        let growing = self.growing.try_lock().ok()?;
        if growing.segment.number == number {
            return Some(growing.segment.clone());
        }
        drop(growing);
        self.open.try_lock().ok()?.get(&number).cloned()
    }

    /// Verifies all of one content; says how long it is.
    pub(crate) fn verify(&self, id: ContentId) -> io::Result<u64> {
        let segment = self.segment(id.segment)?;
        let (size, complete) = measure(&segment, id.offset)?;
        if !complete {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a record is damaged or missing"));
        }
        Ok(size)
    }

    /// Removes a segment. Readers that still have it open finish.
    pub(crate) fn remove(&self, number: u32) -> io::Result<()> {
        lock(&self.open).remove(&number);
        match std::fs::remove_file(path(&self.dir, number)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Gives the space of one freed record back to the file system, in whole blocks; its header stays, so that the
    /// segment can still be walked.
    pub(crate) fn punch(&self, id: ContentId) -> io::Result<()> {
        use rustix::fs::{FallocateFlags, fallocate};
        let segment = self.segment(id.segment)?;
        let Some(header) = segment::header_at(&segment.file, id.offset)? else { return Ok(()) };
        let begin = id.offset + (segment::RECORD_OCTETS + header.label) as u64;
        let length = header.payload as u64;
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        Ok(fallocate(&segment.file, flags, begin, length)?)
    }

    /// The numbers of all segments, ascending.
    pub(crate) fn numbers(&self) -> io::Result<Vec<u32>> {
        numbers(&self.dir)
    }

    /// Content in a segment of an earlier run, from `settled` on, that `named` does not know; up to the torn tail, if
    /// there is one.
    pub(crate) fn orphans(
        &self,
        number: u32,
        settled: u64,
        named: &BTreeSet<u64>,
    ) -> io::Result<Vec<Orphan>> {
        let segment = match self.segment(number) {
            // A crash between making the file and writing its header: there is nothing in it.
            Err(error)
                if matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) =>
            {
                return Ok(Vec::new());
            }
            other => other?,
        };
        let mut found = Vec::new();
        let mut offset = settled.max(HEADER_OCTETS);
        while let Some(header) = segment::header_at(&segment.file, offset)? {
            let known = named.contains(&offset);
            if header.kind == Kind::Whole {
                if !known {
                    match segment::record_at(&segment.file, &segment.key, offset)? {
                        Some((header, record)) => found.push(whole(number, offset, &header, &record)),
                        None => break,
                    }
                }
                offset += header.octets();
            } else {
                if !known {
                    found.extend(large(&segment, offset)?);
                }
                break;
            }
        }
        Ok(found)
    }

    fn sync_directory(&self) -> io::Result<()> {
        File::open(&self.dir)?.sync_all()
    }
}

fn whole(segment: u32, offset: u64, header: &segment::RecordHeader, record: &Bytes) -> Orphan {
    let label = record.slice(segment::RECORD_OCTETS..segment::RECORD_OCTETS + header.label);
    Orphan { id: ContentId { segment, offset }, size: header.payload as u64, label, complete: true }
}

fn large(segment: &Segment, offset: u64) -> io::Result<Option<Orphan>> {
    let Some((header, record)) = segment::record_at(&segment.file, &segment.key, offset)? else {
        return Ok(None);
    };
    let (size, complete) = measure(segment, offset)?;
    Ok(Some(Orphan { size, complete, ..whole(segment.number, offset, &header, &record) }))
}

/// How much of the content that begins here is there and valid, and whether that is all of it.
fn measure(segment: &Segment, start: u64) -> io::Result<(u64, bool)> {
    let (mut size, mut number) = (0, 0);
    let Some(first) = segment::header_at(&segment.file, start)? else { return Ok((0, false)) };
    loop {
        let offset = segment::chunk_offset(start, &first, number);
        let record =
            offset.map(|offset| segment::record_at(&segment.file, &segment.key, offset)).transpose()?;
        match record.flatten() {
            Some((header, _)) if header.number == number => {
                size += header.payload as u64;
                if header.kind != Kind::Chunk {
                    return Ok((size, true));
                }
            }
            _ => return Ok((size, false)),
        }
        number += 1;
    }
}

fn create(dir: &Path, number: u32, dice: &Dice) -> io::Result<Segment> {
    let mut key = [0; 32];
    dice.fill(&mut key);
    let file =
        OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path(dir, number))?;
    Disk::Real.write_at(&file, &segment::segment_header(number, &key), 0)?;
    Ok(Segment { number, file, key })
}

fn path(dir: &Path, number: u32) -> PathBuf {
    dir.join(format!("{number:010}.seg"))
}

fn numbers(dir: &Path) -> io::Result<Vec<u32>> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let name = entry?.file_name();
        let number: Option<u32> =
            name.to_str().and_then(|name| name.strip_suffix(".seg")).and_then(|name| name.parse().ok());
        all.extend(number);
    }
    all.sort_unstable();
    Ok(all)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no holder panics")
}
