//! Values of a row's columns, for those who decide about rows rather than send them.

use tidb_codec::field::tp;
use tidb_codec::row::decode_column;
use tidb_codec::{CodecError, Datum, datum};

use crate::column_template::ColumnTemplate;
use crate::row_image::{Located, RowImage};
use crate::{CanalEncoder, EncodeError, RowChange};

/// Which row of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The row before.
    Before,
    /// The row after.
    After,
}

/// Reads columns of a row before or after a change.
pub struct RowReader<'e, 'r> {
    /// What knows the table.
    encoder: &'e CanalEncoder,
    /// The row.
    image: RowImage<'r>,
    /// For messages.
    change: RowChange<'r>,
}

impl CanalEncoder {
    /// A reader of the row before or after a change; `None` if there is no such row.
    ///
    /// # Errors
    /// If the row is malformed.
    pub fn reader<'e, 'r>(
        &'e self,
        change: &RowChange<'r>,
        moment: Moment,
    ) -> Result<Option<RowReader<'e, 'r>>, EncodeError> {
        let images = self.images(change).map_err(|error| error.in_row(|| self.changed_row(change)))?;
        let image = match moment {
            Moment::Before => images.0,
            Moment::After => images.1,
        };
        Ok(image.map(|image| RowReader { encoder: self, image, change: *change }))
    }
}

impl RowReader<'_, '_> {
    /// The value of the column at a position of the table, TIMESTAMPs in the zone of the messages; `None` if the row was
    /// written before the column existed.
    ///
    /// # Errors
    /// If the value is malformed.
    pub fn value(&self, position: usize) -> Result<Option<Datum>, EncodeError> {
        let Ok(at) = self.encoder.positions.binary_search(&position) else { return Ok(None) };
        let Some(column) = self.encoder.columns.get(at) else { return Ok(None) };
        self.read(column).map_err(|source| {
            let error = self.encoder.table.column_error(&column.name, source);
            error.in_row(|| self.encoder.changed_row(&self.change))
        })
    }

    /// The value of a column.
    fn read(&self, column: &ColumnTemplate) -> Result<Option<Datum>, CodecError> {
        let Some(value) = stored_value(column, &self.image)? else { return Ok(None) };
        Ok(Some(match value {
            Datum::Time(time) if column.field.tp == tp::TIMESTAMP && !time.is_zero() => {
                Datum::Time(time.from_utc_to(&self.encoder.options.time_zone)?)
            }
            other => other,
        }))
    }
}

/// The value of a column as it is stored; `None` if the row was written before the column existed.
///
/// # Errors
/// If the value is malformed.
pub(crate) fn stored_value(
    column: &ColumnTemplate,
    image: &RowImage<'_>,
) -> Result<Option<Datum>, CodecError> {
    Ok(Some(match image.locate(column)? {
        Located::Missing => return Ok(None),
        Located::Null => Datum::Null,
        Located::Raw(raw) => decode_column(&column.field, raw)?,
        Located::Flagged(flagged) => datum::decode_one(flagged)?.0.into_column(&column.field)?,
        Located::Handle(handle) if column.field.is_unsigned() => Datum::Uint(handle as u64),
        Located::Handle(handle) => Datum::Int(handle),
    }))
}
