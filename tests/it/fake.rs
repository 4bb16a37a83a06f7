//! Cases that only a stand-in can play; and, where the embedded endpoint is not compiled in, those of the contract.

use serde_json::json;

use crate::contract::app::{self, App, push};
use crate::fake_couch::{FakeCouch, Fault};
use crate::harness::{Endpoint, Project};

#[cfg(not(feature = "serve"))]
macro_rules! on_the_stand_in {
    ($($module:ident: [$($case:ident),* $(,)?];)*) => {
        $($(
            #[test]
            fn $case() {
                crate::contract::$module::$case(&Endpoint::fake());
            }
        )*)*
    };
}

#[cfg(not(feature = "serve"))]
crate::contract::for_each_case!(on_the_stand_in);

#[test]
fn who_may_not_write_designs_is_told_so() {
    let endpoint = Endpoint::of_fake(FakeCouch::start_with_reader());
    let database = endpoint.database();
    database.put("_security", &json!({})).expect(200);
    let project = Project::for_endpoint(&endpoint);
    project.set("COUCHAPP_USER", "reader");
    App::small().write(&project, "blog");
    push(&project, "blog", &database).expect(4).says("not allowed to write");
    database.get("_design/blog").expect(404);
}

#[test]
fn an_attachment_over_the_limit_is_named_with_its_size() {
    let endpoint = Endpoint::of_fake(FakeCouch::start_with_limit(100_000));
    let database = endpoint.database();
    let project = Project::for_endpoint(&endpoint);
    App::small().with("_attachments/film.mp4", app::noise(200_000, 5)).write(&project, "blog");
    let run = push(&project, "blog", &database).expect(1).says("film.mp4");
    assert!(run.stderr.contains("max_attachment_size"), "{run}");
    database.get("_design/blog").expect(404);
}

#[test]
fn an_answer_that_never_comes_does_not_hang_the_push() {
    let endpoint = Endpoint::fake();
    let database = endpoint.database();
    let project = Project::for_endpoint(&endpoint);
    App::small().write(&project, "blog");
    endpoint.stand_in().unwrap().fail_nth_write(1, Fault::Hang);
    let url = database.url();
    project.couchapp(&["push", "blog", &url, "--timeout", "1s", "--no-check"]).ok().says("1-");
    assert_eq!(database.generation("_design/blog"), 1);
}

/// Every request of a push fails once, in each way, and the push ends well all the same, with one revision.
#[test]
fn each_request_of_a_push_may_fail_once() {
    use crate::wire::Answer;
    let ways: [fn() -> Fault; 4] = [
        || Fault::Reset,
        || Fault::Swallow,
        || Fault::Answer(Answer::new(503, "text/html", "<html>busy</html>").with("Retry-After", "0")),
        || Fault::Answer(Answer::error(429, "too_many_requests", "slow down").with("Retry-After", "0")),
    ];
    for (way, fault) in ways.into_iter().enumerate() {
        let mut nth = 1;
        loop {
            let endpoint = Endpoint::fake();
            let database = endpoint.database();
            let project = Project::for_endpoint(&endpoint);
            App::small().write(&project, "blog");
            let fake = endpoint.stand_in().unwrap();
            fake.forget();
            fake.fail_nth(nth, fault());
            let run = push(&project, "blog", &database);
            let played = fake.seen().len() >= nth;
            fake.fail_no_more();
            assert_eq!(run.code, 0, "way {way}, request {nth} of {:?}\n{run}", fake.seen());
            assert_eq!(database.generation("_design/blog"), 1, "way {way}, request {nth}");
            if !played {
                break;
            }
            nth += 1;
        }
        assert!(nth > 2, "way {way}: only {nth} requests");
    }
}
