//! What an unquoted YAML scalar means: the core schema of YAML 1.2, in which `yes` and `on` are
//! text and `1e-4` is a number. `--set` values follow the same rules.

use super::tree::Kind;
use serde_json::Number;

/// The value of an unquoted scalar.
///
/// # Errors
/// What is wrong with a number that cannot be held: not finite, or too large.
pub fn resolve(text: &str) -> Result<Kind, &'static str> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Kind::Null),
        "true" | "True" | "TRUE" => return Ok(Kind::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(Kind::Bool(false)),
        _ => {}
    }
    if is_special_float(text) {
        return Err("numbers must be finite");
    }
    if let Some(number) = integer(text)? {
        return Ok(Kind::Number(number));
    }
    if is_float(text) {
        let number = text.parse::<f64>().ok().and_then(Number::from_f64);
        return number.map(Kind::Number).ok_or("numbers must be finite");
    }
    Ok(Kind::Text(text.to_owned()))
}

/// Decimal, `0o` octal or `0x` hexadecimal.
fn integer(text: &str) -> Result<Option<Number>, &'static str> {
    const TOO_LARGE: &str = "the number is too large";
    for (prefix, radix) in [("0x", 16), ("0o", 8)] {
        if let Some(digits) = text.strip_prefix(prefix) {
            if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
                return Ok(None);
            }
            let value = u64::from_str_radix(digits, radix).map_err(|_| TOO_LARGE)?;
            return Ok(Some(value.into()));
        }
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(None);
    }
    if text.starts_with('-') {
        let value: i64 = text.parse().map_err(|_| TOO_LARGE)?;
        return Ok(Some(value.into()));
    }
    let value: u64 = digits.parse().map_err(|_| TOO_LARGE)?;
    Ok(Some(value.into()))
}

/// `[-+]? ( . digits | digits ( . digits? )? ) ( [eE] [-+]? digits )?`
fn is_float(text: &str) -> bool {
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mantissa_ok = digits(whole)
        && digits(fraction)
        && (!whole.is_empty() || !fraction.is_empty())
        && mantissa.matches('.').count() <= 1;
    let exponent_ok = exponent.is_none_or(|e| {
        let e = e.strip_prefix(['-', '+']).unwrap_or(e);
        !e.is_empty() && digits(e)
    });
    mantissa_ok && exponent_ok
}

/// `.inf` and `.nan` in their spellings.
fn is_special_float(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn value(text: &str) -> Value {
        match resolve(text).unwrap() {
            Kind::Null => Value::Null,
            Kind::Bool(b) => json!(b),
            Kind::Number(n) => Value::Number(n),
            Kind::Text(s) => json!(s),
            other => panic!("{other:?}"),
        }
    }

    /// The examples of YAML 1.2.2, section 10.3.2, and what YAML 1.1 would have read otherwise.
    #[test]
    fn the_core_schema() {
        for (text, expected) in [
            ("", json!(null)),
            ("~", json!(null)),
            ("true", json!(true)),
            ("FALSE", json!(false)),
            ("yes", json!("yes")),
            ("off", json!("off")),
            ("0", json!(0)),
            ("0o7", json!(7)),
            ("0x3A", json!(58)),
            ("-19", json!(-19)),
            ("+12", json!(12)),
            ("007", json!(7)),
            ("0.", json!(0.0)),
            ("-0.0", json!(-0.0)),
            (".5", json!(0.5)),
            ("+12e03", json!(12000.0)),
            ("-2E+05", json!(-200_000.0)),
            ("1e-4", json!(1e-4)),
            ("1.0e-4", json!(1e-4)),
            ("1_000", json!("1_000")),
            ("1.2.3", json!("1.2.3")),
            ("e5", json!("e5")),
            (".", json!(".")),
            ("-", json!("-")),
            ("0x", json!("0x")),
            ("18446744073709551615", json!(u64::MAX)),
        ] {
            assert_eq!(value(text), expected, "{text:?}");
        }
        for text in [".inf", "-.INF", ".nan", "1e999", "18446744073709551616"] {
            assert!(resolve(text).is_err(), "{text}");
        }
    }
}
