//! Card numbers in rows of digits: 13 to 19 digits whose Luhn sum is right (ISO/IEC 7812).

use std::ops::Range;

const DIGITS: std::ops::RangeInclusive<usize> = 13..=19;

/// The longest card number that begins first in a row of digits with single spaces or dashes.
/// Numbers begin and end with a group, so that `4111 1111 1111 1111 2026` is found.
pub fn find(row: &[u8]) -> Option<Range<usize>> {
    let digit = |place: usize| row.get(place).is_some_and(u8::is_ascii_digit);
    let begins = |place: usize| digit(place) && !place.checked_sub(1).is_some_and(digit);
    for start in (0..row.len()).filter(|place| begins(*place)) {
        let mut digits = Vec::new();
        let mut end = None;
        for (place, byte) in row.iter().enumerate().skip(start) {
            if !byte.is_ascii_digit() {
                continue;
            }
            digits.push(byte - b'0');
            if digits.len() > *DIGITS.end() {
                break;
            }
            if !digit(place + 1) && DIGITS.contains(&digits.len()) && luhn(&digits) {
                end = Some(place + 1);
            }
        }
        if let Some(end) = end {
            return Some(start..end);
        }
    }
    None
}

fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let value = u32::from(*digit) << (place % 2);
            if value > 9 { value - 9 } else { value }
        })
        .sum();
    sum.is_multiple_of(10) && digits.iter().any(|digit| *digit != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_by_their_sum() {
        for (row, wanted) in [
            ("4111111111111111", Some(0..16)),
            ("4111-1111-1111-1111", Some(0..19)),
            ("378282246310005", Some(0..15)),
            ("2026 4111 1111 1111 1111 12", Some(5..24)),
            ("4111111111111112", None),
            ("0000000000000000", None),
            ("411111111111", None),
            ("41111111111111111111", None),
        ] {
            assert_eq!(find(row.as_bytes()), wanted, "{row}");
        }
    }
}
