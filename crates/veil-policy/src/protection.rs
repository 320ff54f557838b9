//! What clients may do with masked columns besides to look at them.

/// How values are taken that clients write to masked columns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Writes {
    /// As masks, if the key finds values from them.
    #[default]
    Guard,
    /// As they are.
    Plain,
}

/// Whether clients may ask questions about masked columns: conditions, joins and orders over them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Predicates {
    /// They may, and learn which rows answer.
    Allow,
    /// They may ask so many in an hour, of constants only; it is logged.
    #[default]
    Audit,
    /// Such statements are refused.
    Deny,
}

/// What clients may do with masked columns besides to look at them; each mode of the configuration stands for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProtectionMode {
    /// Whether they may ask questions about them.
    pub predicates: Predicates,
    /// How many in an hour, where they are counted.
    pub budget: u32,
    /// Functions that are not known may run together with masked columns, and what they return is NULL.
    pub unknown_functions: bool,
    /// How values are taken that clients write, where the rule does not say it.
    pub writes: Writes,
    /// Nothing is changed; what would be is said.
    pub observes: bool,
}

impl Default for ProtectionMode {
    fn default() -> Self {
        Self {
            predicates: Predicates::default(),
            budget: 100,
            unknown_functions: false,
            writes: Writes::Guard,
            observes: false,
        }
    }
}
