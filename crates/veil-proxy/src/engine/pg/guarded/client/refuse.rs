//! What goes to the server in the place of what is refused.

use std::sync::Arc;

use veil_policy::Refusal;
use veil_sql::normal::Normal;
use veil_wire::pg::command::{self, Parse};
use veil_wire::pg::session::Expected;

use super::super::{Guarded, prepared};
use super::{Message, REFUSED_TEXT, Step};
use crate::out::Out;
use crate::problem::Problem;

impl Guarded {
    /// A statement of another name fails in the place of one that is not to run.
    pub(super) fn refuse_bind(
        &mut self,
        message: Message<'_>,
        (refusal, shown): (Refusal, Option<Arc<Normal>>),
        up: &mut Out,
    ) -> Result<Step, Problem> {
        let name = prepared::REFUSED.as_bytes();
        Parse { name, text: REFUSED_TEXT, types: &[] }.write(up.owned(message.input));
        let refused = self.judge.unknown(Err(refusal));
        refused.show_as(shown);
        let statement = Arc::new(refused);
        self.expect(Expected::Parse { name: name.into(), statement }, false)?;
        self.stream(message.header, true);
        Ok(Step::Used)
    }

    /// A call by number does not reach the server.
    pub(super) fn refuse_call(&mut self, input: &[u8], up: &mut Out) -> Result<(), Problem> {
        command::write_query(up.owned(input), REFUSED_TEXT);
        let refusal = Refusal {
            code: "0A000",
            message: "IronVeil refused: a function call by number, where columns are masked".to_owned(),
            hint: "Call the function in a statement.",
        };
        let statements = vec![Arc::new(self.judge.unknown(Err(refusal)))];
        self.expect(Expected::Query { statements, done: 0 }, false)
    }
}
