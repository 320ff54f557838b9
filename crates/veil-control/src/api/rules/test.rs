//! Trying rules: on values, and on statements.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use veil_store::document::name_of;

use super::super::problem::{Answer, Body, Details, Problem};
use super::super::{Samples, Shared};
use crate::auth::{Caller, Role};

/// Either values or a statement.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Test {
    samples: Option<Values>,
    statement: Option<Statement>,
}

/// Values to be masked.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Values {
    /// By this rule, as `proxy.yaml` has it.
    #[schema(value_type = Object)]
    rule: Value,
    /// Of this type of PostgreSQL; text without.
    #[serde(rename = "type")]
    kind: Option<String>,
    /// At most 100.
    #[schema(max_items = 100)]
    values: Vec<String>,
    /// By the key that masks in fact, and not by one that is thrown away. For administrators: whoever can have any value masked can guess what a mask stands for.
    #[serde(default)]
    real_key: bool,
}

/// A statement to be explained.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Statement {
    /// As clients name it.
    database: String,
    /// Whose statement it is; of one of no name without.
    #[serde(default)]
    user: String,
    sql: String,
}

/// What would become of it.
#[derive(Serialize, ToSchema)]
pub(crate) struct Tested {
    /// The masks of the values; null where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    masks: Option<Vec<Option<String>>>,
    /// What becomes of each statement, and of the columns of its result, and by which rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    statements: Option<Vec<Value>>,
}

const VALUES_MAX: usize = 100;
const SQL_MAX: usize = 64 << 10;
/// Values that may be masked by the real key in a while, by all.
const REAL_MAX: usize = 100;
const WHILE: Duration = Duration::from_secs(60);

/// Masks values as a rule would, or says which columns of a statement's result are masked by which rule, and why.
#[utoipa::path(post, path = "/rules/test", tag = "rules", request_body = Test, responses(
    (status = 200, body = Tested),
    (status = 422, description = "The rule or the statement has faults.", body = Details, content_type = "application/problem+json"),
))]
pub(crate) async fn test(
    State(api): State<Shared>,
    Extension(caller): Extension<Caller>,
    Body(test): Body<Test>,
) -> Answer<Json<Tested>> {
    match test {
        Test { samples: Some(values), statement: None } => {
            let masks = mask(&api, &caller, values).await?;
            Ok(Json(Tested { masks: Some(masks), statements: None }))
        }
        Test { samples: None, statement: Some(Statement { database, user, sql }) } => {
            if sql.len() > SQL_MAX {
                return Err(Problem::bad("the statement is too long"));
            }
            let told = api.apart(move |api| api.operations.explain(&database, &user, &sql)).await?;
            let statements = told.map_err(|what| Problem::faults(&what, Vec::new()))?;
            Ok(Json(Tested { masks: None, statements: Some(statements) }))
        }
        _ => Err(Problem::bad("exactly one of \"samples\" and \"statement\" says what is tested")),
    }
}

async fn mask(api: &Shared, caller: &Caller, values: Values) -> Answer<Vec<Option<String>>> {
    let Values { rule, kind, values, real_key } = values;
    if values.len() > VALUES_MAX {
        return Err(Problem::bad(format!("at most {VALUES_MAX} values are masked at once")));
    }
    if real_key {
        if caller.role < Role::Admin {
            return Err(Problem::new(StatusCode::FORBIDDEN, "\"real_key\" needs the role admin"));
        }
        limit(values.len())?;
        let facts = vec![("rule", json!(name_of(&rule))), ("values", json!(values.len()))];
        api.note("masks_previewed", caller, facts).await?;
    }
    let masks = api.apart(move |api| {
        let kind = kind.as_deref().unwrap_or("text");
        api.operations.mask(&Samples { rule: &rule, kind, values: &values, real_key })
    });
    masks.await?.map_err(|faults| Problem::faults("the rule cannot be tried", faults))
}

/// Counts values that are masked by the real key.
fn limit(values: usize) -> Answer<()> {
    static MASKED: Mutex<Option<(Instant, usize)>> = Mutex::new(None);
    let mut masked = MASKED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let (since, count) = masked.filter(|(since, _)| since.elapsed() < WHILE).unwrap_or((Instant::now(), 0));
    if count + values > REAL_MAX {
        let detail = format!("at most {REAL_MAX} values are masked by the real key in a minute");
        return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, detail));
    }
    *masked = Some((since, count + values));
    Ok(())
}
