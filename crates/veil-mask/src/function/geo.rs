//! `geo`: the middle of the square of a grid in which a coordinate lies. Degrees of longitude are taken for as long as those of latitude,
//! which makes squares narrower far from the equator.
//!
//! Not keyed, and not random: noise would average out.

use super::{At, Mask, fitted, redacted};
use crate::number::Number;

#[derive(Debug)]
pub(crate) struct Geo {
    /// The side of a square in metres.
    pub(crate) grid_m: u32,
}

/// Metres of a degree of latitude.
const DEGREE_M: f64 = 111_320.0;

/// Digits of a degree that are shown: a decimetre.
const DIGITS: i32 = 6;

impl Mask for Geo {
    fn float(&self, _at: &At<'_>, degrees: f64) -> Option<f64> {
        is_degrees(degrees).then(|| self.snapped(degrees))
    }

    fn point(&self, _at: &At<'_>, point: [f64; 2]) -> Option<[f64; 2]> {
        point.iter().all(|degrees| is_degrees(*degrees)).then(|| point.map(|degrees| self.snapped(degrees)))
    }

    /// In steps of the digits that the number shows; fewer than make up a square have no mask.
    #[allow(clippy::cast_possible_truncation, reason = "a step is below 10^38")]
    fn number(&self, at: &At<'_>, number: &Number) -> Option<Number> {
        let (number, scale) = number.scaled()?;
        let step = (self.step() * 10f64.powi(scale.into())).round() as i128;
        let whole = 360 * 10i128.checked_pow(scale.into())?;
        if step < 2 || step > whole || number.abs() > whole {
            return None;
        }
        Number::of_scaled(at.kind, number.div_euclid(step) * step + step / 2, scale)
    }

    /// Two numbers with a comma between, perhaps in parentheses.
    fn text(&self, at: &At<'_>, text: &str, out: &mut Vec<u8>) -> Option<()> {
        let inside = text.trim().trim_start_matches('(').trim_end_matches(')');
        let read = |part: &str| part.trim().parse().ok().filter(|degrees| is_degrees(*degrees));
        let snapped: Option<Vec<String>> = inside
            .split(',')
            .map(|part| read(part).map(|degrees| self.snapped(degrees).to_string()))
            .collect();
        match snapped {
            Some(snapped) if snapped.len() <= 2 => {
                let start = out.len();
                let [open, close] = if text.contains('(') { ["(", ")"] } else { ["", ""] };
                out.extend(format!("{open}{}{close}", snapped.join(",")).as_bytes());
                fitted(at, start, out)
            }
            _ => redacted(at, out),
        }
    }
}

/// Lengths in metres and the like have no squares here.
fn is_degrees(number: f64) -> bool {
    number.abs() <= 360.0
}

impl Geo {
    fn step(&self) -> f64 {
        f64::from(self.grid_m) / DEGREE_M
    }

    fn snapped(&self, degrees: f64) -> f64 {
        let step = self.step();
        let middle = (degrees / step).floor() * step + step / 2.0;
        let unit = 10f64.powi(DIGITS);
        (middle * unit).round() / unit
    }
}
