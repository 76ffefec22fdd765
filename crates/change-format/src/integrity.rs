//! Row checksums: whether a row is still the one that TiDB wrote.

use tidb_codec::row::{Row, RowV2, checksum};
use tidb_codec::{CodecError, Datum, key};

use crate::column_template::ColumnTemplate;
use crate::row_image::RowImage;
use crate::row_reader::stored_value;
use crate::{CanalEncoder, EncodeError, RowChange};

impl CanalEncoder {
    /// Checks the checksums of the row before and after a change, where there are any: `tidb_enable_row_level_checksum`
    /// makes TiDB write them.
    ///
    /// # Errors
    /// [`EncodeError::Corrupted`] if one does not match, or another error if the row cannot be read.
    pub fn verify_checksums(&self, row: &RowChange<'_>) -> Result<(), EncodeError> {
        self.verify_images(row).map_err(|error| error.in_row(|| self.changed_row(row)))
    }

    /// Checks both images; errors do not name the row yet.
    fn verify_images(&self, row: &RowChange<'_>) -> Result<(), EncodeError> {
        let (old, new) = self.images(row)?;
        let raw_key = key::strip_keyspace(row.key);
        for (image, word) in [(&old, "before"), (&new, "after")] {
            if let Some(image) = image {
                self.verify(image, raw_key).map_err(|source| self.table.corrupted(word, source))?;
            }
        }
        Ok(())
    }

    /// Checks one image.
    fn verify(&self, image: &RowImage<'_>, raw_key: &[u8]) -> Result<(), CodecError> {
        let Row::V2(row) = image.stored() else { return Ok(()) };
        if row.verify_checksum(raw_key)? {
            return Ok(());
        }
        match row.checksum() {
            // A column that was dropped since was covered, and its type is not known any more.
            Some(stored) if self.knows_all_columns(row) => stored.check(self.checksum_of_columns(image)?),
            _ => Ok(()),
        }
    }

    /// Whether the table still has every column that the row holds.
    fn knows_all_columns(&self, row: &RowV2<'_>) -> bool {
        row.values().all(|(id, _)| self.columns.iter().any(|column| column.id == id))
    }

    /// The checksum over the values of columns, as TiDB made it before 8.3.
    fn checksum_of_columns(&self, image: &RowImage<'_>) -> Result<u32, CodecError> {
        let mut columns: Vec<&ColumnTemplate> = self.columns.iter().collect();
        columns.sort_by_key(|column| column.id);
        let values = columns.iter().map(|column| value_then(column, image)).collect::<Result<Vec<_>, _>>()?;
        checksum::of_columns(columns.iter().map(|column| &column.field).zip(&values))
    }
}

/// The value of a column as it was when the row was written: NULL if the column did not exist, which adds nothing to
/// a checksum.
fn value_then(column: &ColumnTemplate, image: &RowImage<'_>) -> Result<Datum, CodecError> {
    Ok(stored_value(column, image)?.unwrap_or(Datum::Null))
}
