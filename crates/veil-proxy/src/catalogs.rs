//! One catalog for each database, shared by its sessions, and the labels laid over it for the rights of each session.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tracing::warn;
use veil_model::ColumnName;
use veil_net::connect::Target;
use veil_policy::who::{RIGHTS_INTERVAL, Rights, SignedIn};
use veil_policy::{Label, Labels, Policy, mysql};

use crate::policies::{Current, Policies};

/// A catalog older than this is read again.
const AGE_MAX: Duration = Duration::from_secs(30);
/// A name that is not known has the catalog read again at most this often.
const MISSING_INTERVAL: Duration = Duration::from_secs(1);
/// How long a session that reads the catalog is waited for.
const RETRY: Duration = Duration::from_secs(1);
/// Rights whose labels are kept.
const RIGHTS_MAX: usize = 1024;

/// What a policy makes of a catalog.
pub trait Labelling {
    /// The catalog.
    type Catalog: Default + PartialEq;

    /// Lays `policy` over `catalog` for sessions with these rights in `database`.
    fn lay(policy: Arc<Policy>, catalog: Arc<Self::Catalog>, database: &str, rights: &Rights) -> Self;
}

impl Labelling for Labels {
    type Catalog = veil_sql::Catalog;

    fn lay(policy: Arc<Policy>, catalog: Arc<Self::Catalog>, database: &str, rights: &Rights) -> Self {
        let labels = Self::new(policy, catalog, database, rights);
        labels.unsuited().for_each(warn_unsuited);
        labels
    }
}

fn warn_unsuited((column, label): (ColumnName, &Label)) {
    let function = label.masker.strategy().name();
    warn!(%column, rule = %label.rule, function, "the function has no masks of the column's type: it is NULL");
}

impl Labelling for mysql::Labels {
    type Catalog = veil_sql::mysql::Catalog;

    fn lay(policy: Arc<Policy>, catalog: Arc<Self::Catalog>, _: &str, rights: &Rights) -> Self {
        let labels = Self::new(policy, catalog, rights);
        labels.unsuited().for_each(warn_unsuited);
        labels
    }
}

/// The catalog of one database; of MySQL's, what one account sees of all.
pub struct Slot<L: Labelling> {
    database: String,
    state: Mutex<State<L>>,
}

struct State<L: Labelling> {
    catalog: Option<Arc<L::Catalog>>,
    /// Grows with every change.
    generation: u64,
    read_at: Option<Instant>,
    /// Something that defines objects has run since.
    stale: bool,
    /// How often that was so.
    definitions: u64,
    /// Somebody reads it; nobody else begins before.
    not_before: Option<Instant>,
    /// Of the policy with this number.
    labels: (u64, HashMap<Rights, Arc<L>>),
}

impl<L: Labelling> Default for State<L> {
    fn default() -> Self {
        Self {
            catalog: None,
            generation: 0,
            read_at: None,
            stale: false,
            definitions: 0,
            not_before: None,
            labels: (0, HashMap::new()),
        }
    }
}

impl<L: Labelling> State<L> {
    fn is_due(&self, now: Instant, names_missing: bool) -> bool {
        let Some(read_at) = self.read_at else { return true };
        if self.not_before.is_some_and(|moment| now < moment) {
            return false;
        }
        let age = now.saturating_duration_since(read_at);
        self.stale || age > AGE_MAX || (names_missing && age > MISSING_INTERVAL)
    }
}

/// The generation of a catalog that is not known.
const UNKNOWN: u64 = u64::MAX - 1;
/// Generations of sessions' own catalogs count from here.
const OWN: u64 = 1 << 62;

/// How often rights have changed counts from this bit on.
const CHANGES_SHIFT: u32 = 40;

/// The labels by which one session goes.
pub struct View<L: Labelling> {
    slot: Arc<Slot<L>>,
    policies: Arc<Policies>,
    current: Current,
    signed_in: SignedIn,
    rights: Rights,
    /// When they were looked at, if they may change.
    looked_at: Option<Instant>,
    /// Since when another policy or other rights are waited with.
    deferred_since: Option<Instant>,
    /// How often they have changed.
    changes: u64,
    generation: u64,
    labels: Arc<L>,
    own: Option<Own>,
    /// The labels are laid over more than the slot's catalog.
    extended: bool,
    /// How many catalogs were the session's own.
    owned: u64,
}

/// A catalog that was read inside a transaction.
#[derive(Clone, Copy)]
struct Own {
    read_at: Instant,
    /// How many definitions were known of.
    definitions: u64,
}

impl<L: Labelling> View<L> {
    /// For a session.
    #[must_use]
    pub fn new(slot: Arc<Slot<L>>, policies: Arc<Policies>, signed_in: SignedIn) -> Self {
        let current = policies.current();
        let rights = current.policy.rights(&signed_in.principal, signed_in.since);
        let looked_at = current.policy.rights_may_change().then_some(signed_in.began);
        let (generation, labels) = slot.labels_now(&current, &rights);
        Self {
            slot,
            policies,
            current,
            signed_in,
            rights,
            looked_at,
            deferred_since: None,
            changes: 0,
            generation,
            labels,
            own: None,
            extended: false,
            owned: 0,
        }
    }

    /// Looks at what policy there is and what time it is, on which rights depend. Says whether a catalog of the session's own has to be read
    /// again. While answers are under way that another policy would cut off, it waits for them, but not for long.
    pub fn look_at_rights(&mut self, now: Instant, answering: bool) -> bool {
        let due = |at: Instant| now.saturating_duration_since(at) >= RIGHTS_INTERVAL;
        let past = self.policies.is_past(self.current.epoch);
        if !past && !self.looked_at.is_some_and(due) {
            return false;
        }
        if answering && !due(*self.deferred_since.get_or_insert(now)) {
            return false;
        }
        self.deferred_since = None;
        if past {
            self.current = self.policies.current();
        }
        let policy = &self.current.policy;
        self.looked_at = policy.rights_may_change().then_some(now);
        let rights = policy.rights(&self.signed_in.principal, self.signed_in.time(now));
        if !past && rights == self.rights {
            return false;
        }
        self.rights = rights;
        self.changes += 1;
        let own = self.own.is_some() || self.extended;
        if self.is_unknown() {
            self.labels = self.slot.labels_of_nothing(&self.current, &self.rights);
        } else if !own {
            (self.generation, self.labels) = self.slot.labels_now(&self.current, &self.rights);
        }
        own
    }

    /// The catalog that it is of.
    #[must_use]
    pub const fn slot(&self) -> &Arc<Slot<L>> {
        &self.slot
    }

    /// The labels.
    #[must_use]
    pub fn labels(&self) -> &L {
        &self.labels
    }

    /// What the labels belong to: a generation of the catalog, and rights.
    #[must_use]
    pub const fn generation(&self) -> u64 {
        self.generation ^ (self.changes << CHANGES_SHIFT)
    }

    /// Goes by a catalog that only this session sees, until it is released.
    pub fn adopt(&mut self, catalog: L::Catalog, now: Instant) {
        self.own = Some(Own { read_at: now, definitions: self.slot.state().definitions });
        self.lay(catalog);
    }

    /// Goes by the slot's catalog and what only this session sees beside it, until it is released.
    pub fn extend(&mut self, catalog: L::Catalog) {
        self.extended = true;
        self.lay(catalog);
    }

    fn lay(&mut self, catalog: L::Catalog) {
        self.owned += 1;
        self.generation = OWN + self.owned;
        self.labels = self.slot.lay(&self.current, Arc::new(catalog), &self.rights);
    }

    /// Whether it goes by a catalog that was read inside a transaction.
    #[must_use]
    pub const fn has_own(&self) -> bool {
        self.own.is_some()
    }

    /// Whether nothing is known.
    #[must_use]
    pub const fn is_unknown(&self) -> bool {
        self.generation == UNKNOWN
    }

    /// Goes by the catalog of all again.
    pub fn release(&mut self) {
        if self.own.take().is_some() | std::mem::take(&mut self.extended) {
            (self.generation, self.labels) = self.slot.labels_now(&self.current, &self.rights);
        }
    }

    /// Whether the catalog that the session goes by is too old.
    #[must_use]
    pub fn is_due(&self, now: Instant, names_missing: bool) -> bool {
        let Some(own) = &self.own else { return self.slot.is_due(now, names_missing) };
        let age = now.saturating_duration_since(own.read_at);
        own.definitions != self.slot.state().definitions
            || age > if names_missing { MISSING_INTERVAL } else { AGE_MAX }
    }

    /// Whether the catalog is so old that nothing may be shown by it, where it could not be read again.
    #[must_use]
    pub fn is_too_old(&self, now: Instant) -> bool {
        let read_at = self.own.map_or_else(|| self.slot.state().read_at, |own| Some(own.read_at));
        read_at.is_none_or(|read_at| now.saturating_duration_since(read_at) > 2 * AGE_MAX)
    }

    /// What is known of the catalog is not relied on until it has been read again.
    pub fn distrust(&mut self) {
        self.slot.invalidate();
        (self.own, self.extended) = (None, false);
        self.generation = UNKNOWN;
        self.labels = self.slot.labels_of_nothing(&self.current, &self.rights);
    }

    /// Takes the newest labels.
    pub fn refresh(&mut self) {
        if self.own.is_some() || self.extended || (self.generation == UNKNOWN && self.slot.is_stale()) {
            return;
        }
        if let Some((generation, labels)) = self.slot.labels(&self.current, &self.rights, self.generation) {
            (self.generation, self.labels) = (generation, labels);
        }
    }
}

/// Databases whose catalogs are kept.
const SLOTS_MAX: usize = 4096;

/// The catalogs of all servers.
pub struct Slots<L: Labelling> {
    known: Mutex<HashMap<Place, Arc<Slot<L>>>>,
}

/// Host and port of a server, and a database or an account there.
type Place = (String, u16, String);

impl<L: Labelling> Default for Slots<L> {
    fn default() -> Self {
        Self { known: Mutex::default() }
    }
}

impl<L: Labelling> Slots<L> {
    /// The catalog of a server's database, or what an account sees of a server.
    #[must_use]
    pub fn of(&self, target: &Target, name: &str) -> Arc<Slot<L>> {
        let key = (target.host.clone(), target.port, name.to_owned());
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= SLOTS_MAX && !known.contains_key(&key) {
            known.clear();
        }
        let make = || Arc::new(Slot::new(name.to_owned()));
        Arc::clone(known.entry(key).or_insert_with(make))
    }

    /// The catalogs of a server that have been read: that of a database, or those of all accounts where there is no `name`.
    #[must_use]
    pub fn catalogs(&self, target: &Target, name: Option<&str>) -> Vec<Arc<L::Catalog>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |(host, port, of): &&Place| {
            (host, *port) == (&target.host, target.port) && name.is_none_or(|name| name == of)
        };
        known.iter().filter(|(place, _)| fits(place)).filter_map(|(_, slot)| slot.catalog()).collect()
    }

    /// Objects of a server were defined or changed.
    pub fn invalidate(&self, target: &Target) {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let of_server =
            known.iter().filter(|((host, port, _), _)| (host, *port) == (&target.host, target.port));
        of_server.for_each(|(_, slot)| slot.invalidate());
    }
}

/// Whether a catalog has to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// It is young enough.
    No,
    /// It has to be read now.
    Yes,
}

impl<L: Labelling> Slot<L> {
    /// For the database that its server calls `database`.
    #[must_use]
    pub fn new(database: String) -> Self {
        Self { database, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State<L>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The catalog, if it has been read.
    #[must_use]
    pub fn catalog(&self) -> Option<Arc<L::Catalog>> {
        self.state().catalog.clone()
    }

    /// How often the catalog has changed.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.state().generation
    }

    /// Labels for sessions with these rights, and the generation they belong to, unless that is `known` already.
    #[must_use]
    pub fn labels(&self, current: &Current, rights: &Rights, known: u64) -> Option<(u64, Arc<L>)> {
        let changed = self.state().generation != known;
        changed.then(|| self.labels_now(current, rights))
    }

    /// Labels for sessions with these rights, and the generation they belong to. Without a catalog nothing is known, and everything
    /// is closed.
    #[must_use]
    pub fn labels_now(&self, current: &Current, rights: &Rights) -> (u64, Arc<L>) {
        let mut state = self.state();
        let generation = state.generation;
        if state.labels.0 < current.epoch {
            state.labels = (current.epoch, HashMap::new());
        }
        // A session may be late by one.
        let kept = state.labels.0 == current.epoch;
        if let Some(labels) = state.labels.1.get(rights).filter(|_| kept) {
            return (generation, Arc::clone(labels));
        }
        let catalog = state.catalog.clone().unwrap_or_default();
        let labels = self.lay(current, catalog, rights);
        if state.labels.1.len() >= RIGHTS_MAX {
            state.labels.1.clear();
        }
        if kept {
            state.labels.1.insert(rights.clone(), Arc::clone(&labels));
        }
        (generation, labels)
    }

    /// Whether the catalog is to be read before a statement. A session that is told so has to do it: an old
    /// catalog is reported once in every interval.
    #[must_use]
    pub fn due(&self, now: Instant, names_missing: bool) -> Due {
        let mut state = self.state();
        let due = state.is_due(now, names_missing);
        if due && state.catalog.is_some() {
            // If the one who reads goes away, another does it soon.
            state.not_before = Some(now + RETRY);
        }
        if due { Due::Yes } else { Due::No }
    }

    /// Whether `due` would say so.
    #[must_use]
    pub fn is_due(&self, now: Instant, names_missing: bool) -> bool {
        self.state().is_due(now, names_missing)
    }

    /// Takes a catalog that was read.
    pub fn install(&self, catalog: L::Catalog, now: Instant) {
        let mut state = self.state();
        state.read_at = Some(now);
        state.stale = false;
        state.not_before = None;
        if state.catalog.as_deref() != Some(&catalog) {
            state.catalog = Some(Arc::new(catalog));
            state.generation += 1;
            state.labels.1.clear();
        }
    }

    /// The catalog could not be read; anybody may try again at once.
    pub fn give_back(&self) {
        self.state().not_before = None;
    }

    /// Labels of an empty catalog: nothing is known, and everything is closed.
    #[must_use]
    pub fn labels_of_nothing(&self, current: &Current, rights: &Rights) -> Arc<L> {
        self.lay(current, Arc::default(), rights)
    }

    fn lay(&self, current: &Current, catalog: Arc<L::Catalog>, rights: &Rights) -> Arc<L> {
        Arc::new(L::lay(Arc::clone(&current.policy), catalog, &self.database, rights))
    }

    /// Whether the catalog has to be read before the next statement.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.state().stale
    }

    /// Objects were defined or changed: the catalog is read before the next statement.
    pub fn invalidate(&self) {
        let mut state = self.state();
        state.stale = true;
        state.definitions += 1;
    }
}

#[cfg(test)]
mod tests {
    use std::time::{SystemTime, UNIX_EPOCH};

    use veil_mask::RootKey;
    use veil_policy::config::Config;
    use veil_policy::labels::Standing;
    use veil_policy::who::Principal;
    use veil_sql::QualifiedName;
    use veil_sql::catalog::QUERIES;

    use super::*;

    /// Rules that end at six in the evening, and a table that they are on.
    fn slot() -> (Arc<Slot<Labels>>, Arc<Policies>) {
        let text = "databases: [ { name: x, upstream: 'postgres://localhost' } ]\nrules:\n  \
            - { who: { hours: '08:00-18:00' }, unmask: true, reason: office }\n  - { table: users, column: email, strategy: email }\n";
        let rules = Config::parse(text).unwrap().rules;
        let policy = Policy::new(rules, Vec::new(), &RootKey::from_bytes([7; 32]));
        let slot = Arc::new(Slot::new("shop".to_owned()));
        let row = |cells: &[&str]| cells.iter().map(|cell| Some((*cell).to_owned())).collect::<Vec<_>>();
        let mut results = <[Vec<veil_sql::catalog::Row>; QUERIES.len()]>::default();
        results[0].push(row(&["16400", "public", "users", "r"]));
        results[1].push(row(&["16400", "1", "email", ""]));
        slot.install(veil_sql::Catalog::from_rows(&results), Instant::now());
        (slot, Arc::new(Policies::new(policy)))
    }

    #[test]
    fn rights_end_while_a_session_goes_on() {
        let users = QualifiedName { schema: None, name: "users".to_owned() };
        let hour = |hour: u64| UNIX_EPOCH + Duration::from_secs(hour * 3600);
        let began = Instant::now();
        let view = |since: SystemTime| {
            let principal = Principal::user("app");
            let (slot, policies) = slot();
            View::new(slot, policies, SignedIn { principal, since, began })
        };
        assert_eq!(view(hour(19)).labels().standing(&users), Standing::Guarded);
        let mut view = view(hour(17));
        let before = view.generation();
        assert_eq!(view.labels().standing(&users), Standing::Clean);
        assert!(!view.look_at_rights(began + Duration::from_secs(3599), false));
        assert_eq!((view.labels().standing(&users), view.generation()), (Standing::Clean, before));
        assert!(!view.look_at_rights(began + Duration::from_secs(3601), false));
        view.refresh();
        assert_eq!(view.labels().standing(&users), Standing::Guarded);
        // What was judged before is judged again.
        assert_ne!(view.generation(), before);
        // What only the session sees is read again.
        view.adopt(veil_sql::Catalog::default(), began);
        assert!(view.look_at_rights(began + Duration::from_secs(15 * 3600), false));
    }

    #[test]
    fn sessions_go_by_another_policy_at_once() {
        let users = QualifiedName { schema: None, name: "users".to_owned() };
        let (slot, policies) = slot();
        let began = Instant::now();
        let since = UNIX_EPOCH + Duration::from_secs(19 * 3600);
        let signed_in = || SignedIn { principal: Principal::user("app"), since, began };
        let mut view = View::new(Arc::clone(&slot), Arc::clone(&policies), signed_in());
        let before = view.generation();
        assert_eq!(view.labels().standing(&users), Standing::Guarded);
        policies.set(Arc::new(Policy::new(Vec::new(), Vec::new(), &RootKey::from_bytes([7; 32]))));
        assert_eq!(view.labels().standing(&users), Standing::Guarded);
        // What is under way is waited for, for a second.
        assert!(!view.look_at_rights(began, true));
        assert_eq!(view.labels().standing(&users), Standing::Guarded);
        assert!(!view.look_at_rights(began + Duration::from_secs(2), true));
        assert_eq!(view.labels().standing(&users), Standing::Clean);
        assert_ne!(view.generation(), before);
        // Labels of the policy before are not taken for those of this one, by whoever comes late either.
        let late = View::new(Arc::clone(&slot), policies, signed_in());
        assert_eq!(late.labels().standing(&users), Standing::Clean);
    }
}
