//! `company`: an invented company of two words, such as "Amber Harbour Ltd"; some 6,000 of them, so that many share one.

use super::{At, Mask, name, other_than, redacted};

#[derive(Debug)]
pub(crate) struct Company;

#[rustfmt::skip]
const FIRST: &[&str] = &[
    "Amber", "Apex", "Aspen", "Atlas", "Azure", "Basalt", "Beacon", "Birch", "Blue", "Bright", "Bronze", "Cedar", "Clear", "Cobalt", "Copper", "Coral",
    "Crimson", "Delta", "Eagle", "East", "Elm", "Ember", "Falcon", "Fern", "Granite", "Green", "Harbour", "Hazel", "Indigo", "Iron", "Ivory", "Jade",
    "Juniper", "Lark", "Linden", "Lunar", "Maple", "Marble", "Meadow", "Mint", "North", "Oak", "Onyx", "Opal", "Pearl", "Pine", "Polar", "Quartz",
    "River", "Sable", "Saffron", "Silver", "Solar", "South", "Stone", "Summit", "Teal", "Umber", "Velvet", "Violet", "West", "White", "Willow", "Zephyr",
];

#[rustfmt::skip]
const SECOND: &[&str] = &[
    "Analytics", "Bridge", "Capital", "Crest", "Dynamics", "Edge", "Field", "Forge", "Foods", "Gate", "Grove", "Harbour", "Hill", "Labs", "Lane", "Logistics",
    "Mills", "Motion", "Networks", "Partners", "Peak", "Point", "Press", "Ridge", "Shore", "Spring", "Studios", "Systems", "Trade", "Vale", "Works", "Yard",
];

const FORM: &[&str] = &["Ltd", "Group", "Inc"];

impl Mask for Company {
    fn room(&self) -> Option<u64> {
        u64::try_from(FIRST.len() * SECOND.len() * FORM.len()).ok()
    }

    fn text(&self, at: &At<'_>, text: &str, out: &mut Vec<u8>) -> Option<()> {
        if text.trim().is_empty() {
            return redacted(at, out);
        }
        let mut draws = at.key.draws(name::normalised(text).as_bytes());
        other_than(text.trim(), out, |out| {
            let words = [draws.pick(FIRST), draws.pick(SECOND), draws.pick(FORM)].join(" ");
            out.extend(at.limit.cut(&words).trim_end().as_bytes());
            Some(())
        })
    }
}
