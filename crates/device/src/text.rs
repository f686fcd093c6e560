//! Bytes of a device to one line of text. The bytes are judged first, the character set that the device declares
//! second: many devices declare one and send another.

use encoding_rs::{Encoding, UTF_8};

/// Character set of a device's texts (IANA MIBenum, prtLocalizationCharacterSet); the default declares none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Charset(pub Option<i64>);

const UTF_16_LE: i64 = 1014;
const UTF_16_BE: i64 = 1013;
const UCS_2: i64 = 1000;
const UTF_16: i64 = 1015;
const HP_ROMAN_8: i64 = 2004;

/// Decodes bytes to one trimmed line: two-line hexadecimal texts are joined, control characters become blanks.
pub fn line(bytes: &[u8], charset: Charset) -> String {
    let bytes = without_symbol_set(bytes);
    let bytes = bytes.trim_ascii_end();
    let bytes = trim_nuls(bytes);
    let text = match join_hex_lines(bytes) {
        Some(joined) => decode(trim_nuls(&joined), charset),
        None => decode(bytes, charset),
    };
    one_line(&text)
}

/// Decodes bytes as they are.
pub fn decode(bytes: &[u8], charset: Charset) -> String {
    if let Some(text) = interleaved(bytes, charset) {
        return text;
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        return match charset.0.and_then(seven_bit_set) {
            Some(encoding) if bytes.contains(&0x1b) => encoding.decode_without_bom_handling(bytes).0.into_owned(),
            _ => text.to_owned(),
        };
    }
    if charset.0 == Some(HP_ROMAN_8) {
        return bytes.iter().map(|byte| roman8(*byte)).collect();
    }
    if let Some(encoding) = charset.0.and_then(encoding_of)
        && let Some(text) = encoding.decode_without_bom_handling_and_without_replacement(bytes)
    {
        return text.into_owned();
    }
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

/// UTF-16 by declaration, or by the zeros that stand in every other byte of Western text.
fn interleaved(bytes: &[u8], charset: Charset) -> Option<String> {
    if bytes.len() < 2 || !bytes.len().is_multiple_of(2) && !bytes.contains(&0) {
        return None;
    }
    let zeros = |offset: usize| bytes.iter().skip(offset).step_by(2).filter(|byte| **byte == 0).count();
    let pairs = bytes.len().div_ceil(2);
    let (high, low) = (zeros(0), zeros(1));
    let big = match charset.0 {
        _ if bytes.starts_with(&[0xfe, 0xff]) => true,
        _ if bytes.starts_with(&[0xff, 0xfe]) => false,
        _ if pairs >= 2 && high * 4 >= pairs * 3 && low == 0 => true,
        _ if pairs >= 2 && low * 4 >= (pairs - 1) * 3 && high == 0 => false,
        Some(UTF_16_BE | UCS_2 | UTF_16) if std::str::from_utf8(bytes).is_err() || high > 0 => true,
        Some(UTF_16_LE) if std::str::from_utf8(bytes).is_err() || low > 0 => false,
        _ => return None,
    };
    let unit = |pair: &[u8]| {
        let pair = [pair[0], pair.get(1).copied().unwrap_or(0)];
        if big { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) }
    };
    let text = String::from_utf16_lossy(&bytes.chunks(2).map(unit).collect::<Vec<_>>());
    Some(text.trim_start_matches('\u{feff}').to_owned())
}

/// Sets that are ASCII plus escapes.
fn seven_bit_set(charset: i64) -> Option<&'static Encoding> {
    matches!(charset, 39 | 40).then_some(encoding_rs::ISO_2022_JP)
}

/// The decoder of a MIBenum (IANA character sets registry).
fn encoding_of(charset: i64) -> Option<&'static Encoding> {
    Some(match charset {
        4 | 2252 => encoding_rs::WINDOWS_1252,
        5 => encoding_rs::ISO_8859_2,
        6 => encoding_rs::ISO_8859_3,
        7 => encoding_rs::ISO_8859_4,
        8 => encoding_rs::ISO_8859_5,
        9 => encoding_rs::ISO_8859_6,
        10 => encoding_rs::ISO_8859_7,
        11 => encoding_rs::ISO_8859_8,
        12 | 2254 => encoding_rs::WINDOWS_1254,
        13 => encoding_rs::ISO_8859_10,
        17 | 2024 => encoding_rs::SHIFT_JIS,
        18 => encoding_rs::EUC_JP,
        36 | 38 => encoding_rs::EUC_KR,
        106 => UTF_8,
        109 => encoding_rs::ISO_8859_13,
        111 => encoding_rs::ISO_8859_15,
        113 | 2025 => encoding_rs::GBK,
        114 => encoding_rs::GB18030,
        2026 | 2101 => encoding_rs::BIG5,
        2084 => encoding_rs::KOI8_R,
        2086 => encoding_rs::IBM866,
        2250 => encoding_rs::WINDOWS_1250,
        2251 => encoding_rs::WINDOWS_1251,
        2253 => encoding_rs::WINDOWS_1253,
        2257 => encoding_rs::WINDOWS_1257,
        _ => return None,
    })
}

/// HP's own set, which older LaserJets declare.
fn roman8(byte: u8) -> char {
    const UPPER: &str =
        "\u{a0}ÀÂÈÊËÎÏ´ˋˆ¨˜ÙÛ₤¯Ýý°ÇçÑñ¡¿¤£¥§ƒ¢âêôûáéóúàèòùäëöüÅîØÆåíøæÄìÖÜÉïßÔÁÃãÐðÍÌÓÒÕõŠšÚŸÿÞþ·µ¶¾—¼½ªº«■»±";
    match byte {
        0xa0..=0xfe => UPPER.chars().nth(usize::from(byte - 0xa0)).unwrap_or('\u{fffd}'),
        _ => char::from(byte),
    }
}

/// HP and its licensees put the symbol set (two bytes, the first below a blank) before some texts.
fn without_symbol_set(bytes: &[u8]) -> &[u8] {
    match bytes {
        [0x01, 0x15, text @ ..] | [0x00, 0x0e, text @ ..] if text.first().is_none_or(|byte| *byte >= b' ') => text,
        _ => bytes,
    }
}

fn trim_nuls(mut bytes: &[u8]) -> &[u8] {
    // One trailing NUL may be half of an interleaved character: such texts have as many zeros inside.
    while let [head @ .., 0] = bytes {
        if head.contains(&0) && !head.ends_with(&[0]) && head.len() % 2 == 1 {
            break;
        }
        bytes = head;
    }
    bytes
}

/// HP's long descriptions: a line of text, then the rest of the text as hexadecimal pairs on the lines below.
fn join_hex_lines(bytes: &[u8]) -> Option<Vec<u8>> {
    let at = bytes.iter().position(|byte| *byte == b'\n')?;
    let (head, tail) = (&bytes[..at], std::str::from_utf8(&bytes[at + 1..]).ok()?);
    let mut joined = head.to_vec();
    let mut pairs = 0;
    for word in tail.split_ascii_whitespace() {
        if word.len() != 2 {
            return None;
        }
        joined.push(u8::from_str_radix(word, 16).ok()?);
        pairs += 1;
    }
    (pairs > 0).then_some(joined)
}

/// Where `words` stands in `text` with no letter or digit touching it; both in lower case.
pub(crate) fn find_words(text: &str, words: &str) -> Option<usize> {
    let edge = |letter: Option<char>| letter.is_none_or(|letter| !letter.is_alphanumeric());
    let apart = |at: &usize| edge(text[..*at].chars().next_back()) && edge(text[*at + words.len()..].chars().next());
    text.match_indices(words).map(|(at, _)| at).find(apart)
}

/// The word behind the first mark that occurs, up to a comma, semicolon or blank.
pub(crate) fn behind(text: &str, marks: &[String]) -> Option<String> {
    let folded = text.to_ascii_lowercase();
    marks.iter().find_map(|mark| {
        let at = folded.find(&mark.to_ascii_lowercase())? + mark.len();
        let word = text.get(at..)?.trim_start_matches([' ', ':']).split([',', ';', ' ']).next()?;
        (!word.is_empty()).then(|| word.to_owned())
    })
}

fn one_line(text: &str) -> String {
    let clean: String =
        text.chars().map(|letter| if letter.is_control() || letter == '\u{a0}' { ' ' } else { letter }).collect();
    clean.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(bytes: &[u8]) -> String {
        line(bytes, Charset::default())
    }

    #[test]
    fn text() {
        assert_eq!(plain(b"Black Toner \0\0"), "Black Toner");
        assert_eq!(plain("黑色碳粉".as_bytes()), "黑色碳粉");
        assert_eq!(
            plain(b"Magenta Cartridge HP CF413A This d\n65 73 63 72 69 70 74 69 6F 6E 00"),
            "Magenta Cartridge HP CF413A This description"
        );
        assert_eq!(plain(b"U64969H9N19924\n32"), "U64969H9N199242");
        assert_eq!(plain(b"Cartouche\nnoire"), "Cartouche noire");
        assert_eq!(plain(b"\x01\x15Ready"), "Ready");
        assert_eq!(plain(b"Bo\xeete"), "Boîte");
        assert_eq!(line(b"Toner \xd8rigin", Charset(Some(2004))), "Toner Ärigin");
    }

    #[test]
    fn text_in_shift_jis_and_utf_16() {
        assert_eq!(line(&[0x83, 0x67, 0x83, 0x69, 0x81, 0x5b], Charset(Some(17))), "トナー");
        assert_eq!(line("トナー".as_bytes(), Charset(Some(17))), "トナー", "declares one set, sends another");
        assert_eq!(plain(b"T\0r\0a\0y\0 \x001\0"), "Tray 1");
        assert_eq!(plain(b"\0T\0r\0a\0y"), "Tray");
        assert_eq!(line(&[0x30, 0xc8, 0x30, 0xca], Charset(Some(1013))), "トナ");
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_become_one_line(bytes: Vec<u8>, charset in 0i64..3000) {
            let text = line(&bytes, Charset(Some(charset)));
            proptest::prop_assert!(!text.contains(['\n', '\r', '\0']));
        }
    }
}
