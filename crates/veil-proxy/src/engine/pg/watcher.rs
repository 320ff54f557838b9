//! For users who see everything: forwards all, and notices when they define objects.

use std::sync::Arc;

use veil_wire::pg::frame::Header;
use veil_wire::pg::reply::Tag;

use crate::engine::Streamed;
use crate::engine::pg::Slot;
use crate::out::Out;
use crate::problem::Problem;

/// Command tags after which the catalog is another.
const DEFINING: [&[u8]; 6] = [b"CREATE", b"ALTER", b"DROP", b"SELECT INTO", b"IMPORT", b"DO"];

/// Forwards everything.
pub struct Watcher {
    slot: Arc<Slot>,
    streamed: Streamed,
}

impl Watcher {
    /// Tells `slot` what it notices.
    #[must_use]
    pub fn new(slot: Arc<Slot>) -> Self {
        Self { slot, streamed: Streamed::default() }
    }

    pub(super) const fn inside_message(&self) -> bool {
        self.streamed.active()
    }

    pub(super) fn server(&mut self, input: &[u8], down: &mut Out) -> Result<usize, Problem> {
        let mut at = 0;
        loop {
            at += self.streamed.pass(input, at, down);
            let rest = input.get(at..).unwrap_or_default();
            if self.streamed.active() || rest.is_empty() {
                return Ok(at);
            }
            let Some(header) = Header::decode(rest).map_err(Problem::protocol)? else { return Ok(at) };
            if Tag::decode(header.tag) == Ok(Tag::CommandComplete) && header.body < 64 {
                let Some(message) = rest.get(..header.total()) else { return Ok(at) };
                let tag = message.get(veil_wire::pg::frame::HEADER..).unwrap_or_default();
                if DEFINING.iter().any(|word| tag.starts_with(word)) {
                    self.slot.invalidate();
                }
            }
            self.streamed = Streamed { left: header.total(), swallow: false };
        }
    }
}
