//! Images: their size, and what the camera wrote beside them.

use exif::{Exif, In, Tag, Value};

use super::bounded::{USUAL, Window};
use super::facts::{AnySource, Facts};
use super::time;

/// `width` and `height`.
pub(super) fn size(source: AnySource, length: u64, facts: &mut Facts) -> Option<()> {
    let size = imagesize::reader_size(Window::buffered(source, length, USUAL).ok()?).ok()?;
    facts.dimensions(u64::try_from(size.width).ok()?, u64::try_from(size.height).ok()?);
    Some(())
}

/// `taken` and `orientation`.
pub(super) fn exif(source: AnySource, length: u64, facts: &mut Facts) -> Option<()> {
    let mut reader = exif::Reader::new();
    reader.continue_on_error(true);
    let found = match reader.read_from_container(&mut Window::buffered(source, length, USUAL).ok()?) {
        Ok(found) => found,
        // One bad entry, or a raw image whose end was not read, does not make the others wrong.
        Err(exif::Error::PartialResult(part)) => part.into_inner().0,
        Err(_) => return None,
    };
    // `DateTime` is when somebody last edited the image, so it does not count.
    if let Some(taken) = [Tag::DateTimeOriginal, Tag::DateTimeDigitized].into_iter().find_map(|tag| moment(&found, tag))
    {
        facts.value("taken", taken.into());
    }
    let orientation = found.get_field(Tag::Orientation, In::PRIMARY)?.value.get_uint(0)?;
    if (1..=8).contains(&orientation) {
        facts.value("orientation", orientation.into());
    }
    Some(())
}

fn moment(exif: &Exif, tag: Tag) -> Option<String> {
    match &exif.get_field(tag, In::PRIMARY)?.value {
        Value::Ascii(texts) => time::taken(str::from_utf8(texts.first()?).ok()?),
        _ => None,
    }
}
