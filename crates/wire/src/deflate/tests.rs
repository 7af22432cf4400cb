use std::future::poll_fn;

use miniz_oxide::deflate::compress_to_vec;
use miniz_oxide::inflate::stream::{InflateState, inflate};
use miniz_oxide::{MZFlush, MZStatus};
use proptest::prelude::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

use super::*;

/// Lines as zlib 1.3 compresses them with its default level, each ended by Z_SYNC_FLUSH.
const ZLIB_SYNC: [&str; 3] = [
    "4a34547075f6f057c8cf4b552829cf47a779b900000000ffff",
    "4a3422a000000000ffff",
    "4a34862828c9284a4de5e502000000ffff",
];

/// The same, each ended by Z_PARTIAL_FLUSH, after which a block begins in the middle of an octet.
const ZLIB_PARTIAL: [&str; 3] =
    ["4a34547075f6f057c8cf4b552829cf47a779b90002", "28d18880028000", "4a34862828c9284a4de5e50208"];

const LINES: [&str; 3] =
    ["a1 ECHO one two one two one two\r\n", "a2 ECHO one two one two one two\r\n", "a3 ECHO three\r\n"];

/// A stored block without content: what a flush ends with (RFC 1951 §3.2.4).
const EMPTY_BLOCK: [u8; 5] = [0, 0, 0, 0xff, 0xff];

fn octets(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn pair() -> (Deflated, DuplexStream) {
    let (ours, theirs) = world::net::pair(1024 * 1024);
    (Deflated::new(Stream::Memory(ours)), theirs)
}

/// What one read of at most `room` octets gives.
fn read(deflated: &mut Deflated, room: usize) -> Poll<io::Result<Vec<u8>>> {
    let (mut buffer, mut cx) = (vec![0; room], Context::from_waker(std::task::Waker::noop()));
    let mut buffer = ReadBuf::new(&mut buffer);
    let read = Pin::new(deflated).poll_read(&mut cx, &mut buffer);
    read.map_ok(|()| buffer.filled().to_vec())
}

/// Decompresses with a window of its own, as a peer does.
fn inflated(state: &mut InflateState, compressed: &[u8]) -> Vec<u8> {
    let (mut input, mut all, mut buffer) = (compressed, Vec::new(), vec![0; 100_000]);
    while !input.is_empty() {
        let done = inflate(state, input, &mut buffer, MZFlush::None);
        assert_eq!(done.status, Ok(MZStatus::Ok));
        all.extend_from_slice(&buffer[..done.bytes_written]);
        input = &input[done.bytes_consumed..];
    }
    all
}

fn compressed(text: &[u8]) -> Vec<u8> {
    let mut into = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        rest = &rest[compress(&[IoSlice::new(rest)], &mut into)..];
    }
    into
}

#[tokio::test]
async fn what_zlib_compresses_is_read_flush_by_flush_and_between_them_only_text_is_kept() {
    for flushes in [ZLIB_SYNC, ZLIB_PARTIAL] {
        let (mut deflated, mut peer) = pair();
        let mut seen = String::new();
        for (hex, line) in flushes.iter().zip(LINES) {
            peer.write_all(&octets(hex)).await.unwrap();
            let mut buffer = vec![0; line.len()];
            deflated.read_exact(&mut buffer).await.unwrap();
            assert_eq!(buffer, line.as_bytes());
            assert!(read(&mut deflated, 10).is_pending());
            seen.push_str(line);
            let between = matches!(deflated.inflater.place, Place::Between(_));
            assert!(
                between || flushes == ZLIB_PARTIAL,
                "after a whole flush there is no decompressor: {hex}"
            );
            assert_eq!(deflated.inflater.history, seen.as_bytes());
            assert_eq!((deflated.unread.capacity(), deflated.pending.capacity()), (0, 0));
        }
    }
}

#[tokio::test]
async fn an_idle_connection_keeps_at_most_the_window_of_its_peer() {
    let (mut deflated, mut peer) = pair();
    let text: Vec<u8> = (0..400_000_u32).flat_map(|n| (n % 977).to_le_bytes()).collect();
    peer.write_all(&compressed(&text)).await.unwrap();
    let mut taken = vec![0; text.len()];
    deflated.read_exact(&mut taken).await.unwrap();
    assert!(read(&mut deflated, 1).is_pending());
    assert_eq!(taken, text);
    assert_eq!(deflated.inflater.history.capacity(), WINDOW);
    assert!(matches!(deflated.inflater.place, Place::Between(_)));
    assert!(size_of::<Deflated>() <= 200, "{}", size_of::<Deflated>());
}

#[tokio::test]
async fn a_bomb_is_read_in_pieces_that_the_session_takes_and_grows_nothing() {
    let (mut deflated, mut peer) = pair();
    let bomb = compress_to_vec(&vec![b'a'; 64 * 1024 * 1024], 9);
    assert!(bomb.len() < 100_000);
    peer.write_all(&bomb).await.unwrap();
    let mut all = 0;
    loop {
        let Poll::Ready(piece) = read(&mut deflated, READ_CHUNK) else { panic!("all of it is there") };
        let piece = piece.unwrap();
        if piece.is_empty() {
            break;
        }
        all += piece.len();
        assert!(
            deflated.unread.capacity() <= 2 * COMPRESSED_CHUNK && deflated.inflater.history.len() <= WINDOW
        );
    }
    assert_eq!(all, 64 * 1024 * 1024);
}

#[tokio::test]
async fn blocks_without_content_let_others_run() {
    let (mut deflated, mut peer) = pair();
    peer.write_all(&EMPTY_BLOCK.repeat(100_000)).await.unwrap();
    let mut polls = 0;
    poll_fn(|cx| {
        polls += 1;
        let mut buffer = [0; 10];
        let mut buffer = ReadBuf::new(&mut buffer);
        assert!(Pin::new(&mut deflated).poll_read(cx, &mut buffer).is_pending());
        if polls == 5 { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    let taken = 5 * FRUITLESS_READS_MAX * COMPRESSED_CHUNK;
    assert!(deflated.unread.len() <= COMPRESSED_CHUNK && taken < 500_000, "each poll takes its share");
}

#[tokio::test]
async fn a_stream_ends_between_blocks_or_with_its_last_block_and_else_it_is_cut() {
    let whole = octets(ZLIB_SYNC[0]);
    let ended = compress_to_vec(LINES[0].as_bytes(), 6);
    for (sent, expected) in [
        (&whole[..], None),
        (&ended, None),
        (&whole[..whole.len() - 1], Some(io::ErrorKind::UnexpectedEof)),
        (&[0b111], Some(io::ErrorKind::InvalidData)),
        (&[0, 1, 0, 1, 0], Some(io::ErrorKind::InvalidData)),
        // A reference to before the beginning.
        (&octets("4b042200")[..], Some(io::ErrorKind::InvalidData)),
    ] {
        let (mut deflated, mut peer) = pair();
        peer.write_all(sent).await.unwrap();
        drop(peer);
        let mut text = Vec::new();
        let end = deflated.read_to_end(&mut text).await;
        assert_eq!(end.err().map(|error| error.kind()), expected, "{sent:x?}");
    }
}

#[tokio::test]
async fn nothing_is_read_after_the_last_block() {
    let (mut deflated, mut peer) = pair();
    let mut sent = compress_to_vec(b"last", 6);
    sent.extend_from_slice(&compressed(b"beyond"));
    peer.write_all(&sent).await.unwrap();
    let mut text = Vec::new();
    deflated.read_to_end(&mut text).await.unwrap();
    assert_eq!(text, b"last");
}

#[tokio::test]
async fn a_slow_peer_bounds_what_is_compressed_for_it() {
    let (ours, mut theirs) = world::net::pair(1000);
    let mut deflated = Deflated::new(Stream::Memory(ours));
    let noise: Vec<u8> = (0..WRITE_CHUNK * 3).map(|n| (n * n / 7 % 251) as u8).collect();
    let mut cx = Context::from_waker(std::task::Waker::noop());
    let mut taken = 0;
    while let Poll::Ready(count) = Pin::new(&mut deflated).poll_write(&mut cx, &noise[taken..]) {
        taken += count.unwrap();
        assert!(taken < noise.len(), "it must wait");
    }
    assert_eq!(taken, WRITE_CHUNK);
    assert!(deflated.pending.len() < WRITE_CHUNK + 1024);
    let reading = async {
        let (mut state, mut text, mut buffer) =
            (InflateState::new(DataFormat::Raw), Vec::new(), vec![0; 500]);
        while text.len() < taken {
            let count = theirs.read(&mut buffer).await.unwrap();
            text.extend_from_slice(&inflated(&mut state, &buffer[..count]));
        }
        text
    };
    let (text, flushed) = tokio::join!(reading, deflated.flush());
    flushed.unwrap();
    assert!(text == noise[..taken], "nothing is lost");
    assert_eq!(deflated.pending.capacity(), 0);
}

#[test]
fn mail_shrinks() {
    let text = "* 1 FETCH (FLAGS (\\Seen) UID 12 RFC822.SIZE 4096)\r\n".repeat(200);
    let small = compressed(text.as_bytes());
    assert!(small.len() * 10 < text.len(), "{} of {}", small.len(), text.len());
}

proptest! {
    /// One compressor serves all connections of a thread: each of them must be able to read its own part alone.
    #[test]
    fn connections_that_share_the_compressor_are_read_apart(
        writes in prop::collection::vec((0_usize..3, prop::collection::vec(any::<u8>(), 1..300), 1_usize..200), 1..40),
    ) {
        let mut peers: [InflateState; 3] = std::array::from_fn(|_| InflateState::new(DataFormat::Raw));
        for (peer, text, times) in writes {
            let text = text.repeat(times);
            prop_assert_eq!(inflated(&mut peers[peer], &compressed(&text)), text);
        }
    }

    #[test]
    fn where_compressed_input_is_cut_does_not_matter(
        text in prop::collection::vec(0_u8..4, 0..3000),
        level in 0_u8..10,
        cut in 1_usize..100,
        room in 1_usize..100,
    ) {
        let mut inflater = Inflater::new();
        let mut all = Vec::new();
        for piece in compress_to_vec(&text, level).chunks(cut) {
            let mut used = 0;
            loop {
                let mut buffer = vec![0; room];
                let mut buffer = ReadBuf::new(&mut buffer);
                used += inflater.inflate(&piece[used..], &mut buffer).unwrap();
                all.extend_from_slice(buffer.filled());
                if buffer.filled().is_empty() {
                    break;
                }
            }
            prop_assert!(inflater.has_ended() || used == piece.len());
        }
        prop_assert_eq!(all, text);
        prop_assert!(inflater.has_ended());
    }

    #[test]
    fn whatever_a_peer_sends_is_text_or_an_error(sent in prop::collection::vec(any::<u8>(), 0..500)) {
        let mut inflater = Inflater::new();
        let (mut used, mut given) = (0, 0);
        loop {
            let mut buffer = [0; 4096];
            let mut buffer = ReadBuf::new(&mut buffer);
            let Ok(count) = inflater.inflate(&sent[used..], &mut buffer) else { break };
            used += count;
            given += buffer.filled().len();
            if count == 0 && buffer.filled().is_empty() {
                break;
            }
        }
        // RFC 1951 §3.2.5: 258 octets for a reference, which takes two bits at least.
        prop_assert!(given <= sent.len() * 1032);
    }
}
