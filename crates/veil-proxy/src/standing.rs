//! What a session is by the policy, which may make something else of it.

use std::sync::Arc;

use veil_policy::rule::Scope;
use veil_policy::who::Principal;

use crate::problem::Problem;
use crate::proxy::{Moment, Protocol, Proxy};

/// By which policy an engine was chosen.
pub(crate) struct Standing {
    proxy: Arc<Proxy>,
    epoch: u64,
    protocol: Protocol,
    /// As the client named it.
    database: String,
    principal: Principal,
    /// Its engine masks.
    guarded: bool,
    /// Nothing is changed, and what would be is said.
    observes: bool,
}

impl Standing {
    pub(crate) fn new(
        proxy: &Arc<Proxy>,
        moment: &Moment,
        protocol: Protocol,
        database: &str,
        principal: Principal,
        scope: Scope,
    ) -> Self {
        Self {
            proxy: Arc::clone(proxy),
            epoch: moment.epoch,
            protocol,
            database: database.to_owned(),
            principal,
            guarded: scope == Scope::Guarded,
            observes: moment.policy.observes(),
        }
    }

    /// Before anything that the client says goes on: whether the policy has become another that makes another engine necessary. One that masks goes
    /// on, whatever the policy is.
    ///
    /// # Errors
    /// The session has to end.
    pub(crate) fn look(&mut self) -> Result<(), Problem> {
        if !self.proxy.policies.is_past(self.epoch) {
            return Ok(());
        }
        let moment = self.proxy.moment();
        self.epoch = moment.epoch;
        let gone = |_| Problem::new("57P01", "this database is not served any more", "");
        let scope = match self.protocol {
            Protocol::Pg => {
                let route = moment.settings.route(&self.database).map_err(gone)?;
                moment.policy.scope(route.database.as_ref().unwrap_or(&self.database), &self.principal)
            }
            Protocol::MySql => {
                moment.settings.mysql_route(&self.database).map_err(gone)?;
                moment.policy.scope_mysql(&self.principal)
            }
        };
        let other = scope == Scope::Guarded && !self.guarded || moment.policy.observes() != self.observes;
        if other {
            return Err(Problem::new("57P01", "the rules for this session have changed", "Connect again."));
        }
        Ok(())
    }
}
