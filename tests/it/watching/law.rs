//! The law of `watch`: however a folder is edited, also during uploads, at the end the document is as the folder.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::*;

/// The same numbers each time.
struct Dice(u64);

impl Dice {
    /// A number below `sides`.
    fn throw(&mut self, sides: u64) -> u64 {
        // Knuth's linear congruential generator; its upper bits are the better ones.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// What the document holds: views by their names and attachments by theirs, each as the path of its file.
fn held(database: &Database<'_>) -> BTreeMap<String, Vec<u8>> {
    let answer = database.get("_design/blog?attachments=true");
    if answer.status != 200 {
        return BTreeMap::new();
    }
    let document = answer.json();
    let decode =
        |text: &Value| base64::Engine::decode(&base64::engine::general_purpose::STANDARD, text.as_str().unwrap());
    let members = |name: &str| document[name].as_object().cloned().unwrap_or_default();
    let attachments = members("_attachments").into_iter();
    let attachments =
        attachments.map(|(name, entry)| (format!("_attachments/{name}"), decode(&entry["data"]).unwrap()));
    let views = members("views").into_iter();
    let views = views.map(|(name, view)| {
        (format!("views/{name}/map.js"), view["map"].as_str().unwrap_or_default().as_bytes().to_vec())
    });
    attachments.chain(views).collect()
}

/// The same of the folder.
fn there(project: &Project) -> BTreeMap<String, Vec<u8>> {
    let mut tree = project.app_tree("blog");
    tree.retain(|path, _| (path.starts_with("_attachments/") || path.starts_with("views/")) && !path.ends_with('/'));
    tree
}

/// One edit of the folder, as people and their programs make them.
fn edit(project: &Project, dice: &mut Dice, round: u32) {
    let root = project.path().join("blog");
    let names = ["a.txt", "b.css", "sub/c.txt", "sub/deep/d.txt", "other/e.txt"];
    let name = names[usize::try_from(dice.throw(5)).unwrap()];
    let file = format!("_attachments/{name}");
    let content = format!("{round} {}", "x".repeat(usize::try_from(dice.throw(3000)).unwrap()));
    match dice.throw(16) {
        0..=3 => drop(project.write(&format!("blog/{file}"), content)),
        4..=6 => {
            // Beside it, then in its place.
            project.write("blog/_attachments/.saving~", content);
            fs::create_dir_all(root.join(&file).parent().unwrap()).unwrap();
            fs::rename(root.join("_attachments/.saving~"), root.join(&file)).unwrap();
        }
        7 => {
            // What is not there cannot be removed.
            let _ = fs::remove_file(root.join(&file));
        }
        8 | 9 => {
            let _ = fs::rename(root.join(&file), root.join("_attachments/a.txt"));
        }
        10 | 11 => {
            let (from, to) = if dice.throw(2) == 0 { ("sub", "moved") } else { ("moved", "sub") };
            let _ = fs::rename(root.join("_attachments").join(from), root.join("_attachments").join(to));
        }
        12 => drop(project.write(&format!("blog/views/v{}/map.js", dice.throw(3)), "function (doc) { emit(; }")),
        _ => {
            for view in 0..3 {
                let map = format!("function (doc) {{ emit({round}); }}");
                project.write(&format!("blog/views/v{view}/map.js"), map);
            }
        }
    }
}

#[test]
fn at_the_end_the_document_is_as_the_folder() {
    let endpoint = Endpoint::embedded();
    let (database, project) = (endpoint.database(), blog(&endpoint));
    // Every upload stands still until it is let through, and edits go on meanwhile.
    let gate = Arc::new(Semaphore::new(1));
    let (held_back, arrived) = (Arc::clone(&gate), Arc::new(AtomicU32::new(0)));
    let arriving = Arc::clone(&arrived);
    let proxy = FaultProxy::start(endpoint.origin(), move |arrival| {
        if arrival.method != "PUT" {
            return Action::Pass;
        }
        arriving.fetch_add(1, Ordering::Relaxed);
        Action::Hold(Arc::clone(&held_back))
    });
    let more = ["--max-delete", "all", "--allow-empty", "--delay", "5ms"];
    let running = watching(&project, &database.url_through(&proxy), &more);
    let (rounds, mut dice) = (cases(40), Dice(5));
    let (mut let_through, mut during) = (1, 0);
    for round in 0..rounds {
        let stands = || arrived.load(Ordering::Relaxed) > let_through;
        if !stands() && dice.throw(2) == 0 {
            // Not every edit leads to an upload.
            let end = Instant::now() + Duration::from_millis(150);
            while !stands() && Instant::now() < end {
                std::thread::yield_now();
            }
        }
        let is_during = stands();
        during += u32::from(is_during);
        edit(&project, &mut dice, round);
        if is_during && dice.throw(3) == 0 {
            gate.add_permits(1);
            let_through += 1;
        }
    }
    assert!(during >= rounds / 8, "only {during} edits fell into an upload");
    // The functions are mended at last.
    for view in 0..3 {
        project.write(&format!("blog/views/v{view}/map.js"), MAP);
    }
    gate.add_permits(10_000);
    let equal = || (held(&database) == there(&project)).then_some(());
    until_shown(&running, &database, equal);
    let run = running.end(&project, "INT").expect(130);
    project.couchapp(&["status", "blog", &database.url(), "--exit-code"]).ok();
    assert!(!run.output().contains("changed on the server"), "{run}");
}
