//! Bytes by which equal values are found: for `GROUP BY`, `DISTINCT`, `UNION` and joins.

use tidb_codec::Datum;

use tidb_expr::collation::Collation;

/// Appends bytes that two values share exactly if they are equal. Numbers of different kinds are equal when their
/// values are.
pub(crate) fn append(value: &Datum, collation: Collation, out: &mut Vec<u8>) {
    match value {
        Datum::Null => out.push(0),
        Datum::Int(v) => number(&v.to_string(), out),
        Datum::Uint(v) | Datum::Enum(v) | Datum::Set(v) | Datum::Bit(v) => number(&v.to_string(), out),
        Datum::Float(v) => double(f64::from(*v), out),
        Datum::Double(v) => double(*v, out),
        Datum::Decimal(v) => {
            let text = v.to_string();
            let plain =
                if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
            number(if plain == "-0" { "0" } else { plain }, out);
        }
        Datum::Bytes(v) => framed(2, &collation.sort_key(v), out),
        Datum::Time(v) => framed(3, &v.packed().to_be_bytes(), out),
        Datum::Duration(v) => framed(4, &v.nanos().to_be_bytes(), out),
        Datum::Json(v) => framed(5, v.to_string().as_bytes(), out),
        Datum::Vector(v) => framed(6, format!("{v:?}").as_bytes(), out),
    }
}

/// Appends a number by its digits, so that equal numbers of all kinds are alike.
fn number(text: &str, out: &mut Vec<u8>) {
    framed(1, text.as_bytes(), out);
}

/// Appends a double as the number that it is.
fn double(value: f64, out: &mut Vec<u8>) {
    // Whole doubles are written like integers, so that they equal them.
    let value = if value == 0.0 { 0.0 } else { value };
    number(&value.to_string(), out);
}

/// Appends bytes behind their kind and length.
fn framed(kind: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(kind);
    out.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
    out.extend_from_slice(bytes);
}

/// The bytes of several values.
pub(crate) fn of(values: &[Datum], collations: &[Collation]) -> Vec<u8> {
    let mut out = Vec::new();
    for (at, value) in values.iter().enumerate() {
        append(
            value,
            collations.get(at).copied().unwrap_or_else(tidb_expr::collation::utf8mb4_bin),
            &mut out,
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidb_expr::collation::utf8mb4_bin;

    #[test]
    fn numbers_of_different_kinds_are_equal_by_value() {
        let key = |v: Datum| of(&[v], &[utf8mb4_bin()]);
        assert_eq!(key(Datum::Int(5)), key(Datum::Uint(5)));
        assert_eq!(key(Datum::Double(5.0)), key(Datum::Int(5)));
        assert_eq!(key(Datum::Decimal(tidb_codec::Decimal::parse("5.00").unwrap())), key(Datum::Int(5)));
        assert_ne!(key(Datum::Null), key(Datum::Int(0)));
    }
}
