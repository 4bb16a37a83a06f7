//! Small whole files of many kinds, built byte by byte.

use std::io::{Cursor, Write};

use flate2::Compression;
use flate2::write::{DeflateEncoder, ZlibEncoder};
use image::{DynamicImage, ImageFormat, Rgba, RgbaImage};

/// A file with its content type and what it tells.
pub(super) struct Sample {
    pub(super) name: &'static str,
    pub(super) content_type: &'static str,
    pub(super) bytes: Vec<u8>,
    pub(super) facts: &'static str,
}

/// One file of each kind.
pub(super) fn all() -> Vec<Sample> {
    let sample = |name, content_type, bytes, facts| Sample { name, content_type, bytes, facts };
    let photo = r#"{"width":32,"height":16,"taken":"2010-09-18T16:02:11","orientation":6}"#;
    let song = r#"{"title":"Süß","artist":"The Band","album":"First"}"#;
    let book = r#"{"title":"A Book","author":"Ann Author, Bob Böck"}"#;
    vec![
        sample("photo.jpg", "image/jpeg", photo_jpeg(6), photo),
        sample("drawing.png", "image/png", drawing(ImageFormat::Png), r#"{"width":32,"height":16}"#),
        sample("drawing.gif", "image/gif", drawing(ImageFormat::Gif), r#"{"width":32,"height":16}"#),
        sample("drawing.webp", "image/webp", drawing(ImageFormat::WebP), r#"{"width":32,"height":16}"#),
        sample("raw.tif", "image/tiff", exif(3), r#"{"taken":"2010-09-18T16:02:11","orientation":3}"#),
        sample(
            "song.mp3",
            "audio/mpeg",
            mp3(),
            r#"{"title":"Süß","artist":"The Band","album":"First","duration":1.043}"#,
        ),
        sample("noise.wav", "audio/wav", wav(), r#"{"title":"Noise","artist":"Nobody","duration":1.5}"#),
        sample("song.flac", "audio/flac", flac(), song),
        sample("film.mp4", "video/mp4", mp4(), r#"{"duration":2,"width":640,"height":360,"title":"Holiday"}"#),
        sample("paper.pdf", "application/pdf", pdf(), r#"{"title":"A (small) Paper","author":"Ä"}"#),
        sample("new.pdf", "application/pdf", compressed_pdf(), r#"{"title":"Packed","author":"Ann"}"#),
        sample("book.epub", "application/epub+zip", epub(PACKAGE.as_bytes()), book),
    ]
}

/// A transparent drawing with a red left half, 32 x 16.
pub(super) fn drawing(format: ImageFormat) -> Vec<u8> {
    let image = RgbaImage::from_fn(32, 16, |x, _| if x < 16 { Rgba([255, 0, 0, 255]) } else { Rgba([0, 0, 0, 0]) });
    let image = match format {
        ImageFormat::Jpeg => DynamicImage::ImageRgb8(DynamicImage::ImageRgba8(image).to_rgb8()),
        _ => DynamicImage::ImageRgba8(image),
    };
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// The drawing as a photo: red left half, black right half.
pub(super) fn photo_jpeg(orientation: u8) -> Vec<u8> {
    let plain = drawing(ImageFormat::Jpeg);
    let exif = [b"Exif\0\0".as_slice(), &exif(orientation)].concat();
    let length = u16::try_from(exif.len() + 2).unwrap().to_be_bytes();
    [&plain[..2], b"\xff\xe1", &length, &exif, &plain[2..]].concat()
}

fn exif(orientation: u8) -> Vec<u8> {
    let entry = |tag: u16, kind: u16, count: u32, value: u32| {
        [&tag.to_le_bytes()[..], &kind.to_le_bytes(), &count.to_le_bytes(), &value.to_le_bytes()].concat()
    };
    let first = [&2_u16.to_le_bytes()[..], &entry(0x112, 3, 1, orientation.into()), &entry(0x8769, 4, 1, 38), &[0; 4]];
    let second = [&1_u16.to_le_bytes()[..], &entry(0x9003, 2, 20, 56), &[0; 4]];
    [b"II*\0\x08\0\0\0", &first.concat()[..], &second.concat(), b"2010:09:18 16:02:11\0"].concat()
}

fn mp3() -> Vec<u8> {
    let frame = |id: &str, text: &[u8]| {
        let length = u32::try_from(text.len() + 1).unwrap().to_be_bytes();
        [id.as_bytes(), &length, b"\0\0\0", text].concat()
    };
    let frames = [frame("TIT2", b"S\xfc\xdf"), frame("TPE1", b"The Band"), frame("TALB", b"First")].concat();
    let tag = [b"ID3\x03\0\0\0\0\0", [u8::try_from(frames.len()).unwrap()].as_slice(), &frames].concat();
    // 40 frames of 417 bytes at 128 kbit/s.
    let frame = [b"\xff\xfb\x90\0".as_slice(), &[0; 413]].concat();
    [tag, frame.repeat(40)].concat()
}

fn chunk(id: &str, content: &[u8]) -> Vec<u8> {
    let padding: &[u8] = if content.len() % 2 == 1 { b"\0" } else { b"" };
    [id.as_bytes(), &u32::try_from(content.len()).unwrap().to_le_bytes()[..], content, padding].concat()
}

fn wav() -> Vec<u8> {
    let format = [&b"\x01\0\x01\0"[..], &8000_u32.to_le_bytes(), &8000_u32.to_le_bytes(), b"\x01\0\x08\0"].concat();
    let list = [&b"INFO"[..], &chunk("INAM", b"Noise\0"), &chunk("IART", b"Nobody\0")].concat();
    let chunks = [chunk("fmt ", &format), chunk("LIST", &list), chunk("data", &[0x80; 12_000])].concat();
    chunk("RIFF", &[b"WAVE", &chunks[..]].concat())
}

fn flac() -> Vec<u8> {
    let comment = |text: &str| [&u32::try_from(text.len()).unwrap().to_le_bytes()[..], text.as_bytes()].concat();
    let comments = ["TITLE=Süß", "ARTIST=The Band", "ALBUM=First"].map(comment).concat();
    let comments = [comment("maker"), 3_u32.to_le_bytes().to_vec(), comments].concat();
    let stream = [&[0x10, 0, 0x10, 0, 0, 0, 0, 0, 0, 0, 0x0a, 0xc4, 0x42, 0xf0][..], &[0; 20]].concat();
    let block = |kind: u8, content: &[u8]| {
        [&[kind], &u32::try_from(content.len()).unwrap().to_be_bytes()[1..], content].concat()
    };
    [b"fLaC".to_vec(), block(0, &stream), block(0x84, &comments)].concat()
}

fn atom(kind: &str, content: &[u8]) -> Vec<u8> {
    [&u32::try_from(content.len() + 8).unwrap().to_be_bytes()[..], kind.as_bytes(), content].concat()
}

fn mp4() -> Vec<u8> {
    let movie = [&[0; 12][..], &600_u32.to_be_bytes(), &1200_u32.to_be_bytes(), &[0; 80]].concat();
    let track = [&[0; 76][..], &(640_u32 << 16).to_be_bytes(), &(360_u32 << 16).to_be_bytes()].concat();
    let data = atom("data", &[&1_u32.to_be_bytes()[..], &[0; 4], b"Holiday"].concat());
    let list = atom("ilst", &[&u32::try_from(data.len() + 8).unwrap().to_be_bytes()[..], b"\xa9nam", &data].concat());
    let handler = atom("hdlr", &[&[0; 8][..], b"mdirappl", &[0; 9]].concat());
    let meta = atom("meta", &[&[0; 4][..], &handler, &list].concat());
    let moov = [atom("mvhd", &movie), atom("trak", &atom("tkhd", &track)), atom("udta", &meta)].concat();
    [atom("ftyp", b"mp42\0\0\0\0mp42isom"), atom("moov", &moov), atom("mdat", &[0; 16])].concat()
}

pub(super) fn pdf() -> Vec<u8> {
    let objects = [
        "1 0 obj\n<</Type/Catalog/Pages 2 0 R>>\nendobj\n",
        "2 0 obj\n<</Type/Pages/Kids[]/Count 0>>\nendobj\n",
        "3 0 obj\n<</Title(A \\(small\\) Paper)/Author 4 0 R/Producer(x)>>\nendobj\n",
        "4 0 obj\n<FEFF00C4>\nendobj\n",
    ];
    let mut bytes = b"junk\n%PDF-1.4\n".to_vec();
    let mut table = "xref\n0 5\n0000000000 65535 f \n".to_owned();
    for object in objects {
        // Positions count from the `%`.
        table.push_str(&format!("{:010} 00000 n \n", bytes.len() - 5));
        bytes.extend_from_slice(object.as_bytes());
    }
    let position = bytes.len() - 5;
    let trailer = "trailer\n<</Size 5/Root 1 0 R/Info 3 0 R>>";
    bytes.extend_from_slice(format!("{table}{trailer}\nstartxref\n{position}\n%%EOF\n").as_bytes());
    bytes
}

/// Objects in a compressed stream, found by a compressed cross-reference stream with a predictor.
fn compressed_pdf() -> Vec<u8> {
    let (first, second) = ("<</Title(Packed)/Author 4 0 R>>", "(Ann)");
    let index = format!("3 0 4 {} ", first.len() + 1);
    let mut bytes = b"%PDF-1.5\n".to_vec();
    let container = bytes.len();
    let dictionary = format!("/Type/ObjStm/N 2/First {}", index.len());
    bytes.extend(stream(5, &dictionary, format!("{index}{first} {second}").as_bytes()));
    let position = bytes.len();
    let entries = [[0, 0, 0], [0, 0, 0], [0, 0, 0], [2, 5, 0], [2, 5, 1], [1, u8::try_from(container).unwrap(), 0]];
    let mut rows = Vec::new();
    let mut above = [0_u8; 3];
    for entry in entries {
        rows.push(2);
        rows.extend(entry.iter().zip(above).map(|(byte, above)| byte.wrapping_sub(above)));
        above = entry;
    }
    let dictionary =
        "/Type/XRef/Size 6/W[1 1 1]/Root 1 0 R/Info 3 0 R/DecodeParms<</Predictor 12/Columns 3>>".to_owned();
    bytes.extend(stream(6, &dictionary, &rows));
    bytes.extend_from_slice(format!("startxref\n{position}\n%%EOF").as_bytes());
    bytes
}

/// A compressed stream object.
pub(super) fn stream(number: u32, dictionary: &str, content: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).unwrap();
    let content = encoder.finish().unwrap();
    let head = format!("{number} 0 obj\n<<{dictionary}/Filter/FlateDecode/Length {}>>\nstream\r\n", content.len());
    [head.as_bytes(), &content, b"\nendstream\nendobj\n"].concat()
}

pub(super) const PACKAGE: &str = r#"<?xml version="1.0"?>
<package xmlns="http://www.idpf.org/2007/opf"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/">
<dc:title> A Book </dc:title><dc:title>Subtitle</dc:title><dc:creator>Ann Author</dc:creator>
<dc:creator>Bob B&#246;ck</dc:creator></metadata></package>"#;

/// A book with this package document.
pub(super) fn epub(package: &[u8]) -> Vec<u8> {
    let container = r#"<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>
        <rootfile full-path="OEBPS/content.opf" media-type="application/oebps-package+xml"/></rootfiles></container>"#;
    zip(&[
        ("mimetype", b"application/epub+zip", false),
        ("META-INF/container.xml", container.as_bytes(), true),
        ("OEBPS/content.opf", package, true),
    ])
}

fn zip(entries: &[(&str, &[u8], bool)]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for (name, content, is_compressed) in entries {
        let mut stored = content.to_vec();
        if *is_compressed {
            let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(content).unwrap();
            stored = encoder.finish().unwrap();
        }
        let number = |length: usize| u32::try_from(length).unwrap().to_le_bytes();
        let method: &[u8] = if *is_compressed { b"\x08\0" } else { b"\0\0" };
        let head = [b"\x14\0\0\0", method, &[0; 8], &number(stored.len()), &number(content.len())].concat();
        let head = [&head[..], &number(name.len())].concat();
        let position = number(bytes.len());
        directory.extend([b"PK\x01\x02\x14\0", &head[..], &[0; 10], &position, name.as_bytes()].concat());
        bytes.extend([b"PK\x03\x04", &head[..], name.as_bytes(), &stored].concat());
    }
    let count = u16::try_from(entries.len()).unwrap().to_le_bytes();
    let place = [directory.len(), bytes.len()].map(|number| u32::try_from(number).unwrap().to_le_bytes()).concat();
    [&bytes, &directory, &b"PK\x05\x06\0\0\0\0"[..], &count, &count, &place, b"\0\0"].concat()
}
