//! What the arguments of `user` mean.

use super::credentials::NewPassword;
use super::database::servers;
use super::environment::Environment;
use super::{Endpoint, Targets};
use crate::cli::UserCommand;
use crate::exit::{Exit, Failure};
use crate::name::{self, NameError, UserName};

/// `user`
#[derive(Clone, Debug)]
pub struct UserSettings {
    /// The servers; empty: those of the default target.
    pub servers: Vec<Endpoint>,
    /// What to do there.
    pub verb: UserVerb,
}

/// What to do with users.
#[derive(Clone, Debug)]
pub enum UserVerb {
    /// Add one.
    Add {
        /// Who.
        name: UserName,
        /// With these roles.
        roles: Vec<String>,
        /// Where the password comes from.
        password: NewPassword,
    },
    /// Give one another password.
    Password {
        /// Who.
        name: UserName,
        /// Where the password comes from.
        password: NewPassword,
    },
    /// Remove one.
    Remove {
        /// Who.
        name: UserName,
    },
    /// List all.
    List,
}

impl UserSettings {
    pub(super) fn name(&self) -> &'static str {
        match self.verb {
            UserVerb::Add { .. } => "user add",
            UserVerb::Password { .. } => "user password",
            UserVerb::Remove { .. } => "user remove",
            UserVerb::List => "user list",
        }
    }
}

pub(super) fn meaning(
    given: &UserCommand,
    targets: &Targets,
    environment: &Environment,
) -> Result<UserSettings, Failure> {
    let (server, verb) = match given {
        UserCommand::Add { name, server, role, password } => {
            let roles = role
                .iter()
                .map(|role| name::role(role))
                .collect::<Result<Vec<_>, _>>()
                .map_err(|error| usage(&error))?;
            let (name, password) = (user(name)?, NewPassword::new(password, environment));
            (server, UserVerb::Add { name, roles, password })
        }
        UserCommand::Password { name, server, password } => {
            let (name, password) = (user(name)?, NewPassword::new(password, environment));
            (server, UserVerb::Password { name, password })
        }
        UserCommand::Remove { name, server } => (server, UserVerb::Remove { name: user(name)? }),
        UserCommand::List { server } => (server, UserVerb::List),
    };
    Ok(UserSettings { servers: servers(server.as_deref(), targets)?, verb })
}

fn user(text: &str) -> Result<UserName, Failure> {
    UserName::new(text).map_err(|error| usage(&error))
}

fn usage(error: &NameError) -> Failure {
    Failure::new(Exit::Usage, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::environment::testing::environment;
    use crate::settings::{Command, Resolved, resolve};

    fn settings(line: &[&str]) -> Result<UserSettings, Failure> {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("new"), " c4n4ry-new \r\nmore").unwrap();
        let mut environment = environment(root.path(), &[]);
        environment.read_line = || Ok("c4n4ry-line\n".to_owned());
        let typed = ["couchapp", "user"].iter().chain(line).map(Into::into);
        let cli = crate::cli::parse(typed).map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
        let Resolved { command, .. } = resolve(&cli, &environment)?;
        assert!(!format!("{command:?}").contains("c4n4ry"));
        let Command::User(settings) = command else { panic!("{line:?}") };
        if let UserVerb::Add { password, .. } = &settings.verb {
            // Read while the file is still there, and only once.
            let _ = password.read();
        }
        Ok(settings)
    }

    #[test]
    #[cfg(unix)]
    fn a_new_password_is_read_where_it_is_said_to_be() {
        for (flags, expected) in [
            (&[][..], None),
            (&["--new-password-stdin"], Some("c4n4ry-line")),
            (&["--new-password-file", "new"], Some(" c4n4ry-new ")),
            (&["--new-password-command", "echo c4n4ry-said"], Some("c4n4ry-said")),
        ] {
            let line = [&["add", "ann", "http://h", "--role", "family"], flags].concat();
            let found = settings(&line).unwrap();
            let UserVerb::Add { name, roles, password } = found.verb else { panic!() };
            assert_eq!((name.as_str(), roles), ("ann", vec!["family".to_owned()]));
            assert_eq!(password.read().unwrap().as_ref().map(crate::secret::Secret::expose), expected, "{flags:?}");
        }
    }

    #[test]
    fn names_roles_and_sources_are_checked() {
        for bad in [
            &["add"][..],
            &["add", ""],
            &["add", "_users"],
            &["add", "a:b"],
            &["add", "a\nb"],
            &["add", "ann", "--role", "_admin"],
            &["add", "ann", "--role", ""],
            &["add", "ann", "nowhere"],
            &["add", "ann", "--new-password", "c4n4ry"],
            &["add", "ann", "--new-password-stdin", "--new-password-file", "x"],
            &["add", "ann", "--new-password-stdin", "--password-stdin"],
            &["remove", "ann", "bob", "eve"],
        ] {
            assert_eq!(settings(bad).unwrap_err().exit(), Exit::Usage, "{bad:?}");
        }
        for good in ["..", "%2e", "a/b", "a+b", "é"] {
            settings(&["remove", good]).unwrap();
        }
    }
}
