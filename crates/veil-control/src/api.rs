//! The HTTP API.
//!
//! Decision: what an operation needs (its role) is said once, where its route is made: the same place makes the check, the answers 401 and 403 in the
//! OpenAPI document, and `x-role` there.

mod audit;
mod config;
mod docs;
mod events;
mod health;
mod keys;
mod metrics;
mod problem;
mod rules;
mod scans;
mod serve;
mod traffic;

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, DefaultBodyLimit, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, Ref, RefOr,
    ResponseBuilder, SecurityRequirement,
};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};
use utoipa_axum::routes;
use veil_model::ColumnName;
use veil_store::{Scan, SharedStore};

use crate::auth::{Auth, Caller, Denied, Role};
use crate::gauges::Observed;
use crate::scans::{Drift, ScanControl, ScanRefusal, ScanRequest};
use problem::{Answer, Problem};
use serve::{Few, Peer};

/// What became of a configuration that was read again.
#[derive(Clone, Debug, Default)]
pub struct Reloaded {
    /// What is wrong with it; nothing was changed then.
    pub faults: Vec<String>,
    /// Keys that have changed and hold from the next start only.
    pub restart: Vec<&'static str>,
}

/// Values to be masked as a rule would.
pub struct Samples<'a> {
    /// The rule.
    pub rule: &'a Value,
    /// The type of the column.
    pub kind: &'a str,
    /// The values.
    pub values: &'a [String],
    /// By the key that masks, and not by one that is thrown away.
    pub real_key: bool,
}

/// What the API may have done. All of it may wait for disks and networks.
pub trait Operations: Send + Sync + 'static {
    /// Reads the configuration and the rules again.
    fn reload(&self, by: &str) -> Reloaded;

    /// What became of it when that was done last.
    fn last_reload(&self) -> Option<Reloaded>;

    /// Whether the proxy is on its way out.
    fn stopping(&self) -> bool;

    /// What would be wrong with the configuration if these were its rules.
    fn check_rules(&self, rules: &[Value]) -> Vec<String>;

    /// The configuration, without secrets.
    fn config(&self) -> Value;

    /// The databases that clients may ask for.
    fn databases(&self) -> Vec<Value>;

    /// The tables and columns of a database, and what masks them.
    ///
    /// # Errors
    /// Why they are not known.
    fn schema(&self, database: &str, user: &str) -> Result<Value, String>;

    /// What becomes of the statements of a text.
    ///
    /// # Errors
    /// Why that cannot be said.
    fn explain(&self, database: &str, user: &str, sql: &str) -> Result<Vec<Value>, String>;

    /// Begins to scan a database; returns what the scan is found by.
    ///
    /// # Errors
    /// Why it does not begin.
    fn start_scan(&self, request: ScanRequest, by: &str) -> Result<String, ScanRefusal>;

    /// The scans that run, and how far they are.
    fn running_scans(&self) -> Vec<Value>;

    /// Ends a scan, or has it wait; says whether it runs.
    fn control_scan(&self, id: &str, control: ScanControl) -> bool;

    /// Notes in a scan what rules protect now; returns what they do not.
    ///
    /// # Errors
    /// Why that is not known.
    fn protect_scan(&self, scan: &mut Scan) -> Result<Vec<ColumnName>, String>;

    /// Adds rules for what a scan has found, in all columns or in these; returns for how many.
    ///
    /// # Errors
    /// Why that cannot be done.
    fn rules_of_scan(
        &self,
        scan: &Scan,
        chosen: Option<&[ColumnName]>,
        rules: &mut Vec<Value>,
    ) -> Result<usize, String>;

    /// What of the newest scans no rule protects now.
    fn drifts(&self) -> Vec<Drift>;

    /// The masks of values; none where there is no mask.
    ///
    /// # Errors
    /// What is wrong with the rule or the type.
    fn mask(&self, samples: &Samples<'_>) -> Result<Vec<Option<String>>, Vec<String>>;
}

/// The API.
pub struct Api {
    /// What it tells of.
    pub observed: Arc<Observed>,
    /// Who is let in.
    pub auth: Arc<Auth>,
    /// The rules and keys.
    pub store: SharedStore,
    /// Metrics are shown to everybody.
    pub public_metrics: bool,
    /// It is spoken to by TLS.
    pub secure: bool,
    /// One change of the rules at a time.
    pub changing: tokio::sync::Mutex<()>,
}

pub(crate) type Shared = Arc<Api>;

/// Of a path, so many characters are written down.
const PATH_MAX: usize = 200;
/// Bodies that are longer are refused.
const BODY_MAX: usize = 4 << 20;

impl std::ops::Deref for Api {
    type Target = Observed;

    fn deref(&self) -> &Observed {
        &self.observed
    }
}

impl Api {
    /// Answers requests, for as long as it runs; by TLS, if there is a certificate.
    ///
    /// # Errors
    /// The listener is broken.
    pub async fn serve(
        self,
        listener: TcpListener,
        tls: Option<watch::Receiver<TlsAcceptor>>,
    ) -> std::io::Result<()> {
        let secure = self.secure;
        let api = Arc::new(self);
        let (router, document) = router(&api).split_for_parts();
        let document: Arc<str> = document.to_json().unwrap_or_default().into();
        let router = router
            .method_not_allowed_fallback(|| async {
                Problem::new(
                    StatusCode::METHOD_NOT_ALLOWED,
                    "this resource does not do that; /docs has a list",
                )
            })
            .layer(axum::Extension(docs::Document(document)))
            .layer(DefaultBodyLimit::max(BODY_MAX))
            .layer(from_fn(move |request: Request, next: Next| async move {
                harden(next.run(request).await, secure)
            }))
            .with_state(api);
        let service = router.into_make_service_with_connect_info::<Peer>();
        axum::serve(Few::start(listener, tls)?, service).await
    }

    /// Does something that may wait, apart.
    async fn apart<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> Answer<T> {
        let api = Arc::clone(self);
        let done = tokio::task::spawn_blocking(move || work(&api)).await;
        done.map_err(|_| Problem::failed("this has failed; the log says more"))
    }

    /// Writes down that somebody was not let in: as often as wrong keys are looked at.
    async fn note_denied(self: &Arc<Self>, address: IpAddr, path: &str, denied: &Denied) {
        if !matches!(denied, Denied::Unknown) {
            return;
        }
        let path: String = path.chars().take(PATH_MAX).collect();
        let facts = [("address", address.to_string().into()), ("path", path.into())];
        let noted = self.apart(move |api| api.audit.record("api_denied", &facts)).await;
        if !matches!(noted, Ok(Ok(()))) {
            tracing::error!("the audit cannot be written");
        }
    }

    /// Writes down that something was done.
    async fn note(
        self: &Arc<Self>,
        event: &'static str,
        caller: &Caller,
        mut facts: Vec<(&'static str, Value)>,
    ) -> Answer<()> {
        let mut all = vec![("by", Value::from(caller.name.clone())), ("role", caller.role.name().into())];
        all.append(&mut facts);
        let recorded = self.apart(move |api| api.audit.record(event, &all)).await?;
        recorded.map_err(|error| {
            tracing::error!(%error, event, "the audit cannot be written");
            Problem::failed("this was done, but could not be written to the audit")
        })
    }
}

/// The document that describes the API.
#[must_use]
pub fn openapi() -> OpenApi {
    routes_of(None).into_openapi()
}

fn router(api: &Shared) -> OpenApiRouter<Shared> {
    routes_of(Some(api))
        .fallback(|| async { Problem::not_found("there is no such resource; /docs has a list") })
}

/// All routes. Without an API there are no checks: only the document is wanted.
fn routes_of(api: Option<&Shared>) -> OpenApiRouter<Shared> {
    let at = |role: Role, made: UtoipaMethodRouter<Shared>| guarded(api, role, made);
    let metrics = match api {
        Some(api) if api.public_metrics => routes!(metrics::metrics),
        _ => at(Role::Viewer, routes!(metrics::metrics)),
    };
    OpenApiRouter::with_openapi(description())
        .routes(routes!(health::live))
        .routes(routes!(health::ready))
        .routes(routes!(health::health))
        .routes(metrics)
        .routes(at(Role::Viewer, routes!(health::version)))
        .routes(at(Role::Viewer, routes!(docs::openapi)))
        .routes(at(Role::Viewer, routes!(docs::docs)))
        .routes(routes!(keys::sign_in))
        .routes(at(Role::Viewer, routes!(keys::who)))
        .routes(at(Role::Viewer, routes!(keys::sign_out)))
        .routes(at(Role::Admin, routes!(keys::list)))
        .routes(at(Role::Admin, routes!(keys::create)))
        .routes(at(Role::Admin, routes!(keys::revoke)))
        .routes(at(Role::Viewer, routes!(rules::list)))
        .routes(at(Role::Admin, routes!(rules::add)))
        .routes(at(Role::Operator, routes!(rules::test::test)))
        .routes(at(Role::Admin, routes!(rules::reorder)))
        .routes(at(Role::Viewer, routes!(rules::history::list)))
        .routes(at(Role::Viewer, routes!(rules::history::one)))
        .routes(at(Role::Admin, routes!(rules::history::rollback)))
        .routes(at(Role::Viewer, routes!(rules::transfer::export)))
        .routes(at(Role::Admin, routes!(rules::transfer::import)))
        .routes(at(Role::Viewer, routes!(rules::one)))
        .routes(at(Role::Admin, routes!(rules::replace)))
        .routes(at(Role::Admin, routes!(rules::remove)))
        .routes(at(Role::Operator, routes!(config::config)))
        .routes(at(Role::Operator, routes!(config::reload)))
        .routes(at(Role::Viewer, routes!(config::databases)))
        .routes(at(Role::Viewer, routes!(config::schema)))
        .routes(at(Role::Viewer, routes!(scans::list)))
        .routes(at(Role::Operator, routes!(scans::begin)))
        .routes(at(Role::Viewer, routes!(scans::one)))
        .routes(at(Role::Operator, routes!(scans::cancel)))
        .routes(at(Role::Viewer, routes!(scans::follow)))
        .routes(at(Role::Operator, routes!(scans::pause)))
        .routes(at(Role::Operator, routes!(scans::resume)))
        .routes(at(Role::Admin, routes!(scans::apply)))
        .routes(at(Role::Viewer, routes!(traffic::connections)))
        .routes(at(Role::Operator, routes!(traffic::kill)))
        .routes(at(Role::Viewer, routes!(traffic::stats)))
        .routes(at(Role::Operator, routes!(traffic::logs)))
        .routes(at(Role::Operator, routes!(audit::find)))
        .routes(at(Role::Operator, routes!(events::events)))
}

/// A route that only those with a role are let through to.
fn guarded(
    api: Option<&Shared>,
    role: Role,
    (schemas, mut paths, router): UtoipaMethodRouter<Shared>,
) -> UtoipaMethodRouter<Shared> {
    let problem = |what: &str| {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
        ResponseBuilder::new().description(what).content("application/problem+json", content).build()
    };
    for item in paths.paths.values_mut() {
        let methods =
            [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.head, &mut item.patch];
        for operation in methods.into_iter().flatten() {
            let parameters = operation.parameters.as_deref().unwrap_or_default();
            let versioned = parameters
                .iter()
                .any(|parameter| matches!(parameter, RefOr::T(parameter) if parameter.name == "If-Match"));
            let (reads, asks) = (operation.request_body.is_some(), !parameters.is_empty());
            let always = [
                (true, "401", "Nothing that says who asks, or nothing that is believed."),
                (true, "403", "The role is another, or a browser's request is not a page's of the API."),
                (true, "429", "Too many wrong keys from this address."),
                (true, "503", "The store cannot be used."),
                (reads || asks, "400", "What was sent cannot be read."),
                (reads, "413", "The body is too long."),
                (reads, "415", "The body is something else."),
                (versioned, "409", "The rules have become others, or several are called so."),
                (versioned, "428", "If-Match is missing."),
            ];
            let answers = &mut operation.responses.responses;
            for (_, status, what) in always.into_iter().filter(|(applies, ..)| *applies) {
                answers.entry(status.to_owned()).or_insert_with(|| problem(what).into());
            }
            operation.security = Some(
                ["bearer", "key", "session"]
                    .map(|name| SecurityRequirement::new::<_, [&str; 0], &str>(name, []))
                    .into(),
            );
            operation.extensions = Some(ExtensionsBuilder::new().add("x-role", role.name()).build());
        }
    }
    let router = match api {
        Some(api) => router.route_layer(from_fn_with_state((Arc::clone(api), role), guard)),
        None => router,
    };
    (schemas, paths, router)
}

async fn guard(
    State((api, role)): State<(Shared, Role)>,
    ConnectInfo(Peer(peer)): ConnectInfo<Peer>,
    mut request: Request,
    next: Next,
) -> Response {
    let known = api.auth.caller(peer.ip(), request.method(), request.headers()).await;
    match known {
        Ok(caller) if caller.role >= role => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Ok(caller) => {
            let facts =
                vec![("path", request.uri().path().chars().take(PATH_MAX).collect::<String>().into())];
            if let Err(problem) = api.note("api_forbidden", &caller, facts).await {
                return problem.into_response();
            }
            let detail = format!("this needs the role {}; yours is {}", role.name(), caller.role.name());
            Problem::new(StatusCode::FORBIDDEN, detail).into_response()
        }
        Err(denied) => {
            let page = docs::sign_in_page(request.uri().path(), request.headers());
            api.note_denied(peer.ip(), request.uri().path(), &denied).await;
            page.unwrap_or_else(|| Problem::from(denied).into_response())
        }
    }
}

/// Does something to its end, whether or not whoever asked for it still waits.
async fn to_its_end<T: Send + 'static>(work: impl Future<Output = Answer<T>> + Send + 'static) -> Answer<T> {
    let done = tokio::spawn(work).await;
    done.unwrap_or_else(|_| Err(Problem::failed("this has failed; the log says more")))
}

/// What browsers are told of every answer.
fn harden(mut response: Response, secure: bool) -> Response {
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::X_FRAME_OPTIONS, "DENY");
    set(header::REFERRER_POLICY, "no-referrer");
    set(header::CACHE_CONTROL, "no-store");
    set(header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'");
    if secure {
        set(header::STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
    response
}

fn description() -> OpenApi {
    let schemes = [
        ("bearer", SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build())),
        ("key", SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("X-API-Key")))),
        ("session", SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new(crate::auth::COOKIE)))),
    ];
    let components = schemes.into_iter().fold(ComponentsBuilder::new(), |components, (name, scheme)| {
        components.security_scheme(name, scheme)
    });
    let info = InfoBuilder::new()
        .title("IronVeil")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Rules, audit and state of a proxy that masks personal data. Every operation says in x-role what its caller has to be.",
        ))
        .license(Some(LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build()))
        .build();
    OpenApiBuilder::new()
        .info(info)
        .components(Some(components.schema_from::<problem::Details>().build()))
        .build()
}
