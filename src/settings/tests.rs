//! Whole command lines against made-up folders and environments.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::command::{CloneInto, Export};
use super::environment::testing::environment;
use super::values::{Layout, MaxDelete};
use super::*;
use crate::address::Address;
use crate::exit::Exit;
use crate::secret::Credentials;

/// A password that must never be seen.
const CANARY: &str = "c4n4ry";

/// A folder with these files.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        #[cfg(unix)]
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    }
    folder
}

fn run(folder: &Path, variables: &[(&str, &str)], line: &str) -> Result<Resolved, Failure> {
    let folder = fs::canonicalize(folder).unwrap();
    run_in(&environment(&folder, variables), line)
}

fn run_in(environment: &Environment, line: &str) -> Result<Resolved, Failure> {
    let cli = crate::cli::parse(std::iter::once("couchapp").chain(line.split_whitespace()).map(Into::into))
        .unwrap_or_else(|error| panic!("{line}: {error}"));
    let resolved = resolve(&cli, environment);
    let text = format!("{resolved:?}");
    assert!(!text.contains(CANARY), "{line}: {text}");
    resolved
}

fn push(resolved: Resolved) -> command::PushSettings {
    match resolved.command {
        Command::Push(push) => push,
        other => panic!("{other:?}"),
    }
}

fn addresses(destination: &Destination) -> Vec<String> {
    destination.endpoints.iter().map(|endpoint| endpoint.address.to_string()).collect()
}

const CONFIG: &str = r#"
default = "dev"
[targets.dev]
url = ":blog"
[targets.prod]
url = ["https://a.example.com/blog", "https://b.example.com/couch/blog"]
confirm = true
[targets.both]
url = "http://h/both"
"#;

#[test]
fn one_argument_is_a_folder_or_a_destination() {
    let root = folder(&[
        ("couchapp.toml", CONFIG),
        ("app/_id", "_design/app"),
        ("both/index.html", ""),
        ("plain/file.txt", ""),
        ("file", ""),
    ]);
    // Typed, folder, destination.
    let good = [
        ("", ".", ""),
        ("prod", ".", "https://a.example.com/blog https://b.example.com/couch/blog"),
        ("http://h/db", ".", "http://h/db"),
        ("http://h/db/_design/x", ".", "http://h/db/_design/x"),
        (":db", ".", "http://127.0.0.1:5984/db"),
        (":db/_design/x", ".", "http://127.0.0.1:5984/db/_design/x"),
        (":a%2Fb", ".", "http://127.0.0.1:5984/a%2Fb"),
        (".", ".", ""),
        ("./plain", "plain", ""),
        ("plain/", "plain", ""),
        ("app", "app", ""),
        ("app prod", "app", "https://a.example.com/blog https://b.example.com/couch/blog"),
        ("./both", "both", ""),
        (". both", ".", "http://h/both"),
        ("plain --to :x", "plain", "http://127.0.0.1:5984/x"),
        ("--to :x --to dev", ".", "http://127.0.0.1:5984/x http://127.0.0.1:5984/blog"),
    ];
    for (line, directory, urls) in good {
        let push = push(run(root.path(), &[], &format!("push {line}")).unwrap());
        assert_eq!(push.folder.path, fs::canonicalize(root.path().join(directory)).unwrap(), "{line}");
        let found: Vec<String> = push.destinations.iter().flat_map(addresses).collect();
        assert_eq!(found.join(" "), urls, "{line}");
    }
    // Typed, exit, message, a hint.
    let bad = [
        ("both", Exit::Usage, "`both` is both a folder and a target", "`couchapp push . both` for the target"),
        ("plain", Exit::Usage, "`plain` is a folder but does not look like an app", "`couchapp push ./plain` if"),
        ("mydb", Exit::Usage, "`mydb` is neither a URL nor a target", "`:mydb` is the database `mydb` on http"),
        ("prd", Exit::Usage, "`prd` is neither a URL nor a target", "did you mean `prod`?"),
        ("My.Db", Exit::Usage, "`My.Db` is neither a URL nor a target", "targets: both, dev, prod"),
        (". localhost:5984/x", Exit::Usage, "`localhost:5984/x` is neither", "`http://localhost:5984/x` is a URL"),
        ("./nope", Exit::Missing, "the folder `./nope` does not exist", ""),
        ("./file", Exit::Usage, "`./file` is not a folder", ""),
        ("http://h/db .", Exit::Usage, "the folder comes first", "`couchapp push . http://h/db`"),
        ("--to nope", Exit::Usage, "`nope` is neither a URL nor a target", "`:nope`"),
        (":", Exit::Usage, "`:` cannot be used: the name is empty", ""),
        (":a/b", Exit::Usage, "`:a/b` cannot be used: `b` is no design document", ""),
        ("http://h/", Exit::Usage, "`http://h/` cannot be used: the URL names no database", "comes after the host"),
        ("ftp://h/db", Exit::Usage, "`ftp://h/db` cannot be used", "http://"),
        ("http://a:c4n4ry@x@h/db", Exit::Usage, "`http://****@h/db` cannot be used: the password", "`%40` for `@`"),
        ("http://a:c4n/4ry@h/db", Exit::Usage, "`http://****@h/db` cannot be used: the password", "`%2F` for `/`"),
        ("--docid _foo", Exit::Usage, "`--docid`: `_foo` is no document id", ""),
    ];
    for (line, exit, message, hint) in bad {
        let failure = run(root.path(), &[], &format!("push {line}")).unwrap_err();
        assert!(failure.to_string().starts_with(message), "{line}: {failure}");
        assert_eq!(failure.exit(), exit, "{line}");
        assert!(
            failure.hints().iter().any(|given| given.contains(hint)) || hint.is_empty(),
            "{line}: {:?}",
            failure.hints()
        );
    }
}

#[test]
fn the_app_is_found_upward_and_a_named_folder_has_its_own_configuration() {
    let root = folder(&[
        ("couchapp.toml", CONFIG),
        ("views/a/map.js", ""),
        ("other/couchapp.toml", "[targets.prod]\nurl = \"http://other/db\""),
        ("home/.couchapp/templates/x", ""),
        ("home/work/file", ""),
    ]);
    let inside = fs::canonicalize(root.path()).unwrap().join("views/a");
    let resolved = run_in(&environment(&inside, &[]), "push prod").unwrap();
    assert_eq!(resolved.settings.project.as_ref().unwrap().root, fs::canonicalize(root.path()).unwrap());
    assert_eq!(push(resolved).destinations[0].endpoints.len(), 2);
    let other = push(run(root.path(), &[], "push other prod").unwrap());
    assert_eq!((other.folder.shown.as_str(), other.folder.named), ("other", true));
    assert_eq!(addresses(&other.destinations[0]), ["http://other/db"]);
    let by_directory = push(run(root.path(), &[], "push prod -C other").unwrap());
    assert_eq!(addresses(&by_directory.destinations[0]), ["http://other/db"]);
    let missing = run(root.path(), &[], "-C nowhere push").unwrap_err();
    assert_eq!((missing.exit(), missing.to_string().as_str()), (Exit::Missing, "the folder `nowhere` does not exist"));
    // The old tool's templates do not make an app of the home folder.
    let root = folder(&[("home/.couchapp/templates/x", ""), ("home/work/file", "")]);
    let home = fs::canonicalize(root.path()).unwrap();
    let mut made_up = environment(&home.join("home/work"), &[]);
    made_up.home = Some(home.join("home"));
    let push = push(run_in(&made_up, "push").unwrap());
    assert_eq!((push.folder.shown.as_str(), push.folder.is_app), ("work", false));
}

#[test]
fn flag_before_variable_before_project_before_user_before_default() {
    let project = "[network]\nretries = 2\ntimeout = \"20s\"\n[push]\nlayout = \"web\"\n";
    let user = "[network]\nretries = 1\ntimeout = \"10s\"\njobs = 3\ninsecure = true\n[push]\nmax-delete = 5\n";
    let root = folder(&[("couchapp.toml", project), ("home/.config/couchapp/config.toml", user)]);
    let origin = |settings: &Settings, key: &str| {
        let shown = settings.shown.iter().find(|shown| shown.key == key).unwrap();
        format!("{} ({})", shown.value, shown.origin)
    };
    let resolved = run(root.path(), &[("COUCHAPP_RETRIES", "9"), ("COUCHAPP_DOCS", "no")], "push --retries 0").unwrap();
    let settings = &resolved.settings;
    assert_eq!(origin(settings, "network.retries"), "0 (--retries)");
    assert_eq!(origin(settings, "network.timeout"), "20s (couchapp.toml:3)");
    assert_eq!(origin(settings, "network.jobs"), "3 (home/.config/couchapp/config.toml:4)");
    assert_eq!(origin(settings, "network.connect-timeout"), "10s (default)");
    assert_eq!(origin(settings, "push.layout"), "web (couchapp.toml:5)");
    assert_eq!(origin(settings, "push.docs"), "false ($COUCHAPP_DOCS)");
    assert_eq!((settings.network.retries, settings.network.jobs, settings.network.insecure), (0, 3, true));
    assert_eq!((settings.push.layout, settings.push.max_delete), (Layout::Web, Some(MaxDelete::Count(5))));
    assert_eq!(settings.warnings.iter().map(|warning| warning.code).collect::<Vec<_>>(), ["insecure"]);
    let resolved = run(root.path(), &[("COUCHAPP_RETRIES", "9")], "push --docs").unwrap();
    assert_eq!((resolved.settings.network.retries, resolved.settings.push.docs), (9, Some(true)));
    let resolved = run(root.path(), &[], "push --no-config").unwrap();
    assert_eq!((resolved.settings.network.retries, resolved.settings.network.insecure), (4, false));
    assert_eq!(resolved.settings.network.timeout.as_secs(), 45);
    for (variable, value) in [("COUCHAPP_RETRIES", "many"), ("COUCHAPP_YES", "perhaps"), ("COUCHAPP_NO_CONFIG", "x")] {
        let failure = run(root.path(), &[(variable, value)], "push").unwrap_err();
        assert_eq!(failure.exit(), Exit::Usage);
        assert!(failure.to_string().contains(&format!("`${variable}`")), "{failure}");
    }
    let root = folder(&[("couchapp.toml", "[network]\n\nretries = \"many\"")]);
    let failure = run(root.path(), &[], "push").unwrap_err();
    assert_eq!(failure.to_string(), "couchapp.toml:3: `many` is no value for `retries`");
}

#[test]
fn every_switch_has_a_flag_and_a_variable() {
    let root = folder(&[]);
    let flags = "push -n -y --force --delete --allow-empty --create-db --no-check --lenient --keep-going --open";
    let by_flag = run(root.path(), &[], flags).unwrap();
    let names =
        ["DRY_RUN", "YES", "FORCE", "DELETE", "ALLOW_EMPTY", "CREATE_DB", "NO_CHECK", "LENIENT", "KEEP_GOING", "OPEN"];
    let variables: Vec<String> = names.iter().map(|name| format!("COUCHAPP_{name}")).collect();
    let variables: Vec<(&str, &str)> = variables.iter().map(|name| (name.as_str(), "1")).collect();
    let by_variable = run(root.path(), &variables, "push").unwrap();
    for resolved in [by_flag, by_variable] {
        assert!(resolved.settings.dry_run && resolved.settings.yes);
        let push = push(resolved);
        assert!(push.force && push.delete && push.allow_empty && push.create_database && !push.check);
        assert!(push.lenient && push.keep_going && push.open);
    }
}

#[test]
fn the_default_destination_is_the_projects_then_the_clones_then_the_users() {
    let origin = Address::parse("http://origin/db/_design/x", crate::address::Expect::Document).unwrap().0;
    let one = "[targets.only]\nurl = \"http://only/db\"";
    let two = "[targets.a]\nurl = \"http://a/db\"\n[targets.b]\nurl = \"http://b/db\"";
    let user = "default = \"mine\"\n[targets.mine]\nurl = \"http://mine/db\"";
    let rc = r#"{"env": {"default": {"db": "http://rc/db"}, "prod": {"db": "http://prod/db"}}}"#;
    // couchapp.toml, .couchapprc, user file, with an origin, without.
    let cases = [
        ("", "", "", "http://origin/db/_design/x", "no target was given"),
        (one, "", "", "http://only/db", "http://only/db"),
        (two, "", "", "http://origin/db/_design/x", "no target was given"),
        (CONFIG, "", user, "http://127.0.0.1:5984/blog", "http://127.0.0.1:5984/blog"),
        ("", rc, user, "http://rc/db", "http://rc/db"),
        ("default = \"prod\"", rc, "", "http://prod/db", "http://prod/db"),
        ("", "", user, "http://origin/db/_design/x", "http://mine/db"),
        ("default = \"gone\"", "", "", "the default target `gone` is not configured", "the default target `gone` is"),
    ];
    for (toml, old, mine, with, without) in cases {
        let root =
            folder(&[("couchapp.toml", toml), (".couchapprc", old), ("home/.config/couchapp/config.toml", mine)]);
        let targets = run(root.path(), &[], "push").unwrap().settings.targets;
        for (origin, expected) in [(Some(&origin), with), (None, without)] {
            let found = match targets.default_destination(origin) {
                Ok(destination) => addresses(&destination).join(" "),
                Err(failure) => failure.to_string(),
            };
            assert!(found.starts_with(expected), "{toml:?} {old:?} {mine:?}: {found}");
        }
    }
}

#[test]
fn old_files_are_merged_environment_by_environment() {
    let rc = r#"{"env": {"prod": {"db": ["http://$WHO:$PW@a/db", "http://b/db"]}, "broken": {"db": "http://$NOPE/db"},
        "named": {"db": "mydb"}}}"#;
    let conf = r#"{"env": {"prod": {"db": "http://hidden/db"}, "home": {"db": "http://home/db"}}}"#;
    let json = r#"{"env": {"app": {"db": "http://app/db"}}}"#;
    let files =
        [(".couchapprc", rc), ("couchapp.json", json), ("home/.couchapp.conf", conf), ("more/couchapp.conf", conf)];
    let root = folder(&files);
    let variables = [("WHO", "bob"), ("PW", CANARY)];
    let urls = |line: &str| {
        push(run(root.path(), &variables, line).unwrap())
            .destinations
            .iter()
            .flat_map(addresses)
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(urls("push prod"), "http://a/db http://b/db");
    assert_eq!(urls("push home"), "http://home/db");
    assert_eq!(urls("push app"), "http://app/db");
    let prod = push(run(root.path(), &variables, "push prod").unwrap());
    let userinfo = prod.destinations[0].endpoints[0].userinfo.clone().unwrap();
    assert_eq!(
        userinfo.credentials,
        Credentials::Basic { user: "bob".into(), password: crate::secret::Secret::new(CANARY) }
    );
    assert_eq!((userinfo.source.as_str(), userinfo.exposed), (".couchapprc", false));
    let failure = run(root.path(), &variables, "push broken").unwrap_err();
    assert_eq!(failure.to_string(), ".couchapprc: `env.broken.db` uses `$NOPE`, which is not set");
    let failure = run(root.path(), &variables, "push named").unwrap_err();
    assert_eq!(failure.to_string(), ".couchapprc: `mydb`: not an http:// or https:// URL");
    let elsewhere = [("COUCHAPPCONF_PATH", "nowhere:more")];
    assert!(run(root.path(), &elsewhere, "push home").is_ok());
    assert!(run(root.path(), &[("COUCHAPPCONF_PATH", "nowhere")], "push home").is_err());
    // A broken couchapp.json is the app's trouble, a broken .couchapprc that of the configuration.
    let root = folder(&[("couchapp.json", "{")]);
    assert_eq!(run(root.path(), &[], "status").unwrap().settings.warnings[0].code, "config");
    let root = folder(&[(".couchapprc", "{")]);
    assert_eq!(run(root.path(), &[], "status").unwrap_err().exit(), Exit::Usage);
}

#[test]
fn a_clone_names_a_document_or_all_of_them() {
    let root = folder(&[("couchapp.toml", CONFIG)]);
    let clone = |line: &str| match run(root.path(), &[], &format!("clone {line}")).unwrap().command {
        Command::Clone(clone) => clone,
        other => panic!("{other:?}"),
    };
    let cases = [
        ("http://h/db/_design/x", "http://h/db/_design/x"),
        ("http://h/db/_design", "http://h/db/_design"),
        ("http://h/couch/db/doc", "http://h/couch/db/doc"),
        ("dev", "http://127.0.0.1:5984/blog/_design"),
        (":db", "http://127.0.0.1:5984/db/_design"),
        (":db/_design", "http://127.0.0.1:5984/db/_design"),
        (":db/doc", "http://127.0.0.1:5984/db/doc"),
    ];
    for (line, address) in cases {
        assert_eq!(clone(line).address().to_string(), address, "{line}");
    }
    assert_eq!(clone("dev").label.as_deref(), Some("dev"));
    assert_eq!(clone("dev -").into, CloneInto::Stdout);
    assert!(matches!(clone("dev x/y").into, CloneInto::Folder { shown, .. } if shown == "x/y"));
    assert!(clone("dev --rev 3-abc --update --force --escape-names").revision.is_some());
    for (line, message) in [
        ("http://h/db", "`http://h/db` cannot be used: the URL names no document"),
        ("prod", "the target `prod` lists several URLs"),
        ("dev --rev 3", "`--rev`: `3` is no revision"),
    ] {
        let failure = run(root.path(), &[], &format!("clone {line}")).unwrap_err();
        assert_eq!(
            (failure.exit(), failure.to_string().starts_with(message)),
            (Exit::Usage, true),
            "{line}: {failure}"
        );
    }
}

#[test]
fn the_default_server_can_be_set() {
    let root = folder(&[]);
    let variables = [("COUCHDB_URL", "https://bob:c4n4ry@couch.example.com/prefix")];
    let resolved = run(root.path(), &variables, "push :db").unwrap();
    let endpoint = push(resolved).destinations[0].endpoints[0].clone();
    assert_eq!(endpoint.address.to_string(), "https://couch.example.com/prefix/db");
    assert_eq!(endpoint.userinfo.unwrap().source, "COUCHDB_URL");
    let failure = run(root.path(), &[("COUCHDB_URL", "http://a:c4n/4ry@h")], "push :db").unwrap_err();
    assert!(failure.to_string().starts_with("`$COUCHDB_URL` cannot be used: the password"), "{failure}");
}

#[test]
fn other_commands_are_resolved() {
    let root = folder(&[("couchapp.toml", CONFIG)]);
    let command = |line: &str| run(root.path(), &[], line).unwrap().command;
    assert!(matches!(command(""), Command::Help));
    assert!(matches!(command("init new"), Command::Init(init) if init.folder.ends_with("new") && init.shown == "new"));
    assert!(
        matches!(command("push --export --output x.json"), Command::Push(push) if matches!(&push.export, Some(Export::File(_))))
    );
    assert!(
        matches!(command("push --docid blog"), Command::Push(push) if push.document.as_ref().unwrap().as_str() == "_design/blog")
    );
    assert!(
        matches!(command("diff views --to prod --exit-code"), Command::Diff(diff) if diff.paths == ["views"] && diff.exit_code)
    );
    assert!(matches!(command("config show --origin"), Command::ConfigShow { origin: true }));
    assert!(matches!(command("auth check prod"), Command::AuthCheck { target: Some(_) }));
    assert!(matches!(command("auth check"), Command::AuthCheck { target: None }));
    match command("csp allow prod") {
        Command::Csp(csp) => {
            let servers: Vec<String> = csp.servers.iter().map(|server| server.address.to_string()).collect();
            assert_eq!(
                (csp.allow, servers),
                (true, vec!["https://a.example.com".into(), "https://b.example.com/couch".into()])
            );
        }
        other => panic!("{other:?}"),
    }
    assert!(
        matches!(command("csp restore http://h/prefix"), Command::Csp(csp) if csp.servers.len() == 1 && !csp.allow)
    );
    let failure = run(root.path(), &[], "pushdocs . http://h/db").unwrap_err();
    assert_eq!((failure.exit(), failure.code()), (Exit::Usage, "renamed"));
    assert!(failure.hints()[0].starts_with("`couchapp push --docs . http://h/db`"), "{:?}", failure.hints());
}

#[test]
fn the_user_file_is_warned_about_only_when_it_holds_a_secret_others_can_read() {
    #[cfg(unix)]
    for (text, mode, warned) in [
        ("[credentials.\"http://h\"]\npassword = \"c4n4ry\"", 0o600, false),
        ("[credentials.\"http://h\"]\npassword = \"c4n4ry\"", 0o640, true),
        ("[targets.x]\nurl = \"http://a:c4n4ry@h/db\"", 0o604, true),
        ("[targets.x]\nurl = \"http://h/db\"", 0o644, false),
    ] {
        let root = folder(&[("home/.config/couchapp/config.toml", text)]);
        let path = root.path().join("home/.config/couchapp/config.toml");
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
        let warnings = run(root.path(), &[], "push").unwrap().settings.warnings;
        assert_eq!(warnings.iter().any(|warning| warning.code == "file_mode"), warned, "{text} {mode:o}");
    }
}

#[test]
fn config_show_never_shows_a_password() {
    let rc = r#"{"env": {"prod": {"db": "http://bob:c4n4ry@a/db"}, "var": {"db": "http://$U:$P@b/db"}}}"#;
    let user = "[targets.mine]\nurl = \"http://bob:c4n/4ry@h/db\"\n[credentials.\"http://h\"]\ntoken = \"c4n4ry\"";
    let root = folder(&[(".couchapprc", rc), ("home/.config/couchapp/config.toml", user), ("couchapp.toml", CONFIG)]);
    let variables = [("COUCHAPP_PASSWORD", CANARY), ("COUCHAPP_TOKEN", CANARY), ("P", CANARY), ("U", "u")];
    let settings = run(root.path(), &variables, "config show").unwrap().settings;
    let text: Vec<String> =
        settings.shown.iter().map(|shown| format!("{} = {} ({})", shown.key, shown.value, shown.origin)).collect();
    let targets: Vec<&String> = text.iter().filter(|line| line.starts_with("targets")).collect();
    assert!(!text.join("\n").contains("4ry"), "{text:?}");
    insta::assert_debug_snapshot!(targets, @r#"
    [
        "targets.both.url = http://h/both (couchapp.toml:8)",
        "targets.dev.url = :blog (couchapp.toml:3)",
        "targets.mine.url = http://****@h/db (home/.config/couchapp/config.toml:1)",
        "targets.prod.url = https://a.example.com/blog https://b.example.com/couch/blog (couchapp.toml:5)",
        "targets.prod.confirm = true (couchapp.toml:5)",
        "targets.var.url = http://****@b/db (.couchapprc)",
    ]
    "#);
}
