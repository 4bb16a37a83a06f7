//! Who may do what. The statuses are those of CouchDB 3.5.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::json;

use super::Endpoint;

const ROOT: &str = "root:sesame";
const JAN: &str = "jan:apple";
const EVA: &str = "eva:pear";

/// With two users and a database.
async fn inhabited() -> Endpoint {
    let endpoint = Endpoint::with_administrator();
    for (name, password, roles) in [("jan", "apple", json!(["family"])), ("eva", "pear", json!([]))] {
        let user = json!({ "name": name, "password": password, "roles": roles, "type": "user" });
        let answered = endpoint.ask(ROOT, "PUT", &format!("/_users/org.couchdb.user:{name}"), &user.to_string()).await;
        assert_eq!(answered.status, 201, "{answered:?}");
    }
    assert_eq!(endpoint.ask(ROOT, "PUT", "/db", "").await.status, 201);
    endpoint
}

async fn secure(endpoint: &Endpoint, security: serde_json::Value) {
    let answered = endpoint.ask(ROOT, "PUT", "/db/_security", &security.to_string()).await;
    assert_eq!(answered.status, 200, "{answered:?}");
}

#[tokio::test]
async fn a_new_database_is_for_administrators() {
    let endpoint = inhabited().await;
    let admins_only = json!({ "members": { "roles": ["_admin"] }, "admins": { "roles": ["_admin"] } });
    assert_eq!(endpoint.ask(ROOT, "GET", "/db/_security", "").await.json(), admins_only);
    for (method, target, body) in [
        ("GET", "/db", ""),
        ("GET", "/db/a", ""),
        ("PUT", "/db/a", "{}"),
        ("GET", "/db/_all_docs", ""),
        ("GET", "/db/_changes", ""),
        ("POST", "/db/_bulk_docs", r#"{"docs":[{}]}"#),
        ("POST", "/db/_find", r#"{"selector":{}}"#),
        ("GET", "/db/_security", ""),
        ("PUT", "/db/_local/x", "{}"),
        ("PUT", "/db/a/b.txt", "x"),
        // Last: it opens the database.
        ("PUT", "/db/_security", "{}"),
    ] {
        for (who, status) in [("", 401), (JAN, 403), (ROOT, 200)] {
            let answered = endpoint.ask(who, method, target, body).await;
            let is_right =
                if status == 200 { !matches!(answered.status, 401 | 403) } else { answered.status == status };
            assert!(is_right, "{who} {method} {target}: {answered:?}");
        }
    }
}

#[tokio::test]
async fn what_is_for_administrators_of_the_server() {
    let endpoint = inhabited().await;
    secure(&endpoint, json!({ "admins": { "names": ["jan"] } })).await;
    for (method, target) in [
        ("PUT", "/other"),
        ("DELETE", "/db"),
        ("GET", "/_all_dbs"),
        ("GET", "/_dbs_info"),
        ("GET", "/_active_tasks"),
        ("GET", "/_membership"),
        ("GET", "/_node/_local/_config"),
        ("PUT", "/_node/_local/_config/csp/attachments_enable"),
        ("GET", "/_users/_all_docs"),
        ("GET", "/_users/_changes"),
        ("DELETE", "/_users"),
    ] {
        for who in ["", JAN] {
            let answered = endpoint.ask(who, method, target, "").await;
            assert_eq!(answered.json()["reason"], "You are not a server admin.", "{who} {method} {target}");
            assert_eq!(answered.status, 401);
        }
    }
    for target in ["/", "/_up", "/_uuids", "/_session"] {
        assert_eq!(endpoint.ask("", "GET", target, "").await.status, 200, "{target}");
    }
}

#[tokio::test]
async fn members_write_documents_and_admins_design_documents() {
    let endpoint = inhabited().await;
    secure(&endpoint, json!({ "admins": { "names": ["eva"] }, "members": { "roles": ["family"] } })).await;
    for (who, document, design, setting) in
        [("", 401, 401, 401), (JAN, 201, 403, 403), (EVA, 201, 201, 200), (ROOT, 201, 201, 200)]
    {
        let name = who.split(':').next().unwrap();
        let put = |target: String, body: &'static str| {
            let endpoint = &endpoint;
            async move { endpoint.ask(who, "PUT", &target, body).await.status }
        };
        assert_eq!(put(format!("/db/of-{name}"), "{}").await, document, "{who}");
        assert_eq!(put(format!("/db/_design/of-{name}"), "{}").await, design, "{who}");
        assert_eq!(put("/db/_revs_limit".to_owned(), "1000").await, setting, "{who}");
    }
    let bulk = r#"{"docs":[{"_id":"x"},{"_id":"_design/x"}]}"#;
    let rows = endpoint.ask(JAN, "POST", "/db/_bulk_docs", bulk).await.json();
    assert_eq!((&rows[0]["ok"], &rows[1]["error"]), (&json!(true), &json!("forbidden")));
    let compact = endpoint.ask(JAN, "POST", "/db/_compact", "{}").await;
    assert_eq!((compact.status, &compact.json()["reason"]), (401, &json!("You are not a server or db admin.")));
    assert_eq!(endpoint.ask(EVA, "POST", "/db/_compact", "{}").await.status, 202);
}

#[tokio::test]
async fn wrong_passwords_are_refused_everywhere() {
    let endpoint = inhabited().await;
    secure(&endpoint, json!({})).await;
    for who in ["root:x", "jan:", "jan:pear", "nobody:x"] {
        for target in ["/", "/db", "/_session"] {
            let answered = endpoint.ask(who, "GET", target, "").await;
            assert_eq!((answered.status, &answered.json()["error"]), (401, &json!("unauthorized")), "{who} {target}");
        }
    }
}

#[tokio::test]
async fn users_see_and_change_only_themselves() {
    let endpoint = inhabited().await;
    let jan = "/_users/org.couchdb.user:jan";
    assert_eq!(endpoint.ask(JAN, "GET", jan, "").await.status, 403, "as in CouchDB 3.5 before anything is set");
    assert_eq!(endpoint.ask(ROOT, "PUT", "/_users/_security", "{}").await.status, 403);
    let editable = "/_node/_local/_config/couchdb/users_db_security_editable";
    assert_eq!(endpoint.ask(ROOT, "PUT", editable, "\"true\"").await.status, 200);
    assert_eq!(endpoint.ask(ROOT, "PUT", "/_users/_security", "{}").await.status, 200);

    let own = endpoint.ask(JAN, "GET", jan, "").await;
    assert_eq!(own.status, 200);
    assert!(!own.text.contains("apple"), "{own:?}");
    for (who, method, target, body, status) in [
        (JAN, "GET", "/_users/org.couchdb.user:eva", "", 404),
        ("", "GET", jan, "", 404),
        (EVA, "PUT", jan, r#"{"name":"jan","roles":[],"type":"user"}"#, 404),
        (JAN, "GET", "/_users/_all_docs", "", 401),
        (JAN, "POST", "/_users/_find", r#"{"selector":{}}"#, 401),
        (JAN, "POST", "/_users/_bulk_get", r#"{"docs":[{"id":"org.couchdb.user:eva"}]}"#, 401),
        (JAN, "PUT", "/_users/_local/x", "{}", 401),
        (JAN, "PUT", "/_users/_local%2Fx", "{}", 401),
        ("", "PUT", "/_users/_local%2Fx", "{}", 401),
        (ROOT, "PUT", "/_users/_local%2Fx", "{}", 201),
        (JAN, "GET", "/_users/_local/x", "", 401),
        (JAN, "GET", "/_users/_local%2Fx", "", 401),
        ("", "PUT", "/_users/org.couchdb.user:new", r#"{"name":"new","password":"x","roles":[],"type":"user"}"#, 201),
        ("", "PUT", "/_users/org.couchdb.user:bad", r#"{"name":"bad","roles":["x"],"type":"user"}"#, 403),
        ("", "PUT", "/_users/bad", r#"{"name":"bad","roles":[],"type":"user"}"#, 403),
        ("new:x", "GET", "/_session", "", 200),
    ] {
        let answered = endpoint.ask(who, method, target, body).await;
        assert_eq!(answered.status, status, "{who} {method} {target}: {answered:?}");
    }

    let basic = format!("Basic {}", BASE64_STANDARD.encode(JAN));
    let headers = [("authorization", basic.as_str()), ("destination", "org.couchdb.user:copy")];
    assert_eq!(endpoint.send("COPY", "/_users/org.couchdb.user:eva", &headers, "").await.status, 404);

    let mut document = own.json();
    document["password"] = json!("plum");
    assert_eq!(endpoint.ask(JAN, "PUT", jan, &document.to_string()).await.status, 201);
    assert_eq!(endpoint.ask(JAN, "GET", jan, "").await.status, 401);
    let changed = endpoint.ask("jan:plum", "GET", jan, "").await.json();
    document = changed.clone();
    document["roles"] = json!(["family", "more"]);
    let refused = endpoint.ask("jan:plum", "PUT", jan, &document.to_string()).await;
    assert_eq!((refused.status, &refused.json()["reason"]), (403, &json!("Only _admin may edit roles")));
    let target = format!("{jan}?rev={}", changed["_rev"].as_str().unwrap());
    assert_eq!(endpoint.ask("jan:plum", "DELETE", &target, "").await.status, 200);
    assert_eq!(endpoint.ask("jan:plum", "GET", "/", "").await.status, 401);
}

#[tokio::test]
async fn sessions_begin_and_end() {
    let endpoint = inhabited().await;
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let wrong = endpoint.send("POST", "/_session", &form, "name=jan&password=x").await;
    assert_eq!((wrong.status, &wrong.json()["reason"]), (401, &json!("Name or password is incorrect.")));
    assert!(wrong.header("set-cookie").starts_with("AuthSession=;"), "{wrong:?}");
    let begun = endpoint.send("POST", "/_session?next=/db/a", &form, "name=jan&password=apple").await;
    assert_eq!((begun.status, begun.header("location")), (302, "http://localhost/db/a"));
    assert_eq!(begun.json(), json!({ "ok": true, "name": "jan", "roles": ["family"] }));
    let cookie = begun.header("set-cookie").split(';').next().unwrap().to_owned();
    assert!(begun.header("set-cookie").contains("; HttpOnly"), "{begun:?}");
    let who = endpoint.send("GET", "/_session", &[("cookie", &cookie)], "").await.json();
    assert_eq!(who["userCtx"], json!({ "name": "jan", "roles": ["family"] }));
    assert_eq!(who["info"]["authenticated"], "cookie");
    assert_eq!(endpoint.send("GET", "/_session", &[("cookie", "AuthSession=garbage")], "").await.status, 400);
    let ended = endpoint.send("DELETE", "/_session", &[("cookie", &cookie)], "").await;
    assert!(ended.header("set-cookie").starts_with("AuthSession=;"), "{ended:?}");
    let nobody = endpoint.send("GET", "/_session", &[], "").await.json();
    assert_eq!(nobody["userCtx"], json!({ "name": null, "roles": [] }));
    assert_eq!(endpoint.send("GET", "/_session?basic=true", &[], "").await.status, 401);
    let json = endpoint.send("POST", "/_session", &[], r#"{"name":"root","password":"sesame"}"#).await;
    assert_eq!(json.json()["roles"], json!(["_admin"]));
}

#[tokio::test]
async fn functions_learn_who_asks() {
    let endpoint = inhabited().await;
    secure(&endpoint, json!({ "members": { "roles": ["family"] } })).await;
    let check = "function (doc, old, user, security) { if (user.name !== 'jan' || user.db !== 'db' || \
                 security.members.roles[0] !== 'family') throw { forbidden: JSON.stringify([user, security]) }; }";
    let design = json!({ "validate_doc_update": check }).to_string();
    assert_eq!(endpoint.ask(ROOT, "PUT", "/db/_design/check", &design).await.status, 201);
    let jan = endpoint.ask(JAN, "PUT", "/db/a", "{}").await;
    assert_eq!(jan.status, 201, "{jan:?}");
    assert_eq!(endpoint.ask(ROOT, "PUT", "/db/b", "{}").await.status, 403);
}

#[tokio::test]
async fn at_the_party_everybody_is_an_administrator_but_foreign_pages() {
    let endpoint = Endpoint::party();
    endpoint.expect(201, "PUT", "/db", "").await;
    for (headers, status) in [
        (&[("host", "127.0.0.1:5984")][..], 200),
        (&[("host", "localhost:5984"), ("origin", "http://localhost:8000")], 200),
        (&[("host", "localhost:5984"), ("origin", "http://evil.example")], 401),
        (&[("host", "evil.example")], 401),
    ] {
        let answered = endpoint.send("GET", "/db", headers, "").await;
        assert_eq!(answered.status, status, "{headers:?}");
        let is_shared = !answered.header("access-control-allow-origin").is_empty();
        assert_eq!(is_shared, status == 200 && headers.len() == 2, "{headers:?}");
    }
    let asked = [
        ("origin", "http://localhost:8000"),
        ("access-control-request-method", "PUT"),
        ("access-control-request-headers", "content-type"),
    ];
    let preflight = endpoint.send("OPTIONS", "/db/a", &asked, "").await;
    assert_eq!((preflight.status, preflight.header("access-control-allow-headers")), (204, "content-type"));
    assert_eq!(endpoint.send("OPTIONS", "/db", &[], "").await.status, 405);
}

#[tokio::test]
async fn databases_are_made_described_and_removed() {
    let endpoint = Endpoint::party();
    let made = endpoint.send("PUT", "/a%2Fb", &[("host", "localhost:1")], "").await;
    assert_eq!((made.status, made.header("location")), (201, "http://localhost:1/a%2Fb"));
    endpoint.expect(412, "PUT", "/a%2Fb", "").await;
    let info = endpoint.expect(200, "GET", "/a%2Fb", "").await.json();
    assert_eq!((&info["db_name"], &info["doc_count"], &info["cluster"]["n"]), (&json!("a/b"), &json!(0), &json!(1)));
    assert!(info["update_seq"].as_str().unwrap().starts_with("0-"));
    assert_eq!(endpoint.expect(200, "GET", "/_all_dbs", "").await.json(), json!(["_replicator", "_users", "a/b"]));
    let wanted = r#"{"keys":["a/b","none"]}"#;
    let infos = endpoint.expect(200, "POST", "/_dbs_info", wanted).await.json();
    assert_eq!((&infos[0]["info"], &infos[1]), (&info, &json!({ "key": "none", "error": "not_found" })));
    endpoint.expect(400, "DELETE", "/a%2Fb?rev=1-a", "").await;
    endpoint.expect(200, "DELETE", "/a%2Fb", "").await;
    endpoint.expect(404, "DELETE", "/a%2Fb", "").await;
    endpoint.expect(400, "PUT", "/A", "").await;
}

#[tokio::test]
async fn what_is_absent_says_so() {
    let endpoint = Endpoint::party();
    endpoint.expect(201, "PUT", "/db", "").await;
    endpoint.expect(201, "PUT", "/db/_design/app", "{}").await;
    for absent in [
        "/_utils",
        "/_db_updates",
        "/_cluster_setup",
        "/_reshard/jobs",
        "/_nouveau_analyze",
        "/_search_analyze",
        "/db/_purge",
        "/db/_partition/x",
        "/db/_search_cleanup",
        "/db/_nouveau_cleanup",
        "/db/_design/app/_search/x",
        "/db/_design/app/_search_info/x",
        "/db/_design/app/_search_disk_size/x",
        "/db/_design/app/_nouveau/x",
        "/db/_design/app/_nouveau_info/x",
    ] {
        for method in ["GET", "POST"] {
            endpoint.expect(501, method, absent, "").await;
        }
    }
    endpoint.expect(410, "GET", "/db/_temp_view", "").await;
}

#[tokio::test]
async fn settings_of_a_database() {
    let endpoint = Endpoint::party();
    endpoint.expect(201, "PUT", "/db", "").await;
    assert_eq!(endpoint.expect(200, "GET", "/db/_revs_limit", "").await.json(), 1_000);
    endpoint.expect(200, "PUT", "/db/_revs_limit", "5").await;
    assert_eq!(endpoint.expect(200, "GET", "/db/_revs_limit", "").await.json(), 5);
    for bad in ["0", "-1", "\"a\"", "1.5", "x"] {
        endpoint.expect(400, "PUT", "/db/_revs_limit", bad).await;
    }
    endpoint.expect(405, "POST", "/db/_revs_limit", "5").await;
    endpoint.expect(400, "PUT", "/db/_security", "[]").await;
    endpoint.expect(415, "POST", "/db/_ensure_full_commit", "").await;
    let committed = endpoint.expect(201, "POST", "/db/_ensure_full_commit", "{}").await.json();
    let info = endpoint.expect(200, "GET", "/db", "").await.json();
    assert_eq!(committed["instance_start_time"], info["instance_start_time"]);
}

#[tokio::test]
async fn the_sandbox_is_a_setting() {
    let endpoint = Endpoint::party();
    let target = "/_node/_local/_config/csp/attachments_enable";
    endpoint.expect(201, "PUT", "/db", "").await;
    assert_eq!(endpoint.send("PUT", "/db/d/a.html", &[("content-type", "text/html")], "x").await.status, 201);
    let policy =
        || async { endpoint.expect(200, "GET", "/db/d/a.html", "").await.header("content-security-policy").to_owned() };
    assert_eq!(endpoint.expect(200, "GET", target, "").await.json(), "false");
    assert_eq!(policy().await, "");
    assert_eq!(endpoint.expect(200, "DELETE", target, "").await.json(), "false");
    assert_eq!(endpoint.expect(404, "GET", target, "").await.json()["reason"], "unknown_config_value");
    assert_eq!(policy().await, "sandbox");
    assert_eq!(endpoint.expect(200, "PUT", target, "\"false\"").await.json(), "");
    assert_eq!(policy().await, "");
    endpoint.expect(501, "PUT", "/_node/_local/_config/log/level", "\"debug\"").await;
    endpoint.expect(400, "PUT", target, "3").await;
}
