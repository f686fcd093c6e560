//! What happens to a good packet: its structure is bent, then its bytes.

use super::dice::Dice;
use super::tree::{Body, Length, Node, shortest};

/// Contents of numbers where decoders differ: ends of ranges, padding, nothing, too much.
const NUMBERS: [&[u8]; 20] = [
    &[],
    &[0x00],
    &[0x7f],
    &[0x80],
    &[0xff],
    &[0x00, 0x80],
    &[0x7f, 0xff, 0xff, 0xff],
    &[0x80, 0x00, 0x00, 0x00],
    &[0xff, 0xff, 0xff, 0xff],
    &[0x00, 0x80, 0x00, 0x00, 0x00],
    &[0x00, 0xff, 0xff, 0xff, 0xff],
    &[0x01, 0x00, 0x00, 0x00, 0x00],
    &[0xff, 0x7f, 0xff, 0xff, 0xff],
    &[0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfd],
    &[0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    &[0x01, 0, 0, 0, 0, 0, 0, 0, 0],
    &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5],
    &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfb],
    &[0x55; 20],
];

/// Object identifiers that are none, or hardly: empty, padded, too wide, without end, of two arcs.
const IDS: [&[u8]; 12] = [
    &[],
    &[0x00],
    &[0x2b],
    &[0x2b, 0x80, 0x01],
    &[0x80, 0x2b],
    &[0x2b, 0x8f, 0xff, 0xff, 0xff, 0x7f],
    &[0x2b, 0x90, 0x80, 0x80, 0x80, 0x00],
    &[0x2b, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
    &[0x2b, 0x06, 0x81],
    &[0x90, 0x80, 0x80, 0x80, 0x4f],
    &[0x90, 0x80, 0x80, 0x80, 0x50],
    &[0x81, 0x34, 0x03],
];

const TAGS: [u8; 36] = [
    0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x09, 0x0c, 0x10, 0x1f, 0x22, 0x24, 0x26, 0x30, 0x31, 0x3f, 0x40, 0x41,
    0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x60, 0x80, 0x81, 0x82, 0x83, 0xa0, 0xa2, 0xa4, 0xa7, 0xa8,
];

/// A packet made of one of `seeds`; some stay as they are, some are noise from the beginning.
pub fn packet(seeds: &[Node], dice: &mut Dice) -> Vec<u8> {
    if dice.one_in(200) {
        let length = dice.below(300);
        return dice.bytes(length);
    }
    let mut node = dice.pick(seeds).clone();
    let mut out = Vec::new();
    let turns = [0, 1, 1, 1, 1, 2, 2, 3][dice.below(8)];
    for _ in 0..turns {
        bend(&mut node, seeds, dice);
    }
    node.write(&mut out);
    for _ in 0..[0, 0, 0, 1, 1, 2][dice.below(6)] {
        scratch(&mut out, dice);
    }
    out.truncate(70_000);
    out
}

/// One change to the structure.
fn bend(root: &mut Node, seeds: &[Node], dice: &mut Dice) {
    let place = dice.below(root.count());
    let Some(node) = root.nth(place) else { return };
    match dice.below(14) {
        0 | 1 => node.length = lie(node, dice),
        2 => {
            let most = if dice.one_in(8) { 126 } else { 10 };
            node.length = Length::Padded(1 + dice.below(most));
        }
        3 => node.length = Length::Indefinite { ended: dice.one_in(2) },
        4 | 5 => number(node, dice),
        6 => identifier(node, dice),
        7 => node.tag = tag(dice),
        8 => text(node, dice),
        9 => wrap(node, dice),
        10 | 11 => reorder(node, dice),
        12 => graft(node, seeds, dice),
        _ => {
            let more = dice.below(6) + 1;
            let more = dice.bytes(more);
            match &mut node.body {
                Body::Leaf(bytes) => bytes.extend_from_slice(&more),
                Body::Nest(inner) => inner.push(Node::leaf(0x04, &more)),
            }
        }
    }
}

/// A length that is not true, by a little or by all.
fn lie(node: &Node, dice: &mut Dice) -> Length {
    let mut written = Vec::new();
    node.write(&mut written);
    let near = written.len().saturating_sub(2);
    Length::Raw(match dice.below(7) {
        0 => shortest(near.saturating_sub(1 + dice.below(4))),
        1 => shortest(near + 1 + dice.below(4)),
        2 => shortest(dice.below(70_000)),
        3 => vec![0x84, 0xff, 0xff, 0xff, 0xff],
        4 => vec![0x84, 0x7f, 0xff, 0xff, 0xff],
        5 => vec![0x88, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        _ => vec![[0x00, 0x7f, 0xff, 0x82, 0x85][dice.below(5)]],
    })
}

fn tag(dice: &mut Dice) -> Vec<u8> {
    match dice.below(12) {
        0 => vec![0x1f, 0x81, dice.byte()],
        1 => vec![dice.byte()],
        _ => vec![*dice.pick(&TAGS)],
    }
}

fn number(node: &mut Node, dice: &mut Dice) {
    let contents = match dice.below(4) {
        0 => {
            let length = dice.below(12);
            dice.bytes(length)
        }
        _ => dice.pick(&NUMBERS).to_vec(),
    };
    if dice.one_in(2) {
        node.tag = vec![*dice.pick(&[0x02, 0x41, 0x42, 0x43, 0x46, 0x47])];
    } else if !matches!(node.tag.as_slice(), [0x02 | 0x41..=0x43 | 0x46 | 0x47]) {
        return;
    }
    node.body = Body::Leaf(contents);
}

fn identifier(node: &mut Node, dice: &mut Dice) {
    if node.tag != [0x06] && !dice.one_in(4) {
        return;
    }
    node.tag = vec![0x06];
    node.body = Body::Leaf(match dice.below(5) {
        0 => [&[0x2b][..], &vec![0x01; [125, 126, 127, 128, 200][dice.below(5)]]].concat(),
        1 => {
            let length = dice.below(40);
            dice.bytes(length)
        }
        _ => dice.pick(&IDS).to_vec(),
    });
}

fn text(node: &mut Node, dice: &mut Dice) {
    let length = [0, 1, 3, 4, 5, 8, 12, 127, 128, 255, 256, 2_000][dice.below(12)];
    node.body = Body::Leaf(dice.bytes(length));
    if dice.one_in(2) {
        node.tag = vec![*dice.pick(&[0x04, 0x40, 0x44, 0x45, 0x03, 0x05, 0x80, 0x81, 0x82, 0x48])];
    }
}

/// Puts the element into many others.
fn wrap(node: &mut Node, dice: &mut Dice) {
    let depth = [1, 2, 10, 60, 300][dice.below(5)];
    let outer = *dice.pick(&[0x30, 0xa0, 0xa2, 0x24, 0x04]);
    for _ in 0..depth {
        let inner = std::mem::replace(node, Node::leaf(0x05, &[]));
        *node = Node::nest(outer, vec![inner]);
    }
}

/// Changes the order or number of what is inside.
fn reorder(node: &mut Node, dice: &mut Dice) {
    let Some(inner) = node.inner().filter(|inner| !inner.is_empty()) else { return };
    let (a, b) = (dice.below(inner.len()), dice.below(inner.len()));
    match dice.below(4) {
        0 => {
            inner.remove(a);
        }
        1 => inner.insert(b, inner[a].clone()),
        2 => inner.swap(a, b),
        _ => inner.reverse(),
    }
}

/// Puts a piece of another packet here.
fn graft(node: &mut Node, seeds: &[Node], dice: &mut Dice) {
    let mut other = dice.pick(seeds).clone();
    let place = dice.below(other.count());
    let Some(piece) = other.nth(place).map(|piece| piece.clone()) else { return };
    match node.inner() {
        Some(inner) if dice.one_in(2) => {
            let at = dice.below(inner.len() + 1);
            inner.insert(at, piece);
        }
        _ => *node = piece,
    }
}

/// One change to the bytes.
fn scratch(bytes: &mut Vec<u8>, dice: &mut Dice) {
    if bytes.is_empty() {
        return;
    }
    let at = dice.below(bytes.len());
    match dice.below(8) {
        0 => bytes[at] ^= 1 << dice.below(8),
        1 => bytes[at] = *dice.pick(&[0x00, 0x7f, 0x80, 0x81, 0x82, 0x84, 0x88, 0xff]),
        2 => bytes.truncate(at),
        3 => bytes.insert(at, dice.byte()),
        4 => {
            bytes.remove(at);
        }
        5 => {
            let end = (at + 1 + dice.below(20)).min(bytes.len());
            let piece = bytes[at..end].to_vec();
            let to = dice.below(bytes.len());
            bytes.splice(to..to, piece);
        }
        6 => {
            let length = dice.below(5) + 1;
            let more = dice.bytes(length);
            bytes.extend_from_slice(&more);
        }
        _ => bytes[at] = bytes[at].wrapping_add(1),
    }
}
