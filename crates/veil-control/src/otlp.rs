//! Traces, metrics and events to an OpenTelemetry collector (OTLP), by gRPC or HTTP.
//!
//! Decision: the messages are made from what the proxy counts and tells anyhow, by the types of OTLP's own definitions. So there is one source for Prometheus and
//! OTLP, and no second set of counters on the way of a statement.

mod convert;
mod send;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use prometheus::proto::MetricFamily;
use serde_json::Value;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc, oneshot};
use veil_model::Sensitive;
use veil_proxy::statements::Ended;

use send::{Collector, Payload};

/// Where things are sent, and what.
#[derive(Clone)]
pub struct OtlpSettings {
    /// The collector, as `http://127.0.0.1:4317`.
    pub endpoint: String,
    /// By HTTP rather than gRPC.
    pub http: bool,
    /// Sent along.
    pub headers: Vec<(String, Sensitive<String>)>,
    /// A span for each statement.
    pub traces: bool,
    /// Of so many statements that no trace has been begun for, from 0 to 1.
    pub sample_ratio: f64,
    /// The metrics, as often as this.
    pub metrics: Option<Duration>,
    /// What the audit is told.
    pub logs: bool,
}

/// Gathers all metrics.
pub type Gather = Arc<dyn Fn() -> Vec<MetricFamily> + Send + Sync>;

/// Spans that wait to be sent.
const WAITING_MAX: usize = 8192;
/// Spans and events that go together.
const BATCH: usize = 512;
/// What waits is sent so often.
const SEND_INTERVAL: Duration = Duration::from_secs(2);
/// At the end, the collector has so long to take what waits.
const GOODBYE: Duration = Duration::from_secs(3);

/// What sends.
pub struct Otlp {
    stop: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<()>,
    /// Where statements go; none if there are no traces.
    pub statements: Option<mpsc::Sender<Arc<Ended>>>,
}

impl Otlp {
    /// Begins to send.
    ///
    /// # Errors
    /// What is wrong with the address or a header.
    pub fn start(
        settings: OtlpSettings,
        gather: Gather,
        events: &broadcast::Sender<Arc<Value>>,
    ) -> Result<Self, String> {
        let collector = Collector::new(&settings)?;
        let (statements, spans) = mpsc::channel(WAITING_MAX);
        let events = settings.logs.then(|| events.subscribe());
        let (stop, stopped) = oneshot::channel();
        let traces = settings.traces;
        let sender = Sender { settings, collector, gather, spans, events, began: SystemTime::now() };
        let task = tokio::spawn(sender.run(stopped));
        Ok(Self { stop, task, statements: traces.then_some(statements) })
    }

    /// Sends what waits, and ends.
    pub async fn finish(self) {
        let _ = self.stop.send(());
        let _ = tokio::time::timeout(GOODBYE, self.task).await;
    }
}

struct Sender {
    settings: OtlpSettings,
    collector: Collector,
    gather: Gather,
    spans: mpsc::Receiver<Arc<Ended>>,
    events: Option<broadcast::Receiver<Arc<Value>>>,
    began: SystemTime,
}

impl Sender {
    async fn run(mut self, mut stopped: oneshot::Receiver<()>) {
        let mut beat = tokio::time::interval(SEND_INTERVAL);
        let every = self.settings.metrics;
        let mut measure = tokio::time::interval(every.unwrap_or(Duration::from_secs(3600)));
        let (mut spans, mut events) = (Vec::new(), Vec::new());
        loop {
            let ends = tokio::select! {
                Some(ended) = self.spans.recv() => {
                    spans.extend(convert::span(&ended, self.settings.sample_ratio));
                    false
                }
                event = next(&mut self.events) => {
                    events.extend(event);
                    false
                }
                _ = measure.tick(), if every.is_some() => {
                    self.send_metrics().await;
                    false
                }
                _ = beat.tick() => true,
                _ = &mut stopped => {
                    self.last(&mut spans, &mut events);
                    self.send(spans, events).await;
                    if every.is_some() {
                        self.send_metrics().await;
                    }
                    return;
                }
            };
            if ends || spans.len() >= BATCH || events.len() >= BATCH {
                self.send(std::mem::take(&mut spans), std::mem::take(&mut events)).await;
            }
        }
    }

    /// What was told of before the end.
    fn last(
        &mut self,
        spans: &mut Vec<opentelemetry_proto::tonic::trace::v1::Span>,
        events: &mut Vec<Arc<Value>>,
    ) {
        while let Ok(ended) = self.spans.try_recv() {
            spans.extend(convert::span(&ended, self.settings.sample_ratio));
        }
        while let Some(Ok(event)) = self.events.as_mut().map(broadcast::Receiver::try_recv) {
            events.push(event);
        }
    }

    async fn send(
        &mut self,
        spans: Vec<opentelemetry_proto::tonic::trace::v1::Span>,
        events: Vec<Arc<Value>>,
    ) {
        if !spans.is_empty() {
            self.collector.send(Payload::Traces(convert::traces(spans))).await;
        }
        if !events.is_empty() {
            self.collector.send(Payload::Logs(convert::logs(&events))).await;
        }
    }

    async fn send_metrics(&mut self) {
        let gather = Arc::clone(&self.gather);
        let Ok(families) = tokio::task::spawn_blocking(move || gather()).await else { return };
        self.collector.send(Payload::Metrics(convert::metrics(&families, self.began))).await;
    }
}

/// The next event; what came too fast is in the audit's file.
async fn next(events: &mut Option<broadcast::Receiver<Arc<Value>>>) -> Option<Arc<Value>> {
    let Some(receiver) = events else { return std::future::pending().await };
    match receiver.recv().await {
        Ok(event) => Some(event),
        Err(RecvError::Lagged(_)) => None,
        Err(RecvError::Closed) => {
            *events = None;
            None
        }
    }
}
