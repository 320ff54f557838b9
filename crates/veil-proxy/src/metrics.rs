//! What is counted and measured, in Prometheus' terms. Labels have few values, none of which a client chooses.

use prometheus::process_collector::ProcessCollector;
use prometheus::{Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry};

use crate::proxy::Protocol;

/// Answers take from tens of microseconds to minutes.
const TOOK: [f64; 16] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 120.0];
/// The proxy's own part, from a microsecond on.
const WORKED: [f64; 14] =
    [1e-6, 2.5e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 1e-2, 0.1, 1.0];

/// The counters of the data plane.
pub struct Metrics {
    /// All that is known of the process.
    pub registry: Registry,
    /// Sessions that have begun, by protocol and scope.
    pub sessions: IntCounterVec,
    /// Clients who have not been let in, by protocol and reason.
    pub rejected: IntCounterVec,
    /// Sessions that began to keep a shared connection, by the reason.
    pub pins: IntCounterVec,
    /// Statements that have ended, by protocol, operation and verdict.
    pub statements: IntCounterVec,
    /// Statements that have failed, by protocol.
    pub failed: IntCounterVec,
    took: HistogramVec,
    worked: HistogramVec,
    rows: IntCounterVec,
    /// Fields that have been masked, by strategy.
    pub masked: IntCounterVec,
    /// Values that a function could not mask, and that are NULL.
    pub unmaskable: IntCounter,
    /// Values that were found in columns on which there is no rule, and replaced.
    pub unclassified: IntCounter,
    /// Planted values that were read.
    pub canaries: IntCounter,
    bytes: IntCounterVec,
    /// Statements that no span was sent of, because too many waited.
    pub spans_dropped: IntCounter,
    reloads: IntCounterVec,
}

/// The counters of one session.
pub struct OfSession {
    /// From statement to answer.
    pub took: Histogram,
    /// The proxy's part of that.
    pub worked: Histogram,
    /// Rows of results.
    pub rows: IntCounter,
    /// Bytes that have come from the client.
    pub received: IntCounter,
    /// Bytes that have come from the server.
    pub answered: IntCounter,
}

impl Default for Metrics {
    fn default() -> Self {
        let registry = Registry::new();
        // Where the system has no /proc there are none.
        let _ = registry.register(Box::new(ProcessCollector::for_self()));
        let counter = |name: &str, help: &str| register(&registry, IntCounter::new(name, help));
        let counters = |name: &str, help: &str, labels: &[&str]| {
            register(&registry, IntCounterVec::new(Opts::new(name, help), labels))
        };
        let histogram = |name: &str, help: &str, buckets: &[f64]| {
            let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
            register(&registry, HistogramVec::new(options, &["protocol"]))
        };
        Self {
            sessions: counters(
                "ironveil_sessions_total",
                "Sessions that have begun.",
                &["protocol", "scope"],
            ),
            pins: counters(
                "ironveil_pool_pins_total",
                "Sessions that began to keep a connection that was shared.",
                &["reason"],
            ),
            rejected: counters(
                "ironveil_sessions_rejected_total",
                "Clients that were not let in.",
                &["protocol", "reason"],
            ),
            statements: counters(
                "ironveil_statements_total",
                "Statements that have ended.",
                &["protocol", "operation", "verdict"],
            ),
            failed: counters(
                "ironveil_statement_errors_total",
                "Statements that have failed on the server.",
                &["protocol"],
            ),
            took: histogram(
                "ironveil_statement_duration_seconds",
                "From a statement to the end of its answer.",
                &TOOK,
            ),
            worked: histogram(
                "ironveil_proxy_duration_seconds",
                "What the proxy itself added to a statement: reading, judging and masking.",
                &WORKED,
            ),
            rows: counters("ironveil_rows_total", "Rows of results.", &["protocol"]),
            masked: counters(
                "ironveil_fields_masked_total",
                "Fields of results that were masked, by strategy; \"closed\" for those that are NULL because of what they are made from.",
                &["strategy"],
            ),
            unmaskable: counter(
                "ironveil_mask_failures_total",
                "Values that the function of their rule could not mask, and that were NULL instead.",
            ),
            unclassified: counter(
                "ironveil_unclassified_redactions_total",
                "Values that were found in columns on which there is no rule, and replaced.",
            ),
            canaries: counter("ironveil_canaries_read_total", "Planted values that were read."),
            bytes: counters("ironveil_received_bytes_total", "Bytes received.", &["protocol", "from"]),
            reloads: counters(
                "ironveil_config_reloads_total",
                "How often the configuration was read again.",
                &["result"],
            ),
            spans_dropped: counter(
                "ironveil_spans_dropped_total",
                "Statements that no span was sent of, because too many waited.",
            ),
            registry,
        }
    }
}

impl Metrics {
    /// Those of a session.
    pub(crate) fn of_session(&self, protocol: Protocol) -> OfSession {
        let protocol = protocol.name();
        OfSession {
            took: self.took.with_label_values(&[protocol]),
            worked: self.worked.with_label_values(&[protocol]),
            rows: self.rows.with_label_values(&[protocol]),
            received: self.bytes.with_label_values(&[protocol, "client"]),
            answered: self.bytes.with_label_values(&[protocol, "server"]),
        }
    }

    /// The configuration was read again, and could be used or not.
    pub fn reload(&self, used: bool) {
        self.reloads.with_label_values(&[if used { "success" } else { "failure" }]).inc();
    }

    /// A client has not been let in, for what this SQLSTATE says.
    pub(crate) fn reject(&self, protocol: Protocol, code: Option<&str>) {
        let reason = match code {
            None => "server",
            Some("53300") => "limit",
            Some("28000" | "28P01" | "28030") => "authentication",
            Some("3D000") => "database",
            Some(code) if code.starts_with("08") => "connection",
            Some(_) => "other",
        };
        self.rejected.with_label_values(&[protocol.name(), reason]).inc();
    }
}

/// Adds to a registry. What is wrong with a name is found by the first test that runs.
fn register<C: prometheus::core::Collector + Clone + 'static>(
    registry: &Registry,
    made: prometheus::Result<C>,
) -> C {
    #[expect(clippy::expect_used, reason = "names are constants")]
    let made = made.expect("a metric has a name that Prometheus knows");
    #[expect(clippy::expect_used, reason = "names are constants")]
    registry.register(Box::new(made.clone())).expect("a metric is registered once");
    made
}
