//! Credentials: where they are looked for, in which order, and for whom.
//!
//! First hit wins: user and password of the URL itself; `--password-stdin`, `--password-file`, `--password-command`;
//! `COUCHAPP_USER` with `COUCHAPP_PASSWORD`, `COUCHAPP_TOKEN`; the user file; `COUCHDB_URL`; netrc. What is found is for
//! the asked origin only. Flags and variables name no server: they are for the host that they are looked for first, and for
//! no other one, so that a database of somebody else's, at the other end of a replication, does not get them. Asking at the terminal is up to the caller ([`crate::report::Printer::prompt_password`]).

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::destination::Endpoint;
use super::environment::Environment;
use super::file::{ConfigFile, CredentialEntry, SecretEntry};
use super::{Warning, netrc};
use crate::address::Address;
use crate::cli::{GlobalArgs, NewPasswordArgs};
use crate::exit::{Exit, Failure};
use crate::local::outside;
use crate::secret::{Credentials, Secret};

/// Credentials and the place they come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The credentials.
    pub credentials: Credentials,
    /// The place, for people: `netrc entry for couch.example.com`.
    pub source: String,
    /// They were typed on the command line, where `ps` and the shell's history show them.
    pub exposed: bool,
}

/// The outcome of a search.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LookUp {
    /// What was found.
    pub found: Option<Found>,
    /// The user to ask a password for, when a place knew only the name.
    pub user: Option<String>,
    /// The places that were looked at, in order, for the hint of a 401.
    pub places: Vec<String>,
    /// What should be said: a password on the command line, a password over plain http.
    pub warnings: Vec<Warning>,
}

/// The places, read when they are asked for the first time.
#[derive(Clone, Debug)]
pub struct Sources {
    /// The answer to every search, whatever the places hold.
    settled: Option<LookUp>,
    given: Option<Given>,
    user_flag: Option<String>,
    /// `COUCHAPP_USER`, `COUCHAPP_PASSWORD`, `COUCHAPP_TOKEN`.
    variable_user: Option<String>,
    variable_password: Option<Secret>,
    variable_token: Option<Secret>,
    entries: Vec<CredentialEntry>,
    /// The user file, as people write it.
    entries_place: String,
    /// The default server, with the credentials of `COUCHDB_URL`.
    server: Endpoint,
    /// The files that may be there, each as people write it too.
    netrc: Vec<(PathBuf, String)>,
    directory: PathBuf,
    read_line: fn() -> io::Result<String>,
    /// The secret of `given`: stdin can be read, and a command should be run, only once.
    read: Arc<OnceLock<Secret>>,
    /// The host that flags and variables are for.
    host: Arc<OnceLock<String>>,
}

/// A place that the user pointed at.
#[derive(Clone, Debug)]
enum Given {
    Stdin,
    File(PathBuf),
    /// The command may hold the password itself.
    Command(Secret),
}

impl Given {
    fn flag(&self) -> &'static str {
        match self {
            Self::Stdin => "--password-stdin",
            Self::File(_) => "--password-file",
            Self::Command(_) => "--password-command",
        }
    }

    /// Reads the secret; `flag` is for the words of an error.
    fn read(&self, flag: &str, read_line: fn() -> io::Result<String>, directory: &Path) -> Result<Secret, Failure> {
        let text = match self {
            Self::Stdin => read_line(),
            Self::File(path) => read_file(path),
            Self::Command(command) => outside::output_of(command.expose(), directory),
        };
        let place = match self {
            Self::File(path) => format!("the password file `{}`", path.display()),
            Self::Stdin | Self::Command(_) => format!("`{flag}`"),
        };
        first_line(text, &place)
    }
}

/// Where the new password of a user comes from, read when it is asked for the first time.
#[derive(Clone, Debug)]
pub struct NewPassword {
    given: Option<Given>,
    directory: PathBuf,
    read_line: fn() -> io::Result<String>,
    read: Arc<OnceLock<Secret>>,
}

impl NewPassword {
    pub(super) fn new(flags: &NewPasswordArgs, environment: &Environment) -> Self {
        let given = match (flags.new_password_stdin, &flags.new_password_file, &flags.new_password_command) {
            (true, ..) => Some(Given::Stdin),
            (_, Some(file), _) => Some(Given::File(environment.directory.join(file))),
            (_, _, Some(command)) => Some(Given::Command(Secret::new(command.as_str()))),
            _ => None,
        };
        let (directory, read_line) = (environment.directory.clone(), environment.read_line);
        Self { given, directory, read_line, read: Arc::default() }
    }

    /// Reads it; `None` when no place was named, so that somebody has to be asked.
    pub fn read(&self) -> Result<Option<Secret>, Failure> {
        let Some(given) = &self.given else { return Ok(None) };
        if let Some(secret) = self.read.get() {
            return Ok(Some(secret.clone()));
        }
        let flag = given.flag().replacen("--", "--new-", 1);
        let secret = given.read(&flag, self.read_line, &self.directory)?;
        Ok(Some(self.read.get_or_init(|| secret).clone()))
    }
}

impl Sources {
    pub(super) fn new(
        flags: &GlobalArgs,
        user_file: Option<&ConfigFile>,
        server: Endpoint,
        directory: PathBuf,
        environment: &Environment,
    ) -> Self {
        let text = |name: &str| environment.text(name).map(str::to_owned);
        let given = match (flags.password_stdin, &flags.password_file, &flags.password_command) {
            (true, ..) => Some(Given::Stdin),
            (_, Some(file), _) => Some(Given::File(directory.join(file))),
            (_, _, Some(command)) => Some(Given::Command(Secret::new(command.as_str()))),
            _ => (environment.path("COUCHAPP_PASSWORD_FILE").map(Given::File))
                .or_else(|| text("COUCHAPP_PASSWORD_COMMAND").map(Secret::new).map(Given::Command)),
        };
        let netrc = environment.path("NETRC").map_or_else(
            || {
                let names: &[&str] = if cfg!(windows) { &["_netrc", ".netrc"] } else { &[".netrc"] };
                environment.home.iter().flat_map(|home| names.iter().map(|name| home.join(name))).collect()
            },
            |path| vec![path],
        );
        let netrc = netrc.into_iter().map(|path| (path.clone(), environment.shown(&path))).collect();
        Self {
            settled: None,
            given,
            user_flag: flags.user.clone(),
            variable_user: text("COUCHAPP_USER"),
            variable_password: text("COUCHAPP_PASSWORD").map(Secret::new),
            variable_token: text("COUCHAPP_TOKEN").map(Secret::new),
            entries: user_file.map(|file| file.credentials.clone()).unwrap_or_default(),
            entries_place: user_file.map(|file| file.shown.clone()).unwrap_or_default(),
            server,
            netrc,
            directory,
            read_line: environment.read_line,
            read: Arc::default(),
            host: Arc::default(),
        }
    }

    /// The user that was named for whatever server there is: by `--user` or `COUCHAPP_USER`.
    pub fn named_user(&self) -> Option<&str> {
        self.user_flag.as_deref().or(self.variable_user.as_deref())
    }

    /// The same, but that every search finds this and looks nowhere: for a server whose credentials are known.
    pub fn settled(self, found: Option<Found>) -> Self {
        Self { settled: Some(LookUp { found, ..LookUp::default() }), ..self }
    }

    /// Looks for the credentials of `endpoint`.
    ///
    /// Fails when a place that the user pointed at cannot be read (a password file, a password command).
    pub fn look_up(&self, endpoint: &Endpoint) -> Result<LookUp, Failure> {
        if let Some(settled) = &self.settled {
            return Ok(settled.clone());
        }
        let mut search = Search { found: None, user: endpoint.user.clone(), places: Vec::new() };
        self.search(endpoint, &mut search)?;
        let warnings = search.found.iter().flat_map(|found| warnings(found, &endpoint.address)).collect();
        Ok(LookUp { found: search.found, user: search.user, places: search.places, warnings })
    }

    fn search(&self, endpoint: &Endpoint, search: &mut Search) -> Result<(), Failure> {
        search.places.push("the URL".to_owned());
        if endpoint.userinfo.is_some() {
            search.found.clone_from(&endpoint.userinfo);
            return Ok(());
        }
        if self.is_meant(endpoint, search) {
            search.user = search.user.take().or_else(|| self.user_flag.clone());
            if let Some(given) = &self.given {
                return self.given(given, search);
            }
            self.variables(search);
        }
        if search.found.is_none() {
            self.user_file(endpoint, search)?;
        }
        if search.found.is_none() {
            self.default_server(endpoint, search);
        }
        if search.found.is_none() {
            self.netrc(endpoint, search);
        }
        Ok(())
    }

    /// Whether flags and variables are meant for this server: for all ports of the host that they were looked for first.
    fn is_meant(&self, endpoint: &Endpoint, search: &mut Search) -> bool {
        let host = if endpoint.address.is_loopback() { "localhost" } else { endpoint.address.host() };
        let first = self.host.get_or_init(|| host.to_owned());
        if host != first.as_str() {
            let password = self.variable_password.as_ref().map(|_| "COUCHAPP_PASSWORD");
            let token = self.variable_token.as_ref().map(|_| "COUCHAPP_TOKEN");
            let set = [self.given.as_ref().map(Given::flag), password, token].into_iter().flatten();
            search.places.extend(set.map(|name| format!("{name} (which is for {first})")));
        }
        host == first.as_str()
    }

    /// `--password-…`: a wrong password there is not made up for by another place.
    fn given(&self, given: &Given, search: &mut Search) -> Result<(), Failure> {
        let flag = given.flag();
        search.places.push(format!("`{flag}`"));
        let Some(user) = search.user.clone().or_else(|| self.variable_user.clone()) else {
            return Err(Failure::new(Exit::Usage, format!("`{flag}` needs to know the user")).hint("add `--user NAME`"));
        };
        let secret = if let Some(secret) = self.read.get() {
            secret.clone()
        } else {
            let secret = given.read(flag, self.read_line, &self.directory)?;
            self.read.get_or_init(|| secret).clone()
        };
        search.hit(Credentials::Basic { user, password: secret }, format!("`{flag}`"));
        Ok(())
    }

    fn variables(&self, search: &mut Search) {
        search.places.push("COUCHAPP_USER and COUCHAPP_PASSWORD".to_owned());
        let named = self.variable_user.as_deref();
        let user = search.user.as_deref().or(named);
        // A password that was set for another user is none for this one.
        let other = search.user.is_some() && named.is_some() && search.user.as_deref() != named;
        if let (Some(user), Some(password), false) = (user, &self.variable_password, other) {
            let credentials = Credentials::Basic { user: user.to_owned(), password: password.clone() };
            return search.hit(credentials, "COUCHAPP_PASSWORD".to_owned());
        }
        search.places.push("COUCHAPP_TOKEN".to_owned());
        if let (Some(token), None) = (&self.variable_token, &search.user) {
            return search.hit(Credentials::Bearer(token.clone()), "COUCHAPP_TOKEN".to_owned());
        }
        if search.user.is_none() {
            search.user.clone_from(&self.variable_user);
        }
    }

    fn user_file(&self, endpoint: &Endpoint, search: &mut Search) -> Result<(), Failure> {
        if self.entries_place.is_empty() {
            return Ok(());
        }
        search.places.push(format!("`{}`", self.entries_place));
        let suits = |entry: &&CredentialEntry| {
            let user = search.user.is_none() || entry.user.is_none() || entry.user == search.user;
            entry.origin == endpoint.address.origin() && user
        };
        let Some(entry) = self.entries.iter().find(suits) else { return Ok(()) };
        let user = search.user.clone().or_else(|| entry.user.clone());
        let place = format!("entry for {} in `{}`", entry.origin, self.entries_place);
        let password = match &entry.secret {
            Some(SecretEntry::Token(token)) => {
                search.hit(Credentials::Bearer(token.clone()), place);
                return Ok(());
            }
            Some(SecretEntry::Password(password)) => Some(password.clone()),
            Some(SecretEntry::PasswordFile(path)) => {
                Some(first_line(read_file(path), &format!("the password file `{}`", path.display()))?)
            }
            Some(SecretEntry::PasswordCommand(command)) => {
                let output = outside::output_of(command.expose(), &self.directory);
                Some(first_line(output, &format!("`password-command` in `{}`", self.entries_place))?)
            }
            None => None,
        };
        match (user, password) {
            (Some(user), Some(password)) => search.hit(Credentials::Basic { user, password }, place),
            (user, _) => search.user = user,
        }
        Ok(())
    }

    /// `COUCHDB_URL` with a user and a password is for its own origin, however that was named.
    fn default_server(&self, endpoint: &Endpoint, search: &mut Search) {
        search.places.push("COUCHDB_URL".to_owned());
        let same = self.server.address.origin() == endpoint.address.origin();
        if let (true, Some(found)) = (same, &self.server.userinfo)
            && (search.user.is_none() || search.user.as_deref() == found.credentials.user())
        {
            search.hit(found.credentials.clone(), found.source.clone());
        }
    }

    fn netrc(&self, endpoint: &Endpoint, search: &mut Search) {
        let host = endpoint.address.host();
        for (path, shown) in &self.netrc {
            let text = match outside::read(path) {
                Ok(Some(text)) => text,
                Ok(None) => {
                    search.places.push(format!("`{shown}` (not there)"));
                    continue;
                }
                // curl and others ignore a netrc file that cannot be read; so do we, but it is listed.
                Err(error) => {
                    search.places.push(format!("`{shown}` ({error})"));
                    continue;
                }
            };
            search.places.push(format!("`{shown}`"));
            let Some(login) = netrc::look_up(&text, host, search.user.as_deref()) else { continue };
            match (login.user, login.password) {
                (Some(user), Some(password)) => {
                    let entry = if login.is_default {
                        "default netrc entry".to_owned()
                    } else {
                        format!("netrc entry for {host}")
                    };
                    return search.hit(Credentials::Basic { user, password }, entry);
                }
                (user, _) if !login.is_default => search.user = user,
                _ => {}
            }
        }
    }
}

/// A search under way.
struct Search {
    found: Option<Found>,
    /// The user it must be for.
    user: Option<String>,
    places: Vec<String>,
}

impl Search {
    fn hit(&mut self, credentials: Credentials, source: String) {
        self.found = Some(Found { credentials, source, exposed: false });
    }
}

fn warnings(found: &Found, address: &Address) -> Vec<Warning> {
    let mut warnings = Vec::new();
    if found.exposed {
        let message = format!(
            "the password in the URL of {} can be seen by other users of this machine and in the shell's history; leave it \
             out and be asked, or use netrc",
            address.authority()
        );
        warnings.push(Warning { code: "password_in_arguments", message });
    }
    if !address.is_https() && !address.is_loopback() {
        let message =
            format!("the credentials for {} travel unencrypted: the URL begins with http://", address.authority());
        warnings.push(Warning { code: "plain_http", message });
    }
    warnings
}

fn read_file(path: &Path) -> io::Result<String> {
    outside::read(path)?.ok_or_else(|| io::ErrorKind::NotFound.into())
}

/// A secret is the first line, without its line end; spaces belong to it.
fn first_line(text: io::Result<String>, place: &str) -> Result<Secret, Failure> {
    let text = text.map_err(|error| Failure::new(Exit::Usage, format!("no password from {place}")).because(error))?;
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(Secret::new(line)),
        _ => Err(Failure::new(Exit::Usage, format!("no password from {place}: its first line is empty"))),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::address::Expect;
    use crate::settings::environment::testing::environment;
    use crate::settings::{Resolved, resolve};

    const CONFIG: &str = r#"
[credentials."https://file.example.com"]
user = "filer"
password = "c4n4ry-file"
[credentials."https://token.example.com"]
token = "c4n4ry-token"
[credentials."https://command.example.com"]
user = "commander"
password-command = "printf 'c4n4ry-command\nrest'"
[credentials."https://name.example.com"]
user = "only-a-name"
"#;
    const NETRC: &str = "machine couch.example.com login netter password c4n4ry-netrc\n\
                         machine file.example.com login netter password c4n4ry-netrc\n\
                         machine nameless.example.com login nobody\n";

    /// The outcome for `url`, as `user:password from source`; with `line` typed before a push to it.
    fn look_up(variables: &[(&str, &str)], line: &str, url: &str) -> Result<(String, LookUp), Failure> {
        let root = tempfile::tempdir().unwrap();
        let directory = fs::canonicalize(root.path()).unwrap();
        for (path, text) in [
            ("home/.config/couchapp/config.toml", CONFIG),
            ("home/.netrc", NETRC),
            ("password", " c4n4ry-given \r\nsecond line"),
            ("empty", "\n"),
        ] {
            let path = directory.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let mut environment = environment(&directory, variables);
        environment.read_line = || Ok("c4n4ry-stdin\n".to_owned());
        let line = format!("couchapp {line} push");
        let cli = crate::cli::parse(line.split_whitespace().map(Into::into)).unwrap();
        let Resolved { settings, .. } = resolve(&cli, &environment)?;
        assert!(!format!("{settings:?}").contains("c4n4ry"), "{settings:?}");
        let endpoint = Endpoint::parse(url, Expect::Database, "the URL on the command line", true).unwrap();
        let found = settings.credentials.look_up(&endpoint)?;
        assert_eq!(settings.credentials.look_up(&endpoint)?, found, "a second look finds the same");
        assert!(!format!("{found:?}").contains("c4n4ry"), "{found:?}");
        let text = found.found.as_ref().map_or("nothing".to_owned(), |found| {
            let credentials = match &found.credentials {
                Credentials::Basic { user, password } => format!("{user}:{}", password.expose()),
                Credentials::Bearer(token) => format!("bearer {}", token.expose()),
            };
            format!("{credentials} from {}", found.source)
        });
        Ok((text, found))
    }

    #[test]
    fn what_names_no_server_is_for_the_first_host_only() {
        let root = tempfile::tempdir().unwrap();
        let variables = [("COUCHAPP_USER", "eve"), ("COUCHAPP_PASSWORD", "c4n4ry-env")];
        let tokens = [("COUCHAPP_TOKEN", "c4n4ry-env")];
        std::fs::write(root.path().join("password"), "c4n4ry-given").unwrap();
        for (variables, line) in [
            (&variables[..], "couchapp push"),
            (&tokens[..], "couchapp push"),
            (&[][..], "couchapp --user u --password-file password push"),
            (&[][..], "couchapp --user u --password-command hostname push"),
        ] {
            let cli = crate::cli::parse(line.split_whitespace().map(Into::into)).unwrap();
            let Resolved { settings, .. } = resolve(&cli, &environment(root.path(), variables)).unwrap();
            let look_up = |url: &str| {
                let endpoint = Endpoint::parse(url, Expect::Database, "the URL", true).unwrap();
                settings.credentials.look_up(&endpoint).unwrap()
            };
            let own = look_up("http://ann:own@127.0.0.1:7000/a").found.unwrap();
            assert_eq!(own.credentials.user(), Some("ann"));
            for (url, is_found) in [
                ("http://127.0.0.1:5984/a", true),
                ("http://anna.example.com/a", false),
                ("http://localhost:5986/a", true),
                ("https://[::1]:6984/a", true),
                ("https://127.0.0.1.example.com/a", false),
            ] {
                let found = look_up(url);
                assert_eq!(found.found.is_some(), is_found, "{line} {url}");
                let is_told = found.places.iter().any(|place| place.ends_with("(which is for localhost)"));
                assert_eq!(is_told, !is_found, "{line} {url}");
            }
        }
    }

    /// Variables, flags, URL, what is found.
    type Case<'a> = (&'a [(&'a str, &'a str)], &'a str, &'a str, &'a str);

    #[test]
    #[cfg(unix)]
    fn the_first_place_that_has_them_wins() {
        let both = [("COUCHAPP_USER", "eve"), ("COUCHAPP_PASSWORD", "c4n4ry-env")];
        let token = [("COUCHAPP_TOKEN", "c4n4ry-env")];
        let server = [("COUCHDB_URL", "https://ann:c4n4ry-url@url.example.com")];
        let none: [(&str, &str); 0] = [];
        let cases: &[Case] = &[
            (
                &both,
                "--user u --password-file password",
                "https://a:c4n4ry@couch.example.com/db",
                "a:c4n4ry from the URL on the command line",
            ),
            (
                &both,
                "--user u --password-file password",
                "https://couch.example.com/db",
                "u: c4n4ry-given  from `--password-file`",
            ),
            (
                &both,
                "--password-file password",
                "https://couch.example.com/db",
                "eve: c4n4ry-given  from `--password-file`",
            ),
            (
                &none,
                "--password-file password",
                "https://bob@couch.example.com/db",
                "bob: c4n4ry-given  from `--password-file`",
            ),
            (
                &none,
                "--user u --password-stdin",
                "https://couch.example.com/db",
                "u:c4n4ry-stdin from `--password-stdin`",
            ),
            (
                &[("COUCHAPP_PASSWORD_FILE", "password")],
                "--user u",
                "https://h/db",
                "u: c4n4ry-given  from `--password-file`",
            ),
            (&both, "", "https://couch.example.com/db", "eve:c4n4ry-env from COUCHAPP_PASSWORD"),
            (&both, "--user other", "https://nowhere.example.com/db", "nothing"),
            (&[("COUCHAPP_PASSWORD", "c4n4ry-env")], "--user u", "https://h/db", "u:c4n4ry-env from COUCHAPP_PASSWORD"),
            (&token, "", "https://couch.example.com/db", "bearer c4n4ry-env from COUCHAPP_TOKEN"),
            (
                &token,
                "--user netter",
                "https://couch.example.com/db",
                "netter:c4n4ry-netrc from netrc entry for couch.example.com",
            ),
            (
                &none,
                "",
                "https://file.example.com/db",
                "filer:c4n4ry-file from entry for https://file.example.com in `home/.config/couchapp/config.toml`",
            ),
            (
                &none,
                "",
                "https://token.example.com/db",
                "bearer c4n4ry-token from entry for https://token.example.com in `home/.config/couchapp/config.toml`",
            ),
            (
                &none,
                "",
                "https://command.example.com/db",
                "commander:c4n4ry-command from entry for https://command.example.com in `home/.config/couchapp/config.toml`",
            ),
            // Another scheme or port is another server.
            (&none, "", "http://file.example.com/db", "netter:c4n4ry-netrc from netrc entry for file.example.com"),
            (&none, "", "https://token.example.com:6984/db", "nothing"),
            (&server, "", "https://url.example.com/db", "ann:c4n4ry-url from COUCHDB_URL"),
            (&server, "", "http://url.example.com/db", "nothing"),
            (&server, "--user bob", "https://url.example.com/db", "nothing"),
            (&[("NETRC", "nowhere")], "", "https://couch.example.com/db", "nothing"),
            (&none, "", "https://couch.example.com/db", "netter:c4n4ry-netrc from netrc entry for couch.example.com"),
        ];
        for (variables, line, url, expected) in cases {
            assert_eq!(look_up(variables, line, url).unwrap().0, *expected, "{variables:?} {line} {url}");
        }
    }

    #[test]
    fn a_name_alone_is_who_to_ask() {
        for (line, url, user) in [
            ("", "https://bob@h/db", Some("bob")),
            ("--user ann", "https://h/db", Some("ann")),
            ("", "https://nameless.example.com/db", Some("nobody")),
            ("", "https://name.example.com/db", Some("only-a-name")),
            ("", "https://h/db", None),
        ] {
            let (found, look_up) = look_up(&[], line, url).unwrap();
            assert_eq!((found.as_str(), look_up.user.as_deref()), ("nothing", user), "{line} {url}");
        }
        let places = look_up(&[], "", "https://h/db").unwrap().1.places;
        insta::assert_snapshot!(places.join("\n"), @r"
        the URL
        COUCHAPP_USER and COUCHAPP_PASSWORD
        COUCHAPP_TOKEN
        `home/.config/couchapp/config.toml`
        COUCHDB_URL
        `home/.netrc`
        ");
    }

    #[test]
    fn dangers_are_named() {
        for (url, codes) in [
            ("https://a:c4n4ry@h/db", vec!["password_in_arguments"]),
            ("http://a:c4n4ry@h/db", vec!["password_in_arguments", "plain_http"]),
            ("http://couch.example.com/db", vec!["plain_http"]),
            ("https://couch.example.com/db", vec![]),
            ("http://h/db", vec![]),
        ] {
            let warnings = look_up(&[], "", url).unwrap().1.warnings;
            assert_eq!(warnings.iter().map(|warning| warning.code).collect::<Vec<_>>(), codes, "{url}");
        }
        let loopback = look_up(&[("COUCHAPP_PASSWORD", "c4n4ry")], "--user u", "http://127.0.0.1:5984/db").unwrap().1;
        assert!(loopback.found.is_some() && loopback.warnings.is_empty());
    }

    #[test]
    fn a_place_that_was_pointed_at_must_have_it() {
        for (line, message) in [
            ("--password-file password", "`--password-file` needs to know the user"),
            ("--user u --password-file nowhere", "no password from the password file"),
            ("--user u --password-file empty", "no password from the password file"),
            ("--user u --password-command false", "no password from `--password-command`"),
            ("--user u --password-command true", "no password from `--password-command`: its first line is empty"),
        ] {
            let failure = look_up(&[], line, "https://h/db").unwrap_err();
            assert!(failure.to_string().starts_with(message), "{line}: {failure}");
            assert_eq!(failure.exit(), Exit::Usage);
        }
    }
}
