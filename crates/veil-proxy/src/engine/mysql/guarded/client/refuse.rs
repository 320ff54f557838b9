//! What is answered in the server's place.

use veil_policy::Refusal;
use veil_sql::mysql::Kind;
use veil_wire::mysql::command;
use veil_wire::mysql::frame::{Header, Message};

use super::super::{Guarded, Judged, Reply, Stage, problem};
use super::{Step, Ways};
use crate::engine::observe;
use crate::problem::Problem;

impl Guarded {
    /// Answers in the server's place, or lets it answer where nothing is changed.
    pub(super) fn refuse(&mut self, refusal: Refusal, message: &Message<'_>, ways: &mut Ways<'_>) -> Step {
        if self.judge.observes() {
            observe::refused(&refusal);
            let prepares = message.payload.first() == Some(&command::STMT_PREPARE);
            let stage = if prepares { Stage::Prepared } else { Stage::First };
            ways.forward(message.total);
            self.expect(Reply::new(vec![Judged::shown(Kind::Data)], stage), message.sequence);
            // It may change how texts are read.
            self.settings = None;
            return Step::Used(message.total);
        }
        self.tell_of_refusal(refusal.code);
        ways.down.owned(&[]).extend(problem(refusal).mysql(message.sequence.wrapping_add(1)));
        Step::Used(message.total)
    }

    /// Passes over a message, and answers in the server's place when all of it has come.
    pub(super) fn pass_over(&mut self, header: Header, problem: Problem) -> Step {
        self.from_client.begin(header.total(), true, header.continues());
        self.refused = Some(problem);
        Step::Streamed
    }
}
