//! What the arguments of `db` mean.

use std::path::Path;

use super::environment::Environment;
use super::replicate::Place;
use super::{Command, Endpoint, Resolved, Targets, replicate, resolve};
use crate::cli::{self, Cli, CreateArgs, DbCommand, DeleteArgs, PushArgs, PushingArgs, SecurityArgs};
use crate::exit::{Exit, Failure};

/// `db`
#[derive(Clone, Debug)]
pub enum DbSettings {
    /// Make databases.
    Create(CreateSettings),
    /// List them.
    List {
        /// The servers; empty: those of the default target.
        servers: Vec<Endpoint>,
        /// With the server's own.
        all: bool,
    },
    /// Show or change who may use one.
    Security(SecuritySettings),
    /// Delete one.
    Delete {
        /// Which.
        place: Place,
        /// The name that was typed beforehand.
        confirm: Option<String>,
    },
}

/// Names and roles.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct People {
    /// Names of users.
    pub names: Vec<String>,
    /// Roles.
    pub roles: Vec<String>,
}

/// `db create`
#[derive(Clone, Debug)]
pub struct CreateSettings {
    /// One or more.
    pub places: Vec<Place>,
    /// Who may read and write documents; nobody but admins when it is empty.
    pub members: People,
    /// Who may write design documents.
    pub admins: People,
    /// Everybody may read and write documents.
    pub public: bool,
    /// For each app what `couchapp push APP` would mean, without a destination.
    pub apps: Vec<Resolved>,
}

/// `db security`
#[derive(Clone, Debug)]
pub struct SecuritySettings {
    /// Which database.
    pub place: Place,
    /// Members to come.
    pub add_members: People,
    /// Members to go.
    pub remove_members: People,
    /// Admins to come.
    pub add_admins: People,
    /// Admins to go.
    pub remove_admins: People,
    /// For everybody.
    pub set_public: bool,
    /// For nobody but admins, and who is added.
    pub set_private: bool,
}

impl DbSettings {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Create(_) => "db create",
            Self::List { .. } => "db list",
            Self::Security(_) => "db security",
            Self::Delete { .. } => "db delete",
        }
    }
}

pub(super) fn meaning(
    given: &DbCommand,
    cli: &Cli,
    targets: &Targets,
    environment: &Environment,
) -> Result<DbSettings, Failure> {
    Ok(match given {
        DbCommand::Create(create) => DbSettings::Create(self::create(create, cli, targets, environment)?),
        DbCommand::List { server, all } => {
            DbSettings::List { servers: servers(server.as_deref(), targets)?, all: *all }
        }
        DbCommand::Security(security) => DbSettings::Security(self::security(security, targets)?),
        DbCommand::Delete(DeleteArgs { place, confirm }) => {
            DbSettings::Delete { place: self::place(place, targets)?, confirm: confirm.clone() }
        }
    })
}

/// The servers that an argument names; none without one.
pub(super) fn servers(argument: Option<&str>, targets: &Targets) -> Result<Vec<Endpoint>, Failure> {
    Ok(argument.map(|argument| targets.servers(argument)).transpose()?.unwrap_or_default())
}

fn create(
    given: &CreateArgs,
    cli: &Cli,
    targets: &Targets,
    environment: &Environment,
) -> Result<CreateSettings, Failure> {
    let places = given.places.iter().map(|text| place(text, targets)).collect::<Result<Vec<_>, _>>()?;
    replicate::refuse_twins(&places)?;
    for place in &places {
        if place.endpoint.address.database.as_ref().is_some_and(crate::name::DbName::is_system) {
            let message = format!("`{}` is one of the server's own databases", place.shown);
            return Err(Failure::new(Exit::Usage, message).hint("the server makes those itself"));
        }
    }
    Ok(CreateSettings {
        places,
        members: people("--member", &given.member, "--member-role", &given.member_role)?,
        admins: people("--admin", &given.admin, "--admin-role", &given.admin_role)?,
        public: given.public,
        apps: given.app.iter().map(|folder| app(folder, cli, environment)).collect::<Result<_, _>>()?,
    })
}

/// What `couchapp push FOLDER` means here: with the folder's own configuration.
fn app(folder: &Path, cli: &Cli, environment: &Environment) -> Result<Resolved, Failure> {
    let what = PushingArgs { first: Some(environment.directory.join(folder).into()), ..PushingArgs::default() };
    // The working folder has been settled.
    let global = cli::GlobalArgs { directory: None, ..cli.global.clone() };
    let push = Cli { global, command: Some(cli::Command::Push(PushArgs { what, ..PushArgs::default() })) };
    let mut resolved = resolve::resolve(&push, environment)?;
    if let Command::Push(push) = &mut resolved.command {
        push.folder.shown = folder.display().to_string();
    }
    Ok(resolved)
}

fn security(given: &SecurityArgs, targets: &Targets) -> Result<SecuritySettings, Failure> {
    Ok(SecuritySettings {
        place: place(&given.place, targets)?,
        add_members: people("--add-member", &given.add_member, "--add-member-role", &given.add_member_role)?,
        remove_members: taken(&given.remove_member, &given.remove_member_role),
        add_admins: people("--add-admin", &given.add_admin, "--add-admin-role", &given.add_admin_role)?,
        remove_admins: taken(&given.remove_admin, &given.remove_admin_role),
        set_public: given.set_public,
        set_private: given.set_private,
    })
}

fn place(argument: &str, targets: &Targets) -> Result<Place, Failure> {
    Place::of(targets.destination(argument)?)
}

fn people(name_flag: &str, names: &[String], role_flag: &str, roles: &[String]) -> Result<People, Failure> {
    // The names of other servers' users, by tokens and proxies, may be anything that is to be seen.
    let is_bad = |text: &&String| text.trim().is_empty() || text.chars().any(char::is_control);
    for (flag, texts) in [(name_flag, names), (role_flag, roles)] {
        if let Some(bad) = texts.iter().find(is_bad) {
            let message = format!("`{flag}`: {bad:?} is no name that somebody could have");
            return Err(Failure::new(Exit::Usage, message).hint("an unset variable in a script looks like this"));
        }
    }
    Ok(taken(names, roles))
}

/// Whatever a list holds can be taken out of it.
fn taken(names: &[String], roles: &[String]) -> People {
    People { names: names.to_vec(), roles: roles.to_vec() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::environment::testing::environment;

    fn settings(line: &[&str]) -> Result<DbSettings, Failure> {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("blog")).unwrap();
        let typed = ["couchapp", "db"].iter().chain(line).map(Into::into);
        let cli = crate::cli::parse(typed).map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
        let Resolved { command, .. } = resolve::resolve(&cli, &environment(root.path(), &[]))?;
        let Command::Db(settings) = command else { panic!("{line:?}") };
        Ok(settings)
    }

    #[test]
    fn a_new_database_and_its_people() {
        let line = [
            "create",
            ":a",
            "http://bob:canary@h/b",
            "--member",
            "ann",
            "--member-role",
            "family",
            "--admin",
            "eve",
            "--app",
            "blog",
        ];
        let DbSettings::Create(found) = settings(&line).unwrap() else { panic!() };
        let shown: Vec<&str> = found.places.iter().map(|place| place.shown.as_str()).collect();
        assert_eq!(shown, ["http://127.0.0.1:5984/a", "http://h/b"]);
        assert_eq!(found.members, People { names: vec!["ann".into()], roles: vec!["family".into()] });
        assert_eq!((found.admins.names, found.public), (vec!["eve".to_owned()], false));
        let Command::Push(push) = &found.apps[0].command else { panic!() };
        assert!(push.folder.path.ends_with("blog") && push.folder.shown == "blog" && push.destinations.is_empty());
        assert!(!format!("{:?}", settings(&line)).contains("canary"));
    }

    #[test]
    fn what_names_no_database_or_nobody_is_refused() {
        for bad in [
            &["create"][..],
            &["create", "a"],
            &["create", ":_users"],
            &["create", ":a", ":a"],
            &["create", ":a/_design/x"],
            &["create", ":.."],
            &["create", ":%2e%2e"],
            &["create", "http://h/a/.."],
            &["create", "http://h/a/%2e%2e"],
            &["create", ":a?b"],
            &["create", ":a", "--public", "--member", "ann"],
            &["create", ":a", "--member", ""],
            &["create", ":a", "--admin-role", " "],
            &["create", ":a", "--admin", "a\nb"],
            &["security", ":a", "--set-public", "--add-member", "ann"],
            &["security", ":a", "--set-public", "--set-private"],
            &["security", "http://h/a/_design/b"],
            &["delete"],
            &["delete", ":a", ":b"],
            &["delete", "http://h/"],
            &["delete", ":A"],
        ] {
            assert_eq!(settings(bad).unwrap_err().exit(), Exit::Usage, "{bad:?}");
        }
        let DbSettings::Delete { place, .. } = settings(&["delete", ":a%2Fb"]).unwrap() else { panic!() };
        assert_eq!(place.shown, "http://127.0.0.1:5984/a%2Fb");
    }
}
