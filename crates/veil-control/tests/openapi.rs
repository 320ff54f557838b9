//! The document that describes the API is the committed one, and says of each operation who may do it.

use std::path::Path;

use serde_json::Value;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");

#[test]
fn the_document_is_the_committed_one() {
    let text = veil_control::api::openapi().to_pretty_json().unwrap() + "\n";
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(GOLDEN, &text).unwrap();
    }
    let golden = std::fs::read_to_string(Path::new(GOLDEN)).unwrap_or_default();
    assert!(golden == text, "docs/openapi.json is another; UPDATE_GOLDEN=1 writes it anew");
}

#[test]
fn every_operation_says_who_may_do_it() {
    let document: Value = serde_json::from_str(&veil_control::api::openapi().to_json().unwrap()).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let public = ["/livez", "/readyz", "/health"];
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let what = format!("{method} {path}");
            let role = operation["x-role"].as_str();
            let open = public.contains(&path.as_str()) || what == "post /session";
            assert_eq!(role.is_none(), open, "{what}");
            let answers = operation["responses"].as_object().unwrap();
            assert_eq!(answers.contains_key("403"), !open, "{what}");
            assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{what}");
        }
    }
}
