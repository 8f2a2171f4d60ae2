// A program with a workerpool of two processes.
//
//   node worker_pool.cjs TASK...
//
// TASK: double, leave or die, see task.cjs. EXEC_PATH and EXEC_ARGV (JSON) say what starts workers.
// Prints one JSON object: how each task ended.
"use strict";

const workerpool = require("workerpool");

async function main(tasks) {
  const forkOpts = {};
  if (process.env.EXEC_PATH) {
    forkOpts.execPath = process.env.EXEC_PATH;
    forkOpts.execArgv = JSON.parse(process.env.EXEC_ARGV);
  }
  const pool = workerpool.pool(require.resolve("./task.cjs"), {
    workerType: "process",
    maxWorkers: 2,
    ...(process.env.EXEC_PATH ? { forkArgs: [], forkOpts } : {}),
  });
  const told = [];
  for (const task of tasks) {
    try {
      told.push(await pool.exec(task, [21]));
    } catch (error) {
      told.push(error.message);
    }
  }
  await pool.terminate();
  console.log(JSON.stringify(told));
}

main(process.argv.slice(2));
