//! Who signs in, and by what.

use super::secret;
use crate::config::{AuthQuery, Login, Proof, User};
use crate::yaml::{Faults, Map, Value};

pub(super) fn auth_query(value: &Value<'_>, faults: &mut Faults) -> Option<AuthQuery> {
    let mut map = value.map(faults)?;
    let query = map.need("query", faults).and_then(|value| value.text(faults));
    let login = login(&mut map, faults);
    map.end(faults, &["query", "user", "password"]);
    Some(AuthQuery { query: query?, login: login? })
}

pub(super) fn login(map: &mut Map<'_>, faults: &mut Faults) -> Option<Login> {
    let user = map.need("user", faults).and_then(|value| value.text(faults));
    let password = map.need("password", faults).and_then(|value| secret(&value, faults));
    Some(Login { user: user?, password: password? })
}

/// A login that stands by itself.
pub(super) fn own_login(value: &Value<'_>, faults: &mut Faults) -> Option<Login> {
    let mut map = value.map(faults)?;
    let found = login(&mut map, faults);
    map.end(faults, &["user", "password"]);
    found
}

pub(super) fn user(value: &Value<'_>, faults: &mut Faults) -> Option<User> {
    let mut map = value.map(faults)?;
    let name = map.need("name", faults).and_then(|value| value.text(faults));
    let verifier = map.take("verifier").and_then(|value| verifier(&value, faults));
    let password = map.take("password").and_then(|value| secret(&value, faults)).map(Proof::Password);
    let upstream = map.take("upstream").and_then(|value| own_login(&value, faults));
    map.end(faults, &["name", "verifier", "password", "upstream"]);
    match (verifier, password) {
        (Some(proof), None) | (None, Some(proof)) => Some(User { name: name?, proof, upstream }),
        _ => {
            faults.at(value, "a user needs exactly one of \"verifier\" and \"password\"");
            None
        }
    }
}

fn verifier(value: &Value<'_>, faults: &mut Faults) -> Option<Proof> {
    if value.is_map() {
        return secret(value, faults).map(Proof::VerifierAt);
    }
    let text = value.text(faults)?;
    if !["SCRAM-SHA-256$", "*", "$A$", "$B$", "0x24"].iter().any(|start| text.starts_with(start)) {
        let what = "a verifier begins with SCRAM-SHA-256$, as in pg_authid.rolpassword, or with * or $A$, as in mysql.user";
        faults.at(value, what);
        return None;
    }
    Some(Proof::Verifier(text))
}
