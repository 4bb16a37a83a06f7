//! What the arguments of `serve` mean.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use super::Environment;
use super::command::ServeSettings;
use crate::cli::ServeArgs;
use crate::exit::{Exit, Failure};
use crate::local::outside;

/// Below an app's folder, where no push looks.
const DATA: &str = ".couchapp/data";

pub(super) fn meaning(given: &ServeArgs, environment: &Environment) -> Result<ServeSettings, Failure> {
    let absolute = |path: &PathBuf| environment.directory.join(path);
    let apps: Vec<PathBuf> = given.apps.iter().map(absolute).collect();
    let media = given.media.as_ref().map(absolute);
    for (folder, shown) in apps.iter().chain(&media).zip(given.apps.iter().chain(&given.media)) {
        if !outside::is_folder(folder) {
            return Err(missing(shown));
        }
    }
    let host = given.host.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let beside = apps.first().map(|app| app.join(DATA));
    let data = given.data.as_ref().map(absolute).or(beside).filter(|_| !given.memory);
    Ok(ServeSettings {
        apps,
        media,
        port: given.port,
        host,
        data,
        csp: given.csp,
        reload: !given.no_reload,
        watch: !given.no_watch,
    })
}

fn missing(shown: &Path) -> Failure {
    Failure::new(Exit::Missing, format!("the folder `{}` does not exist", shown.display()))
}
