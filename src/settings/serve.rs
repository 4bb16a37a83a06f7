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
const OWN: &str = ".couchapp";

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
    if let Some(data) = &data {
        let watched = || apps.iter().chain(&media).find(|folder| holds(folder, data));
        if let Some(folder) = watched() {
            let message = format!("the databases would be kept in `{}`, and be sent with it", folder.display());
            return Err(Failure::new(Exit::Usage, message).hint("`--data` names a folder beside it"));
        }
    }
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

/// Whether data below a folder would be taken for a part of it.
fn holds(folder: &Path, data: &Path) -> bool {
    let inside = outside::canonical(data).strip_prefix(outside::canonical(folder)).map(Path::to_owned);
    inside.is_ok_and(|inside| !inside.starts_with(OWN))
}

fn missing(shown: &Path) -> Failure {
    Failure::new(Exit::Missing, format!("the folder `{}` does not exist", shown.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::environment::testing::environment;
    use crate::settings::{Command, Resolved, resolve};

    /// The settings for a command line, in a folder with `app/` and `files/`.
    fn settings(line: &str) -> Result<ServeSettings, Failure> {
        let root = tempfile::tempdir().unwrap();
        for folder in ["app/data", "files", "app/.couchapp"] {
            std::fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        let typed = format!("couchapp serve {line}");
        let cli = crate::cli::parse(typed.split_whitespace().map(Into::into)).unwrap();
        let Resolved { command, .. } = resolve(&cli, &environment(root.path(), &[]))?;
        let Command::Serve(mut settings) = command else { panic!("{line}") };
        let relative = |path: &PathBuf| path.strip_prefix(root.path()).unwrap().to_owned();
        settings.data = settings.data.as_ref().map(relative);
        Ok(settings)
    }

    #[test]
    fn data_is_kept_with_the_first_app() {
        for (line, data) in [
            ("app", Some("app/.couchapp/data")),
            ("app --media files", Some("app/.couchapp/data")),
            ("app --memory", None),
            ("--media files", None),
            ("", None),
            ("app --data elsewhere", Some("elsewhere")),
            ("app --data app/.couchapp/other", Some("app/.couchapp/other")),
        ] {
            assert_eq!(settings(line).unwrap().data.as_deref(), data.map(Path::new), "{line}");
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (line, exit) in [
            ("nowhere", Exit::Missing),
            ("app --media nowhere", Exit::Missing),
            ("app --data app/data", Exit::Usage),
            ("app --data app", Exit::Usage),
            ("app --media files --data files", Exit::Usage),
        ] {
            assert_eq!(settings(line).unwrap_err().exit(), exit, "{line}");
        }
    }
}
