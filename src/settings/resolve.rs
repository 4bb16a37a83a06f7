//! From a command line to settings.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::arguments::{self, Given};
use super::command::{
    AppFolder, BrowseSettings, CloneInto, CloneSettings, Command, CspSettings, DiffSettings, Export, InitSettings,
    PushSettings, StatusSettings, WatchSettings,
};
use super::layers::{self, Layers, Origin};
use super::media::{self, MediaDefaults};
use super::project::{self, ConfigFiles, Wanted};
use super::typed::Typed;
use super::values::{Bandwidth, Layout, Period, jobs, retries, switch};
use super::{
    Destination, Environment, NetworkSettings, OutputSettings, Project, PushDefaults, Resolved, Settings, Targets,
    Warning, credentials, output,
};
use crate::cli::{
    self, AuthCommand, Cli, CloneArgs, ConfigCommand, CspCommand, GlobalArgs, InitArgs, PushArgs, PushingArgs,
};
use crate::exit::{Exit, Failure};
use crate::local::outside;
use crate::name::{DocId, Revision};

/// How long nothing changes before it is pushed.
const DELAY: Period = Period(Duration::from_millis(50));

pub(super) fn resolve(cli: &Cli, environment: &Environment) -> Result<Resolved, Failure> {
    if let Some(failure) = cli.command.as_ref().and_then(arguments::renamed) {
        return Err(failure);
    }
    let environment = &Environment { directory: directory(&cli.global, environment)?, ..environment.clone() };
    let wanted = wanted(&cli.global, environment)?;
    let around = project::around(&environment.directory, environment);
    let files = ConfigFiles::read(&around.path, &wanted, environment)?;
    let given = given(cli, &files, environment)?;
    // A folder that was named has its own configuration.
    let (app, files) = match given.folder {
        Some(folder) => {
            let files = ConfigFiles::read(&folder.path, &wanted, environment)?;
            (folder, files)
        }
        None => (around, files),
    };
    let nothing = PushingArgs::default();
    let push = pushing(cli).unwrap_or(&nothing);
    let mut layers = Layers::new(environment, files.layers());
    let values = Values::take(cli, push, &mut layers, environment)?;
    let targets = Targets::gather(&files, values.default.clone(), environment)?;
    let command = Meaning { values: &values, targets: &targets, app: &app, target: given.target, environment };
    let command = command.of(cli)?;
    let content_types = content_types(&files, &mut layers);
    targets.show(&mut layers);
    let mut warnings = files.warnings.clone();
    if values.network.insecure {
        let message = "the server's certificate is not checked (`insecure`): anyone on the way can read and change \
                       what is sent";
        warnings.push(Warning { code: "insecure", message: message.to_owned() });
    }
    let server = targets.server().clone();
    let directory = environment.directory.clone();
    let settings = Settings {
        dry_run: values.dry_run,
        yes: values.yes,
        interactive: values.output.interactive,
        credentials: credentials::Sources::new(&cli.global, files.user.as_ref(), server, directory, environment),
        directory: environment.directory.clone(),
        state_folder: environment.state_folder(),
        project: app
            .is_app
            .then(|| Project { root: app.path.clone(), config: files.project.as_ref().map(|file| file.path.clone()) }),
        output: values.output,
        network: values.network,
        push: values.push,
        content_types,
        targets,
        warnings,
        shown: layers.into_shown(),
    };
    Ok(Resolved { settings, command })
}

/// `-C`, else the current folder.
fn directory(flags: &GlobalArgs, environment: &Environment) -> Result<PathBuf, Failure> {
    let Some(directory) = &flags.directory else { return Ok(environment.directory.clone()) };
    let path = environment.directory.join(directory);
    if outside::is_folder(&path) {
        return Ok(path);
    }
    Err(Failure::new(Exit::Missing, format!("the folder `{}` does not exist", directory.display())))
}

fn wanted(flags: &GlobalArgs, environment: &Environment) -> Result<Wanted, Failure> {
    let off = environment.text("COUCHAPP_NO_CONFIG").map_or(Ok(false), switch);
    let off = off.map_err(|error| Failure::new(Exit::Usage, "bad value for `$COUCHAPP_NO_CONFIG`").because(error))?;
    let file = flags.config.as_ref().map(|path| environment.directory.join(path));
    Ok(match (file, flags.no_config || off) {
        (Some(file), _) => Wanted::File(file),
        (None, true) => Wanted::Nothing,
        (None, false) => environment.path("COUCHAPP_CONFIG").map_or(Wanted::App, Wanted::File),
    })
}

/// The folder and the destination among the arguments.
fn given(cli: &Cli, files: &ConfigFiles, environment: &Environment) -> Result<Given, Failure> {
    let targets = Targets::gather(files, None, environment)?;
    let split = |command: &str, first: &Option<_>, second: &Option<_>, only_folder: bool| {
        let (first, second): (&Option<std::ffi::OsString>, &Option<std::ffi::OsString>) = (first, second);
        let (first, second) = (first.as_deref(), second.as_deref());
        arguments::folder_and_target(command, first, second, only_folder, &targets, environment)
    };
    match &cli.command {
        Some(cli::Command::Push(PushArgs { what, .. })) => {
            split("push", &what.first, &what.second, !what.to.is_empty())
        }
        Some(cli::Command::Watch(watch)) => {
            let what = &watch.what;
            split("watch", &what.first, &what.second, !what.to.is_empty())
        }
        Some(cli::Command::Status(status)) => split("status", &status.app.first, &status.app.second, false),
        Some(cli::Command::Browse(browse)) => split("browse", &browse.app.first, &browse.app.second, false),
        Some(cli::Command::Diff(diff)) => arguments::named(diff.dir.as_deref(), diff.to.clone(), environment),
        Some(cli::Command::Auth(AuthCommand::Check { target })) => Ok(Given { folder: None, target: target.clone() }),
        _ => Ok(Given::default()),
    }
}

/// What a command that pushes was given.
fn pushing(cli: &Cli) -> Option<&PushingArgs> {
    match &cli.command {
        Some(cli::Command::Push(push)) => Some(&push.what),
        Some(cli::Command::Watch(watch)) => Some(&watch.what),
        _ => None,
    }
}

/// What comes through the layers.
struct Values {
    /// The default target, and whether only the user's file names it.
    default: Option<(String, bool)>,
    dry_run: bool,
    yes: bool,
    output: OutputSettings,
    network: NetworkSettings,
    push: PushDefaults,
    media: MediaDefaults,
    keep_going: bool,
    create_database: bool,
    force: bool,
    delete: bool,
    allow_empty: bool,
    open: bool,
    escape_names: bool,
    exit_code: bool,
    delay: Duration,
}

impl Values {
    fn take(
        cli: &Cli,
        push: &PushingArgs,
        layers: &mut Layers<'_>,
        environment: &Environment,
    ) -> Result<Self, Failure> {
        let flags = &cli.global;
        let default = layers.take(&layers::DEFAULT, None, |text| Ok(text.to_owned()))?;
        let default = default.map(|name| (name, layers.last_was_users()));
        let typed = Typed::of(cli);
        Ok(Self {
            default,
            dry_run: layers.switch(&layers::DRY_RUN, flags.dry_run)?,
            yes: layers.switch(&layers::YES, flags.yes)?,
            output: output::resolve(flags, layers, environment)?,
            network: network(flags, layers)?,
            push: push_defaults(push, layers)?,
            media: MediaDefaults::take(cli, &typed, layers)?,
            keep_going: layers.switch(&layers::KEEP_GOING, push.keep_going)?,
            create_database: layers.switch(&layers::CREATE_DB, typed.create_database)?,
            force: layers.switch(&layers::FORCE, typed.force)?,
            delete: layers.switch(&layers::DELETE, typed.delete)?,
            allow_empty: layers.switch(&layers::ALLOW_EMPTY, typed.allow_empty)?,
            open: layers.switch(&layers::OPEN, push.open)?,
            escape_names: layers.switch(&layers::ESCAPE_NAMES, typed.escape_names)?,
            exit_code: layers.switch(&layers::EXIT_CODE, typed.exit_code)?,
            delay: layers.get(&layers::DELAY, typed.delay, DELAY, str::parse)?.0,
        })
    }
}

fn network(flags: &GlobalArgs, layers: &mut Layers<'_>) -> Result<NetworkSettings, Failure> {
    let default_timeout = Period(Duration::from_secs(45));
    let default_connect = Period(Duration::from_secs(10));
    Ok(NetworkSettings {
        retries: layers.get(&layers::RETRIES, flags.retries, 4, retries)?,
        timeout: layers.get(&layers::TIMEOUT, flags.timeout, default_timeout, str::parse)?.0,
        connect_timeout: layers.get(&layers::CONNECT_TIMEOUT, flags.connect_timeout, default_connect, str::parse)?.0,
        bwlimit: layers.get(&layers::BWLIMIT, flags.bwlimit, Bandwidth::default(), str::parse)?,
        jobs: layers.get(&layers::JOBS, flags.jobs, 8, jobs)?,
        ca_certificate: layers.path(&layers::CACERT, flags.cacert.as_deref()),
        client_certificate: layers.path(&layers::CLIENT_CERT, flags.client_cert.as_deref()),
        insecure: layers.switch(&layers::INSECURE, flags.insecure)?,
    })
}

fn push_defaults(push: &PushingArgs, layers: &mut Layers<'_>) -> Result<PushDefaults, Failure> {
    let docs = match (push.docs, push.no_docs) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    };
    Ok(PushDefaults {
        layout: layers.get(&layers::LAYOUT, push.layout, Layout::Auto, str::parse)?,
        max_delete: layers.take(&layers::MAX_DELETE, push.max_delete, str::parse)?,
        docs: layers.take(&layers::DOCS, docs, switch)?,
        check: !layers.switch(&layers::NO_CHECK, push.no_check)?,
        lenient: layers.switch(&layers::LENIENT, push.lenient)?,
    })
}

fn content_types(files: &ConfigFiles, layers: &mut Layers<'_>) -> BTreeMap<String, String> {
    let mut types = BTreeMap::new();
    for file in files.layers() {
        for (extension, content_type, line) in &file.content_types {
            if !types.contains_key(extension) {
                types.insert(extension.clone(), content_type.clone());
                let origin = Origin::File(file.shown.clone(), Some(*line));
                layers.note(format!("content-types.{extension}"), content_type, origin);
            }
        }
    }
    types
}

/// What a command line means, given all this.
struct Meaning<'a> {
    values: &'a Values,
    targets: &'a Targets,
    app: &'a AppFolder,
    target: Option<String>,
    environment: &'a Environment,
}

impl Meaning<'_> {
    fn of(self, cli: &Cli) -> Result<Command, Failure> {
        Ok(match &cli.command {
            Some(cli::Command::Init(init)) => Command::Init(self.init(init)),
            Some(cli::Command::Clone(clone)) => Command::Clone(self.clone(clone)?),
            Some(cli::Command::Push(push)) => Command::Push(self.push(push)?),
            Some(cli::Command::Watch(watch)) => {
                let push = PushArgs { what: watch.what.clone(), ..PushArgs::default() };
                Command::Watch(WatchSettings { push: self.push(&push)?, delay: self.values.delay })
            }
            Some(cli::Command::Status(status)) => Command::Status(StatusSettings {
                folder: self.app.clone(),
                destination: self.destination()?,
                ignored: status.ignored,
                verify: status.verify,
                exit_code: self.values.exit_code,
            }),
            Some(cli::Command::Diff(diff)) => Command::Diff(DiffSettings {
                folder: self.app.clone(),
                destination: self.destination()?,
                paths: diff.paths.clone(),
                exit_code: self.values.exit_code,
            }),
            Some(cli::Command::SyncDir(sync)) => Command::SyncDir(self.media().sync_dir(sync)?),
            Some(cli::Command::Dump(dump)) => Command::Dump(self.media().dump(dump)?),
            Some(cli::Command::Replicate(replicate)) => super::replicate::command(replicate, self.targets)?,
            Some(cli::Command::Db(db)) => {
                Command::Db(super::database::meaning(db, cli, self.targets, self.environment)?)
            }
            Some(cli::Command::User(user)) => {
                Command::User(super::user::meaning(user, self.targets, self.environment)?)
            }
            Some(cli::Command::Browse(browse)) => Command::Browse(BrowseSettings {
                folder: self.app.clone(),
                destination: self.destination()?,
                print: browse.print,
            }),
            Some(cli::Command::Config(ConfigCommand::Show { origin })) => Command::ConfigShow { origin: *origin },
            Some(cli::Command::Auth(AuthCommand::Check { .. })) => Command::AuthCheck { target: self.destination()? },
            Some(cli::Command::Csp(csp)) => {
                let (server, allow) = match csp {
                    CspCommand::Allow { server } => (server, true),
                    CspCommand::Restore { server } => (server, false),
                };
                let servers = server.as_deref().map(|server| self.targets.servers(server)).transpose()?;
                Command::Csp(CspSettings { servers: servers.unwrap_or_default(), allow })
            }
            #[cfg(feature = "serve")]
            Some(cli::Command::Serve(serve)) => Command::Serve(super::serve::meaning(serve, self.environment)?),
            Some(cli::Command::Completions { shell }) => Command::Completions(*shell),
            Some(cli::Command::Generate { form, into }) => Command::Generate {
                form: *form,
                into: into.as_ref().map(|folder| self.environment.directory.join(folder)),
            },
            // The old names were refused before anything was read.
            None | Some(cli::Command::Pushdocs(_) | cli::Command::Pushapps(_) | cli::Command::Autopush(_)) => {
                Command::Help
            }
        })
    }

    fn destination(&self) -> Result<Option<Destination>, Failure> {
        self.target.as_deref().map(|target| self.targets.destination(target)).transpose()
    }

    fn media(&self) -> media::Meaning<'_> {
        let Values { media, force, delete, allow_empty, create_database, escape_names, .. } = self.values;
        media::Meaning {
            defaults: *media,
            targets: self.targets,
            environment: self.environment,
            force: *force,
            delete: *delete,
            allow_empty: *allow_empty,
            create_database: *create_database,
            escape_names: *escape_names,
        }
    }

    fn init(&self, init: &InitArgs) -> InitSettings {
        let typed = init.folder.clone().unwrap_or_else(|| PathBuf::from("."));
        InitSettings {
            folder: self.environment.directory.join(&typed),
            shown: typed.display().to_string(),
            template: init.template.clone(),
            import_rc: init.import_rc,
        }
    }

    fn clone(&self, clone: &CloneArgs) -> Result<CloneSettings, Failure> {
        let (source, label) = self.targets.source(&clone.source)?;
        let revision = clone.rev.as_deref().map(Revision::new).transpose();
        let revision = revision.map_err(|error| Failure::new(Exit::Usage, format!("`--rev`: {error}")))?;
        let into = match &clone.folder {
            None => CloneInto::Named,
            Some(path) if path.as_os_str() == "-" => CloneInto::Stdout,
            Some(path) => {
                let shown = path.display().to_string();
                CloneInto::Folder { path: self.environment.directory.join(path), shown }
            }
        };
        Ok(CloneSettings {
            source,
            label,
            into,
            revision,
            update: clone.update,
            force: self.values.force,
            escape_names: self.values.escape_names,
        })
    }

    fn push(&self, PushArgs { what: push, export, output }: &PushArgs) -> Result<PushSettings, Failure> {
        let mut destinations = Vec::new();
        for target in self.target.iter().chain(&push.to) {
            destinations.push(self.targets.destination(target)?);
        }
        let document = push.docid.as_deref().map(|id| {
            let id = if id.starts_with('_') { id.to_owned() } else { format!("_design/{id}") };
            DocId::new(id).map_err(|error| Failure::new(Exit::Usage, format!("`--docid`: {error}")))
        });
        let defaults = &self.values.push;
        Ok(PushSettings {
            folder: self.app.clone(),
            destinations,
            keep_going: self.values.keep_going,
            only: push.only.clone(),
            layout: defaults.layout,
            document: document.transpose()?,
            docs: defaults.docs,
            open: self.values.open,
            export: export.then(|| match output {
                Some(file) => Export::File(self.environment.directory.join(file)),
                None => Export::Stdout,
            }),
            force: self.values.force,
            delete: self.values.delete,
            max_delete: defaults.max_delete,
            allow_empty: self.values.allow_empty,
            create_database: self.values.create_database,
            check: defaults.check,
            lenient: defaults.lenient,
        })
    }
}
