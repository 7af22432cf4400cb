//! Plays every transcript on the whole server, handlers and store included.
//!
//! - `memory/smtp/name`: in a simulated world, over streams in memory.
//! - `cut/smtp/name`: the same with the client's bytes cut elsewhere. Each play starts a server with a disk of its own, so
//!   that only some places are taken here; the session alone is cut at every byte in the tests of `testkit`.
//! - `binary/smtp/name`: on the real binary, over TCP and TLS. Not those that wait for minutes, nor those whose limits no
//!   settings text may ask for.

mod stage;

use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};
use stage::binary::BinaryServer;
use stage::memory::MemoryStage;
use stage::place::{Place, has_options_of_tests};
use testkit::files::{self, File};
use testkit::{Cut, Played, Stage, Transcript, play};

/// Places where a transcript is cut here, beside every one of them at once.
const CUTS: usize = 8;

fn main() {
    let mut arguments = Arguments::from_args();
    // Hashing passwords is most of the work, and takes a processor and 19 MiB each.
    arguments.test_threads.get_or_insert(2);
    let files = files::transcripts().expect("the folder of transcripts can be read");
    let trials = files.into_iter().map(Arc::new).flat_map(|file| trials(&file)).collect();
    libtest_mimic::run(&arguments, trials).exit();
}

fn trials(file: &Arc<File>) -> Vec<Trial> {
    let trial = |kind: &str, test: fn(&File) -> Result<(), Failed>| {
        let file = file.clone();
        Trial::test(format!("{kind}/{}", file.name), move || test(&file))
    };
    if file.transcript.as_ref().is_ok_and(needs_the_application_of_testkit) {
        return Vec::new();
    }
    let mut trials = vec![trial("memory", in_memory), trial("cut", cut)];
    let real = |transcript: &Transcript| {
        // An issuer of tokens is in the simulated world alone.
        let fixture = &transcript.fixture;
        transcript.plays_in_real_time() && !has_options_of_tests(fixture) && fixture.tokens.is_empty()
    };
    if file.transcript.as_ref().is_ok_and(real) {
        trials.push(trial("binary", on_the_binary));
    }
    trials
}

/// A mailbox that takes no more and clients' certificates are something that only it has.
fn needs_the_application_of_testkit(transcript: &Transcript) -> bool {
    let mechanisms = transcript.fixture.options.get("mechanisms");
    let external = mechanisms.is_some_and(|names| names.split(',').any(|name| name == "external"));
    transcript.fixture.options.contains_key("full-mailbox") || external
}

fn transcript(file: &File) -> Result<&Transcript, Failed> {
    file.transcript.as_ref().map_err(|error| error.as_str().into())
}

fn in_memory(file: &File) -> Result<(), Failed> {
    let place = Place::new(&transcript(file)?.fixture)?;
    one(file, &mut MemoryStage::new(place)?, Cut::Whole).map(drop)
}

fn on_the_binary(file: &File) -> Result<(), Failed> {
    let server = BinaryServer::start(Place::new(&transcript(file)?.fixture)?)?;
    one(file, &mut server.stage()?, Cut::Whole).map(drop)
}

fn one(file: &File, stage: &mut dyn Stage, cut: Cut) -> Result<Played, Failed> {
    play(transcript(file)?, file.protocol, stage, cut)
        .map_err(|failure| Failed::from(format!("{}, {failure}", file.path.display())))
}

/// Wherever the client's bytes are cut, the server says the same.
fn cut(file: &File) -> Result<(), Failed> {
    let place = Place::new(&transcript(file)?.fixture)?;
    let whole = one(file, &mut MemoryStage::new(place.copy()?)?, Cut::Whole)?;
    for cut in cuts(&whole.cut_points) {
        let played = one(file, &mut MemoryStage::new(place.copy()?)?, cut)?;
        if played.finished && played.output != whole.output {
            let dialogue = played.dialogue.render(false);
            return Err(format!("{cut:?}: the server says something else\n{dialogue}").into());
        }
    }
    Ok(())
}

/// Some places, spread evenly, and all at once.
fn cuts(points: &[usize]) -> Vec<Cut> {
    let step = points.len().div_ceil(CUTS).max(1);
    points.iter().skip(step / 2).step_by(step).map(|&at| Cut::At(at)).chain([Cut::Everywhere]).collect()
}
