//! All rules at once, out and in.

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use veil_store::document::{Document, diff, name_of, text_of_rules};

use super::super::Shared;
use super::super::problem::{Answer, Details, Expected, Params, Problem, Raw};
use super::{change, check_count, expected, head, tagged};
use crate::auth::Caller;

#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Form {
    #[default]
    Yaml,
    Json,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// `yaml`, as it could stand in `proxy.yaml`, or `json`.
    #[serde(default)]
    #[param(inline)]
    format: Form,
}

/// All rules.
#[utoipa::path(get, path = "/rules/export", tag = "rules", params(Wanted), responses(
    (status = 200, content((Value = "application/yaml"), (Value = "application/json"))),
))]
pub(crate) async fn export(
    State(api): State<Shared>,
    Params(Wanted { format }): Params<Wanted>,
) -> Answer<Response> {
    let head = head(&api).await?;
    Ok(match format {
        Form::Json => tagged(head.number, json!({ "rules": head.rules })).into_response(),
        Form::Yaml => {
            let text = text_of_rules(&head.rules);
            let tag = format!("\"{}\"", head.number);
            ([(header::CONTENT_TYPE, "application/yaml".to_owned()), (header::ETAG, tag)], text)
                .into_response()
        }
    })
}

#[derive(Clone, Copy, Default, PartialEq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Mode {
    #[default]
    Merge,
    Replace,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct How {
    /// `merge`: rules take the place of those of the same name, others are added; or `replace`.
    #[serde(default)]
    #[param(inline)]
    mode: Mode,
    /// Nothing is changed; the answer says what would be.
    #[serde(default)]
    dry_run: bool,
    /// Why, for the history.
    comment: Option<String>,
}

/// What was changed, or would be.
#[derive(Serialize, ToSchema)]
pub(crate) struct Imported {
    /// The version of the rules, which a dry run leaves as it was.
    version: i64,
    dry_run: bool,
    changes: Vec<Value>,
}

/// Takes rules in: a mapping with `rules`, as `proxy.yaml` is one, or a list of rules, in YAML or JSON.
#[utoipa::path(post, path = "/rules/import", tag = "rules",
    request_body(content((Value = "application/yaml"), (Value = "application/json"))),
    params(How, ("If-Match" = Option<String>, Header, description = "The version of the rules that is meant; a dry run needs none.")),
    responses(
        (status = 200, body = Imported),
        (status = 422, description = "The rules have faults.", body = Details, content_type = "application/problem+json"),
    ))]
pub(crate) async fn import(
    State(api): State<Shared>,
    Extension(caller): Extension<Caller>,
    Params(How { mode, dry_run, comment }): Params<How>,
    wanted: Expected,
    Raw(kind, body): Raw,
) -> Answer<Json<Imported>> {
    let given = read(kind.as_deref(), &body)?;
    check_count(&given)?;
    let _one = api.changing.lock().await;
    let before = match (wanted.0, dry_run) {
        (None, true) => head(&api).await?,
        _ => expected(&api, wanted.needed()?).await?,
    };
    let rules = match mode {
        Mode::Replace => given,
        Mode::Merge => merged(before.rules.clone(), given),
    };
    if dry_run {
        let checked = rules.clone();
        let faults = api.apart(move |api| api.operations.check_rules(&checked)).await?;
        if !faults.is_empty() {
            return Err(Problem::faults("these rules have faults", faults));
        }
        let changes = diff(&before.rules, &rules);
        return Ok(Json(Imported { version: before.number, dry_run, changes }));
    }
    let (version, changes) = change(&api, &caller, &before, rules, comment).await?;
    Ok(Json(Imported { version, dry_run, changes }))
}

fn merged(mut rules: Vec<Value>, given: Vec<Value>) -> Vec<Value> {
    for rule in given {
        match rules.iter_mut().find(|old| name_of(old) == name_of(&rule)) {
            Some(old) => *old = rule,
            None => rules.push(rule),
        }
    }
    rules
}

fn read(kind: Option<&str>, body: &[u8]) -> Answer<Vec<Value>> {
    let text = std::str::from_utf8(body).map_err(|_| Problem::bad("the body is not UTF-8"))?;
    match kind {
        None
        | Some("application/json" | "application/yaml" | "application/x-yaml" | "text/yaml" | "text/plain") =>
            {}
        Some(_) => {
            let detail = "the body is application/yaml or application/json";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
        }
    }
    // JSON is YAML, but for what is rare; a list is taken for that of a mapping.
    let given = match serde_json::from_str::<Value>(text) {
        Ok(Value::Array(rules)) => return Ok(rules),
        Ok(Value::Object(mut map)) => map.remove("rules").and_then(|rules| rules.as_array().cloned()),
        Ok(_) => None,
        Err(_) if kind == Some("application/json") => return Err(Problem::bad("the body is not JSON")),
        Err(_) => {
            let indented = format!("rules:\n{text}");
            let document = match text.trim_start().starts_with("- ") {
                true => Document::parse(&indented),
                false => Document::parse(text),
            };
            let document = document.map_err(Problem::bad)?;
            document.has_rules().then(|| document.rules())
        }
    };
    given.ok_or_else(|| Problem::bad("the body has no \"rules\""))
}
