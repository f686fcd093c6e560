//! What descriptions of supplies call things, in the languages that panels are set to: the kind, and the colour.

use crate::text::find_words;

/// Words that tell the kind where the type column does not; the first that occurs counts. What is left over comes before
/// what it was made of.
const KINDS: &[(&str, &[&str])] = &[
    ("waste-ink", &["waste ink", "maintenance box", "maintenance tank", "メンテナンスボックス", "廃インク", "废墨"]),
    (
        "waste-toner",
        &[
            "waste",
            "resttoner",
            "alttoner",
            "tonerauffang",
            "tonersammel",
            "toner usagé",
            "toner usage",
            "récupération",
            "recuperation",
            "recupero",
            "residu",
            "resídu",
            "scarto",
            "esausto",
            "afval",
            "överskott",
            "spildtoner",
            "zużyt",
            "odpadní",
            "отработ",
            "回收",
            "廢",
            "废",
            "廃",
            "回収",
            "폐토너",
        ],
    ),
    ("toner", &["toner", "tóner", "тонер", "碳粉", "墨粉", "粉盒", "トナー", "토너"]),
    (
        "opc",
        &[
            "drum",
            "photoconductor",
            "imaging unit",
            "trommel",
            "tambour",
            "tambor",
            "tamburo",
            "fotoconduttore",
            "fotoconductor",
            "photoconducteur",
            "fotoleiter",
            "cilindro",
            "trumma",
            "bęben",
            "válec",
            "барабан",
            "感光",
            "硒鼓",
            "ドラム",
            "드럼",
        ],
    ),
    (
        "developer",
        &["developer", "entwickler", "développ", "revelador", "sviluppatore", "ontwikkel", "显影", "現像", "현상"],
    ),
    ("fuser", &["fuser", "fusing", "fixier", "fusore", "fusor", "fixeer", "定影", "定着", "정착"]),
    (
        "transfer-unit",
        &[
            "transfer",
            "belt",
            "transfert",
            "trasferimento",
            "transferencia",
            "übertragung",
            "転写",
            "转印",
            "轉印",
            "전사",
        ],
    ),
    (
        "ink",
        &["ink", "tinte", "encre", "tinta", "inchiostro", "inkt", "bläck", "tusz", "чернил", "墨", "インク", "잉크"],
    ),
    (
        "staples",
        &["staple", "heftklammer", "agrafe", "grapa", "punti metallici", "nietje", "скреп", "订书", "針", "스테이플"],
    ),
];

/// Colour words that stand by themselves.
const WORDS: [(&str, &[&str]); 4] = [
    (
        "black",
        &[
            "noir", "noire", "nero", "nera", "negro", "negra", "preto", "preta", "zwart", "zwarte", "svart", "sort",
            "bk",
        ],
    ),
    ("cyan", &["ciano", "cian", "cián", "cyaan", "cyanová"]),
    ("magenta", &[]),
    ("yellow", &["geel", "gele", "gul", "gula"]),
];

/// Beginnings of colour words, which languages lengthen: `schwarze`, `Gelbtoner`, `żółty`. Words that are written without
/// blanks count wherever they stand.
const BEGINNINGS: [(&str, &[&str]); 4] = [
    ("black", &["black", "schwarz", "czarn", "čern", "чёрн", "черн", "黑", "黒", "ブラック", "검정", "검은", "블랙"]),
    ("cyan", &["cyan", "azurov", "błękit", "голуб", "циан", "青", "シアン", "시안", "청록"]),
    ("magenta", &["magenta", "purpur", "пурпур", "маджент", "洋紅", "洋红", "品红", "品紅", "マゼンタ", "마젠타"]),
    (
        "yellow",
        &[
            "yellow",
            "gelb",
            "jaune",
            "giall",
            "amarill",
            "amarel",
            "żółt",
            "žlut",
            "жёлт",
            "желт",
            "黃",
            "黄",
            "イエロー",
            "노랑",
            "노란",
            "옐로",
        ],
    ),
];

/// The kind of supply that a description names.
pub(super) fn kind(description: &str) -> Option<&'static str> {
    let text = description.to_lowercase();
    KINDS.iter().find(|(_, words)| words.iter().any(|word| text.contains(word))).map(|(kind, _)| *kind)
}

/// The colour that a text names.
pub(super) fn color(text: &str) -> Option<&'static str> {
    let text = text.to_lowercase();
    let alone = |words: &[&str]| words.iter().any(|word| find_words(&text, word).is_some());
    let begins = |words: &[&str]| words.iter().any(|word| begins_a_word(&text, word));
    let places = WORDS.iter().zip(&BEGINNINGS);
    places.filter(|((_, words), (_, stems))| alone(words) || begins(stems)).map(|((color, _), _)| *color).next()
}

/// Whether a word begins so; where no blanks part words, whether it occurs.
fn begins_a_word(text: &str, start: &str) -> bool {
    let parted = start.chars().all(|letter| letter < '\u{1100}');
    let apart = |at: usize| text[..at].chars().next_back().is_none_or(|before| !before.is_alphabetic());
    text.match_indices(start).any(|(at, _)| !parted || apart(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_of_many_languages_tell_kind_and_colour() {
        for (text, expected) in [
            ("Black Toner Cartridge", ("toner", "black")),
            ("Tonerkassette Schwarz", ("toner", "black")),
            ("Gelbe Tonerkartusche", ("toner", "yellow")),
            ("Cyantoner", ("toner", "cyan")),
            ("Cartouche de toner noire", ("toner", "black")),
            ("Tóner amarillo", ("toner", "yellow")),
            ("Toner giallo", ("toner", "yellow")),
            ("Tambor preto", ("opc", "black")),
            ("Zwarte toner", ("toner", "black")),
            ("Svart toner", ("toner", "black")),
            ("Czarny toner", ("toner", "black")),
            ("Žlutý toner", ("toner", "yellow")),
            ("Чёрный тонер", ("toner", "black")),
            ("Жёлтый картридж с тонером", ("toner", "yellow")),
            ("黑色墨粉盒", ("toner", "black")),
            ("青色硒鼓", ("opc", "cyan")),
            ("トナー(マゼンタ)", ("toner", "magenta")),
            ("검정 토너", ("toner", "black")),
            ("Cartucho de tinta cian", ("ink", "cyan")),
        ] {
            assert_eq!((kind(text).unwrap_or("-"), color(text).unwrap_or("-")), expected, "{text}");
        }
        for (text, expected) in [
            ("Resttonerbehälter", "waste-toner"),
            ("Bac de récupération de toner", "waste-toner"),
            ("Vaschetta di recupero toner", "waste-toner"),
            ("Contenedor de tóner residual", "waste-toner"),
            ("廃トナーボックス", "waste-toner"),
            ("废粉盒", "waste-toner"),
            ("폐토너 통", "waste-toner"),
            ("Fixiereinheit", "fuser"),
            ("Übertragungsband", "transfer-unit"),
            ("Fotoleitertrommel", "opc"),
        ] {
            assert_eq!((kind(text), color(text)), (Some(expected), None), "{text}");
        }
        assert_eq!((kind("Sorter tray"), color("Sorter tray")), (None, None), "no colour in other words");
        assert_eq!(color("Guling 5"), None);
    }
}
