//! What was measured, as a table: medians over rounds, and ratios to one contender in the same round.

use std::collections::BTreeMap;

/// A measurement.
pub struct Table {
    name: String,
    columns: Vec<String>,
    /// In the order in which they came.
    contenders: Vec<String>,
    /// By contender and column, one for each round.
    values: BTreeMap<(String, usize), Vec<f64>>,
}

impl Table {
    pub fn new(name: &str, columns: &[&str]) -> Self {
        let columns = columns.iter().map(|&column| column.to_owned()).collect();
        Self { name: name.to_owned(), columns, contenders: Vec::new(), values: BTreeMap::new() }
    }

    pub fn add<const N: usize>(&mut self, contender: &str, values: [Option<f64>; N]) {
        if !self.contenders.iter().any(|known| known == contender) {
            self.contenders.push(contender.to_owned());
        }
        for (at, value) in values.into_iter().enumerate() {
            if let Some(value) = value {
                self.values.entry((contender.to_owned(), at)).or_default().push(value);
            }
        }
    }

    /// Prints it, with the first column as a ratio to `base`.
    pub fn print(&self, base: &str) {
        println!("\n### {}\n", self.name);
        println!("| | {} | of {base} |", self.columns.join(" | "));
        println!("|---|{}", "---:|".repeat(self.columns.len() + 1));
        let none = Vec::new();
        let of = |contender: &str, at: usize| self.values.get(&(contender.to_owned(), at)).unwrap_or(&none);
        for contender in &self.contenders {
            let cells = (0..self.columns.len()).map(|at| shown(of(contender, at)));
            let ratios: Vec<f64> =
                of(contender, 0).iter().zip(of(base, 0)).map(|(one, base)| one / base).collect();
            let spread =
                match (ratios.iter().copied().reduce(f64::min), ratios.iter().copied().reduce(f64::max)) {
                    (Some(least), Some(most)) => format!("{:.2} ({least:.2} to {most:.2})", median(&ratios)),
                    _ => String::new(),
                };
            println!("| {contender} | {} | {spread} |", cells.collect::<Vec<_>>().join(" | "));
        }
    }
}

fn shown(values: &[f64]) -> String {
    match values {
        [] => "-".to_owned(),
        _ => match median(values) {
            large if large >= 100.0 => format!("{large:.0}"),
            small => format!("{small:.3}"),
        },
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}
