//! Which of two arguments is the folder and which the place on a server.

use std::ffi::OsStr;
use std::path::Path;

use super::super::{Environment, Targets};
use super::{Direction, MediaFolder};
use crate::exit::{Exit, Failure};
use crate::local::{self, Kind};

/// What a word can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    /// A URL, a `:database`, or a target that no folder is called like.
    Place,
    /// A path, or a name that is no target.
    Folder,
    /// The name of a target and of a folder.
    Either,
}

/// The two arguments of `sync-dir`, told apart.
pub(super) struct Sides<'a> {
    pub(super) direction: Direction,
    pub(super) folder: &'a OsStr,
    pub(super) place: &'a str,
}

/// Tells folder and place apart. Both or neither is refused: copying in the wrong direction destroys what is there.
pub(super) fn tell_apart<'a>(
    from: &'a OsStr,
    to: &'a OsStr,
    targets: &Targets,
    environment: &Environment,
) -> Result<Sides<'a>, Failure> {
    if from.is_empty() || to.is_empty() {
        return Err(empty());
    }
    let words = (word(from, targets, environment), word(to, targets, environment));
    let (direction, folder, place) = match words {
        (Word::Folder | Word::Either, Word::Place) => (Direction::Up, from, to),
        (Word::Place, Word::Folder | Word::Either) => (Direction::Down, to, from),
        (Word::Place, Word::Place) => {
            let failure = Failure::new(Exit::Usage, "both arguments are places on a server; one is a folder");
            let name = to.to_string_lossy();
            let hint = match to.to_str().filter(|text| !is_address(text)) {
                Some(name) => format!("`./{name}` if you mean the folder"),
                None => {
                    format!("`couchapp sync-dir DIR {name}` sends a folder, `couchapp sync-dir {name} DIR` fetches")
                }
            };
            return Err(failure.coded("ambiguous_argument").hint(hint));
        }
        (Word::Folder, Word::Folder) => return Err(no_place(from, to, targets)),
        (Word::Either, _) => return Err(either(from)),
        (_, Word::Either) => return Err(either(to)),
    };
    let place = place.to_str().ok_or_else(|| Failure::new(Exit::Usage, "a URL or target is not valid UTF-8"))?;
    Ok(Sides { direction, folder, place })
}

/// Whether `argument` can only be a folder.
pub(super) fn is_folder(argument: &OsStr, targets: &Targets, environment: &Environment) -> bool {
    let here = environment.directory.join(argument);
    word(argument, targets, environment) == Word::Folder
        && (is_path(argument) || matches!(local::kind(&here), Ok(Some(_))))
}

/// The folder that was named. Without `may_be_missing` it has to be there.
pub(super) fn folder(typed: &OsStr, may_be_missing: bool, environment: &Environment) -> Result<MediaFolder, Failure> {
    let typed = Path::new(typed);
    let path = environment.directory.join(typed);
    let shown = typed.display().to_string();
    let failed = |error| Failure::new(Exit::Failed, format!("the folder `{shown}` cannot be read")).because(error);
    match local::kind(&path).map_err(failed)? {
        Some(Kind::Folder) => {}
        Some(_) => return Err(Failure::new(Exit::Usage, format!("`{shown}` is not a folder"))),
        None if may_be_missing => {}
        None => return Err(Failure::new(Exit::Missing, format!("the folder `{shown}` does not exist"))),
    }
    Ok(MediaFolder { path, shown })
}

pub(super) fn empty() -> Failure {
    Failure::new(Exit::Usage, "an argument is empty").hint("an unset variable in a script looks like this")
}

fn word(argument: &OsStr, targets: &Targets, environment: &Environment) -> Word {
    let Some(text) = argument.to_str() else { return Word::Folder };
    if is_address(text) {
        return Word::Place;
    }
    if is_path(argument) || !targets.has(text) {
        return Word::Folder;
    }
    match local::kind(&environment.directory.join(text)) {
        Ok(None) => Word::Place,
        Ok(Some(_)) | Err(_) => Word::Either,
    }
}

fn is_address(text: &str) -> bool {
    text.contains("://") || text.starts_with(':')
}

fn is_path(argument: &OsStr) -> bool {
    let text = argument.to_string_lossy();
    matches!(&*text, "." | "..") || text.contains(['/', std::path::MAIN_SEPARATOR])
}

fn either(argument: &OsStr) -> Failure {
    let name = argument.to_string_lossy();
    Failure::new(Exit::Usage, format!("`{name}` is both a folder and a target"))
        .coded("ambiguous_argument")
        .hint(format!("`./{name}` for the folder; for the target its URL"))
}

/// Two folders: what may have been meant as the place says most about what to type.
fn no_place(from: &OsStr, to: &OsStr, targets: &Targets) -> Failure {
    let (from, to) = (from.to_string_lossy(), to.to_string_lossy());
    let mut failure =
        Failure::new(Exit::Usage, "neither argument is a place on a server: a URL, a target, or :database")
            .coded("unknown_target");
    for word in [&from, &to] {
        if let Some(near) =
            super::super::suggest::nearest(word, targets.names()).filter(|_| !is_path(OsStr::new(&**word)))
        {
            failure = failure.hint(format!("did you mean the target `{near}`?"));
        }
    }
    if crate::name::DbName::new(&*to).is_ok() && !to.contains('/') {
        let server = &targets.server().address;
        return failure.hint(format!("`couchapp sync-dir {from} :{to}` for the database `{to}` on {server}"));
    }
    failure.hint(format!("`couchapp sync-dir {from} http://127.0.0.1:5984/mydb` sends, with both swapped it fetches"))
}
