//! The pools of a proxy.

use std::sync::Arc;

use super::pg::Maker;
use super::{PoolSettings, Standing};
use crate::proxy::Proxy;

impl Proxy {
    /// Looks after pools of connections, for as long as it runs.
    pub async fn watch_pools(self: Arc<Self>) {
        self.pools.watch().await;
    }

    /// How pools of connections are.
    #[must_use]
    pub fn pools(&self) -> Vec<Standing> {
        self.pools.list().iter().map(|pool| pool.standing()).collect()
    }

    /// Pools go by the settings of now; connections to servers that are not theirs any more are not used again.
    pub(crate) fn configure_pools(&self) {
        let settings = self.moment().settings;
        for pool in self.pools.list() {
            let now = settings.routes.iter().find(|route| route.name.as_str() == pool.key.route);
            let before = &pool.backend().route;
            match now {
                Some(now) => {
                    pool.configure(now.pool_of(&pool.key.user));
                    if !now.hosts.are(&before.hosts) {
                        pool.renew();
                    }
                    pool.change(|maker| Maker { route: Arc::clone(now), ..maker.clone() });
                }
                None => {
                    pool.configure(PoolSettings { min_idle: 0, ..pool.settings() });
                    pool.renew();
                }
            }
        }
    }
}
