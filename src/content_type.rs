//! Content types by file name.

use std::collections::BTreeMap;

/// What a name without a known extension gets.
pub const UNKNOWN: &str = "application/octet-stream";

/// Where the table of `mime_guess` is wrong for files that people put on the web, or silent.
const CORRECTIONS: [(&str, &str); 26] = [
    ("appcache", "text/cache-manifest"),
    ("avif", "image/avif"),
    ("epub", "application/epub+zip"),
    ("flac", "audio/flac"),
    ("geojson", "application/geo+json"),
    ("hbs", "text/x-handlebars"),
    ("heic", "image/heic"),
    ("ico", "image/x-icon"),
    ("js", "text/javascript"),
    ("jsonl", "application/x-ndjson"),
    ("jsx", "text/jsx"),
    ("m4a", "audio/mp4"),
    ("map", "application/json"),
    ("md", "text/markdown"),
    ("mjs", "text/javascript"),
    ("mkv", "video/x-matroska"),
    ("mustache", "text/x-mustache"),
    ("ndjson", "application/x-ndjson"),
    ("opus", "audio/ogg"),
    ("toml", "text/x-toml"),
    ("ts", "text/typescript"),
    ("tsx", "text/typescript"),
    ("vtt", "text/vtt"),
    ("webmanifest", "application/manifest+json"),
    ("yaml", "text/yaml"),
    ("yml", "text/yaml"),
];

/// The type of a file by its name, without parameters; `chosen` (extension → type, from the configuration) wins.
pub fn of_name(name: &str, chosen: &BTreeMap<String, String>) -> String {
    let file = name.rsplit('/').next().unwrap_or(name);
    // A name that only begins with a dot has no extension.
    let parts = file.rsplit_once('.').filter(|(stem, _)| !stem.is_empty());
    let Some((_, extension)) = parts else { return UNKNOWN.to_owned() };
    let extension = extension.to_ascii_lowercase();
    if let Some(chosen) = chosen.get(&extension) {
        return chosen.clone();
    }
    if let Ok(found) = CORRECTIONS.binary_search_by_key(&extension.as_str(), |(extension, _)| extension) {
        return CORRECTIONS[found].1.to_owned();
    }
    mime_guess::from_ext(&extension).first_raw().unwrap_or(UNKNOWN).to_owned()
}

/// Whether files of this type are text, so that a browser needs to know their encoding.
pub fn is_text(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let javascript = ["application/javascript", "application/x-javascript"].contains(&essence.as_str());
    essence.starts_with("text/") || javascript || essence == "application/json"
}

/// `content_type` with `; charset=utf-8` for text that is valid UTF-8, unless it names a charset already.
pub fn with_charset(content_type: String, is_utf8: bool) -> String {
    if is_utf8 && is_text(&content_type) && !content_type.contains(';') {
        content_type + "; charset=utf-8"
    } else {
        content_type
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_corrections_are_sorted() {
        assert!(CORRECTIONS.is_sorted());
    }

    #[test]
    fn names_get_the_types_that_browsers_expect() {
        let chosen = BTreeMap::from([("mustache".to_owned(), "text/html".to_owned())]);
        let cases = [
            ("index.html", "text/html"),
            ("a/b/style.CSS", "text/css"),
            ("app.js", "text/javascript"),
            ("app.mjs", "text/javascript"),
            ("app.ts", "text/typescript"),
            ("logo.svg", "image/svg+xml"),
            ("IMG_1.JPG", "image/jpeg"),
            ("film.mp4", "video/mp4"),
            ("song.mp3", "audio/mpeg"),
            ("paper.pdf", "application/pdf"),
            ("book.epub", "application/epub+zip"),
            ("font.woff2", "font/woff2"),
            ("module.wasm", "application/wasm"),
            ("x.mustache", "text/html"),
            ("README", UNKNOWN),
            ("a.b/README", UNKNOWN),
            ("x.qqq", UNKNOWN),
            (".htaccess", UNKNOWN),
        ];
        for (name, expected) in cases {
            assert_eq!(of_name(name, &chosen), expected, "{name}");
        }
    }

    #[test]
    fn utf8_text_says_so() {
        assert_eq!(with_charset("text/html".into(), true), "text/html; charset=utf-8");
        assert_eq!(with_charset("application/json".into(), true), "application/json; charset=utf-8");
        assert_eq!(with_charset("text/html".into(), false), "text/html");
        assert_eq!(with_charset("text/html; charset=x".into(), true), "text/html; charset=x");
        assert_eq!(with_charset("image/png".into(), true), "image/png");
        assert_eq!(with_charset("image/svg+xml".into(), true), "image/svg+xml");
    }
}
