//! `number`: another number near the value: with keyed noise, rounded, or cut to a range.
//!
//! Noise depends on key and value, so that asking again does not average it out. Zero stays zero, the sign stays.

use super::{At, Mask};
use crate::key::Draws;
use crate::kind::Kind;
use crate::number::Number;

#[derive(Debug)]
pub(crate) struct NumberMask {
    pub(crate) mode: Mode,
    /// The greatest noise, in hundredths of the value.
    pub(crate) percent: u32,
    /// What numbers are rounded to a multiple of, and buckets begin with.
    pub(crate) step: i64,
    pub(crate) min: i64,
    pub(crate) max: i64,
}

/// What becomes of a number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Mode {
    Noise,
    Round,
    Bucket,
    Clamp,
}

choice!(Mode, "noise" => Noise, "round" => Round, "bucket" => Bucket, "clamp" => Clamp);

/// Noise has so many steps in either direction.
const NOISE_STEPS: i128 = 1 << 20;

/// Small numbers move by one to so many of their last digit.
const NOISE_LEAST: u64 = 5;

impl Mask for NumberMask {
    fn number(&self, at: &At<'_>, number: &Number) -> Option<Number> {
        let (value, scale) = number.scaled()?;
        let unit = 10i128.checked_pow(scale.into())?;
        let step = i128::from(self.step).checked_mul(unit)?;
        let half = step / 2;
        let masked = match self.mode {
            Mode::Noise => {
                let moved = self.moved(&mut number.feed(at.key.prf()).draws(), value)?;
                let other = value.checked_sub(moved)?;
                return Number::of_scaled(at.kind, value.checked_add(moved)?, scale)
                    .or_else(|| Number::of_scaled(at.kind, other, scale));
            }
            Mode::Round => value.checked_add(half)?.div_euclid(step).checked_mul(step)?,
            Mode::Bucket => value.div_euclid(step).checked_mul(step)?,
            Mode::Clamp => {
                let bound = |bound: i64| i128::from(bound).checked_mul(unit);
                value.clamp(bound(self.min)?, bound(self.max)?)
            }
        };
        Number::of_scaled(at.kind, masked, scale).or_else(|| self.nearest(at.kind, masked, scale))
    }

    #[allow(clippy::cast_precision_loss, reason = "a float is meant")]
    fn float(&self, at: &At<'_>, number: f64) -> Option<f64> {
        let step = self.step as f64;
        Some(match self.mode {
            Mode::Noise => {
                let noise = noise(&mut at.key.draws(&number.to_be_bytes()))? as f64 / NOISE_STEPS as f64;
                number + number * noise * f64::from(self.percent) / 100.0
            }
            Mode::Round => (number / step).round() * step,
            Mode::Bucket => (number / step).floor() * step,
            Mode::Clamp => number.clamp(self.min as f64, self.max as f64),
        })
        .filter(|masked: &f64| masked.is_finite())
    }
}

impl NumberMask {
    /// By how much noise moves a number, in units of its last digit: never by nothing, and not over zero.
    fn moved(&self, draws: &mut Draws, value: i128) -> Option<i128> {
        let noise = noise(draws)?;
        let range = value.checked_mul(self.percent.into())?;
        let least = i128::from(1 + draws.below(NOISE_LEAST));
        Some(match range.checked_mul(noise)? / (NOISE_STEPS * 100) {
            _ if value == 0 => 0,
            // The noise of a small number would have few values.
            _ if range.abs() / 100 < NOISE_LEAST.into() => {
                let back = noise < 0 && least < value.abs();
                if back { -least * value.signum() } else { least * value.signum() }
            }
            0 => noise.signum(),
            moved => moved,
        })
    }

    /// Rounding may leave the type: what is nearest below is taken then.
    fn nearest(&self, kind: Kind, masked: i128, scale: u16) -> Option<Number> {
        let step = i128::from(self.step).checked_mul(10i128.checked_pow(scale.into())?)?;
        match self.mode {
            Mode::Round => Number::of_scaled(kind, masked - step * masked.signum(), scale),
            Mode::Noise | Mode::Bucket | Mode::Clamp => None,
        }
    }
}

/// From -2^20 to 2^20, and not 0.
fn noise(draws: &mut Draws) -> Option<i128> {
    let drawn = i128::from(draws.below(u64::try_from(2 * NOISE_STEPS).ok()?)) - NOISE_STEPS;
    Some(if drawn >= 0 { drawn + 1 } else { drawn })
}
