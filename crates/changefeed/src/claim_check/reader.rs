//! Reading what was stored, as consumers do.

use changefeed_config::ClaimCheckPlace;

use super::Store;
use super::bucket::Bucket;
use super::folder::Folder;
use crate::FeedError;

/// Reads large messages from where a changefeed has stored them.
#[derive(Debug)]
pub struct ClaimCheckReader {
    /// The place.
    store: Store,
}

impl ClaimCheckReader {
    /// A reader of the place that a `claim-check-storage-uri` names. Nothing is asked of it yet.
    ///
    /// # Errors
    /// If the URI is wrong.
    pub fn open(uri: &str) -> Result<Self, FeedError> {
        let store = match ClaimCheckPlace::parse(uri)? {
            ClaimCheckPlace::Folder(folder) => Store::Folder(Folder::of(&folder).into()),
            ClaimCheckPlace::S3(place) => Store::Bucket(Bucket::open(&place)?),
        };
        Ok(Self { store })
    }

    /// The message that `_tidb.claimCheckLocation` names: the last part of it, in this place. Plain, however it is kept.
    ///
    /// # Errors
    /// If it is not there, or is no such message.
    pub async fn read(&self, location: &str) -> Result<Vec<u8>, FeedError> {
        let name = location.rsplit('/').next().unwrap_or_default();
        let failed = |reason: String| {
            let place = self.store.location(name);
            let message = format!("cannot read the large message in {place}: {reason}");
            FeedError::new("CDC:ErrExternalStorageAPI", message)
        };
        let object = self.store.read(name).await.map_err(failed)?;
        let value = change_format::claimed_value(&object).map_err(failed)?;
        let plain = change_format::decompress(&value).map_err(failed)?;
        Ok(plain.into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn messages_come_back_from_the_folder_and_from_nowhere_else() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("a.json"), br#"{"key":null,"value":"eyJhIjoxfQ=="}"#)
            .expect("written");
        let reader = ClaimCheckReader::open(&format!("file://{}", folder.path().display())).expect("valid");
        let read = reader.read("s3://elsewhere/before/a.json").await.expect("there");
        assert_eq!(read, br#"{"a":1}"#);
        for missing in ["file:///etc/passwd", "b.json", "", "x/.."] {
            let error = reader.read(missing).await.expect_err(missing);
            assert!(error.message.contains("cannot read the large message in file://"), "{error}");
        }
    }
}
