'use strict';

// Prints the changes Tidegate (or TiCDC) sends to Kafka in Canal-JSON. See README.md.

require('dotenv').config({ quiet: true });
const { Kafka, logLevel } = require('kafkajs');
const { settings } = require('./settings');
const { describe } = require('./describe');

const RETRY_MS = 2000; // pause before the broker or the topic is looked for again
const FETCH_WAIT_MS = 1000; // how long the broker may hold a request while there is nothing new; bounds the time of a stop
const STOP_MS = 10000; // a stop which takes longer is cut short

const config = settings(process.env);

/** A Kafka client which tries again so many times. */
function client(retries) {
  return new Kafka({
    clientId: 'tidegate-consumer',
    brokers: config.brokers,
    connectionTimeout: 3000,
    retry: { initialRetryTime: 200, retries },
    logLevel: logLevel.ERROR,
    logCreator: () => ({ log }) => debug(log.error || log.message),
  });
}

let stopping = false;
let wake = () => {}; // ends what the program waits for at the moment
let lastNotice = '';

/** Tells the user about the state of things; standard output is for events only. */
function notice(text) {
  if (text !== lastNotice) console.error(text);
  lastNotice = text;
}

/** Details of the Kafka client, for those who ask for them. */
function debug(text) {
  if (config.debug) console.error(`kafkajs: ${text}`);
}

/** Waits, but not longer than until the program is asked to stop. */
function pause(ms) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    wake = () => {
      clearTimeout(timer);
      resolve();
    };
  });
}

/** Returns once the broker answers and has the topic, or when the program is asked to stop. */
async function waitForTopic() {
  while (!stopping) {
    const admin = client(0).admin();
    try {
      await admin.connect();
      if ((await admin.listTopics()).includes(config.topic)) return;
      notice(`waiting for topic ${config.topic} on ${config.brokers} ...`);
    } catch (error) {
      notice(`waiting for Kafka at ${config.brokers} ... (${error.message})`);
    } finally {
      await admin.disconnect().catch(() => {});
    }
    await pause(RETRY_MS);
  }
}

/** Prints one message. */
function print({ value, partition, offset }) {
  const raw = value === null ? '' : value.toString();
  const lines = config.output === 'json' ? [raw] : describe(raw, config);
  for (const line of lines) process.stdout.write(`${line}\n`);
  debug(`partition ${partition} offset ${offset}`);
}

/** Prints messages until the client gives up or the program is asked to stop. */
async function consume() {
  const consumer = client(5).consumer({
    groupId: config.groupId,
    allowAutoTopicCreation: false,
    maxWaitTimeInMs: FETCH_WAIT_MS,
  });
  const ended = new Promise((resolve) => {
    wake = () => resolve();
    consumer.on(consumer.events.CRASH, ({ payload }) => {
      notice(`lost Kafka: ${payload.error.message}`);
      if (!payload.restart) resolve();
    });
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
      const partitions = payload.memberAssignment[config.topic] || [];
      notice(`reading ${config.topic} as group ${config.groupId}, partitions ${partitions.join(', ') || 'none'}`);
    });
  });
  try {
    await consumer.connect();
    await consumer.subscribe({ topics: [config.topic], fromBeginning: config.fromBeginning });
    await consumer.run({ eachMessage: async (m) => print({ ...m.message, partition: m.partition }) });
    if (!stopping) await ended;
  } catch (error) {
    notice(`lost Kafka: ${error.message}`);
  } finally {
    await consumer.disconnect().catch(() => {}); // commits what was printed and leaves the group
  }
}

async function main() {
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.on(signal, () => {
      if (stopping) process.exit(130);
      stopping = true;
      setTimeout(() => process.exit(1), STOP_MS).unref();
      wake();
    });
  }
  process.stdout.on('error', () => process.exit(0)); // the reader of a pipe is gone
  while (!stopping) {
    await waitForTopic();
    if (stopping) break;
    await consume();
    if (!stopping) await pause(RETRY_MS);
  }
  notice('stopped');
  process.exit(0);
}

main();
