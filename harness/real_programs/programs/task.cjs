// What the pools' workers do.
"use strict";

const { spawn } = require("node:child_process");

function double(n) {
  return 2 * n;
}

function leave() {
  const child = spawn("sleep", ["1000"], { detached: true, stdio: "ignore" });
  child.unref();
  return child.pid;
}

function die() {
  process.kill(process.pid, "SIGKILL");
}

module.exports = { double, leave, die };

// workerpool starts a script as a worker of its own making; jest-worker loads it as a module.
if (require.main === module) require("workerpool").worker(module.exports);
