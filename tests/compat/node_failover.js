// Drives one Node.js client that finds the nodes by itself through the death of the leader:
//   node node_failover.js ioredis-cluster|ioredis-sentinel|node-redis-cluster WRITES PORT...
// It writes that many keys, prints "kill", and as many again while the leader is killed. An error is
// tried again, as a program would do. The last line says how it went.
'use strict';
const assert = require('assert');
const { setTimeout: pause } = require('timers/promises');

const LIMIT_MS = 30000;
const HOST = '127.0.0.1';

async function connect(kind, ports) {
  if (kind === 'ioredis-cluster') {
    const { Cluster } = require('ioredis');
    return new Cluster(ports.map((port) => ({ host: HOST, port })));
  }
  if (kind === 'ioredis-sentinel') {
    const Redis = require('ioredis');
    return new Redis({ sentinels: ports.map((port) => ({ host: HOST, port })), name: 'any' });
  }
  const { createCluster } = require('redis');
  const cluster = createCluster({ rootNodes: ports.map((port) => ({ url: `redis://${HOST}:${port}` })) });
  cluster.on('error', () => {});
  await cluster.connect();
  return cluster;
}

async function main() {
  const [kind, count, ...ports] = process.argv.slice(2);
  const writes = Number(count);
  const client = await connect(kind, ports.map(Number));
  client.on('error', () => {});  // the awaited command reports it
  let errors = 0;
  let longestMs = 0;
  let last = Date.now();
  async function write(i) {
    for (;;) {
      try {
        assert.strictEqual(await client.set(`${kind}:${i}`, `${i}`), 'OK');
        break;
      } catch (error) {
        errors++;
        if (Date.now() - last > LIMIT_MS) throw error;
        await pause(20);
      }
    }
    longestMs = Math.max(longestMs, Date.now() - last);
    last = Date.now();
  }
  for (let i = 0; i < writes; i++) await write(i);
  console.log('kill');
  for (let i = writes; i < 2 * writes; i++) await write(i);
  console.log(JSON.stringify({ written: 2 * writes, errors, longestMs }));
  process.exit(0);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
