//! The sandbox that CouchDB 3.5 puts around apps, and that `serve` puts around them only when it is asked to.
//!
//! <https://docs.couchdb.org/en/3.5.x/config/http.html#csp-content-security-policy>

use axum::http::{HeaderValue, header};
use axum::response::Response;

use crate::serve::configuration::Configuration;

/// What is sandboxed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::serve) enum Part {
    /// Attachments.
    Attachments,
    /// Shows, lists and rewrites.
    Functions,
}

/// Adds the sandbox before what a function says itself: the first policy is the one that others can only narrow.
pub(in crate::serve) fn sandbox(configuration: &Configuration, part: Part, response: &mut Response) {
    let name = match part {
        Part::Attachments => "attachments",
        Part::Functions => "showlist",
    };
    if !configuration.is("csp", &format!("{name}_enable"), true) {
        return;
    }
    let policy = configuration.get("csp", &format!("{name}_header_value")).unwrap_or_else(|| "sandbox".to_owned());
    let Ok(policy) = HeaderValue::from_str(&policy) else { return };
    let headers = response.headers_mut();
    let own: Vec<HeaderValue> = headers.get_all(header::CONTENT_SECURITY_POLICY).iter().cloned().collect();
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    for policy in own {
        headers.append(header::CONTENT_SECURITY_POLICY, policy);
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn policies(configuration: &Configuration, part: Part) -> Vec<String> {
        let mut response = Response::new(Body::empty());
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("img-src *"));
        sandbox(configuration, part, &mut response);
        let values = response.headers().get_all(header::CONTENT_SECURITY_POLICY).iter();
        values.map(|value| value.to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn apps_are_sandboxed_when_they_are_meant_to_be() {
        let configuration = Configuration::new(true);
        assert_eq!(policies(&configuration, Part::Attachments), ["sandbox", "img-src *"]);
        configuration.set("csp", "attachments_enable", "false").unwrap();
        configuration.set("csp", "showlist_header_value", "sandbox allow-scripts").unwrap();
        assert_eq!(policies(&configuration, Part::Attachments), ["img-src *"]);
        assert_eq!(policies(&configuration, Part::Functions), ["sandbox allow-scripts", "img-src *"]);
        assert_eq!(policies(&Configuration::new(false), Part::Functions), ["img-src *"]);
    }
}
