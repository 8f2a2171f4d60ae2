// generic-pool, driven as peers.py says: all clients are loops in Node's one thread.
'use strict';

const { spawn } = require('node:child_process');
const path = require('node:path');
const { createRequire } = require('node:module');

// Its modules are installed beside the build, not beside this file.
const [modules, workload, workers, clients, seconds, echoWorker] = process.argv.slice(2);
const genericPool = createRequire(path.join(modules, 'x.js'))('generic-pool');

const PAYLOAD = Buffer.from(`{"text":"${'x'.repeat(89)}"}`);
const FRAME = Buffer.concat([Buffer.from([0, 0, 0, PAYLOAD.length]), PAYLOAD]);

class Worker {
  constructor() {
    this.process = spawn(echoWorker, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.reply = Buffer.alloc(0);
    this.process.stdout.on('data', (bytes) => {
      this.reply = this.reply.length ? Buffer.concat([this.reply, bytes]) : bytes;
      if (this.reply.length < FRAME.length) return;
      if (!this.reply.equals(FRAME)) throw new Error('another reply');
      this.reply = Buffer.alloc(0);
      this.answered();
    });
  }

  echo() {
    return new Promise((answered) => {
      this.answered = answered;
      this.process.stdin.write(FRAME);
    });
  }
}

const factory = {
  create: async () => (workload === 'echo' ? new Worker() : {}),
  destroy: async (worker) => worker.process?.kill(),
};
const pool = genericPool.createPool(factory, { min: Number(workers), max: Number(workers) });
const timed = workload === 'echo' || Number(clients) > Number(workers);

/** The microseconds of the longest of so many operations. */
async function client(each) {
  let longest = 0n;
  for (let i = 0; i < each; ++i) {
    const begun = timed ? process.hrtime.bigint() : 0n;
    const worker = await pool.acquire();
    if (workload === 'echo') await worker.echo();
    await pool.release(worker);
    const took = timed ? process.hrtime.bigint() - begun : 0n;
    if (took > longest) longest = took;
  }
  return Number(longest) / 1e3;
}

async function main() {
  // Rounds of twice the length, until two in a row last so long: all but the last warm up.
  for (let each = 1, before = 0, took; ; each *= 2, before = took) {
    const begun = process.hrtime.bigint();
    const waits = await Promise.all(Array.from({ length: Number(clients) }, () => client(each)));
    took = Number(process.hrtime.bigint() - begun) / 1e9;
    if (Math.min(before, took) < Number(seconds)) continue;
    const told = { operations: each * clients, seconds: took };
    if (timed) told.longest_us = Math.max(...waits);
    console.log(JSON.stringify(told));
    break;
  }
  await pool.drain();
  await pool.clear();
}

main();
