//! The rules: seen, changed one at a time, with what was there before kept.

pub(super) mod history;
pub(super) mod test;
pub(super) mod transfer;

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderName, StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use veil_store::document::{diff, name_of};
use veil_store::{Change, StoreError, Version};

use super::problem::{Answer, Body, Details, Expected, Params, Problem};
use super::{Shared, to_its_end};
use crate::auth::{self, Caller};

/// A rule, as `proxy.yaml` has it, and what it is called.
#[derive(Serialize, ToSchema)]
pub(super) struct RuleView {
    /// Its name, or the column that it is for.
    name: String,
    /// The rule.
    rule: Value,
}

impl From<&Value> for RuleView {
    fn from(rule: &Value) -> Self {
        Self { name: name_of(rule), rule: rule.clone() }
    }
}

/// The rules, in order.
#[derive(Serialize, ToSchema)]
pub(super) struct Rules {
    /// What `If-Match` says of a change to these rules.
    version: i64,
    /// Where they are: `file`, `sqlite` or `postgres`.
    store: &'static str,
    rules: Vec<RuleView>,
}

/// A change that was made.
#[derive(Serialize, ToSchema)]
pub(super) struct Changed {
    /// The version of the rules that it has made.
    pub(super) version: i64,
    /// What is another now.
    pub(super) changes: Vec<Value>,
}

pub(super) type Tagged<T> = ([(HeaderName, String); 1], Json<T>);

pub(super) fn tagged<T>(version: i64, body: T) -> Tagged<T> {
    ([(header::ETAG, format!("\"{version}\""))], Json(body))
}

/// The newest version; there are no rules before the first.
async fn head(api: &Shared) -> Answer<Version> {
    let head = api.apart(|api| api.store.head()).await??;
    Ok(head.unwrap_or_else(|| Version {
        number: 0,
        time: 0,
        author: String::new(),
        comment: String::new(),
        rules: Vec::new(),
    }))
}

/// Makes a change of the rules: they are checked, stored, used, and written down, even if whoever wants it does not wait for the answer.
pub(super) async fn change(
    api: &Shared,
    caller: &Caller,
    before: &Version,
    rules: Vec<Value>,
    comment: Option<String>,
) -> Answer<(i64, Vec<Value>)> {
    check_count(&rules)?;
    let comment = comment.unwrap_or_default();
    if comment.chars().count() > COMMENT_MAX {
        return Err(Problem::bad(format!("\"comment\" has {COMMENT_MAX} characters at most")));
    }
    let (api, caller, before) = (Arc::clone(api), caller.clone(), before.clone());
    to_its_end(async move { make(&api, &caller, &before, rules, comment).await }).await
}

async fn make(
    api: &Shared,
    caller: &Caller,
    before: &Version,
    rules: Vec<Value>,
    comment: String,
) -> Answer<(i64, Vec<Value>)> {
    let checked = rules.clone();
    let faults = api.apart(move |api| api.operations.check_rules(&checked)).await?;
    if !faults.is_empty() {
        return Err(Problem::faults("these rules have faults; nothing was changed", faults));
    }
    let changes = diff(&before.rules, &rules);
    let told = json!(comment);
    let change = Change { time: auth::now(), author: caller.name.clone(), comment, rules };
    let expected = before.number;
    let made = api.apart(move |api| api.store.commit(expected, &change)).await?;
    let number = match made {
        Ok(number) => number,
        Err(StoreError::Conflict(newest)) => return Err(Problem::conflict(&newest, Some(&before.rules))),
        Err(error) => return Err(error.into()),
    };
    let facts = vec![("version", json!(number)), ("comment", told), ("changes", json!(changes))];
    let noted = api.note("rules_changed", caller, facts).await;
    let by = format!("api: {}", caller.name);
    let reloaded = api.apart(move |api| api.operations.reload(&by)).await?;
    noted?;
    if !reloaded.faults.is_empty() {
        let detail = "the rules are stored, but something else of the configuration has faults, so those of before hold";
        return Err(Problem::faults(detail, reloaded.faults));
    }
    Ok((number, changes))
}

/// Whether there are not too many.
fn check_count(rules: &[Value]) -> Answer<()> {
    match rules.len() {
        0..=RULES_MAX => Ok(()),
        _ => Err(Problem::faults(&format!("there are {RULES_MAX} rules at most"), Vec::new())),
    }
}

/// Rules that there may be.
const RULES_MAX: usize = 10_000;
/// What people say of a change is so long at most.
const COMMENT_MAX: usize = 1000;

/// The newest version, if it is the one that a request is about.
async fn expected(api: &Shared, expected: i64) -> Answer<Version> {
    let newest = head(api).await?;
    if newest.number == expected {
        return Ok(newest);
    }
    let known = api.apart(move |api| api.store.version(expected)).await??;
    Err(Problem::conflict(&newest, known.as_ref().map(|known| known.rules.as_slice())))
}

/// The version that a request is about; the newest, if it does not say which.
pub(super) async fn meant(api: &Shared, wanted: &Expected) -> Answer<Version> {
    match wanted.0 {
        Some(number) => expected(api, number).await,
        None => head(api).await,
    }
}

/// Where the only rule of this name is.
fn place(rules: &[Value], name: &str) -> Answer<usize> {
    let mut found = rules.iter().enumerate().filter(|(_, rule)| name_of(rule) == name);
    match (found.next(), found.next()) {
        (Some((at, _)), None) => Ok(at),
        (None, _) => Err(Problem::not_found("there is no such rule")),
        (Some(_), Some(_)) => Err(Problem::new(
            StatusCode::CONFLICT,
            "several rules are called so; give them names of their own",
        )),
    }
}

/// The rules.
#[utoipa::path(get, path = "/rules", tag = "rules", responses(
    (status = 200, body = Rules),
))]
pub(super) async fn list(State(api): State<Shared>) -> Answer<Tagged<Rules>> {
    let head = head(&api).await?;
    let rules = head.rules.iter().map(Into::into).collect();
    Ok(tagged(head.number, Rules { version: head.number, store: api.store.kind(), rules }))
}

/// One rule.
#[utoipa::path(get, path = "/rules/{name}", tag = "rules", params(("name" = String, Path, description = "Of the rule.")), responses(
    (status = 200, body = RuleView),
    (status = 404, body = Details, content_type = "application/problem+json"),
    (status = 409, description = "Several are called so.", body = Details, content_type = "application/problem+json"),
))]
pub(super) async fn one(State(api): State<Shared>, Path(name): Path<String>) -> Answer<Tagged<RuleView>> {
    let head = head(&api).await?;
    let at = place(&head.rules, &name)?;
    let rule = head.rules.get(at).ok_or_else(|| Problem::not_found("there is no such rule"))?;
    Ok(tagged(head.number, rule.into()))
}

/// A rule that is wanted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewRule {
    /// As `proxy.yaml` has it.
    #[schema(value_type = Object)]
    rule: Value,
    /// Its place, from 0; behind all others without. The first rule that fits a column decides.
    at: Option<usize>,
    /// Why, for the history.
    comment: Option<String>,
}

/// Adds a rule.
#[utoipa::path(post, path = "/rules", tag = "rules", request_body = NewRule, params(
    ("If-Match" = Option<String>, Header, description = "The version of the rules that is meant; the newest without."),
), responses(
    (status = 201, description = "Added.", body = Changed),
    (status = 422, description = "The rule has faults.", body = Details, content_type = "application/problem+json"),
))]
pub(super) async fn add(
    State(api): State<Shared>,
    Extension(caller): Extension<Caller>,
    wanted: Expected,
    Body(NewRule { rule, at, comment }): Body<NewRule>,
) -> Answer<(StatusCode, Tagged<Changed>)> {
    let _one = api.changing.lock().await;
    let before = meant(&api, &wanted).await?;
    let mut rules = before.rules.clone();
    rules.insert(at.unwrap_or(rules.len()).min(rules.len()), rule);
    let (version, changes) = change(&api, &caller, &before, rules, comment).await?;
    Ok((StatusCode::CREATED, tagged(version, Changed { version, changes })))
}

/// A rule in the place of another.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OtherRule {
    /// As `proxy.yaml` has it.
    #[schema(value_type = Object)]
    rule: Value,
    /// Why, for the history.
    comment: Option<String>,
}

/// Puts a rule in the place of another.
#[utoipa::path(put, path = "/rules/{name}", tag = "rules", request_body = OtherRule, params(
    ("name" = String, Path, description = "Of the rule."),
    ("If-Match" = Option<String>, Header, description = "The version of the rules that is meant."),
), responses(
    (status = 200, body = Changed),
    (status = 404, body = Details, content_type = "application/problem+json"),
    (status = 422, description = "The rule has faults.", body = Details, content_type = "application/problem+json"),
))]
pub(super) async fn replace(
    State(api): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    wanted: Expected,
    Body(OtherRule { rule, comment }): Body<OtherRule>,
) -> Answer<Tagged<Changed>> {
    let _one = api.changing.lock().await;
    let before = expected(&api, wanted.needed()?).await?;
    let mut rules = before.rules.clone();
    let at = place(&rules, &name)?;
    rules.iter_mut().skip(at).take(1).for_each(|old| *old = rule.clone());
    let (version, changes) = change(&api, &caller, &before, rules, comment).await?;
    Ok(tagged(version, Changed { version, changes }))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Why {
    /// For the history.
    comment: Option<String>,
}

/// Takes a rule away.
#[utoipa::path(delete, path = "/rules/{name}", tag = "rules", params(
    ("name" = String, Path, description = "Of the rule."), Why,
    ("If-Match" = Option<String>, Header, description = "The version of the rules that is meant."),
), responses(
    (status = 200, body = Changed),
    (status = 404, body = Details, content_type = "application/problem+json"),
    (status = 422, description = "The rules have faults without it.", body = Details, content_type = "application/problem+json"),
))]
pub(super) async fn remove(
    State(api): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Params(Why { comment }): Params<Why>,
    wanted: Expected,
) -> Answer<Tagged<Changed>> {
    let _one = api.changing.lock().await;
    let before = expected(&api, wanted.needed()?).await?;
    let mut rules = before.rules.clone();
    rules.remove(place(&rules, &name)?);
    let (version, changes) = change(&api, &caller, &before, rules, comment).await?;
    Ok(tagged(version, Changed { version, changes }))
}

/// The names of all rules, in another order.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Order {
    order: Vec<String>,
    /// Why, for the history.
    comment: Option<String>,
}

/// Puts the rules into another order.
#[utoipa::path(post, path = "/rules/order", tag = "rules", request_body = Order, params(
    ("If-Match" = Option<String>, Header, description = "The version of the rules that is meant."),
), responses(
    (status = 200, body = Changed),
    (status = 422, description = "These are not the names of all rules.", body = Details, content_type = "application/problem+json"),
))]
pub(super) async fn reorder(
    State(api): State<Shared>,
    Extension(caller): Extension<Caller>,
    wanted: Expected,
    Body(Order { order, comment }): Body<Order>,
) -> Answer<Tagged<Changed>> {
    let _one = api.changing.lock().await;
    let before = expected(&api, wanted.needed()?).await?;
    let mut left: Vec<Option<&Value>> = before.rules.iter().map(Some).collect();
    let rules: Option<Vec<Value>> = order
        .iter()
        .map(|name| {
            let place = left.iter_mut().find(|rule| rule.is_some_and(|rule| name_of(rule) == *name));
            place.and_then(Option::take).cloned()
        })
        .collect();
    let complete = left.iter().all(Option::is_none);
    let rules = rules.filter(|_| complete);
    let rules =
        rules.ok_or_else(|| Problem::faults("\"order\" has the name of each rule, once", Vec::new()))?;
    let (version, changes) = change(&api, &caller, &before, rules, comment).await?;
    Ok(tagged(version, Changed { version, changes }))
}
