//! `username`: a given name and keyed letters and digits, in small letters.

use super::{At, Mask, base32, name, other_than, redacted};

#[derive(Debug)]
pub(crate) struct Username;

/// Keyed characters behind the name.
const TOKEN: usize = 8;

impl Mask for Username {
    /// Blank texts become the label. A column that is too short for a name gets what fits of the rest.
    fn text(&self, at: &At<'_>, text: &str, out: &mut Vec<u8>) -> Option<()> {
        let user = text.trim();
        let room = at.limit.ascii();
        if user.is_empty() || room == 0 {
            return redacted(at, out);
        }
        let mut draws = at.key.prf().lower(user).draws();
        other_than(user, out, |out| {
            let given = name::given(&mut draws);
            if given.len() + TOKEN <= room {
                out.extend(given.bytes().map(|byte| byte.to_ascii_lowercase()));
            }
            base32(&mut draws, TOKEN.min(room), out);
            Some(())
        })
    }
}
