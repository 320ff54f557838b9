//! What the proxy tells, as OTLP has it. Names are those of the semantic conventions, where there are some.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs, SeverityNumber};
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics,
    ScopeMetrics, Sum, metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prometheus::proto::{LabelPair, MetricFamily, MetricType};
use serde_json::Value;
use veil_proxy::statements::{Ended, Verdict};

use crate::audit::time;
use crate::unhex;

fn value(value: impl Into<Given>) -> Option<AnyValue> {
    let Given(value) = value.into();
    Some(AnyValue { value: Some(value) })
}

/// A value of an attribute.
struct Given(any_value::Value);

impl From<&str> for Given {
    fn from(text: &str) -> Self {
        Self(any_value::Value::StringValue(text.to_owned()))
    }
}

impl From<u64> for Given {
    fn from(number: u64) -> Self {
        Self(any_value::Value::IntValue(i64::try_from(number).unwrap_or(i64::MAX)))
    }
}

impl From<f64> for Given {
    fn from(number: f64) -> Self {
        Self(any_value::Value::DoubleValue(number))
    }
}

fn attribute(key: &str, of: impl Into<Given>) -> KeyValue {
    KeyValue { key: key.to_owned(), value: value(of), ..KeyValue::default() }
}

fn resource() -> Option<Resource> {
    let attributes = vec![
        attribute("service.name", "ironveil"),
        attribute("service.version", env!("CARGO_PKG_VERSION")),
        attribute("process.pid", u64::from(std::process::id())),
    ];
    Some(Resource { attributes, ..Resource::default() })
}

fn scope() -> Option<InstrumentationScope> {
    let (name, version) = ("ironveil".to_owned(), env!("CARGO_PKG_VERSION").to_owned());
    Some(InstrumentationScope { name, version, ..InstrumentationScope::default() })
}

fn nanos(time: SystemTime) -> u64 {
    u64::try_from(time.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos()).unwrap_or(u64::MAX)
}

/// Where a client says that its statement stands: trace, span, and whether it is sampled.
fn parent(said: &str) -> Option<(Vec<u8>, Vec<u8>, bool)> {
    let mut parts = said.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let fits = version != "ff" && trace.len() == 32 && span.len() == 16 && parts.next().is_none();
    let (trace, span, flags) = (unhex(trace)?, unhex(span)?, unhex(flags)?);
    let known = |id: &[u8]| id.iter().any(|byte| *byte != 0);
    (fits && known(&trace) && known(&span))
        .then(|| (trace, span, flags.first().is_some_and(|flags| flags & 1 != 0)))
}

/// The span of a statement, if it is one of those that are sampled.
pub(super) fn span(ended: &Ended, sample_ratio: f64) -> Option<Span> {
    let mut ids = [0; 24];
    rand::fill(&mut ids).ok()?;
    let (trace, own) = ids.split_at(16);
    let (trace_id, parent_span_id) = match ended.text.traceparent.as_deref().and_then(parent) {
        Some((_, _, false)) => return None,
        Some((trace, span, true)) => (trace, span),
        None => {
            let draw = u32::from_be_bytes(*trace.first_chunk()?);
            if f64::from(draw) >= sample_ratio * 4_294_967_296.0 {
                return None;
            }
            (trace.to_vec(), Vec::new())
        }
    };
    let (who, end) = (&ended.who, nanos(ended.at));
    let took = u64::try_from(ended.took.as_nanos()).unwrap_or(u64::MAX);
    let mut attributes = vec![
        attribute("db.system.name", who.protocol.name()),
        attribute("db.namespace", who.database.as_str()),
        attribute("db.operation.name", ended.text.operation),
        attribute("db.query.text", ended.text.text.as_str()),
        attribute("db.response.returned_rows", ended.rows),
        attribute("client.address", who.address.to_string().as_str()),
        attribute("user.name", who.user.as_str()),
        attribute("ironveil.session", who.session),
        attribute("ironveil.verdict", ended.verdict.name()),
        attribute("ironveil.masked_columns", u64::try_from(ended.columns.len()).unwrap_or(u64::MAX)),
        attribute("ironveil.proxy_duration", ended.worked.as_secs_f64()),
    ];
    let mut status = None;
    if let Some(code) = &ended.code {
        attributes.push(attribute("db.response.status_code", code.as_str()));
        let kind = if ended.verdict == Verdict::Refused { "refused" } else { code.as_str() };
        attributes.push(attribute("error.type", kind));
        status = Some(Status { code: StatusCode::Error.into(), ..Status::default() });
    }
    Some(Span {
        trace_id,
        span_id: own.to_vec(),
        parent_span_id,
        name: format!("{} {}", ended.text.operation, who.database),
        kind: SpanKind::Server.into(),
        start_time_unix_nano: end.saturating_sub(took),
        end_time_unix_nano: end,
        attributes,
        status,
        ..Span::default()
    })
}

pub(super) fn traces(spans: Vec<Span>) -> ExportTraceServiceRequest {
    let scope_spans = vec![ScopeSpans { scope: scope(), spans, ..ScopeSpans::default() }];
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans { resource: resource(), scope_spans, ..ResourceSpans::default() }],
    }
}

pub(super) fn logs(events: &[Arc<Value>]) -> ExportLogsServiceRequest {
    let record = |event: &Arc<Value>| {
        let name = event.get("event").and_then(Value::as_str).unwrap_or("event").to_owned();
        let when =
            event.get("time").and_then(Value::as_str).and_then(time::read).unwrap_or_else(SystemTime::now);
        let facts = event.as_object().into_iter().flatten();
        let facts = facts.filter(|(key, _)| !matches!(key.as_str(), "event" | "time"));
        let attributes = facts.map(|(key, fact)| match fact {
            Value::String(text) => attribute(key, text.as_str()),
            other => match (other.as_u64(), other.as_f64()) {
                (Some(number), _) => attribute(key, number),
                (None, Some(number)) => attribute(key, number),
                _ => attribute(key, other.to_string().as_str()),
            },
        });
        LogRecord {
            time_unix_nano: nanos(when),
            observed_time_unix_nano: nanos(SystemTime::now()),
            severity_number: SeverityNumber::Info.into(),
            severity_text: "INFO".to_owned(),
            body: value(name.as_str()),
            attributes: attributes.collect(),
            event_name: name,
            ..LogRecord::default()
        }
    };
    let log_records = events.iter().map(record).collect();
    let scope_logs = vec![ScopeLogs { scope: scope(), log_records, ..ScopeLogs::default() }];
    ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs { resource: resource(), scope_logs, ..ResourceLogs::default() }],
    }
}

fn labels(pairs: &[LabelPair]) -> Vec<KeyValue> {
    pairs.iter().map(|pair| attribute(pair.name(), pair.value())).collect()
}

/// Metrics as they are counted for Prometheus, since the proxy began.
pub(super) fn metrics(families: &[MetricFamily], began: SystemTime) -> ExportMetricsServiceRequest {
    let (start_time_unix_nano, time_unix_nano) = (nanos(began), nanos(SystemTime::now()));
    let point = |pairs: &[LabelPair], number: f64| NumberDataPoint {
        attributes: labels(pairs),
        start_time_unix_nano,
        time_unix_nano,
        value: Some(number_data_point::Value::AsDouble(number)),
        ..NumberDataPoint::default()
    };
    let cumulative = AggregationTemporality::Cumulative.into();
    let one = |family: &MetricFamily| {
        let each = family.get_metric();
        let data = match family.get_field_type() {
            MetricType::COUNTER => metric::Data::Sum(Sum {
                data_points: each.iter().map(|m| point(m.get_label(), m.get_counter().get_value())).collect(),
                aggregation_temporality: cumulative,
                is_monotonic: true,
            }),
            MetricType::GAUGE => metric::Data::Gauge(Gauge {
                data_points: each.iter().map(|m| point(m.get_label(), m.get_gauge().get_value())).collect(),
            }),
            MetricType::HISTOGRAM => {
                let data_points = each.iter().map(|m| {
                    let histogram = m.get_histogram();
                    let mut below = 0;
                    let (mut explicit_bounds, mut bucket_counts) = (Vec::new(), Vec::new());
                    for bucket in histogram.get_bucket() {
                        let count = bucket.cumulative_count();
                        bucket_counts.push(count.saturating_sub(below));
                        below = count;
                        if bucket.upper_bound().is_finite() {
                            explicit_bounds.push(bucket.upper_bound());
                        }
                    }
                    if bucket_counts.len() == explicit_bounds.len() {
                        bucket_counts.push(histogram.get_sample_count().saturating_sub(below));
                    }
                    HistogramDataPoint {
                        attributes: labels(m.get_label()),
                        start_time_unix_nano,
                        time_unix_nano,
                        count: histogram.get_sample_count(),
                        sum: Some(histogram.get_sample_sum()),
                        bucket_counts,
                        explicit_bounds,
                        ..HistogramDataPoint::default()
                    }
                });
                let data_points = data_points.collect();
                metric::Data::Histogram(Histogram { data_points, aggregation_temporality: cumulative })
            }
            _ => return None,
        };
        Some(Metric {
            name: family.name().to_owned(),
            description: family.help().to_owned(),
            data: Some(data),
            ..Metric::default()
        })
    };
    let metrics = families.iter().filter_map(one).collect();
    let scope_metrics = vec![ScopeMetrics { scope: scope(), metrics, ..ScopeMetrics::default() }];
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: resource(),
            scope_metrics,
            ..ResourceMetrics::default()
        }],
    }
}
