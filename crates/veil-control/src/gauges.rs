//! Metrics of the moment: what is not counted where it happens is asked for when somebody wants to know.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use prometheus::core::Collector;
use prometheus::proto::MetricFamily;
use prometheus::{CounterVec, Gauge, GaugeVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts};
use veil_proxy::pool::Standing;
use veil_proxy::sessions::Activity;
use veil_proxy::upstreams::{Circuit, Health};
use veil_proxy::{Protocol, Proxy};
use veil_store::SharedStore;

use crate::{Audit, Drift, Operations};

/// What metrics are made of.
pub struct Observed {
    /// The proxy.
    pub proxy: Arc<Proxy>,
    /// What may be done with it.
    pub operations: Arc<dyn Operations>,
    /// The rules and keys, if they are kept somewhere.
    pub store: Option<SharedStore>,
    /// Who did what.
    pub audit: Arc<Audit>,
    /// When it began.
    pub began: Instant,
}

impl Observed {
    /// The servers, each once.
    pub(crate) fn upstreams(&self) -> Vec<Health> {
        let targets = self.proxy.targets();
        let mut found: Vec<Health> =
            targets.iter().filter_map(|(_, target)| self.proxy.upstreams.health(target)).collect();
        found.sort_by(|a, b| (&a.host, a.port).cmp(&(&b.host, b.port)));
        found.dedup_by(|a, b| (&a.host, a.port) == (&b.host, b.port));
        found
    }

    /// All metrics, as they are now.
    #[must_use]
    pub fn families(&self) -> Vec<MetricFamily> {
        families(self)
    }
}

fn families(api: &Observed) -> Vec<MetricFamily> {
    let proxy = &api.proxy;
    let mut found = proxy.telemetry.metrics.registry.gather();
    let mut add = |made: prometheus::Result<Box<dyn Collector>>| {
        found.extend(made.iter().flat_map(|collector| collector.collect()));
    };
    add(info());
    add(sessions(api));
    let upstreams = api.upstreams();
    for (name, help, value) in [
        ("ironveil_upstream_up", "Whether the server was reached when it was tried last.", 0),
        (
            "ironveil_upstream_circuit_open",
            "Whether the server is left alone for a while, because it failed.",
            1,
        ),
        ("ironveil_upstream_standby", "Whether the server is a standby.", 2),
    ] {
        add(IntGaugeVec::new(Opts::new(name, help), &["host", "port"]).map(|gauges| {
            for health in &upstreams {
                let value = match value {
                    0 => health.reached != Some(false),
                    1 => health.circuit != Circuit::Closed,
                    _ => health.standby == Some(true),
                };
                gauges.with_label_values(&[health.host.as_str(), &health.port.to_string()]).set(value.into());
            }
            Box::new(gauges) as _
        }));
    }
    let help = "How long the server took to answer when it was tried last.";
    add(GaugeVec::new(Opts::new("ironveil_upstream_latency_seconds", help), &["host", "port"]).map(
        |gauges| {
            for health in &upstreams {
                let labels = [health.host.as_str(), &health.port.to_string()];
                gauges.with_label_values(&labels).set(health.latency.as_secs_f64());
            }
            Box::new(gauges) as _
        },
    ));
    let (audit, events) = (&api.audit, &proxy.events);
    for (name, help, count) in [
        (
            "ironveil_session_panics_total",
            "Sessions that ended by a bug.",
            proxy.counters.panics.load(Ordering::Relaxed),
        ),
        (
            "ironveil_audit_events_total",
            "Events that are in the audit.",
            audit.written.load(Ordering::Relaxed),
        ),
        (
            "ironveil_audit_failures_total",
            "Events that could not be written.",
            audit.failed.load(Ordering::Relaxed),
        ),
        (
            "ironveil_audit_dropped_total",
            "Events that were dropped because too many waited.",
            events.dropped(),
        ),
        (
            "ironveil_audit_syslog_unsent_total",
            "Events that the syslog receiver did not take.",
            audit.unsent(),
        ),
    ] {
        add(IntCounter::new(name, help).map(|counter| {
            counter.inc_by(count);
            Box::new(counter) as _
        }));
    }
    add(caches(api));
    pools(api, &mut add);
    scans(api, &mut add);
    let reload = api.operations.last_reload();
    for (name, help, value) in [
        (
            "ironveil_audit_queue_events",
            "Events that wait to be written to the audit.",
            signed(events.waiting()),
        ),
        (
            "ironveil_config_reload_success",
            "Whether the configuration could be used when it was read last.",
            reload.is_none_or(|reload| reload.faults.is_empty()).into(),
        ),
        (
            "ironveil_store_up",
            "Whether the store of rules and keys can be used.",
            api.store.as_ref().is_none_or(|store| store.watch().borrow().lost.is_none()).into(),
        ),
    ] {
        add(IntGauge::new(name, help).map(|gauge| {
            gauge.set(value);
            Box::new(gauge) as _
        }));
    }
    add(Gauge::new("ironveil_uptime_seconds", "How long the proxy has run.").map(|gauge| {
        gauge.set(api.began.elapsed().as_secs_f64());
        Box::new(gauge) as _
    }));
    found.sort_by(|a, b| a.name().cmp(b.name()));
    found
}

fn info() -> prometheus::Result<Box<dyn Collector>> {
    let gauges =
        IntGaugeVec::new(Opts::new("ironveil_build_info", "What runs; always 1."), &["version", "revision"])?;
    let revision = option_env!("IRONVEIL_REVISION").unwrap_or("unknown");
    gauges.with_label_values(&[env!("CARGO_PKG_VERSION"), revision]).set(1);
    Ok(Box::new(gauges))
}

fn sessions(api: &Observed) -> prometheus::Result<Box<dyn Collector>> {
    let gauges =
        IntGaugeVec::new(Opts::new("ironveil_sessions", "Sessions that run."), &["protocol", "state"])?;
    for protocol in [Protocol::Pg, Protocol::MySql] {
        for state in ["running", "idle", "in_transaction"] {
            gauges.with_label_values(&[protocol.name(), state]).set(0);
        }
    }
    for seat in api.proxy.sessions.list() {
        let state = match seat.activity().0 {
            Activity::Running => "running",
            Activity::Idle => "idle",
            Activity::InTransaction => "in_transaction",
        };
        gauges.with_label_values(&[seat.protocol.name(), state]).inc();
    }
    Ok(Box::new(gauges))
}

/// Connections that clients share.
fn pools(api: &Observed, add: &mut impl FnMut(prometheus::Result<Box<dyn Collector>>)) {
    let pools = api.proxy.pools();
    // A metric without values cannot be written.
    if pools.is_empty() {
        return;
    }
    let labels = |pool: &Standing| [pool.key.route.clone(), pool.key.database.clone(), pool.key.user.clone()];
    let names = ["entry", "database", "user"];
    let of = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let values = [
        ("ironveil_pool_idle_connections", "Shared connections that wait for a client.", 0),
        ("ironveil_pool_used_connections", "Shared connections that serve one.", 1),
        ("ironveil_pool_waiting_clients", "Clients that wait for a shared connection.", 2),
        ("ironveil_pool_size", "Most shared connections that there may be.", 3),
    ];
    for (name, help, at) in values {
        add(IntGaugeVec::new(Opts::new(name, help), &names).map(|gauges| {
            for pool in &pools {
                let Standing { idle, used, waiting, size, .. } = pool;
                let value = [*idle, *used, *waiting, *size as usize].get(at).copied();
                gauges.with_label_values(&labels(pool)).set(of(value.unwrap_or_default()));
            }
            Box::new(gauges) as _
        }));
    }
    let counts = [
        ("ironveil_pool_connections_made_total", "Shared connections that have been made."),
        ("ironveil_pool_leases_total", "Times that a client was given a shared connection."),
        ("ironveil_pool_connections_spoilt_total", "Shared connections that could not be given on."),
        ("ironveil_pool_waits_failed_total", "Clients that waited for a shared connection in vain."),
    ];
    for (at, (name, help)) in counts.into_iter().enumerate() {
        add(IntCounterVec::new(Opts::new(name, help), &names).map(|counters| {
            for pool in &pools {
                let count = pool.counted.get(at).copied().unwrap_or_default();
                counters.with_label_values(&labels(pool)).inc_by(count);
            }
            Box::new(counters) as _
        }));
    }
    let help = "How long clients have waited for shared connections, summed up.";
    add(CounterVec::new(Opts::new("ironveil_pool_wait_seconds_total", help), &names).map(|counters| {
        pools
            .iter()
            .for_each(|pool| counters.with_label_values(&labels(pool)).inc_by(pool.waited.as_secs_f64()));
        Box::new(counters) as _
    }));
}

fn caches(api: &Observed) -> prometheus::Result<Box<dyn Collector>> {
    let help = "Texts of statements that were looked up among those that have been analysed.";
    let counters =
        IntCounterVec::new(Opts::new("ironveil_analysis_cache_total", help), &["protocol", "result"])?;
    for (protocol, (hits, misses)) in api.proxy.analysed() {
        counters.with_label_values(&[protocol.name(), "hit"]).inc_by(hits);
        counters.with_label_values(&[protocol.name(), "miss"]).inc_by(misses);
    }
    Ok(Box::new(counters))
}

/// What of the newest scans no rule protects.
fn scans(api: &Observed, add: &mut impl FnMut(prometheus::Result<Box<dyn Collector>>)) {
    let drifts = api.operations.drifts();
    // A metric without values cannot be written.
    if drifts.is_empty() {
        return;
    }
    let mut gauge = |name, help, value: fn(&Drift) -> i64| {
        add(IntGaugeVec::new(Opts::new(name, help), &["protocol", "database"]).map(|gauges| {
            for drift in &drifts {
                gauges.with_label_values(&[drift.protocol, drift.database.as_str()]).set(value(drift));
            }
            Box::new(gauges) as _
        }));
    };
    let help = "Columns that the newest scan has found and no rule protects.";
    gauge("ironveil_scan_unprotected_columns", help, |drift| signed(drift.unprotected));
    let help = "Of these, columns that had come since the scan before.";
    gauge("ironveil_scan_drifted_columns", help, |drift| signed(drift.drifted));
    gauge("ironveil_scan_ended_timestamp_seconds", "When the newest scan ended.", |drift| drift.ended);
}

fn signed(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
