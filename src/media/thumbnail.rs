//! Small pictures of pictures.

use std::io::{Read, Seek};

use serde_json::{Value, json};

use crate::name::AttName;

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

/// The key of the thumbnail's attachment beside the file's own key, never equal to it in any case of letters.
pub fn thumbnail_name(own: &AttName) -> AttName {
    let _ = own;
    unimplemented!()
}

/// A JPEG of the image within `size` x `size` pixels, EXIF orientation applied, transparency on white; never larger
/// than the image is. `None` for what is no JPEG, PNG, GIF or WebP, is damaged, or is beyond the limits (64 MB of
/// file, 256 MB of pixels). Reads from the start; blocks while it computes.
pub fn thumbnail<R: Read + Seek>(reader: &mut R, size: u32) -> Option<Thumbnail> {
    let _ = (reader, size);
    unimplemented!()
}
