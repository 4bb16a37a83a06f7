//! A file seen through a window that closes: how much may be read of it, how often its reader may jump, and what a
//! parser that panics may break.

use std::cell::Cell;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

/// What a file is read from.
pub(super) trait Source: Read + Seek {}
impl<R: Read + Seek> Source for R {}

/// Enough for every title page, tag and header, small enough that 20,000 damaged files cost minutes, not hours.
pub(super) const USUAL: u64 = 8 << 20;

/// Jumps are cheap, but a parser led in a circle makes no end of them.
const JUMPS: u32 = 20_000;

/// Small, since most of what is read is headers far apart.
const BUFFER: usize = 4096;

/// A file of a known length, of which only so many bytes can be read: then it seems to end.
pub(super) struct Window<'a> {
    source: &'a mut dyn Source,
    position: u64,
    length: u64,
    left: u64,
    jumps: u32,
}

/// A [`Window`] with the buffer that parsers of small things need.
pub(super) type Buffered<'a> = BufReader<Window<'a>>;

impl<'a> Window<'a> {
    /// The whole of `source`, `length` bytes from its start, of which `most` may be read.
    pub(super) fn new(source: &'a mut dyn Source, length: u64, most: u64) -> io::Result<Self> {
        source.seek(SeekFrom::Start(0))?;
        Ok(Self { source, position: 0, length, left: most, jumps: JUMPS })
    }

    /// [`Window::new`] with a buffer.
    pub(super) fn buffered(source: &'a mut dyn Source, length: u64, most: u64) -> io::Result<Buffered<'a>> {
        Ok(BufReader::with_capacity(BUFFER, Self::new(source, length, most)?))
    }
}

impl Read for Window<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = self.left.min(self.length.saturating_sub(self.position));
        let most = usize::try_from(most).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.source.read(&mut buffer[..most])?;
        self.position += read as u64;
        self.left -= read as u64;
        Ok(read)
    }
}

impl Seek for Window<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::Current(distance) => self.position.checked_add_signed(distance),
            SeekFrom::End(distance) => self.length.checked_add_signed(distance),
        };
        let position = position.ok_or(io::ErrorKind::InvalidInput)?;
        self.jumps = self.jumps.checked_sub(1).ok_or(io::ErrorKind::Other)?;
        // A file that is shorter than the system can seek in holds nothing there either.
        self.source.seek(SeekFrom::Start(position.min(self.length)))?;
        self.position = position;
        Ok(position)
    }
}

/// The bytes from `position` on, at most `most` and at least one.
pub(super) fn bytes_at(reader: &mut impl Source, position: u64, most: u64) -> Option<Vec<u8>> {
    reader.seek(SeekFrom::Start(position)).ok()?;
    let mut bytes = Vec::new();
    reader.take(most).read_to_end(&mut bytes).ok()?;
    (!bytes.is_empty()).then_some(bytes)
}

/// What `work` gives, or `None` if it panics, which then nobody hears of. The parsers of foreign formats index and add
/// as they trust the bytes before them; one damaged photo must not end the upload of 20,000.
pub(super) fn shielded<T>(work: impl FnOnce() -> T) -> Option<T> {
    thread_local! {
        static QUIET: Cell<bool> = const { Cell::new(false) };
    }
    static HOOK: Once = Once::new();
    // The hook of the process stays what it is for every panic but those of this function on this thread.
    HOOK.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !QUIET.try_with(Cell::get).unwrap_or(false) {
                usual(panic);
            }
        }));
    });
    let before = QUIET.replace(true);
    let result = panic::catch_unwind(AssertUnwindSafe(work));
    QUIET.set(before);
    result.ok()
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn the_window_closes() {
        let mut file = Cursor::new((0..100).collect::<Vec<u8>>());
        let mut window = Window::new(&mut file, 50, 20).unwrap();
        assert_eq!(window.seek(SeekFrom::End(-10)).unwrap(), 40);
        let mut bytes = Vec::new();
        window.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, (40..50).collect::<Vec<u8>>(), "the length is where it ends");
        window.seek(SeekFrom::Start(0)).unwrap();
        bytes.clear();
        window.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, (0..10).collect::<Vec<u8>>(), "twenty in all");
        assert!(window.seek(SeekFrom::Current(-100)).is_err());
        assert_eq!(window.seek(SeekFrom::Start(u64::MAX)).unwrap(), u64::MAX);
        assert_eq!(window.read(&mut [0; 9]).unwrap(), 0);
    }

    #[test]
    fn going_in_circles_ends() {
        let mut file = Cursor::new(vec![0; 10]);
        let mut window = Window::new(&mut file, 10, 20).unwrap();
        let jumps = (0..JUMPS * 2).take_while(|_| window.seek(SeekFrom::Start(1)).is_ok()).count();
        assert_eq!(jumps, JUMPS as usize);
    }

    #[test]
    fn a_panic_ends_here() {
        assert_eq!(shielded(|| 1), Some(1));
        let nothing: Vec<u8> = Vec::new();
        assert_eq!(shielded(|| nothing[usize::MAX]), None);
        assert_eq!(shielded(|| shielded(|| nothing[1]).is_none()), Some(true));
    }
}
