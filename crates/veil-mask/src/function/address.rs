//! `address`: parts of a postal address, invented: a street with a number, a city, a region, a country, or all in one line.
//!
//! Picked from lists by key, so many addresses share one. A column of country codes gets country codes.

use super::{At, Mask, name, other_than, redacted};
use crate::key::Draws;

#[derive(Debug)]
pub(crate) struct Address {
    pub(crate) part: Part,
}

/// The part of an address that a column holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Part {
    Full,
    Street,
    City,
    Region,
    Country,
}

/// Numbers of houses in a street.
const HOUSES: u64 = 199;

choice!(Part, "full" => Full, "street" => Street, "city" => City, "region" => Region, "country" => Country);

#[rustfmt::skip]
const STREETS: &[&str] = &[
    "Acacia Avenue", "Alder Close", "Ash Grove", "Bakery Lane", "Bank Street", "Beech Road", "Bell Lane", "Birch Street", "Brook Street", "Cedar Avenue",
    "Chapel Lane", "Cherry Walk", "Church Road", "Clover Court", "Cross Street", "Elm Street", "Fern Close", "Field Lane", "Forest Road", "Garden Street",
    "Glen Road", "Green Lane", "Grove Street", "Harbour Road", "Hazel Court", "Heath Road", "High Street", "Hill Road", "Holly Lane", "Ivy Lane", "Juniper Way",
    "Lake Street", "Laurel Road", "Lime Grove", "Linden Street", "Long Lane", "Maple Street", "Market Square", "Meadow Lane", "Mill Road", "North Street",
    "Oak Avenue", "Orchard Road", "Park Road", "Pine Street", "Poplar Avenue", "River Road", "Rose Lane", "Rowan Close", "School Lane", "South Street",
    "Spring Street", "Station Road", "Stone Lane", "Valley Road", "Victoria Street", "Walnut Street", "West Street", "Willow Way", "Woodland Drive",
];

#[rustfmt::skip]
const CITIES: &[&str] = &[
    "Amberford", "Ashby Vale", "Aspenholm", "Bayfield", "Birchwood", "Brackenridge", "Bridgeton", "Brookhaven", "Cedarburg", "Clearwater", "Coalport",
    "Copperhill", "Crossmoor", "Dunmere", "Eastbrook", "Elmstead", "Fairhaven", "Fernleigh", "Foxhollow", "Glenrock", "Granton", "Greenfield", "Harborview",
    "Hazelton", "Highmoor", "Ironbridge", "Kingsmere", "Lakeview", "Larkspur", "Lindenau", "Longmeadow", "Mapleton", "Marlow Heath", "Millbrook", "Newhaven",
    "Northwick", "Oakdale", "Oldbury", "Pinecrest", "Port Alder", "Redcliff", "Ridgemont", "Riverton", "Rockford", "Rosedale", "Sandwell", "Silverton",
    "Southmoor", "Springfield", "Stonebridge", "Summerhill", "Thornbury", "Valleyfield", "Waterford", "Westbrook", "Whitecliff", "Willowbank", "Winterton",
    "Woodstock", "Wrenford",
];

#[rustfmt::skip]
const REGIONS: &[&str] = &[
    "Central Plains", "Coastal District", "Copper Hills", "Cotswold Edge", "Eastern Province", "Eastmark", "Great Vale", "Greater Lakes", "Highlands", "Iron Coast",
    "Lake District", "Lower River", "Lowlands", "Midlands", "New Moor", "North Coast", "North Ridge", "Northern Province", "Northmark", "Old Forest", "Pine Barrens",
    "River County", "Sand Coast", "South Coast", "Southern Province", "Southmark", "Stone County", "Upper River", "West Coast", "Western Province", "Westmark", "Wold",
];

/// Name, and codes of two and three letters (ISO 3166-1).
#[rustfmt::skip]
const COUNTRIES: &[[&str; 3]] = &[
    ["Argentina", "AR", "ARG"], ["Australia", "AU", "AUS"], ["Austria", "AT", "AUT"], ["Belgium", "BE", "BEL"], ["Brazil", "BR", "BRA"], ["Bulgaria", "BG", "BGR"],
    ["Canada", "CA", "CAN"], ["Chile", "CL", "CHL"], ["Colombia", "CO", "COL"], ["Croatia", "HR", "HRV"], ["Czechia", "CZ", "CZE"], ["Denmark", "DK", "DNK"],
    ["Egypt", "EG", "EGY"], ["Estonia", "EE", "EST"], ["Finland", "FI", "FIN"], ["France", "FR", "FRA"], ["Germany", "DE", "DEU"], ["Ghana", "GH", "GHA"],
    ["Greece", "GR", "GRC"], ["Hungary", "HU", "HUN"], ["Iceland", "IS", "ISL"], ["India", "IN", "IND"], ["Indonesia", "ID", "IDN"], ["Ireland", "IE", "IRL"],
    ["Israel", "IL", "ISR"], ["Italy", "IT", "ITA"], ["Japan", "JP", "JPN"], ["Kenya", "KE", "KEN"], ["Latvia", "LV", "LVA"], ["Lithuania", "LT", "LTU"],
    ["Malaysia", "MY", "MYS"], ["Mexico", "MX", "MEX"], ["Morocco", "MA", "MAR"], ["Netherlands", "NL", "NLD"], ["New Zealand", "NZ", "NZL"], ["Nigeria", "NG", "NGA"],
    ["Norway", "NO", "NOR"], ["Peru", "PE", "PER"], ["Philippines", "PH", "PHL"], ["Poland", "PL", "POL"], ["Portugal", "PT", "PRT"], ["Romania", "RO", "ROU"],
    ["Serbia", "RS", "SRB"], ["Singapore", "SG", "SGP"], ["Slovakia", "SK", "SVK"], ["Slovenia", "SI", "SVN"], ["South Africa", "ZA", "ZAF"], ["Spain", "ES", "ESP"],
    ["Sweden", "SE", "SWE"], ["Switzerland", "CH", "CHE"], ["Thailand", "TH", "THA"], ["Turkey", "TR", "TUR"], ["Ukraine", "UA", "UKR"], ["United Kingdom", "GB", "GBR"],
    ["United States", "US", "USA"], ["Uruguay", "UY", "URY"], ["Vietnam", "VN", "VNM"],
];

impl Mask for Address {
    fn room(&self) -> Option<u64> {
        let count = match self.part {
            Part::Street => usize::try_from(HOUSES).ok()? * STREETS.len(),
            Part::City => CITIES.len(),
            Part::Region => REGIONS.len(),
            Part::Country => COUNTRIES.len(),
            Part::Full => return None,
        };
        u64::try_from(count).ok()
    }

    fn text(&self, at: &At<'_>, text: &str, out: &mut Vec<u8>) -> Option<()> {
        let text = text.trim();
        if text.is_empty() {
            return redacted(at, out);
        }
        let mut draws = at.key.draws(name::normalised(text).as_bytes());
        other_than(text, out, |out| {
            let drawn = self.part.drawn(&mut draws, text);
            out.extend(at.limit.cut(&drawn).trim_end().as_bytes());
            Some(())
        })
    }
}

impl Part {
    fn drawn(self, draws: &mut Draws, text: &str) -> String {
        match self {
            Self::Street => street(draws),
            Self::City => draws.pick(CITIES).to_owned(),
            Self::Region => draws.pick(REGIONS).to_owned(),
            Self::Country => country(draws, text),
            Self::Full => {
                let (street, postcode, city) = (street(draws), draws.below(100_000), draws.pick(CITIES));
                format!("{street}, {postcode:05} {city}, {}", country(draws, ""))
            }
        }
    }
}

fn street(draws: &mut Draws) -> String {
    format!("{} {}", 1 + draws.below(HOUSES), draws.pick(STREETS))
}

/// A code for a code, and a name for anything else.
fn country(draws: &mut Draws, text: &str) -> String {
    let [name, two, three] = draws.pick(COUNTRIES);
    let capitals = text.bytes().all(|byte| byte.is_ascii_uppercase());
    match text.len() {
        2 if capitals => two,
        3 if capitals => three,
        _ => name,
    }
    .to_owned()
}
