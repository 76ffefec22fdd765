//! A choice of columns with everything that does not depend on the row rendered.

use jiff::tz::TimeZone;
use tidb_codec::CodecError;

use crate::column_template::ColumnTemplate;
use crate::row_image::{Located, RowImage};

/// A choice of columns of a table, in table order.
#[derive(Debug)]
pub(crate) struct Projection {
    /// Positions in the list of templates.
    columns: Vec<usize>,
    /// Text of `sqlType`; what depends on values is left out.
    sql_type: Vec<u8>,
    /// Unsigned integers: where in `sql_type` their number belongs, and their position among the templates.
    value_dependent: Vec<(usize, usize)>,
    /// Text of `mysqlType`.
    mysql_type: Vec<u8>,
    /// Bytes that are the same in every message, about.
    fixed_len: usize,
}

/// A column that could not be written.
pub(crate) struct ColumnFailure {
    /// Position in the list of templates.
    pub(crate) column: usize,
    /// What is wrong.
    pub(crate) source: CodecError,
}

impl Projection {
    /// Renders what is fixed for these columns.
    pub(crate) fn new(templates: &[ColumnTemplate], columns: Vec<usize>) -> Self {
        let mut sql_type = Vec::new();
        let mut mysql_type = Vec::new();
        let mut value_dependent = Vec::new();
        for (i, position) in columns.iter().enumerate() {
            let Some(column) = templates.get(*position) else { continue };
            for out in [&mut sql_type, &mut mysql_type] {
                out.push(if i == 0 { b'{' } else { b',' });
                out.extend_from_slice(&column.json_key);
            }
            mysql_type.extend_from_slice(&column.mysql_type);
            if column.sql_type.widened.is_some() {
                value_dependent.push((sql_type.len(), *position));
            } else {
                sql_type.extend_from_slice(column.sql_type.code.as_bytes());
            }
        }
        for out in [&mut sql_type, &mut mysql_type] {
            out.extend_from_slice(if columns.is_empty() { b"null" } else { b"}" });
        }
        let keys: usize = columns.iter().filter_map(|at| templates.get(*at)).map(|c| c.json_key.len()).sum();
        let fixed_len = sql_type.len() + mysql_type.len() + keys;
        Self { columns, sql_type, value_dependent, mysql_type, fixed_len }
    }

    /// Whether no column is chosen.
    pub(crate) fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// Bytes that are the same in every message, about.
    pub(crate) fn fixed_len(&self) -> usize {
        self.fixed_len
    }

    /// Appends the object `mysqlType`.
    pub(crate) fn write_mysql_type(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.mysql_type);
    }

    /// Appends the object `sqlType` for a row.
    pub(crate) fn write_sql_type(
        &self,
        templates: &[ColumnTemplate],
        image: &RowImage<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), ColumnFailure> {
        let mut written = 0;
        for (until, position) in &self.value_dependent {
            out.extend_from_slice(self.sql_type.get(written..*until).unwrap_or_default());
            written = *until;
            if let Some(column) = templates.get(*position) {
                let fail = |source| ColumnFailure { column: *position, source };
                column.write_sql_type(image.locate(column).map_err(fail)?, out);
            }
        }
        out.extend_from_slice(self.sql_type.get(written..).unwrap_or_default());
        Ok(())
    }

    /// Appends the array of one object with the row's values.
    pub(crate) fn write_values(
        &self,
        templates: &[ColumnTemplate],
        image: &RowImage<'_>,
        zone: &TimeZone,
        out: &mut Vec<u8>,
    ) -> Result<(), ColumnFailure> {
        self.write_object(templates, out, |column, out| {
            let value = image.locate(column)?;
            write_member(column, value, zone, out)?;
            Ok(true)
        })
    }

    /// The same for the image before an UPDATE, only with values that differ after it.
    pub(crate) fn write_changed_values(
        &self,
        templates: &[ColumnTemplate],
        old: &RowImage<'_>,
        new: &RowImage<'_>,
        zone: &TimeZone,
        out: &mut Vec<u8>,
    ) -> Result<(), ColumnFailure> {
        self.write_object(templates, out, |column, out| {
            if !column.differs(old, new, zone, out)? {
                return Ok(false);
            }
            write_member(column, old.locate(column)?, zone, out)?;
            Ok(true)
        })
    }

    /// Appends `[{…}]` with the members that `write` appends; it returns false where it appended none.
    fn write_object(
        &self,
        templates: &[ColumnTemplate],
        out: &mut Vec<u8>,
        mut write: impl FnMut(&ColumnTemplate, &mut Vec<u8>) -> Result<bool, CodecError>,
    ) -> Result<(), ColumnFailure> {
        out.extend_from_slice(b"[{");
        let mut separator = false;
        for position in &self.columns {
            let Some(column) = templates.get(*position) else { continue };
            let start = out.len();
            if separator {
                out.push(b',');
            }
            if write(column, out).map_err(|source| ColumnFailure { column: *position, source })? {
                separator = true;
            } else {
                out.truncate(start);
            }
        }
        out.extend_from_slice(b"}]");
        Ok(())
    }
}

/// Appends `"name":value`.
fn write_member(
    column: &ColumnTemplate,
    value: Located<'_>,
    zone: &TimeZone,
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    out.extend_from_slice(&column.json_key);
    column.write_json(value, zone, out)
}
