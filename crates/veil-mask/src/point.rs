//! PostgreSQL's `point`: `(x,y)`, or two doubles.

use std::io::Write;

use veil_model::Format;

/// Reads a point with finite coordinates.
pub(crate) fn read_point(format: Format, cell: &[u8]) -> Option<[f64; 2]> {
    let point = match format {
        Format::Text => {
            let inside = std::str::from_utf8(cell).ok()?.strip_prefix('(')?.strip_suffix(')')?;
            let (x, y) = inside.split_once(',')?;
            [x.parse().ok()?, y.parse().ok()?]
        }
        Format::Binary => {
            let (x, y) = cell.split_first_chunk::<8>()?;
            [f64::from_be_bytes(*x), f64::from_be_bytes(y.try_into().ok()?)]
        }
    };
    point.iter().all(|coordinate| coordinate.is_finite()).then_some(point)
}

/// Writes a point.
pub(crate) fn write_point([x, y]: [f64; 2], format: Format, out: &mut Vec<u8>) -> Option<()> {
    match format {
        Format::Text => write!(out, "({x},{y})").ok()?,
        Format::Binary => out.extend([x.to_be_bytes(), y.to_be_bytes()].concat()),
    }
    Some(())
}
