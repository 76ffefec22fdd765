'use strict';

/** Reads the settings from environment variables; ends the program if one makes no sense. */
function settings(env) {
  const flag = (name, fallback) => {
    const value = (env[name] || '').toLowerCase();
    if (value === '') return fallback;
    if (['1', 'true', 'yes'].includes(value)) return true;
    if (['0', 'false', 'no'].includes(value)) return false;
    return fail(`${name} must be true or false, not ${env[name]}`);
  };
  const output = env.OUTPUT || 'pretty';
  if (!['pretty', 'json'].includes(output)) fail(`OUTPUT must be pretty or json, not ${output}`);
  return {
    brokers: (env.KAFKA_BROKERS || '127.0.0.1:9092').split(',').map((b) => b.trim()).filter(Boolean),
    topic: env.KAFKA_TOPIC || 'tidb-test',
    groupId: env.KAFKA_GROUP_ID || 'tidegate-consumer',
    fromBeginning: flag('FROM_BEGINNING', true),
    watermarks: flag('SHOW_WATERMARKS', false),
    debug: flag('DEBUG_KAFKA', false),
    output,
  };
}

/** Ends the program with a message. */
function fail(message) {
  console.error(message);
  process.exit(2);
}

module.exports = { settings };
