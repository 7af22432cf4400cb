//! Plays every transcript in memory: as it is written, and cut at every place.
//!
//! `smtp/unknown-recipient` is the file `tests/transcripts/smtp/unknown-recipient.txt`.

use libtest_mimic::{Arguments, Failed, Trial};
use testkit::files::{self, File};
use testkit::{Cut, Played, SessionStage, play};

fn main() {
    let arguments = Arguments::from_args();
    let files = files::transcripts().expect("the folder of transcripts can be read");
    let trials = files.into_iter().flat_map(|file| {
        let cut = file.clone();
        [
            Trial::test(file.name.clone(), move || one(&file, Cut::Whole).map(drop)),
            Trial::test(format!("cut/{}", cut.name), move || everywhere(&cut)),
        ]
    });
    libtest_mimic::run(&arguments, trials.collect()).exit();
}

fn one(file: &File, cut: Cut) -> Result<Played, Failed> {
    let transcript = file.transcript.as_ref().map_err(|error| Failed::from(error.as_str()))?;
    let mut stage = SessionStage::new(&transcript.fixture)?;
    play(transcript, file.protocol, &mut stage, cut)
        .map_err(|failure| Failed::from(format!("{}, {failure}", file.path.display())))
}

/// Wherever the client's bytes are cut, the server says the same.
fn everywhere(file: &File) -> Result<(), Failed> {
    let whole = one(file, Cut::Whole)?;
    let cuts = whole.cut_points.iter().map(|&at| Cut::At(at)).chain([Cut::Everywhere]);
    for cut in cuts {
        let played = one(file, cut)?;
        if played.finished && played.output != whole.output {
            return Err(format!(
                "{:?}: the server says something else\n{}",
                cut,
                played.dialogue.render(false)
            )
            .into());
        }
    }
    Ok(())
}
