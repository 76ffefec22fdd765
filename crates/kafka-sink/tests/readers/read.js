'use strict';
// Reads a number of messages of a topic with KafkaJS and prints their values, one a line.
// node read.js BROKERS TOPIC COUNT

const { Kafka, CompressionTypes, CompressionCodecs, logLevel } = require('kafkajs');
const lz4 = require('lz4js');
const fzstd = require('fzstd');
const snappy = require('snappyjs');

// Java and librdkafka may frame snappy as xerial does: a magic number, two versions, then blocks with their lengths.
const XERIAL = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0]);

function decompressSnappy(buffer) {
  if (!buffer.subarray(0, XERIAL.length).equals(XERIAL)) return Buffer.from(snappy.uncompress(buffer));
  const parts = [];
  for (let at = XERIAL.length + 8; at < buffer.length; ) {
    const length = buffer.readUInt32BE(at);
    parts.push(Buffer.from(snappy.uncompress(buffer.subarray(at + 4, at + 4 + length))));
    at += 4 + length;
  }
  return Buffer.concat(parts);
}

function readOnly(decompress) {
  return () => ({
    compress: async () => {
      throw new Error('this program only reads');
    },
    decompress: async (buffer) => decompress(buffer),
  });
}

CompressionCodecs[CompressionTypes.Snappy] = readOnly(decompressSnappy);
CompressionCodecs[CompressionTypes.LZ4] = readOnly((buffer) => Buffer.from(lz4.decompress(buffer)));
CompressionCodecs[CompressionTypes.ZSTD] = readOnly((buffer) => Buffer.from(fzstd.decompress(buffer)));

async function main([brokers, topic, count]) {
  const kafka = new Kafka({ clientId: 'readers', brokers: brokers.split(','), logLevel: logLevel.ERROR });
  const consumer = kafka.consumer({ groupId: `readers-${topic}` });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  let left = Number(count);
  await new Promise((resolve, reject) => {
    consumer.on(consumer.events.CRASH, (event) => reject(event.payload.error));
    const eachMessage = async ({ message }) => {
      console.log(message.value.toString());
      left -= 1;
      if (left === 0) resolve();
    };
    consumer.run({ eachMessage }).catch(reject);
  });
  await consumer.disconnect();
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exit(1);
});
