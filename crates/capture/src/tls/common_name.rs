//! The common name in the subject of an X.509 certificate.
//!
//! Only as much of DER is read as leads to that name. Whether the certificate is valid is decided before, by the TLS
//! library; here nothing more than "no name" can come of bytes that are not understood.

/// `SEQUENCE`.
const SEQUENCE: u8 = 0x30;
/// `SET`.
const SET: u8 = 0x31;
/// `INTEGER`.
const INTEGER: u8 = 0x02;
/// `OBJECT IDENTIFIER`.
const OBJECT_IDENTIFIER: u8 = 0x06;
/// `[0]`: the version, which certificates of version 1 leave out.
const VERSION: u8 = 0xa0;
/// `UTF8String`, `PrintableString`, `TeletexString` and `IA5String`: one byte per character or UTF-8.
const TEXTS: [u8; 4] = [0x0c, 0x13, 0x14, 0x16];
/// `BMPString`: UTF-16, the high byte first.
const BMP_STRING: u8 = 0x1e;
/// Object identifier 2.5.4.3, `commonName`.
const COMMON_NAME: [u8; 3] = [0x55, 0x04, 0x03];

/// Reads items of DER, one after the other.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The next item: its tag and its content.
    fn item(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            // More than four bytes of length do not occur in anything that fits a TLS message.
            0x81..=0x84 => {
                let (digits, rest) = rest.split_at_checked(usize::from(first - 0x80))?;
                (digits.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, content))
    }

    /// The content of the next item, which must have this tag.
    fn expect(&mut self, tag: u8) -> Option<Der<'a>> {
        let (found, content) = self.item()?;
        (found == tag).then_some(Der(content))
    }
}

/// The last common name in the subject of a certificate, which is what Go's and OpenSSL's users see.
pub(super) fn common_name(certificate: &[u8]) -> Option<String> {
    let mut signed = Der(certificate).expect(SEQUENCE)?.expect(SEQUENCE)?;
    if signed.0.first() == Some(&VERSION) {
        signed.item()?;
    }
    signed.expect(INTEGER)?; // serial number
    signed.expect(SEQUENCE)?; // algorithm of the signature
    signed.expect(SEQUENCE)?; // issuer
    signed.expect(SEQUENCE)?; // validity
    let mut subject = signed.expect(SEQUENCE)?;
    let mut name = None;
    while !subject.0.is_empty() {
        let mut attributes = subject.expect(SET)?;
        while !attributes.0.is_empty() {
            let mut attribute = attributes.expect(SEQUENCE)?;
            if attribute.expect(OBJECT_IDENTIFIER)?.0 == COMMON_NAME {
                let (tag, value) = attribute.item()?;
                name = Some(text(tag, value)?);
            }
        }
    }
    name
}

/// A string of DER.
fn text(tag: u8, value: &[u8]) -> Option<String> {
    if TEXTS.contains(&tag) {
        return String::from_utf8(value.to_vec()).ok();
    }
    if tag != BMP_STRING || !value.len().is_multiple_of(2) {
        return None;
    }
    let units: Vec<u16> = value.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
    String::from_utf16(&units).ok()
}

#[cfg(test)]
mod tests {
    use rcgen::string::BmpString;
    use rcgen::{CertificateParams, DistinguishedName, DnType, DnValue, KeyPair};

    use super::*;

    /// A self-signed certificate with this subject.
    fn certificate(names: &[(DnType, DnValue)]) -> Vec<u8> {
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("parameters");
        params.distinguished_name = DistinguishedName::new();
        for (kind, value) in names {
            params.distinguished_name.push(kind.clone(), value.clone());
        }
        params.self_signed(&KeyPair::generate().expect("a key")).expect("signed").der().to_vec()
    }

    #[test]
    fn the_common_name_is_found_among_other_attributes() {
        let organization = (DnType::OrganizationName, DnValue::from("TiCDC ops"));
        for name in ["ticdc", "Zoë", &"x".repeat(200)] {
            let der = certificate(&[
                (DnType::CountryName, "JP".into()),
                organization.clone(),
                (DnType::CommonName, name.into()),
            ]);
            assert_eq!(common_name(&der).as_deref(), Some(name));
        }
        let utf16 = DnValue::BmpString(BmpString::try_from("ticdc").expect("characters"));
        assert_eq!(common_name(&certificate(&[(DnType::CommonName, utf16)])).as_deref(), Some("ticdc"));
        assert_eq!(common_name(&certificate(&[organization])), None);
        assert_eq!(common_name(&certificate(&[])), None);
    }

    #[test]
    fn cut_and_changed_certificates_give_a_name_or_none_and_never_panic() {
        let der = certificate(&[(DnType::CommonName, "ticdc".into())]);
        let found = (0..der.len()).filter(|end| common_name(&der[..*end]).is_some()).count();
        assert_eq!(found, 0, "a certificate that is cut has no name");
        for at in 0..der.len() {
            for value in [0, 1, 0x30, 0x7f, 0x80, 0x84, 0x85, 0xff] {
                let mut changed = der.clone();
                changed[at] = value;
                let _ = common_name(&changed);
            }
        }
    }
}
