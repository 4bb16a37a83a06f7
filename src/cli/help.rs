//! The words of the help: examples first, exit codes last.

/// How a page of help is laid out.
pub const TEMPLATE: &str = "{about-with-newline}\n{before-help}{usage-heading} {usage}\n\n{all-args}{after-help}";

/// What `couchapp` alone prints.
pub const CONCISE: &str = "\
couchapp: keep a folder and a CouchDB design document in step

  couchapp clone https://couch.example.com/blog/_design/blog
  couchapp push                        # to the default target in couchapp.toml
  couchapp push prod --dry-run         # show what would change
  couchapp watch                       # push on every save

Commands
  start   init  clone  serve
  work    status  diff  push  watch  browse
  data    sync-dir  dump  replicate
  server  db  user  auth  csp
  more    config  completions
`couchapp help COMMAND` for details
";

/// `couchapp --help`
pub const EXAMPLES: &str = "\
Examples
  couchapp clone https://couch.example.com/blog/_design/blog
  couchapp status                      what differs from the default target
  couchapp push                        to the default target in couchapp.toml
  couchapp push prod --dry-run         show what would change
  couchapp push . :blog                to the database blog on the local server
";

/// The exit codes of the tool.
pub const EXIT_CODES: &str = "\
Exit codes
  0  done, or nothing to do               5  the other side changed since our base
  1  failed                               6  database, document or folder missing
  2  bad flag, argument or file           7  server unavailable, try again later
  3  differences (with --exit-code)       8  some items failed, others are done
  4  credentials missing or refused       9  refused for safety, nothing was written
                                        130  ended by Ctrl-C";

/// `serve`
pub const SERVE: &str = "\
Examples
  couchapp serve .                                    this app, at http://127.0.0.1:5984
  couchapp serve examples/pics --media fixtures/photos
  couchapp serve --memory --port 0                    an empty server for tests

It speaks CouchDB's API on one node, for development: it is no database to keep things in.
Every save is pushed, and open pages reload. A file that goes from the folder of files stays in the
database until `couchapp sync-dir DIR URL --delete` removes it.

Without --user everybody on this computer is an administrator. With it there is one, of that name,
with the password from where all commands take it (COUCHAPP_PASSWORD, --password-stdin, a prompt).
";
/// `serve`
pub const SERVE_EXITS: &str = "Exit codes 0 1 2 6 130; `couchapp --help` explains them";

/// `init`
pub const INIT: &str = "\
Examples
  couchapp init blog                   a new folder with a first page and view
  couchapp init                        in the current folder
  couchapp init --import-rc            couchapp.toml from an old .couchapprc
";
/// `init`
pub const INIT_EXITS: &str = "Exit codes 0 1 2 9; `couchapp --help` explains them";

/// `clone`
pub const CLONE: &str = "\
Examples
  couchapp clone https://couch.example.com/blog/_design/blog
  couchapp clone https://couch.example.com/blog/_design      the only one, or a list
  couchapp clone prod blog                                   from a target, into blog/
  couchapp clone prod . --update                             merge the server's changes
  couchapp clone :blog/_design/blog -                        print the document
";
/// `clone`
pub const CLONE_EXITS: &str = "Exit codes 0 1 2 4 5 6 7 9; `couchapp --help` explains them";

/// `push`
pub const PUSH: &str = "\
Examples
  couchapp push                        default target
  couchapp push prod -n                show what would change
  couchapp push . http://127.0.0.1:5984/blog
  couchapp push --to eu --to us        two targets, in order
  couchapp push --export               print the document, send nothing
";
/// `push`
pub const PUSH_EXITS: &str = "Exit codes 0 1 2 4 5 6 7 8 9; `couchapp --help` explains them";

/// `watch`
pub const WATCH: &str = "\
Examples
  couchapp watch                       default target
  couchapp watch . http://127.0.0.1:5984/blog --open
  couchapp watch prod --delay 500ms    wait longer for the last of several saves

First a push, with its questions, then another one whenever something has changed. What fails is
told, and tried again with the next change; a server that is away is asked until it is back.
Each push makes a revision: for fast loops, `couchapp serve` has an endpoint of its own.
";
/// `watch`
pub const WATCH_EXITS: &str = "Exit codes 0 1 2 4 6 9 130; `couchapp --help` explains them";

/// `status`
pub const STATUS: &str = "\
Examples
  couchapp status                      folder against the default target
  couchapp status prod                 against another one
  couchapp status --ignored            which files are left out, and why
  couchapp status --exit-code -q       for scripts: 0 same, 3 different

  + new   ~ changed   - removed   ! changed on both sides   x ignored
";
/// `status`
pub const STATUS_EXITS: &str = "Exit codes 0 1 2 3 4 6 7; `couchapp --help` explains them";

/// `diff`
pub const DIFF: &str = "\
Examples
  couchapp diff                        everything that differs
  couchapp diff views _attachments/js  only there
  couchapp diff --to prod              against another target
";
/// `diff`
pub const DIFF_EXITS: &str = STATUS_EXITS;

/// `sync-dir`
pub const SYNC_DIR: &str = "\
Examples
  couchapp sync-dir ~/Pictures http://127.0.0.1:5984/pics --tag holiday
  couchapp sync-dir ~/Pictures :pics --delete -n      what would be sent and removed
  couchapp sync-dir dist :site/_design/www            attachments of one document
  couchapp sync-dir :pics ~/Pictures                  the other way
  couchapp sync-dir ~/Pictures :pics --watch          and go on as files come and change

In a database each file is a document: its id is the file's path, the file is its attachment.
Whatever else people add to such a document stays. Nothing is removed without --delete.
";
/// `sync-dir`
pub const SYNC_DIR_EXITS: &str = "Exit codes 0 1 2 4 5 6 7 8 9; `couchapp --help` explains them";

/// `dump`
pub const DUMP: &str = "\
Examples
  couchapp dump http://127.0.0.1:5984/pics restored
  couchapp dump :pics restored                        again: only what changed since
  couchapp dump :pics --tag holiday --prefix 2010     a part, into pics/
  couchapp dump :pics restored --verify               compare, write nothing
  couchapp dump :pics restored --watch                and go on as the database changes
  couchapp dump :pics - --docs > pics.ndjson          for pipes
";
/// `dump`
pub const DUMP_EXITS: &str = "Exit codes 0 1 2 3 4 5 6 7 8 9; `couchapp --help` explains them";

/// `replicate`
pub const REPLICATE: &str = "\
Examples
  couchapp replicate :pics https://me.example.com/pics --create-target
  couchapp replicate :pics prod --both --continuous       until Ctrl-C
  couchapp replicate laptop server phone --chain --both
  couchapp replicate :pics prod --selector '{\"tags\":{\"$all\":[\"holiday\"]}}'
  couchapp replicate :pics prod --both --continuous --via server --detach
  couchapp replicate list prod                            what a server does by itself

The documents go through this computer, so that the servers need not see each other. Every revision
that is not on the other side yet is carried as it is, conflicts and deletions included; running it
again goes on where it ended. It is done when both ends were compared.

With --via server a server does it by itself: its admins may ask for that, and it has to reach the
other one. It keeps the credentials in a document of `_replicator` as long as the job is there.
A target that is called `list`, `status`, `cancel` or `help` is named by its URL.
";
/// `replicate`
pub const REPLICATE_EXITS: &str = "Exit codes 0 1 2 4 6 7 8 9 130; `couchapp --help` explains them";

/// `replicate list` and the like
pub const REPLICATE_JOBS: &str = "\
Examples
  couchapp replicate list                                 the default target's server
  couchapp replicate status https://couch.example.com
  couchapp replicate status prod couchapp_4f1c            one job, by its first letters
  couchapp replicate cancel couchapp_4f1c couchapp_91be
  couchapp replicate cancel prod --all

A word with `://`, or that is a target or :database, is the server; any other word is a job.
";
/// `replicate cancel`
pub const CANCEL_EXITS: &str = "Exit codes 0 1 2 4 6 7 9; `couchapp --help` explains them";

/// `db`
pub const DB: &str = "\
Examples
  couchapp db create :family --member ann --member bob --app photos
  couchapp db list                     what is on the server, and who may read it
  couchapp db security :family         who may do what
  couchapp db delete :family

A database is made with its members before anything is put into it. Without --member, --member-role
or --public it is for admins only.
";

/// `db create`
pub const DB_CREATE: &str = "\
Examples
  couchapp db create :me --member ann --app photos            for one
  couchapp db create :family --member ann --member bob        for two
  couchapp db create :team --member-role staff --admin ann    for all with a role
  couchapp db create :blog --public --app blog                for everybody to read and write

Who may use it is settled before anything is put into it; then each app is pushed as `couchapp push`
does. A database that is there with the same members stays as it is; with others, you are asked.
Without members it is for admins only, whatever the server's default is: CouchDB since 3.0 has the
same, PouchDB Server and older CouchDBs make databases that everybody may read and write.
";

/// `db list`
pub const DB_LIST: &str = "\
Examples
  couchapp db list                     the default server
  couchapp db list https://couch.example.com
  couchapp db list prod --all          with the server's own databases
";

/// `db security`
pub const DB_SECURITY: &str = "\
Examples
  couchapp db security :family                           who may do what
  couchapp db security :family --add-member eve          one more
  couchapp db security :family --remove-member eve -n    what that would change
  couchapp db security :blog --set-public                for everybody

Members read and write documents; admins write design documents and the security itself, too. What
takes rights away or opens the database is asked for. Whatever else the object holds stays.
";

/// `db delete`
pub const DB_DELETE: &str = "\
Examples
  couchapp db delete :old                                tells what goes, and asks for the name
  couchapp db delete :old --confirm old                  where nobody can be asked

Everything in it is lost on this server. `--yes` does not answer this question.
";

/// `user`
pub const USER: &str = "\
Examples
  couchapp user add ann                asks for the password, twice
  couchapp user add bob --role family --new-password-file bob.txt
  couchapp user password ann           another password
  couchapp user remove bob

Users are documents of the server's database `_users`; the server keeps a hash of the password only.
Admins of the server itself stand in its configuration and are not among them.
";

/// The exit codes of `db` and `user`.
pub const ADMIN_EXITS: &str = "Exit codes 0 1 2 4 5 6 7 8 9; `couchapp --help` explains them";

/// `browse`
pub const BROWSE: &str = "\
Examples
  couchapp browse                      the app at the default target
  couchapp browse prod --print         print the URL only
";

/// `config`
pub const CONFIG: &str = "\
Examples
  couchapp config show
  couchapp config show --origin        which file, variable or flag sets what
";
/// `config`
pub const CONFIG_EXITS: &str = "Exit codes 0 1 2; `couchapp --help` explains them";

/// `auth`
pub const AUTH: &str = "\
Examples
  couchapp auth check                  at the default target
  couchapp auth check prod --user bob
";

/// `csp`
pub const CSP: &str = "\
CouchDB 3.5 sends apps with `Content-Security-Policy: sandbox`: no scripts, forms or cookies.
`allow` sets `attachments_enable` and `showlist_enable` of the section `csp` to false, for the
whole server and for every app on it. Apps then belong on an origin of their own.

Examples
  couchapp csp allow http://127.0.0.1:5984
  couchapp csp restore http://127.0.0.1:5984
";
/// `csp`
pub const CSP_EXITS: &str = "Exit codes 0 1 2 4 7 9; `couchapp --help` explains them";

/// `completions`
pub const COMPLETIONS: &str = "\
Examples
  couchapp completions bash > ~/.local/share/bash-completion/completions/couchapp
  couchapp completions fish > ~/.config/fish/completions/couchapp.fish
";

/// Commands that only ask a server.
pub const READ_EXITS: &str = "Exit codes 0 1 2 4 6 7; `couchapp --help` explains them";
