//! Music: what its tags say, and how long it plays.

use lofty::config::{ParseOptions, ParsingMode};
use lofty::file::{AudioFile, TaggedFile, TaggedFileExt};
use lofty::probe::Probe;
use lofty::tag::Accessor;

use super::bounded::{USUAL, Window};
use super::facts::{AnySource, Facts};

/// `title`, `artist`, `album` and `duration`.
pub(super) fn describe(source: AnySource, length: u64, facts: &mut Facts) -> Option<()> {
    // A film without sound has no properties of sound, and then its tags are refused along with them.
    let file = match read(source, length, true) {
        Some(file) => file,
        None => read(source, length, false)?,
    };
    for tag in file.primary_tag().into_iter().chain(file.tags()) {
        let texts = [("title", tag.title()), ("artist", tag.artist()), ("album", tag.album())];
        for (key, text) in texts {
            facts.text(key, &text.unwrap_or_default());
        }
    }
    facts.duration(u64::try_from(file.properties().duration().as_millis()).ok()?);
    Some(())
}

fn read(source: AnySource, length: u64, properties: bool) -> Option<TaggedFile> {
    let options =
        ParseOptions::new().read_cover_art(false).read_properties(properties).parsing_mode(ParsingMode::Relaxed);
    let probe = Probe::new(Window::buffered(source, length, USUAL).ok()?).options(options);
    probe.guess_file_type().ok()?.read().ok()
}
