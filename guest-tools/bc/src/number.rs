//! Decimal numbers of any length, with GNU bc's scales: every operation truncates.

use num_bigint::{BigInt, Sign};
use num_traits::{One, Pow, Signed, ToPrimitive, Zero};

/// `digits` divided by 10 to the power of `scale`.
#[derive(Debug, Clone)]
pub struct Number {
    digits: BigInt,
    pub scale: usize,
}

/// Ten to the power of `exponent`.
fn ten(exponent: usize) -> BigInt {
    BigInt::from(10u8).pow(exponent)
}

impl From<i64> for Number {
    fn from(value: i64) -> Self {
        Self {
            digits: value.into(),
            scale: 0,
        }
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.compare(other).is_eq()
    }
}

impl Number {
    pub fn zero() -> Self {
        0.into()
    }

    /// Reads digits in base `base`, perhaps with a point. A digit too large for the base counts as
    /// its largest one, unless it stands alone.
    pub fn read(text: &str, base: u32) -> Self {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let alone = text.len() == 1;
        let digit = |c: char| {
            let value = c.to_digit(36).unwrap_or(0);
            if alone { value } else { value.min(base - 1) }
        };
        if base == 10 {
            let all: String = whole
                .chars()
                .chain(fraction.chars())
                .map(|c| char::from_digit(digit(c).min(9), 10).unwrap_or('0'))
                .collect();
            let value = if alone && !text.contains('.') {
                text.chars().next().map_or(0, digit).into()
            } else {
                all.parse().unwrap_or_default()
            };
            return Self {
                digits: value,
                scale: fraction.len(),
            };
        }
        let mut value = BigInt::zero();
        for c in whole.chars() {
            value = value * base + digit(c);
        }
        let mut below = BigInt::zero();
        for c in fraction.chars() {
            below = below * base + digit(c);
        }
        let scale = fraction.len();
        let below = below * ten(scale) / BigInt::from(base).pow(scale);
        Self {
            digits: value * ten(scale) + below,
            scale,
        }
    }

    pub fn is_zero(&self) -> bool {
        self.digits.is_zero()
    }

    pub fn is_negative(&self) -> bool {
        self.digits.is_negative()
    }

    /// The same value at another scale, truncated.
    pub fn at_scale(&self, scale: usize) -> Self {
        let digits = if scale >= self.scale {
            &self.digits * ten(scale - self.scale)
        } else {
            &self.digits / ten(self.scale - scale)
        };
        Self { digits, scale }
    }

    pub fn negated(&self) -> Self {
        Self {
            digits: -&self.digits,
            scale: self.scale,
        }
    }

    pub fn compare(&self, other: &Self) -> std::cmp::Ordering {
        let scale = self.scale.max(other.scale);
        self.at_scale(scale)
            .digits
            .cmp(&other.at_scale(scale).digits)
    }

    pub fn plus(&self, other: &Self) -> Self {
        let scale = self.scale.max(other.scale);
        Self {
            digits: self.at_scale(scale).digits + other.at_scale(scale).digits,
            scale,
        }
    }

    pub fn minus(&self, other: &Self) -> Self {
        self.plus(&other.negated())
    }

    pub fn times(&self, other: &Self, scale: usize) -> Self {
        let whole = self.scale + other.scale;
        let product = Self {
            digits: &self.digits * &other.digits,
            scale: whole,
        };
        product.at_scale(whole.min(scale.max(self.scale).max(other.scale)))
    }

    /// `None` for a division by zero.
    pub fn divided_by(&self, other: &Self, scale: usize) -> Option<Self> {
        if other.is_zero() {
            return None;
        }
        let digits = &self.digits * ten(scale + other.scale) / (&other.digits * ten(self.scale));
        Some(Self { digits, scale })
    }

    /// What a division at `scale` leaves over.
    pub fn modulo(&self, other: &Self, scale: usize) -> Option<Self> {
        let quotient = self.divided_by(other, scale)?;
        let kept = self.scale.max(other.scale + scale);
        Some(self.minus(&quotient.times(other, kept)).at_scale(kept))
    }

    /// A power with a whole exponent; `None` for zero to a negative one.
    pub fn power(&self, exponent: i64, scale: usize) -> Option<Self> {
        let size = usize::try_from(exponent.unsigned_abs()).ok()?;
        let whole = Self {
            digits: Pow::pow(&self.digits, size),
            scale: self.scale.checked_mul(size)?,
        };
        if exponent < 0 {
            return Self::from(1).divided_by(&whole, scale);
        }
        let most = whole.scale.min(scale.max(self.scale));
        Some(whole.at_scale(most))
    }

    /// `None` for a negative number.
    pub fn square_root(&self, scale: usize) -> Option<Self> {
        if self.is_negative() {
            return None;
        }
        let scale = scale.max(self.scale);
        Some(Self {
            digits: (&self.digits * ten(2 * scale - self.scale)).sqrt(),
            scale,
        })
    }

    /// The number of significant digits, as `length` counts them.
    pub fn length(&self) -> usize {
        let shown = self.digits.abs().to_string();
        if self.digits.is_zero() {
            return self.scale.max(1);
        }
        shown.len().max(self.scale)
    }

    /// The whole part as a machine number.
    pub fn to_i64(&self) -> Option<i64> {
        self.at_scale(0).digits.to_i64()
    }

    /// The digits in base `base`, with a sign, without folding.
    pub fn show(&self, base: u32) -> String {
        if self.is_zero() {
            return "0".to_owned();
        }
        let sign = if self.is_negative() { "-" } else { "" };
        let size = self.digits.abs();
        let (whole, below) = (&size / ten(self.scale), &size % ten(self.scale));
        if base == 10 {
            let whole = if whole.is_zero() {
                String::new()
            } else {
                whole.to_string()
            };
            let below = below.to_string();
            let point = if self.scale > 0 { "." } else { "" };
            // Longer than a format's width may be.
            let below = if self.scale > 0 {
                "0".repeat(self.scale.saturating_sub(below.len())) + &below
            } else {
                String::new()
            };
            return format!("{sign}{whole}{point}{below}");
        }
        let mut out = sign.to_owned();
        let width = (base - 1).to_string().len();
        // Digits of large bases are numbers with a blank before each.
        let push = |out: &mut String, digit: u32| match char::from_digit(digit, 16) {
            Some(c) if base <= 16 => out.push(c.to_ascii_uppercase()),
            _ => out.push_str(&format!(" {digit:0width$}")),
        };
        if !whole.is_zero() {
            for digit in in_base(&whole, base) {
                push(&mut out, digit);
            }
        }
        if self.scale > 0 {
            out.push('.');
            let (mut rest, mut reach) = (below, BigInt::one());
            let unit = ten(self.scale);
            let end = ten(self.scale);
            let mut first = true;
            while reach < end {
                rest *= base;
                let digit = (&rest / &unit).to_u32().unwrap_or(0);
                rest %= &unit;
                if first && base > 16 {
                    // The point stands for the first blank.
                    out.push_str(&format!("{digit:0width$}"));
                } else {
                    push(&mut out, digit);
                }
                first = false;
                reach *= base;
            }
        }
        out
    }
}

fn in_base(value: &BigInt, base: u32) -> Vec<u32> {
    if base <= 256 {
        return value
            .to_biguint()
            .unwrap_or_default()
            .to_radix_be(base)
            .into_iter()
            .map(u32::from)
            .collect();
    }
    let mut rest = value.clone();
    let mut digits = Vec::new();
    while rest.sign() == Sign::Plus {
        digits.push((&rest % base).to_u32().unwrap_or(0));
        rest /= base;
    }
    digits.reverse();
    digits
}
