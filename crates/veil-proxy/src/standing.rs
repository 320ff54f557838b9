//! What a session is by the policy, which may make something else of it.

use std::sync::Arc;

use veil_policy::rule::Scope;
use veil_policy::who::Principal;

use crate::problem::Problem;
use crate::proxy::{Moment, Protocol, Proxy, Settings};
use crate::sessions::Seat;
use crate::statements::Teller;

/// By which policy an engine was chosen.
pub(crate) struct Standing {
    proxy: Arc<Proxy>,
    epoch: u64,
    protocol: Protocol,
    /// The name of its entry in the configuration.
    route: String,
    /// The database on the server; as the entry says it for MySQL.
    database: Option<String>,
    principal: Principal,
    /// It gets rows as the server writes them down.
    replicates: bool,
    /// Its engine masks.
    guarded: bool,
    /// Its user sees everything, and others do not.
    exempt: bool,
    /// Nothing is changed, and what would be is said.
    observes: bool,
}

impl Standing {
    pub(crate) fn new(
        proxy: &Arc<Proxy>,
        moment: &Moment,
        protocol: Protocol,
        (route, database): (&str, Option<&str>),
        principal: Principal,
        scope: Scope,
    ) -> Self {
        Self {
            proxy: Arc::clone(proxy),
            epoch: moment.epoch,
            protocol,
            route: route.to_owned(),
            database: database.map(str::to_owned),
            principal,
            replicates: false,
            guarded: scope == Scope::Guarded,
            exempt: scope == Scope::Exempt,
            observes: moment.policy.observes(),
        }
    }

    /// Whether its user sees everything, and others do not.
    pub(crate) const fn is_exempt(&self) -> bool {
        self.exempt
    }

    /// What tells of the session's statements.
    pub(crate) fn teller(&self, seat: &Arc<Seat>) -> Teller {
        Teller::new(&self.proxy.telemetry, seat, self.exempt)
    }

    /// The same, of a session that gets rows as the server writes them down.
    pub(crate) fn replicating(self, replicates: bool) -> Self {
        Self { replicates, ..self }
    }

    /// Before anything goes on: whether the policy has become another that makes another engine necessary. One that masks goes
    /// on, whatever the policy is.
    ///
    /// # Errors
    /// The session has to end.
    pub(crate) fn look(&mut self) -> Result<(), Problem> {
        self.proxy.events.check()?;
        if !self.proxy.policies.is_past(self.epoch) {
            return Ok(());
        }
        let moment = self.proxy.moment();
        self.epoch = moment.epoch;
        let Settings { routes, mysql_routes, .. } = &*moment.settings;
        let (entry, scope) = match self.protocol {
            Protocol::Pg => {
                let entry = routes.iter().find(|route| route.name.as_str() == self.route);
                let database = self.database.as_deref().unwrap_or_default();
                (entry.map(|route| route.database.as_deref()), moment.policy.scope(database, &self.principal))
            }
            Protocol::MySql => {
                let entry = mysql_routes.iter().find(|route| route.name.as_str() == self.route);
                (entry.map(|route| route.database.as_deref()), moment.policy.scope_mysql(&self.principal))
            }
        };
        // Without a name of its own an entry is for whatever the client names.
        if !entry.is_some_and(|database| database.is_none() || database == self.database.as_deref()) {
            return Err(Problem::new("57P01", "this database is not served any more", ""));
        }
        let replicates = self.replicates && moment.policy.masks_anything() && !moment.policy.observes();
        let other = scope == Scope::Guarded && !self.guarded
            || replicates && scope != Scope::Exempt
            || moment.policy.observes() != self.observes;
        self.exempt = scope == Scope::Exempt;
        if other {
            return Err(Problem::new("57P01", "the rules for this session have changed", "Connect again."));
        }
        Ok(())
    }
}
