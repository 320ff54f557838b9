//! Texts in MySQL's character sets, to UTF-8 and back. What cannot be written exactly is not written.

use std::borrow::Cow;

use encoding_rs as enc;
use veil_model::Charset;

/// How a character set writes texts.
enum Form {
    Ascii,
    Utf8,
    Utf16(fn([u8; 2]) -> u16, fn(u16) -> [u8; 2]),
    Utf32,
    Table(&'static enc::Encoding),
}

fn form(charset: Charset) -> Option<Form> {
    Some(Form::Table(match charset {
        Charset::Ascii => return Some(Form::Ascii),
        Charset::Binary => return None,
        Charset::Utf8mb3 | Charset::Utf8mb4 => return Some(Form::Utf8),
        Charset::Ucs2 | Charset::Utf16 => return Some(Form::Utf16(u16::from_be_bytes, u16::to_be_bytes)),
        Charset::Utf16le => return Some(Form::Utf16(u16::from_le_bytes, u16::to_le_bytes)),
        Charset::Utf32 => return Some(Form::Utf32),
        Charset::Big5 => enc::BIG5,
        Charset::Cp1250 => enc::WINDOWS_1250,
        Charset::Cp1251 => enc::WINDOWS_1251,
        Charset::Cp1256 => enc::WINDOWS_1256,
        Charset::Cp1257 => enc::WINDOWS_1257,
        Charset::Cp866 => enc::IBM866,
        Charset::Cp932 | Charset::Sjis => enc::SHIFT_JIS,
        Charset::Eucjpms | Charset::Ujis => enc::EUC_JP,
        Charset::Euckr => enc::EUC_KR,
        Charset::Gb18030 => enc::GB18030,
        Charset::Gb2312 | Charset::Gbk => enc::GBK,
        Charset::Greek => enc::ISO_8859_7,
        Charset::Hebrew => enc::ISO_8859_8,
        Charset::Koi8r => enc::KOI8_R,
        Charset::Koi8u => enc::KOI8_U,
        // MySQL's latin1 is this one.
        Charset::Latin1 => enc::WINDOWS_1252,
        Charset::Latin2 => enc::ISO_8859_2,
        Charset::Latin5 => enc::WINDOWS_1254,
        Charset::Latin7 => enc::ISO_8859_13,
        Charset::Macroman => enc::MACINTOSH,
        Charset::Tis620 => enc::WINDOWS_874,
    }))
}

/// Whether bytes pair up by the narrower rules that the server has for some character sets: for it, other first bytes
/// stand alone, and what follows them may end a string.
fn pairs_as_the_server(charset: Charset, bytes: &[u8]) -> bool {
    let (first, is_second): (_, fn(u8) -> bool) = match charset {
        Charset::Big5 => (0xa1..=0xf9, |byte| matches!(byte, 0x40..=0x7e | 0xa1..=0xfe)),
        Charset::Gb2312 => (0xa1..=0xf7, |byte| matches!(byte, 0xa1..=0xfe)),
        _ => return true,
    };
    let mut rest = bytes.iter();
    while let Some(byte) = rest.next() {
        let paired = first.contains(byte) && rest.next().is_some_and(|second| is_second(*second));
        if !byte.is_ascii() && !paired {
            return false;
        }
    }
    true
}

/// Reads a text; `None` if it is not valid in its character set.
#[must_use]
pub fn decode(charset: Charset, bytes: &[u8]) -> Option<Cow<'_, str>> {
    match form(charset)? {
        Form::Ascii if !bytes.is_ascii() => None,
        Form::Ascii | Form::Utf8 => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
        Form::Utf16(read, _) => {
            let (units, []) = bytes.as_chunks::<2>() else { return None };
            let text: Result<String, _> = char::decode_utf16(units.iter().map(|unit| read(*unit))).collect();
            text.ok().map(Cow::Owned)
        }
        Form::Utf32 => {
            let (units, []) = bytes.as_chunks::<4>() else { return None };
            let text: Option<String> =
                units.iter().map(|unit| char::from_u32(u32::from_be_bytes(*unit))).collect();
            text.map(Cow::Owned)
        }
        Form::Table(_) if !pairs_as_the_server(charset, bytes) => None,
        Form::Table(table) => table.decode_without_bom_handling_and_without_replacement(bytes),
    }
}

/// Appends `text`; `None` if the character set lacks a character of it.
pub fn encode(charset: Charset, text: &str, out: &mut Vec<u8>) -> Option<()> {
    match form(charset)? {
        Form::Ascii if !text.is_ascii() => return None,
        Form::Utf8 if charset == Charset::Utf8mb3 && text.chars().any(|c| c.len_utf8() > 3) => return None,
        Form::Ascii | Form::Utf8 => out.extend_from_slice(text.as_bytes()),
        Form::Utf16(_, write) => {
            if charset == Charset::Ucs2 && text.chars().any(|c| c.len_utf16() > 1) {
                return None;
            }
            text.encode_utf16().for_each(|unit| out.extend(write(unit)));
        }
        Form::Utf32 => text.chars().for_each(|c| out.extend(u32::from(c).to_be_bytes())),
        Form::Table(table) => match table.encode(text) {
            (_, _, true) => return None,
            (bytes, ..) => out.extend_from_slice(&bytes),
        },
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_back() {
        for (charset, text, bytes) in [
            (Charset::Latin1, "é€", &[0xe9, 0x80][..]),
            (Charset::Gbk, "中\\", &[0xd6, 0xd0, 0x5c]),
            (Charset::Gbk, "俓", &[0x82, 0x5c]),
            (Charset::Utf16, "a😀", &[0, 0x61, 0xd8, 0x3d, 0xde, 0]),
            (Charset::Utf16le, "a", &[0x61, 0]),
            (Charset::Utf32, "a", &[0, 0, 0, 0x61]),
            (Charset::Sjis, "表", &[0x95, 0x5c]),
            (Charset::Utf8mb4, "ż", "ż".as_bytes()),
        ] {
            let mut out = Vec::new();
            assert_eq!(encode(charset, text, &mut out), Some(()), "{charset:?}");
            assert_eq!(out, bytes, "{charset:?}");
            assert_eq!(decode(charset, bytes).as_deref(), Some(text), "{charset:?}");
        }
    }

    #[test]
    fn what_cannot_be_written_is_not() {
        for (charset, text) in
            [(Charset::Latin1, "中"), (Charset::Ascii, "é"), (Charset::Ucs2, "😀"), (Charset::Utf8mb3, "😀")]
        {
            assert_eq!(encode(charset, text, &mut Vec::new()), None, "{charset:?}");
        }
        assert_eq!(decode(Charset::Utf8mb4, &[0xff]), None);
        assert_eq!(decode(Charset::Utf16, &[0]), None);
        assert_eq!(decode(Charset::Binary, b"a"), None);
    }
}
