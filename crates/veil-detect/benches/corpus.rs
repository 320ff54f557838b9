//! Measures the detector on a labelled corpus: `cargo bench -p veil-detect --bench corpus -- DIRECTORY`, with `columns.jsonl` and `values.jsonl` in it.
//!
//! Precision, recall and F1 of each class, by how the columns are named; false positives on what is not personal; how far confidence is from truth; values one by
//! one; and how many values a second the finder passes over. With `--wrong` it shows each column that was told wrongly; it ends with 1 where an aim is missed.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a benchmark"
)]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::io::Write;
use std::time::Instant;

use serde::Deserialize;
use veil_detect::{Care, Column, Detector, Entity, Finder, Finding, Key, Kind};
use veil_model::find::Find;

#[derive(Deserialize)]
struct Labelled {
    id: String,
    class: Option<String>,
    paths: Option<BTreeMap<String, Option<String>>>,
    naming: String,
    told_by: String,
    table: String,
    column: String,
    r#type: String,
    comment: Option<String>,
    key: String,
    neighbours: Vec<String>,
    values: Vec<Option<String>>,
    /// Other labels that would be right as well.
    #[serde(default)]
    accept: Vec<Option<String>>,
}

#[derive(Deserialize)]
struct LabelledValue {
    class: String,
    value: String,
    valid: bool,
}

/// Of a class: found rightly, found where it is not, not found.
#[derive(Clone, Copy, Default)]
struct Tally {
    hits: u32,
    wrong: u32,
    missed: u32,
}

impl Tally {
    fn precision(self) -> f64 {
        share(self.hits, self.hits + self.wrong)
    }

    fn recall(self) -> f64 {
        share(self.hits, self.hits + self.missed)
    }

    fn f1(self) -> f64 {
        share(2 * self.hits, 2 * self.hits + self.wrong + self.missed)
    }
}

fn share(part: u32, of: u32) -> f64 {
    if of == 0 { 1.0 } else { f64::from(part) / f64::from(of) }
}

/// What is measured of the columns that are named alike.
#[derive(Default)]
struct Measured {
    /// By class; `true` for those that only a name can tell.
    tallies: BTreeMap<String, Tally>,
    negatives: u32,
    false_positives: u32,
    /// By tenths of confidence: how many, how many of them right, the sum of confidences.
    bins: [(u32, u32, f64); 10],
}

impl Measured {
    fn macro_f1(&self) -> f64 {
        let scores = self
            .tallies
            .iter()
            .filter(|(_, tally)| tally.hits + tally.missed > 0)
            .map(|(_, tally)| tally.f1());
        let scores: Vec<f64> = scores.collect();
        scores.iter().sum::<f64>() / f64::from(u32::try_from(scores.len().max(1)).unwrap_or(1))
    }

    fn calibration_error(&self) -> f64 {
        let all: u32 = self.bins.iter().map(|(count, ..)| count).sum();
        let off = self
            .bins
            .iter()
            .filter(|(count, ..)| *count > 0)
            .map(|(count, right, sum)| (sum - f64::from(*right)).abs().min(f64::from(*count)));
        off.sum::<f64>() / f64::from(all.max(1))
    }
}

fn main() -> std::process::ExitCode {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let Some(directory) = arguments.next() else {
        eprintln!("which directory has columns.jsonl and values.jsonl?");
        return 2.into();
    };
    let shows_wrong = arguments.any(|argument| argument == "--wrong");
    let mut out = std::io::stdout().lock();
    let told = measure(&directory, shows_wrong, &mut out);
    let speed = measure_speed(&mut out);
    u8::from(!(told && speed)).into()
}

/// Whether columns and values are told as well as they should be.
pub fn measure(directory: &str, shows_wrong: bool, out: &mut impl Write) -> bool {
    let detector = Detector::new();
    let columns = measure_columns(&detector, directory, shows_wrong, out);
    measure_values(&detector, directory, out) && columns
}

fn lines<T: for<'a> Deserialize<'a>>(directory: &str, file: &str) -> Vec<T> {
    let text = std::fs::read_to_string(format!("{directory}/{file}")).unwrap_or_default();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|fault| panic!("{file}: {fault}: {line:.200}")))
        .collect()
}

fn find(detector: &Detector, labelled: &Labelled) -> Vec<Finding> {
    let samples: Vec<&str> = labelled.values.iter().flatten().map(String::as_str).collect();
    let neighbours: Vec<&str> = labelled.neighbours.iter().map(String::as_str).collect();
    detector.column(&Column {
        table: &labelled.table,
        name: &labelled.column,
        kind: Kind::of_type(&labelled.r#type),
        comment: labelled.comment.as_deref(),
        key: match labelled.key.as_str() {
            "primary" => Key::Primary,
            "foreign" => Key::Foreign,
            "unique" => Key::Unique,
            _ => Key::None,
        },
        neighbours: &neighbours,
        samples: &samples,
        year: 2026,
    })
}

/// What is there, and what was found with which confidence.
type Pair = (Option<String>, Option<(String, f64)>);

/// Pairs of what is there and what was found, with the confidence; documents give one for each path.
fn pairs(labelled: &Labelled, findings: &[Finding]) -> Vec<Pair> {
    let told = |finding: &Finding| (finding.class.id().to_owned(), finding.confidence);
    let Some(paths) = &labelled.paths else {
        let found = findings.iter().max_by(|a, b| a.confidence.total_cmp(&b.confidence)).map(told);
        let accepted = |label: &&Option<String>| label.as_ref() == found.as_ref().map(|(class, _)| class);
        let label = labelled.accept.iter().find(accepted).unwrap_or(&labelled.class);
        return vec![(label.clone(), found)];
    };
    let label =
        |path: &str| paths.iter().find(|(known, _)| *known == path).and_then(|(_, class)| class.clone());
    let wanted = paths.iter().map(|(path, class)| {
        let found = findings.iter().find(|finding| finding.path.as_ref() == Some(path));
        (class.clone(), found.map(told))
    });
    let others =
        findings.iter().filter(|finding| finding.path.as_ref().is_none_or(|path| !paths.contains_key(path)));
    let others =
        others.map(|finding| (label(finding.path.as_deref().unwrap_or_default()), Some(told(finding))));
    wanted.chain(others).collect()
}

fn measure_columns(detector: &Detector, directory: &str, shows_wrong: bool, out: &mut impl Write) -> bool {
    let mut measured: BTreeMap<String, Measured> = BTreeMap::new();
    let start = Instant::now();
    let columns: Vec<Labelled> = lines(directory, "columns.jsonl");
    let cells: usize = columns.iter().map(|column| column.values.len()).sum();
    for labelled in &columns {
        let findings = find(detector, labelled);
        for (label, found) in pairs(labelled, &findings) {
            // What only the name could have told is not asked of a name that says nothing.
            let asked = labelled.naming != "cryptic"
                || labelled.told_by != "name"
                || labelled.comment.is_some()
                || label.is_none();
            if !asked {
                continue;
            }
            let class = found.as_ref().map(|(class, _)| class.clone());
            let right = class == label;
            let of = measured.entry(labelled.naming.clone()).or_default();
            if shows_wrong && !right {
                let values: Vec<&str> =
                    labelled.values.iter().flatten().map(String::as_str).take(4).collect();
                let _ = writeln!(
                    out,
                    "WRONG {} {}.{} {}: is {label:?}, found {found:?} {:.160}",
                    labelled.id,
                    labelled.table,
                    labelled.column,
                    labelled.r#type,
                    format!("{values:?}")
                );
            }
            if let Some(label) = &label {
                let tally = of.tallies.entry(label.clone()).or_default();
                if right { tally.hits += 1 } else { tally.missed += 1 }
            } else {
                of.negatives += 1;
                of.false_positives += u32::from(class.is_some());
            }
            if let Some((class, confidence)) = found {
                if !right {
                    of.tallies.entry(class).or_default().wrong += 1;
                }
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 9")]
                let bin = &mut of.bins[((confidence * 10.0) as usize).min(9)];
                *bin = (bin.0 + 1, bin.1 + u32::from(right), bin.2 + confidence);
            }
        }
    }
    let _ =
        writeln!(out, "{} columns, {cells} cells, read and told in {:.1?}", columns.len(), start.elapsed());
    let mut fits = true;
    for (naming, of) in &measured {
        let _ = writeln!(out, "\n{naming} names      precision  recall      F1   columns");
        for (class, tally) in &of.tallies {
            let _ = writeln!(
                out,
                "{class:<18} {:>9.3} {:>7.3} {:>7.3} {:>9}",
                tally.precision(),
                tally.recall(),
                tally.f1(),
                tally.hits + tally.missed
            );
        }
        let (f1, error, false_positives) =
            (of.macro_f1(), of.calibration_error(), share(of.false_positives, of.negatives));
        let (f1_min, false_max) = if naming == "cryptic" { (0.85, 0.05) } else { (0.95, 0.02) };
        let _ = writeln!(
            out,
            "macro F1 {f1:.3} (aim {f1_min}); false positives {:.2} % of {} (aim {} %); calibration error {error:.3} (aim 0.05)",
            100.0 * false_positives,
            of.negatives,
            100.0 * false_max
        );
        fits &= f1 >= f1_min && false_positives <= false_max && error <= 0.05;
    }
    fits
}

/// Each value as a column would have it: is it told to be of its class?
fn measure_values(detector: &Detector, directory: &str, out: &mut impl Write) -> bool {
    let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
    for labelled in lines::<LabelledValue>(directory, "values.jsonl") {
        let found = detector.is_valid(&labelled.class, &labelled.value);
        let tally = tallies.entry(labelled.class).or_default();
        match (found, labelled.valid) {
            (true, true) => tally.hits += 1,
            (true, false) => tally.wrong += 1,
            (false, true) => tally.missed += 1,
            (false, false) => {}
        }
    }
    let _ = writeln!(out, "\nvalues of           precision  recall");
    let mut fits = true;
    for (class, tally) in &tallies {
        let (precision, recall) = (tally.precision(), tally.recall());
        let _ = writeln!(out, "{class:<24} {precision:>6.3} {recall:>7.3}");
        fits &= precision >= 0.99 && recall >= 0.99;
    }
    fits
}

/// The finder on texts in which nothing is, as most cells are.
fn measure_speed(out: &mut impl Write) -> bool {
    let finder = Finder::new(Entity::CERTAIN, Care::Likely);
    let texts = [
        "Blue ceramic mug, 350 ml",
        "shipped",
        "2024-05-01 12:00:00",
        "SKU-2231-BL",
        "The delivery arrived on time and the box was intact.",
        "4f1c2a9e-77b1-4b52-9d8e-0a6b1c9d3e2f",
        "en_US",
        "1234.50",
    ];
    let (found, rate) = rate(&finder, &texts);
    let _ = writeln!(
        out,
        "\nfinder, nothing found ({found}): {:.2} million values a second on one core (aim 2)",
        rate / 1e6
    );
    let mixed = [&texts[..], &["jane.roe@example.org", "+49 30 1234567", "4111 1111 1111 1111"]].concat();
    let (_, mixed) = self::rate(&finder, &mixed);
    let _ = writeln!(out, "finder, something in 3 of 11: {:.3} us a value (aim 0.5)", 1e6 / mixed);
    found == 0 && rate >= 2e6 && mixed >= 2e6
}

/// How many values are found, and texts passed over in a second.
fn rate(finder: &Finder, texts: &[&str]) -> (usize, f64) {
    let (rounds, mut found, mut spans) = (500_000, 0, Vec::new());
    let start = Instant::now();
    for _ in 0..rounds {
        for text in texts {
            finder.find(black_box(text), &mut spans);
            found += spans.len();
            spans.clear();
        }
    }
    let count: f64 = texts.iter().map(|_| f64::from(rounds)).sum();
    (found, count / start.elapsed().as_secs_f64())
}
