//! Whole files tell what they should; damaged ones tell less, in bounded time and space.

use std::io::{self, Cursor, Read, Seek, SeekFrom};

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};
use serde_json::Value;

use super::facts::Facts;
use super::samples::{PACKAGE, Sample, all, drawing, epub, pdf, photo_jpeg, stream};
use super::{book, describe, film, thumbnail};
use crate::json::Object;

fn facts(content_type: &str, name: &str, bytes: &[u8]) -> Object {
    describe(content_type, name, bytes.len() as u64, &mut Cursor::new(bytes))
}

fn settings() -> Config {
    #[expect(clippy::disallowed_methods, reason = "the number of cases is no setting of the tool")]
    let cases = std::env::var("COUCHAPP_CASES").ok().and_then(|count| count.parse().ok());
    Config { cases: cases.unwrap_or(64), rng_seed: RngSeed::Fixed(3), failure_persistence: None, ..Config::default() }
}

#[test]
fn whole_files_tell_what_they_are() {
    for Sample { name, content_type, bytes, facts: expected } in all() {
        let expected: Object = serde_json::from_str(expected).unwrap();
        let found = facts(content_type, name, &bytes);
        assert_eq!(Value::from(found.clone()), Value::from(expected), "{name}");
        // People choose types; the name helps where they say nothing.
        assert_eq!(facts("application/octet-stream", name, &bytes), found, "{name}");
        // What a reader read before does not matter.
        let mut reader = Cursor::new(&bytes);
        reader.set_position(7);
        assert_eq!(describe(content_type, name, bytes.len() as u64, &mut reader), found, "{name}");
    }
}

#[test]
fn files_that_are_something_else_tell_nothing_wrong() {
    for Sample { content_type, .. } in all() {
        for bytes in [&b""[..], b"\0", b"PK\x05\x06", b"%PDF", b"startxref", b"ID3", &[0xff; 5000], &[0; 5000]] {
            assert_eq!(facts(content_type, "x", bytes), Object::new(), "{content_type} {:?}", bytes.get(..9));
        }
    }
    assert_eq!(facts("text/plain", "x.txt", b"hello"), Object::new());
}

#[test]
fn thumbnails_are_small_and_upright() {
    for format in [image::ImageFormat::Png, image::ImageFormat::Gif, image::ImageFormat::WebP] {
        let small = thumbnail(&mut Cursor::new(drawing(format)), 8).unwrap();
        assert_eq!((small.width, small.height), (8, 4));
        let pixels = image::load_from_memory(&small.bytes).unwrap().to_rgb8();
        assert_eq!(pixels.dimensions(), (8, 4));
        let [red, right] = [pixels.get_pixel(1, 2).0, pixels.get_pixel(6, 2).0];
        assert!(red[0] > 200 && red[1] < 60, "{format:?} {red:?}");
        assert!(right.iter().all(|part| *part > 230), "transparency is white: {format:?} {right:?}");
    }
    // Orientation 6: what is left in the file is above.
    let upright = thumbnail(&mut Cursor::new(photo_jpeg(6)), 8).unwrap();
    assert_eq!((upright.width, upright.height), (4, 8));
    let pixels = image::load_from_memory(&upright.bytes).unwrap().to_rgb8();
    assert!(pixels.get_pixel(2, 1).0[0] > 200 && pixels.get_pixel(2, 6).0[0] < 60);
    let same = thumbnail(&mut Cursor::new(photo_jpeg(1)), 1000).unwrap();
    assert_eq!((same.width, same.height), (32, 16), "never larger than the image");
    assert_eq!(thumbnail(&mut Cursor::new(photo_jpeg(1)), 0), None);
}

#[test]
fn a_lying_header_costs_nothing() {
    let mut huge = drawing(image::ImageFormat::Png);
    huge[16..24].copy_from_slice(&[0x7f, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff]);
    assert_eq!(thumbnail(&mut Cursor::new(&huge), 100), None);
    let mut huge = drawing(image::ImageFormat::Gif);
    huge[6..10].copy_from_slice(&[0xff; 4]);
    assert_eq!(thumbnail(&mut Cursor::new(&huge), 100), None);

    let bomb = epub(format!("{PACKAGE}{}", " ".repeat(3 << 20)).as_bytes());
    assert!(bomb.len() < 10_000);
    assert_eq!(facts("application/epub+zip", "x", &bomb), Object::new());

    // An object stream of 64 MB of blanks, whose beginning is enough.
    let mut bomb = b"%PDF-1.5\n".to_vec();
    let content = format!("3 0 <</Title(Bomb)>>{}", " ".repeat(64 << 20));
    bomb.extend(stream(5, "/First 4/N 1", content.as_bytes()));
    let position = bomb.len();
    bomb.extend(stream(6, "/Size 6/W[1 1 1]/Index[3 1 5 1]/Info 3 0 R", &[2, 5, 0, 1, 9, 0]));
    bomb.extend(format!("startxref\n{position}").as_bytes());
    assert_eq!(facts("application/pdf", "x", &bomb)["title"], "Bomb");
}

#[test]
fn sections_that_lead_in_a_circle_end() {
    let mut circle = pdf();
    let at = circle.windows(5).position(|window| window == b"0 5\n0").unwrap();
    // The table forgets its objects, and the trailer refers to itself.
    circle[at + 2] = b'0';
    assert_eq!(facts("application/pdf", "x", &circle), Object::new());
    let circle = b"%PDF-1.4\nxref\n0 0\ntrailer\n<</Info 3 0 R/Prev 9>>\nstartxref\n9";
    assert_eq!(facts("application/pdf", "x", circle), Object::new());
}

#[test]
fn an_encrypted_title_is_no_title() {
    let text = String::from_utf8(pdf()).unwrap().replace("/Root 1 0 R", "/Encrypt 9 0 R");
    assert_eq!(facts("application/pdf", "x", text.as_bytes()), Object::new());
}

#[test]
fn texts_are_cut() {
    let book = PACKAGE.replace(" A Book ", &format!("\n{}\n", "é".repeat(400)));
    let found = facts("application/epub+zip", "x", &epub(book.as_bytes()));
    assert_eq!(found["title"], "é".repeat(250));
}

/// A file of any length that repeats `bytes` at its start and then holds zeros; counts what is read of it.
struct Endless {
    start: Vec<u8>,
    length: u64,
    position: u64,
    read: u64,
}

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.length.saturating_sub(self.position)).unwrap_or(usize::MAX).min(buffer.len());
        for byte in &mut buffer[..most] {
            let at = usize::try_from(self.position).unwrap_or(usize::MAX);
            *byte = self.start.get(at).copied().unwrap_or(0);
            self.position += 1;
        }
        self.read += most as u64;
        Ok(most)
    }
}

impl Seek for Endless {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.position = match to {
            SeekFrom::Start(position) => position,
            SeekFrom::Current(distance) => self.position.saturating_add_signed(distance),
            SeekFrom::End(distance) => self.length.saturating_add_signed(distance),
        };
        Ok(self.position)
    }
}

#[test]
fn of_a_file_of_a_terabyte_little_is_read() {
    for Sample { name, content_type, bytes, .. } in all() {
        let mut file = Endless { start: bytes, length: 1 << 40, position: 0, read: 0 };
        describe(content_type, name, 1 << 40, &mut file);
        assert!(file.read <= 40 << 20, "{name}: {}", file.read);
        file.read = 0;
        assert_eq!(thumbnail(&mut file, 100), None, "{name}");
        assert!(file.read <= 1 << 20, "{name}: {}", file.read);
    }
}

#[test]
fn a_reader_that_fails_tells_nothing() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::Other.into())
        }
    }
    impl Seek for Broken {
        fn seek(&mut self, _: SeekFrom) -> io::Result<u64> {
            Ok(0)
        }
    }
    for Sample { content_type, .. } in all() {
        assert_eq!(describe(content_type, "x", 1000, &mut Broken), Object::new());
    }
    assert_eq!(thumbnail(&mut Broken, 9), None);
}

proptest! {
    #![proptest_config(settings())]

    #[test]
    fn damaged_files_harm_nobody(
        cut in prop::option::of(any::<prop::sample::Index>()),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        // Most of what leads a parser astray is in front.
        early in prop::collection::vec((0..200_usize, prop_oneof![Just(0), Just(0xff), any::<u8>()]), 0..4),
    ) {
        for Sample { name, content_type, mut bytes, .. } in all() {
            for (at, byte) in &flips {
                let at = at.index(bytes.len());
                bytes[at] ^= byte;
            }
            for (at, byte) in &early {
                if let Some(place) = bytes.get_mut(*at) {
                    *place = *byte;
                }
            }
            if let Some(cut) = &cut {
                bytes.truncate(cut.index(bytes.len()));
            }
            let found = facts(content_type, name, &bytes);
            prop_assert!(serde_json::to_string(&found).unwrap().len() < 4000);
            if let Some(orientation) = found.get("orientation") {
                prop_assert!((1..=8).contains(&orientation.as_u64().unwrap()));
            }
            if let Some(small) = thumbnail(&mut Cursor::new(&bytes), 16) {
                prop_assert!((1..=16).contains(&small.width) && (1..=16).contains(&small.height));
            }
            // Our own readers need no shield.
            let length = bytes.len() as u64;
            let mut reader = Cursor::new(&bytes);
            let _ = super::pdf::describe(&mut reader, length, &mut Facts::default());
            let _ = book::describe(&mut reader, length, &mut Facts::default());
            let _ = film::describe(&mut reader, length, &mut Facts::default());
        }
    }
}
