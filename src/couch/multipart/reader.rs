//! Takes a multipart stream apart as it arrives, in memory bounded by the headers of one part.

use bytes::{Buf as _, Bytes, BytesMut};

/// What a stream is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A part begins.
    Part(Headers),
    /// Bytes of the current part.
    Data(Bytes),
    /// The current part is whole.
    PartEnd,
    /// The closing boundary was seen; what follows is ignored.
    End,
}

/// The headers of a part that mean something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Headers {
    pub(crate) content_type: Option<String>,
    pub(crate) content_encoding: Option<String>,
    /// Means something in a form only.
    pub(crate) disposition: Option<String>,
}

/// Why a stream is no multipart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ReaderError {
    #[error("a multipart answer has no boundary where one must be")]
    NoBoundary,
    #[error("the headers of a part are larger than 64 KiB")]
    HeadersTooLarge,
    #[error("a multipart answer ends too early")]
    Truncated,
}

/// An attachment's name (up to 8 KiB encoded) and its content type stand in the headers.
const LARGEST_HEADERS: usize = 64 * 1024;
/// White space that may follow a boundary, and anything before the first one.
const LARGEST_PADDING: usize = 1024;

/// The reader: feed it with [`Reader::push`], ask it with [`Reader::next`].
#[derive(Debug)]
pub(crate) struct Reader {
    delimiter: Vec<u8>,
    skips: Box<[u8; 256]>,
    buffer: BytesMut,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before the first boundary.
    Preamble,
    /// Behind the characters of a boundary.
    Boundary,
    Headers,
    Body,
    End,
}

impl Reader {
    /// Starts with the boundary as the content type gives it.
    pub(crate) fn new(boundary: &str) -> Self {
        // The line break before a boundary belongs to it; the first one may stand at the very beginning.
        let buffer = BytesMut::from(&b"\r\n"[..]);
        let delimiter = format!("\r\n--{boundary}").into_bytes();
        Self { skips: skips_of(&delimiter), delimiter, buffer, state: State::Preamble }
    }

    /// Takes the next bytes of the stream.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if self.state != State::End {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// The stream is over.
    pub(crate) fn finish(&self) -> Result<(), ReaderError> {
        if self.state == State::End { Ok(()) } else { Err(ReaderError::Truncated) }
    }

    /// What comes next; `None` asks for more bytes.
    pub(crate) fn next(&mut self) -> Result<Option<Event>, ReaderError> {
        loop {
            match self.state {
                State::Preamble => match self.find_delimiter() {
                    Found::At(at) if at <= LARGEST_PADDING => {
                        self.buffer.advance(at + self.delimiter.len());
                        self.state = State::Boundary;
                    }
                    Found::No(clear) if clear <= LARGEST_PADDING => return Ok(None),
                    _ => return Err(ReaderError::NoBoundary),
                },
                State::Boundary => match self.after_boundary()? {
                    Some(State::End) => {
                        self.state = State::End;
                        self.buffer.clear();
                        return Ok(Some(Event::End));
                    }
                    Some(state) => self.state = state,
                    None => return Ok(None),
                },
                State::Headers => return self.headers(),
                State::Body => return Ok(self.body()),
                State::End => return Ok(None),
            }
        }
    }

    fn after_boundary(&mut self) -> Result<Option<State>, ReaderError> {
        if self.buffer.starts_with(b"--") {
            return Ok(Some(State::End));
        }
        let padding = self.buffer.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        match &self.buffer[padding..] {
            [] | [b'\r' | b'-'] if padding <= LARGEST_PADDING => Ok(None),
            [b'\r', b'\n', ..] => {
                // This line break may at once be the one that ends the (empty) headers.
                self.buffer.advance(padding);
                Ok(Some(State::Headers))
            }
            _ => Err(ReaderError::NoBoundary),
        }
    }

    fn headers(&mut self) -> Result<Option<Event>, ReaderError> {
        let Some(end) = find(&self.buffer, b"\r\n\r\n") else {
            let too_large = self.buffer.len() > LARGEST_HEADERS;
            return if too_large { Err(ReaderError::HeadersTooLarge) } else { Ok(None) };
        };
        if end > LARGEST_HEADERS {
            return Err(ReaderError::HeadersTooLarge);
        }
        // A part without a body may have its boundary right behind the headers, sharing their last line break.
        let shared = match self.delimiter_at(end + 2) {
            Is::Unknown => return Ok(None),
            Is::Delimiter => true,
            Is::Content => false,
        };
        let headers = Headers::parse(&self.buffer[..end]);
        self.buffer.advance(if shared { end + 2 } else { end + 4 });
        self.state = State::Body;
        Ok(Some(Event::Part(headers)))
    }

    fn body(&mut self) -> Option<Event> {
        match self.find_delimiter() {
            Found::At(0) => {
                self.buffer.advance(self.delimiter.len());
                self.state = State::Boundary;
                Some(Event::PartEnd)
            }
            Found::At(clear) | Found::No(clear) if clear > 0 => Some(Event::Data(self.buffer.split_to(clear).freeze())),
            _ => None,
        }
    }

    /// Looks for a delimiter. `No` tells how many bytes cannot belong to one.
    fn find_delimiter(&self) -> Found {
        let (length, mut from) = (self.delimiter.len(), 0);
        while let Some(window) = self.buffer.get(from..from + length) {
            if window == self.delimiter {
                match self.delimiter_at(from) {
                    Is::Delimiter => return Found::At(from),
                    Is::Unknown => return Found::No(from),
                    Is::Content => from += 1,
                }
            } else {
                from += usize::from(self.skips[usize::from(window[length - 1])]);
            }
        }
        // What is left is shorter than a delimiter, but may be the beginning of one.
        let is_beginning = |at: &usize| self.delimiter.starts_with(&self.buffer[*at..]);
        Found::No((from..self.buffer.len()).find(is_beginning).unwrap_or(self.buffer.len()))
    }

    /// Whether a delimiter stands here: the boundary and one of the things that may follow it.
    fn delimiter_at(&self, at: usize) -> Is {
        let rest = &self.buffer[at..];
        let known = rest.len().min(self.delimiter.len());
        if rest[..known] != self.delimiter[..known] {
            return Is::Content;
        }
        match &rest[known..] {
            [b'-', b'-', ..] | [b'\r', b'\n', ..] | [b' ' | b'\t', ..] => Is::Delimiter,
            [] | [b'-' | b'\r'] => Is::Unknown,
            _ => Is::Content,
        }
    }
}

enum Is {
    Delimiter,
    Content,
    /// More bytes will tell.
    Unknown,
}

enum Found {
    At(usize),
    No(usize),
}

impl Headers {
    fn parse(lines: &[u8]) -> Self {
        let mut headers = Self::default();
        for line in lines.split(|byte| *byte == b'\n') {
            let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
            let value = || Some(String::from_utf8_lossy(line[colon + 1..].trim_ascii()).into_owned());
            match line[..colon].trim_ascii().to_ascii_lowercase().as_slice() {
                b"content-type" if headers.content_type.is_none() => headers.content_type = value(),
                b"content-disposition" if headers.disposition.is_none() => {
                    headers.disposition = value();
                }
                b"content-encoding" if headers.content_encoding.is_none() => headers.content_encoding = value(),
                _ => {}
            }
        }
        headers
    }

    /// Whether the bytes of the part are compressed; `None` when they are in a way that is not known.
    pub(crate) fn encoding(&self) -> Option<bool> {
        match self.content_encoding.as_deref() {
            None | Some("identity") => Some(false),
            Some(encoding) => encoding.eq_ignore_ascii_case("gzip").then_some(true),
        }
    }
}

/// The boundary of a `multipart/…` content type; `None` for anything else.
pub(crate) fn boundary_of(content_type: &str) -> Option<String> {
    let mut parameters = content_type.split(';');
    if !parameters.next()?.trim().to_ascii_lowercase().starts_with("multipart/") {
        return None;
    }
    let boundary = parameters.find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim().trim_matches('"').to_owned())
    })?;
    // RFC 2046 allows up to 70 characters.
    (1..=200).contains(&boundary.len()).then_some(boundary)
}

/// For each byte, how far a delimiter may be moved on when that byte stands where its last one would be (Horspool's
/// algorithm): a content has a million times as many bytes as delimiters.
fn skips_of(delimiter: &[u8]) -> Box<[u8; 256]> {
    let whole = u8::try_from(delimiter.len()).unwrap_or(u8::MAX);
    let mut skips = Box::new([whole; 256]);
    for (byte, to_last) in delimiter.iter().zip((1..delimiter.len()).rev()) {
        skips[usize::from(*byte)] = u8::try_from(to_last).unwrap_or(u8::MAX);
    }
    skips
}

fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Parts = Vec<(Headers, Vec<u8>)>;

    fn read(stream: &[u8], cuts: &[usize]) -> Result<Parts, ReaderError> {
        let mut reader = Reader::new("B");
        let mut parts: Parts = Vec::new();
        let mut from = 0;
        let mut take = |reader: &mut Reader| -> Result<(), ReaderError> {
            while let Some(event) = reader.next()? {
                match event {
                    Event::Part(headers) => parts.push((headers, Vec::new())),
                    Event::Data(bytes) => parts.last_mut().unwrap().1.extend_from_slice(&bytes),
                    Event::PartEnd => {}
                    Event::End => break,
                }
            }
            Ok(())
        };
        for cut in cuts.iter().map(|cut| cut % (stream.len() + 1)).chain([stream.len()]) {
            if cut > from {
                reader.push(&stream[from..cut]);
                from = cut;
                take(&mut reader)?;
            }
        }
        reader.finish()?;
        Ok(parts)
    }

    fn compose(parts: &[Vec<u8>]) -> Vec<u8> {
        let mut stream = b"--B".to_vec();
        for (index, part) in parts.iter().enumerate() {
            let encoding = if index % 2 == 1 { "Content-Encoding: gzip\r\n" } else { "" };
            stream.extend_from_slice(format!("\r\nContent-Type: text/plain\r\n{encoding}\r\n").as_bytes());
            stream.extend_from_slice(part);
            stream.extend_from_slice(b"\r\n--B");
        }
        stream.extend_from_slice(b"--");
        stream
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn any_split_gives_the_same_parts(
            parts in proptest::collection::vec(
                proptest::collection::vec(prop::sample::select(b"\r\n-Bx \t".to_vec()), 0..40), 1..5),
            mut cuts in proptest::collection::vec(0usize..400, 0..30),
        ) {
            // What looks like a delimiter would be one.
            let looks = |part: &Vec<u8>| {
                let whole = [b"\r\n", &part[..], b"\r\n--B"].concat();
                let at = find(&whole[..whole.len() - 4], b"\r\n--B");
                at.is_some() || find(&whole, b"\r\n--B") != Some(whole.len() - 5)
            };
            prop_assume!(!parts.iter().any(looks));
            cuts.sort_unstable();
            let stream = compose(&parts);
            let found = read(&stream, &cuts).unwrap();
            prop_assert_eq!(found.iter().map(|(_, bytes)| bytes.clone()).collect::<Vec<_>>(), parts);
            prop_assert!(found.iter().enumerate().all(|(index, (headers, _))| headers.encoding() == Some(index % 2 == 1)));
            prop_assert_eq!(&read(&stream, &(0..stream.len()).collect::<Vec<_>>()).unwrap(), &found);
            let epilogue = [&stream[..], b"\r\nafter"].concat();
            prop_assert_eq!(&read(&epilogue, &cuts).unwrap(), &found);
        }

        #[test]
        fn no_input_makes_it_panic(
            stream in proptest::collection::vec(prop::sample::select(b"\r\n-B: \txyz".to_vec()), 0..200),
            mut cuts in proptest::collection::vec(0usize..200, 0..20),
        ) {
            cuts.sort_unstable();
            let whole = read(&stream, &[]);
            let pieces = read(&stream, &cuts);
            prop_assert_eq!(whole.is_ok(), pieces.is_ok());
        }
    }

    #[test]
    fn odd_but_legal_streams_are_read() {
        let cases: [(&[u8], &[&[u8]]); 6] = [
            (b"--B\r\n\r\na\r\n--B--", &[b"a"]),
            (b"\r\n--B \t\r\nX: y\r\n\r\na\r\n--B--\r\n", &[b"a"]),
            (b"preamble\r\n--B\r\n\r\na\r\n--B--", &[b"a"]),
            (b"--B\r\nA: b\r\n\r\n--B\r\n\r\n\r\n--B--", &[b"", b""]),
            (b"--B\r\n\r\na\r\n--Bx\r\n--B--", &[b"a\r\n--Bx"]),
            (b"--B--", &[]),
        ];
        for (stream, expected) in cases {
            let parts = read(stream, &[]).unwrap();
            let bodies: Vec<&[u8]> = parts.iter().map(|(_, body)| body.as_slice()).collect();
            assert_eq!(bodies, expected, "{:?}", String::from_utf8_lossy(stream));
        }
    }

    #[test]
    fn damaged_streams_are_errors() {
        let long = [b"--B\r\nX: ", &b"y".repeat(70_000)[..], b"\r\n\r\na\r\n--B--"].concat();
        let cases: [(&[u8], ReaderError); 6] = [
            (b"", ReaderError::Truncated),
            (b"--B\r\n\r\na", ReaderError::Truncated),
            (b"--B\r\n\r\na\r\n--B", ReaderError::Truncated),
            (b"--B\r\n\r\na\r\n--B\r\n", ReaderError::Truncated),
            (&b"x".repeat(2000), ReaderError::NoBoundary),
            (&long, ReaderError::HeadersTooLarge),
        ];
        for (stream, error) in cases {
            assert_eq!(read(stream, &[]).unwrap_err(), error);
        }
    }

    #[test]
    fn boundaries_are_found_in_content_types() {
        let cases = [
            ("multipart/related; boundary=\"abc\"", Some("abc")),
            ("Multipart/Mixed;type=x; Boundary=abc", Some("abc")),
            ("application/json; boundary=abc", None),
            ("multipart/related", None),
            ("multipart/related; boundary=\"\"", None),
        ];
        for (content_type, boundary) in cases {
            assert_eq!(boundary_of(content_type).as_deref(), boundary, "{content_type}");
        }
    }
}
