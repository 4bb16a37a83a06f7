//! What a pushed app does on a real server.

use serde_json::json;

use super::app::{App, push};
use crate::harness::{Endpoint, Kind, Project};

pub(crate) fn functions_answer(endpoint: &Endpoint) {
    let (project, database) = (Project::for_endpoint(endpoint), endpoint.database());
    App::full().write(&project, "blog");
    push(&project, "blog", &database).ok();
    for (id, date) in [("a", "2009-01-01"), ("b", "2010-05-05"), ("c", "2010-06-06")] {
        database.put(id, &json!({ "type": "post", "title": format!("<{id}>"), "date": date })).ok();
    }
    let rows = |rest: &str| database.get(&format!("_design/blog/_view/{rest}")).expect(200).json()["rows"].clone();
    assert_eq!(rows("by_date")[0]["value"], json!(3));
    // PouchDB knows no `require` in maps.
    if endpoint.kind() == Kind::CouchDb {
        assert_eq!(rows("by_year").as_array().unwrap().len(), 3);
        assert_eq!(rows("by_year")[2]["key"], json!("2010"));
    }
    let text = |rest: &str| String::from_utf8(database.get(rest).expect(200).body).unwrap();
    assert_eq!(text("_design/blog/_show/titled/a"), "<h1>&lt;a></h1>");
    assert!(text("_design/blog/_list/page/by_date?reduce=false").contains("2010-06-06"));
    assert!(text("_design/blog/index.html").contains("<title>Blog</title>"));
    database.put("d", &json!({ "type": "post" })).expect(403);
}

pub(crate) fn an_index_survives_a_push_of_attachments(endpoint: &Endpoint) {
    let (project, database) = (Project::for_endpoint(endpoint), endpoint.database());
    App::small().write(&project, "blog");
    push(&project, "blog", &database).ok();
    let documents: Vec<_> = (0..50).map(|number| json!({ "_id": format!("d{number}"), "date": number })).collect();
    database.post("_bulk_docs", &json!({ "docs": documents })).ok();
    let rows = |update: &str| {
        let rest = format!("_design/blog/_view/by_date?reduce=false{update}");
        database.get(&rest).expect(200).json()["rows"].as_array().unwrap().len()
    };
    assert_eq!(rows(""), 50);
    project
        .write("blog/_attachments/index.html", "changed\n")
        .write("blog/shows/post.js", "function () { return 'x'; }\n");
    push(&project, "blog", &database).ok();
    // An index that had to be built again would be empty to a query that does not build it.
    if endpoint.kind() == Kind::CouchDb {
        assert_eq!(rows("&update=false"), 50);
    }
    assert_eq!(rows(""), 50);
}
