//! Who gives the tokens of a fixture: it answers in the simulated world (RFC 7662).

use std::path::Path;

use serde_json::json;
use world::fetch::{Response, Web};
use world::{Fetch, World};

const URL: &str = "https://issuer.example/introspect";
const AUDIENCE: &str = "mx.example";

/// The settings that believe it.
pub(crate) fn settings(secret: &Path) -> String {
    format!(
        "oauth = {{ issuer = \"https://issuer.example\", audience = \"{AUDIENCE}\", scope = \"mail\", \
         introspection = \"{URL}\", client = \"mx\", client-secret-file = \"{}\" }}\n",
        secret.display()
    )
}

/// The world with it.
pub(crate) fn around(world: World, tokens: &[(String, String)]) -> World {
    let tokens = tokens.to_vec();
    let web = Web::new();
    web.put(URL, move |request| {
        let body = String::from_utf8_lossy(&request.body).into_owned();
        let known = tokens.iter().find(|(token, _)| body.starts_with(&format!("token={token}&")));
        let said = match known {
            Some((_, email)) => json!({ "active": true, "aud": AUDIENCE, "scope": "mail", "email": email }),
            None => json!({ "active": false }),
        };
        Ok(Response { status: 200, headers: Vec::new(), body: said.to_string().into_bytes() })
    });
    World { fetch: Fetch::Simulated(web), ..world }
}
