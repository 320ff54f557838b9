//! Texts as they are read by the settings of the moment.

use std::sync::Arc;

use veil_model::Charset;
use veil_policy::Refusal;
use veil_sql::mysql::Mode;
use veil_sql::mysql::analyse::Analysis;

use super::super::{Guarded, Hidden, Judged, Settings, decode_text};
use super::{Ways, only_asks_back, sets_only};

/// What becomes of a text.
pub(super) enum Reading {
    /// It was read by these settings.
    Read(Arc<Analysis>, Settings),
    Refused(Refusal),
    /// The server is asked something first.
    Asking,
}

/// Which numbers an analysis has to have.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::engine::mysql) enum Numbers {
    /// Those of the text.
    These,
    /// Others will do, where they are compared or stored.
    Any,
}

/// A text that was read, by these settings, and judged.
pub(super) type Read = (Arc<Analysis>, Settings, Vec<Judged>);

impl Guarded {
    /// Analyses and judges a text; `None` if the server is asked something first.
    pub(super) fn read(
        &mut self,
        text: &[u8],
        numbers: Numbers,
        ways: &mut Ways<'_>,
    ) -> Result<Option<Read>, Refusal> {
        match self.analyse(text, numbers, ways) {
            Reading::Read(analysis, settings) => {
                let all = self.judge_all(&analysis.statements, &settings, text)?;
                Ok(Some((analysis, settings, all)))
            }
            Reading::Refused(refusal) => Err(refusal),
            Reading::Asking => Ok(None),
        }
    }

    /// Analyses a text by the settings of the moment.
    pub(super) fn analyse(&mut self, text: &[u8], numbers: Numbers, ways: &mut Ways<'_>) -> Reading {
        let Some(settings) = self.settings.clone() else {
            if let Some(analysis) = self.asks_back(text) {
                return Reading::Read(analysis, Settings::default());
            }
            self.ask(Hidden::settings(), ways);
            return Reading::Asking;
        };
        let unreadable = |what: &str| {
            let message = format!("IronVeil refused: {what}");
            Reading::Refused(Refusal { code: "42601", message, hint: "" })
        };
        let Some(charset) = settings.client else {
            return unreadable("a character_set_client that it does not know");
        };
        let Some((text, exact)) = decode_text(charset, text) else {
            return unreadable("the text is not valid in character_set_client");
        };
        let utf8 = matches!(charset, Charset::Utf8mb3 | Charset::Utf8mb4);
        let mode = Mode { ascii_words: !utf8 || !exact, ..settings.mode };
        let analysis = match self.judge.analyse(&text, mode, numbers) {
            Ok(analysis) => analysis,
            Err(refusal) => return Reading::Refused(refusal),
        };
        if analysis.rewritten.is_some() && !exact {
            return unreadable("a comment that runs, in a text with raw bytes");
        }
        self.judge.refresh(ways.now);
        let database = settings.database.as_deref();
        let missing =
            analysis.statements.iter().any(|statement| self.judge.names_missing(statement, database));
        // What asks how the statement before went must follow it.
        let asks_back = only_asks_back(&analysis);
        if !sets_only(&analysis)
            && let Some(refusal) = self.comes_late(ways.now)
        {
            return Reading::Refused(refusal);
        }
        let question = if asks_back { None } else { self.question(&settings, ways.now, missing) };
        if let Some(question) = question {
            self.ask(question, ways);
            return Reading::Asking;
        }
        Reading::Read(analysis, settings)
    }

    /// The analysis of a text that only asks how the statement before went, so that nothing may be asked in between, if
    /// it means the same by all settings: one without quotes, comments and letters outside of ASCII.
    fn asks_back(&self, text: &[u8]) -> Option<Arc<Analysis>> {
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b" _@,.;*()\n".contains(byte);
        let text = std::str::from_utf8(text).ok().filter(|text| text.bytes().all(|byte| plain(&byte)))?;
        let analysis = self.judge.analyse(text, Mode::default(), Numbers::These).ok()?;
        only_asks_back(&analysis).then_some(analysis)
    }
}
