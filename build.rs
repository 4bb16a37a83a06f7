//! Tells the tests whether an endpoint is named, so that the contract suite is `ignored`, never green by doing nothing.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=COUCHAPP_TEST_URL");
    println!("cargo::rustc-check-cfg=cfg(endpoint)");
    #[allow(clippy::disallowed_methods, reason = "a build script has no settings")]
    let endpoint = std::env::var_os("COUCHAPP_TEST_URL");
    if endpoint.is_some() {
        println!("cargo::rustc-cfg=endpoint");
    }
}
