// Drives one Node.js client against one server: node node_clients.js ioredis|node-redis HOST PORT
// Exits with 1 and says what differed when a reply is not as it must be.
'use strict';
const assert = require('assert');
const { setTimeout: pause } = require('timers/promises');

const EVERY_BYTE = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
const KEYS = 500;
const EXPIRY_LIMIT_MS = 5000;

// Asks until the answer is `wanted`: what expires is hidden at its deadline and no longer counted
// a moment later.
async function until(wanted, ask) {
  const deadline = Date.now() + EXPIRY_LIMIT_MS;
  for (let answer; (answer = await ask()) !== wanted;) {
    assert(Date.now() < deadline, `still ${answer}, not ${wanted}, long after a deadline`);
    await pause(20);
  }
}

async function ioredis(host, port) {
  const Redis = require('ioredis');
  const redis = new Redis({ host, port, connectTimeout: 10000, maxRetriesPerRequest: 0 });
  await redis.flushall();
  assert.strictEqual(await redis.ping(), 'PONG');
  assert.strictEqual(await redis.set('k', 'v'), 'OK');
  assert.strictEqual(await redis.get('k'), 'v');
  assert.strictEqual(await redis.set('k', 'w', 'EX', 100, 'NX'), null);
  assert.strictEqual(await redis.append('k', 'w'), 2);
  assert.strictEqual(await redis.incrby('n', 41), 41);
  assert.deepStrictEqual(await redis.mget('k', 'none', 'n'), ['vw', null, '41']);
  await redis.setBuffer(EVERY_BYTE, EVERY_BYTE);
  assert(EVERY_BYTE.equals(await redis.getBuffer(EVERY_BYTE)));
  await assert.rejects(redis.incr('k'), /ERR value is not an integer or out of range/);
  await assert.rejects(redis.call('NOSUCH'), /ERR unknown command/);

  const pipeline = redis.pipeline();
  for (let i = 0; i < KEYS; i++) pipeline.set(`s:${i}`, i);
  for (let i = 0; i < KEYS; i++) pipeline.get(`s:${i}`);
  const replies = await pipeline.exec();
  assert(replies.every(([error]) => error === null));
  assert.deepStrictEqual(
      replies.slice(KEYS).map(([, value]) => value), Array.from({ length: KEYS }, (_, i) => `${i}`));

  const found = new Set();
  for await (const keys of redis.scanStream({ match: 's:*', count: 100 })) keys.forEach((k) => found.add(k));
  assert.strictEqual(found.size, KEYS);

  await redis.set('e', 'x', 'PX', 150);
  assert((await redis.pttl('e')) > 0);
  await until(null, () => redis.get('e'));

  // Many commands at once on several connections: every reply comes to its own command.
  const others = Array.from({ length: 5 }, () => redis.duplicate());
  await Promise.all(others.flatMap((client, c) => Array.from({ length: 200 }, async (_, i) => {
    assert.strictEqual(await client.set(`c:${c}:${i}`, `${c}-${i}`), 'OK');
    assert.strictEqual(await client.get(`c:${c}:${i}`), `${c}-${i}`);
  })));
  others.forEach((client) => client.disconnect());
  await until(KEYS + 1000 + 3, () => redis.dbsize());
  await redis.flushall();
  assert.strictEqual(await redis.quit(), 'OK');
}

async function nodeRedis(host, port) {
  const { createClient, commandOptions } = require('redis');
  const redis = createClient({ socket: { host, port, connectTimeout: 10000, reconnectStrategy: false }, name: 'compat' });
  redis.on('error', () => {});  // the awaited command reports it
  await redis.connect();
  await redis.flushAll();
  assert.strictEqual(await redis.ping(), 'PONG');
  assert.strictEqual(await redis.clientGetName(), 'compat');
  assert.strictEqual(await redis.set('k', 'v'), 'OK');
  assert.strictEqual(await redis.get('k'), 'v');
  assert.strictEqual(await redis.set('k', 'w', { EX: 100, NX: true }), null);
  assert.strictEqual(await redis.append('k', 'w'), 2);
  assert.strictEqual(await redis.incrBy('n', 41), 41);
  assert.deepStrictEqual(await redis.mGet(['k', 'none', 'n']), ['vw', null, '41']);
  await redis.set(EVERY_BYTE, EVERY_BYTE);
  assert(EVERY_BYTE.equals(await redis.get(commandOptions({ returnBuffers: true }), EVERY_BYTE)));
  await assert.rejects(redis.incr('k'), /ERR value is not an integer or out of range/);
  await assert.rejects(redis.sendCommand(['NOSUCH']), /ERR unknown command/);

  // Commands of one turn of the event loop leave as one pipeline.
  const numbers = Array.from({ length: KEYS }, (_, i) => `${i}`);
  await Promise.all(numbers.map((i) => redis.set(`s:${i}`, i)));
  assert.deepStrictEqual(await Promise.all(numbers.map((i) => redis.get(`s:${i}`))), numbers);

  const found = new Set();
  for await (const key of redis.scanIterator({ MATCH: 's:*', COUNT: 100 })) found.add(key);
  assert.strictEqual(found.size, KEYS);

  await redis.pSetEx('e', 150, 'x');
  assert((await redis.pTTL('e')) > 0);
  await until(null, () => redis.get('e'));
  await until(KEYS + 3, () => redis.dbSize());
  await redis.flushAll();
  await redis.quit();
}

const [client, host, port] = process.argv.slice(2);
({ ioredis, 'node-redis': nodeRedis })[client](host, Number(port)).then(
    () => process.exit(0),
    (error) => {
      console.error(error);
      process.exit(1);
    });
