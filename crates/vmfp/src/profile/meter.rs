//! Counters of a device and the sums that vendors make of them. Base counts are kept once, by function, colour and
//! size; every published counter is a sum of them, so that published counters always add up.

/// Printing functions that put marks on paper.
const FUNCTIONS: [&str; 4] = ["print", "copy", "fax", "report"];

/// Counts since the device was made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Meters {
    /// Page sides by function × colour × size: `function * 4 + colour * 2 + large`.
    pub pages: [u32; 16],
    /// Scanned pages: mono, colour.
    pub scans: [u32; 2],
    /// Faxes sent, in pages.
    pub fax_sent: u32,
    /// Page sides on sheets that were printed on both sides.
    pub duplex: u32,
    /// Sheets of paper.
    pub sheets: u32,
    pub jams: u32,
    /// Originals through the document feeder.
    pub feeder: u32,
    pub jobs: u32,
    /// Stapled sets.
    pub staples: u32,
    /// All page sides when the power came on.
    pub at_power_on: u32,
}

impl Meters {
    pub(crate) const PRINT: usize = 0;
    pub(crate) const COPY: usize = 1;
    pub(crate) const FAX: usize = 2;
    pub(crate) const REPORT: usize = 3;

    /// Counts page sides.
    pub(crate) fn add(&mut self, function: usize, colour: bool, large: bool, pages: u32) {
        let cell = &mut self.pages[function * 4 + usize::from(colour) * 2 + usize::from(large)];
        *cell = cell.wrapping_add(pages);
    }

    /// All page sides.
    pub(crate) fn total(&self) -> u32 {
        self.pages.iter().fold(0, |sum, pages| sum.wrapping_add(*pages))
    }

    pub(crate) fn colour(&self) -> u32 {
        self.sum(0xCCCC)
    }

    pub(crate) fn mono(&self) -> u32 {
        self.sum(0x3333)
    }

    fn sum(&self, mask: u16) -> u32 {
        (0..16).filter(|cell| mask & (1 << cell) != 0).fold(0, |sum, cell| sum.wrapping_add(self.pages[cell]))
    }
}

/// A sum of counters, as a profile writes it: `print.mono + copy.mono.large`, `scan`, `500`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Expression(Vec<Term>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Term {
    Pages(u16),
    Scans(u8),
    FaxSent,
    Duplex,
    DuplexSheets,
    Sheets,
    Jams,
    Feeder,
    Jobs,
    Staples,
    SincePowerOn,
    Number(u32),
}

impl Expression {
    /// Reads a sum; the error names the word that is not understood.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        text.split('+').map(|term| Term::parse(term.trim())).collect::<Result<_, _>>().map(Self)
    }

    /// The sum now.
    pub(crate) fn value(&self, meters: &Meters) -> u32 {
        self.0.iter().fold(0, |sum, term| sum.wrapping_add(term.value(meters)))
    }
}

impl Term {
    fn parse(text: &str) -> Result<Self, String> {
        if let Ok(number) = text.parse::<u32>() {
            return Ok(Self::Number(number));
        }
        Ok(match text {
            "scan" => Self::Scans(3),
            "scan.mono" => Self::Scans(1),
            "scan.colour" => Self::Scans(2),
            "fax_sent" => Self::FaxSent,
            "duplex" => Self::Duplex,
            "duplex_sheets" => Self::DuplexSheets,
            "sheets" => Self::Sheets,
            "jams" => Self::Jams,
            "feeder" => Self::Feeder,
            "jobs" => Self::Jobs,
            "staples" => Self::Staples,
            "since_power_on" => Self::SincePowerOn,
            _ => Self::Pages(text.split('.').try_fold(0xFFFF, |mask, word| Some(mask & mask_of(word)?)).ok_or(text)?),
        })
    }

    fn value(self, meters: &Meters) -> u32 {
        match self {
            Self::Pages(mask) => meters.sum(mask),
            Self::Scans(mask) => {
                let part = |bit: u8, value: u32| if mask & bit == 0 { 0 } else { value };
                part(1, meters.scans[0]).wrapping_add(part(2, meters.scans[1]))
            }
            Self::FaxSent => meters.fax_sent,
            Self::Duplex => meters.duplex,
            Self::DuplexSheets => meters.duplex / 2,
            Self::Sheets => meters.sheets,
            Self::Jams => meters.jams,
            Self::Feeder => meters.feeder,
            Self::Jobs => meters.jobs,
            Self::Staples => meters.staples,
            Self::SincePowerOn => meters.total().wrapping_sub(meters.at_power_on),
            Self::Number(number) => number,
        }
    }
}

fn mask_of(word: &str) -> Option<u16> {
    Some(match word {
        "total" => 0xFFFF,
        "mono" => 0x3333,
        "colour" => 0xCCCC,
        "small" => 0x5555,
        "large" => 0xAAAA,
        function => 0xF << (4 * FUNCTIONS.iter().position(|name| *name == function)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Meters {
        let mut meters = Meters { scans: [3, 4], duplex: 10, ..Meters::default() };
        for (function, colour, large, pages) in [
            (0, false, false, 100),
            (0, true, false, 20),
            (1, false, true, 7),
            (2, false, false, 5),
            (1, true, true, 2),
        ] {
            meters.add(function, colour, large, pages);
        }
        meters
    }

    #[test]
    fn sums_follow_the_words() {
        let meters = sample();
        for (text, expected) in [
            ("total", 134),
            ("mono", 112),
            ("colour", 22),
            ("print", 120),
            ("print.mono + copy.mono", 107),
            ("copy.large.colour", 2),
            ("small", 125),
            ("scan", 7),
            ("scan.colour", 4),
            ("duplex_sheets", 5),
            ("total + 3", 137),
        ] {
            assert_eq!(Expression::parse(text).unwrap().value(&meters), expected, "{text}");
        }
    }

    #[test]
    fn unknown_words_are_refused() {
        assert_eq!(Expression::parse("print.green"), Err("print.green".into()));
    }
}
