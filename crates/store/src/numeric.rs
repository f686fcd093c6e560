//! PostgreSQL's binary `numeric`: what `sum(bigint)` and `avg(bigint)` answer there, while SQLite answers an integer
//! or a real. Whole numbers that fit become integers, the rest reals.

use crate::Value;

const NEGATIVE: u16 = 0x4000;
const NOT_A_NUMBER: u16 = 0xC000;

/// Decodes `ndigits weight sign dscale digits…` (16 bits each, digits to the base 10,000).
pub(crate) fn decode(bytes: &[u8]) -> Option<Value> {
    let mut words = bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
    let count = words.next()?;
    let weight = i32::from(words.next()?.cast_signed());
    let sign = words.next()?;
    let _scale = words.next()?;
    if sign & NOT_A_NUMBER == NOT_A_NUMBER {
        return Some(Value::Real(f64::NAN));
    }
    let digits: Vec<i32> = words.take(count.into()).map(i32::from).collect();
    let negative = sign == NEGATIVE;
    match whole(&digits, weight, negative) {
        Some(number) => Some(Value::Int(number)),
        None => Some(Value::Real(real(&digits, weight, negative))),
    }
}

fn whole(digits: &[i32], weight: i32, negative: bool) -> Option<i64> {
    let places = usize::try_from(weight + 1).ok()?;
    if digits.iter().skip(places).any(|digit| *digit != 0) || places > 5 {
        return if digits.is_empty() { Some(0) } else { None };
    }
    let mut sum: i128 = 0;
    for place in 0..places {
        sum = sum * 10_000 + i128::from(digits.get(place).copied().unwrap_or(0));
    }
    i64::try_from(if negative { -sum } else { sum }).ok()
}

fn real(digits: &[i32], weight: i32, negative: bool) -> f64 {
    let sum: f64 = (0_i32..).zip(digits).map(|(at, digit)| f64::from(*digit) * 10_000_f64.powi(weight - at)).sum();
    if negative { -sum } else { sum }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_bytes_are_decoded_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            decode(&bytes);
        }
    }

    fn words(words: &[u16]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_be_bytes()).collect()
    }

    #[test]
    fn whole_numbers_are_integers_and_others_reals() {
        assert_eq!(decode(&words(&[0, 0, 0, 0])), Some(Value::Int(0)));
        assert_eq!(decode(&words(&[2, 1, 0, 0, 12, 3456])), Some(Value::Int(123_456)));
        assert_eq!(decode(&words(&[1, 1, 0x4000, 0, 5])), Some(Value::Int(-50_000)));
        assert_eq!(decode(&words(&[2, 0, 0, 1, 1, 5000])), Some(Value::Real(1.5)));
        assert_eq!(decode(&words(&[1, 0xFFFF, 0, 2, 2500])), Some(Value::Real(0.25)));
        assert_eq!(decode(&words(&[1, 7, 0, 0, 1])), Some(Value::Real(1e28)));
        assert_eq!(decode(&[0]), None);
    }
}
