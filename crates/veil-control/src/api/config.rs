//! The configuration, and what it is for.

use axum::Json;
use axum::extract::{Extension, Path, State};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use super::Shared;
use super::problem::{Answer, Details, Params, Problem};
use crate::auth::Caller;

/// The configuration as it is read, without secrets.
#[utoipa::path(get, path = "/config", tag = "config", responses((status = 200, body = Value)))]
pub(super) async fn config(State(api): State<Shared>) -> Answer<Json<Value>> {
    Ok(Json(api.apart(|api| api.operations.config()).await?))
}

/// What a reload has changed.
#[derive(Serialize, ToSchema)]
pub(super) struct Done {
    /// Keys that have changed and hold from the next start only.
    restart_needed_for: Vec<&'static str>,
}

/// Has the configuration read again. If anything is wrong with it, nothing changes.
#[utoipa::path(post, path = "/config/reload", tag = "config", responses(
    (status = 200, body = Done),
    (status = 422, description = "It has faults; that of before holds.", body = Details, content_type = "application/problem+json"),
))]
pub(super) async fn reload(
    State(api): State<Shared>,
    Extension(caller): Extension<Caller>,
) -> Answer<Json<Done>> {
    let by = format!("api: {}", caller.name);
    let reloaded = api.apart(move |api| api.operations.reload(&by)).await?;
    if reloaded.faults.is_empty() {
        return Ok(Json(Done { restart_needed_for: reloaded.restart }));
    }
    let detail = reloaded.faults.join("\n");
    Err(Problem::faults(&detail, reloaded.faults))
}

#[derive(Serialize, ToSchema)]
pub(super) struct Databases {
    databases: Vec<Value>,
}

/// The databases that clients may ask for.
#[utoipa::path(get, path = "/databases", tag = "config", responses((status = 200, body = Databases)))]
pub(super) async fn databases(State(api): State<Shared>) -> Answer<Json<Databases>> {
    Ok(Json(Databases { databases: api.apart(|api| api.operations.databases()).await? }))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ForWhom {
    /// For this user; for one of no name without, whom rules without `who` concern.
    #[serde(default)]
    user: String,
}

/// Tables and columns of a database, with the rules that mask them. They are known once a client has used it.
#[utoipa::path(get, path = "/schema/{database}", tag = "config", params(
    ("database" = String, Path, description = "As clients name it."), ForWhom,
), responses(
    (status = 200, body = Value),
    (status = 404, description = "It is not known.", body = Details, content_type = "application/problem+json"),
))]
pub(super) async fn schema(
    State(api): State<Shared>,
    Path(database): Path<String>,
    Params(ForWhom { user }): Params<ForWhom>,
) -> Answer<Json<Value>> {
    let found = api.apart(move |api| api.operations.schema(&database, &user)).await?;
    found.map(|schema| Json(json!(schema))).map_err(Problem::not_found)
}
