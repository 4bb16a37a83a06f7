//! What this tool remembers about an app, in `.couchapp/` inside its folder.
//!
//! Nothing here is needed: a file that is missing, damaged or of another version is as good as none, with a warning. No
//! credential is ever stored, for addresses cannot hold any.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Access, Destination, Existing, Folder, HashCache, Links, LocalError, Lock, WriteOptions, shown};
use crate::address::{Address, Expect};
use crate::hexadecimal;
use crate::json::{self, Object};
use crate::name::Revision;
use crate::path::RelPath;

/// The state's folder inside an app.
const FOLDER: &str = ".couchapp";

/// The mark of a clone that did not end.
const INCOMPLETE: &str = "incomplete";

/// The version of the files' form. Files of other versions are not read.
const VERSION: u32 = 1;

/// The largest state file that is read, in bytes. CouchDB's own limit for a document is 8 MB unless raised.
const LIMIT: u64 = 1 << 30;

/// The design document as of the last push to, or clone from, one target.
#[derive(Clone, Debug, PartialEq)]
pub struct Base {
    /// The target's canonical address.
    pub target: String,
    /// What the database said of itself then: a database that was deleted and made again is another target.
    pub instance_start_time: String,
    /// The revision that the server gave.
    pub revision: Revision,
    /// The document without `_attachments` and `_rev`.
    pub body: Object,
    /// Its attachments by name.
    pub attachments: BTreeMap<String, BaseAttachment>,
    /// What was only on the server then and was left there.
    pub kept: Kept,
    /// Texts of the folder for which the server's own was taken, since they differ in outer white space only.
    /// By the md5 of ours in hexadecimal.
    pub adopted: BTreeMap<String, String>,
}

/// Things that are on the server but not the folder's. They are known, so they are no change of theirs; they are not ours,
/// so they are never removed for being absent here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The keys that lead to members of the body.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub members: BTreeSet<Vec<String>>,
    /// Names of attachments.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub attachments: BTreeSet<String>,
}

impl Kept {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty() && self.attachments.is_empty()
    }
}

/// An attachment as of the last push or clone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaseAttachment {
    /// MD5 of the content in hexadecimal, where the content was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub md5: Option<String>,
    /// Length of the content in bytes.
    pub length: u64,
    /// The digest that the server returned (`md5-…`), of the content or of its compressed form.
    pub digest: String,
    /// The type that the server has.
    pub content_type: String,
    /// The encoding that the server keeps it in (`gzip`), if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
}

/// Where an app was cloned from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The document.
    pub address: Address,
    /// What its database said of itself then.
    pub instance_start_time: String,
}

/// What was found where something may be remembered.
#[derive(Clone, Debug, PartialEq)]
pub enum Loaded<T> {
    /// It was there, whole.
    Found(T),
    /// There was nothing.
    Absent,
    /// There was something that cannot be used; the text says which file and why, for a warning.
    Unusable(String),
}

impl<T> Loaded<T> {
    /// What was found, if it can be used.
    pub fn found(self) -> Option<T> {
        match self {
            Self::Found(value) => Some(value),
            Self::Absent | Self::Unusable(_) => None,
        }
    }

    /// The text of the warning, if there is one.
    pub fn warning(&self) -> Option<&str> {
        match self {
            Self::Unusable(warning) => Some(warning),
            Self::Found(_) | Self::Absent => None,
        }
    }

    fn and_then<U>(self, file: &Path, convert: impl FnOnce(T) -> Result<U, String>) -> Loaded<U> {
        match self {
            Self::Found(value) => match convert(value) {
                Ok(value) => Loaded::Found(value),
                Err(reason) => Loaded::Unusable(unusable(file, &reason)),
            },
            Self::Absent => Loaded::Absent,
            Self::Unusable(warning) => Loaded::Unusable(warning),
        }
    }
}

/// The memory of one app's folder.
#[derive(Clone, Debug)]
pub struct State {
    folder: PathBuf,
}

/// The part of [`Base`] that is kept on a line of its own, beside the body.
#[derive(Serialize, Deserialize)]
struct BaseHead {
    target: String,
    instance_start_time: String,
    revision: String,
    attachments: BTreeMap<String, BaseAttachment>,
    #[serde(default, skip_serializing_if = "Kept::is_empty")]
    kept: Kept,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    adopted: BTreeMap<String, String>,
}

impl State {
    /// The memory of the app in `app`. Nothing is read or made yet.
    pub fn of(app: &Path) -> Self {
        Self { folder: app.join(FOLDER) }
    }

    /// Where it is kept.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Holds the app for this process, or says that another one works on it.
    pub fn lock(&self) -> Result<Lock, LocalError> {
        Lock::take(&self.prepared()?, &file_name("lock")?)
    }

    /// Where the app was cloned from.
    pub fn origin(&self) -> Loaded<Origin> {
        self.load("origin").and_then(&self.folder.join("origin"), |lines| match lines.as_slice() {
            [address, instance_start_time] => {
                let (address, _) = Address::parse(address, Expect::Document).map_err(|error| error.to_string())?;
                Ok(Origin { address, instance_start_time: instance_start_time.clone() })
            }
            _ => Err("does not hold an address and a start time".to_owned()),
        })
    }

    /// Remembers where the app was cloned from.
    pub fn set_origin(&self, origin: &Origin) -> Result<(), LocalError> {
        self.save("origin", &[origin.address.to_string(), origin.instance_start_time.clone()])
    }

    /// What is remembered of the place that the app was cloned from.
    pub fn origin_base(&self) -> Option<Base> {
        let origin = self.origin().found()?;
        self.base(&origin.address, &origin.instance_start_time).found()
    }

    /// Marks the folder as half written, before the first file of a clone is. A push of it would take the files that did
    /// not arrive for files that were removed.
    pub fn begin_clone(&self, origin: &Address) -> Result<(), LocalError> {
        self.save(INCOMPLETE, &[origin.to_string()])
    }

    /// The clone is whole.
    pub fn end_clone(&self) -> Result<(), LocalError> {
        Destination::open(&self.folder)?.remove(&file_name(INCOMPLETE)?).map(|_| ())
    }

    /// Where the clone that did not end came from; `None` for a folder that is whole.
    pub fn incomplete(&self) -> Option<String> {
        match self.load(INCOMPLETE) {
            Loaded::Found(lines) => lines.into_iter().next(),
            Loaded::Absent => None,
            Loaded::Unusable(_) => Some(String::new()),
        }
    }

    /// What is remembered of `target`, as long as it is the database that it was.
    pub fn base(&self, target: &Address, instance_start_time: &str) -> Loaded<Base> {
        let name = base_name(target, instance_start_time);
        self.load(&name).and_then(&self.folder.join(&name), |lines| {
            let base = base_from(&lines)?;
            let same = base.target == target.to_string() && base.instance_start_time == instance_start_time;
            if same { Ok(base) } else { Err("is about another target".to_owned()) }
        })
    }

    /// Remembers what `target` holds now.
    pub fn set_base(&self, target: &Address, base: &Base) -> Result<(), LocalError> {
        let head = BaseHead {
            target: target.to_string(),
            instance_start_time: base.instance_start_time.clone(),
            revision: base.revision.to_string(),
            attachments: base.attachments.clone(),
            kept: base.kept.clone(),
            adopted: base.adopted.clone(),
        };
        let lines = [self.encode(&head)?, self.encode(&base.body)?];
        self.save(&base_name(target, &base.instance_start_time), &lines)
    }

    /// The sums of the app's files.
    pub fn hashes(&self) -> Loaded<HashCache> {
        self.load("hashes").and_then(&self.folder.join("hashes"), |lines| decode(&lines))
    }

    /// Remembers the sums of the app's files.
    pub fn set_hashes(&self, hashes: &HashCache) -> Result<(), LocalError> {
        self.save("hashes", &[self.encode(hashes)?])
    }

    /// The folder, made if it is missing, and kept out of version control.
    fn prepared(&self) -> Result<Destination, LocalError> {
        let app = self.folder.parent().unwrap_or(Path::new("."));
        let folder = Destination::open(app)?.enter(&file_name(FOLDER)?)?;
        let ignore = file_name(".gitignore")?;
        if !folder.exists(&ignore)? {
            let options = WriteOptions { existing: Existing::Replace, ..WriteOptions::default() };
            folder.write(&ignore, b"*\n", options)?;
        }
        Ok(folder)
    }

    fn save(&self, name: &str, lines: &[String]) -> Result<(), LocalError> {
        let content = lines.join("\n");
        let text = format!("{}\n{content}\n", header(&content));
        let options = WriteOptions { existing: Existing::Replace, access: Access::Private, durable: true };
        self.prepared()?.write(&file_name(name)?, text.as_bytes(), options)
    }

    /// The lines of a state file, if it is whole.
    fn load(&self, name: &str) -> Loaded<Vec<String>> {
        let read = || Folder::open(&self.folder, Links::Inside)?.read(&file_name(name)?, LIMIT);
        let bytes = match read() {
            Ok(bytes) => bytes,
            Err(LocalError::NotFound { .. }) => return Loaded::Absent,
            Err(error) => {
                let cause = std::error::Error::source(&error).map_or_else(String::new, |cause| format!(": {cause}"));
                return Loaded::Unusable(format!("{error}{cause}"));
            }
        };
        let content = String::from_utf8(bytes).map_err(|_| "is not text".to_owned()).and_then(|text| checked(&text));
        match content {
            Ok(content) => Loaded::Found(content.split('\n').map(str::to_owned).collect()),
            Err(reason) => Loaded::Unusable(unusable(&self.folder.join(name), &reason)),
        }
    }

    fn encode<T: Serialize>(&self, value: &T) -> Result<String, LocalError> {
        serde_json::to_string(value).map_err(|error| LocalError::Io {
            action: "write",
            path: self.folder.clone(),
            source: error.into(),
        })
    }
}

fn base_from(lines: &[String]) -> Result<Base, String> {
    let [head, body] = lines else { return Err("has the wrong number of lines".to_owned()) };
    let head: BaseHead = serde_json::from_str(head).map_err(|error| error.to_string())?;
    let serde_json::Value::Object(body) = json::parse(body.as_bytes()).map_err(|error| error.message)? else {
        return Err("holds no document".to_owned());
    };
    let revision = Revision::new(head.revision).map_err(|error| error.to_string())?;
    let BaseHead { target, instance_start_time, attachments, kept, adopted, .. } = head;
    Ok(Base { target, instance_start_time, revision, body, attachments, kept, adopted })
}

fn decode<T: for<'de> Deserialize<'de>>(lines: &[String]) -> Result<T, String> {
    let [line] = lines else { return Err("has the wrong number of lines".to_owned()) };
    serde_json::from_str(line).map_err(|error| error.to_string())
}

/// The first line of a state file: what it is, its version, and the sum of what follows.
fn header(content: &str) -> String {
    format!("couchapp state {VERSION} sha256 {}", hexadecimal::encode(&Sha256::digest(content.as_bytes())))
}

/// What stands below the header, if it is what was written.
fn checked(text: &str) -> Result<String, String> {
    let (first, content) = text.split_once('\n').ok_or("is not whole")?;
    let content = content.strip_suffix('\n').ok_or("is not whole")?;
    let version = first.strip_prefix("couchapp state ").and_then(|rest| rest.split(' ').next());
    match version.map(str::parse::<u32>) {
        Some(Ok(VERSION)) if first == header(content) => Ok(content.to_owned()),
        Some(Ok(VERSION)) => Err("is damaged".to_owned()),
        Some(Ok(version)) => Err(format!("is of version {version}, not {VERSION}")),
        _ => Err("is no state file".to_owned()),
    }
}

pub(super) fn unusable(file: &Path, reason: &str) -> String {
    format!("`{}` {reason}", shown(file))
}

fn base_name(target: &Address, instance_start_time: &str) -> String {
    let key = Sha256::digest(format!("{target}\n{instance_start_time}").as_bytes());
    format!("base-{}", &hexadecimal::encode(&key)[..32])
}

/// One of the fixed names of state files as a path.
fn file_name(name: &str) -> Result<RelPath, LocalError> {
    RelPath::new(name).map_err(|_| LocalError::NotFound { path: name.into() })
}
