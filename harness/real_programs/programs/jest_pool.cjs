// A program with a jest-worker pool of two processes.
//
//   node jest_pool.cjs TASK...
//
// TASK: double, leave or die, see task.cjs. EXEC_PATH and EXEC_ARGV (JSON) say what starts workers.
// Prints one JSON object: how each task ended.
"use strict";

const { Worker } = require("jest-worker");

async function main(tasks) {
  const forkOptions = { stdio: ["ignore", "inherit", "inherit", "ipc"] };
  if (process.env.EXEC_PATH) {
    forkOptions.execPath = process.env.EXEC_PATH;
    forkOptions.execArgv = JSON.parse(process.env.EXEC_ARGV);
  }
  const pool = new Worker(require.resolve("./task.cjs"), {
    numWorkers: 2,
    maxRetries: 0,
    exposedMethods: ["double", "leave", "die"],
    forkOptions,
  });
  const told = [];
  for (const task of tasks) {
    try {
      told.push(await pool[task](21));
    } catch (error) {
      told.push(error.message);
    }
  }
  await pool.end();
  console.log(JSON.stringify(told));
}

main(process.argv.slice(2));
