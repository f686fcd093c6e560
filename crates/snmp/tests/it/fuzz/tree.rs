//! A packet as a tree of elements that can be written down wrongly on purpose. Shares no code with the codec.

/// An element.
#[derive(Clone, Debug)]
pub struct Node {
    /// The tag, usually one byte.
    pub tag: Vec<u8>,
    pub length: Length,
    pub body: Body,
}

/// How the length is written.
#[derive(Clone, Debug)]
pub enum Length {
    /// The shortest true form.
    True,
    /// The true length in this many octets of long form.
    Padded(usize),
    /// These octets, whatever the contents.
    Raw(Vec<u8>),
    /// 0x80 and, if so told, the two zeros at the end.
    Indefinite { ended: bool },
}

#[derive(Clone, Debug)]
pub enum Body {
    Leaf(Vec<u8>),
    Nest(Vec<Node>),
}

impl Node {
    pub fn leaf(tag: u8, contents: &[u8]) -> Self {
        Self { tag: vec![tag], length: Length::True, body: Body::Leaf(contents.to_vec()) }
    }

    pub fn nest(tag: u8, inner: Vec<Self>) -> Self {
        Self { tag: vec![tag], length: Length::True, body: Body::Nest(inner) }
    }

    /// Reads the elements of a good packet; octet strings that hold elements (security parameters) are opened too.
    pub fn parse_all(mut bytes: &[u8]) -> Option<Vec<Self>> {
        let mut all = Vec::new();
        while let &[tag, first, ref rest @ ..] = bytes {
            let (length, rest) = match first {
                0..=0x7f => (usize::from(first), rest),
                0x81..=0x83 => {
                    let (octets, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                    (octets.iter().fold(0, |length, octet| length << 8 | usize::from(*octet)), rest)
                }
                _ => return None,
            };
            let (contents, rest) = rest.split_at_checked(length)?;
            let opens = tag & 0x20 != 0 || tag == 4 && contents.first() == Some(&0x30);
            let inner = if opens { Self::parse_all(contents) } else { None };
            all.push(match inner {
                Some(inner) => Self::nest(tag, inner),
                None => Self::leaf(tag, contents),
            });
            bytes = rest;
        }
        bytes.is_empty().then_some(all)
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.tag);
        let mut contents = Vec::new();
        match &self.body {
            Body::Leaf(bytes) => contents.extend_from_slice(bytes),
            Body::Nest(inner) => inner.iter().for_each(|node| node.write(&mut contents)),
        }
        match &self.length {
            Length::True => out.extend_from_slice(&shortest(contents.len())),
            Length::Padded(octets) => {
                out.push(0x80 | *octets as u8);
                out.extend(std::iter::repeat_n(0, octets.saturating_sub(8)));
                let digits = (contents.len() as u64).to_be_bytes();
                out.extend_from_slice(&digits[8 - (*octets).min(8)..]);
            }
            Length::Raw(octets) => out.extend_from_slice(octets),
            Length::Indefinite { ended } => {
                out.push(0x80);
                if *ended {
                    contents.extend_from_slice(&[0, 0]);
                }
            }
        }
        out.extend_from_slice(&contents);
    }

    /// Elements in this one, itself included.
    pub fn count(&self) -> usize {
        1 + match &self.body {
            Body::Leaf(_) => 0,
            Body::Nest(inner) => inner.iter().map(Self::count).sum(),
        }
    }

    /// The `place`th element in order of writing, itself the 0th.
    pub fn nth(&mut self, place: usize) -> Option<&mut Self> {
        let mut left = place.checked_sub(1);
        if left.is_none() {
            return Some(self);
        }
        let Body::Nest(inner) = &mut self.body else { return None };
        for node in inner {
            let count = node.count();
            match left {
                Some(place) if place < count => return node.nth(place),
                _ => left = left.map(|left| left - count),
            }
        }
        None
    }

    pub fn inner(&mut self) -> Option<&mut Vec<Self>> {
        match &mut self.body {
            Body::Nest(inner) => Some(inner),
            Body::Leaf(_) => None,
        }
    }
}

/// A length in its shortest form.
pub fn shortest(length: usize) -> Vec<u8> {
    if length < 0x80 {
        return vec![length as u8];
    }
    let digits: Vec<u8> = (length as u64).to_be_bytes().into_iter().skip_while(|digit| *digit == 0).collect();
    [&[0x80 | digits.len() as u8], digits.as_slice()].concat()
}
