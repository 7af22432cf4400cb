//! The format of content segments: append-only files of records with keyed checksums.
//!
//! ```text
//! segment:  header (64)  record  record  ...
//! header:   magic "waxsegmt"  version u32  number u32  key (32)  check (16)
//! record:   header (32)  label  payload
//! header:   payload length u32  label length u16  kind u8  0 u8  chunk number u64  check (16)
//! kind:     1 whole   2 chunk, more follow   3 last chunk
//! ```
//!
//! Numbers are little-endian. A check is the first half of blake3, keyed with the segment's random key, over the
//! record's offset, the first 16 octets of its header, label and payload: content is an attacker's text that can contain
//! a well-formed record, but not one that fits a key it cannot see. Small content is one whole record in a segment shared
//! by many; large content has a segment of its own, in chunks of [`CHUNK_OCTETS`] (the last is shorter), so that it can
//! be written while it arrives and freed by removing a file.

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::os::unix::fs::FileExt;

use bytes::{Bytes, BytesMut};
use rustix::io::{ReadWriteFlags, preadv2};

use crate::limits::{CHUNK_OCTETS, LABEL_OCTETS_MAX};

/// Octets of a segment's header; the first record begins here.
pub(crate) const HEADER_OCTETS: u64 = 64;
/// Octets of a record's header.
pub(crate) const RECORD_OCTETS: usize = 32;
/// The first read of a record: header, label and a usual message in one system call.
const FIRST_READ_OCTETS: usize = 8 * 1024;
const MAGIC: &[u8; 8] = b"waxsegmt";
const VERSION: u32 = 1;

/// What keys the checks of a segment.
pub(crate) type Key = [u8; 32];

/// What a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// All of its content.
    Whole,
    /// A piece; more follow.
    Chunk,
    /// The last piece.
    Last,
}

impl Kind {
    fn code(self) -> u8 {
        match self {
            Kind::Whole => 1,
            Kind::Chunk => 2,
            Kind::Last => 3,
        }
    }

    fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Kind::Whole),
            2 => Some(Kind::Chunk),
            3 => Some(Kind::Last),
            _ => None,
        }
    }
}

/// A record's header, as read. Nothing of it is certain until [`verified`] says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RecordHeader {
    pub(crate) payload: usize,
    pub(crate) label: usize,
    pub(crate) kind: Kind,
    pub(crate) number: u64,
}

impl RecordHeader {
    /// Octets of the whole record.
    pub(crate) fn octets(&self) -> u64 {
        (RECORD_OCTETS + self.label + self.payload) as u64
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(..RECORD_OCTETS)?;
        let payload = u32::from_le_bytes(bytes[0..4].try_into().ok()?) as usize;
        let label = usize::from(u16::from_le_bytes(bytes[4..6].try_into().ok()?));
        let number = u64::from_le_bytes(bytes[8..16].try_into().ok()?);
        let kind = Kind::from_code(bytes[6])?;
        (label <= LABEL_OCTETS_MAX).then_some(Self { payload, label, kind, number })
    }
}

/// The header of a new segment.
pub(crate) fn segment_header(number: u32, key: &Key) -> [u8; HEADER_OCTETS as usize] {
    let mut header = [0; HEADER_OCTETS as usize];
    header[0..8].copy_from_slice(MAGIC);
    header[8..12].copy_from_slice(&VERSION.to_le_bytes());
    header[12..16].copy_from_slice(&number.to_le_bytes());
    header[16..48].copy_from_slice(key);
    let check = blake3::keyed_hash(key, &header[..48]);
    header[48..64].copy_from_slice(&check.as_bytes()[..16]);
    header
}

/// The key in a segment's header.
///
/// # Errors
/// `InvalidData` when it is not a segment of this number, or one of a later version.
pub(crate) fn read_segment_header(file: &File, number: u32) -> io::Result<Key> {
    let mut header = [0; HEADER_OCTETS as usize];
    file.read_exact_at(&mut header, 0)?;
    let key: Key = header[16..48].try_into().expect("32 octets");
    if header != segment_header(number, &key) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("segment {number} has no valid header"),
        ));
    }
    Ok(key)
}

/// Appends a record that will lie at `offset` to a buffer.
pub(crate) fn encode(
    buffer: &mut Vec<u8>,
    key: &Key,
    offset: u64,
    (kind, number): (Kind, u64),
    label: &[u8],
    payload: &[u8],
) {
    let label = &label[..label.len().min(LABEL_OCTETS_MAX)];
    let at = buffer.len();
    buffer.reserve(RECORD_OCTETS + label.len() + payload.len());
    let length = u32::try_from(payload.len()).expect("a record's payload is bounded");
    let mut header = [0; 16];
    header[0..4].copy_from_slice(&length.to_le_bytes());
    header[4..6].copy_from_slice(&(label.len() as u16).to_le_bytes());
    header[6] = kind.code();
    header[8..16].copy_from_slice(&number.to_le_bytes());
    buffer.extend_from_slice(&header);
    buffer.extend_from_slice(&[0; 16]);
    buffer.extend_from_slice(label);
    buffer.extend_from_slice(payload);
    let check = check(key, offset, &mut buffer[at..]);
    buffer[at..at + 16].copy_from_slice(&header);
    buffer[at + 16..at + RECORD_OCTETS].copy_from_slice(&check);
}

/// The check of a record: over its offset, the first half of its header, label and payload. They are moved together, over the
/// second half, so that they are hashed in one go, several blocks at a time; the header is spoiled by that.
fn check(key: &Key, offset: u64, record: &mut [u8]) -> [u8; 16] {
    record.copy_within(0..16, 16);
    record[8..16].copy_from_slice(&offset.to_le_bytes());
    blake3::keyed_hash(key, &record[8..]).as_bytes()[..16].try_into().expect("16 octets")
}

/// Whether a whole record, read from `offset`, is what was written there. Only its label and payload are left as they were.
pub(crate) fn verified(key: &Key, offset: u64, record: &mut [u8]) -> bool {
    let Some(header) = RecordHeader::parse(record) else { return false };
    if header.octets() != record.len() as u64 {
        return false;
    }
    let written: [u8; 16] = record[16..RECORD_OCTETS].try_into().expect("16 octets");
    written == check(key, offset, record)
}

/// The header of the record at this offset; none where the file ends or no header can be.
pub(crate) fn header_at(file: &File, offset: u64) -> io::Result<Option<RecordHeader>> {
    let mut bytes = [0; RECORD_OCTETS];
    match file.read_exact_at(&mut bytes, offset) {
        Ok(()) => Ok(RecordHeader::parse(&bytes)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

/// The whole record at this offset, verified; none if there is none that is.
pub(crate) fn record_at(file: &File, key: &Key, offset: u64) -> io::Result<Option<(RecordHeader, Bytes)>> {
    let mut record = BytesMut::zeroed(FIRST_READ_OCTETS);
    let had = read_up_to(file, &mut record, offset)?;
    let Some(header) = RecordHeader::parse(&record[..had]) else { return Ok(None) };
    let octets = header.octets() as usize;
    if octets > had && had < FIRST_READ_OCTETS {
        return Ok(None);
    }
    if octets > had && !reaches(file, offset + header.octets())? {
        return Ok(None);
    }
    record.resize(octets, 0);
    if octets > had {
        file.read_exact_at(&mut record[had..], offset + had as u64)?;
    }
    Ok(verified(key, offset, &mut record).then(|| (header, record.freeze())))
}

/// Whether the file is at least this long: asked before a length that damage may have written is allocated.
fn reaches(file: &File, end: u64) -> io::Result<bool> {
    Ok(file.metadata()?.len() >= end)
}

fn read_up_to(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut had = 0;
    while had < buffer.len() {
        match file.read_at(&mut buffer[had..], offset + had as u64) {
            Ok(0) => break,
            Ok(more) => had += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(had)
}

/// At most `max` octets of the content that begins at `start`, from `skip` on; empty at and after its end. A piece does
/// not cross a chunk; what it was cut from is verified as a whole.
///
/// # Errors
/// `InvalidData` when there is no such content, or it is damaged.
pub(crate) fn read(file: &File, key: &Key, start: u64, skip: u64, max: usize) -> io::Result<Bytes> {
    let (index, within) = (skip / CHUNK_OCTETS as u64, (skip % CHUNK_OCTETS as u64) as usize);
    if index == 0 {
        let (header, record) = record_at(file, key, start)?.ok_or_else(|| damaged(start))?;
        return Ok(cut(&header, &record, within, max));
    }
    let first = header_at(file, start)?.ok_or_else(|| damaged(start))?;
    if first.kind == Kind::Whole {
        let (header, record) = record_at(file, key, start)?.ok_or_else(|| damaged(start))?;
        return Ok(cut(&header, &record, usize::try_from(skip).unwrap_or(usize::MAX), max));
    }
    let Some(offset) = chunk_offset(start, &first, index) else { return Ok(Bytes::new()) };
    if header_at(file, offset)?.is_none() && ended(file, start, &first, index)? {
        return Ok(Bytes::new());
    }
    match record_at(file, key, offset)? {
        Some((header, record)) if header.number == index => Ok(cut(&header, &record, within, max)),
        _ => Err(damaged(offset)),
    }
}

/// The same of small content that the page cache has; none where a disk would have to be waited for, or [`read`] has more
/// to say. One system call, so that it may be made where waiting is not allowed.
pub(crate) fn read_now(file: &File, key: &Key, start: u64, skip: u64, max: usize) -> Option<Bytes> {
    let mut record = BytesMut::zeroed(FIRST_READ_OCTETS);
    let had = preadv2(file, &mut [IoSliceMut::new(&mut record)], start, ReadWriteFlags::NOWAIT).ok()?;
    let header = RecordHeader::parse(&record[..had])?;
    let octets = usize::try_from(header.octets()).ok().filter(|octets| *octets <= had)?;
    record.truncate(octets);
    let whole = header.kind == Kind::Whole && verified(key, start, &mut record);
    whole.then(|| cut(&header, &record.freeze(), usize::try_from(skip).unwrap_or(usize::MAX), max))
}

/// Where a chunk's record begins. All chunks but the last are full, and only the first has a label.
pub(crate) fn chunk_offset(start: u64, first: &RecordHeader, index: u64) -> Option<u64> {
    match index {
        0 => Some(start),
        _ => (index - 1)
            .checked_mul((RECORD_OCTETS + CHUNK_OCTETS) as u64)?
            .checked_add(start.checked_add(first.octets())?),
    }
}

/// Whether the chunk before this one was the last.
fn ended(file: &File, start: u64, first: &RecordHeader, index: u64) -> io::Result<bool> {
    let before = chunk_offset(start, first, index - 1).map(|offset| header_at(file, offset)).transpose()?;
    Ok(matches!(before.flatten(), Some(header) if header.kind != Kind::Chunk))
}

fn cut(header: &RecordHeader, record: &Bytes, skip: usize, max: usize) -> Bytes {
    let begin = RECORD_OCTETS + header.label + skip.min(header.payload);
    let end = begin.saturating_add(max).min(record.len());
    record.slice(begin..end)
}

fn damaged(offset: u64) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("no valid record at {offset}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_at_once_is_what_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("segment");
        let key = [7; 32];
        let mut records = Vec::new();
        encode(&mut records, &key, 0, (Kind::Whole, 0), b"label", b"content");
        let large = records.len() as u64;
        encode(&mut records, &key, large, (Kind::Whole, 0), b"", &[1; FIRST_READ_OCTETS]);
        let damaged = records.len() as u64;
        encode(&mut records, &key, damaged + 1, (Kind::Whole, 0), b"", b"content of another place");
        let options = File::options().read(true).write(true).create(true).truncate(true).clone();
        let file = options.open(path).unwrap();
        file.write_all_at(&records, 0).unwrap();
        for (skip, max) in [(0, 100), (0, 3), (3, 2), (7, 1), (8, 1), (u64::MAX, 1)] {
            let at_once = read_now(&file, &key, 0, skip, max);
            // A file system may not know how to read without waiting; it never reads something else.
            assert!(at_once.is_none() || at_once == read(&file, &key, 0, skip, max).ok(), "{skip} {max}");
        }
        for (start, what) in [(large, "large"), (damaged, "damaged"), (records.len() as u64, "the end")] {
            assert_eq!(read_now(&file, &key, start, 0, 100), None, "{what}");
        }
    }

    #[test]
    fn a_record_is_valid_at_its_place_and_under_its_key_alone() {
        let key = [7; 32];
        let mut record = Vec::new();
        encode(&mut record, &key, 64, (Kind::Whole, 0), b"label", b"content");
        let verified = |key: &Key, offset, record: &[u8]| verified(key, offset, &mut record.to_vec());
        assert!(verified(&key, 64, &record));
        assert!(!verified(&key, 65, &record), "at another place");
        assert!(!verified(&[8; 32], 64, &record), "under another key");
        for at in 0..record.len() {
            let mut changed = record.clone();
            changed[at] ^= 1;
            assert!(!verified(&key, 64, &changed), "with octet {at} changed");
        }
        assert!(!verified(&key, 64, &record[..record.len() - 1]), "cut short");
    }

    /// A segment's file that holds this after its header.
    fn file_of(records: &[u8]) -> File {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(&segment_header(9, &[7; 32]), 0).unwrap();
        file.write_all_at(records, HEADER_OCTETS).unwrap();
        file
    }

    /// The format as the head comment says it.
    #[test]
    fn a_check_is_over_offset_header_label_and_payload() {
        let (key, payload) = ([7; 32], [9; 5_000]);
        let mut records = b"before".to_vec();
        encode(&mut records, &key, 640, (Kind::Last, 3), b"label", &payload);
        let record = &records[6..];
        let mut hasher = blake3::Hasher::new_keyed(&key);
        hasher.update(&640_u64.to_le_bytes()).update(&record[..16]).update(b"label").update(&payload);
        assert_eq!(record[16..RECORD_OCTETS], hasher.finalize().as_bytes()[..16]);
        assert_eq!(
            record[..16],
            [&5_000_u32.to_le_bytes()[..], &[5, 0, 3, 0, 3, 0, 0, 0, 0, 0, 0, 0]].concat()
        );
        assert_eq!(record[RECORD_OCTETS..], [&b"label"[..], &payload].concat());
    }

    #[test]
    fn a_header_of_another_number_or_a_changed_one_is_refused() {
        let file = file_of(b"");
        assert_eq!(read_segment_header(&file, 9).unwrap(), [7; 32]);
        assert_eq!(read_segment_header(&file, 10).unwrap_err().kind(), io::ErrorKind::InvalidData);
        file.write_all_at(b"X", 20).unwrap();
        assert_eq!(read_segment_header(&file, 9).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    proptest::proptest! {
        #[test]
        fn what_was_written_is_read_from_any_place(
            content in proptest::collection::vec(0u8.., 0..20_000),
            skip in 0usize..25_000,
        ) {
            let mut record = Vec::new();
            encode(&mut record, &[7; 32], HEADER_OCTETS, (Kind::Whole, 0), b"label", &content);
            let read = read(&file_of(&record), &[7; 32], HEADER_OCTETS, skip as u64, 5_000).unwrap();
            let begin = skip.min(content.len());
            proptest::prop_assert_eq!(&read[..], &content[begin..(begin + 5_000).min(content.len())]);
        }

        #[test]
        fn garbage_is_never_read_as_content(
            mut garbage in proptest::collection::vec(0u8.., 0..300),
            kind in 0u8..5,
            skip in 0u64..1 << 40,
        ) {
            if let Some(place) = garbage.get_mut(6) {
                *place = kind;
            }
            let file = file_of(&garbage);
            proptest::prop_assert!(read(&file, &[7; 32], HEADER_OCTETS, skip, 100).is_err());
            proptest::prop_assert!(record_at(&file, &[7; 32], HEADER_OCTETS).unwrap().is_none());
        }
    }
}
