//! Small pictures of pictures.

use std::io::{Read, Seek, SeekFrom};

use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, Rgb, RgbImage};
use serde_json::{Value, json};

use super::bounded::{Source, Window, shielded};
use crate::name::AttName;

/// Bytes of a file that is decoded: decoders hold all of it in memory.
const LARGEST_FILE: u64 = 64 << 20;
/// Bytes of an image's pixels: 64 million pixels of a photo.
const LARGEST_IMAGE: u64 = 192 << 20;
/// Of 100. Smaller is seen in faces, larger only in the size of the file.
const QUALITY: u8 = 80;

/// A small JPEG of an image, upright.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thumbnail {
    /// The JPEG.
    pub bytes: Vec<u8>,
    /// Pixels from left to right.
    pub width: u32,
    /// Pixels from top to bottom.
    pub height: u32,
}

impl Thumbnail {
    /// The type of the attachment.
    pub const CONTENT_TYPE: &str = "image/jpeg";
    /// The member of `file` (one of its facts) that tells of a thumbnail, so that it is known as ours.
    pub const FACT: &str = "thumbnail";

    /// The value of the fact: `{"attachment": …, "width": …, "height": …}`.
    pub fn fact(&self, name: &AttName) -> Value {
        json!({"attachment": name.as_str(), "width": self.width, "height": self.height})
    }
}

/// A JPEG of the image within `size` x `size` pixels, EXIF orientation applied, transparency on white; never larger
/// than the image is. `None` for what is no JPEG, PNG, GIF or WebP, is damaged, or is beyond the limits (64 MB of
/// file, 192 MB of pixels; a decoder may use three times that). Reads from the start; blocks while it computes.
pub fn thumbnail<R: Read + Seek>(reader: &mut R, size: u32) -> Option<Thumbnail> {
    if size == 0 {
        return None;
    }
    shielded(|| encode(&reduced(reader, size)?))?
}

fn reduced(source: &mut dyn Source, size: u32) -> Option<RgbImage> {
    let length = source.seek(SeekFrom::End(0)).ok().filter(|length| *length <= LARGEST_FILE)?;
    // Some formats are looked through twice: for what they are, and for what they show.
    let mut file =
        ImageReader::new(Window::buffered(source, length, 2 * LARGEST_FILE).ok()?).with_guessed_format().ok()?;
    if !matches!(file.format()?, ImageFormat::Jpeg | ImageFormat::Png | ImageFormat::Gif | ImageFormat::WebP) {
        return None;
    }
    let mut limits = Limits::default();
    limits.max_alloc = Some(LARGEST_IMAGE);
    file.limits(limits);
    let mut decoder = file.into_decoder().ok()?;
    // The decoder heeds the limits for what it needs beside the image, not for the image itself.
    if decoder.total_bytes() > LARGEST_IMAGE {
        return None;
    }
    let orientation = decoder.orientation().ok();
    let mut image = DynamicImage::from_decoder(decoder).ok()?;
    if image.width() > size || image.height() > size {
        image = image.thumbnail(size, size);
    }
    let mut image = DynamicImage::ImageRgb8(opaque(&image));
    if let Some(orientation) = orientation {
        image.apply_orientation(orientation);
    }
    Some(image.into_rgb8())
}

/// The image on white: a JPEG has no transparency.
fn opaque(image: &DynamicImage) -> RgbImage {
    if !image.color().has_alpha() {
        return image.to_rgb8();
    }
    let image = image.to_rgba8();
    RgbImage::from_fn(image.width(), image.height(), |x, y| {
        let [red, green, blue, alpha] = image.get_pixel(x, y).0.map(u16::from);
        let mixed = [red, green, blue].map(|part| (part * alpha + 255 * (255 - alpha)) / 255);
        Rgb(mixed.map(|part| u8::try_from(part).unwrap_or(u8::MAX)))
    })
}

fn encode(image: &RgbImage) -> Option<Thumbnail> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, QUALITY).encode_image(image).ok()?;
    Some(Thumbnail { bytes, width: image.width(), height: image.height() })
}
