//! The functions of `bc -l`: series at a raised scale, so that their digits are GNU bc's.

use crate::number::Number;

/// Numbers at a scale.
struct At(usize);

impl At {
    fn times(&self, left: &Number, right: &Number) -> Number {
        left.times(right, self.0)
    }
    /// Only for divisors that cannot be zero.
    fn over(&self, left: &Number, right: &Number) -> Number {
        left.divided_by(right, self.0).unwrap_or_else(Number::zero)
    }
    fn root(&self, value: &Number) -> Number {
        value.square_root(self.0).unwrap_or_else(Number::zero)
    }
}

fn decimal(text: &str) -> Number {
    Number::read(text, 10)
}

fn cut(value: &Number, scale: usize) -> Number {
    value.at_scale(scale)
}

/// A part of a scale, as `1.2 * scale` in a scale's place.
fn share(scale: usize, tenths: usize) -> usize {
    scale * tenths / 10
}

/// Runs the library's function `name`; `None` when there is none of that name and count.
pub fn call(name: &str, arguments: &[Number], scale: usize) -> Option<Number> {
    Some(match (name, arguments) {
        ("e", [x]) => exponential(x, scale),
        ("l", [x]) => logarithm(x, scale),
        ("s", [x]) => sine(x, scale),
        ("c", [x]) => cosine(x, scale),
        ("a", [x]) => arctangent(x, scale),
        ("j", [n, x]) => bessel(n, x, scale),
        _ => return None,
    })
}

fn exponential(x: &Number, scale: usize) -> Number {
    let negative = x.is_negative();
    let mut x = if negative { x.negated() } else { x.clone() };
    let extra = decimal(".44").times(&x, 2).to_i64().unwrap_or(0);
    let working = At(6 + scale + usize::try_from(extra).unwrap_or(0));
    let (one, two) = (Number::from(1), Number::from(2));
    let mut halving = x.scale + 1;
    let mut halvings = 0;
    while x.compare(&one).is_gt() {
        halvings += 1;
        x = At(halving).over(&x, &two);
        halving += 1;
    }
    let mut sum = one.plus(&x);
    let (mut power, mut factorial) = (x.clone(), one.clone());
    for index in 2.. {
        power = working.times(&power, &x);
        factorial = working.times(&factorial, &index.into());
        let term = working.over(&power, &factorial);
        if term.is_zero() {
            break;
        }
        sum = sum.plus(&term);
    }
    for _ in 0..halvings {
        sum = working.times(&sum, &sum);
    }
    if negative {
        At(scale).over(&one, &sum)
    } else {
        cut(&sum, scale)
    }
}

fn logarithm(x: &Number, scale: usize) -> Number {
    let one = Number::from(1);
    if x.is_zero() || x.is_negative() {
        let ten = Number::from(10)
            .power(scale as i64, 0)
            .unwrap_or_else(Number::zero);
        return cut(&one.minus(&ten), scale);
    }
    let working = At(6 + scale);
    let (two, half) = (Number::from(2), decimal(".5"));
    let (mut x, mut factor) = (x.clone(), two.clone());
    while x.compare(&two).is_ge() || x.compare(&half).is_le() {
        factor = working.times(&factor, &two);
        x = working.root(&x);
    }
    let mut power = working.over(&x.minus(&one), &x.plus(&one));
    let square = working.times(&power, &power);
    let mut sum = power.clone();
    for index in (3..).step_by(2) {
        power = working.times(&power, &square);
        let term = working.over(&power, &Number::from(index));
        if term.is_zero() {
            break;
        }
        sum = sum.plus(&term);
    }
    cut(&working.times(&factor, &sum), scale)
}

fn sine(x: &Number, scale: usize) -> Number {
    let quarter = arctangent(&1.into(), share(scale, 11) + 2);
    let negative = x.is_negative();
    let mut x = if negative { x.negated() } else { x.clone() };
    let whole = At(0);
    let four = Number::from(4);
    let turns = whole.over(&whole.over(&x, &quarter).plus(&2.into()), &four);
    x = x.minus(&whole.times(&whole.times(&four, &turns), &quarter));
    if turns
        .modulo(&2.into(), 0)
        .is_some_and(|rest| !rest.is_zero())
    {
        x = x.negated();
    }
    let working = At(scale + 2);
    let square = working.times(&x.negated(), &x);
    let (mut sum, mut term) = (x.clone(), x);
    for index in (3i64..).step_by(2) {
        let divisor = Number::from(index * (index - 1));
        term = working.times(&term, &working.over(&square, &divisor));
        if term.is_zero() {
            break;
        }
        sum = sum.plus(&term);
    }
    cut(&if negative { sum.negated() } else { sum }, scale)
}

fn cosine(x: &Number, scale: usize) -> Number {
    let raised = share(scale, 12);
    let half = At(raised).times(&arctangent(&1.into(), raised), &2.into());
    cut(&sine(&x.plus(&half), raised), scale)
}

/// Arctangents that are needed all the time: of what, up to which scale, and their value.
const KNOWN: [(&str, usize, &str); 6] = [
    ("1", 25, ".7853981633974483096156608"),
    ("1", 40, ".7853981633974483096156608458198757210492"),
    (
        "1",
        60,
        ".785398163397448309615660845819875721049292349843776455243736",
    ),
    (".2", 25, ".1973955598498807583700497"),
    (".2", 40, ".1973955598498807583700497651947902934475"),
    (
        ".2",
        60,
        ".197395559849880758370049765194790293447585103787852101517688",
    ),
];

fn arctangent(x: &Number, scale: usize) -> Number {
    let negative = x.is_negative();
    let signed = |value: Number| if negative { value.negated() } else { value };
    let mut x = if negative { x.negated() } else { x.clone() };
    let known = KNOWN
        .iter()
        .find(|(of, most, _)| scale <= *most && decimal(of) == x);
    if let Some((_, _, value)) = known {
        return cut(&signed(decimal(value)), scale);
    }
    let fifth = decimal(".2");
    let step = if x.compare(&fifth).is_gt() {
        arctangent(&fifth, scale + 5)
    } else {
        Number::zero()
    };
    let working = At(scale + 3);
    let one = Number::from(1);
    let mut steps = 0;
    while x.compare(&fifth).is_gt() {
        steps += 1;
        let below = one.plus(&working.times(&x, &fifth));
        x = working.over(&x.minus(&fifth), &below);
    }
    let square = working.times(&x.negated(), &x);
    let (mut sum, mut power) = (x.clone(), x);
    for index in (3i64..).step_by(2) {
        power = working.times(&power, &square);
        let term = working.over(&power, &index.into());
        if term.is_zero() {
            break;
        }
        sum = sum.plus(&term);
    }
    let all = At(scale).times(&Number::from(steps), &step).plus(&sum);
    cut(&signed(all), scale)
}

fn bessel(order: &Number, x: &Number, scale: usize) -> Number {
    let order = order.to_i64().unwrap_or(0);
    let odd = order < 0 && order % 2 != 0;
    let order = order.abs();
    let working = At(share(scale, 15));
    let mut factorial = Number::from(1);
    for index in 2..=order {
        factorial = factorial.times(&index.into(), 0);
    }
    let power = |base: &Number| base.power(order, working.0).unwrap_or_else(Number::zero);
    let factor = working.over(&power(x), &power(&2.into()));
    let factor = working.over(&factor, &factorial);
    let square = working.over(&working.times(&x.negated(), x), &4.into());
    let working = At((share(scale, 15) + factor.length()).saturating_sub(factor.scale));
    let (mut sum, mut term) = (Number::from(1), Number::from(1));
    for index in 1i64.. {
        term = working.over(&working.times(&term, &square), &index.into());
        term = working.over(&term, &(order + index).into());
        if term.is_zero() {
            break;
        }
        sum = sum.plus(&term);
    }
    let factor = if odd { factor.negated() } else { factor };
    cut(&At(scale).times(&factor, &sum), scale)
}
