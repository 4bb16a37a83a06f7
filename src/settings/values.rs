//! The values that options take, each with the one parser that flags, environment and files share.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use clap::ValueEnum;

/// Why a text is not the value of an option. Names what was expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {0}")]
pub struct ValueError(pub &'static str);

/// How many removals a push may make (`--max-delete`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaxDelete {
    /// At most this many entries.
    Count(u64),
    /// At most this share of what is there, in percent (0 to 100).
    Percent(u8),
    /// Any number.
    All,
}

impl FromStr for MaxDelete {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let error = ValueError("a number, a percentage such as `20%`, or `all`");
        if text == "all" {
            return Ok(Self::All);
        }
        match text.strip_suffix('%') {
            Some(percent) => match percent.trim_end().parse() {
                Ok(percent @ 0..=100) => Ok(Self::Percent(percent)),
                _ => Err(error),
            },
            None => text.parse().map(Self::Count).map_err(|_| error),
        }
    }
}

impl fmt::Display for MaxDelete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Percent(percent) => write!(f, "{percent}%"),
            Self::All => f.write_str("all"),
        }
    }
}

/// Who moves the documents of a replication (`--via`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Via {
    /// This computer: the servers need not see each other
    #[default]
    Client,
    /// One of the servers, which has to reach the other
    Server,
}

/// How a folder is laid out (`--layout`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Layout {
    /// Look at the folder and decide
    #[default]
    Auto,
    /// Fields and `_attachments`, as the old couchapp has it
    Couchapp,
    /// Every file is an attachment
    Web,
}

/// How progress is shown (`--progress`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ProgressChoice {
    /// A bar on a terminal, lines elsewhere
    #[default]
    Auto,
    /// A bar
    Bar,
    /// A line every ten seconds
    Lines,
    /// Nothing
    None,
}

/// When colours are used (`--color`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    /// On a terminal
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// What is read from files beside their bytes (`--metadata`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum MetadataChoice {
    /// Nothing
    None,
    /// Sizes, dates, titles
    #[default]
    Basic,
}

/// The largest side of thumbnails in pixels (`--thumbnails`); `None` for none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ThumbnailSize(pub Option<u32>);

impl FromStr for ThumbnailSize {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        if text == "off" {
            return Ok(Self(None));
        }
        match text.parse() {
            Ok(size @ 16..=4096) => Ok(Self(Some(size))),
            _ => Err(ValueError("a number of pixels from 16 to 4096, or `off`")),
        }
    }
}

impl fmt::Display for ThumbnailSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(size) => write!(f, "{size}"),
            None => f.write_str("off"),
        }
    }
}

macro_rules! choice_text {
    ($($choice:ident: $expected:literal),*) => {$(
        impl FromStr for $choice {
            type Err = ValueError;

            fn from_str(text: &str) -> Result<Self, ValueError> {
                <Self as ValueEnum>::from_str(text, false).map_err(|_| ValueError($expected))
            }
        }

        impl fmt::Display for $choice {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let value = self.to_possible_value();
                f.write_str(value.as_ref().map_or("", |value| value.get_name()))
            }
        }
    )*};
}
choice_text! {
    MetadataChoice: "`none` or `basic`",
    Layout: "`auto`, `couchapp` or `web`",
    ProgressChoice: "`auto`, `bar`, `lines` or `none`",
    ColorChoice: "`auto`, `always` or `never`"
}

/// A span of time: `45`, `45s`, `500ms`, `2m`, `1h`. Never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period(pub Duration);

impl FromStr for Period {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let error = ValueError("a time such as `45s`, `500ms` or `2m`");
        let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
        let milliseconds = match unit {
            "ms" => 1,
            "" | "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return Err(error),
        };
        match number.parse::<u64>().ok().and_then(|number| number.checked_mul(milliseconds)) {
            Some(total @ 1..) => Ok(Self(Duration::from_millis(total))),
            _ => Err(error),
        }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_millis() {
            milliseconds if milliseconds % 1_000 == 0 => write!(f, "{}s", milliseconds / 1_000),
            milliseconds => write!(f, "{milliseconds}ms"),
        }
    }
}

/// Limits in bytes per second; `None` is no limit. `10M` limits both ways, `10M:5M` up and down, `off` neither.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bandwidth {
    /// Sent to the server.
    pub up: Option<u64>,
    /// Received from the server.
    pub down: Option<u64>,
}

impl FromStr for Bandwidth {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let (up, down) = text.split_once(':').unwrap_or((text, text));
        Ok(Self { up: rate(up)?, down: rate(down)? })
    }
}

/// Bytes per second with the binary units `K`, `M`, `G`; a bare number is KiB, as in rsync and rclone.
fn rate(text: &str) -> Result<Option<u64>, ValueError> {
    let error = ValueError("a rate such as `500K`, `10M`, `10M:5M` or `off`");
    if text == "off" {
        return Ok(None);
    }
    let (number, unit) = text.split_at(text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len()));
    let unit = match unit {
        "B" => 1,
        "" | "K" | "k" => 1 << 10,
        "M" => 1 << 20,
        "G" => 1 << 30,
        _ => return Err(error),
    };
    match number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit)) {
        Some(rate @ 1..) => Ok(Some(rate)),
        _ => Err(error),
    }
}

impl fmt::Display for Bandwidth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |rate: Option<u64>| match rate {
            None => "off".to_owned(),
            Some(rate) if rate % (1 << 20) == 0 => format!("{}M", rate >> 20),
            Some(rate) if rate % (1 << 10) == 0 => format!("{}K", rate >> 10),
            Some(rate) => format!("{rate}B"),
        };
        if self.up == self.down {
            f.write_str(&text(self.up))
        } else {
            write!(f, "{}:{}", text(self.up), text(self.down))
        }
    }
}

/// `true`, `yes`, `on`, `1` and their opposites, as environment variables have them.
pub(super) fn switch(text: &str) -> Result<bool, ValueError> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Ok(true),
        "false" | "no" | "off" | "0" | "" => Ok(false),
        _ => Err(ValueError("`true` or `false`")),
    }
}

/// How often `-q` or `-v` was meant to be given: a number, or a switch for once.
pub(super) fn times(text: &str) -> Result<u8, ValueError> {
    let error = ValueError("0, 1 or 2");
    text.parse().or_else(|_| switch(text).map(u8::from)).map_err(|_| error.clone()).and_then(|times| match times {
        0..=2 => Ok(times),
        _ => Err(error),
    })
}

/// How often a failed request is tried again: 0 to 100.
pub fn retries(text: &str) -> Result<u32, ValueError> {
    match text.parse() {
        Ok(retries @ 0..=100) => Ok(retries),
        _ => Err(ValueError("a number from 0 to 100")),
    }
}

/// How many things run at once: 1 to 256.
pub fn jobs(text: &str) -> Result<usize, ValueError> {
    match text.parse() {
        Ok(jobs @ 1..=256) => Ok(jobs),
        _ => Err(ValueError("a number from 1 to 256")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<T: FromStr<Err = ValueError> + fmt::Display>(good: &[(&str, &str)], bad: &[&str]) {
        for (text, shown) in good {
            assert_eq!(text.parse::<T>().unwrap().to_string(), *shown, "{text:?}");
        }
        for text in bad {
            assert!(text.parse::<T>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn values_are_read_and_shown() {
        check::<MaxDelete>(
            &[("0", "0"), ("41", "41"), ("20%", "20%"), ("100 %", "100%"), ("all", "all")],
            &["", "-1", "101%", "1.5", "none", "%", "20%%"],
        );
        check::<Period>(
            &[("45", "45s"), ("45s", "45s"), ("2m", "120s"), ("500ms", "500ms"), ("1h", "3600s")],
            &["", "0", "0s", "s", "-1", "1d", "1.5s", "99999999999999999999", "18446744073709551615h"],
        );
        check::<Bandwidth>(
            &[
                ("10M", "10M"),
                ("10M:5M", "10M:5M"),
                ("64", "64K"),
                ("off", "off"),
                ("off:1G", "off:1024M"),
                ("7B", "7B"),
            ],
            &["", "0", "M", "10X", "10M:", "1:2:3", "10MB"],
        );
        check::<ThumbnailSize>(
            &[("16", "16"), ("4096", "4096"), ("off", "off")],
            &["", "0", "15", "4097", "-1", "200px"],
        );
        check::<MetadataChoice>(&[("none", "none"), ("basic", "basic")], &["", "all"]);
        check::<Layout>(&[("web", "web"), ("auto", "auto")], &["", "Web", "erica"]);
        check::<ProgressChoice>(&[("none", "none")], &["fancy"]);
        check::<ColorChoice>(&[("always", "always")], &["yes"]);
        assert_eq!(switch("Yes"), Ok(true));
        assert_eq!(switch("0"), Ok(false));
        assert!(switch("perhaps").is_err());
        assert_eq!((times("true"), times("2"), times("0")), (Ok(1), Ok(2), Ok(0)));
        assert!(times("3").is_err() && times("-1").is_err());
        assert_eq!((retries("0"), jobs("256")), (Ok(0), Ok(256)));
        assert!(retries("101").is_err() && jobs("0").is_err() && jobs("").is_err());
    }
}
