//! MySQL's character sets, by the numbers of their collations. How they write texts is `veil-mask`'s business.

/// A character set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are MySQL's own")]
pub enum Charset {
    Ascii,
    Big5,
    Binary,
    Cp1250,
    Cp1251,
    Cp1256,
    Cp1257,
    Cp866,
    Cp932,
    Eucjpms,
    Euckr,
    Gb18030,
    Gb2312,
    Gbk,
    Greek,
    Hebrew,
    Koi8r,
    Koi8u,
    Latin1,
    Latin2,
    Latin5,
    Latin7,
    Macroman,
    Sjis,
    Tis620,
    Ucs2,
    Ujis,
    Utf16,
    Utf16le,
    Utf32,
    Utf8mb3,
    Utf8mb4,
}

impl Charset {
    /// The character set of a collation; `None` if it is not known here.
    #[must_use]
    pub const fn of(collation: u16) -> Option<Self> {
        // MariaDB's collations that do not pad have the number of the padding one plus 1024; those of UCA 14 are
        // numbered by character set from 2048 on.
        let id = match collation {
            1024..=2047 => collation - 1024,
            other => other,
        };
        Some(match id {
            2048..=2303 => Self::Utf8mb3,
            2304..=2559 => Self::Utf8mb4,
            2560..=2815 => Self::Ucs2,
            2816..=3071 => Self::Utf16,
            3072..=3327 => Self::Utf32,
            1 | 84 => Self::Big5,
            2 | 9 | 21 | 27 | 77 => Self::Latin2,
            5 | 8 | 15 | 31 | 47..=49 | 94 => Self::Latin1,
            7 | 74 => Self::Koi8r,
            11 | 65 => Self::Ascii,
            12 | 91 => Self::Ujis,
            13 | 88 => Self::Sjis,
            14 | 23 | 50..=52 => Self::Cp1251,
            16 | 71 => Self::Hebrew,
            18 | 89 => Self::Tis620,
            19 | 85 => Self::Euckr,
            20 | 41 | 42 | 79 => Self::Latin7,
            22 | 75 => Self::Koi8u,
            24 | 86 => Self::Gb2312,
            25 | 70 => Self::Greek,
            26 | 34 | 44 | 66 | 99 => Self::Cp1250,
            28 | 87 => Self::Gbk,
            29 | 58 | 59 => Self::Cp1257,
            30 | 78 => Self::Latin5,
            33 | 76 | 83 | 192..=215 | 223 | 576..=607 => Self::Utf8mb3,
            35 | 90 | 128..=151 | 159 | 640..=671 => Self::Ucs2,
            36 | 68 => Self::Cp866,
            39 | 53 => Self::Macroman,
            45 | 46 | 224..=247 | 255..=323 | 608..=639 => Self::Utf8mb4,
            54 | 55 | 101..=124 | 672..=703 => Self::Utf16,
            56 | 62 => Self::Utf16le,
            57 | 67 => Self::Cp1256,
            60 | 61 | 160..=183 | 736..=767 => Self::Utf32,
            63 => Self::Binary,
            95 | 96 => Self::Cp932,
            97 | 98 => Self::Eucjpms,
            248..=250 => Self::Gb18030,
            _ => return None,
        })
    }

    /// By its name in the server, in lower case.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, charset)| *charset)
    }

    /// Bytes of its longest character, by which servers count the length of a column.
    #[must_use]
    pub const fn bytes_max(self) -> u32 {
        match self {
            Self::Big5 | Self::Cp932 | Self::Euckr | Self::Gb2312 | Self::Gbk | Self::Sjis | Self::Ucs2 => 2,
            Self::Eucjpms | Self::Ujis | Self::Utf8mb3 => 3,
            Self::Gb18030 | Self::Utf16 | Self::Utf16le | Self::Utf32 | Self::Utf8mb4 => 4,
            _ => 1,
        }
    }
}

const NAMES: [(&str, Charset); 33] = [
    ("ascii", Charset::Ascii),
    ("big5", Charset::Big5),
    ("binary", Charset::Binary),
    ("cp1250", Charset::Cp1250),
    ("cp1251", Charset::Cp1251),
    ("cp1256", Charset::Cp1256),
    ("cp1257", Charset::Cp1257),
    ("cp866", Charset::Cp866),
    ("cp932", Charset::Cp932),
    ("eucjpms", Charset::Eucjpms),
    ("euckr", Charset::Euckr),
    ("gb18030", Charset::Gb18030),
    ("gb2312", Charset::Gb2312),
    ("gbk", Charset::Gbk),
    ("greek", Charset::Greek),
    ("hebrew", Charset::Hebrew),
    ("koi8r", Charset::Koi8r),
    ("koi8u", Charset::Koi8u),
    ("latin1", Charset::Latin1),
    ("latin2", Charset::Latin2),
    ("latin5", Charset::Latin5),
    ("latin7", Charset::Latin7),
    ("macroman", Charset::Macroman),
    ("sjis", Charset::Sjis),
    ("tis620", Charset::Tis620),
    ("ucs2", Charset::Ucs2),
    ("ujis", Charset::Ujis),
    ("utf16", Charset::Utf16),
    ("utf16le", Charset::Utf16le),
    ("utf32", Charset::Utf32),
    ("utf8", Charset::Utf8mb3),
    ("utf8mb3", Charset::Utf8mb3),
    ("utf8mb4", Charset::Utf8mb4),
];
