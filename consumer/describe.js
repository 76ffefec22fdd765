'use strict';

const MAX_VALUE = 200; // longer values are cut in the pretty output

/** Lines which describe one Canal-JSON message. */
function describe(raw, { watermarks = false } = {}) {
  let event;
  try {
    event = JSON.parse(raw);
  } catch {
    return [`not JSON: ${JSON.stringify(raw.slice(0, MAX_VALUE))}`];
  }
  const time = Number.isFinite(event.es) ? new Date(event.es).toISOString() : '-';
  const head = (operation) => `${time}  ${operation.padEnd(6)}  ${event.database}.${event.table}`;
  if (event.type === 'TIDB_WATERMARK') {
    return watermarks ? [`${time}  MARK    everything up to this time has been sent`] : [];
  }
  if (event.isDdl) {
    const name = event.table ? `${event.database}.${event.table}` : event.database;
    return [`${time}  DDL     ${name}  ${event.type}  ${event.sql}`];
  }
  if (!['INSERT', 'UPDATE', 'DELETE'].includes(event.type)) {
    return [`not Canal-JSON: ${raw.slice(0, MAX_VALUE)}`];
  }
  return (event.data || []).map((row, i) => {
    const before = (event.old && event.old[i]) || {};
    const key = (event.pkNames || []).filter((name) => name in row);
    const parts = [head(event.type), keyText(event.type, key, row), changes(event.type, key, row, before)];
    return parts.filter(Boolean).join('  ');
  });
}

/** The columns which identify the row; for an update without a primary key all of them. */
function keyText(type, key, row) {
  if (key.length) return `[${columns(key, row)}]`;
  return type === 'UPDATE' ? `[no key: ${columns(Object.keys(row), row)}]` : '[no key]';
}

/** What happened to the other columns. */
function changes(type, key, row, before) {
  if (type !== 'UPDATE') {
    return columns(Object.keys(row).filter((name) => !key.includes(name)), row);
  }
  const changed = Object.keys(before).filter((name) => before[name] !== row[name]);
  return changed.map((name) => `${name}: ${value(before[name])} -> ${value(row[name])}`).join(', ') || 'no column changed';
}

/** Columns with their values. */
function columns(names, row) {
  return names.map((name) => `${name}=${value(row[name])}`).join(', ');
}

/** One value; Canal-JSON has text or null. */
function value(v) {
  if (v === undefined) return '(absent)';
  if (v === null) return 'NULL';
  const text = JSON.stringify(v);
  return text.length > MAX_VALUE ? `${text.slice(0, MAX_VALUE)}... (${text.length} characters)` : text;
}

module.exports = { describe };
